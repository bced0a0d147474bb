//! Parses arguments, dispatches, sets the exit code; nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(saoma::cli::run(std::env::args_os()))
}
