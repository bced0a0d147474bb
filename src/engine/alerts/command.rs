//! Runs the `[alerts] command`: one JSON object on its standard input, an environment without `SAOMA_*` (design.md §6).

use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// A hook that runs longer is killed and counts as not taken.
const LIMIT: Duration = Duration::from_secs(30);

/// Runs the hook once; exit code 0 means taken. The error says what happened, in English.
pub(super) async fn run(command: &str, json: &str) -> Result<(), String> {
    let mut hook = Command::new("sh");
    hook.arg("-c").arg(command).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SAOMA_") {
            hook.env_remove(name);
        }
    }
    let mut child = hook.spawn().map_err(|error| error.to_string())?;
    let stdin = child.stdin.take();
    let line = format!("{json}\n");
    let fed = async move {
        if let Some(mut stdin) = stdin {
            // A hook that does not read its input may still have done its work: its exit code decides.
            let _ = stdin.write_all(line.as_bytes()).await;
        }
    };
    let run = async {
        let ((), status) = tokio::join!(fed, child.wait());
        status
    };
    match tokio::time::timeout(LIMIT, run).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(format!("{command}: {status}")),
        Ok(Err(error)) => Err(format!("{command}: {error}")),
        Err(_) => Err(format!("{command}: no end after {} s", LIMIT.as_secs())),
    }
}
