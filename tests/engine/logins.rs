//! Every way a login can go: V1's adoption, the budget, verification, tokens that die, orphans, V3's devices.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use saoma::engine::api::{Command, Event, LoginStep, StepDown, Token, Way};
use saoma::engine::{Renewer, Role};
use saoma::model::{Dialect, Over, Presence, Reason, Rung, Stamp, WId, WcId};
use saoma::simulator::{Fault, Knobs, ReplyWId, Setup, SimAccount};
use saoma::store::Edit;
use secrecy::SecretString;

use crate::rig::{Front, How, Rig, accounts, wait_for, wait_until};
use crate::wait_for_dialog;

async fn rig(dialect: Dialect, knobs: Knobs, how: How) -> Rig {
    Rig::with(Setup { dialect, accounts: accounts(), knobs, ..Setup::default() }, how).await
}

/// The store learns of a wId as by an import.
async fn knows(front: &Front, wc_id: &str, w_id: &WId) {
    let edit = Edit { w_id: Some(w_id.clone()), ..Edit::default() };
    front.store.put_account(&WcId::from(wc_id), &edit, Stamp(2)).await.unwrap();
}

async fn stepped_down(front: &mut Front) -> (Rung, StepDown) {
    front
        .until("a step down", |event| match event {
            Event::Login(event) => match &event.step {
                LoginStep::SteppedDown { rung, why, .. } => Some((*rung, *why)),
                _ => None,
            },
            _ => None,
        })
        .await
}

/// How often an endpoint was called for an account, and how many of those calls a token was refused for.
fn answered(rig: &Rig, endpoint: &str, wc_id: &str) -> (usize, usize) {
    let of = |request: &&saoma::simulator::Logged| {
        request.endpoint == endpoint && request.body.get("wcId").and_then(|id| id.as_str()) == Some(wc_id)
    };
    let requests = rig.sim.requests();
    let calls: Vec<_> = requests.iter().filter(of).collect();
    (calls.len(), calls.iter().filter(|call| call.status == Some(200) && call.code.as_deref() == Some("1000")).count())
}

// ── The ladder ───────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn v1_adopts_the_instance_it_holds_without_ringing() {
    for reply_w_id in [ReplyWId::Same, ReplyWId::Missing] {
        let mut rig = rig(Dialect::V1, Knobs { reply_w_id, ..Knobs::default() }, How::default()).await;
        let live = rig.live_w_id("wxid_cai").unwrap();
        knows(&rig.front, "wxid_cai", &live).await;
        rig.front.login("wxid_cai", Way::Ladder);
        let (_, step) = rig.front.end().await;
        let LoginStep::Adopted { w_id, .. } = step else { panic!("{reply_w_id:?}: {step:?}") };
        assert_eq!(w_id, live);
        let account = rig.front.account_is("wxid_cai", "online", |account| account.presence == Presence::Online).await;
        assert!(account.w_id_confirmed && account.w_id == Some(live));
        assert!(rig.calls("secondLogin").is_empty() && rig.calls("iPadLogin").is_empty());
        assert!(rig.front.store.attempts().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn v1_rings_where_the_instance_is_dead_or_nothing_can_be_asked() {
    let dead = WId::from("11111111-2222-3333-4444-555555555555");
    for (listed, password, why) in [
        ("wxid_cai", true, Some(StepDown::NoAnswer)),
        ("wxid_amy", true, Some(StepDown::NotListed)),
        ("wxid_cai", false, None),
    ] {
        let mut rig = rig(Dialect::V1, Knobs::default(), How { password, ..How::default() }).await;
        knows(&rig.front, listed, &dead).await;
        rig.front.login(listed, Way::Ladder);
        if let Some(why) = why {
            assert_eq!(stepped_down(&mut rig.front).await, (Rung::Adopt, why), "{listed}");
        }
        wait_for_dialog(&rig, listed).await;
        rig.sim.confirm(Some(WcId::from(listed))).unwrap();
        assert_eq!(Some(rig.front.logged_in().await), rig.live_w_id(listed));
        let probes = rig.calls("getIPadLoginInfo").len();
        assert_eq!(probes, usize::from(why == Some(StepDown::NoAnswer)), "{listed} {password}");
    }
}

#[tokio::test]
async fn a_late_scan_of_a_renewed_code_counts() {
    let knobs = Knobs { new_code_kills_old: false, ..Knobs::default() };
    let mut rig = rig(Dialect::V2, knobs, How { renewals: 5, ..How::default() }).await;
    // The gateway takes the first code for expired, and its phone does not.
    rig.sim.fault("getIPadLoginInfo", Fault::Fail("二维码已过期".into()), 1);
    rig.front.login("wxid_amy", Way::Qr);
    rig.front.step("a renewal", |step| matches!(step, LoginStep::Expired { renewing: true })).await;
    let new = rig.shown().await;
    let old = rig.sim.waiting_codes().into_iter().find(|code| *code != new).expect("the old one lives");
    rig.phone(&old, "wxid_amy");
    // What the person wished for has happened: the newer code is over.
    let ends = [rig.front.end().await.1, rig.front.end().await.1];
    assert!(ends.iter().any(|step| matches!(step, LoginStep::LoggedIn { .. })), "{ends:?}");
    assert!(ends.iter().any(|step| matches!(step, LoginStep::Superseded)), "{ends:?}");
    assert_eq!(rig.front.account("wxid_amy").await.w_id, rig.live_w_id("wxid_amy"));
    assert_eq!(rig.calls("iPadLogin").len(), 2);
}

#[tokio::test]
async fn a_code_for_any_phone_that_a_known_account_scans_updates_that_account() {
    let mut rig = Rig::new(Dialect::V2).await;
    rig.front.engine.send(Command::Login { wc_id: None, way: Way::Qr, force: false });
    let code = rig.shown().await;
    rig.phone(&code, "wxid_amy");
    let w_id = rig.front.logged_in().await;
    assert_eq!(rig.front.account("wxid_amy").await.w_id, Some(w_id));
    assert_eq!(rig.front.store.accounts().await.unwrap().len(), 3, "nobody new");
}

/// V1's list says that it is online, not as which instance: the wId from before must not pass for the live one.
#[tokio::test]
async fn v1_doubts_its_w_id_after_a_second_login_whose_answer_was_lost() {
    let mut rig = Rig::new(Dialect::V1).await;
    rig.front.login("wxid_amy", Way::Qr);
    let code = rig.shown().await;
    rig.phone(&code, "wxid_amy");
    rig.front.logged_in().await;
    rig.sim.drop_account(&WcId::from("wxid_amy")).unwrap();
    rig.sim.fault("secondLogin", Fault::LostReply, 1);
    rig.front.login("wxid_amy", Way::Second);
    wait_for_dialog(&rig, "wxid_amy").await;
    rig.sim.confirm(Some(WcId::from("wxid_amy"))).unwrap();
    assert!(matches!(rig.front.end().await.1, LoginStep::Failed { reason: Reason::LoginInterrupted, .. }));
    let account = rig.front.account("wxid_amy").await;
    assert_ne!(account.w_id, rig.live_w_id("wxid_amy"), "nobody can know it");
    assert!(!account.w_id_confirmed);
    assert_eq!(account.reason, Some(Reason::LoginInterrupted));
}

// ── The budget ───────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn a_refusal_lets_the_account_rest_until_a_person_says_otherwise() {
    let mut rig = Rig::new(Dialect::V2).await;
    rig.front.login("wxid_amy", Way::Second);
    wait_for_dialog(&rig, "wxid_amy").await;
    rig.sim.cancel(Some(WcId::from("wxid_amy"))).unwrap();
    assert!(matches!(rig.front.end().await.1, LoginStep::Failed { reason: Reason::Refused, .. }));
    let history = rig.front.store.recent(20).await.unwrap();
    let [refusal] = history.as_slice() else { panic!("one refusal is one line: {history:?}") };
    assert_eq!(&*refusal.event, "second_login_failed");
    assert!(refusal.gateway_message.is_some(), "with the gateway's words");
    assert_eq!((refusal.reason, refusal.wc_id.as_ref()), (Some(Reason::Refused), Some(&WcId::from("wxid_amy"))));
    rig.front.login("wxid_amy", Way::Second);
    let (_, step) = rig.front.end().await;
    assert!(matches!(step, LoginStep::OverBudget { over: Over::Resting { .. }, way: Way::Second }), "{step:?}");
    // Nothing was sent, so nothing is remembered of it: what is known of the account is why it was refused.
    assert_eq!(rig.front.account("wxid_amy").await.reason, Some(Reason::Refused));
    assert_eq!(rig.front.store.recent(20).await.unwrap().len(), 1);
    assert_eq!((rig.sim.dialogs(&WcId::from("wxid_amy")), rig.calls("iPadLogin").len()), (1, 0));
    assert!(rig.front.store.attempts().await.unwrap().is_empty());
    // A code is another way, alone or on the ladder, which leaves the dialog out.
    rig.front.login("wxid_amy", Way::Ladder);
    assert_eq!(stepped_down(&mut rig.front).await, (Rung::Adopt, StepDown::NotListed));
    assert_eq!(stepped_down(&mut rig.front).await, (Rung::SecondLogin, StepDown::Resting));
    let code = rig.shown().await;
    rig.phone(&code, "wxid_amy");
    rig.front.logged_in().await;
    assert_eq!(rig.sim.dialogs(&WcId::from("wxid_amy")), 1);
    // It logged in, so the rest is over.
    rig.sim.drop_account(&WcId::from("wxid_amy")).unwrap();
    rig.front.login("wxid_amy", Way::Second);
    rig.front.step("the dialog", |step| matches!(step, LoginStep::SecondLoginSent { .. })).await;
}

/// The gateway says no by itself, in whatever words: nobody was asked, so nobody is to be left in peace.
#[tokio::test]
async fn a_refusal_that_rang_no_phone_rests_nothing() {
    for dialect in [Dialect::V1, Dialect::V2, Dialect::V3] {
        for words in ["二次登录失败，请重新扫码登录", "系统失败,请重试", "not on this server"] {
            let mut rig = rig(dialect, Knobs::default(), How { tap: None, ..How::default() }).await;
            for _ in 0..2 {
                rig.sim.fault("secondLogin", Fault::Fail(words.into()), 1);
                rig.front.login("wxid_amy", Way::Second);
                let (_, step) = rig.front.end().await;
                assert!(
                    matches!(step, LoginStep::Failed { reason: Reason::Refused, .. }),
                    "{dialect} {words}: {step:?}"
                );
            }
            let account = rig.front.account("wxid_amy").await;
            let budget = account.budget.unwrap();
            assert_eq!((budget.rests_until, budget.refusals, budget.second_logins.len()), (None, 0, 2), "{dialect}");
            let history = rig.front.store.recent(20).await.unwrap();
            let told: Vec<_> = history.iter().map(|line| (&*line.event, line.cause.as_deref())).collect();
            assert_eq!(told, [("second_login_failed", Some("gateway")); 2]);
        }
    }
}

#[tokio::test]
async fn a_code_that_was_renewed_leaves_no_line_of_its_own() {
    for dialect in [Dialect::V1, Dialect::V2, Dialect::V3] {
        let mut rig = rig(dialect, Knobs::default(), How { renewals: 5, ..How::default() }).await;
        rig.sim.fault("getIPadLoginInfo", Fault::Fail("二维码已过期".into()), 1);
        rig.front.login("wxid_amy", Way::Qr);
        rig.front.step("a renewal", |step| matches!(step, LoginStep::Expired { renewing: true })).await;
        let code = rig.shown().await;
        rig.phone(&code, "wxid_amy");
        rig.front.logged_in().await;
        // The process ends, another one comes by and hears that nothing came of the old code.
        let rest = rig.die().await;
        let front = rest.another(How::default()).await;
        let is_over = async || front.store.attempts().await.unwrap().is_empty();
        wait_for(&format!("{dialect}: the end of the old code"), is_over).await;
        let history = front.store.recent(20).await.unwrap();
        let events: Vec<_> = history.iter().map(|line| &*line.event).collect();
        assert_eq!(events, ["logged_in"], "{dialect}");
    }
}

#[tokio::test]
async fn a_verification_code_is_what_was_typed_and_not_what_the_terminal_said() {
    let mut rig = rig(Dialect::V2, verifying(false), How::default()).await;
    rig.front.login("wxid_amy", Way::Qr);
    let shown = rig.shown().await;
    rig.phone(&shown, "wxid_amy");
    let attempt = asked_for_code(&mut rig.front).await;
    // An answer alone is no code.
    rig.front.engine.send(code(&attempt, "\x1b[2;2R"));
    rig.front.engine.send(code(&attempt, "\x1b[2;2R246810"));
    assert_eq!(Some(rig.front.logged_in().await), rig.live_w_id("wxid_amy"));
}

#[tokio::test]
async fn the_fourth_second_login_of_a_day_asks_first() {
    let mut rig = Rig::new(Dialect::V2).await;
    for _ in 0..3 {
        rig.front.login("wxid_amy", Way::Second);
        let before = rig.sim.dialogs(&WcId::from("wxid_amy"));
        rig.front.step("the dialog", |step| matches!(step, LoginStep::SecondLoginSent { .. })).await;
        wait_until("the dialog", || rig.sim.confirm(Some(WcId::from("wxid_amy"))).is_ok()).await;
        rig.front.logged_in().await;
        assert_eq!(rig.sim.dialogs(&WcId::from("wxid_amy")), before + 1);
        rig.sim.drop_account(&WcId::from("wxid_amy")).unwrap();
    }
    rig.front.login("wxid_amy", Way::Ladder);
    let (_, step) = rig.front.end().await;
    let LoginStep::OverBudget { over: Over::Spent { next: 4, limit: 3, .. }, .. } = step else { panic!("{step:?}") };
    assert_eq!(rig.sim.dialogs(&WcId::from("wxid_amy")), 3);
    // Codes are counted for themselves.
    rig.front.login("wxid_amy", Way::Qr);
    rig.shown().await;
}

// ── Verification ─────────────────────────────────────────────────────────────────────────────────────────────────

fn verifying(in_reply: bool) -> Knobs {
    Knobs { verify_code: Some("246810".into()), verify_code_in_reply: in_reply, ..Knobs::default() }
}

async fn asked_for_code(front: &mut Front) -> saoma::model::AttemptId {
    front.step("the question", |step| matches!(step, LoginStep::VerifyCodeRequired { .. })).await
}

fn code(attempt: &saoma::model::AttemptId, text: &str) -> Command {
    Command::VerifyCode { attempt: attempt.clone(), code: SecretString::from(text.to_owned()) }
}

#[tokio::test]
async fn a_wrong_verification_code_is_corrected() {
    for (dialect, in_reply) in [(Dialect::V1, false), (Dialect::V2, true), (Dialect::V3, false)] {
        let mut rig = rig(dialect, verifying(in_reply), How::default()).await;
        rig.front.login("wxid_amy", Way::Qr);
        let shown = rig.shown().await;
        rig.phone(&shown, "wxid_amy");
        let attempt = asked_for_code(&mut rig.front).await;
        rig.front.engine.send(code(&attempt, "111111"));
        asked_for_code(&mut rig.front).await;
        rig.front.engine.send(code(&attempt, "246810"));
        assert_eq!(Some(rig.front.logged_in().await), rig.live_w_id("wxid_amy"), "{dialect}");
        assert_eq!(rig.calls("iPadLogin").len(), 1);
    }
}

#[tokio::test]
async fn a_pending_verification_is_gone_on_with_by_another_process() {
    let mut rig = rig(Dialect::V2, verifying(false), How::default()).await;
    rig.front.login("wxid_amy", Way::Qr);
    let shown = rig.shown().await;
    rig.phone(&shown, "wxid_amy");
    let attempt = asked_for_code(&mut rig.front).await;
    let rest = rig.die().await;
    // Some command comes by and hides it.
    let mut passer = rest.another(How::default()).await;
    passer.until("its accounts", |event| matches!(event, Event::Accounts(_)).then_some(())).await;
    passer.stop().await;
    let how = How { show_resumed: true, revive: Some(attempt.clone()), ..How::default() };
    let mut front = rest.another(how).await;
    assert_eq!(asked_for_code(&mut front).await, attempt);
    front.engine.send(code(&attempt, "246810"));
    assert_eq!(Some(front.logged_in().await), rest.live_w_id("wxid_amy"));
    assert!(front.store.attempts().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_pending_verification_that_a_resident_has_taken_over_is_gone_on_with_all_the_same() {
    let mut rig = rig(Dialect::V2, verifying(false), How::default()).await;
    let mut first = rig.another(How::default()).await;
    first.login("wxid_amy", Way::Qr);
    let shown = first.shown().await;
    rig.phone(&shown, "wxid_amy");
    let attempt = asked_for_code(&mut first).await;
    first.stop().await;
    owned_by(&rig.front, &attempt).await;
    let how = How { show_resumed: true, revive: Some(attempt.clone()), ..How::default() };
    let mut back = rig.another(how).await;
    assert_eq!(asked_for_code(&mut back).await, attempt);
    back.engine.send(code(&attempt, "246810"));
    let w_id = back.logged_in().await;
    assert_eq!(Some(&w_id), rig.live_w_id("wxid_amy").as_ref());
    assert_eq!(rig.calls("iPadLogin").len(), 1);
    rig.front
        .until("the news", |event| match event {
            Event::Account(account) => (account.w_id.as_ref() == Some(&w_id)).then_some(()),
            _ => None,
        })
        .await;
}

#[tokio::test]
async fn an_attempt_that_is_over_is_not_waited_for() {
    let rig = Rig::new(Dialect::V2).await;
    let gone = saoma::model::AttemptId::from("01ARZ3NDEKTSV4RRFFQ69G5FAV");
    let mut front = rig.another(How { show_resumed: true, revive: Some(gone.clone()), ..How::default() }).await;
    let (attempt, step) = front.end().await;
    assert_eq!(attempt, gone);
    assert!(matches!(step, LoginStep::Expired { renewing: false }), "{step:?}");
}

#[tokio::test]
async fn a_device_verification_shows_its_url_and_polls_on_with_the_same_w_id() {
    let knobs = Knobs { device_verification: true, ..Knobs::default() };
    let mut rig = rig(Dialect::V3, knobs, How::default()).await;
    rig.front.login("wxid_amy", Way::Qr);
    let shown = rig.shown().await;
    rig.phone(&shown, "wxid_amy");
    rig.front.step("the URL", |step| matches!(step, LoginStep::DeviceVerification { .. })).await;
    rig.front.logged_in().await;
    let polled = rig.sim.requests().into_iter().filter(|request| request.endpoint == "getIPadLoginInfo");
    assert!(polled.filter_map(|request| request.body.get("wId").cloned()).all(|w_id| w_id == shown.as_str()));
}

// ── Survival ─────────────────────────────────────────────────────────────────────────────────────────────────────

/// Waits until this process runs the attempt.
async fn owned_by(front: &Front, attempt: &saoma::model::AttemptId) {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let row = front.store.attempt(attempt).await.unwrap().expect("the row is there");
        if row.owner == *front.store.owner() {
            return;
        }
        assert!(Instant::now() < deadline, "not taken over: {row:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_resident_takes_a_dead_process_s_login_over_while_it_runs() {
    for dialect in [Dialect::V1, Dialect::V2] {
        let rig = Rig::new(dialect).await;
        let mut first = rig.another(How::default()).await;
        first.login("wxid_amy", Way::Qr);
        let shown = first
            .until("a code", |event| match event {
                Event::Login(event) => match &event.step {
                    LoginStep::Qr { w_id, .. } => Some((event.attempt.clone(), w_id.clone())),
                    _ => None,
                },
                _ => None,
            })
            .await;
        first.stop().await;
        owned_by(&rig.front, &shown.0).await;
        rig.phone(&shown.1, "wxid_amy");
        let account = rig.front.account_is("wxid_amy", "online", |account| account.w_id.is_some()).await;
        assert_eq!(account.w_id, rig.live_w_id("wxid_amy"), "{dialect}");
        assert_eq!(rig.calls("iPadLogin").len(), 1);
    }
}

#[tokio::test]
async fn a_code_that_watch_goes_on_with_stands_in_nobodys_way() {
    for dialect in [Dialect::V1, Dialect::V2, Dialect::V3] {
        let mut rig = rig(dialect, Knobs::default(), How::default()).await;
        rig.front.login("wxid_amy", Way::Qr);
        rig.shown().await;
        let rest = rig.die().await;
        let mut watch = rest.another(How { role: Some(Role::Watch), show_resumed: true, ..How::default() }).await;
        watch.step("the orphan", |step| matches!(step, LoginStep::Resumed { .. })).await;
        watch.step("its poll", |step| matches!(step, LoginStep::Waiting)).await;
        let mut again = rest.another(How::default()).await;
        again.login("wxid_amy", Way::Qr);
        let code = again
            .until("a code", |event| match event {
                Event::Login(event) => match &event.step {
                    LoginStep::Qr { w_id, .. } => Some(w_id.clone()),
                    _ => None,
                },
                Event::Busy { .. } => panic!("nobody could cancel what is in the way"),
                _ => None,
            })
            .await;
        rest.phone(&code, "wxid_amy");
        again.logged_in().await;
        assert_eq!(again.account("wxid_amy").await.w_id, rest.live_w_id("wxid_amy"), "{dialect}");
        assert_eq!(rest.calls("iPadLogin").len(), 2);
    }
}

// ── A token that dies ────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn every_login_waits_for_a_token_and_goes_on_with_it() {
    for dialect in [Dialect::V1, Dialect::V2, Dialect::V3] {
        let mut rig = rig(dialect, Knobs::default(), How { waits: true, ..How::default() }).await;
        rig.front.login("wxid_amy", Way::Qr);
        let shown = rig.shown().await;
        rig.sim.revoke_tokens();
        // A poll that is under way is not asked for its token again; the next one is.
        rig.sim.break_connections();
        rig.front.login("wxid_bob", Way::Second);
        let waits = |step: &LoginStep| matches!(step, LoginStep::WaitingForToken);
        let first = rig.front.step("one that waits", waits).await;
        let second = rig.front.step("another one", waits).await;
        assert_ne!(first, second, "{dialect}");
        rig.front.engine.send(Command::Token { token: rig.sign_in().await });
        wait_for_dialog(&rig, "wxid_bob").await;
        rig.sim.confirm(Some(WcId::from("wxid_bob"))).unwrap();
        rig.front.account_is("wxid_bob", "online", |account| account.presence == Presence::Online).await;
        rig.phone(&shown, "wxid_amy");
        rig.front.account_is("wxid_amy", "online", |account| account.presence == Presence::Online).await;
        for wc_id in ["wxid_amy", "wxid_bob"] {
            assert_eq!(rig.front.account(wc_id).await.w_id, rig.live_w_id(wc_id), "{dialect}");
        }
        // One code, one dialog; what was refused with the token never reached a phone.
        assert_eq!(answered(&rig, "iPadLogin", "wxid_amy"), (1, 1), "{dialect}");
        assert_eq!(answered(&rig, "secondLogin", "wxid_bob"), (2, 1), "{dialect}");
        assert_eq!(rig.sim.dialogs(&WcId::from("wxid_bob")), 1);
        let budget = rig.front.account("wxid_bob").await.budget.expect("it was charged");
        assert_eq!(budget.second_logins.len(), 1, "charged once");
    }
}

#[tokio::test]
async fn a_token_is_renewed_by_itself_once_for_all_logins() {
    let calls = Arc::new(AtomicUsize::new(0));
    // It gets what the test puts there.
    let token: Arc<std::sync::Mutex<Option<SecretString>>> = Arc::default();
    let renewer = {
        let (calls, token) = (Arc::clone(&calls), Arc::clone(&token));
        Renewer(Arc::new(move || {
            calls.fetch_add(1, Ordering::Relaxed);
            let token = token.lock().unwrap().clone();
            Box::pin(async move { token.ok_or_else(|| "no".to_owned()) })
        }))
    };
    let mut rig = rig(Dialect::V2, Knobs::default(), How { renewer: Some(renewer), ..How::default() }).await;
    rig.sim.revoke_tokens();
    *token.lock().unwrap() = Some(rig.sign_in().await);
    rig.front.login("wxid_amy", Way::Qr);
    rig.front.login("wxid_bob", Way::Qr);
    for _ in 0..2 {
        rig.shown().await;
    }
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    // The second death within ten minutes is a person's business.
    rig.sim.revoke_tokens();
    rig.front.login("wxid_cai", Way::Second);
    rig.front.until("a rejected token", |event| matches!(event, Event::Token(Token::Rejected)).then_some(())).await;
    let (_, step) = rig.front.end().await;
    assert!(matches!(step, LoginStep::Failed { reason: Reason::TokenRejected, .. }), "{step:?}");
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_code_of_a_command_with_a_dead_token_is_gone_on_with_after_the_sign_in() {
    let mut rig = Rig::new(Dialect::V2).await;
    rig.front.login("wxid_amy", Way::Qr);
    let shown = rig.shown().await;
    rig.sim.revoke_tokens();
    rig.sim.break_connections();
    let (attempt, step) = rig.front.end().await;
    assert!(matches!(step, LoginStep::Failed { reason: Reason::TokenRejected, .. }), "{step:?}");
    let row = rig.front.store.attempt(&attempt).await.unwrap().unwrap();
    assert_eq!(row.state, saoma::model::AttemptState::Open);
    let token = rig.sign_in().await;
    let rest = rig.die().await;
    let mut front = rest.another(How { show_resumed: true, waits: true, ..How::default() }).await;
    front.engine.send(Command::Token { token });
    rest.phone(&shown, "wxid_amy");
    assert_eq!(Some(front.logged_in().await), rest.live_w_id("wxid_amy"));
}

// ── V3 ───────────────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn v3_keeps_an_account_on_the_device_it_was_logged_in_with() {
    let setup = Setup {
        dialect: Dialect::V3,
        accounts: vec![SimAccount::new("wxid_new", "新号").new_here()],
        ..Setup::default()
    };
    let mut rig = Rig::with(setup, How::default()).await;
    rig.front.engine.send(Command::Login { wc_id: None, way: Way::Qr, force: false });
    let shown = rig.shown().await;
    rig.phone(&shown, "wxid_new");
    rig.front.logged_in().await;
    let device = rig.front.account("wxid_new").await.device.expect("a device is kept");
    assert_eq!((device.device_type.as_deref(), device.region), (Some("ipad"), Some(1)));
    let requests = rig.sim.requests();
    let asked = requests.iter().find(|request| request.endpoint == "iPadLogin").unwrap();
    assert_eq!(asked.body["deviceType"], "ipad");
    assert!(asked.body.get("type").is_none());
    let polled = requests.iter().find(|request| request.endpoint == "getIPadLoginInfo").unwrap();
    assert_eq!(polled.body["autoCheck"], false);
}

/// Whoever hears of the scan, it was the gone process that told the gateway the device.
#[tokio::test]
async fn v3_remembers_what_a_dead_process_made_the_login_with() {
    let setup = Setup {
        dialect: Dialect::V3,
        accounts: vec![SimAccount::new("wxid_new", "新号").new_here()],
        ..Setup::default()
    };
    let region = |region| {
        let device = saoma::model::Device { region: Some(region), ..saoma::model::Device::default() };
        How { device, show_resumed: true, ..How::default() }
    };
    let mut rig = Rig::with(setup, region(7)).await;
    rig.front.engine.send(Command::Login { wc_id: None, way: Way::Qr, force: false });
    let shown = rig.shown().await;
    let rest = rig.die().await;
    let mut front = rest.another(region(9)).await;
    rest.phone(&shown, "wxid_new");
    front.logged_in().await;
    let device = front.account_is("wxid_new", "on its device", |account| account.device.is_some()).await.device;
    assert_eq!(device.unwrap().region, Some(7));
}
