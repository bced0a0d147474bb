//! Whether anybody could see a code of `saoma login`: found out before one is asked for, since a code that nobody sees
//! is a code of the day's budget all the same.

use rustix::termios::isatty;

use super::args::LoginArgs;
use super::context::Context;
use super::exit::Exit;
use super::fail::Failure;
use super::png::PngFile;
use crate::config::QrLayout;
use crate::model::Reason;
use crate::tui::capabilities::is_dumb;

/// Looks for a place for the code, without asking the gateway anything. `Some`: there is none, which the ladder says when
/// a code is due; whoever wants a code at once is refused.
pub fn place(context: &Context, args: &LoginArgs) -> Result<Option<Failure>, Failure> {
    if let Some(path) = &args.qr_png {
        PngFile::check(path).map_err(|detail| {
            let values = [("path", &*path.display().to_string()), ("detail", &detail)];
            Failure::usage(context.tf("cli.login.bad_png", &values)).hint(context.t("cli.login.bad_png_hint"))
        })?;
        return Ok(None);
    }
    // Whoever reads JSON has the wId.
    if context.json || args.show_payload {
        return Ok(None);
    }
    let term = std::env::var("TERM").unwrap_or_default();
    let (key, values) = match () {
        () if !isatty(rustix::stdio::stdout()) => ("cli.login.no_terminal", vec![]),
        () if term.is_empty() => ("cli.login.no_term", vec![]),
        () if is_dumb(&term) => ("cli.login.dumb_term", vec![("term", term.as_str())]),
        () if context.config.ui.qr_layout.value == QrLayout::Text => ("cli.login.text_needs", vec![]),
        () => return Ok(None),
    };
    let hint = format!("{key}_hint");
    let failure = Failure::new(Exit::Usage, Reason::NowhereToShow.code(), context.tf(key, &values));
    let failure = failure.hint(context.t(&hint));
    // With a code that is out already, another one is not asked for.
    if args.ladder || args.verify_code.is_some() { Ok(Some(failure)) } else { Err(failure) }
}
