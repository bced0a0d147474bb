//! `saoma wid`: one wId on stdout and nothing else, for scripts and bots.

use serde_json::json;

use super::args::WidArgs;
use super::check::{self, Asked};
use super::context::Context;
use super::exit::Exit;
use super::fail::Failure;
use super::{out, resolve};
use crate::model::{Account, Presence, WId};

/// Runs the command.
pub async fn run(context: &Context, args: &WidArgs) -> Result<Exit, Failure> {
    let profile = context.profile()?;
    let store = context.store(&profile).await?;
    let named = resolve::Asked::one(args.account.as_ref(), args.name.as_ref());
    let done = async {
        let asked = if args.check { Some(check::ask(context, &profile, &store).await?) } else { None };
        let known = context.accounts(&store).await?;
        let accounts = match asked {
            Some(asked) => asked.age(known),
            None => known,
        };
        let account = resolve::resolve_one(context, &accounts, named.ids_only())?;
        let w_id = pick(&account, args.any).map_err(|why| {
            // Asking again is no advice for whoever has just asked.
            let why = if matches!(asked, Some(Asked::Doubted(_))) && why == "stale" { "doubted" } else { why };
            let key = format!("cli.wid.{why}");
            // Nor where no list has wIds to confirm one.
            let next = if why == "unconfirmed" && !profile.dialect.value.lists_w_ids() { "login" } else { why };
            Failure::new(Exit::NotOnline, "not_online", context.tf(&key, &[("label", &resolve::label(&account))]))
                .hint(context.t(&format!("cli.wid.{next}_hint")))
        })?;
        if !context.json {
            return out::data(&format!("{w_id}\n"));
        }
        let mut map = context.object(&profile, "wid");
        for (key, value) in [
            ("wc_id", json!(account.wc_id)),
            ("w_id", json!(w_id)),
            ("w_id_confirmed", json!(account.w_id_confirmed)),
            ("presence", json!(account.presence)),
            ("stale", json!(account.stale)),
        ] {
            map.insert(key.into(), value);
        }
        out::object(map)
    };
    let done = done.await;
    store.close().await;
    done.map(|()| Exit::Done)
}

/// The wId to hand out: a confirmed one of an account that is online as far as fresh evidence goes; with `any` the last
/// known. Otherwise the key of the words that say why not.
fn pick(account: &Account, any: bool) -> Result<&WId, &'static str> {
    let w_id = account.w_id.as_ref().ok_or("unknown")?;
    match account.presence {
        _ if any => Ok(w_id),
        Presence::Offline => Err("offline"),
        Presence::Unknown => Err("uncertain"),
        Presence::Online if account.stale => Err("stale"),
        Presence::Online if !account.w_id_confirmed => Err("unconfirmed"),
        Presence::Online => Ok(w_id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_certain_is_handed_out() {
        let sure = Account {
            w_id: Some("w".into()),
            w_id_confirmed: true,
            presence: Presence::Online,
            ..Account::new("a".into())
        };
        for (account, plain, any) in [
            (sure.clone(), Ok("w"), Ok("w")),
            (Account { stale: true, ..sure.clone() }, Err("stale"), Ok("w")),
            (Account { w_id_confirmed: false, ..sure.clone() }, Err("unconfirmed"), Ok("w")),
            (Account { presence: Presence::Offline, ..sure.clone() }, Err("offline"), Ok("w")),
            (Account { presence: Presence::Unknown, ..sure.clone() }, Err("uncertain"), Ok("w")),
            (Account { w_id: None, ..sure }, Err("unknown"), Err("unknown")),
        ] {
            assert_eq!(pick(&account, false).map(WId::as_str), plain, "{account:?}");
            assert_eq!(pick(&account, true).map(WId::as_str), any, "{account:?}");
        }
    }
}
