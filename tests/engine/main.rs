//! The engine against the simulated gateway over real HTTP.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod able;
mod clock;
mod conveyor;
mod first;
mod logins;
mod odd;
mod presence;
mod rig;

use std::time::Duration;

use rig::{How, Rig, accounts};
use saoma::engine::api::{Command, Event, Fleet, LoginStep, Token, Way};
use saoma::model::{Dialect, Edit, Presence, Reason, Source, WcId};
use saoma::simulator::{Fault, Knobs, ReplyWId, Setup};

const BOTH: [Dialect; 2] = [Dialect::V1, Dialect::V2];

#[tokio::test]
async fn a_qr_login_swaps_the_w_id_before_it_is_told() {
    for dialect in BOTH {
        let mut rig = Rig::new(dialect).await;
        rig.front.login("wxid_amy", Way::Qr);
        let code = rig.shown().await;
        rig.phone(&code, "wxid_amy");
        let w_id = rig.front.logged_in().await;
        assert_eq!(Some(&w_id), rig.live_w_id("wxid_amy").as_ref(), "{dialect}");
        let account = rig.front.account("wxid_amy").await;
        assert_eq!(account.w_id, Some(w_id));
        assert!(account.w_id_confirmed);
        assert_eq!((account.presence, account.source), (Presence::Online, Some(Source::Login)));
        assert_eq!(account.nick_name.as_ref(), "Amy 客服");
        // The known account's device was asked for, once.
        assert_eq!(rig.calls("iPadLogin"), [Some("wxid_amy".to_owned())]);
        assert!(rig.calls("secondLogin").is_empty());
        assert!(rig.front.store.attempts().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn every_w_id_a_reply_may_carry_is_the_one_that_is_kept() {
    for reply in [ReplyWId::Same, ReplyWId::Different, ReplyWId::Missing] {
        let knobs = Knobs { reply_w_id: reply, ..Knobs::default() };
        let setup = Setup { accounts: accounts(), knobs, ..Setup::default() };
        let mut rig = Rig::with(setup, How::default()).await;
        rig.front.login("wxid_amy", Way::Qr);
        let code = rig.shown().await;
        rig.phone(&code, "wxid_amy");
        let w_id = rig.front.logged_in().await;
        assert_eq!(Some(w_id), rig.live_w_id("wxid_amy"), "{reply:?}");
    }
}

#[tokio::test]
async fn a_second_login_rings_the_phone_once() {
    for dialect in BOTH {
        let mut rig = Rig::new(dialect).await;
        rig.front.login("wxid_amy", Way::Second);
        rig.front.step("the dialog", |step| matches!(step, LoginStep::SecondLoginSent { .. })).await;
        wait_for_dialog(&rig, "wxid_amy").await;
        rig.sim.confirm(Some(WcId::from("wxid_amy"))).unwrap();
        let w_id = rig.front.logged_in().await;
        assert_eq!(Some(w_id), rig.live_w_id("wxid_amy"), "{dialect}");
        assert_eq!(rig.sim.dialogs(&WcId::from("wxid_amy")), 1);
    }
}

pub(crate) async fn wait_for_dialog(rig: &Rig, wc_id: &str) {
    let wc_id = WcId::from(wc_id);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while rig.sim.dialogs(&wc_id) == 0 {
        assert!(tokio::time::Instant::now() < deadline, "no dialog on the phone of {wc_id}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn the_ladder_goes_down_to_a_code_when_the_phone_refuses() {
    for dialect in BOTH {
        let mut rig = Rig::new(dialect).await;
        rig.front.login("wxid_amy", Way::Ladder);
        wait_for_dialog(&rig, "wxid_amy").await;
        rig.sim.cancel(Some(WcId::from("wxid_amy"))).unwrap();
        rig.front
            .step("the refusal", |step| {
                matches!(step, LoginStep::SecondLoginFailed { reason: Reason::Refused, gateway_message: Some(_) })
            })
            .await;
        let code = rig.shown().await;
        rig.phone(&code, "wxid_amy");
        rig.front.logged_in().await;
        assert_eq!(rig.calls("iPadLogin"), [Some("wxid_amy".to_owned())], "{dialect}");
        assert_eq!(rig.sim.dialogs(&WcId::from("wxid_amy")), 1);
    }
}

#[tokio::test]
async fn the_ladder_adopts_an_account_that_is_online_already() {
    let mut rig = Rig::new(Dialect::V2).await;
    rig.front.login("wxid_cai", Way::Ladder);
    let (_, step) = rig.front.end().await;
    let LoginStep::Adopted { w_id, previous_w_id: None } = step else { panic!("{step:?}") };
    assert_eq!(Some(&w_id), rig.live_w_id("wxid_cai").as_ref());
    assert_eq!(rig.front.account("wxid_cai").await.w_id, Some(w_id));
    assert!(rig.calls("secondLogin").is_empty() && rig.calls("iPadLogin").is_empty());
    // Again: nothing to swap, nothing to ring.
    rig.front.login("wxid_cai", Way::Ladder);
    assert!(matches!(rig.front.end().await.1, LoginStep::Adopted { .. }));
    assert!(rig.front.store.attempts().await.unwrap().is_empty());
    assert!(rig.calls("secondLogin").is_empty());
}

#[tokio::test]
async fn a_new_account_comes_in_by_any_phone() {
    let mut rig = Rig::new(Dialect::V2).await;
    rig.front.engine.send(Command::Login { wc_id: None, way: Way::Qr, force: false });
    let code = rig.shown().await;
    rig.phone(&code, "wxid_new");
    let w_id = rig.front.logged_in().await;
    let account = rig.front.account("wxid_new").await;
    assert_eq!((account.w_id, account.presence), (Some(w_id), Presence::Online));
    assert_eq!(rig.calls("iPadLogin"), [None]);
}

#[tokio::test]
async fn the_wrong_phone_becomes_its_own_account_and_leaves_the_asked_one_alone() {
    let mut rig = Rig::new(Dialect::V2).await;
    let before = rig.front.account("wxid_amy").await;
    rig.front.login("wxid_amy", Way::Qr);
    let code = rig.shown().await;
    rig.phone(&code, "wxid_bob");
    let (_, step) = rig.front.end().await;
    let LoginStep::WrongAccount { expected_wc_id, wc_id, w_id, .. } = step else { panic!("{step:?}") };
    assert_eq!((expected_wc_id.as_str(), wc_id.as_str()), ("wxid_amy", "wxid_bob"));
    assert_eq!(rig.front.account("wxid_bob").await.w_id, Some(w_id));
    assert_eq!(rig.front.account("wxid_amy").await.w_id, before.w_id);
}

#[tokio::test]
async fn a_cancelled_code_that_is_scanned_later_still_counts() {
    let mut rig = Rig::new(Dialect::V2).await;
    rig.front.login("wxid_amy", Way::Qr);
    let code = rig.shown().await;
    let attempt = rig.front.step("waiting", |step| matches!(step, LoginStep::Waiting)).await;
    rig.front.engine.send(Command::Cancel { attempt });
    assert!(matches!(rig.front.end().await.1, LoginStep::Cancelled));
    // Free at once for another wish.
    rig.front.login("wxid_bob", Way::Qr);
    rig.shown().await;
    rig.phone(&code, "wxid_amy");
    let w_id = rig.front.logged_in().await;
    assert_eq!(rig.front.account("wxid_amy").await.w_id, Some(w_id));
}

#[tokio::test]
async fn a_late_scan_of_a_cancelled_code_ends_the_newer_login_as_superseded() {
    let knobs = Knobs { new_code_kills_old: false, ..Knobs::default() };
    let mut rig = Rig::with(Setup { accounts: accounts(), knobs, ..Setup::default() }, How::default()).await;
    rig.front.login("wxid_amy", Way::Qr);
    let old = rig.shown().await;
    let attempt = rig.front.step("waiting", |step| matches!(step, LoginStep::Waiting)).await;
    rig.front.engine.send(Command::Cancel { attempt: attempt.clone() });
    rig.front.end().await;
    rig.front.login("wxid_amy", Way::Qr);
    rig.shown().await;
    rig.phone(&old, "wxid_amy");
    let mut ends = [rig.front.end().await, rig.front.end().await];
    ends.sort_by_key(|(id, _)| *id != attempt);
    assert!(matches!(ends[0].1, LoginStep::LoggedIn { .. }), "{ends:?}");
    assert!(matches!(ends[1].1, LoginStep::Superseded), "{ends:?}");
}

#[tokio::test]
async fn a_repeated_wish_is_busy_and_rings_nobody() {
    let mut rig = Rig::new(Dialect::V2).await;
    rig.front.login("wxid_amy", Way::Qr);
    rig.shown().await;
    rig.front.login("wxid_amy", Way::Second);
    let own = rig
        .front
        .until("busy", |event| match event {
            Event::Busy { attempt, .. } => Some(attempt.is_some()),
            _ => None,
        })
        .await;
    assert!(own);
    let mut other = rig.another(How::default()).await;
    other.login("wxid_amy", Way::Ladder);
    let own = other
        .until("busy", |event| match event {
            Event::Busy { attempt, .. } => Some(attempt.is_some()),
            _ => None,
        })
        .await;
    assert!(!own);
    assert!(rig.calls("secondLogin").is_empty());
    assert_eq!(rig.calls("iPadLogin").len(), 1);
}

#[tokio::test]
async fn an_expired_code_is_renewed_as_often_as_wished() {
    let knobs = Knobs { code_life_ms: Some(300), ..Knobs::default() };
    let setup = Setup { accounts: accounts(), knobs, ..Setup::default() };
    let mut rig = Rig::with(setup, How { renewals: 2, ..How::default() }).await;
    rig.front.login("wxid_amy", Way::Qr);
    let (_, step) = rig.front.end().await;
    assert!(matches!(step, LoginStep::Expired { renewing: false }), "{step:?}");
    assert_eq!(rig.calls("iPadLogin").len(), 3);
}

#[tokio::test]
async fn twenty_accounts_side_by_side_each_get_their_own() {
    let many: Vec<_> =
        (0..20).map(|n| saoma::simulator::SimAccount::new(format!("wxid_{n:02}"), format!("账号 {n}"))).collect();
    let mut rig = Rig::with(Setup { accounts: many, ..Setup::default() }, How::default()).await;
    for n in 0..20 {
        rig.front.login(&format!("wxid_{n:02}"), Way::Qr);
    }
    for _ in 0..20 {
        let code = rig.shown().await;
        rig.sim.scan_code(&code, None).unwrap();
    }
    for n in 0..20 {
        rig.sim.confirm(Some(WcId::from(format!("wxid_{n:02}")))).unwrap();
    }
    for n in 0..20 {
        let wc_id = format!("wxid_{n:02}");
        rig.front.account_is(&wc_id, "online", |account| account.presence == Presence::Online).await;
        assert_eq!(rig.front.account(&wc_id).await.w_id, rig.live_w_id(&wc_id));
    }
}

// ── The line and the gateway break ───────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn a_broken_poll_is_asked_again_for_the_same_w_id() {
    for fault in
        [Fault::Reset, Fault::Http(500), Fault::Html, Fault::Empty, Fault::Truncated, Fault::Garbage, Fault::Huge]
    {
        let mut rig = Rig::new(Dialect::V2).await;
        rig.sim.fault("getIPadLoginInfo", fault.clone(), 1);
        rig.front.login("wxid_amy", Way::Qr);
        let code = rig.shown().await;
        rig.phone(&code, "wxid_amy");
        let w_id = rig.front.logged_in().await;
        assert_eq!(Some(w_id), rig.live_w_id("wxid_amy"), "{fault:?}");
        assert_eq!(rig.calls("iPadLogin").len(), 1, "{fault:?}");
        let polled: Vec<_> = rig
            .sim
            .requests()
            .into_iter()
            .filter(|request| request.endpoint == "getIPadLoginInfo")
            .filter_map(|request| request.body.get("wId").and_then(|w_id| w_id.as_str().map(str::to_owned)))
            .collect();
        assert!(polled.len() >= 2 && polled.iter().all(|w_id| w_id == code.as_str()), "{fault:?}: {polled:?}");
    }
}

#[tokio::test]
async fn whatever_i_pad_login_answers_ends_in_a_reason_and_is_not_sent_again() {
    for (fault, reason) in [
        (Fault::Http(401), Reason::GatewayDown),
        (Fault::Http(500), Reason::GatewayDown),
        (Fault::Html, Reason::GatewayDown),
        (Fault::Empty, Reason::GatewayDown),
        (Fault::Truncated, Reason::GatewayDown),
        (Fault::Garbage, Reason::GatewayDown),
        (Fault::Reset, Reason::GatewayDown),
        (Fault::Huge, Reason::GatewayDown),
        (Fault::NullData, Reason::GatewayDown),
        (Fault::Nested, Reason::GatewaySaid),
        (Fault::Fail("登录数量已满".into()), Reason::SlotsFull),
        (Fault::Fail("网络链接异常，请检查代理".into()), Reason::ProxyFailed),
        (Fault::Fail("失败".into()), Reason::GatewaySaid),
    ] {
        let mut rig = Rig::new(Dialect::V2).await;
        rig.sim.fault("iPadLogin", fault.clone(), 1);
        rig.front.login("wxid_amy", Way::Qr);
        let (_, step) = rig.front.end().await;
        let LoginStep::Failed { reason: told, .. } = &step else { panic!("{fault:?}: {step:?}") };
        // A 401 that a second call does not confirm is no dead token, but somebody on the way.
        assert_eq!(*told, reason, "{fault:?}");
        assert_eq!(rig.calls("iPadLogin").len(), 1, "{fault:?}");
        // The next wish works: the program lives, the store is unharmed.
        rig.front.login("wxid_amy", Way::Qr);
        let code = rig.shown().await;
        rig.phone(&code, "wxid_amy");
        rig.front.logged_in().await;
    }
}

#[tokio::test]
async fn a_picture_that_is_none_is_fetched_again_and_the_poll_runs_on() {
    for fault in [Fault::Garbage, Fault::Http(404), Fault::Reset, Fault::Huge, Fault::Empty] {
        let mut rig = Rig::new(Dialect::V2).await;
        rig.sim.fault("image", fault.clone(), 1);
        rig.front.login("wxid_amy", Way::Qr);
        let code = rig.shown().await;
        rig.phone(&code, "wxid_amy");
        rig.front.logged_in().await;
    }
    let mut rig = Rig::new(Dialect::V2).await;
    rig.sim.fault("image", Fault::Garbage, None);
    rig.front.login("wxid_amy", Way::Qr);
    rig.front.step("no picture", |step| matches!(step, LoginStep::NoPicture { .. })).await;
    // Somebody may have scanned it from the gateway's own page.
    let code = rig.sim.waiting_codes().remove(0);
    rig.phone(&code, "wxid_amy");
    rig.front.logged_in().await;
}

#[tokio::test]
async fn a_dead_token_is_said_once_and_a_new_one_works() {
    for dialect in BOTH {
        let mut rig = Rig::new(dialect).await;
        rig.sim.revoke_tokens();
        rig.front.login("wxid_amy", Way::Qr);
        rig.front.until("rejected token", |event| matches!(event, Event::Token(Token::Rejected)).then_some(())).await;
        let (_, step) = rig.front.end().await;
        assert!(matches!(step, LoginStep::Failed { reason: Reason::TokenRejected, .. }), "{dialect}: {step:?}");
        rig.front.engine.send(Command::Token { token: rig.sign_in().await });
        rig.front.login("wxid_amy", Way::Qr);
        rig.shown().await;
    }
}

#[tokio::test]
async fn without_a_token_nothing_is_sent() {
    let setup = Setup { accounts: accounts(), ..Setup::default() };
    let mut rig = Rig::with(setup, How { has_token: false, ..How::default() }).await;
    rig.front.login("wxid_amy", Way::Ladder);
    let reason = rig
        .front
        .until("rejection", |event| match event {
            Event::Rejected { reason, .. } => Some(*reason),
            _ => None,
        })
        .await;
    assert_eq!(reason, Reason::TokenRejected);
    assert!(rig.calls("secondLogin").is_empty() && rig.calls("iPadLogin").is_empty());
}

// ── It survives ──────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn another_process_goes_on_with_the_attempts_of_a_dead_one() {
    for dialect in BOTH {
        let mut rig = Rig::new(dialect).await;
        rig.front.login("wxid_amy", Way::Qr);
        let code = rig.shown().await;
        let heir = How { show_resumed: true, ..How::default() };
        let rig = rig.die().await;
        rig.phone(&code, "wxid_amy");
        let mut front = rig.another(heir).await;
        let w_id = front.logged_in().await;
        assert_eq!(Some(&w_id), rig.live_w_id("wxid_amy").as_ref(), "{dialect}");
        assert_eq!(front.account("wxid_amy").await.w_id, Some(w_id));
    }
}

#[tokio::test]
async fn a_resumed_code_is_shown_again_to_be_scanned() {
    let mut rig = Rig::new(Dialect::V2).await;
    rig.front.login("wxid_amy", Way::Qr);
    let code = rig.shown().await;
    let rig = rig.die().await;
    let mut front = rig.another(How { show_resumed: true, ..How::default() }).await;
    let shown = front
        .until("the code again", |event| match event {
            Event::Login(event) => match &event.step {
                LoginStep::Qr { w_id, .. } => Some(w_id.clone()),
                _ => None,
            },
            _ => None,
        })
        .await;
    assert_eq!(shown, code);
    rig.phone(&code, "wxid_amy");
    front.logged_in().await;
    assert_eq!(rig.calls("iPadLogin").len(), 1);
}

#[tokio::test]
async fn an_interrupted_second_login_is_found_in_the_list() {
    let rig = Rig::new(Dialect::V2).await;
    rig.front.login("wxid_amy", Way::Second);
    wait_for_dialog(&rig, "wxid_amy").await;
    let rig = rig.die().await;
    rig.sim.confirm(Some(WcId::from("wxid_amy"))).unwrap();
    let mut front = rig.another(How { show_resumed: true, ..How::default() }).await;
    let (_, step) = front.end().await;
    assert!(matches!(step, LoginStep::Adopted { .. }), "{step:?}");
    assert_eq!(front.account("wxid_amy").await.w_id, rig.live_w_id("wxid_amy"));
    assert_eq!(rig.sim.dialogs(&WcId::from("wxid_amy")), 1);
}

#[tokio::test]
async fn what_goes_on_unseen_does_not_stand_in_the_way() {
    let mut rig = Rig::new(Dialect::V2).await;
    rig.front.login("wxid_amy", Way::Qr);
    let old = rig.shown().await;
    let rig = rig.die().await;
    let mut front = rig.another(How::default()).await;
    front.login("wxid_amy", Way::Qr);
    let shown = front
        .until("a new code", |event| match event {
            Event::Login(event) => match &event.step {
                LoginStep::Qr { w_id, .. } => Some(w_id.clone()),
                _ => None,
            },
            _ => None,
        })
        .await;
    assert_ne!(shown, old);
    rig.phone(&shown, "wxid_amy");
    assert_eq!(Some(front.logged_in().await), rig.live_w_id("wxid_amy"));
}

#[tokio::test]
async fn two_processes_see_each_others_changes() {
    let mut rig = Rig::new(Dialect::V2).await;
    let mut other = rig.another(How::default()).await;
    other.until("its accounts", |event| matches!(event, Event::Accounts(_)).then_some(())).await;
    rig.front.login("wxid_amy", Way::Qr);
    let code = rig.shown().await;
    rig.phone(&code, "wxid_amy");
    let w_id = rig.front.logged_in().await;
    let seen = other
        .until("the change", |event| match event {
            Event::Account(account) if account.presence == Presence::Online => account.w_id.clone(),
            _ => None,
        })
        .await;
    assert_eq!(seen, w_id);
}

// ── Presence ─────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn the_list_brings_presence_and_unknown_accounts() {
    for dialect in BOTH {
        let mut many = accounts();
        many.push(saoma::simulator::SimAccount::new("wxid_dan", "Dan").online());
        let mut rig = Rig::with(Setup { dialect, accounts: many, ..Setup::default() }, How::default()).await;
        rig.front.engine.send(Command::Refresh);
        rig.front.until("a list", |event| matches!(event, Event::Fleet(Fleet::Ok { .. })).then_some(())).await;
        let dan = rig.front.account("wxid_dan").await;
        assert_eq!(dan.presence, Presence::Online, "{dialect}");
        // V1's list has no wIds: online says nothing about which one is live.
        assert_eq!(dan.w_id_confirmed, dialect.lists_w_ids());
        assert_eq!(rig.front.account("wxid_cai").await.presence, Presence::Online);
    }
}

#[tokio::test]
async fn a_drop_is_believed_after_two_lists() {
    // Not the last one that is online: that takes a list more.
    let mut many = accounts();
    many.push(saoma::simulator::SimAccount::new("wxid_dan", "Dan").online());
    let mut rig = Rig::with(Setup { accounts: many, ..Setup::default() }, How::default()).await;
    for _ in 0..2 {
        rig.front.engine.send(Command::Refresh);
        rig.front.until("a list", |event| matches!(event, Event::Fleet(Fleet::Ok { .. })).then_some(())).await;
    }
    rig.sim.drop_account(&WcId::from("wxid_cai")).unwrap();
    rig.front.engine.send(Command::Refresh);
    rig.front.until("a list", |event| matches!(event, Event::Fleet(Fleet::Ok { .. })).then_some(())).await;
    assert_eq!(rig.front.account("wxid_cai").await.presence, Presence::Online);
    rig.front.engine.send(Command::Refresh);
    let dropped = rig
        .front
        .until("the drop", |event| match event {
            Event::Dropped { wc_id, .. } => Some(wc_id.clone()),
            _ => None,
        })
        .await;
    assert_eq!(dropped.as_str(), "wxid_cai");
    assert_eq!(rig.front.account("wxid_cai").await.presence, Presence::Offline);
}

#[tokio::test]
async fn a_list_that_fails_is_no_evidence_and_comes_back() {
    let setup = Setup { accounts: accounts(), ..Setup::default() };
    let how = How { interval: Some(Duration::from_millis(100)), ..How::default() };
    let mut rig = Rig::with(setup, how).await;
    rig.front.until("a list", |event| matches!(event, Event::Fleet(Fleet::Ok { .. })).then_some(())).await;
    rig.sim.down();
    rig.front.until("a failing list", |event| matches!(event, Event::Fleet(Fleet::Failing { .. })).then_some(())).await;
    assert_eq!(rig.front.account("wxid_cai").await.presence, Presence::Online);
    rig.sim.up().await.unwrap();
    rig.front.until("a list", |event| matches!(event, Event::Fleet(Fleet::Ok { .. })).then_some(())).await;
    assert_eq!(rig.front.account("wxid_cai").await.presence, Presence::Online);
}

#[tokio::test]
async fn v1_without_the_password_says_so() {
    let setup = Setup { dialect: Dialect::V1, accounts: accounts(), ..Setup::default() };
    let mut rig = Rig::with(setup, How { password: false, ..How::default() }).await;
    rig.front.engine.send(Command::Refresh);
    rig.front.until("needs password", |event| matches!(event, Event::Fleet(Fleet::NeedsPassword)).then_some(())).await;
}

#[tokio::test]
async fn taking_off_line_is_no_drop() {
    let mut rig = Rig::new(Dialect::V2).await;
    rig.front.engine.send(Command::Refresh);
    rig.front.until("a list", |event| matches!(event, Event::Fleet(Fleet::Ok { .. })).then_some(())).await;
    rig.front.engine.send(Command::Offline { wc_ids: vec![WcId::from("wxid_cai")] });
    rig.front.until("the answer", |event| matches!(event, Event::TakenOffline { .. }).then_some(())).await;
    let account = rig.front.account("wxid_cai").await;
    assert_eq!((account.presence, account.source), (Presence::Offline, Some(Source::Own)));
    assert!(rig.live_w_id("wxid_cai").is_none());
    let log = rig.front.store.recent(20).await.unwrap();
    assert!(log.iter().all(|entry| entry.event.as_ref() != "dropped"), "{log:?}");
}

// ── The bots ─────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn the_bots_are_told_after_the_swap_and_get_no_secrets() {
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("told");
    let hook = format!("cat >> {0}; env | grep -c SAOMA_ >> {0}.env; true", file.display());
    let setup = Setup { accounts: accounts(), ..Setup::default() };
    let mut rig = Rig::with(setup, How { hook: Some(hook), ..How::default() }).await;
    for _ in 0..2 {
        rig.front.login("wxid_amy", Way::Qr);
        let code = rig.shown().await;
        rig.phone(&code, "wxid_amy");
        rig.front.logged_in().await;
    }
    let live = rig.live_w_id("wxid_amy").unwrap();
    rig.front.engine.send(Command::Stop);
    rig.front.until("the end", |event| matches!(event, Event::Stopped).then_some(())).await;
    let told: Vec<serde_json::Value> =
        std::fs::read_to_string(&file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<&str> = told.iter().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!(events, ["logged_in", "logged_in", "w_id_changed"]);
    let last = told.last().unwrap();
    assert_eq!(last["w_id"], live.as_str());
    assert_eq!(last["previous_w_id"], told[0]["w_id"]);
    assert_eq!(last["schema"], 1);
    let leaked = std::fs::read_to_string(format!("{}.env", file.display())).unwrap();
    assert!(leaked.lines().all(|count| count == "0"), "{leaked}");
}

/// A connection that goes round the store, to disturb it.
async fn disturb(rig: &Rig, statement: &'static str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(rig.dir.path().join("saoma.db"));
    let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
}

#[tokio::test]
async fn an_event_that_was_told_makes_room_for_the_next_even_if_the_store_fails_meanwhile() {
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("told");
    let setup = Setup { accounts: accounts(), ..Setup::default() };
    let hook = format!("cat >> {}", file.display());
    let mut rig = Rig::with(setup, How { hook: Some(hook), ..How::default() }).await;
    disturb(&rig, "CREATE TRIGGER full BEFORE DELETE ON outbox BEGIN SELECT raise(ABORT, 'disk full'); END").await;
    rig.front.login("wxid_amy", Way::Qr);
    let code = rig.shown().await;
    rig.phone(&code, "wxid_amy");
    rig.front.logged_in().await;
    rig.front.until("a fault", |event| matches!(event, Event::Fault { .. }).then_some(())).await;
    disturb(&rig, "DROP TRIGGER full").await;
    rig.front.login("wxid_amy", Way::Qr);
    let code = rig.shown().await;
    rig.phone(&code, "wxid_amy");
    rig.front.logged_in().await;
    rig.front.engine.send(Command::Stop);
    rig.front.until("the end", |event| matches!(event, Event::Stopped).then_some(())).await;
    let told: Vec<serde_json::Value> =
        std::fs::read_to_string(&file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<&str> = told.iter().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!(events, ["logged_in", "logged_in", "w_id_changed"]);
}

#[tokio::test]
async fn a_cancelled_code_counts_also_where_the_store_fails_at_the_cancel() {
    let mut rig = Rig::new(Dialect::V2).await;
    rig.front.login("wxid_amy", Way::Qr);
    let code = rig.shown().await;
    let attempt = rig.front.step("waiting", |step| matches!(step, LoginStep::Waiting)).await;
    let full = "CREATE TRIGGER full BEFORE UPDATE ON attempts WHEN new.state = 'abandoned' \
                BEGIN SELECT raise(ABORT, 'disk full'); END";
    disturb(&rig, full).await;
    rig.front.engine.send(Command::Cancel { attempt });
    assert!(matches!(rig.front.end().await.1, LoginStep::Cancelled));
    disturb(&rig, "DROP TRIGGER full").await;
    rig.phone(&code, "wxid_amy");
    let w_id = rig.front.logged_in().await;
    assert_eq!(rig.front.account("wxid_amy").await.w_id, Some(w_id));
}

#[tokio::test]
async fn a_hook_that_fails_is_told_again_by_the_next_process() {
    let out = tempfile::tempdir().unwrap();
    let flag = out.path().join("works");
    let file = out.path().join("told");
    let hook = format!("test -e {} && cat >> {}", flag.display(), file.display());
    let setup = Setup { accounts: accounts(), ..Setup::default() };
    let how = How { hook: Some(hook), ..How::default() };
    let mut rig = Rig::with(setup, how.clone()).await;
    rig.front.login("wxid_amy", Way::Qr);
    let code = rig.shown().await;
    rig.phone(&code, "wxid_amy");
    rig.front.logged_in().await;
    rig.front.until("a fault", |event| matches!(event, Event::Fault { .. }).then_some(())).await;
    let rig = rig.die().await;
    std::fs::write(&flag, "").unwrap();
    let front = rig.another(how).await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while std::fs::read_to_string(&file).map_or(true, |told| !told.contains("logged_in")) {
        assert!(tokio::time::Instant::now() < deadline, "the bots were never told");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    front.stop().await;
}

#[tokio::test]
async fn an_edit_is_stored_and_told_and_brings_nobody_back() {
    let mut rig = Rig::new(Dialect::V2).await;
    let edit = Edit {
        holder: Some("老王".into()),
        tags: Some(vec!["vip".into()]),
        note: Some("left drawer".into()),
        ..Edit::default()
    };
    rig.front.engine.send(Command::Edit { wc_id: "wxid_amy".into(), edit: edit.clone() });
    let told = rig
        .front
        .until("the edited account", |event| match event {
            Event::Account(account) if !account.holder.is_empty() => Some(account.clone()),
            _ => None,
        })
        .await;
    assert_eq!((&*told.holder, &*told.note, told.tags.len()), ("老王", "left drawer", 1));
    assert_eq!(rig.front.account("wxid_amy").await.holder, told.holder);
    // Only what is named changes.
    let edit = Edit { note: Some("".into()), ..Edit::default() };
    rig.front.engine.send(Command::Edit { wc_id: "wxid_amy".into(), edit: edit.clone() });
    let account = rig.front.account_is("wxid_amy", "without a note", |account| account.note.is_empty()).await;
    assert_eq!(&*account.holder, "老王");
    rig.front.engine.send(Command::Edit { wc_id: "wxid_gone".into(), edit });
    rig.front.engine.send(Command::AddAccount { wc_id: "wxid_last".into() });
    let last = |event: &Event| matches!(event, Event::Account(account) if account.wc_id.as_str() == "wxid_last");
    rig.front.until("the last account", |event| last(event).then_some(())).await;
    assert!(rig.front.store.account(&"wxid_gone".into()).await.unwrap().is_none());
}
