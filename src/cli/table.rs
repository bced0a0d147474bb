//! Tables for people: columns aligned by display width, no rules, no colour.

use crate::model::text::{clean, cut, fit, width};

/// A column is never wider than this; a name of escape sequences or poetry must not push the rest away.
const MAX_COLUMN: usize = 40;

/// Lays rows out under their heads. Cells are cleaned; the last column is not padded.
pub fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| cut(&clean(cell), MAX_COLUMN).into_owned()).collect()).collect();
    let widths: Vec<usize> = heads
        .iter()
        .enumerate()
        .map(|(at, head)| {
            rows.iter().filter_map(|row| row.get(at)).map(|cell| width(cell)).max().unwrap_or(0).max(width(head))
        })
        .collect();
    let mut out = String::new();
    let mut lay = |cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::new();
        for (cell, columns) in cells.zip(&widths) {
            line.push_str(&fit(cell, *columns));
            line.push_str("  ");
        }
        out.push_str(line.trim_end());
        out.push('\n');
    };
    lay(&mut heads.iter().copied());
    for row in &rows {
        lay(&mut row.iter().map(String::as_str));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_width() {
        let rows = vec![
            vec!["张三".to_owned(), "online".to_owned(), "a".to_owned()],
            vec!["\u{1b}[31mBo".to_owned(), "x".to_owned(), String::new()],
        ];
        assert_eq!(table(&["NAME", "IS", "END"], &rows), "NAME  IS      END\n张三  online  a\nBo    x\n");
    }
}
