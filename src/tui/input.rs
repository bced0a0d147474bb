//! Bytes from the terminal in, keys and pastes out.
//!
//! A slow line may cut a key's escape sequence anywhere, so this cuts the stream into whole sequences first and lets
//! termina's parser read each of them. What is no key (answers of the terminal, mouse reports, unknown sequences) is
//! swallowed whole: its letters must never be taken for keys.

use std::time::Duration;

use termina::event::{Event, KeyCode as Code, KeyEventKind, Modifiers};

use crate::action::{Key, KeyCode};

/// How long a lone ESC is held back, because an arrow key begins with one too (design.md §7).
pub const ESC_HOLD: Duration = Duration::from_millis(60);
/// The same where the line is slow: over SSH, or where it has been seen to split a key.
pub const ESC_HOLD_SLOW: Duration = Duration::from_millis(200);
/// For so long after an Esc, the rest of a sequence that was split right behind its ESC is still known as such.
const TAIL: Duration = Duration::from_millis(250);
/// A sequence that was begun is waited for as long, counted from its last byte.
const PATIENCE: Duration = Duration::from_secs(1);
/// Longest sequence that is kept for reading; longer ones are swallowed.
const LONGEST_SEQUENCE: usize = 256;
/// Most bytes of a paste that are kept, the rest is dropped.
pub const LONGEST_PASTE: usize = 64 * 1024;

const PASTE_BEGIN: &[u8] = b"\x1b[200~";
const PASTE_END: &[u8] = b"\x1b[201~";

/// What came from the keyboard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A key press.
    Key(Key),
    /// A whole bracketed paste, at most [`LONGEST_PASTE`] bytes, lines ended by `\n`.
    Paste(String),
}

/// Where in the stream we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Between sequences.
    Ground,
    /// After a lone ESC.
    Esc,
    /// In `ESC O …`.
    Ss3,
    /// In `ESC [ …`.
    Csi,
    /// In the three bytes after `ESC [ M`.
    Mouse,
    /// In a string of the terminal's (OSC, DCS, APC, PM, SOS).
    Text,
    /// After an ESC in such a string.
    TextEsc,
    /// In a character of several bytes.
    Char,
    /// In a bracketed paste.
    Paste,
}

/// Cuts the stream into sequences. Time comes in as an argument, counted from any fixed start.
#[derive(Debug)]
pub struct Reader {
    at: At,
    /// The sequence so far, from its ESC on.
    held: Vec<u8>,
    paste: Vec<u8>,
    hold: Duration,
    /// When the last bytes came.
    last: Duration,
    /// When a lone ESC was taken for the key.
    esc_told: Option<Duration>,
    found: Vec<Input>,
}

impl Reader {
    /// `hold` says how long a lone ESC is held: [`ESC_HOLD`] or [`ESC_HOLD_SLOW`].
    pub const fn new(hold: Duration) -> Self {
        Self {
            at: At::Ground,
            held: Vec::new(),
            paste: Vec::new(),
            hold,
            last: Duration::ZERO,
            esc_told: None,
            found: Vec::new(),
        }
    }

    /// Takes bytes that were read at `now`; gives the keys and pastes that are complete.
    pub fn feed(&mut self, bytes: &[u8], now: Duration) -> Vec<Input> {
        if self.at == At::Paste && bytes == [3] && now.saturating_sub(self.last) >= PATIENCE {
            // A paste whose end got lost would hold the keyboard for ever: Ctrl-C typed into the silence ends it.
            self.paste.clear();
            self.at = At::Ground;
        }
        for byte in bytes {
            self.byte(*byte, now);
        }
        self.last = now;
        std::mem::take(&mut self.found)
    }

    /// When [`Reader::expire`] has to be called if nothing comes before; `None` when nothing is held back.
    pub fn deadline(&self) -> Option<Duration> {
        match self.at {
            At::Ground | At::Paste => None,
            At::Esc => Some(self.last + self.hold),
            At::Ss3 | At::Csi | At::Mouse | At::Text | At::TextEsc | At::Char => Some(self.last + PATIENCE),
        }
    }

    /// Decides what is held back once its time is over. Read what there is to read before.
    pub fn expire(&mut self, now: Duration) -> Vec<Input> {
        if self.deadline().is_some_and(|deadline| now >= deadline) {
            match self.at {
                At::Esc => {
                    self.esc_told = Some(now);
                    self.tell(Key { code: KeyCode::Esc, ctrl: false, alt: false, shift: false });
                }
                // Alt-O and Alt-[ begin like sequences.
                At::Ss3 | At::Csi if self.held.len() == 2 => {
                    let held = std::mem::take(&mut self.held);
                    self.read(&held);
                }
                _ => {}
            }
            self.ground();
        }
        std::mem::take(&mut self.found)
    }

    fn ground(&mut self) {
        self.held.clear();
        self.at = At::Ground;
    }

    fn hold_byte(&mut self, byte: u8) {
        if self.held.len() < LONGEST_SEQUENCE {
            self.held.push(byte);
        }
    }

    fn byte(&mut self, byte: u8, now: Duration) {
        match (self.at, byte) {
            (At::Paste, _) => self.paste_byte(byte),
            (At::Mouse, _) => {
                self.hold_byte(byte);
                if self.held.len() >= 6 {
                    self.ground();
                }
            }
            (At::Text, 0x07 | 0x18 | 0x1a) | (At::TextEsc, b'\\') => self.ground(),
            (At::Text, 0x03) | (At::Csi | At::Ss3, 0x00..=0x1a | 0x1c..=0x1f | 0x7f) => {
                // Not a part of any sequence: what was begun is broken, the control character is a key.
                self.ground();
                self.ground_byte(byte, now);
            }
            (At::Text, 0x1b) => self.at = At::TextEsc,
            (At::Text, _) => {}
            (At::TextEsc, 0x1b) | (At::Csi | At::Ss3 | At::Char, 0x1b) => self.begin_esc(),
            (At::TextEsc, _) => {
                self.begin_esc();
                self.byte(byte, now);
            }
            (At::Esc, 0x1b) => {
                self.tell(Key { code: KeyCode::Esc, ctrl: false, alt: false, shift: false });
                self.begin_esc();
            }
            (At::Esc, b'[') => self.go(At::Csi, byte),
            (At::Esc, b'O') => self.go(At::Ss3, byte),
            (At::Esc, b']' | b'P' | b'_' | b'^' | b'X') => self.go(At::Text, byte),
            (At::Esc, 0x80..) => self.go(At::Char, byte),
            (At::Ss3, b'0'..=b'9' | b';') => self.hold_byte(byte),
            (At::Esc | At::Ss3, _) => self.finish(byte),
            (At::Csi, _) => self.csi_byte(byte),
            (At::Char, 0x80..=0xbf) => {
                self.hold_byte(byte);
                let escape = usize::from(self.held.first() == Some(&0x1b));
                let needed = match self.held.get(escape) {
                    Some(0xc2..=0xdf) => 2,
                    Some(0xe0..=0xef) => 3,
                    Some(0xf0..=0xf4) => 4,
                    _ => 0,
                };
                if self.held.len() >= needed + escape {
                    let held = std::mem::take(&mut self.held);
                    self.ground();
                    self.read(&held);
                }
            }
            (At::Char, _) => {
                self.ground();
                self.ground_byte(byte, now);
            }
            (At::Ground, _) => self.ground_byte(byte, now),
        }
    }

    fn ground_byte(&mut self, byte: u8, now: Duration) {
        let told = self.esc_told.take();
        match byte {
            0x1b => self.begin_esc(),
            b'[' | b'O' if told.is_some_and(|told| now.saturating_sub(told) < TAIL) => {
                // The ESC that was just told as a key was the beginning of this: the line splits keys, be more patient.
                self.hold = self.hold.max(ESC_HOLD_SLOW);
                self.begin_esc();
                self.byte(byte, now);
            }
            0xc2..=0xf4 => self.go(At::Char, byte),
            0x80.. => {}
            _ => self.read(&[byte]),
        }
    }

    fn begin_esc(&mut self) {
        self.held.clear();
        self.go(At::Esc, 0x1b);
    }

    fn go(&mut self, at: At, byte: u8) {
        self.hold_byte(byte);
        self.at = at;
    }

    /// The sequence is complete with this byte.
    fn finish(&mut self, byte: u8) {
        self.hold_byte(byte);
        let held = std::mem::take(&mut self.held);
        self.ground();
        if held == PASTE_BEGIN {
            self.at = At::Paste;
        } else if held.len() < LONGEST_SEQUENCE {
            self.read(&held);
        }
    }

    fn csi_byte(&mut self, byte: u8) {
        let linux_function_key = self.held == b"\x1b[[";
        match byte {
            // The Linux console's F1 to F5 are `ESC [ [ A` to `E`.
            b'[' if self.held.len() == 2 => self.hold_byte(byte),
            _ if linux_function_key => self.finish(byte),
            b'M' if self.held.len() == 2 => self.go(At::Mouse, byte),
            // rxvt ends Shift-PgUp and its like with `$`, which elsewhere stands before the last byte of an answer.
            b'$' if !self.held.contains(&b'?') => self.finish(byte),
            0x40..=0x7e => self.finish(byte),
            0x20..=0x3f => self.hold_byte(byte),
            // Not a part of any sequence.
            _ => self.ground(),
        }
    }

    fn paste_byte(&mut self, byte: u8) {
        self.paste.push(byte);
        if self.paste.ends_with(PASTE_END) {
            self.paste.truncate(self.paste.len() - PASTE_END.len());
            self.paste.truncate(LONGEST_PASTE);
            let text = String::from_utf8_lossy(&self.paste);
            // A character that the limit cut in two.
            let text = text.trim_end_matches(char::REPLACEMENT_CHARACTER);
            self.found.push(Input::Paste(text.replace("\r\n", "\n").replace('\r', "\n")));
            self.paste = Vec::new();
            self.ground();
        } else if self.paste.len() > LONGEST_PASTE + 4 * PASTE_END.len() {
            // Too long: keep the beginning, and of the rest enough to know its end by.
            let tail = self.paste.split_off(self.paste.len() - PASTE_END.len());
            self.paste.truncate(LONGEST_PASTE);
            self.paste.resize(LONGEST_PASTE + PASTE_END.len(), b' ');
            self.paste.extend(tail);
        }
    }

    /// Lets termina read one whole sequence.
    fn read(&mut self, sequence: &[u8]) {
        let mut parser = termina::Parser::default();
        parser.parse(sequence, false);
        while let Some(event) = parser.pop() {
            if let Event::Key(event) = event
                && event.kind != KeyEventKind::Release
                && let Some(key) = key(event.code, event.modifiers)
            {
                self.tell(key);
            }
        }
    }

    fn tell(&mut self, key: Key) {
        self.found.push(Input::Key(key));
    }
}

/// termina's key as ours; `None` for keys that nothing can be bound to.
fn key(code: Code, modifiers: Modifiers) -> Option<Key> {
    if modifiers.intersects(Modifiers::SUPER | Modifiers::HYPER | Modifiers::META) {
        return None;
    }
    let ctrl = modifiers.contains(Modifiers::CONTROL);
    let mut shift = modifiers.contains(Modifiers::SHIFT);
    let code = match code {
        // Ctrl-H is what many terminals send for Backspace.
        Code::Char('h') if ctrl => {
            return Some(Key { code: KeyCode::Backspace, ctrl: false, alt: false, shift: false });
        }
        Code::Char(char) => {
            let upper = shift && !ctrl;
            shift = false;
            KeyCode::Char(match (upper, ctrl) {
                (true, _) => single(char, char.to_uppercase()),
                (_, true) => single(char, char.to_lowercase()),
                _ => char,
            })
        }
        Code::Enter => KeyCode::Enter,
        Code::Escape => KeyCode::Esc,
        Code::Backspace => KeyCode::Backspace,
        Code::Tab => KeyCode::Tab,
        Code::BackTab => {
            shift = true;
            KeyCode::Tab
        }
        Code::Up => KeyCode::Up,
        Code::Down => KeyCode::Down,
        Code::Left => KeyCode::Left,
        Code::Right => KeyCode::Right,
        Code::Home => KeyCode::Home,
        Code::End => KeyCode::End,
        Code::PageUp => KeyCode::PageUp,
        Code::PageDown => KeyCode::PageDown,
        Code::Delete => KeyCode::Delete,
        Code::Insert => KeyCode::Insert,
        Code::Function(number @ 1..=12) => KeyCode::F(number),
        _ => return None,
    };
    Some(Key { code, ctrl, alt: modifiers.contains(Modifiers::ALT), shift })
}

/// The one character that changing case gave, or the old one where it gave several.
fn single(old: char, mut new: impl ExactSizeIterator<Item = char>) -> char {
    if new.len() == 1 { new.next().unwrap_or(old) } else { old }
}
