//! Tells the bots: runs the `[alerts] command` for what waits in the outbox, at least once, also after a crash.
//!
//! Events of one account are told in the order they happened: while one is not taken, the later ones of that account
//! wait, those of other accounts do not. A hook gets one JSON object on its standard input and an environment without
//! `SAOMA_*` (design.md §6).

use std::collections::HashSet;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::shared::Shared;
use crate::store::OutboxItem;

/// The receiver that the configured command is in the outbox.
pub const COMMAND: &str = "command";

/// A hook that runs longer is killed and counts as not taken.
const HOOK_LIMIT: Duration = Duration::from_secs(30);
/// Pauses before the second, third … try; the last one repeats.
const PAUSES_MS: [i64; 5] = [2_000, 10_000, 60_000, 300_000, 900_000];

/// Runs whenever `kick` rings or a row is due, and once more when `closing` is set. `fault` is told when a hook fails.
pub(super) async fn run(shared: Arc<Shared>, kick: Arc<Notify>, closing: CancellationToken, fault: impl Fn(String)) {
    loop {
        let kicked = kick.notified();
        // Asked before the delivery, so that what is set during it leads to one more.
        let closed = closing.is_cancelled();
        deliver(&shared, &fault).await;
        let due = shared.store.outbox_next().await.ok().flatten();
        let wait = due.map(|due| {
            let millis = due.ms_since(shared.now().wall).clamp(200, 3_600_000);
            Duration::from_millis(millis.unsigned_abs())
        });
        if closed {
            return;
        }
        tokio::select! {
            () = closing.cancelled() => {}
            () = kicked => {}
            () = tokio::time::sleep(wait.unwrap_or_default()), if wait.is_some() => {}
        }
    }
}

/// Tells what is due now.
async fn deliver(shared: &Shared, fault: &impl Fn(String)) {
    let Some(command) = shared.options.alert_command.as_deref() else { return };
    let now = shared.now().wall;
    let items = match shared.store.outbox_take(now).await {
        Ok(items) => items,
        Err(error) => return fault(error.to_string()),
    };
    let mut held: HashSet<String> = HashSet::new();
    for item in items {
        let account = account_of(&item);
        let outcome = if held.contains(&account) { Err(None) } else { run_hook(command, &item).await.map_err(Some) };
        let kept = match outcome {
            Ok(()) => shared.store.outbox_done(item.id).await,
            Err(error) => {
                held.insert(account);
                if let Some(error) = error {
                    fault(error);
                }
                let pause = PAUSES_MS.get(item.tries as usize).or(PAUSES_MS.last()).copied().unwrap_or(60_000);
                shared.store.outbox_failed(item.id, shared.now().wall.plus_ms(pause)).await
            }
        };
        if let Err(error) = kept {
            fault(error.to_string());
        }
    }
}

/// The account an event is about.
fn account_of(item: &OutboxItem) -> String {
    serde_json::from_str::<serde_json::Value>(&item.json)
        .ok()
        .and_then(|json| json.get("wc_id")?.as_str().map(str::to_owned))
        .unwrap_or_default()
}

async fn run_hook(command: &str, item: &OutboxItem) -> Result<(), String> {
    let mut hook = Command::new("sh");
    hook.arg("-c").arg(command).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SAOMA_") {
            hook.env_remove(name);
        }
    }
    let mut child = hook.spawn().map_err(|error| error.to_string())?;
    let stdin = child.stdin.take();
    let line = format!("{}\n", item.json);
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
    match tokio::time::timeout(HOOK_LIMIT, run).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(format!("{command}: {status}")),
        Ok(Err(error)) => Err(format!("{command}: {error}")),
        Err(_) => Err(format!("{command}: no end after {} s", HOOK_LIMIT.as_secs())),
    }
}
