//! `saoma status`: asks the gateway now.

use super::args::{Filter, StatusArgs};
use super::check::{self, Asked};
use super::context::Context;
use super::exit::Exit;
use super::fail::{Failure, reason_words};
use super::{accounts, out, resolve};
use crate::model::Reason;

/// Runs the command.
pub async fn run(context: &Context, args: &StatusArgs) -> Result<Exit, Failure> {
    let profile = context.profile()?;
    let store = context.store(&profile).await?;
    let done = async {
        let asked = check::ask(context, &profile, &store).await?;
        let known = context.accounts(&store).await?;
        // Resolved after asking: an account that the list brought may be the one that is meant.
        let shown = if args.accounts.is_empty() {
            accounts::select(known, &Filter::default())
        } else {
            resolve::resolve(context, &known, &args.accounts)?
        };
        let reason = match asked {
            Asked::Told => None,
            Asked::NeedsPassword => {
                out::say(&reason_words(context.lang, Reason::NeedsPassword, None));
                out::say(&context.t("next.needs_password"));
                Some(Reason::NeedsPassword.code())
            }
        };
        accounts::show(context, &profile, "status", &shown, reason)
    };
    let done = done.await;
    store.close().await;
    done.map(|()| Exit::Done)
}
