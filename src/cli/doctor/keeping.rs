//! The store: is it sound, who else has it open, who observes, which logins are under way.

use std::path::Path;

use super::super::context::{Context, local, now};
use super::super::fail::Failure;
use super::{Check, Mark, say};
use crate::config::Profile;
use crate::i18n::{Lang, t};
use crate::model::{AttemptState, Owner, Stamp};
use crate::store::{Health, Place, Store};

/// A file system with less free space than this is worth a word.
const LITTLE_ROOM: u64 = 64 * 1024 * 1024;

/// A stored time that lies this far ahead of the clock is worth a word.
const BEHIND_MS: i64 = 10_000;
/// A clock that stands this far past the last that was stored may be ahead: nothing is deleted by it yet.
const AHEAD_MS: i64 = 24 * 3_600_000;

/// Looks at everything that is in the store.
pub(super) async fn checks(context: &Context, profile: &Profile) -> Vec<Check> {
    let lang = context.lang;
    let store = match context.store(profile).await {
        Ok(store) => store,
        Err(failure) => return vec![Check::failed("store", failure)],
    };
    let checks = look(context, &store).await;
    store.close().await;
    checks.unwrap_or_else(|error| vec![Check::failed("store", Failure::store(lang, &error))])
}

async fn look(context: &Context, store: &Store) -> Result<Vec<Check>, crate::store::Error> {
    let lang = context.lang;
    let accounts = store.accounts().await?.len();
    let health = store.health().await?;
    let mut checks = vec![soundness(context, &health, accounts)];
    let watchers = store.watchers().await?;
    checks.push(match &watchers.observer {
        Some(place) => observer(lang, place),
        None => Check::new("observer", Mark::Warn, t(lang, "cli.doctor.no_observer"))
            .hint(t(lang, "cli.doctor.no_observer_hint")),
    });
    if let Some(since) = watchers.outage_since {
        let since = local(since.not_after(now()), "%Y-%m-%d %H:%M:%S");
        checks.push(Check::new("outage", Mark::Fail, say(lang, "cli.doctor.outage", &[("since", &since)])));
    }
    checks.push(clock(lang, &health, now()));
    checks.push(logins(lang, store).await?);
    checks.extend(backlog(lang, &health));
    Ok(checks)
}

/// Who observes, and whether it is able to.
fn observer(lang: Lang, place: &Place) -> Check {
    let role = t(lang, if place.rank >= 2 { "cli.doctor.by_watch" } else { "cli.doctor.by_screen" });
    let since = started(&place.owner).map(|at| local(at, "%Y-%m-%d %H:%M")).unwrap_or_default();
    let seconds = place.unlisted.as_secs().to_string();
    let mut values = vec![("who", &*role), ("since", &since), ("seconds", &seconds)];
    if place.is_overdue() {
        return Check::new("observer", Mark::Fail, say(lang, "cli.doctor.observer_silent", &values))
            .hint(t(lang, "cli.doctor.observer_silent_hint"));
    }
    let Some(reason) = place.failing else {
        return Check::new("observer", Mark::Ok, say(lang, "cli.doctor.observer", &values));
    };
    let why = t(lang, &format!("reason.{}", reason.code()));
    values.push(("why", &why));
    Check::new("observer", Mark::Warn, say(lang, "cli.doctor.observer_failing", &values))
        .hint(t(lang, "cli.doctor.observer_failing_hint"))
}

fn soundness(context: &Context, health: &Health, accounts: usize) -> Check {
    let lang = context.lang;
    let path = context.config.database.value.display().to_string();
    if !health.damages.is_empty() {
        let values = [("path", path.as_str()), ("damage", &health.damages.join("; "))];
        return Check::new("store", Mark::Fail, say(lang, "cli.doctor.damaged", &values))
            .hint(t(lang, "cli.doctor.damaged_hint"));
    }
    let values = [
        ("path", path),
        ("count", accounts.to_string()),
        ("size", format!("{:.1}", health.bytes as f64 / 1_048_576.0)),
        ("version", health.version.to_string()),
        ("others", health.others.to_string()),
    ];
    let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
    let check = Check::new("store", Mark::Ok, say(lang, "cli.doctor.store", &values));
    let room = context.config.database.value.parent().and_then(free_room);
    if room.is_some_and(|room| room < LITTLE_ROOM) {
        return Check { mark: Mark::Warn, ..check }.hint(t(lang, "cli.doctor.little_room"));
    }
    check
}

/// Whether the clock agrees with what is stored.
fn clock(lang: Lang, health: &Health, now: Stamp) -> Check {
    let time = |at: Stamp| local(at, "%Y-%m-%d %H:%M:%S");
    let time_now = time(now);
    let warn = |key: &str, hint: &str, stored: Stamp| {
        let values = [("now", time_now.as_str()), ("stored", &time(stored))];
        Check::new("clock", Mark::Warn, say(lang, key, &values)).hint(t(lang, hint))
    };
    match (health.latest_stored, health.last_stored) {
        (Some(latest), _) if latest.ms_since(now) > BEHIND_MS => {
            warn("cli.doctor.clock_behind", "cli.doctor.clock_behind_hint", latest)
        }
        (_, Some(last)) if now.ms_since(last) > AHEAD_MS => {
            warn("cli.doctor.clock_ahead", "cli.doctor.clock_ahead_hint", last)
        }
        (Some(_) | None, Some(_) | None) => {
            Check::new("clock", Mark::Ok, say(lang, "cli.doctor.clock", &[("now", &time_now)]))
        }
    }
}

/// Bytes that an ordinary user may still write beside the store.
fn free_room(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

/// An owner's name says when its process came.
fn started(owner: &Owner) -> Option<Stamp> {
    let name = ulid::Ulid::from_string(&owner.0).ok()?;
    i64::try_from(name.timestamp_ms()).ok().map(Stamp)
}

async fn logins(lang: Lang, store: &Store) -> Result<Check, crate::store::Error> {
    let attempts = store.attempts().await?;
    let open = attempts.iter().filter(|attempt| attempt.state == AttemptState::Open).count();
    let orphans = attempts.iter().filter(|attempt| !store.is_able(&attempt.owner)).count();
    let values = [("open", open.to_string()), ("orphans", orphans.to_string())];
    let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
    let words = say(lang, "cli.doctor.logins", &values);
    Ok(if orphans == 0 {
        Check::new("logins", Mark::Ok, words)
    } else {
        Check::new("logins", Mark::Warn, words).hint(t(lang, "cli.doctor.orphans_hint"))
    })
}

/// One line per receiver that has not been told everything.
fn backlog(lang: Lang, health: &Health) -> Vec<Check> {
    if health.outbox.is_empty() {
        return vec![Check::new("outbox", Mark::Ok, t(lang, "cli.doctor.outbox_empty"))];
    }
    let one = |backlog: &crate::store::Backlog| {
        let values = [
            ("receiver", backlog.receiver.clone()),
            ("count", backlog.waiting.to_string()),
            ("tries", backlog.tries.to_string()),
            ("oldest", backlog.oldest.map(|at| local(at, "%Y-%m-%d %H:%M:%S")).unwrap_or_default()),
        ];
        let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
        let words = say(lang, "cli.doctor.outbox", &values);
        let stuck = backlog.tries > 0;
        // What has only just happened is on its way, if somebody runs who could tell it.
        let overdue = backlog.due.ms_since(now()) < -60_000;
        if stuck || overdue {
            Check::new("outbox", Mark::Warn, words).hint(t(lang, "cli.doctor.outbox_hint"))
        } else {
            Check::new("outbox", Mark::Ok, words)
        }
    };
    health.outbox.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_does_not_agree_with_the_store_is_named() {
        let now = Stamp(1_000_000_000);
        let hours = |hours: i64| now.plus_ms(hours * 3_600_000);
        for (last, latest, mark, part) in [
            (None, None, Mark::Ok, "the clock"),
            (Some(now), Some(now), Mark::Ok, "the clock"),
            (Some(hours(-24)), Some(hours(-24)), Mark::Ok, "the clock"),
            // It was ahead once, or is behind now.
            (Some(now), Some(hours(8)), Mark::Warn, "behind"),
            (Some(hours(8)), Some(hours(8)), Mark::Warn, "behind"),
            (Some(hours(-25)), Some(hours(-25)), Mark::Warn, "past the last"),
        ] {
            let health = Health { last_stored: last, latest_stored: latest, ..Health::default() };
            let check = clock(Lang::En, &health, now);
            assert_eq!((check.mark, check.hint.is_some()), (mark, mark == Mark::Warn), "{last:?} {latest:?}");
            assert!(check.message.contains(part), "{}", check.message);
        }
    }
}
