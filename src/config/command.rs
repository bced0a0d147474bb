//! `token_command`, `password_command` and `proxy_password_command`: a shell command whose first line of output is a secret.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use super::Error;
use crate::child::{self, Fault, Run};

/// How long such a command may take: a person may have to unlock a password store first.
pub const LIMIT: Duration = Duration::from_secs(60);

/// More than this is no secret but a mistake.
const MAX_OUTPUT: usize = 64 * 1024;

/// Runs `line` through `sh -c` without any `SAOMA_*` variable and returns the first line of its output, trimmed. Its
/// errors go to our standard error, so that its own words are seen. `name` is for messages.
pub fn first_line(name: &'static str, line: &str, limit: Duration) -> Result<SecretString, Error> {
    let fail = |detail: String| Error::Command { name, detail };
    let run = Run { line: line.to_owned(), input: Vec::new(), keep: MAX_OUTPUT, speaks: true, limit };
    let output = child::run(&run).map_err(|fault| match fault {
        Fault::Late(limit) => fail(format!("no answer within {} s", limit.as_secs())),
        Fault::Io(_) | Fault::Failed(_) | Fault::Asks => fail(fault.to_string()),
    })?;
    let Ok(text) = String::from_utf8(output).map(SecretString::from) else {
        return Err(fail("its output is not UTF-8".to_owned()));
    };
    let secret = text.expose_secret().lines().next().unwrap_or_default().trim();
    if secret.is_empty() { Err(fail("the first line of its output is empty".to_owned())) } else { Ok(secret.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(line: &str) -> Result<SecretString, Error> {
        first_line("token_command", line, Duration::from_secs(20))
    }

    #[test]
    fn the_first_line_counts() {
        assert_eq!(run("printf ' secret \\nmore\\n'").unwrap().expose_secret(), "secret");
    }

    #[test]
    fn failures_say_what_happened_and_never_the_output() {
        for line in ["printf hidden; exit 3", "true", "printf '\\nhidden'"] {
            let error = run(line).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hidden"), "{error}");
        }
        assert!(run("exit 3").unwrap_err().to_string().contains('3'));
    }

    #[test]
    fn a_command_that_hangs_is_ended() {
        let error = first_line("token_command", "exec sleep 60", Duration::from_millis(50)).unwrap_err();
        assert!(error.to_string().contains("no answer"), "{error}");
    }

    #[test]
    fn an_output_that_is_held_open_is_not_waited_for() {
        // What holds it has a session of its own, as an agent that was started on the way: it is not ended.
        let held = |line: &str| run(&format!("setsid sleep 60 2>/dev/null & {line}"));
        for line in ["echo secret", "printf secret"] {
            assert_eq!(held(line).unwrap().expose_secret(), "secret", "{line}");
        }
        assert!(held("exit 3").unwrap_err().to_string().contains('3'));
    }
}
