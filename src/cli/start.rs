//! What starts something larger: the TUI, the demo, the simulated gateway; and what is printed from tables.

use super::args::{DemoArgs, Global, LoginArgs, SecondLoginArgs, SimulateArgs};
use super::context::Context;
use super::exit::Exit;
use super::fail::Failure;
use super::{help, not_yet, out};
use crate::i18n::{Lang, t};

/// `saoma` where there is no terminal to draw on.
pub fn no_terminal(lang: Lang) -> Failure {
    Failure::usage(t(lang, "cli.error.no_terminal")).hint(t(lang, "cli.error.no_terminal_hint"))
}

/// `saoma`: the TUI on the profile in use, or with the sign-in form where there is none.
pub fn tui(context: Context) -> Result<Exit, Failure> {
    Err(not_yet(context.lang))
}

/// `saoma demo`: the TUI on a simulated gateway in this process.
pub fn demo(_args: &DemoArgs, _global: &Global, lang: Lang) -> Result<Exit, Failure> {
    if !out::can_draw() {
        return Err(no_terminal(lang));
    }
    Err(not_yet(lang))
}

/// `saoma simulate`: the simulated gateway alone.
pub fn simulate(_args: &SimulateArgs, _global: &Global, lang: Lang) -> Result<Exit, Failure> {
    Err(not_yet(lang))
}

/// `saoma login [ACCOUNT]`
pub async fn login(context: &Context, _args: LoginArgs) -> Result<Exit, Failure> {
    Err(not_yet(context.lang))
}

/// `saoma second-login ACCOUNT…`
pub async fn second_login(context: &Context, _args: SecondLoginArgs) -> Result<Exit, Failure> {
    Err(not_yet(context.lang))
}

/// `saoma keys`
pub fn keys(context: &Context) -> Result<Exit, Failure> {
    Err(not_yet(context.lang))
}

/// `saoma completions SHELL`, with the words in the language in use.
pub fn completions(shell: clap_complete::Shell, lang: Lang) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut help::command(lang), "saoma", &mut script);
    out::data(&String::from_utf8_lossy(&script)).map(|()| Exit::Done)
}
