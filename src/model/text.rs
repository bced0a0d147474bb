//! The one sanitiser for text that came from outside, and the widths of text on a terminal.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr};

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
        if let Some(behind) = behind_sequence(rest) {
            rest = behind;
            continue;
        }
        let after = rest.get(first.len_utf8()..).unwrap_or_default();
        rest = match (first, after.chars().next()) {
            ('\u{9d}' | '\u{90}' | '\u{9f}' | '\u{9e}' | '\u{98}', _) => skip_string(after),
            ('\u{1b}', Some(c)) if c.is_ascii_graphic() => after.get(c.len_utf8()..).unwrap_or_default(),
            _ => after,
        };
    }
    rest
}

/// What stands behind the control sequence or the string that a text begins with.
fn behind_sequence(text: &str) -> Option<&str> {
    let mut chars = text.chars();
    let skip = match (chars.next()?, chars.next()) {
        ('\u{1b}', Some('[')) | ('\u{9b}', _) => skip_csi,
        ('\u{1b}', Some(']' | 'P' | '_' | '^' | 'X')) => skip_string,
        _ => return None,
    };
    // The one-character form takes two bytes as well.
    text.get(2..).map(skip)
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

/// What a person typed, without the sequences that a terminal puts among it: late answers of its own, and keys that are no
/// characters. All else stays as it is: it may be a password.
pub fn typed(text: &str) -> Cow<'_, str> {
    if !text.contains(['\u{1b}', '\u{9b}']) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\u{1b}', '\u{9b}']) {
        let (before, tail) = rest.split_at(at);
        out.push_str(before);
        rest = match (behind_sequence(tail), tail.strip_prefix("\u{1b}O")) {
            (Some(behind), _) => behind,
            // `ESC O A`: an arrow.
            (None, Some(key)) => key.strip_prefix(|c: char| c.is_ascii_graphic()).unwrap_or(key),
            (None, None) => tail.get(1..).unwrap_or_default(),
        };
    }
    out.push_str(rest);
    Cow::Owned(out)
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

/// How many terminal columns the text takes: the sum of its graphemes, since that is how it is drawn. The text as a
/// whole may be counted narrower (Arabic's lam and alef are one glyph in a font that joins them), and cells would be short.
pub fn width(text: &str) -> usize {
    if text.is_ascii() { UnicodeWidthStr::width(text) } else { text.graphemes(true).map(grapheme_width).sum() }
}

/// The columns of one grapheme, as the canvas counts them: it adds one for each half-width sound mark, which some
/// terminals put into a cell of its own.
fn grapheme_width(grapheme: &str) -> usize {
    UnicodeWidthStr::width(grapheme) + grapheme.matches(['\u{ff9e}', '\u{ff9f}']).count()
}

/// The widest that one sign is.
const SIGN: usize = 2;

/// What a line may be broken between, with its columns. That is the grapheme, unless it is wider than a sign: `가𑶓` is one
/// grapheme of three columns, and a chain of jamo or of broken emoji is as wide as somebody likes. Then it is the
/// character with the marks on it.
fn units(text: &str) -> impl Iterator<Item = (&str, usize)> {
    text.graphemes(true).flat_map(|grapheme| {
        let mut rest = grapheme;
        std::iter::from_fn(move || {
            let whole = grapheme_width(rest);
            let end = if whole > SIGN { first_sign(rest) } else { rest.len() };
            let (unit, tail) = rest.split_at_checked(end)?;
            rest = tail;
            (!unit.is_empty()).then(|| (unit, if tail.is_empty() { whole } else { grapheme_width(unit) }))
        })
    })
}

/// Where the second character that takes room begins.
fn first_sign(text: &str) -> usize {
    let mut signs = text.char_indices().filter(|(_, c)| c.width().is_some_and(|width| width > 0));
    signs.nth(1).map_or(text.len(), |(at, _)| at)
}

/// Cuts text to at most `columns`, ending in `…` where something was cut; never in the middle of a sign.
pub fn cut(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    if columns == 0 {
        return Cow::Borrowed("");
    }
    let mut out = String::new();
    let mut used = 0;
    for (unit, wide) in units(text) {
        if used + wide > columns - 1 {
            break;
        }
        out.push_str(unit);
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

/// Breaks text into lines of at most `columns`, but at least two, at spaces where there are any (CJK text breaks
/// anywhere). A sign that is wider than that is `…`.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(SIGN);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in pieces(text) {
        let wide = width(word);
        if used + wide <= columns {
            if !(line.is_empty() && word.trim().is_empty()) {
                line.push_str(word);
                used += wide;
            }
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
            used = 0;
        }
        if word.trim().is_empty() {
            continue;
        }
        for (unit, wide) in units(word) {
            let (unit, wide) = if wide > columns { ("…", 1) } else { (unit, wide) };
            if used + wide > columns {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push_str(unit);
            used += wide;
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
    use crate::property::cases;
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
    fn what_was_typed_loses_the_terminals_answers_and_nothing_else() {
        for (raw, want) in [
            ("\u{1b}[2;2R123456", "123456"),
            ("12\u{1b}[2;2R3456", "123456"),
            ("123456\u{1b}[3;12R", "123456"),
            ("\u{1b}[?62;4;22c123456", "123456"),
            ("\u{1b}[?1u\u{1b}[6;18;9t123456\u{1b}[2;2R", "123456"),
            ("\u{1b}]11;rgb:1e1e/1e1e/2e2e\u{1b}\\123456", "123456"),
            ("\u{1b}]10;rgb:ffff/ffff/ffff\u{7}123456", "123456"),
            ("\u{1b}P>|kitty(0.40.0)\u{1b}\\123456", "123456"),
            ("\u{1b}_Gi=31;OK\u{1b}\\123456", "123456"),
            ("\u{9b}2;2R123456", "123456"),
            ("\u{1b}OA\u{1b}[A123456", "123456"),
            ("\u{1b}123456", "123456"),
            ("\u{1b}[2;", ""),
            ("y\u{1b}", "y"),
            ("pa ss[2;2R\u{200b}\t密码]", "pa ss[2;2R\u{200b}\t密码]"),
        ] {
            assert_eq!(typed(raw), want, "{raw:?}");
        }
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

    /// Signs whose widths do not add up, or that are wider than a sign should be.
    fn odd() -> impl Strategy<Value = String> {
        let signs = prop::sample::select(vec![
            "가",
            "\u{11d93}",
            "\u{fffc}",
            "\u{1930}",
            "\u{cc3}",
            "\u{17d8}",
            "ᄀ",
            "ᅡ",
            "ᆨ",
            "ل",
            "ا",
            "👩",
            "\u{200d}",
            "\u{1f3fb}",
            "☝",
            "\u{fe0f}",
            "\u{fe0e}",
            "1",
            "\u{20e3}",
            "\u{1f1e6}",
            "\u{600}",
            "\u{d4e}",
            "क",
            "\u{94d}",
            "ष",
            "ｶ",
            "\u{ff9e}",
            "“",
            "\u{fe01}",
            "\u{300}",
            "张",
            "a",
            " ",
            "…",
            ".",
            "（",
            "-",
            "\u{1a15}",
            "\u{1a17}",
            "\u{1a10}",
            "ꓹ",
            "ꓼ",
            "\u{2d4f}",
            "\u{2d7f}",
            "\u{16d63}",
            "\u{16d67}",
            "\u{2e3b}",
        ]);
        prop::collection::vec(signs, 0..16).prop_map(|signs| signs.concat())
    }

    #[test]
    fn what_is_wider_than_the_line_is_broken() {
        assert_eq!(wrap("가\u{11d93}", 2), ["가", "\u{11d93}"]);
        assert_eq!(wrap("\u{fffc}\u{1930}\u{cc3}", 2), ["\u{fffc}", "\u{1930}\u{cc3}"]);
        assert_eq!(wrap("a\u{17d8}b", 2), ["a", "…b"], "a sign of three columns");
        assert_eq!(wrap("ᄀᄀᄀ", 5), ["ᄀᄀ", "ᄀ"], "one grapheme of six columns");
        assert_eq!(cut("ᄀᄀᄀ", 5), "ᄀᄀ…");
        assert_eq!(wrap("👩‍👩‍👧👩‍👩‍👧", 3), ["👩‍👩‍👧", "👩‍👩‍👧"], "a family stays whole");
        assert_eq!((width("لا"), width("ｶ\u{ff9e}"), width("☝\u{fe0f}")), (2, 3, 2));
    }

    proptest! {
        #![proptest_config(cases(256))]

        #[test]
        fn cleaned_text_is_safe_and_stays_so(text in ".*") {
            let once = clean(&text).into_owned();
            prop_assert!(!once.chars().any(is_unsafe));
            prop_assert_eq!(clean(&once), once.as_str());
        }

        #[test]
        fn fitted_text_is_exactly_as_wide(text in prop_oneof!["\\PC*", odd()], columns in 0usize..60) {
            prop_assert_eq!(width(&fit(&clean(&text), columns)), columns);
            prop_assert_eq!(width(&fit(&text, columns)), columns);
        }

        #[test]
        fn wrapped_lines_are_never_too_wide(text in prop_oneof!["\\PC*", odd()], columns in 2usize..60) {
            for text in [&*clean(&text), &*text] {
                for line in wrap(text, columns) {
                    prop_assert!(width(&line) <= columns, "{:?} is {}", line, width(&line));
                }
            }
        }

        /// The whole text is there, but for blanks at the breaks.
        #[test]
        fn wrapping_loses_nothing(text in odd(), columns in 3usize..60) {
            let signs = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(signs(&wrap(&text, columns).concat()), signs(&text));
        }
    }
}
