//! The clipboard of the person's own machine, through the terminal (OSC 52): the only way that works over SSH.

use crossterm::Command as _;
use crossterm::clipboard::CopyToClipboard;

/// Longest text that is sent. xterm and tmux drop sequences a little longer than this in base64.
pub const LONGEST: usize = 70_000;

/// The bytes that copy `text`; `None` when it is too long to arrive.
pub fn copy(text: &str) -> Option<Vec<u8>> {
    if text.len() > LONGEST {
        return None;
    }
    let mut sequence = String::new();
    CopyToClipboard::to_clipboard_from(text).write_ansi(&mut sequence).ok()?;
    Some(sequence.into_bytes())
}
