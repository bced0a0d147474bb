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
    /// Where the cursor is (CPR), from 1; only while [`Reader::expect_answers`] holds.
    Position {
        /// Row.
        row: u16,
        /// Column.
        column: u16,
    },
    /// How many pixels a cell has; only while [`Reader::expect_answers`] holds, or after [`Reader::expect_pictures`].
    CellSize {
        /// Its width.
        width: u16,
        /// Its height.
        height: u16,
    },
    /// What kind of terminal it is (DA1); only after [`Reader::expect_pictures`].
    Attributes {
        /// Whether it draws sixel.
        sixel: bool,
    },
    /// Name and version of the terminal (XTVERSION); only after [`Reader::expect_pictures`].
    Version(String),
    /// What became of a picture in kitty's protocol; only after [`Reader::expect_pictures`].
    Graphics {
        /// The picture's number.
        id: u32,
        /// Whether all is well.
        ok: bool,
    },
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
    /// Answers of the terminal are told: something was asked.
    asked: bool,
    /// What is said of pictures is told.
    pictures: bool,
    /// Answers about pictures may still be on their way: the one that comes last has not come.
    due: bool,
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
            asked: false,
            pictures: false,
            due: false,
            last: Duration::ZERO,
            esc_told: None,
            found: Vec::new(),
        }
    }

    /// Whether answers of the terminal are told from now on. While they are, a lone ESC is held as on a slow line: it may
    /// be an answer's beginning, and its rest must not become keys.
    pub const fn expect_answers(&mut self, asked: bool) {
        self.asked = asked;
    }

    /// Pictures were asked about, in front of the cursor's place. What is said of them is told from now on, however late it
    /// comes: nothing else looks like it.
    pub const fn expect_pictures(&mut self) {
        self.pictures = true;
        self.due = true;
    }

    /// The line is slow: a lone ESC is held for longer from now on.
    pub fn be_patient(&mut self) {
        self.hold = self.hold.max(ESC_HOLD_SLOW);
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
            At::Esc if self.asked => Some(self.last + self.hold.max(ESC_HOLD_SLOW)),
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
            (At::Text, 0x18 | 0x1a) => self.ground(),
            (At::Text, 0x07) | (At::TextEsc, b'\\') => {
                let held = std::mem::take(&mut self.held);
                self.ground();
                if self.pictures && held.len() < LONGEST_SEQUENCE {
                    self.found.extend(told(&held));
                }
            }
            (At::Text, 0x03) | (At::Csi | At::Ss3, 0x00..=0x1a | 0x1c..=0x1f | 0x7f) => {
                // Not a part of any sequence: what was begun is broken, the control character is a key.
                self.ground();
                self.ground_byte(byte, now);
            }
            (At::Text, 0x1b) => self.at = At::TextEsc,
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
            (At::Text, _) | (At::Ss3, b'0'..=b'9' | b';') => self.hold_byte(byte),
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
            b'[' | b'O' | b'P' | b'_'
                if (self.due || matches!(byte, b'[' | b'O'))
                    && told.is_some_and(|told| now.saturating_sub(told) < TAIL) =>
            {
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
        if let Some(answer) = answer(sequence) {
            let place = matches!(answer, Input::Position { .. });
            self.due &= !place;
            if self.asked || (self.pictures && !place) {
                self.found.push(answer);
                return;
            }
        }
        if !may_be_key(sequence) {
            return;
        }
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

/// What an answer says: `ESC [ row ; column R`, `ESC [ 6 ; height ; width t` or `ESC [ ? kind ; attribute ; … c`.
fn answer(sequence: &[u8]) -> Option<Input> {
    let body = sequence.strip_prefix(b"\x1b[")?;
    let (last, numbers) = body.split_last()?;
    let kind = numbers.strip_prefix(b"?");
    let numbers = std::str::from_utf8(kind.unwrap_or(numbers)).ok()?;
    let numbers: Option<Vec<u16>> = numbers.split(';').map(|n| n.parse().ok()).collect();
    match (last, kind.is_some(), numbers?.as_slice()) {
        (b'R', false, &[row, column]) => Some(Input::Position { row, column }),
        (b't', false, &[6, height, width]) => Some(Input::CellSize { width, height }),
        (b'c', true, [_, attributes @ ..]) => Some(Input::Attributes { sixel: attributes.contains(&4) }),
        _ => None,
    }
}

/// What a string of the terminal's says: `ESC P > | name version` or `ESC _ G i = number ; words`, without their end.
fn told(string: &[u8]) -> Option<Input> {
    if let Some(name) = string.strip_prefix(b"\x1bP>|") {
        return Some(Input::Version(String::from_utf8_lossy(name).into_owned()));
    }
    let (keys, words) = std::str::from_utf8(string.strip_prefix(b"\x1b_G")?).ok()?.split_once(';')?;
    let id = keys.split(',').find_map(|key| key.strip_prefix("i="))?.parse().ok()?;
    Some(Input::Graphics { id, ok: words == "OK" })
}

/// Whether termina may see it: it gives up a sequence at the first byte that it does not know and takes the rest for
/// letters. Keys have plain numbers in front of their last byte.
fn may_be_key(sequence: &[u8]) -> bool {
    match sequence {
        [0x1b, b'[', b'[', _] => true,
        [0x1b, b'[', first, rest @ .., _] => {
            first.is_ascii_digit() && rest.iter().all(|byte| matches!(byte, b'0'..=b'9' | b';' | b':'))
        }
        [0x1b, b'O', rest @ ..] => rest.len() <= 1,
        _ => true,
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

#[cfg(test)]
mod tests {
    use crate::property::cases;
    use proptest::prelude::*;

    use super::*;

    const fn plain(code: KeyCode) -> Key {
        Key { code, ctrl: false, alt: false, shift: false }
    }

    /// Sequences and what they mean; `None` for what is no key.
    fn table() -> Vec<(&'static [u8], Option<Key>)> {
        let ctrl = |c| Some(Key { ctrl: true, ..plain(KeyCode::Char(c)) });
        let some = |code| Some(plain(code));
        vec![
            (b"j", some(KeyCode::Char('j'))),
            (b"S", some(KeyCode::Char('S'))),
            ("é".as_bytes(), some(KeyCode::Char('é'))),
            ("扫".as_bytes(), some(KeyCode::Char('扫'))),
            ("🙂".as_bytes(), some(KeyCode::Char('🙂'))),
            (b"\r", some(KeyCode::Enter)),
            (b"\t", some(KeyCode::Tab)),
            (b"\x7f", some(KeyCode::Backspace)),
            (b"\x08", some(KeyCode::Backspace)),
            (b"\x03", ctrl('c')),
            (b"\x0c", ctrl('l')),
            (b"\x1a", ctrl('z')),
            (b"\x1b[A", some(KeyCode::Up)),
            (b"\x1b[B", some(KeyCode::Down)),
            (b"\x1bOA", some(KeyCode::Up)),
            (b"\x1bOH", some(KeyCode::Home)),
            (b"\x1bOP", some(KeyCode::F(1))),
            (b"\x1b[[A", some(KeyCode::F(1))),
            (b"\x1b[15~", some(KeyCode::F(5))),
            (b"\x1b[24~", some(KeyCode::F(12))),
            (b"\x1b[1~", some(KeyCode::Home)),
            (b"\x1b[3~", some(KeyCode::Delete)),
            (b"\x1b[5~", some(KeyCode::PageUp)),
            (b"\x1b[6~", some(KeyCode::PageDown)),
            (b"\x1b[Z", Some(Key { shift: true, ..plain(KeyCode::Tab) })),
            (b"\x1b[1;5C", Some(Key { ctrl: true, ..plain(KeyCode::Right) })),
            (b"\x1b[1;2A", Some(Key { shift: true, ..plain(KeyCode::Up) })),
            (b"\x1bx", Some(Key { alt: true, ..plain(KeyCode::Char('x')) })),
            ("\x1b扫".as_bytes(), Some(Key { alt: true, ..plain(KeyCode::Char('扫')) })),
            // Answers and reports that nobody asked for.
            (b"\x1b[24;80R", None),
            (b"\x1b[?62;22c", None),
            (b"\x1b[?2026;2$y", None),
            (b"\x1b[>0;276;0c", None),
            (b"\x1b[?1u", None),
            (b"\x1b[I", None),
            (b"\x1b[<0;12;3M", None),
            (b"\x1b[M !!", None),
            (b"\x1b[=1;2;3jjj"[..9].as_ref(), None),
            (b"\x1b]11;rgb:1e1e/1e1e/2e2e\x1b\\", None),
            (b"\x1b]52;c;c2FvbWE=\x07", None),
            (b"\x1bP1+r544e=787465726d\x1b\\", None),
            (b"\x1bP>|tmux 3.4\x1b\\", None),
            (b"\x1b_Gi=1;OK\x1b\\", None),
            (b"\x1b[99;99~", None),
            (b"\x1bOz", None),
            (b"\x1b[5$", None),
        ]
    }

    /// Feeds `pieces` with `gap` between them, lets everything held run out.
    fn run(hold: Duration, pieces: &[&[u8]], gap: Duration) -> Vec<Input> {
        let mut reader = Reader::new(hold);
        let mut now = Duration::from_secs(5);
        let mut found = Vec::new();
        for piece in pieces {
            found.extend(reader.feed(piece, now));
            let next = now + gap;
            while let Some(deadline) = reader.deadline().filter(|deadline| *deadline <= next) {
                found.extend(reader.expire(deadline));
            }
            now = next;
        }
        while let Some(deadline) = reader.deadline() {
            found.extend(reader.expire(deadline));
        }
        found
    }

    fn wanted(key: Option<Key>) -> Vec<Input> {
        key.into_iter().map(Input::Key).collect()
    }

    #[test]
    fn every_sequence_is_one_key_wherever_a_slow_line_cuts_it() {
        for (bytes, key) in table() {
            for gap in [0, 1, 59, 150] {
                let gap = Duration::from_millis(gap);
                for cut in 1..bytes.len() {
                    let (head, tail) = bytes.split_at(cut);
                    assert_eq!(run(ESC_HOLD_SLOW, &[head, tail], gap), wanted(key), "{bytes:?} cut at {cut}, {gap:?}");
                }
                let single: Vec<&[u8]> = bytes.chunks(1).collect();
                assert_eq!(run(ESC_HOLD_SLOW, &single, gap), wanted(key), "{bytes:?} byte by byte, {gap:?}");
            }
        }
    }

    #[test]
    fn on_a_fast_line_a_late_rest_of_a_sequence_is_still_no_letter() {
        for (bytes, key) in table() {
            if !bytes.starts_with(b"\x1b[") && !bytes.starts_with(b"\x1bO") {
                continue;
            }
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            let mut want = vec![Input::Key(plain(KeyCode::Esc))];
            want.extend(wanted(key));
            assert_eq!(run(ESC_HOLD, &single, Duration::from_millis(150)), want, "{bytes:?}");
        }
    }

    #[test]
    fn a_line_that_has_split_a_key_once_is_waited_for_longer() {
        let mut reader = Reader::new(ESC_HOLD);
        let ms = Duration::from_millis;
        assert_eq!(reader.feed(b"\x1b", ms(0)), []);
        assert_eq!(reader.expire(ms(60)), [Input::Key(plain(KeyCode::Esc))]);
        assert_eq!(reader.feed(b"[A", ms(150)), [Input::Key(plain(KeyCode::Up))]);
        assert_eq!(reader.feed(b"\x1b", ms(1000)), []);
        assert_eq!(reader.expire(ms(1199)), []);
        assert_eq!(reader.feed(b"[B", ms(1199)), [Input::Key(plain(KeyCode::Down))]);
    }

    #[test]
    fn a_lone_escape_is_a_key_after_its_time() {
        for hold in [ESC_HOLD, ESC_HOLD_SLOW] {
            let mut reader = Reader::new(hold);
            assert_eq!(reader.feed(b"\x1b", Duration::ZERO), []);
            assert_eq!(reader.deadline(), Some(hold));
            assert_eq!(reader.expire(hold - Duration::from_millis(1)), []);
            assert_eq!(reader.expire(hold), [Input::Key(plain(KeyCode::Esc))]);
            assert_eq!(reader.deadline(), None);
        }
        let two = [Input::Key(plain(KeyCode::Esc)), Input::Key(plain(KeyCode::Esc))];
        assert_eq!(run(ESC_HOLD, &[b"\x1b\x1b"], Duration::ZERO), two);
    }

    #[test]
    fn a_bracket_typed_long_after_escape_is_a_bracket() {
        let keys = [Input::Key(plain(KeyCode::Esc)), Input::Key(plain(KeyCode::Char('[')))];
        assert_eq!(run(ESC_HOLD, &[b"\x1b", b"["], Duration::from_millis(400)), keys);
    }

    #[test]
    fn a_paste_is_one_piece_wherever_it_is_cut_and_never_keys() {
        let text = "q\r\nS 扫码\rx\x1b[A\x03";
        let bytes = [PASTE_BEGIN, text.as_bytes(), PASTE_END].concat();
        let want = vec![Input::Paste("q\nS 扫码\nx\x1b[A\x03".to_owned())];
        for cut in 1..bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            assert_eq!(run(ESC_HOLD_SLOW, &[head, tail], Duration::from_millis(150)), want, "cut at {cut}");
        }
    }

    #[test]
    fn a_paste_of_any_size_is_cut_at_the_limit() {
        for size in [LONGEST_PASTE - 1, LONGEST_PASTE, LONGEST_PASTE + 1, LONGEST_PASTE + 31, 3 * LONGEST_PASTE + 7] {
            let text = "扫".repeat(size / 3 + 1);
            let bytes = [PASTE_BEGIN, text.as_bytes(), PASTE_END, b"j"].concat();
            let pieces: Vec<&[u8]> = bytes.chunks(4096).collect();
            let found = run(ESC_HOLD, &pieces, Duration::ZERO);
            let [Input::Paste(paste), Input::Key(after)] = found.as_slice() else { panic!("{}", found.len()) };
            assert_eq!(*after, plain(KeyCode::Char('j')));
            assert!(text.starts_with(paste.as_str()) && paste.len() <= LONGEST_PASTE);
            assert!(paste.len() + 3 > text.len().min(LONGEST_PASTE), "{} of {}", paste.len(), text.len());
        }
    }

    #[test]
    fn ctrl_c_typed_into_the_silence_ends_a_paste_that_lost_its_end() {
        let mut reader = Reader::new(ESC_HOLD);
        assert_eq!(reader.feed(b"\x1b[200~rm -rf", Duration::ZERO), []);
        assert_eq!(reader.deadline(), None);
        assert_eq!(
            reader.feed(b"\x03", Duration::from_secs(9)),
            [Input::Key(Key { ctrl: true, ..plain(KeyCode::Char('c')) })]
        );
        assert_eq!(reader.feed(b"j", Duration::from_secs(9)), [Input::Key(plain(KeyCode::Char('j')))]);
    }

    #[test]
    fn a_sequence_that_never_ends_lets_the_keyboard_go() {
        for begun in [b"\x1b]11;rgb".as_slice(), b"\x1b[12;", b"\x1bP", b"\xe6\x89", b"\x1b[M!"] {
            let found = run(ESC_HOLD, &[begun, b"j"], Duration::from_secs(2));
            assert_eq!(found, [Input::Key(plain(KeyCode::Char('j')))], "{begun:?}");
        }
    }

    /// Feeds pieces to a reader that expects answers.
    fn run_asked(asked: bool, pieces: &[&[u8]], gap: Duration) -> Vec<Input> {
        let mut reader = Reader::new(ESC_HOLD);
        reader.expect_answers(asked);
        let mut now = Duration::ZERO;
        let mut found = Vec::new();
        for piece in pieces {
            found.extend(reader.feed(piece, now));
            now += gap;
            found.extend(reader.expire(now));
        }
        found.extend(reader.expire(now + PATIENCE));
        found
    }

    #[test]
    fn an_answer_is_told_only_when_asked_for_and_is_no_key_wherever_it_is_cut() {
        let answers: [(&[u8], Input); 2] = [
            (b"\x1b[2;3R", Input::Position { row: 2, column: 3 }),
            (b"\x1b[6;18;9t", Input::CellSize { width: 9, height: 18 }),
        ];
        for (bytes, told) in answers {
            for cut in 0..bytes.len() {
                let (head, tail) = bytes.split_at(cut);
                let tail = [tail, b"j"].concat();
                let pieces = [head, tail.as_slice()];
                let gap = Duration::from_millis(150);
                let key = Input::Key(plain(KeyCode::Char('j')));
                assert_eq!(run_asked(true, &pieces, gap), [told.clone(), key.clone()], "cut at {cut}");
                // Late: nobody asks any more.
                assert_eq!(run(ESC_HOLD_SLOW, &pieces, gap), [key], "cut at {cut}");
            }
        }
        // Keys stay keys meanwhile.
        assert_eq!(run_asked(true, &[b"\x1b[A"], Duration::ZERO), [Input::Key(plain(KeyCode::Up))]);
        assert_eq!(run_asked(true, &[b"\x1b"], Duration::ZERO), [Input::Key(plain(KeyCode::Esc))]);
    }

    /// What a terminal answers when it was asked about pictures.
    fn answers_about_pictures() -> Vec<(&'static [u8], Input)> {
        let version = |name: &str| Input::Version(name.to_owned());
        vec![
            (b"\x1bP>|kitty(0.26.5)\x1b\\", version("kitty(0.26.5)")),
            (b"\x1bP>|iTerm2 3.5.4\x07", version("iTerm2 3.5.4")),
            (b"\x1b_Gi=31;OK\x1b\\", Input::Graphics { id: 31, ok: true }),
            (b"\x1b_Gi=23050,p=1;ENOSPC:q\x1b\\", Input::Graphics { id: 23050, ok: false }),
            (b"\x1b[?63;1;2;4;6;9;15;22c", Input::Attributes { sixel: true }),
            (b"\x1b[?62;22c", Input::Attributes { sixel: false }),
            (b"\x1b[?4c", Input::Attributes { sixel: false }),
            (b"\x1b[6;18;9t", Input::CellSize { width: 9, height: 18 }),
        ]
    }

    #[test]
    fn answers_about_pictures_are_told_and_are_no_keys_wherever_they_are_cut() {
        for (bytes, told) in answers_about_pictures() {
            // Over SSH, and on a line that has not been seen to split anything: whoever asked is patient.
            for hold in [ESC_HOLD, ESC_HOLD_SLOW] {
                for asked in [true, false] {
                    for cut in 0..=bytes.len() {
                        let mut reader = Reader::new(hold);
                        reader.expect_answers(asked);
                        reader.expect_pictures();
                        let (head, tail) = bytes.split_at(cut);
                        let mut found = reader.feed(head, Duration::ZERO);
                        found.extend(reader.expire(Duration::from_millis(150)));
                        found.extend(reader.feed(tail, Duration::from_millis(150)));
                        found.extend(reader.feed(b"j", Duration::from_millis(150)));
                        // Only a lone Esc on a fast line, nothing being asked any more, may be told as the key it may be.
                        found.retain(|input| *input != Input::Key(plain(KeyCode::Esc)) || asked);
                        let key = Input::Key(plain(KeyCode::Char('j')));
                        assert_eq!(found, [told.clone(), key], "{bytes:?} cut at {cut}, {hold:?}, {asked}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_only_looks_like_an_answer_about_pictures_is_swallowed() {
        let long = [b"\x1bP>|".as_slice(), &[b'q'; 300], b"\x1b\\"].concat();
        let cut = [b"\x1bP>|kitty".as_slice(), b"\x18"].concat();
        for bytes in [
            long.as_slice(),
            &cut,
            b"\x1b_Gi=x;OK\x1b\\",
            b"\x1b_Gq;OK\x1b\\",
            b"\x1b_q\x1b\\",
            b"\x1bP1+r544e\x1b\\",
            b"\x1b[?1;-4c",
            b"\x1b[6;99999;9t",
            b"\x1b]1337;q\x07",
        ] {
            let mut reader = Reader::new(ESC_HOLD);
            reader.expect_pictures();
            let found = reader.feed(&[bytes, b"j"].concat(), Duration::ZERO);
            assert_eq!(found, [Input::Key(plain(KeyCode::Char('j')))], "{bytes:?}");
        }
        // Once the last answer is there, a P typed after Esc is a P again.
        let mut reader = Reader::new(ESC_HOLD);
        reader.expect_pictures();
        reader.feed(b"\x1b[2;2R\x1b", Duration::ZERO);
        let ms = Duration::from_millis;
        assert_eq!(reader.expire(ms(60)), [Input::Key(plain(KeyCode::Esc))]);
        assert_eq!(reader.feed(b"P", ms(70)), [Input::Key(plain(KeyCode::Char('P')))]);
    }

    proptest! {
        #![proptest_config(cases(256))]

        #[test]
        fn answers_and_keys_may_be_cut_and_mixed(
            which in proptest::collection::vec((any::<bool>(), 0..64_usize), 1..12),
            cuts in proptest::collection::vec(1_usize..7, 1..40),
        ) {
            let (keys, answers) = (table(), answers_about_pictures());
            let keys: Vec<_> = keys.into_iter().filter(|(_, key)| key.is_some()).collect();
            let mut bytes = Vec::new();
            let mut want = Vec::new();
            for (is_answer, at) in which {
                if is_answer {
                    let (one, told) = &answers[at % answers.len()];
                    bytes.extend_from_slice(one);
                    want.push(told.clone());
                } else {
                    let (one, key) = &keys[at % keys.len()];
                    bytes.extend_from_slice(one);
                    want.extend(wanted(*key));
                }
            }
            let mut reader = Reader::new(ESC_HOLD_SLOW);
            reader.expect_pictures();
            let (mut found, mut now, mut rest) = (Vec::new(), Duration::ZERO, bytes.as_slice());
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (head, tail) = rest.split_at((*cut).min(rest.len()));
                found.extend(reader.feed(head, now));
                now += Duration::from_millis(20);
                found.extend(reader.expire(now));
                rest = tail;
            }
            prop_assert_eq!(found, want);
        }

        #[test]
        fn cutting_changes_nothing(which in proptest::collection::vec(0..table().len(), 1..20), cuts in proptest::collection::vec(1_usize..7, 1..40)) {
            let table = table();
            let bytes: Vec<u8> = which.iter().flat_map(|i| table[*i].0.to_vec()).collect();
            let want: Vec<Input> = which.iter().filter_map(|i| table[*i].1).map(Input::Key).collect();
            let mut pieces = Vec::new();
            let mut rest = bytes.as_slice();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (head, tail) = rest.split_at((*cut).min(rest.len()));
                pieces.push(head);
                rest = tail;
            }
            prop_assert_eq!(run(ESC_HOLD_SLOW, &pieces, Duration::from_millis(20)), want);
        }

        #[test]
        fn nothing_makes_it_panic_or_hold_for_ever(bytes in proptest::collection::vec(any::<u8>(), 0..400), gap in 0_u64..3000) {
            let pieces: Vec<&[u8]> = bytes.chunks(3).collect();
            let _keys = run(ESC_HOLD, &pieces, Duration::from_millis(gap));
        }
    }
}
