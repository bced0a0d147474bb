//! The one sanitiser for text that came from outside, and the widths of text on a terminal.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Makes text from outside safe for a terminal: C0 and C1 controls, escapes, bidirectional overrides, other
/// invisible format characters and line breaks go; each run of them becomes one space when it stood between words.
/// JSON output does not pass through here: it carries text exactly, escaped as JSON escapes (design.md §3 rule 7).
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_unsafe) {
        let (before, tail) = rest.split_at(start);
        out.push_str(before);
        rest = skip_unsafe(tail);
        let gap = tail.len() > rest.len()
            && !out.is_empty()
            && !out.ends_with(' ')
            && !rest.is_empty()
            && !rest.starts_with(' ');
        if gap {
            out.push(' ');
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Skips one run of unsafe characters; an escape sequence takes its parameters along, so that `\x1b[31m` leaves
/// nothing behind.
fn skip_unsafe(text: &str) -> &str {
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if !is_unsafe(first) {
            break;
        }
        let after = rest.get(first.len_utf8()..).unwrap_or_default();
        rest = match (first, after.chars().next()) {
            ('\u{1b}', Some('[')) => skip_csi(after.get(1..).unwrap_or_default()),
            ('\u{9b}', _) => skip_csi(after),
            ('\u{1b}', Some(']' | 'P' | '_' | '^' | 'X')) => skip_string(after.get(1..).unwrap_or_default()),
            ('\u{9d}' | '\u{90}' | '\u{9f}' | '\u{9e}' | '\u{98}', _) => skip_string(after),
            ('\u{1b}', Some(c)) if c.is_ascii_graphic() => after.get(c.len_utf8()..).unwrap_or_default(),
            _ => after,
        };
    }
    rest
}

/// Skips parameters, intermediates and the final byte of a control sequence.
fn skip_csi(text: &str) -> &str {
    let rest = text.trim_start_matches(|c: char| ('\u{20}'..='\u{3f}').contains(&c));
    match rest.chars().next() {
        Some(c) if ('\u{40}'..='\u{7e}').contains(&c) => rest.get(c.len_utf8()..).unwrap_or_default(),
        _ => rest,
    }
}

/// Skips an operating-system or device command up to its terminator; without one, only the introducer goes, so that
/// hostile text cannot make the rest of a name disappear.
fn skip_string(text: &str) -> &str {
    let bell = text.find('\u{7}').map(|at| (at, 1));
    let terminator = text.find("\u{1b}\\").map(|at| (at, 2));
    let c1 = text.find('\u{9c}').map(|at| (at, 2));
    match [bell, terminator, c1].into_iter().flatten().min() {
        Some((at, length)) => text.get(at + length..).unwrap_or_default(),
        None => text,
    }
}

/// A code as a person typed it: without blanks, and without what a terminal put among the keys, as its late answer to a
/// question of ours does, also where something on the way has shown it in letters (`^[[2;2R`). What an input method has
/// made full-width is what was meant.
pub fn typed_code(text: &str) -> String {
    let narrow = |c: char| match c {
        '！'..='～' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        _ => c,
    };
    let mut code: String = clean(text).split_whitespace().flat_map(str::chars).map(narrow).collect();
    while let Some(rest) = without_report(&code) {
        code = rest;
    }
    code
}

/// The text without the first cursor report whose ESC has got lost; `None` where there is none.
fn without_report(text: &str) -> Option<String> {
    let (before, after) = text.split_once(';')?;
    let before = before.trim_end_matches(|c: char| c.is_ascii_digit());
    let rest = after.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix('R')?;
    let before = match before.strip_suffix('[') {
        Some(before) => before.strip_suffix("^[").unwrap_or(before),
        None if before.is_empty() => before,
        None => return None,
    };
    Some(format!("{before}{rest}"))
}

/// JSON text as it may go to a terminal: what [`clean`] would take out stays, as `\\u` escapes. JSON escapes the C0
/// controls by itself, but leaves C1 controls and bidirectional overrides as they are. The value does not change.
pub fn json(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 32);
    for c in text.chars() {
        if is_unsafe(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Characters that must not reach a terminal from outside.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..='\u{e0fff}'
            | '\u{f0000}'..='\u{10ffff}')
}

/// How many terminal columns the text takes.
pub fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// Cuts text to at most `columns`, ending in `…` where something was cut; never in the middle of a grapheme.
pub fn cut(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    if columns == 0 {
        return Cow::Borrowed("");
    }
    let mut out = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        let wide = width(grapheme);
        if used + wide > columns - 1 {
            break;
        }
        out.push_str(grapheme);
        used += wide;
    }
    out.push('…');
    Cow::Owned(out)
}

/// Cuts or pads with spaces on the right to exactly `columns`.
pub fn fit(text: &str, columns: usize) -> String {
    let mut out = cut(text, columns).into_owned();
    let missing = columns.saturating_sub(width(&out));
    out.extend(std::iter::repeat_n(' ', missing));
    out
}

/// What may not begin a line: it belongs to what stands before it.
const CLOSING: &str = ".,;:!?)]}…”’%。，、；：！？）】》」』";
/// What may not end one.
const OPENING: &str = "([{“‘（【《「『";

/// Text cut where a line may end: at spaces, beside wide characters, behind a dash or slash; never before a full stop
/// or behind an opening bracket, so that `14:00.` stays whole.
fn pieces(text: &str) -> Vec<&str> {
    let wide = |piece: &str| width(piece) > piece.chars().count();
    let ends = |before: &str, after: &str| {
        let blank = before.trim().is_empty() || after.trim().is_empty();
        let glued = after.starts_with(|c| CLOSING.contains(c)) || before.ends_with(|c| OPENING.contains(c));
        blank || (!glued && (wide(before) || wide(after) || before.ends_with(['-', '/'])))
    };
    let mut out = Vec::new();
    let (mut start, mut end, mut last) = (0, 0, "");
    for (at, word) in text.split_word_bound_indices() {
        if at > start && ends(last, word) {
            out.extend(text.get(start..at));
            start = at;
        }
        (end, last) = (at + word.len(), word);
    }
    out.extend(text.get(start..end).filter(|rest| !rest.is_empty()));
    out
}

/// Breaks text into lines of at most `columns`, at spaces where there are any (CJK text breaks anywhere).
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(2);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in pieces(text) {
        if width(&line) + width(word) <= columns {
            if !(line.is_empty() && word.trim().is_empty()) {
                line.push_str(word);
            }
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
        }
        if word.trim().is_empty() {
            continue;
        }
        for grapheme in word.graphemes(true) {
            if width(&line) + width(grapheme) > columns {
                lines.push(std::mem::take(&mut line));
            }
            line.push_str(grapheme);
        }
    }
    let line = line.trim_end();
    if !line.is_empty() {
        lines.push(line.to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_typed_code_is_what_a_person_typed() {
        for typed in [
            "246810",
            " 246 810 ",
            "\u{1b}[2;2R246810",
            "246810\u{1b}[24;80R",
            "24\u{1b}[2;2R68\u{1b}[3;1R10",
            "\u{9b}2;2R246810",
            "\u{1b}[200~246810\u{1b}[201~",
            "\u{1b}]11;rgb:0000/0000/0000\u{1b}\\246810",
            "\u{1b}[?62;4c246810",
            "\u{200b}246810\r",
            // The ESC has got lost, or was made a picture of.
            "[2;2R246810",
            "^[[2;2R246810",
            "246810^[[2;2R",
            "2;2R246810",
            ";2R246810",
            "２４６\u{3000}８１０",
        ] {
            assert_eq!(typed_code(typed), "246810", "{typed:?}");
        }
        for code in ["R2D2", "a;b", "12;x", "R", "é-9"] {
            assert_eq!(typed_code(code), code);
        }
        for nothing in ["", " ", "\u{1b}[2;2R", "^[[2;2R"] {
            assert_eq!(typed_code(nothing), "", "{nothing:?}");
        }
    }

    #[test]
    fn plain_text_is_borrowed() {
        assert!(matches!(clean("售前客服-小诺 (9:00)"), Cow::Borrowed(_)));
    }

    #[test]
    fn json_keeps_its_value_and_shows_a_terminal_nothing() {
        let value = serde_json::json!({"nick": "\u{1b}[2J\u{9b}31m\u{202e}evil\u{e0041} 小诺 👩‍👩‍👧"});
        let text = value.to_string();
        let safe = json(&text);
        assert!(!safe.contains(is_unsafe), "{safe}");
        assert!(safe.contains("小诺 👩‍👩‍👧"));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), value);
    }

    #[test]
    fn escapes_take_their_parameters_along() {
        for (dirty, safe) in [
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("a\u{1b}]0;title\u{7}b", "a b"),
            ("a\u{1b}]52;c;AAAA\u{1b}\\b", "a b"),
            ("a\u{1b}]unfinished", "a unfinished"),
            ("one\r\ntwo", "one two"),
            ("\u{202e}evil", "evil"),
            ("\u{9b}2Jx", "x"),
            ("tab\there", "tab here"),
            ("\u{1b}c", ""),
        ] {
            assert_eq!(clean(dirty), safe, "{dirty:?}");
        }
    }

    #[test]
    fn an_emoji_family_stays_whole() {
        assert_eq!(clean("👩‍👩‍👧 家"), "👩‍👩‍👧 家");
    }

    #[test]
    fn cutting_counts_columns() {
        assert_eq!(cut("账号张三", 5), "账号…");
        assert_eq!(fit("账号张三", 6), "账号… ");
        assert_eq!(fit("ab", 4), "ab  ");
        assert_eq!(cut("abc", 0), "");
    }

    #[test]
    fn wrapping_keeps_every_word() {
        assert_eq!(wrap("the gateway said no", 11), ["the gateway", "said no"]);
        assert_eq!(wrap("二次登录失败请重新扫码", 8), ["二次登录", "失败请重", "新扫码"]);
        assert_eq!(wrap("room at 14:00.", 13), ["room at", "14:00."]);
        assert_eq!(wrap("上限 3 次。14:00 恢复", 14), ["上限 3 次。", "14:00 恢复"]);
        assert_eq!(wrap("0000016e-63ef-3a9c", 12), ["0000016e-", "63ef-3a9c"]);
        assert_eq!(wrap("scanned (“李四”)", 13), ["scanned (“李", "四”)"]);
    }

    proptest! {
        #[test]
        fn cleaned_text_is_safe_and_stays_so(text in ".*") {
            let once = clean(&text).into_owned();
            prop_assert!(!once.chars().any(is_unsafe));
            prop_assert_eq!(clean(&once), once.as_str());
        }

        #[test]
        fn fitted_text_is_exactly_as_wide(text in "\\PC*", columns in 0usize..60) {
            prop_assert_eq!(width(&fit(&clean(&text), columns)), columns);
        }

        #[test]
        fn wrapped_lines_are_never_too_wide(text in "\\PC*", columns in 2usize..60) {
            for line in wrap(&clean(&text), columns) {
                prop_assert!(width(&line) <= columns);
            }
        }
    }
}
