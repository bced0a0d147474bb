//! The conveyor against the simulated gateway.

use std::collections::BTreeSet;

use saoma::engine::api::{Command, ConveyorView, ConveyorWish, Event, LoginStep, Phase, Place};
use saoma::model::{Dialect, Presence, WId, WcId};
use saoma::simulator::{Act, Knobs, PhoneScript, Setup, SimAccount, Then};
use saoma::store::Edit;
use serde_json::Value;
use tokio::sync::broadcast::Receiver;

use crate::rig::{How, Rig};

/// What the gateway and the phones saw, held to the rules while it happens.
struct Witness {
    seen: Receiver<Value>,
    dialogs: BTreeSet<String>,
    codes: BTreeSet<String>,
    most_dialogs: usize,
}

impl Witness {
    fn new(rig: &Rig) -> Self {
        Self { seen: rig.sim.events(), dialogs: BTreeSet::new(), codes: BTreeSet::new(), most_dialogs: 0 }
    }

    /// Looks at everything that has happened since.
    fn look(&mut self) {
        while let Ok(event) = self.seen.try_recv() {
            let text = |key: &str| event.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            match text("event").as_str() {
                "dialog" => {
                    assert!(self.dialogs.insert(text("wc_id")), "a phone is asked twice");
                    self.most_dialogs = self.most_dialogs.max(self.dialogs.len());
                }
                "refused" | "dialog_over" | "online" => {
                    self.dialogs.remove(&text("wc_id"));
                }
                "code" => {
                    assert!(!self.dialogs.contains(&text("wc_id")), "{} is asked by both", text("wc_id"));
                    self.codes.insert(text("w_id"));
                    assert!(self.codes.len() <= 1, "two codes are out: {:?}", self.codes);
                }
                "confirmed" | "code_over" | "cancelled" => {
                    self.codes.remove(&text("w_id"));
                }
                _ => {}
            }
        }
    }
}

/// How a phone is made to behave.
#[derive(Clone, Copy, PartialEq)]
enum Phone {
    /// Confirms the dialog.
    Confirms,
    /// The gateway refuses the second login; it scans.
    Scans,
    /// Was only named, and the gateway does not know it: the second login is refused; it scans.
    New,
    /// The gateway refuses the second login; it never scans by itself.
    Sleeps,
}

fn id(at: usize) -> WcId {
    WcId::from(format!("wxid_c{at:02}"))
}

async fn rig(dialect: Dialect, seed: u64, phones: &[Phone], knobs: Knobs) -> Rig {
    rig_ringing(dialect, seed, phones, knobs, 0).await
}

async fn rig_ringing(dialect: Dialect, seed: u64, phones: &[Phone], knobs: Knobs, ring_at_once: u8) -> Rig {
    let mut random = fastrand::Rng::with_seed(seed);
    let account = |(at, phone): (usize, &Phone)| SimAccount {
        qr_only: matches!(phone, Phone::Scans | Phone::Sleeps),
        known: *phone != Phone::New,
        script: Some(PhoneScript {
            scan_ms: (*phone != Phone::Sleeps).then(|| random.u64(5..60)),
            answer_ms: random.u64(5..150),
            then: Then::Confirm,
        }),
        ..SimAccount::new(id(at).as_str(), format!("Name {at}"))
    };
    let accounts = phones.iter().enumerate().map(account).collect();
    let edit = |(at, phone): (usize, &Phone)| {
        let w_id = (*phone != Phone::New).then(|| WId::from(format!("old-{at}")));
        let holder = ["Ann", "Li", "Wu"].get(at % 3).map(|name| Box::from(*name));
        (id(at), Edit { w_id, holder, ..Edit::default() })
    };
    let import = phones.iter().enumerate().map(edit).collect();
    Rig::with(
        Setup { dialect, seed, accounts, knobs, ..Setup::default() },
        How { import, ring_at_once, ..How::default() },
    )
    .await
}

impl Rig {
    fn conveyor(&self, wish: ConveyorWish) {
        self.front.engine.send(Command::Conveyor(wish));
    }

    /// Waits for a view that is as wanted; the witness looks at what happens meanwhile.
    async fn view(
        &mut self,
        witness: &mut Witness,
        what: &str,
        wanted: impl Fn(&ConveyorView) -> bool,
    ) -> Box<ConveyorView> {
        self.front
            .until(what, |event| {
                witness.look();
                match event {
                    Event::Conveyor(Some(view)) if wanted(view) => Some(view.clone()),
                    _ => None,
                }
            })
            .await
    }

    /// Waits until the code of this account is shown; its wId.
    async fn code_of(&mut self, witness: &mut Witness, wc_id: &WcId) -> WId {
        let what = format!("the code of {wc_id}");
        self.front
            .until(&what, |event| {
                witness.look();
                match event {
                    Event::Login(event) if event.wc_id.as_ref() == Some(wc_id) => match &event.step {
                        LoginStep::Qr { w_id, .. } => Some(w_id.clone()),
                        _ => None,
                    },
                    _ => None,
                }
            })
            .await
    }

    async fn preview(&mut self, witness: &mut Witness, count: usize) -> Box<ConveyorView> {
        self.conveyor(ConveyorWish::Preview { wc_ids: (0..count).map(id).collect(), force: false });
        self.view(witness, "the preview", |view| view.phase == Phase::Preview).await
    }

    async fn all_are_online(&self, count: usize) {
        for at in 0..count {
            let account = self.front.account(id(at).as_str()).await;
            assert_eq!(account.presence, Presence::Online, "{at}");
            assert_eq!(account.w_id, self.live_w_id(id(at).as_str()), "{at}");
        }
    }

    fn calls_each_at_most(&self, endpoint: &str, times: usize) {
        let mut calls = self.calls(endpoint);
        calls.sort();
        for same in calls.chunk_by(|a, b| a == b) {
            assert!(same.len() <= times && same.iter().all(Option::is_some), "{endpoint}: {same:?}");
        }
    }
}

#[tokio::test]
async fn twenty_accounts_come_online_without_a_key() {
    for (dialect, seed) in [(Dialect::V2, 7), (Dialect::V1, 8)] {
        let mut random = fastrand::Rng::with_seed(seed);
        let kinds = [Phone::Confirms, Phone::Scans, Phone::New];
        let phones: Vec<Phone> = (0..20).filter_map(|_| random.choice(kinds)).collect();
        let mut rig = rig(dialect, seed, &phones, Knobs::default()).await;
        let mut witness = Witness::new(&rig);
        let preview = rig.preview(&mut witness, 20).await;
        // Accounts that were only named are rung as well: the ladder does the same.
        assert!(phones.contains(&Phone::New));
        assert_eq!(preview.counts(), (20, 0, 0));
        assert!(rig.calls("secondLogin").is_empty() && rig.calls("iPadLogin").is_empty());
        rig.conveyor(ConveyorWish::Start);
        let done = rig.view(&mut witness, "the end", |view| view.phase == Phase::Done).await;
        assert!(done.items.iter().all(|item| item.place == Place::Done), "{done:?}");
        rig.all_are_online(20).await;
        witness.look();
        assert!((1..=3).contains(&witness.most_dialogs), "{} rang at once", witness.most_dialogs);
        // Every phone is rung once; whoever came by a scan was asked once.
        assert_eq!(rig.calls("secondLogin").len(), 20);
        rig.calls_each_at_most("secondLogin", 1);
        let confirmed = phones.iter().filter(|phone| **phone == Phone::Confirms).count();
        assert_eq!(rig.calls("iPadLogin").len(), 20 - confirmed);
        rig.calls_each_at_most("iPadLogin", 1);
        rig.front.stop().await;
    }
}

#[tokio::test]
async fn codes_come_by_holder_and_a_phone_that_sleeps_goes_to_the_back_until_nobody_is_there() {
    let phones = [Phone::New, Phone::New, Phone::Sleeps, Phone::Scans, Phone::New];
    let knobs = Knobs { code_life_ms: Some(700), ..Knobs::default() };
    let mut rig = rig_ringing(Dialect::V2, 3, &phones, knobs, 1).await;
    let mut witness = Witness::new(&rig);
    rig.preview(&mut witness, 5).await;
    rig.conveyor(ConveyorWish::Start);
    let paused = rig.view(&mut witness, "the pause", |view| view.phase == Phase::Paused).await;
    let sleeper = id(2);
    assert_eq!(paused.queue, std::slice::from_ref(&sleeper));
    assert_eq!((paused.settled(), paused.total()), (4, 5));
    assert!(paused.items.iter().any(|item| item.wc_id == sleeper && item.unscanned >= 1));
    // Ann's before Li's: her phone is rung first, and her code is asked for as soon as that was no use.
    let codes = rig.calls("iPadLogin");
    assert_eq!(codes.first(), Some(&Some(id(0).to_string())));
    let script = PhoneScript { scan_ms: Some(10), answer_ms: 10, then: Then::Confirm };
    rig.sim.act(Act::Script { wc_id: sleeper.to_string(), script: Some(script) }).unwrap();
    rig.conveyor(ConveyorWish::Resume);
    rig.view(&mut witness, "the end", |view| view.phase == Phase::Done).await;
    rig.all_are_online(5).await;
    rig.calls_each_at_most("secondLogin", 1);
}

#[tokio::test]
async fn whoever_scans_out_of_turn_is_matched_to_its_own_row() {
    let mut rig = rig(Dialect::V2, 4, &[Phone::Sleeps, Phone::Sleeps, Phone::Sleeps], Knobs::default()).await;
    let mut witness = Witness::new(&rig);
    rig.preview(&mut witness, 3).await;
    rig.conveyor(ConveyorWish::Start);
    let code = rig.code_of(&mut witness, &id(0)).await;
    rig.phone(&code, id(2).as_str());
    // The code was used up: the same account gets a fresh one at once.
    let fresh = rig.code_of(&mut witness, &id(0)).await;
    assert_ne!(code, fresh);
    rig.phone(&fresh, id(0).as_str());
    let last = rig.code_of(&mut witness, &id(1)).await;
    rig.phone(&last, id(1).as_str());
    let done = rig.view(&mut witness, "the end", |view| view.phase == Phase::Done).await;
    assert!(done.items.iter().all(|item| item.place == Place::Done), "{done:?}");
    rig.all_are_online(3).await;
    assert_eq!(rig.calls("iPadLogin").len(), 3, "none for the one that came by itself");
}

#[tokio::test]
async fn skipped_dropped_and_stopped_codes_can_still_be_scanned() {
    let mut rig = rig(Dialect::V2, 5, &[Phone::Sleeps, Phone::Sleeps, Phone::Sleeps], Knobs::default()).await;
    let mut witness = Witness::new(&rig);
    rig.preview(&mut witness, 3).await;
    rig.conveyor(ConveyorWish::Start);
    let skipped = rig.code_of(&mut witness, &id(0)).await;
    witness.codes.clear();
    rig.conveyor(ConveyorWish::Skip);
    let dropped = rig.code_of(&mut witness, &id(1)).await;
    witness.codes.clear();
    rig.conveyor(ConveyorWish::Drop);
    let stopped = rig.code_of(&mut witness, &id(2)).await;
    rig.phone(&skipped, id(0).as_str());
    let is = |at: usize, place: Place| {
        move |view: &ConveyorView| view.items.iter().any(|item| item.wc_id == id(at) && item.place == place)
    };
    rig.view(&mut witness, "the late scan", is(0, Place::Done)).await;
    rig.phone(&dropped, id(1).as_str());
    rig.view(&mut witness, "the scan of the dropped one", is(1, Place::Done)).await;
    rig.conveyor(ConveyorWish::Stop);
    rig.front.until("its end", |event| matches!(event, Event::Conveyor(None)).then_some(())).await;
    rig.phone(&stopped, id(2).as_str());
    rig.front.account_is(id(2).as_str(), "online", |account| account.presence == Presence::Online).await;
    assert_eq!(rig.calls("iPadLogin").len(), 3);
}

#[tokio::test]
async fn it_waits_for_a_gateway_that_is_down_and_goes_on() {
    let mut rig = rig(Dialect::V2, 6, &[Phone::Sleeps, Phone::New, Phone::New], Knobs::default()).await;
    let mut witness = Witness::new(&rig);
    rig.preview(&mut witness, 3).await;
    rig.sim.down();
    rig.conveyor(ConveyorWish::Start);
    rig.front.step("a failure", |step| matches!(step, LoginStep::Failed { .. })).await;
    rig.sim.up().await.unwrap();
    let script = PhoneScript { scan_ms: Some(10), answer_ms: 10, then: Then::Confirm };
    rig.sim.act(Act::Script { wc_id: id(0).to_string(), script: Some(script) }).unwrap();
    rig.view(&mut witness, "the end", |view| view.phase == Phase::Done).await;
    rig.all_are_online(3).await;
}
