//! How wide is ▄? Only the terminal knows: print one, ask where the cursor is, wipe it away (qr.md §3c). Does it show
//! pictures, and how? Ask for its name, for a picture in kitty's protocol, for its kind, for its cells' size.
//!
//! The questions go out in one write with the first frame, so the start never waits for an answer. The cursor's place is
//! asked last; until it has come ▄ is taken as narrow. No other key or answer looks like that one: it names the second
//! row. What is said of pictures is heard however late it comes. Whatever a terminal may print of a question
//! that it does not know is wiped away in the same frame.

use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, kill_current_process_group};
use rustix::termios::{isatty, tcgetattr};

use super::capabilities::{is_dumb, of_process};
use super::input::{ESC_HOLD_SLOW, Input, Reader};
use super::owed::{self, Last, Owed};
use super::quiet;
use crate::app::{Capabilities, Multiplexer, Pictures};
use crate::ui;

/// So long an answer is waited for; until it comes ▄ is taken as narrow.
pub const WAIT: Duration = Duration::from_millis(300);

/// The same over SSH for a command, which draws once: a code drawn for the wrong width cannot be read.
const WAIT_REMOTE: Duration = Duration::from_millis(1000);

/// For a cleared screen with default colours: ▄ at the second row's beginning, where is the cursor, wipe, to the corner.
const QUESTION: &[u8] = "\x1b[2H▄\x1b[6n\x1b[2H\x1b[K\x1b[H".as_bytes();
/// How many pixels has a cell?
pub const CELL_QUESTION: &[u8] = b"\x1b[16t";
/// For a cleared screen with default colours. Who are you (XTVERSION)? Could you show a picture of one pixel in kitty's
/// protocol? What kind are you (DA1)? Then what may have been printed of that is wiped.
const PICTURE_QUESTION: &[u8] = b"\x1b[2H\x1b[>q\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[c\x1b[16t\x1b[2H\x1b[J";
/// The same on a line of its own.
const INLINE_PICTURE_QUESTION: &[u8] = b"\r\x1b[>q\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[c\x1b[16t\r\x1b[K";
/// The number of the picture that is asked about.
const QUERY: u32 = 31;
/// Terminals whose pictures are iTerm2's, by their names.
const ITERM2: [&str; 2] = ["iTerm2", "WezTerm"];
/// What lies in between and says so by its name, whatever the environment says: at the other end of an SSH line it says
/// nothing.
const BETWEEN: [&str; 2] = ["tmux", "Zellij"];
/// Wider or higher cells are not believed.
const LARGEST_CELL: u16 = 400;
/// On a line of its own in a terminal that is not ours alone: the same without going anywhere else.
const INLINE_QUESTION: &[u8] = "\r▄\x1b[6n\r\x1b[K".as_bytes();

/// What to ask a cleared screen; nothing where no answer is to be expected, or none to be trusted.
pub fn question(known: &Capabilities, term: &str) -> Vec<u8> {
    if !is_worth_asking(known, term) {
        return Vec::new();
    }
    if known.pictures == Pictures::Asked {
        return [PICTURE_QUESTION, QUESTION].concat();
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
    let can = |pictures| Capabilities { pictures: known.pictures.max(pictures), ..known };
    match input {
        // The last answer: a terminal that has said nothing of pictures until now has none.
        // tmux answers for its own grid.
        Input::Position { row: 2, .. } if known.multiplexer == Some(Multiplexer::Tmux) => settle(known),
        Input::Position { row: 2, column } => Capabilities { block_is_two_columns: width(*column), ..settle(known) },
        Input::CellSize { width: width @ 1..=LARGEST_CELL, height: height @ 1..=LARGEST_CELL } => {
            Capabilities { cell_px: Some((*width, *height)), ..known }
        }
        Input::Graphics { id: QUERY, ok: true } => can(Pictures::Kitty),
        // It said yes and then refused.
        Input::Graphics { id, ok: false } if ui::is_ours(*id) => can(Pictures::Barred),
        Input::Version(name) if BETWEEN.iter().any(|known| name.starts_with(known)) => {
            let tmux = name.starts_with("tmux").then_some(Multiplexer::Tmux);
            Capabilities { multiplexer: known.multiplexer.or(tmux), ..can(Pictures::Barred) }
        }
        Input::Version(name) if ITERM2.iter().any(|known| name.starts_with(known)) => can(Pictures::Iterm2),
        Input::Attributes { sixel: true } => can(Pictures::Sixel),
        _ => known,
    }
}

/// No answer about pictures is waited for any more; one that comes all the same is taken.
pub fn settle(known: Capabilities) -> Capabilities {
    let pictures = if known.pictures == Pictures::Asked { Pictures::None } else { known.pictures };
    Capabilities { pictures, ..known }
}

/// The cursor began in the first column.
const fn width(column: u16) -> Option<bool> {
    match column {
        2 => Some(false),
        3 => Some(true),
        _ => None,
    }
}

/// The same of an answer to [`ask`]: wherever the line is.
pub(super) fn take_inline(known: Capabilities, input: &Input) -> Capabilities {
    match input {
        Input::Position { column, .. } => take(known, &Input::Position { row: 2, column: *column }),
        other => take(known, other),
    }
}

/// What is known of the terminal, with the width of ▄ asked now, for a program without a screen. An answer is waited for
/// only briefly; one that comes later is read away until [`quiet::end`], which has to be called before anybody is asked
/// anything, and at the end. Keys that are typed meanwhile are lost.
pub fn ask() -> Capabilities {
    asked(settle(of_process()), if owed::is_remote() { WAIT_REMOTE } else { WAIT })
}

/// The same with what is said of pictures, for who does nothing else: waits for as long as an answer may come.
pub fn ask_all() -> Capabilities {
    asked(of_process(), owed::patience())
}

fn asked(known: Capabilities, wait: Duration) -> Capabilities {
    let term = std::env::var("TERM").unwrap_or_default();
    let (stdin, stdout) = (rustix::stdio::stdin(), rustix::stdio::stdout());
    if !is_worth_asking(&known, &term) || !isatty(stdin) || !isatty(stdout) {
        return settle(known);
    }
    let Ok(before) = tcgetattr(stdin) else { return settle(known) };
    if quiet::quieten(&before).is_err() {
        return settle(known);
    }
    let mut reader = Reader::new(ESC_HOLD_SLOW);
    reader.expect_answers(true);
    let owed = Owed::since_now(Last::Place);
    let mut told = known;
    match answers(&mut told, &mut reader, wait) {
        Some(Ended::Late) if Instant::now() < owed.by => quiet::keep(before, reader, told, owed),
        // Without the last answer what came before it holds.
        Some(Ended::All | Ended::Late) | None => quiet::give_back(&before),
        Some(Ended::Interrupted) => {
            quiet::give_back(&before);
            let _refused = kill_current_process_group(Signal::INT);
        }
    }
    settle(told)
}

/// How the wait for answers ended.
enum Ended {
    /// The last one came.
    All,
    Late,
    /// By Ctrl-C.
    Interrupted,
}

/// Asks, and takes the answers, until the cursor's place has come. `None`: the terminal is gone.
fn answers(known: &mut Capabilities, reader: &mut Reader, wait: Duration) -> Option<Ended> {
    let (stdin, stdout) = (rustix::stdio::stdin(), rustix::stdio::stdout());
    let mut question = Vec::new();
    if known.pictures == Pictures::Asked {
        reader.expect_pictures();
        question.extend_from_slice(INLINE_PICTURE_QUESTION);
    }
    question.extend_from_slice(INLINE_QUESTION);
    let mut rest = question.as_slice();
    while !rest.is_empty() {
        // A terminal that was stopped (Ctrl-S) is not asked: the question would wait for it, and we with it.
        let mut fds = [PollFd::new(&stdout, PollFlags::OUT)];
        if poll(&mut fds, Timespec::try_from(wait).ok().as_ref()).ok()? == 0 {
            return None;
        }
        let count = rustix::io::write(stdout, rest).ok()?;
        rest = rest.get(count..)?;
    }
    let begun = Instant::now();
    let mut buffer = [0; 256];
    loop {
        let Some(left) = wait.checked_sub(begun.elapsed()) else { return Some(Ended::Late) };
        let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
        match poll(&mut fds, Timespec::try_from(left).ok().as_ref()) {
            Ok(0) => return Some(Ended::Late),
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return None,
        }
        let count = rustix::io::read(stdin, &mut buffer).ok().filter(|count| *count > 0)?;
        for input in reader.feed(buffer.get(..count).unwrap_or_default(), begun.elapsed()) {
            *known = take_inline(*known, &input);
            if Last::Place.is(&input, true) {
                return Some(Ended::All);
            }
            if owed::is_interrupt(&input) {
                return Some(Ended::Interrupted);
            }
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
    fn pictures_are_asked_about_only_where_there_may_be_some() {
        let asked = Capabilities { pictures: Pictures::Asked, cell_px: Some((8, 16)), ..Capabilities::default() };
        let has = |known: &Capabilities, what: &[u8]| {
            question(known, "xterm").windows(what.len()).filter(|window| *window == what).count()
        };
        for what in [b"\x1b[>q".as_slice(), b"\x1b_G", b"\x1b[c", b"\x1b[16t", b"\x1b[6n"] {
            assert_eq!(has(&asked, what), 1, "{what:?}");
            assert_eq!(
                has(&Capabilities { pictures: Pictures::None, ..asked }, what),
                usize::from(what.ends_with(b"n"))
            );
        }
        assert!(question(&asked, "xterm").ends_with(QUESTION), "the cursor's place is the last answer");
        for question in [PICTURE_QUESTION, INLINE_PICTURE_QUESTION] {
            let mut terminal = vt100::Parser::new(24.try_into().unwrap(), 80.try_into().unwrap(), 0);
            // One that prints what it does not know.
            terminal.process(&question.iter().filter(|byte| **byte != b'_').copied().collect::<Vec<_>>());
            assert_eq!(terminal.screen().contents().trim(), "");
        }
    }

    #[test]
    fn the_best_answer_about_pictures_counts_whichever_comes_first() {
        let asked = Capabilities { pictures: Pictures::Asked, ..Capabilities::default() };
        let version = |name: &str| Input::Version(name.to_owned());
        let (kitty, sixel) = (Input::Graphics { id: QUERY, ok: true }, Input::Attributes { sixel: true });
        let place = Input::Position { row: 2, column: 2 };
        for (answers, pictures) in [
            (vec![], Pictures::Asked),
            (vec![place.clone()], Pictures::None),
            (vec![version("XTerm(379)"), Input::Attributes { sixel: false }, place.clone()], Pictures::None),
            (vec![Input::Graphics { id: QUERY, ok: false }, place.clone()], Pictures::None),
            (vec![Input::Graphics { id: 1, ok: true }, place.clone()], Pictures::None),
            (vec![version("XTerm(379)"), sixel.clone(), place.clone()], Pictures::Sixel),
            (vec![version("kitty(0.26.5)"), kitty.clone(), place.clone()], Pictures::Kitty),
            (vec![sixel.clone(), kitty.clone()], Pictures::Kitty),
            (vec![kitty.clone(), sixel.clone(), version("WezTerm 20240203")], Pictures::Iterm2),
            (vec![version("iTerm2 3.5.0"), kitty.clone(), sixel.clone(), place.clone()], Pictures::Iterm2),
            // Late.
            (vec![place.clone(), kitty], Pictures::Kitty),
            // In between.
            (vec![version("tmux 3.5a"), sixel.clone(), place.clone()], Pictures::Barred),
            (vec![sixel, version("Zellij(4010)"), place], Pictures::Barred),
        ] {
            let known = answers.iter().fold(asked, take);
            assert_eq!(known.pictures, pictures, "{answers:?}");
            assert_eq!(settle(known).pictures, if pictures == Pictures::Asked { Pictures::None } else { pictures });
        }
    }

    #[test]
    fn a_tmux_at_the_other_end_of_a_line_is_known_by_its_name_and_not_trusted() {
        let asked = Capabilities { pictures: Pictures::Asked, ..Capabilities::default() };
        let known = take(asked, &Input::Version("tmux 3.5a".to_owned()));
        let known = take(known, &Input::Position { row: 2, column: 2 });
        assert_eq!((known.multiplexer, known.block_is_two_columns), (Some(Multiplexer::Tmux), None));
    }

    #[test]
    fn only_the_second_rows_answer_counts() {
        let known = Capabilities::default();
        let two = |row, column| take(known, &Input::Position { row, column }).block_is_two_columns;
        assert_eq!((two(2, 2), two(2, 3), two(2, 5), two(1, 3)), (Some(false), Some(true), None, None));
        assert_eq!(take(known, &Input::CellSize { width: 9, height: 18 }).cell_px, Some((9, 18)));
        for (width, height) in [(0, 18), (9, 0), (60_000, 18)] {
            assert_eq!(take(known, &Input::CellSize { width, height }).cell_px, None);
        }
    }
}
