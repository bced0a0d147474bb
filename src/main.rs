//! Parses arguments, dispatches, sets the exit code; nothing else.

fn main() {}
