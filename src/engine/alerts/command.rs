//! Runs the `[alerts] command`: one JSON object on its standard input, an environment without `SAOMA_*`.

use std::time::Duration;

use crate::child::{self, Run};

/// A hook that runs longer is ended, with all that it started, and counts as not taken.
const LIMIT: Duration = Duration::from_secs(30);

/// Runs the hook once; exit code 0 means taken. The error says what happened, in English, and names the command at most.
pub(super) async fn run(command: &str, json: &str) -> Result<(), String> {
    let input = format!("{json}\n").into_bytes();
    let run = Run { line: command.to_owned(), input, keep: 0, speaks: false, limit: LIMIT };
    match child::run_beside(run).await {
        Ok(_) => Ok(()),
        Err(fault) => Err(match child::name(command) {
            Some(name) => format!("{name}: {fault}"),
            None => fault.to_string(),
        }),
    }
}
