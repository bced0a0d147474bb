//! How wide is ▄? Only the terminal knows: print one, ask where the cursor is, wipe it away (qr.md §3c).
//!
//! The question goes out in one write with the first frame, so the start never waits for the answer; one that does not
//! come in time is not waited for. No other key or answer looks like this one: it names the second row.

use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{OptionalActions, isatty, tcgetattr, tcsetattr};

use super::capabilities::{is_dumb, of_process};
use super::input::{ESC_HOLD_SLOW, Input, Reader};
use crate::app::{Capabilities, Multiplexer};

/// An answer that comes later is no answer: ▄ is taken as narrow.
pub const WAIT: Duration = Duration::from_millis(300);

/// For a cleared screen with default colours: ▄ at the second row's beginning, where is the cursor, wipe, to the corner.
const QUESTION: &[u8] = "\x1b[2H▄\x1b[6n\x1b[2H\x1b[K\x1b[H".as_bytes();
/// How many pixels has a cell?
const CELL_QUESTION: &[u8] = b"\x1b[16t";
/// On a line of its own in a terminal that is not ours alone: the same without going anywhere else.
const INLINE_QUESTION: &[u8] = "\r▄\x1b[6n\r\x1b[K".as_bytes();

/// What to ask a cleared screen; nothing where no answer is to be expected, or none to be trusted.
pub fn question(known: &Capabilities, term: &str) -> Vec<u8> {
    if !is_worth_asking(known, term) {
        return Vec::new();
    }
    // Where the system knows the pixels, or where the sequence may be news, it is not asked.
    let pixels = known.cell_px.is_none() && known.multiplexer.is_none() && term.starts_with("xterm");
    [if pixels { CELL_QUESTION } else { b"" }, QUESTION].concat()
}

fn is_worth_asking(known: &Capabilities, term: &str) -> bool {
    !is_dumb(term) && known.utf8 && known.multiplexer != Some(Multiplexer::Tmux)
}

/// Takes an answer to [`question`] into what is known.
pub fn take(known: Capabilities, input: &Input) -> Capabilities {
    match *input {
        Input::Position { row: 2, column } => Capabilities { block_is_two_columns: width(column), ..known },
        Input::CellSize { width, height } if width > 0 && height > 0 => {
            Capabilities { cell_px: known.cell_px.or(Some((width, height))), ..known }
        }
        _ => known,
    }
}

/// The cursor began in the first column.
const fn width(column: u16) -> Option<bool> {
    match column {
        2 => Some(false),
        3 => Some(true),
        _ => None,
    }
}

/// What is known of the terminal, with the width of ▄ asked now, for a program without a screen: waits [`WAIT`] at most.
/// Keys that are typed meanwhile are lost.
pub fn ask() -> Capabilities {
    let known = of_process();
    let term = std::env::var("TERM").unwrap_or_default();
    let (stdin, stdout) = (rustix::stdio::stdin(), rustix::stdio::stdout());
    if !is_worth_asking(&known, &term) || !isatty(stdin) || !isatty(stdout) {
        return known;
    }
    let Ok(before) = tcgetattr(stdin) else { return known };
    let mut raw = before.clone();
    raw.make_raw();
    if tcsetattr(stdin, OptionalActions::Now, &raw).is_err() {
        return known;
    }
    let column = answer();
    // The terminal was there a moment ago; if it is gone there is nothing to bring back.
    let _gone = tcsetattr(stdin, OptionalActions::Now, &before);
    Capabilities { block_is_two_columns: column.and_then(width), ..known }
}

/// Asks in raw mode; the column in which the cursor was.
fn answer() -> Option<u16> {
    let (stdin, stdout) = (rustix::stdio::stdin(), rustix::stdio::stdout());
    let mut rest = INLINE_QUESTION;
    while !rest.is_empty() {
        let count = rustix::io::write(stdout, rest).ok()?;
        rest = rest.get(count..)?;
    }
    let begun = Instant::now();
    let mut reader = Reader::new(ESC_HOLD_SLOW);
    reader.expect_answers(true);
    let mut buffer = [0; 256];
    loop {
        let left = WAIT.checked_sub(begun.elapsed())?;
        let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
        if poll(&mut fds, Timespec::try_from(left).ok().as_ref()).ok()? == 0 {
            return None;
        }
        let count = rustix::io::read(stdin, &mut buffer).ok().filter(|count| *count > 0)?;
        let found = reader.feed(buffer.get(..count).unwrap_or_default(), begun.elapsed());
        let column = found.iter().find_map(|input| match input {
            Input::Position { column, .. } => Some(*column),
            _ => None,
        });
        if column.is_some() {
            return column;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_only_who_can_answer_and_be_trusted() {
        let known = Capabilities::default();
        let asks = |known: &Capabilities, term: &str| !question(known, term).is_empty();
        assert!(asks(&known, "xterm-256color"));
        assert!(asks(&Capabilities { multiplexer: Some(Multiplexer::Screen), ..known }, "screen"));
        assert!(!asks(&Capabilities { multiplexer: Some(Multiplexer::Tmux), ..known }, "screen-256color"));
        assert!(!asks(&Capabilities { utf8: false, ..known }, "xterm"));
        assert!(!asks(&known, "dumb"));
        let with_pixels = Capabilities { cell_px: Some((8, 16)), ..known };
        assert!(!question(&with_pixels, "xterm").ends_with(CELL_QUESTION));
    }

    #[test]
    fn the_question_leaves_no_trace() {
        let size = |n| std::num::NonZero::new(n).unwrap();
        let mut terminal = vt100::Parser::new(size(24), size(80), 0);
        terminal.process(&question(&Capabilities::default(), "xterm"));
        assert_eq!(terminal.screen().contents().trim(), "");
        assert_eq!(terminal.screen().cursor_position(), (0, 0));
        terminal.process(b"\x1b[5;1H");
        terminal.process(INLINE_QUESTION);
        assert_eq!(terminal.screen().contents().trim(), "");
        assert_eq!(terminal.screen().cursor_position(), (4, 0));
    }

    #[test]
    fn only_the_second_rows_answer_counts() {
        let known = Capabilities::default();
        let two = |row, column| take(known, &Input::Position { row, column }).block_is_two_columns;
        assert_eq!((two(2, 2), two(2, 3), two(2, 5), two(1, 3)), (Some(false), Some(true), None, None));
        assert_eq!(take(known, &Input::CellSize { width: 9, height: 18 }).cell_px, Some((9, 18)));
    }
}
