//! stdout is data, stderr is words. A reader that has gone away is no panic.

use std::io::{self, IsTerminal, Write};

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};

use super::fail::Failure;
use crate::i18n::{Lang, t};
use crate::model::text;
use crate::tui::quiet;

/// Writes one line to stdout at once: words, cleaned already, or a JSON object.
pub fn line(words: &str) -> io::Result<()> {
    let words = if words.starts_with('{') { text::json(words) } else { words.into() };
    let text = words.as_ref();
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.write_all(b"\n")?;
    stdout.flush()
}

/// Writes data to stdout. A reader that has gone away (`| head`) had enough: no failure.
pub fn data(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::io("stdout", &error)),
        _ => Ok(()),
    }
}

/// Writes one JSON object to stdout, as a line.
pub fn object(map: Map<String, Value>) -> Result<(), Failure> {
    data(&format!("{}\n", text::json(&Value::Object(map).to_string())))
}

/// Writes one line of words to stderr; if nobody can read it, nobody is told.
pub fn say(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.write_all(b"\n"));
}

/// Whether a person can be asked: the questions go to stderr, the answers come from stdin.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Whether the TUI can run.
pub fn can_draw() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Asks and reads one line, trimmed; `None` at the end of input.
pub fn ask(question: &str) -> Option<String> {
    quiet::end();
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(question.as_bytes()).and_then(|()| stderr.flush());
    drop(stderr);
    let mut answer = String::new();
    match io::stdin().read_line(&mut answer) {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(text::typed(&answer).trim().to_owned()),
    }
}

/// Asks on the terminal for a secret, without echo.
pub fn ask_secret(question: &str) -> io::Result<SecretString> {
    quiet::end();
    let typed = SecretString::from(rpassword::prompt_password(question)?);
    Ok(SecretString::from(text::typed(typed.expose_secret()).into_owned()))
}

/// A secret from standard input: its first line, without echo on a terminal.
pub fn secret_line(lang: Lang) -> Result<SecretString, Failure> {
    if io::stdin().is_terminal() {
        let asked = ask_secret(&t(lang, "cli.device.password_question"));
        return asked.map_err(|error| Failure::io("stdin", &error));
    }
    let mut line = String::new();
    io::stdin().read_line(&mut line).map_err(|error| Failure::io("stdin", &error))?;
    Ok(SecretString::from(line.trim_end_matches(['\r', '\n'])))
}

/// Line numbers for people, neighbours as one: `2–5, 9`.
pub fn ranges(lines: &[usize]) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for line in lines {
        match runs.last_mut() {
            Some((_, last)) if *line == *last + 1 => *last = *line,
            Some((_, last)) if *line == *last => {}
            _ => runs.push((*line, *line)),
        }
    }
    let run = |(first, last): (usize, usize)| match last - first {
        0 => first.to_string(),
        1 => format!("{first}, {last}"),
        _ => format!("{first}–{last}"),
    };
    runs.into_iter().map(run).collect::<Vec<_>>().join(", ")
}

/// Whether an answer means yes.
pub fn is_yes(answer: &str) -> bool {
    matches!(answer.to_lowercase().as_str(), "y" | "yes" | "是" | "好")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_named() {
        for (lines, words) in
            [(&[][..], ""), (&[3], "3"), (&[3, 4], "3, 4"), (&[3, 4, 5, 5], "3–5"), (&[1, 3, 4, 5, 9], "1, 3–5, 9")]
        {
            assert_eq!(ranges(lines), words);
        }
    }
}
