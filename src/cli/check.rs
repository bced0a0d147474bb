//! Asking the gateway now: lists, what they agree on, and what the store is told. The same judge as the engine's, which
//! does over hours what is done here within seconds.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use super::context::{Context, now};
use super::exit::Exit;
use super::fail::Failure;
use super::orphans;
use crate::config::Profile;
use crate::engine::presence::{self, Again, Answer, Judge, Rules, is_stale_in_outage, taken_offline};
use crate::engine::unread;
use crate::gateway::{Error, Gateway, Kind, Online};
use crate::model::{Account, Attempt, AttemptState, Began, Reason, WcId};
use crate::store::{self, Store};

/// The time between two lists that have to agree.
const BETWEEN: Duration = Duration::from_secs(1);
/// The same where the first one is not believed.
const SUSPECT: Duration = Duration::from_secs(5);
/// More lists than this are never asked for at once, whatever `offline_after` says.
const MAX_LISTS: u32 = 5;

/// How the asking went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The store knows what the gateway said.
    Told,
    /// The lists cannot be believed, the first of them asked for then: what is believed is from before, and stale.
    Doubted(Began),
    /// V1 without a password: nothing could be asked.
    NeedsPassword,
}

impl Asked {
    /// The accounts, those stale that this asking has put in doubt.
    pub fn age(self, accounts: Vec<Account>) -> Vec<Account> {
        let Self::Doubted(since) = self else { return accounts };
        let aged =
            |account: Account| Account { stale: account.stale || is_stale_in_outage(&account, Some(since)), ..account };
        accounts.into_iter().map(aged).collect()
    }
}

/// Goes on with what dead processes left, asks the gateway, judges, tells the store, and the bots of what is new.
pub async fn ask(context: &Context, profile: &Profile, store: &Store) -> Result<Asked, Failure> {
    let gateway = context.gateway(profile)?;
    orphans::go_on(context, profile, store).await?;
    let asked = ask_lists(context, profile, store, &gateway).await;
    // Also where the gateway is down: what waits has nothing to do with that.
    let told = orphans::tell(context, profile, store).await;
    asked.and_then(|asked| told.map(|()| asked))
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
    let started = Instant::now();
    let begin = async || begin(context, store, started).await;
    let one = async |began: Began| {
        let online = match &password {
            None => gateway.query_login_wx().await?,
            Some(password) => gateway.get_login_wc_ids(&profile.account.value, password).await?,
        };
        Ok((began, online))
    };
    let fail = |error: Error| Failure::gateway(context.lang, &error);
    let mut list = match one(begin().await?).await {
        // A suspect token is confirmed by a second harmless call (design.md §4).
        Err(Error { kind: Kind::TokenSuspect, .. }) => one(begin().await?).await.map_err(fail)?,
        answer => answer.map_err(fail)?,
    };
    let offline_after = context.config.watch.offline_after.value.clamp(1, MAX_LISTS - 1);
    let offline_after = u8::try_from(offline_after).unwrap_or(u8::MAX);
    let mut judge = Judge::new(Rules { offline_after, checks: profile.dialect.value.lists_w_ids() });
    let since = list.0;
    for more in (0..MAX_LISTS).rev() {
        let judged = judge_list(&mut judge, gateway, store, &list).await;
        let (plausible, again) = judged.map_err(|error| Failure::store(context.lang, &error))?;
        if let Some(since) = judge.outage() {
            // Asking on would not settle it.
            return Ok(Asked::Doubted(since));
        }
        if more == 0 || !judge.is_undecided() {
            return Ok(if plausible { Asked::Told } else { Asked::Doubted(since) });
        }
        tokio::time::sleep(if again == Some(Again::Suspect) { SUSPECT } else { BETWEEN }).await;
        list = one(begin().await?).await.map_err(fail)?;
    }
    Ok(Asked::Told)
}

/// A question is about to leave.
async fn begin(context: &Context, store: &Store, started: Instant) -> Result<Began, Failure> {
    let order = store.order().await.map_err(|error| Failure::store(context.lang, &error))?;
    Ok(Began { at: now(), mono: started.elapsed(), order })
}

/// Judges a list and stores what it proves. Whether it is believed, and when the next should be asked, if that is not as
/// usual.
async fn judge_list(
    judge: &mut Judge,
    gateway: &Gateway,
    store: &Store,
    (began, list): &(Began, Online),
) -> Result<(bool, Option<Again>), store::Error> {
    let accounts: HashMap<WcId, Account> =
        store.accounts().await?.into_iter().map(|account| (account.wc_id.clone(), account)).collect();
    // Who is being logged in right now is between two instances.
    let open = |attempt: &Attempt| attempt.state == AttemptState::Open && store.is_able(&attempt.owner);
    let busy: HashSet<WcId> =
        store.attempts().await?.into_iter().filter(open).filter_map(|attempt| attempt.wc_id).collect();
    let hidden = unread::hidden(list, &accounts, &busy);
    let checks = gateway.dialect().lists_w_ids();
    let online = &unread::filled_in(gateway, checks, list.clone(), hidden).await.entries;
    let mut judgement = judge.list(*began, online, &accounts, &busy);
    if !judgement.ask.is_empty() {
        let mut answers = Vec::with_capacity(judgement.ask.len());
        for (wc_id, w_id) in &judgement.ask {
            let answer = presence::answer(gateway.is_online(w_id).await);
            let enough = matches!(answer, Answer::Online | Answer::Failed);
            answers.push((wc_id.clone(), answer));
            if enough {
                // One is enough to know that the list cannot be believed.
                break;
            }
        }
        judgement = judge.asked(*began, online, &answers, &accounts, &busy);
    }
    if !judgement.plausible {
        // What is believed is left as it is; an outage is the observer's to tell.
        return Ok((false, judgement.again));
    }
    store.doubt_w_ids(&judgement.doubt, *began).await?;
    store.note_list(*began, &judgement.verdicts, &judgement.unknown, &judgement.alerts).await?;
    // A wId that was known but not certain (imported) is confirmed by one list that carries it.
    store.confirm_w_ids(&judgement.confirm).await?;
    for (wc_id, w_id, first) in &judgement.adopt {
        store.adopt(None, wc_id, w_id, [*first, *began]).await?;
    }
    Ok((true, judgement.again))
}

/// Takes accounts off line at the gateway and tells the store.
pub async fn take_offline(context: &Context, profile: &Profile, store: &Store, wc_ids: &[WcId]) -> Result<(), Failure> {
    let gateway = context.gateway(profile)?;
    let began = begin(context, store, Instant::now()).await?;
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
    store.note(&taken_offline(wc_ids, began), &[]).await.map_err(|error| Failure::store(context.lang, &error))?;
    Ok(())
}
