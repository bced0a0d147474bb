//! A one-line text field: keys and pastes into a tui-input value.

use tui_input::{Input, InputRequest};

use crate::action::{Key, KeyCode};
use crate::model::text::{clean, typed};

/// No field takes more than this many characters.
const LONGEST: usize = 512;

/// A one-line text field. Its text is never in `Debug`: some fields hold secrets.
#[derive(Clone, Default)]
pub struct Field {
    input: Input,
}

impl std::fmt::Debug for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Field({} characters)", self.text().chars().count())
    }
}

impl Field {
    /// A field that holds `text`, the cursor behind it.
    pub fn new(text: &str) -> Self {
        Self { input: Input::new(text.to_owned()) }
    }

    /// What it holds.
    pub fn text(&self) -> &str {
        self.input.value()
    }

    /// The text before the cursor and from the cursor on.
    pub fn halves(&self) -> (&str, &str) {
        let text = self.text();
        let at = text.char_indices().nth(self.input.cursor()).map_or(text.len(), |(at, _)| at);
        text.split_at_checked(at).unwrap_or((text, ""))
    }

    /// Takes a key that edits; false when the key is none of a field's.
    pub fn key(&mut self, key: Key) -> bool {
        let request = match (key.code, key.ctrl, key.alt) {
            (KeyCode::Char(c), false, false) if !c.is_control() => {
                if self.text().chars().count() >= LONGEST {
                    return true;
                }
                InputRequest::InsertChar(c)
            }
            (KeyCode::Backspace, false, false) => InputRequest::DeletePrevChar,
            (KeyCode::Backspace, _, true) | (KeyCode::Char('w'), true, false) => InputRequest::DeletePrevWord,
            (KeyCode::Delete, ..) => InputRequest::DeleteNextChar,
            (KeyCode::Left, true, _) => InputRequest::GoToPrevWord,
            (KeyCode::Right, true, _) => InputRequest::GoToNextWord,
            (KeyCode::Left, ..) => InputRequest::GoToPrevChar,
            (KeyCode::Right, ..) => InputRequest::GoToNextChar,
            (KeyCode::Home, ..) | (KeyCode::Char('a'), true, false) => InputRequest::GoToStart,
            (KeyCode::End, ..) | (KeyCode::Char('e'), true, false) => InputRequest::GoToEnd,
            (KeyCode::Char('u'), true, false) => InputRequest::DeleteFromStart,
            (KeyCode::Char('k'), true, false) => InputRequest::DeleteTillEnd,
            _ => return false,
        };
        self.input.handle(request);
        true
    }

    /// Takes a paste: its controls and line breaks are left out.
    pub fn paste(&mut self, text: &str) {
        let room = LONGEST.saturating_sub(self.text().chars().count());
        for c in clean(&typed(text.trim())).chars().take(room) {
            self.input.handle(InputRequest::InsertChar(c));
        }
    }
}
