//! What happened in the demo before it began: a day of lists, drops and logins, the same for the same seed. Written
//! through the store's own calls in the order of time, as a watching saoma would have written it.

use super::people::{FIRST_DAY, REFUSED, notes};
use crate::model::{Account, Began, Device, DeviceEdit, Presence, Reason, Record, Rung, Source, Stamp, WId, WcId};
use crate::simulator::{SimAccount, SimDevice, Simulator};
use crate::store::{Begun, Edit, Result, SECOND_LOGIN_FAILED, Store, Verdict};

/// Between two lists of the past: close enough that the store takes them for one watch.
const STEP_MS: i64 = 14 * 60_000;
/// How many lists there were: a day of them and a little more. Each is a transaction that reaches the disk.
const STEPS: usize = 112;
const HOUR_MS: i64 = 3_600_000;
const MINUTE_MS: i64 = 60_000;

/// One account's day.
struct Course {
    wc_id: WcId,
    name: String,
    number: String,
    /// The wId it has now, if it is online.
    live: Option<WId>,
    /// Whether it is online, list by list.
    online: Vec<bool>,
    /// The lists at which it came back by a login of its operator's.
    logins: Vec<usize>,
}

/// Fills the store: accounts with names, holders and the wIds of their last logins, what happened to them, and how they
/// are at `at`. Gives the accounts.
pub(super) async fn fill(
    store: &Store,
    simulator: &Simulator,
    known: &[SimAccount],
    seed: u64,
    at: Stamp,
) -> Result<Vec<Account>> {
    let online = simulator.online();
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut edits = (Vec::new(), Vec::new());
    let mut courses = Vec::new();
    for (number, account) in known.iter().filter(|account| account.known || account.online).enumerate() {
        let wc_id = WcId::from(account.wc_id.as_str());
        let live = online.iter().find(|(id, _)| *id == wc_id).map(|(_, w_id)| w_id.clone());
        let notes = notes(&account.wc_id, number);
        let is_new = account.wc_id == FIRST_DAY;
        let edit = Edit {
            // Whoever is new was only named before.
            w_id: (!is_new).then(|| live.clone().unwrap_or_else(|| former_w_id(number, 0))),
            was_logged_in: false,
            nick_name: Some(account.nick_name.as_str().into()),
            w_account: Some(account.w_account.as_str().into()),
            holder: Some(notes.holder.into()),
            tags: Some(notes.tags.iter().map(|tag| (*tag).into()).collect()),
            note: Some(notes.note.into()),
            device: account.device.as_ref().map(device_of),
        };
        if is_new { &mut edits.1 } else { &mut edits.0 }.push((wc_id.clone(), edit));
        let mut course = Course {
            wc_id,
            name: account.nick_name.clone(),
            number: account.w_account.clone(),
            live,
            online: vec![true; STEPS],
            logins: Vec::new(),
        };
        course.imagine(&mut rng, is_new);
        courses.push(course);
    }
    store.import(&edits.0, at.plus_ms(-30 * 24 * HOUR_MS)).await?;
    store.import(&edits.1, at.plus_ms(-FIRST_SEEN_MS)).await?;
    for step in 0..STEPS {
        let back = i64::try_from(STEPS - 1 - step).unwrap_or(0) * STEP_MS;
        play(store, &courses, step, at.plus_ms(-back)).await?;
    }
    refuse(store, &courses, at).await?;
    store.confirm_w_ids(&online).await?;
    store.accounts().await
}

/// What an operator would have set for an account that lives on this device.
pub(super) fn device_of(known: &SimDevice) -> Device {
    let tunnel = |name: &str| known.network.strip_prefix(name).map(str::to_owned);
    let (aid, ttuid) = (tunnel("aid:"), tunnel("ttuid:"));
    let proxy = (aid.is_none() && ttuid.is_none()).then(|| known.network.clone());
    let set = DeviceEdit { device_type: Some(known.device_type.clone()), proxy, aid, ttuid, ..DeviceEdit::default() };
    // What is no device of V3 is none of an operator's either.
    set.apply(None).unwrap_or_default()
}

/// When the newest account was signed in.
const FIRST_SEEN_MS: i64 = 20 * HOUR_MS;

impl Course {
    /// Thinks up when it was off line, so that it ends as it is now.
    fn imagine(&mut self, rng: &mut fastrand::Rng, is_new: bool) {
        let steps = |ms: i64| usize::try_from(ms / STEP_MS).unwrap_or(0);
        let mut drops: Vec<(usize, usize)> = Vec::new();
        if is_new {
            // Not there before its first login; its drop of the first day is the last thing that happened.
            drops.push((0, STEPS - steps(FIRST_SEEN_MS)));
        } else {
            for _ in 0..[0, 0, 0, 1, 1, 2].get(rng.usize(..6)).copied().unwrap_or(0) {
                let begin = rng.usize(4..STEPS - steps(9 * HOUR_MS));
                drops.push((begin, begin + rng.usize(1..steps(3 * HOUR_MS))));
            }
        }
        if self.live.is_none() {
            let since = rng.usize(1..steps(8 * HOUR_MS));
            drops.push((STEPS - since, STEPS));
        }
        for (begin, end) in drops {
            for online in self.online.iter_mut().take(end).skip(begin) {
                *online = false;
            }
        }
        for step in 1..STEPS {
            let comes = self.was_online(step) && !self.was_online(step - 1);
            // Some come back by themselves, most by a login.
            if comes && !is_new && rng.u8(0..4) > 0 {
                self.logins.push(step);
            }
        }
    }

    fn was_online(&self, step: usize) -> bool {
        self.online.get(step).copied().unwrap_or(false)
    }
}

/// One list of the past, after the logins that came before it.
async fn play(store: &Store, courses: &[Course], step: usize, at: Stamp) -> Result<()> {
    let began = Began { at, order: store.order().await?, ..Began::default() };
    let mut verdicts = Vec::new();
    for (number, course) in courses.iter().enumerate() {
        let online = course.was_online(step);
        if course.logins.contains(&step) {
            let last = course.logins.last() == Some(&step);
            let w_id = course.live.clone().filter(|_| last).unwrap_or_else(|| former_w_id(number, step));
            log_in(store, course, w_id, at.plus_ms(-3 * MINUTE_MS)).await?;
        } else if step == 0 || online != course.was_online(step - 1) || step + 1 == STEPS {
            let is_new = course.wc_id.as_str() == FIRST_DAY && step == 0;
            let presence = if online { Presence::Online } else { Presence::Offline };
            let reason = (!online && step > 0).then_some(Reason::Dropped);
            if course.wc_id.as_str() == FIRST_DAY && online && step + 1 < STEPS {
                let w_id = course.live.clone().unwrap_or_else(|| former_w_id(number, 0));
                log_in(store, course, w_id, at.plus_ms(-3 * MINUTE_MS)).await?;
            }
            if !is_new {
                let (wc_id, source) = (course.wc_id.clone(), Source::List);
                verdicts.push(Verdict { wc_id, presence, source, began, reason });
            }
        }
    }
    store.note_list(began, &verdicts, &[], &[]).await?;
    Ok(())
}

/// A login as it happened, by code: the day's second logins are left to whoever plays with the demo.
async fn log_in(store: &Store, course: &Course, w_id: WId, at: Stamp) -> Result<()> {
    let Begun::Started(attempt) = store.begin_attempt(Some(&course.wc_id), Rung::QrLogin, at).await? else {
        return Ok(());
    };
    store.attempt_requesting(&attempt, Rung::QrLogin, at).await?;
    let record = Record {
        wc_id: course.wc_id.clone(),
        w_id,
        nick_name: course.name.as_str().into(),
        w_account: course.number.as_str().into(),
        sex: None,
        avatar_url: "".into(),
    };
    store.store_login(&attempt, &record, at.plus_ms(MINUTE_MS)).await?;
    Ok(())
}

/// One phone said no a few minutes ago, twice in a row.
async fn refuse(store: &Store, courses: &[Course], at: Stamp) -> Result<()> {
    let Some(course) = courses.iter().find(|course| course.wc_id.as_str() == REFUSED && course.live.is_none()) else {
        return Ok(());
    };
    for minutes in [24, 9] {
        let at = at.plus_ms(-minutes * MINUTE_MS);
        if let Begun::Started(attempt) = store.begin_attempt(Some(&course.wc_id), Rung::SecondLogin, at).await? {
            store.attempt_requesting(&attempt, Rung::SecondLogin, at).await?;
            let words = Some("二次登录失败，请重新扫码登录");
            let reason = Some(Reason::Refused);
            store.refused(&course.wc_id, words, at.plus_ms(MINUTE_MS)).await?;
            store.end_attempt(&attempt, SECOND_LOGIN_FAILED, reason, words, at.plus_ms(MINUTE_MS)).await?;
        }
    }
    Ok(())
}

/// A wId under which an account was online before.
fn former_w_id(number: usize, step: usize) -> WId {
    WId::new(format!("5a0a0000-0000-4000-8{step:03}-{number:012}"))
}

#[cfg(test)]
mod tests {
    use super::super::people;
    use super::*;
    use crate::simulator::{Setup, demo_setup};
    use crate::store::Scope;

    const AT: Stamp = Stamp(1_768_473_000_000);

    async fn filled(seed: u64) -> (Vec<Account>, Vec<(Stamp, Option<WcId>, Box<str>)>) {
        let mut accounts = demo_setup(seed).accounts;
        accounts.extend(people::more());
        let setup = Setup { seed, accounts: accounts.clone(), ..Setup::default() };
        let simulator = Simulator::start(setup).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        // The gateway's address is another one each time; the profile's key is not what is compared.
        let profile = crate::model::ProfileId::new("p");
        let scope = Scope { profile, name: "demo".into(), cause: "screen", receivers: Vec::new(), lists_w_ids: true };
        let store = Store::open(&folder.path().join("saoma.db"), scope).await.unwrap();
        let filled = fill(&store, &simulator, &accounts, seed, AT).await.unwrap();
        let log = store.recent(1_000).await.unwrap();
        store.close().await;
        (filled, log.into_iter().map(|entry| (entry.at, entry.wc_id, entry.event)).collect())
    }

    #[tokio::test]
    async fn the_past_ends_in_the_present_and_is_the_same_each_time() {
        let (accounts, log) = filled(7).await;
        let offline = accounts.iter().filter(|account| account.presence == Presence::Offline);
        let holders: std::collections::BTreeSet<_> = offline.clone().map(|account| &account.holder).collect();
        assert_eq!((accounts.len(), offline.count()), (14, 8));
        assert_eq!(holders.len(), 4, "{holders:?}");
        let first = accounts.iter().find(|account| account.wc_id.as_str() == FIRST_DAY).unwrap();
        assert!(first.is_first_drop(), "{first:?}");
        for account in accounts.iter().filter(|account| account.presence == Presence::Online) {
            assert!(account.w_id_confirmed, "{account:?}");
        }
        assert!(log.iter().filter(|(_, _, event)| &**event == "dropped").count() >= 8, "{log:?}");
        assert!(log.iter().any(|(_, _, event)| &**event == "logged_in"), "{log:?}");
        assert!(log.iter().all(|(at, ..)| *at <= AT), "{log:?}");
        let again = filled(7).await;
        assert_eq!(again, (accounts, log.clone()));
        assert_ne!(filled(8).await.1, log);
    }
}
