//! `saoma status`: asks the gateway now; who is online, how that is known, and why not.

use serde_json::json;

use super::args::{Filter, StatusArgs};
use super::check::{self, Asked};
use super::context::{Context, local, now};
use super::exit::Exit;
use super::fail::{Failure, reason_words};
use super::{accounts, out, resolve, table};
use crate::config::Profile;
use crate::model::{Account, Presence, Reason, Stamp, json as objects};
use crate::store::Store;

/// Runs the command. With accounts named, one that is not online is exit 11.
pub async fn run(context: &Context, args: &StatusArgs) -> Result<Exit, Failure> {
    let profile = context.profile()?;
    let store = context.store(&profile).await?;
    let named = resolve::Asked::new(&args.accounts, &args.name);
    let done = async {
        let asked = check::ask(context, &profile, &store).await?;
        let known = asked.age(context.accounts(&store).await?);
        let outage = match asked {
            // What the observer has not heard yet: the gateway is well.
            Asked::Told => None,
            Asked::Doubted(since) => Some(told_outage(context, &store).await?.unwrap_or(since.at)),
            Asked::NeedsPassword => told_outage(context, &store).await?,
        };
        // Resolved after asking: an account that the list brought may be the one that is meant.
        let shown = if named.is_empty() {
            accounts::select(known, &Filter::default())
        } else {
            resolve::resolve(context, &known, named)?
        };
        let reason = match asked {
            Asked::Told | Asked::Doubted(_) => None,
            Asked::NeedsPassword => {
                out::say(&reason_words(context.lang, Reason::NeedsPassword, None));
                out::say(&context.t("next.needs_password"));
                Some(Reason::NeedsPassword.code())
            }
        };
        show(context, &profile, &shown, reason, outage)?;
        Ok(exit(&shown, !named.is_empty()))
    };
    let done = done.await;
    store.close().await;
    done
}

/// Since when the observer knows of an outage.
async fn told_outage(context: &Context, store: &Store) -> Result<Option<Stamp>, Failure> {
    Ok(store.watchers().await.map_err(|error| Failure::store(context.lang, &error))?.outage_since)
}

/// 0, or 11 when an account that was asked for is not online.
fn exit(shown: &[Account], asked_for: bool) -> Exit {
    let online = |account: &Account| account.presence == Presence::Online && !account.stale;
    if asked_for && !shown.iter().all(online) { Exit::NotOnline } else { Exit::Done }
}

fn show(
    context: &Context,
    profile: &Profile,
    shown: &[Account],
    reason: Option<&str>,
    outage: Option<Stamp>,
) -> Result<(), Failure> {
    if context.json {
        let mut map = context.object(profile, "status");
        if let Some(reason) = reason {
            map.insert("reason".into(), json!(reason));
        }
        map.insert("outage_since".into(), json!(outage.map(|since| since.not_after(now()).rfc3339())));
        map.insert("accounts".into(), shown.iter().map(|account| objects::account(account, now())).collect());
        return out::object(map);
    }
    if let Some(since) = outage {
        out::say(&context.tf("cli.watch.outage", &[("since", &local(since, "%Y-%m-%d %H:%M:%S"))]));
    }
    if shown.is_empty() {
        out::say(&context.t("cli.accounts.none"));
        return Ok(());
    }
    let heads = [
        "accounts.head.name",
        "accounts.head.presence",
        "status.head.source",
        "status.head.age",
        "status.head.reason",
        "accounts.head.w_id",
        "accounts.head.wc_id",
    ]
    .map(|head| context.t(&format!("cli.{head}")));
    let at = now();
    let rows: Vec<Vec<String>> = shown.iter().map(|account| row(context, account, at)).collect();
    out::data(&table::table(&heads.each_ref().map(String::as_str), &rows))
}

fn row(context: &Context, account: &Account, now: Stamp) -> Vec<String> {
    let mut presence = context.t(&format!("cli.presence.{}", account.presence.name()));
    if account.stale {
        presence = context.tf("cli.presence.stale", &[("presence", &presence)]);
    }
    let w_id = match &account.w_id {
        Some(w_id) if account.w_id_confirmed => w_id.to_string(),
        Some(w_id) => format!("{w_id}?"),
        None => String::new(),
    };
    // Why it is online needs no words.
    let reason = account.reason.filter(|_| account.presence != Presence::Online);
    let why = |reason| {
        let words = reason_words(context.lang, reason, account.gateway_message.as_deref());
        if account.is_first_drop() { context.tf("cli.status.first_drop", &[("words", &words)]) } else { words }
    };
    vec![
        account.name().to_owned(),
        presence,
        account.source.map(|source| context.t(&format!("ui.source.{}", source.name()))).unwrap_or_default(),
        account.observed_at.map(|at| age(now.ms_since(at))).unwrap_or_default(),
        reason.map(why).unwrap_or_default(),
        w_id,
        account.wc_id.to_string(),
    ]
}

/// A span in its largest unit, as settings write spans.
fn age(ms: i64) -> String {
    let seconds = (ms / 1_000).max(0);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_was_asked_for_counts() {
        let account = |presence, stale| Account { presence, stale, ..Account::new("wxid_a".into()) };
        for (shown, asked_for, expected) in [
            (vec![account(Presence::Online, false)], true, Exit::Done),
            (vec![account(Presence::Online, false), account(Presence::Offline, false)], true, Exit::NotOnline),
            (vec![account(Presence::Online, true)], true, Exit::NotOnline),
            (vec![account(Presence::Unknown, false)], true, Exit::NotOnline),
            (vec![account(Presence::Offline, false)], false, Exit::Done),
            (vec![], false, Exit::Done),
        ] {
            assert_eq!(exit(&shown, asked_for), expected, "{shown:?}");
        }
    }

    #[test]
    fn ages_are_in_their_largest_unit() {
        let ages: Vec<String> =
            [-5, 0, 119_999, 120_000, 7_199_000, 7_200_000, 172_800_000].into_iter().map(age).collect();
        assert_eq!(ages, ["0s", "0s", "119s", "2m", "119m", "2h", "2d"]);
    }
}
