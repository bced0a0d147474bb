//! `demo.tape` played against the real binary: every `Wait` has to be met, without the help of a `Sleep`.

use std::time::{Duration, Instant};

use regex_lite::Regex;

use crate::kit::{Place, Tui};

/// What `Wait` looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// The line with the cursor.
    Line,
    /// All lines.
    Screen,
}

/// One command of a tape, as far as a player without pictures cares.
#[derive(Debug)]
enum Step {
    /// Bytes for the terminal.
    Keys(Vec<u8>),
    /// Until the pattern is there.
    Wait { look: Look, timeout: Option<Duration>, pattern: Regex },
    /// Time for the reader's eye.
    Sleep(Duration),
    /// `Set WaitTimeout`
    WaitTimeout(Duration),
    /// A program that has to be there.
    Require(String),
    /// An environment variable for the shell.
    Env(String, String),
    /// Only the picture is concerned.
    Nothing,
}

/// Settings that are about the picture alone.
const SETTINGS: [&str; 20] = [
    "Shell",
    "FontFamily",
    "FontSize",
    "LineHeight",
    "LetterSpacing",
    "Width",
    "Height",
    "Padding",
    "Margin",
    "MarginFill",
    "WindowBar",
    "WindowBarSize",
    "BorderRadius",
    "Theme",
    "Framerate",
    "PlaybackSpeed",
    "LoopOffset",
    "CursorBlink",
    "TypingSpeed",
    "WaitTimeout",
];

fn duration(text: &str) -> Result<Duration, String> {
    let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("", 1.0)];
    let (number, scale) =
        units.into_iter().find_map(|(unit, scale)| Some((text.strip_suffix(unit)?, scale))).ok_or("no time")?;
    let number: f64 = number.parse().map_err(|_not_a_number| format!("{text:?} is no time"))?;
    Duration::try_from_secs_f64(number * scale).map_err(|error| error.to_string())
}

/// The text between the quotes.
fn quoted(text: &str) -> Result<String, String> {
    let mut chars = text.chars();
    match (chars.next(), chars.next_back()) {
        (Some(open @ ('"' | '\'' | '`')), Some(close)) if open == close && !chars.as_str().contains(open) => {
            Ok(chars.as_str().to_owned())
        }
        _ => Err(format!("{text} is not one quoted text")),
    }
}

fn line(text: &str) -> Result<Vec<Step>, String> {
    let text = text.trim();
    if text.is_empty() || text.starts_with('#') {
        return Ok(Vec::new());
    }
    let (head, rest) = text.split_once(' ').unwrap_or((text, ""));
    let rest = rest.trim();
    let (name, speed) = head.split_once('@').map_or((head, None), |(name, speed)| (name, Some(speed)));
    if let Some(speed) = speed {
        duration(speed)?;
    }
    let key = |bytes: &[u8]| -> Result<Step, String> {
        let times =
            if rest.is_empty() { 1 } else { rest.parse().map_err(|_not_a_number| format!("{rest:?} is no number"))? };
        Ok(Step::Keys(bytes.repeat(times)))
    };
    let step = match name {
        "Type" => Step::Keys(quoted(rest)?.into_bytes()),
        "Enter" => key(b"\r")?,
        "Escape" => key(b"\x1b")?,
        "Tab" => key(b"\t")?,
        "Space" => key(b" ")?,
        "Backspace" => key(b"\x7f")?,
        "Up" => key(b"\x1b[A")?,
        "Down" => key(b"\x1b[B")?,
        "Right" => key(b"\x1b[C")?,
        "Left" => key(b"\x1b[D")?,
        "PageUp" => key(b"\x1b[5~")?,
        "PageDown" => key(b"\x1b[6~")?,
        "Sleep" => Step::Sleep(duration(rest)?),
        "Output" if [".gif", ".mp4", ".webm", ".txt", ".ascii"].iter().any(|end| rest.ends_with(end)) => Step::Nothing,
        "Screenshot" if rest.ends_with(".png") => Step::Nothing,
        "Hide" | "Show" if rest.is_empty() => Step::Nothing,
        "Require" if !rest.is_empty() => Step::Require(rest.to_owned()),
        "Env" => {
            let (name, value) = rest.split_once(' ').ok_or("Env takes a name and a value")?;
            Step::Env(name.to_owned(), quoted(value.trim())?)
        }
        "Set" => {
            let (name, value) = rest.split_once(' ').ok_or("Set takes a name and a value")?;
            match name {
                "WaitTimeout" => Step::WaitTimeout(duration(value)?),
                "Shell" if quoted(value)? != "bash" => return Err(format!("this player knows no {value}")),
                _ if SETTINGS.contains(&name) && !value.is_empty() => Step::Nothing,
                _ => return Err(format!("no setting is called {name}")),
            }
        }
        _ if name.starts_with("Ctrl+") => match name.as_bytes().split_at("Ctrl+".len()).1 {
            [letter] if letter.is_ascii_alphabetic() && rest.is_empty() => Step::Keys(vec![letter & 0x1f]),
            _ => return Err(format!("this player knows no {name}")),
        },
        "Wait" | "Wait+Line" | "Wait+Screen" => {
            let pattern = rest.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
            let pattern = match (pattern, rest) {
                (Some(pattern), _) if !pattern.contains('/') => pattern,
                (None, "") => ">$",
                _ => return Err(format!("{rest:?} is no pattern")),
            };
            Step::Wait {
                look: if name == "Wait+Screen" { Look::Screen } else { Look::Line },
                timeout: speed.map(duration).transpose()?,
                pattern: Regex::new(pattern).map_err(|error| error.to_string())?,
            }
        }
        _ => return Err(format!("no command is called {name}, or not with {rest:?}")),
    };
    Ok(vec![step])
}

fn parse(tape: &str) -> Result<Vec<(usize, Step)>, String> {
    let mut steps = Vec::new();
    for (number, text) in (1..).zip(tape.lines()) {
        let found = line(text).map_err(|error| format!("line {number}: {error}"))?;
        steps.extend(found.into_iter().map(|step| (number, step)));
    }
    Ok(steps)
}

fn lines(screen: &vt100::Screen) -> Vec<String> {
    let (_, columns) = crate::kit::dimensions(screen);
    screen.rows(0, columns).map(|row| row.trim_end().to_owned()).collect()
}

fn is_there(screen: &vt100::Screen, look: Look, pattern: &Regex) -> bool {
    let lines = lines(screen);
    match look {
        Look::Screen => pattern.is_match(&lines.join("\n")),
        Look::Line => pattern.is_match(&lines[usize::from(screen.cursor_position().0)]),
    }
}

/// Plays the steps in a shell of this size, with the reader's time multiplied; the first complaint ends it.
fn play(
    steps: &[(usize, Step)],
    home: &std::path::Path,
    (columns, rows): (u16, u16),
    sleeps: f32,
) -> Result<(), String> {
    let env: Vec<_> = steps
        .iter()
        .filter_map(|(_, step)| match step {
            Step::Env(name, value) => Some((name.clone(), value.clone())),
            _ => None,
        })
        .collect();
    let mut shell = Tui::shell(home, &env, columns, rows);
    let mut patience = Duration::from_secs(15);
    for (number, step) in steps {
        match step {
            Step::Keys(bytes) => shell.send(bytes),
            Step::Sleep(time) => std::thread::sleep(time.mul_f32(sleeps)),
            Step::WaitTimeout(timeout) => patience = *timeout,
            Step::Require(program) => {
                if !["saoma", "bash"].contains(&program.as_str()) {
                    return Err(format!("line {number}: the test has no {program}"));
                }
            }
            Step::Wait { look, timeout, pattern } => {
                let until = Instant::now() + timeout.unwrap_or(patience);
                while !shell.look(|screen| is_there(screen, *look, pattern)) {
                    if Instant::now() > until {
                        return Err(format!(
                            "line {number}: {pattern} did not come; the screen shows:\n{}",
                            shell.text()
                        ));
                    }
                    std::thread::sleep(Duration::from_millis(2));
                }
            }
            Step::Env(..) | Step::Nothing => {}
        }
    }
    shell.wait("a terminal given back", |screen| !screen.alternate_screen() && !screen.hide_cursor());
    Ok(())
}

#[test]
fn the_demos_tape_plays_at_every_size_a_recorder_may_have() {
    let tape = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/demo.tape")).unwrap();
    let steps = parse(&tape).unwrap();
    assert!(steps.iter().filter(|(_, step)| matches!(step, Step::Wait { .. })).count() > 10, "it waits");
    std::thread::scope(|scope| {
        for (columns, rows, sleeps) in [(80, 24, 0.0), (100, 32, 0.3)] {
            let steps = &steps;
            scope.spawn(move || {
                let _place = Place::take();
                let home = tempfile::tempdir().unwrap();
                play(steps, home.path(), (columns, rows), sleeps)
                    .unwrap_or_else(|error| panic!("{columns}×{rows}: {error}"));
                let left: Vec<_> = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
                assert!(left.is_empty(), "the demo left {left:?}");
            });
        }
    });
}

#[test]
fn a_tape_with_a_mistake_is_refused() {
    for (tape, part) in [
        ("Tpye \"a\"", "line 1: no command is called Tpye"),
        ("\n# all is well\nF5", "line 3"),
        ("Set Colour \"red\"", "no setting is called Colour"),
        ("Type saoma", "not one quoted text"),
        ("Type \"a\" Enter", "not one quoted text"),
        ("Wait+Screen list", "is no pattern"),
        ("Wait+Screen /(/", "line 1"),
        ("Wait+Window /a/", "no command is called Wait+Window"),
        ("Sleep soon", "is no time"),
        ("Down twice", "is no number"),
        ("Output demo", "no command"),
    ] {
        let error = parse(tape).unwrap_err();
        assert!(error.contains(part), "{tape}: {error}");
    }
}

#[test]
fn a_wait_that_is_not_met_is_an_error_with_the_screen() {
    let _place = Place::take();
    let home = tempfile::tempdir().unwrap();
    let steps = parse("Type \"echo he''llo\"\nEnter\nWait+Screen /hello/\nWait@100ms /never/").unwrap();
    let error = play(&steps, home.path(), (80, 24), 1.0).unwrap_err();
    assert!(error.contains("line 4: never did not come") && error.contains("hello"), "{error}");
}
