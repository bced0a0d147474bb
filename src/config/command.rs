//! `token_command`, `password_command` and `proxy_password_command`: a shell command whose first line of output is a secret.

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::Error;

/// How long such a command may take: a person may have to unlock a password store first.
pub const LIMIT: Duration = Duration::from_secs(60);

/// More than this is no secret but a mistake.
const MAX_OUTPUT: u64 = 64 * 1024;

/// Runs `line` through `sh -c` without any `SAOMA_*` variable and returns the first line of its output, trimmed. Its
/// errors go to our standard error, so that its own words are seen. `name` is for messages.
pub fn first_line(name: &'static str, line: &str, limit: Duration) -> Result<SecretString, Error> {
    let fail = |detail: String| Error::Command { name, detail };
    let mut command = Command::new("sh");
    command.arg("-c").arg(line).stdin(Stdio::null()).stdout(Stdio::piped());
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().starts_with("SAOMA_") {
            command.env_remove(variable);
        }
    }
    let mut child = command.spawn().map_err(|error| fail(error.to_string()))?;
    let Some(output) = child.stdout.take() else { return Err(fail("no output".to_owned())) };
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        let read = output.take(MAX_OUTPUT).read_to_string(&mut text);
        // Nobody listens any more once the time is over.
        let _ = send.send(read.map(|_| SecretString::from(text)));
    });
    let read = match receive.recv_timeout(limit) {
        Ok(read) => read.map_err(|error| fail(error.to_string())),
        Err(_) => {
            let _ = child.kill();
            Err(fail(format!("no answer within {} s", limit.as_secs())))
        }
    };
    let status = child.wait().map_err(|error| fail(error.to_string()))?;
    let text = read?;
    if !status.success() {
        return Err(fail(status.to_string()));
    }
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
}
