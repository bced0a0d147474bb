//! Delimited text, as spreadsheets and people write it, strictly read: a quote that is left open, or a cell too many,
//! is told and not made the best of. No library at hand is strict about quotes.

use std::borrow::Cow;

use super::rows::{BadFile, COLUMNS, Fields, NOTE, Read, WC_ID, Wrong, column};
use crate::model::WcId;

/// What may stand between cells.
const DELIMITERS: [char; 6] = [',', ';', '\t', '|', '，', '；'];

/// What a spreadsheet takes a cell for a formula by, as its first sign; what is not seen before one is left out by some.
fn makes_formula(sign: char) -> bool {
    matches!(sign, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠' | '\u{feff}') || sign.is_control()
}

/// Makes text of a spreadsheet's formula: what stands behind the first quote is not run. [`unguard`] takes it back.
fn guard(cell: &str) -> Cow<'_, str> {
    if cell.trim_start_matches('\'').starts_with(makes_formula) { format!("'{cell}").into() } else { cell.into() }
}

fn unguard(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if rest.trim_start_matches('\'').starts_with(makes_formula) => rest,
        _ => cell,
    }
}

/// Marks the lines within a cell that a reader could take for rows of their own; those that begin as a marked one does are
/// marked in any case, so that [`unguard_lines`] takes back what was marked and nothing else.
fn guard_lines(cell: &str, all: bool) -> Cow<'_, str> {
    let is_marked = |line: &str| begins_row(line) && (all || line.starts_with('\''));
    map_lines(cell, |line| if is_marked(line) { format!("'{line}").into() } else { line.into() })
}

fn unguard_lines(cell: &str) -> Cow<'_, str> {
    map_lines(cell, |line| line.strip_prefix('\'').filter(|rest| begins_row(rest)).unwrap_or(line).into())
}

/// Changes the lines of a cell after its first.
fn map_lines<'a>(cell: &'a str, change: impl Fn(&'a str) -> Cow<'a, str>) -> Cow<'a, str> {
    let Some((first, rest)) = cell.split_once('\n') else { return cell.into() };
    let lines: Vec<_> = std::iter::once(first.into()).chain(rest.split('\n').map(change)).collect();
    lines.join("\n").into()
}

/// Whether a line of a cell, marked or not, begins with an id, as an exported row does.
fn begins_row(line: &str) -> bool {
    let line = line.trim_start_matches('\'');
    WcId::checked(bare(line.split(',').next().unwrap_or_default())).is_some()
}

/// A cell without the quotes around it.
fn bare(cell: &str) -> &str {
    cell.trim().trim_matches('"')
}

/// A row as it is exported.
pub(super) fn row(fields: &[&str]) -> String {
    let write = |all| fields.iter().map(|field| cell(&guard_lines(field, all))).collect::<Vec<_>>().join(",");
    let text = write(false);
    let is_row = |line: &str| line.split(',').count() == fields.len() && begins_row(line);
    if text.lines().skip(1).any(is_row) { write(true) } else { text }
}

/// A cell as it is exported: no formula, and quoted where a reader would otherwise see something else.
fn cell(text: &str) -> String {
    let text = guard(text);
    if text.contains([',', '"', '\r', '\n']) || text.trim() != text {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.into_owned()
    }
}

/// Reads accounts: with a heading, or one wcId a line.
pub(super) fn read(text: &str) -> Result<Read, BadFile> {
    let blank = |line: &&str| line.trim().is_empty() || is_hint(line);
    let above = text.split_inclusive('\n').take_while(blank);
    let (skipped, bytes) = above.fold((0, 0), |(lines, bytes), line| (lines + 1, bytes + line.len()));
    let body = text.get(bytes..).unwrap_or_default();
    if body.is_empty() {
        return Ok(Read { in_lines: true, ..Read::default() });
    }
    let headings = DELIMITERS.map(|delimiter| Heading::read(body, delimiter));
    // Of several the first that knows most.
    let best = headings.iter().rev().max_by_key(|heading| heading.known()).filter(|heading| heading.known() > 0);
    let Some(heading) = best else {
        if headings.iter().any(|heading| heading.columns.len() > 1) {
            return Err(BadFile::NoHeading);
        }
        let list = Heading { delimiter: ',', columns: vec![Some(WC_ID)], names: Vec::new(), rest: body };
        return Ok(rows(&list, skipped + 1));
    };
    if !heading.columns.contains(&Some(WC_ID)) {
        return Err(BadFile::NoColumn);
    }
    for (at, name) in COLUMNS.iter().enumerate() {
        if heading.columns.iter().filter(|column| **column == Some(at)).count() > 1 {
            return Err(BadFile::TwiceColumn(name));
        }
    }
    let used = body.len() - heading.rest.len();
    let lines = body.get(..used).map_or(0, line_ends);
    Ok(rows(heading, skipped + 1 + lines))
}

/// The line by which a spreadsheet tells itself what stands between cells.
fn is_hint(line: &str) -> bool {
    let line = line.trim_matches(|c: char| c == '"' || c == '\r' || c == '\n');
    line.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("sep=")) && line.chars().count() <= 5
}

/// The first row, as a heading.
struct Heading<'a> {
    delimiter: char,
    /// Each cell's column, if it names one.
    columns: Vec<Option<usize>>,
    names: Vec<String>,
    /// What follows it.
    rest: &'a str,
}

impl<'a> Heading<'a> {
    fn read(body: &'a str, delimiter: char) -> Self {
        let (cells, rest) = record(body, delimiter);
        let names = cells.unwrap_or_default();
        Self { delimiter, columns: names.iter().map(|name| column(name)).collect(), names, rest }
    }

    fn known(&self) -> usize {
        self.columns.iter().flatten().count()
    }

    /// Whether a line by itself would be a row, of WeChat's own ids where others may be words.
    fn fits(&self, line: &str, own: bool) -> bool {
        let cells: Vec<&str> = line.split(self.delimiter).map(bare).collect();
        let at = self.columns.iter().position(|column| *column == Some(WC_ID));
        let id = at.and_then(|at| cells.get(at)).and_then(|cell| WcId::checked(cell));
        cells.len() == self.columns.len() && id.is_some_and(|id| !own || WcId::is_own_form(id.as_str()))
    }

    /// Whether a record has lines only where people write them: in its note, or where there is one column alone.
    fn is_prose(&self, cells: &[String]) -> bool {
        let mut cells = self.columns.iter().zip(cells);
        self.columns.len() < 2 || cells.all(|(column, cell)| *column == Some(NOTE) || !cell.contains('\n'))
    }
}

fn rows(heading: &Heading<'_>, first: usize) -> Read {
    let mut read = Read { in_lines: true, ..Read::default() };
    let unknown = heading.names.iter().zip(&heading.columns).filter(|(_, column)| column.is_none());
    read.ignored = unknown.map(|(name, _)| name.clone()).filter(|name| !name.is_empty()).collect();
    let mut nameless = vec![false; heading.names.len()];
    let (mut rest, mut line) = (heading.rest, first);
    while !rest.is_empty() {
        let (cells, after) = record(rest, heading.delimiter);
        let span = rest.get(..rest.len() - after.len()).unwrap_or_default();
        let own = cells.as_ref().is_ok_and(|cells| heading.is_prose(cells));
        let swallows = span.lines().skip(1).any(|line| heading.fits(line, own));
        let fields = match cells {
            Ok(_) if swallows => Err(Wrong::Swallows),
            Ok(cells) if cells.iter().all(String::is_empty) => Ok(None),
            Ok(cells) if cells.len() != heading.columns.len() => {
                Err(Wrong::Cells { found: cells.len(), wanted: heading.columns.len() })
            }
            Ok(cells) => {
                for ((name, cell), filled) in heading.names.iter().zip(&cells).zip(&mut nameless) {
                    *filled |= name.is_empty() && !cell.is_empty();
                }
                fields(heading, &cells).map(Some)
            }
            Err(wrong) => Err(wrong),
        };
        // After a quote that may have been meant otherwise the next line is looked at by itself.
        let after = if matches!(fields, Err(Wrong::Swallows)) { next_line(rest) } else { after };
        read.entries.extend(fields.transpose().map(|fields| (line, fields)));
        line += rest.get(..rest.len() - after.len()).map_or(0, line_ends);
        rest = after;
    }
    // Without a name, but not without anything in it.
    let filled = nameless.iter().zip(1..).filter(|(filled, _)| **filled);
    read.ignored.extend(filled.map(|(_, number)| format!("#{number}")));
    read
}

fn fields(heading: &Heading<'_>, cells: &[String]) -> Result<Fields, Wrong> {
    let mut fields = Fields::default();
    for (column, cell) in heading.columns.iter().zip(cells) {
        if let Some(column) = column {
            fields.put(*column, &unguard_lines(unguard(cell)))?;
        }
    }
    Ok(fields)
}

/// The first row's cells and what follows it. Cells are trimmed, unless they are quoted.
fn record(text: &str, delimiter: char) -> (Result<Vec<String>, Wrong>, &str) {
    let is_blank = |c: char| c.is_whitespace() && c != delimiter && !matches!(c, '\r' | '\n');
    let mut cells = Vec::new();
    let mut rest = text;
    loop {
        let (cell, after) = match rest.trim_start_matches(is_blank).strip_prefix('"') {
            Some(quoted) => match unquote(quoted) {
                Some((cell, after)) => (cell, after.trim_start_matches(is_blank)),
                None => return (Err(Wrong::Quote), next_line(text)),
            },
            None => {
                let end = rest.find([delimiter, '\r', '\n']).unwrap_or(rest.len());
                let (cell, after) = rest.split_at(end);
                (cell.trim().to_owned(), after)
            }
        };
        cells.push(cell);
        match after.strip_prefix(delimiter) {
            Some(next) => rest = next,
            None if after.is_empty() || after.starts_with(['\r', '\n']) => return (Ok(cells), next_line(after)),
            None => return (Err(Wrong::Quote), next_line(text)),
        }
    }
}

/// What stands up to the closing quote, and what follows that.
fn unquote(mut text: &str) -> Option<(String, &str)> {
    let mut cell = String::new();
    loop {
        let (part, after) = text.split_once('"')?;
        cell.push_str(part);
        match after.strip_prefix('"') {
            Some(next) => {
                cell.push('"');
                text = next;
            }
            None => return Some((cell, after)),
        }
    }
}

fn next_line(text: &str) -> &str {
    match text.split_once(['\r', '\n']) {
        Some((line, rest)) if text.get(line.len()..).is_some_and(|end| end.starts_with("\r\n")) => {
            rest.strip_prefix('\n').unwrap_or(rest)
        }
        Some((_, rest)) => rest,
        None => "",
    }
}

/// How many lines end in a text, whichever way.
fn line_ends(text: &str) -> usize {
    let returns = text.split('\r').skip(1).filter(|after| !after.starts_with('\n')).count();
    returns + text.matches('\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_no_formulas_and_come_back() {
        for (text, written) in [
            ("", ""),
            ("张三", "张三"),
            ("a;b", "a;b"),
            ("=1+1", "'=1+1"),
            ("'=1+1", "''=1+1"),
            ("'quoted'", "'quoted'"),
            ("-", "'-"),
            ("@x", "'@x"),
            ("+86", "'+86"),
            ("＝x", "'＝x"),
            ("\tx", "'\tx"),
            ("\rx", "\"'\rx\""),
            ("a,\"b", "\"a,\"\"b\""),
            (" a", "\" a\""),
        ] {
            assert_eq!(cell(text), written);
            let (cells, rest) = record(written, ',');
            let cells = cells.unwrap();
            assert_eq!((cells.len(), unguard(&cells[0]), rest), (1, text, ""));
        }
    }

    #[test]
    fn rows_end_in_many_ways() {
        for text in ["a,b\nc,d", "a,b\r\nc,d\r\n", "a,b\rc,d\r", "\"a\" , b\nc,\"d\""] {
            let (first, rest) = record(text, ',');
            let (second, end) = record(rest, ',');
            assert_eq!(
                (first.unwrap(), second.unwrap(), end),
                (vec!["a".into(), "b".into()], vec!["c".into(), "d".into()], "")
            );
        }
        assert_eq!([line_ends("a\nb\r\nc\rd"), line_ends("\r\r\n\n"), line_ends("")], [3, 3, 0]);
    }
}
