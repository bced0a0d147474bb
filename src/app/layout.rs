//! Which pane is where (design.md §7). Numbers only: the mind needs them to scroll, the face to draw.

use ratatui::layout::Rect;

use super::state::Pane;

/// The screen cut into panes. A pane that is not shown has no area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The status line.
    pub status: Rect,
    /// The accounts, with their heading or box.
    pub accounts: Rect,
    /// The login, or the account, with its heading or box.
    pub login: Rect,
    /// The events, with their rule or box.
    pub events: Rect,
    /// The key hints.
    pub hints: Rect,
    /// Whether panes have boxes.
    pub boxed: bool,
    /// Whether one pane is shown at a time.
    pub single: bool,
}

/// The smallest screen with two panes side by side.
const SPLIT: (u16, u16) = (60, 19);
/// The smallest screen with boxes.
const BOXED: (u16, u16) = (120, 40);
/// A version-3 code with the smallest useful quiet zone is this wide: what the right side keeps on narrow screens.
const CODE_COLUMNS: u16 = 33;

impl Layout {
    /// Cuts a screen; `focus` says which pane is shown where only one is.
    pub fn of(columns: u16, rows: u16, focus: Pane) -> Self {
        let none = Rect::default();
        let status_rows = u16::from(rows >= 4);
        let hint_rows = u16::from(rows >= 3);
        let status = Rect::new(0, 0, columns, status_rows);
        let hints = Rect::new(0, rows.saturating_sub(hint_rows), columns, hint_rows);
        let body = Rect::new(0, status_rows, columns, rows.saturating_sub(status_rows + hint_rows));
        if columns < SPLIT.0 || rows < SPLIT.1 {
            let mut layout =
                Self { status, accounts: none, login: none, events: none, hints, boxed: false, single: true };
            match focus {
                Pane::Accounts => layout.accounts = body,
                Pane::Login => layout.login = body,
                Pane::Events => layout.events = body,
            }
            return layout;
        }
        if columns >= BOXED.0 && rows >= BOXED.1 {
            let events_rows = 8;
            let top = body.height.saturating_sub(events_rows);
            let left = (columns / 2).min(72);
            return Self {
                status,
                accounts: Rect::new(0, body.y, left, top),
                login: Rect::new(left, body.y, columns.saturating_sub(left), top),
                events: Rect::new(0, body.y.saturating_add(top), columns, events_rows),
                hints,
                boxed: true,
                single: false,
            };
        }
        let left = if columns < 80 {
            columns.saturating_sub(CODE_COLUMNS + 1).min(42)
        } else {
            42_u16.saturating_add((columns - 80) / 2).min(60)
        };
        let events_rows = if body.height >= 22 { 7 } else { 4 };
        let top = body.height.saturating_sub(events_rows);
        Self {
            status,
            accounts: Rect::new(0, body.y, left, top),
            login: Rect::new(left + 1, body.y, columns.saturating_sub(left + 1), body.height),
            events: Rect::new(0, body.y.saturating_add(top), left, events_rows),
            hints,
            boxed: false,
            single: false,
        }
    }

    /// How many rows a pane has for what it lists.
    pub fn rows_in(&self, pane: Rect) -> usize {
        usize::from(pane.height.saturating_sub(if self.boxed { 2 } else { 1 }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_to_be_good_at() {
        let layout = Layout::of(80, 24, Pane::Accounts);
        assert_eq!(layout.status, Rect::new(0, 0, 80, 1));
        assert_eq!(layout.accounts, Rect::new(0, 1, 42, 15));
        assert_eq!(layout.rows_in(layout.accounts), 14);
        assert_eq!(layout.events, Rect::new(0, 16, 42, 7));
        assert_eq!(layout.rows_in(layout.events), 6);
        assert_eq!(layout.login, Rect::new(43, 1, 37, 22));
        assert_eq!(layout.hints, Rect::new(0, 23, 80, 1));
    }

    #[test]
    fn every_pane_is_on_the_screen() {
        for columns in 0..200 {
            for rows in 0..80 {
                for focus in [Pane::Accounts, Pane::Login, Pane::Events] {
                    let screen = Rect::new(0, 0, columns, rows);
                    let l = Layout::of(columns, rows, focus);
                    for pane in [l.status, l.accounts, l.login, l.events, l.hints] {
                        assert_eq!(screen.union(pane), screen, "{columns}x{rows} {pane:?}");
                    }
                }
            }
        }
    }
}
