//! Asking the gateway now: lists, what they agree on, and what the store is told. The engine's judge does this over
//! hours; this one does it within seconds.

use std::collections::BTreeMap;
use std::time::Duration;

use super::context::{Context, now};
use super::exit::Exit;
use super::fail::Failure;
use super::orphans;
use crate::config::Profile;
use crate::engine::presence::taken_offline;
use crate::gateway::{Error, Gateway, Kind};
use crate::model::{Account, Presence, Reason, Source, Stamp, WId, WcId};
use crate::store::{Store, Verdict};

/// The time between two lists that have to agree.
const BETWEEN: Duration = Duration::from_secs(1);
/// More lists than this are never asked for at once, whatever `offline_after` says.
const MAX_LISTS: u32 = 5;

/// One fleet list and when its request was started. V1's has no wIds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// When the request was started.
    pub at: Stamp,
    /// Who is online.
    pub online: BTreeMap<WcId, Option<WId>>,
}

/// What lists come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// What is believed of known accounts now.
    pub verdicts: Vec<Verdict>,
    /// Accounts that were not known.
    pub unknown: Vec<(WcId, Option<WId>)>,
    /// Accounts whose wId is another than we knew, as two lists in a row say.
    pub adopt: Vec<(WcId, WId)>,
}

/// How the asking went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The store knows what the gateway said.
    Told,
    /// V1 without a password: nothing could be asked.
    NeedsPassword,
}

/// Whether one list is enough: nobody is missing who was not believed off line, and no wId is news.
pub fn is_settled(accounts: &[Account], list: &List) -> bool {
    accounts.iter().all(|account| match list.online.get(&account.wc_id) {
        Some(w_id) => !is_news(account, w_id.as_ref()),
        None => account.presence == Presence::Offline,
    })
}

fn is_news(account: &Account, w_id: Option<&WId>) -> bool {
    w_id.is_some() && account.w_id.as_ref() != w_id
}

/// Judges lists in the order they came. Who is in the last one is online; who is in none is off line, unless a drop
/// needs more lists than came; whose lists disagree is left as believed.
pub fn judge(accounts: &[Account], lists: &[List], offline_after: u32) -> Judged {
    let Some((last, earlier)) = lists.split_last() else { return Judged::default() };
    let mut judged = Judged::default();
    for account in accounts {
        let verdict = |presence, reason| Verdict {
            wc_id: account.wc_id.clone(),
            presence,
            source: Source::List,
            at: last.at,
            reason,
        };
        if let Some(w_id) = last.online.get(&account.wc_id) {
            judged.verdicts.push(verdict(Presence::Online, None));
            let agreed = earlier.last().is_some_and(|list| list.online.get(&account.wc_id) == Some(w_id));
            if let Some(w_id) = w_id.as_ref().filter(|w_id| agreed && is_news(account, Some(w_id))) {
                judged.adopt.push((account.wc_id.clone(), w_id.clone()));
            }
            continue;
        }
        let missing_in_all = lists.iter().all(|list| !list.online.contains_key(&account.wc_id));
        let enough = account.presence == Presence::Offline || lists.len() >= wanted_lists(offline_after);
        if missing_in_all && enough {
            let reason = if account.presence == Presence::Online { Some(Reason::Dropped) } else { account.reason };
            judged.verdicts.push(verdict(Presence::Offline, reason));
        }
    }
    judged.unknown = last
        .online
        .iter()
        .filter(|(wc_id, _)| !accounts.iter().any(|account| account.wc_id == **wc_id))
        .map(|(wc_id, w_id)| (wc_id.clone(), w_id.clone()))
        .collect();
    judged
}

fn wanted_lists(offline_after: u32) -> usize {
    offline_after.clamp(1, MAX_LISTS) as usize
}

/// Goes on with what dead processes left, asks the gateway, judges, tells the store, and the bots of what is new.
pub async fn ask(context: &Context, profile: &Profile, store: &Store) -> Result<Asked, Failure> {
    let gateway = context.gateway(profile)?;
    orphans::go_on(context, profile, store).await?;
    let asked = ask_lists(context, profile, store, &gateway).await?;
    orphans::tell(context, profile, store).await?;
    Ok(asked)
}

async fn ask_lists(context: &Context, profile: &Profile, store: &Store, gateway: &Gateway) -> Result<Asked, Failure> {
    let password = if profile.dialect.value.lists_w_ids() {
        None
    } else {
        match context.config.password(profile).map_err(|error| Failure::config(context.lang, &error))? {
            Some(password) => Some(password.value),
            None => return Ok(Asked::NeedsPassword),
        }
    };
    let one = || async {
        let at = now();
        let online = match &password {
            None => gateway.query_login_wx().await?.into_iter().map(|(wc_id, w_id)| (wc_id, Some(w_id))).collect(),
            Some(password) => {
                let wc_ids = gateway.get_login_wc_ids(&profile.account.value, password).await?;
                wc_ids.into_iter().map(|wc_id| (wc_id, None)).collect()
            }
        };
        Ok(List { at, online })
    };
    let fail = |error: Error| Failure::gateway(context.lang, &error);
    let store_failed = |error| Failure::store(context.lang, &error);

    let first = match one().await {
        // A suspect token is confirmed by a second harmless call (design.md §4).
        Err(Error { kind: Kind::TokenSuspect, .. }) => one().await.map_err(fail)?,
        answer => answer.map_err(fail)?,
    };
    let accounts = store.accounts().await.map_err(store_failed)?;
    let offline_after = context.config.watch.offline_after.value;
    let settled = is_settled(&accounts, &first);
    let mut lists = vec![first];
    if !settled {
        while lists.len() < wanted_lists(offline_after).max(2) {
            tokio::time::sleep(BETWEEN).await;
            lists.push(one().await.map_err(fail)?);
        }
    }
    let judged = judge(&accounts, &lists, offline_after);
    let at = lists.last().map_or_else(now, |list| list.at);
    store.note_list(at, &judged.verdicts, &judged.unknown, &[]).await.map_err(store_failed)?;
    // A wId that was known but not certain (imported) is confirmed by one list that carries it.
    let listed: Vec<(WcId, WId)> = lists
        .last()
        .map(|list| &list.online)
        .into_iter()
        .flatten()
        .filter_map(|(wc_id, w_id)| Some((wc_id.clone(), w_id.clone()?)))
        .collect();
    store.confirm_w_ids(&listed).await.map_err(store_failed)?;
    for (wc_id, w_id) in &judged.adopt {
        store.adopt(None, wc_id, w_id, at).await.map_err(store_failed)?;
    }
    Ok(Asked::Told)
}

/// Takes accounts off line at the gateway and tells the store.
pub async fn take_offline(context: &Context, profile: &Profile, store: &Store, wc_ids: &[WcId]) -> Result<(), Failure> {
    let gateway = context.gateway(profile)?;
    let at = now();
    if let Err(error) = gateway.member_offline(&profile.account.value, wc_ids).await {
        // Not repeated to confirm a suspect token: the list is the harmless call, where there is one.
        let confirmed = error.kind != Kind::TokenSuspect
            || !profile.dialect.value.lists_w_ids()
            || matches!(gateway.query_login_wx().await, Err(Error { kind: Kind::TokenSuspect, .. }));
        let failure = Failure::gateway(context.lang, &error);
        return Err(if confirmed {
            failure
        } else {
            Failure::of_reason(context.lang, Reason::GatewaySaid, error.gateway_message.as_deref(), Exit::Other)
        });
    }
    store.note(&taken_offline(wc_ids, at), &[]).await.map_err(|error| Failure::store(context.lang, &error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(at: i64, online: &[(&str, Option<&str>)]) -> List {
        let online = online.iter().map(|(wc_id, w_id)| ((*wc_id).into(), w_id.map(WId::from))).collect();
        List { at: Stamp(at), online }
    }

    fn account(wc_id: &str, presence: Presence, w_id: Option<&str>) -> Account {
        Account { presence, w_id: w_id.map(WId::from), w_id_confirmed: w_id.is_some(), ..Account::new(wc_id.into()) }
    }

    fn told(judged: &Judged) -> Vec<(&str, Presence, Option<Reason>)> {
        judged.verdicts.iter().map(|v| (v.wc_id.as_str(), v.presence, v.reason)).collect()
    }

    #[test]
    fn a_drop_needs_agreeing_lists() {
        let accounts = [account("a", Presence::Online, Some("1")), account("b", Presence::Offline, None)];
        let gone = [list(1, &[]), list(2, &[])];
        assert!(!is_settled(&accounts, &gone[0]));
        assert_eq!(told(&judge(&accounts, &gone[..1], 2)), [("b", Presence::Offline, None)]);
        assert_eq!(
            told(&judge(&accounts, &gone, 2)),
            [("a", Presence::Offline, Some(Reason::Dropped)), ("b", Presence::Offline, None)]
        );
        // Back in the second list: nothing dropped.
        let back = [list(1, &[]), list(2, &[("a", Some("1"))])];
        assert_eq!(told(&judge(&accounts, &back, 2)).first(), Some(&("a", Presence::Online, None)));
        // Gone only in the last list: left as believed.
        let flaps = [list(1, &[("a", Some("1"))]), list(2, &[])];
        assert_eq!(told(&judge(&accounts, &flaps, 2)), [("b", Presence::Offline, None)]);
    }

    #[test]
    fn a_new_w_id_needs_two_lists_in_a_row() {
        let accounts = [account("a", Presence::Online, Some("1"))];
        let same = list(1, &[("a", Some("1"))]);
        assert!(is_settled(&accounts, &same));
        assert_eq!(judge(&accounts, std::slice::from_ref(&same), 2).adopt, []);
        let other = [list(1, &[("a", Some("2"))]), list(2, &[("a", Some("2"))])];
        assert!(!is_settled(&accounts, &other[0]));
        assert_eq!(judge(&accounts, &other[..1], 2).adopt, []);
        assert_eq!(judge(&accounts, &other, 2).adopt, [("a".into(), "2".into())]);
        let differ = [list(1, &[("a", Some("2"))]), list(2, &[("a", Some("3"))])];
        assert_eq!(judge(&accounts, &differ, 2).adopt, []);
        // V1's list names no wId: the old one stays.
        let v1 = [list(1, &[("a", None)]), list(2, &[("a", None)])];
        assert!(is_settled(&accounts, &v1[0]));
        assert_eq!(judge(&accounts, &v1, 2).adopt, []);
    }

    #[test]
    fn strangers_become_accounts() {
        let judged = judge(&[], &[list(1, &[("x", Some("9"))])], 2);
        assert_eq!(judged.unknown, [("x".into(), Some("9".into()))]);
        assert_eq!(judged.verdicts, []);
    }
}
