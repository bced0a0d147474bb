//! `saoma offline`: takes accounts off line.

use serde_json::json;

use super::args::OfflineArgs;
use super::context::Context;
use super::exit::Exit;
use super::fail::Failure;
use super::{accounts, check, out, resolve};
use crate::model::WcId;

/// Runs the command.
pub async fn run(context: &Context, args: &OfflineArgs) -> Result<Exit, Failure> {
    // Before anything is opened: without a yes and without anybody to ask it is a wrong use.
    if !args.yes && !out::can_ask() {
        return Err(Failure::usage(context.t("cli.error.needs_yes")));
    }
    let profile = context.profile()?;
    let store = context.store(&profile).await?;
    let done = async {
        let asked = resolve::Asked::new(&args.accounts, &args.name).ids_only();
        let chosen = resolve::resolve(context, &context.accounts(&store).await?, asked)?;
        accounts::confirm(context, args.yes, "cli.offline.question", &chosen)?;
        let wc_ids: Vec<WcId> = chosen.iter().map(|account| account.wc_id.clone()).collect();
        check::take_offline(context, &profile, &store, &wc_ids).await?;
        if context.json {
            let mut map = context.object(&profile, "offline");
            map.insert("wc_ids".into(), json!(wc_ids));
            return out::object(map);
        }
        for account in &chosen {
            out::say(&context.tf("cli.offline.done", &[("label", &resolve::label(account))]));
        }
        Ok(())
    };
    let done = done.await;
    store.close().await;
    done.map(|()| Exit::Done)
}
