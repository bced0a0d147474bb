//! A clock that was wrong for one login, and is right then: hours ahead, as where the hardware's clock runs on local time
//! until the network has told the right one, or behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use saoma::engine::api::{Command, Event, LoginStep, Way};
use saoma::engine::presence::is_stale;
use saoma::model::{Dialect, Presence, Source, WId, WcId};
use saoma::simulator::Setup;

use super::rig::{Front, How, Rig, a_list, accounts, now, wait_until};
use super::wait_for_dialog;

const HOUR: i64 = 3_600_000;
const DIALECTS: [Dialect; 3] = [Dialect::V1, Dialect::V2, Dialect::V3];

async fn rig(dialect: Dialect, ahead_ms: i64) -> Rig {
    let setup = Setup { dialect, accounts: accounts(), ..Setup::default() };
    Rig::with(setup, How { ahead_ms: Arc::new(AtomicI64::new(ahead_ms)), ..How::default() }).await
}

async fn log_in(rig: &mut Rig) -> WId {
    rig.front.login("wxid_amy", Way::Qr);
    let code = rig.shown().await;
    rig.phone(&code, "wxid_amy");
    rig.front.logged_in().await
}

/// Asks for one list, and waits until it is judged.
async fn list(front: &mut Front) -> Presence {
    front.engine.send(Command::Refresh);
    a_list(front).await;
    front.account("wxid_amy").await.presence
}

/// Another process with a clock of its own takes the place of the first one.
async fn instead(rig: Rig, ahead_ms: i64) -> Rig {
    let Rig { sim, dir, dialect, front } = rig;
    front.stop().await;
    let front =
        Front::start(&sim, dir.path(), dialect, How { ahead_ms: Arc::new(AtomicI64::new(ahead_ms)), ..How::default() })
            .await;
    Rig { sim, dir, dialect, front }
}

#[tokio::test]
async fn a_clock_that_was_wrong_for_one_login_holds_nothing_up() {
    for dialect in DIALECTS {
        for wrong in [8 * HOUR, -8 * HOUR, 365 * 24 * HOUR] {
            let mut rig = rig(dialect, wrong).await;
            log_in(&mut rig).await;
            let mut rig = instead(rig, 0).await;
            assert_eq!(list(&mut rig.front).await, Presence::Online);
            rig.sim.drop_account(&WcId::from("wxid_amy")).unwrap();
            // As many lists as ever.
            assert_eq!(list(&mut rig.front).await, Presence::Online, "{dialect} {wrong}");
            assert_eq!(list(&mut rig.front).await, Presence::Offline, "{dialect} {wrong}");
            // And the next login is the current one.
            let w_id = log_in(&mut rig).await;
            let account = rig.front.account("wxid_amy").await;
            assert_eq!((account.presence, account.w_id_confirmed), (Presence::Online, true), "{dialect} {wrong}");
            assert_eq!((account.w_id.as_ref(), rig.live_w_id("wxid_amy")), (Some(&w_id), Some(w_id.clone())));
        }
    }
}

#[tokio::test]
async fn what_a_clock_that_was_ahead_has_seen_is_stale_until_it_is_seen_again() {
    for dialect in DIALECTS {
        let interval = Duration::from_secs(30);
        let mut rig = rig(dialect, 8 * HOUR).await;
        log_in(&mut rig).await;
        list(&mut rig.front).await;
        let mut rig = instead(rig, 0).await;
        assert!(is_stale(&rig.front.account("wxid_amy").await, now(), interval), "{dialect}");
        list(&mut rig.front).await;
        let seen = rig.front.account("wxid_amy").await;
        assert!(!is_stale(&seen, now(), interval), "{dialect}: {seen:?}");
        // Nor does a list of the clock that was ahead count as the newest one.
        assert!(rig.front.store.last_list().await.unwrap().unwrap().0 <= now());
    }
}

#[tokio::test]
async fn another_w_id_is_adopted_after_a_clock_that_was_ahead() {
    for dialect in [Dialect::V2, Dialect::V3] {
        let mut rig = rig(dialect, 8 * HOUR).await;
        log_in(&mut rig).await;
        let mut rig = instead(rig, 0).await;
        // Somebody else logs it in.
        rig.sim.drop_account(&WcId::from("wxid_amy")).unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let mut stranger = Front::start(&rig.sim, elsewhere.path(), dialect, How::default()).await;
        stranger.login("wxid_amy", Way::Second);
        stranger.step("the dialog", |step| matches!(step, LoginStep::SecondLoginSent { .. })).await;
        wait_for_dialog(&rig, "wxid_amy").await;
        rig.sim.confirm(Some(WcId::from("wxid_amy"))).unwrap();
        let w_id = stranger.logged_in().await;
        list(&mut rig.front).await;
        list(&mut rig.front).await;
        let adopted = rig.front.account_is("wxid_amy", "adopted", |account| account.w_id.as_ref() == Some(&w_id)).await;
        assert_eq!((adopted.presence, adopted.w_id_confirmed), (Presence::Online, true), "{dialect}");
    }
}

#[tokio::test]
async fn a_rest_ends_when_it_should_after_a_clock_that_was_ahead() {
    let mut rig = rig(Dialect::V2, 365 * 24 * HOUR).await;
    rig.front.login("wxid_amy", Way::Second);
    rig.front.step("the dialog", |step| matches!(step, LoginStep::SecondLoginSent { .. })).await;
    wait_for_dialog(&rig, "wxid_amy").await;
    rig.sim.cancel(Some(WcId::from("wxid_amy"))).unwrap();
    rig.front.end().await;
    assert!(rig.front.account("wxid_amy").await.budget.unwrap().rests_until.unwrap().ms_since(now()) > HOUR);
    let rig = instead(rig, 0).await;
    let brought_back = |account: &saoma::model::Account| {
        let until = account.budget.as_ref().and_then(|budget| budget.rests_until);
        until.is_some_and(|until| until.ms_since(now()) <= 600_000)
    };
    rig.front.account_is("wxid_amy", "resting for ten minutes", brought_back).await;
}

#[tokio::test]
async fn an_engine_that_runs_bears_a_clock_that_is_set_at_every_step() {
    for dialect in DIALECTS {
        let clock = Arc::new(AtomicI64::new(0));
        let folder = tempfile::tempdir().unwrap();
        let told = folder.path().join("told");
        let how = How {
            interval: Some(Duration::from_millis(100)),
            ahead_ms: Arc::clone(&clock),
            hook: Some(format!("cat >> '{}'", told.display())),
            ..How::default()
        };
        let setup = Setup { dialect, accounts: accounts(), ..Setup::default() };
        let mut rig = Rig::with(setup, how).await;
        let amy = WcId::from("wxid_amy");
        let jumps = [600_000, -600_000, 8 * HOUR, -8 * HOUR, 365 * 24 * HOUR, -365 * 24 * HOUR];
        for (round, jump) in jumps.into_iter().enumerate() {
            let set = |ms: i64| clock.store(ms, Ordering::Relaxed);
            rig.front.login("wxid_amy", Way::Qr);
            set(jump);
            let code = rig.shown().await;
            set(0);
            let asked = rig.sim.scan_code(&code, Some(amy.clone())).unwrap();
            set(jump);
            rig.sim.confirm(Some(asked.wc_id)).unwrap();
            let w_id = rig.front.logged_in().await;
            assert_eq!(rig.live_w_id("wxid_amy"), Some(w_id.clone()));
            set(0);
            let seen = rig.front.account_is("wxid_amy", "seen by a list", |account| {
                account.source == Some(Source::List) && account.presence == Presence::Online
            });
            assert_eq!(seen.await.w_id, Some(w_id), "{dialect} {jump}");
            rig.sim.drop_account(&amy).unwrap();
            set(jump);
            rig.front.until("a drop", |event| matches!(event, Event::Dropped { .. }).then_some(())).await;
            set(0);
            // Told at once, whatever the clock said when it was written down.
            let count = |event: &str| std::fs::read_to_string(&told).unwrap_or_default().matches(event).count();
            let is_told = || (count("\"logged_in\""), count("\"dropped\",")) >= (round + 1, round + 1);
            wait_until(&format!("{dialect} {jump}: the alerts"), is_told).await;
        }
    }
}
