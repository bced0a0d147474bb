//! `saoma man`
use super::exit::Exit;
use super::fail::Failure;
use crate::i18n::Lang;

/// Prints.
pub fn run(_lang: Lang) -> Result<Exit, Failure> {
    Ok(Exit::Done)
}
