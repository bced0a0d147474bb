//! The main job at 80×24, on both dialects: keys in, codes and rows out, wIds in the store, kill -9 changes nothing.

use saoma::model::{Dialect, WId, WcId};
use saoma::simulator::{PhoneScript, Setup, SimAccount, Then};

use crate::eye;
use crate::kit::{Desk, Tui, eventually, shows, three};

fn dialects() -> [Setup; 2] {
    [three(), Setup { dialect: Dialect::V1, ..three() }]
}

/// Waits for the code on the screen; it says what the gateway's newest code says.
#[track_caller]
fn see_code(tui: &Tui, payload: &str) {
    tui.wait("a code that reads", |screen| eye::code(screen).as_deref() == Some(payload));
}

fn payload(desk: &Desk, w_id: &WId) -> String {
    desk.sim.payload(w_id).unwrap()
}

#[test]
fn r_shows_the_gateways_code_and_the_wid_is_stored_before_anything_can_go_wrong() {
    for setup in dialects() {
        let desk = Desk::new(setup);
        let mut tui = desk.tui();
        tui.select("Bela");
        tui.send(b"r");
        let code = desk.codes(1).remove(0);
        let payload = payload(&desk, &code);
        see_code(&tui, &payload);
        let asked = desk.sim.scan_payload(&payload, None).unwrap();
        assert_eq!(asked.wc_id.as_str(), "wxid_bela", "the code was made for this account");
        desk.sim.confirm(None).unwrap();
        tui.wait_row("Bela", "online");
        tui.kill();
        desk.assert_stored("wxid_bela");
        assert_eq!(desk.asked("iPadLogin"), 1);
    }
}

#[test]
fn s_brings_a_new_wid_without_a_code() {
    for setup in dialects() {
        let desk = Desk::new(setup);
        let mut tui = desk.tui();
        let bela = WcId::from("wxid_bela");
        tui.select("Bela");
        tui.send(b"s");
        tui.wait_text("Confirm on the phone.");
        eventually("the phone's dialog", || desk.sim.dialogs(&bela) == 1);
        desk.sim.confirm(Some(bela.clone())).unwrap();
        tui.wait_row("Bela", "online");
        tui.kill();
        desk.assert_stored("wxid_bela");
        assert_eq!((desk.sim.dialogs(&bela), desk.asked("iPadLogin")), (1, 0));
    }
}

#[test]
fn enter_climbs_from_a_refused_dialog_to_a_code() {
    for setup in dialects() {
        let desk = Desk::new(setup);
        let mut tui = desk.tui();
        let bela = WcId::from("wxid_bela");
        tui.select("Bela");
        tui.send(b"\r");
        eventually("the phone's dialog", || desk.sim.dialogs(&bela) == 1);
        tui.wait_text("Confirm on the phone.");
        desk.sim.cancel(Some(bela.clone())).unwrap();
        let code = desk.codes(1).remove(0);
        let payload = payload(&desk, &code);
        see_code(&tui, &payload);
        assert!(tui.look(|screen| shows(screen, "second login: ")), "{}", tui.text());
        desk.sim.scan_payload(&payload, None).unwrap();
        desk.sim.confirm(None).unwrap();
        tui.wait_row("Bela", "online");
        tui.quit();
        desk.assert_stored("wxid_bela");
        assert_eq!((desk.sim.dialogs(&bela), desk.asked("iPadLogin")), (1, 1));
    }
}

#[test]
fn enter_takes_over_what_is_online_already() {
    let desk = Desk::new(three());
    let mut tui = desk.tui();
    tui.wait_row("Anna", "online");
    tui.wait_row("Bela", "offline");
    desk.sim.act(saoma::simulator::Act::Online { wc_id: "wxid_bela".into() }).unwrap();
    tui.select("Bela");
    tui.send(b"\r");
    tui.wait_row("Bela", "online");
    tui.quit();
    desk.assert_stored("wxid_bela");
    assert_eq!((desk.asked("secondLogin"), desk.asked("iPadLogin")), (0, 0), "no phone was bothered");
}

#[test]
fn n_takes_any_phone_and_its_row_appears() {
    for mut setup in dialects() {
        setup.accounts.push(SimAccount::new("wxid_dora", "Dora").new_here());
        let desk = Desk::new(setup);
        let mut tui = desk.tui();
        tui.wait_row("Bela", "");
        tui.send(b"n");
        tui.wait_text("New account · any phone");
        let code = desk.codes(1).remove(0);
        let payload = payload(&desk, &code);
        see_code(&tui, &payload);
        desk.sim.scan_payload(&payload, Some("wxid_dora".into())).unwrap();
        desk.sim.confirm(None).unwrap();
        tui.wait_row("Dora", "online");
        tui.wait("the cursor on the new row", |screen| {
            crate::kit::row(screen, "Dora").is_some_and(|row| row.contains('▸'))
        });
        tui.quit();
        desk.assert_stored("wxid_dora");
    }
}

#[test]
fn c_hides_the_code_and_a_late_scan_is_stored_all_the_same() {
    for setup in dialects() {
        let desk = Desk::new(setup);
        let mut tui = desk.tui();
        tui.select("Bela");
        tui.send(b"r");
        let code = desk.codes(1).remove(0);
        let payload = payload(&desk, &code);
        see_code(&tui, &payload);
        tui.send(b"c");
        tui.wait("no code", |screen| eye::code(screen).is_none() && shows(screen, "a late yes counts"));
        desk.sim.scan_payload(&payload, None).unwrap();
        desk.sim.confirm(None).unwrap();
        tui.wait_row("Bela", "online");
        tui.quit();
        desk.assert_stored("wxid_bela");
    }
}

#[test]
fn two_logins_side_by_side_are_not_mixed() {
    let desk = Desk::new(three());
    let mut tui = desk.tui();
    tui.select("Bela");
    tui.send(b"r");
    let first = desk.codes(1).remove(0);
    see_code(&tui, &payload(&desk, &first));
    tui.select("陈晨");
    tui.send(b"r");
    let both = desk.codes(2);
    let second = both.into_iter().find(|w_id| *w_id != first).unwrap();
    see_code(&tui, &payload(&desk, &second));
    tui.select("Bela");
    see_code(&tui, &payload(&desk, &first));
    // The later code's phone is the quicker one.
    desk.sim.scan_payload(&payload(&desk, &second), None).unwrap();
    desk.sim.confirm(Some("wxid_chen".into())).unwrap();
    tui.wait_row("陈晨", "online");
    desk.sim.scan_payload(&payload(&desk, &first), None).unwrap();
    desk.sim.confirm(Some("wxid_bela".into())).unwrap();
    tui.wait_row("Bela", "online");
    tui.kill();
    for wc_id in ["wxid_bela", "wxid_chen"] {
        desk.assert_stored(wc_id);
    }
}

#[test]
fn another_phone_than_the_one_meant_is_stored_as_its_own() {
    let desk = Desk::new(three());
    let mut tui = desk.tui();
    tui.select("Bela");
    tui.send(b"r");
    let code = desk.codes(1).remove(0);
    see_code(&tui, &payload(&desk, &code));
    desk.sim.scan_payload(&payload(&desk, &code), Some("wxid_chen".into())).unwrap();
    desk.sim.confirm(None).unwrap();
    tui.wait_text("Take it off line again?");
    tui.send(b"n");
    tui.wait("no question", |screen| !shows(screen, "Take it off line again?"));
    tui.wait_row("陈晨", "online");
    tui.wait_text("another account scanned");
    tui.wait_row("Bela", "!");
    tui.quit();
    desk.assert_stored("wxid_chen");
    assert_ne!(desk.account("wxid_bela")["presence"], "online");
}

#[test]
fn a_scan_after_the_program_died_lands_at_its_next_start() {
    for setup in dialects() {
        let desk = Desk::new(setup);
        let mut tui = desk.tui();
        tui.select("Bela");
        tui.send(b"r");
        let code = desk.codes(1).remove(0);
        let payload = payload(&desk, &code);
        see_code(&tui, &payload);
        tui.kill();
        desk.sim.scan_payload(&payload, None).unwrap();
        desk.sim.confirm(None).unwrap();
        let mut tui = desk.tui();
        tui.wait_row("Bela", "online");
        tui.quit();
        desk.assert_stored("wxid_bela");
    }
}

#[test]
fn a_phone_that_wants_a_verification_code_gets_it() {
    let desk = Desk::new(three());
    desk.sim.knobs(|knobs| knobs.verify_code = Some("246810".into()));
    let mut tui = desk.tui();
    tui.select("Bela");
    tui.send(b"r");
    let code = desk.codes(1).remove(0);
    see_code(&tui, &payload(&desk, &code));
    desk.sim.scan(None).unwrap();
    desk.sim.confirm(None).unwrap();
    tui.wait_text("The phone shows a verification code.");
    tui.wait("no code", |screen| eye::code(screen).is_none());
    tui.wait_text("Enter sends it");
    tui.send(b"246810\r");
    tui.wait_row("Bela", "online");
    tui.quit();
    desk.assert_stored("wxid_bela");
}

#[test]
fn a_phone_that_acts_at_once_is_not_missed() {
    let mut setup = three();
    setup.accounts[1].script = Some(PhoneScript { scan_ms: Some(0), answer_ms: 0, then: Then::Confirm });
    for dialect in [Dialect::V2, Dialect::V1] {
        let desk = Desk::new(Setup { dialect, ..setup.clone() });
        let mut tui = desk.tui();
        tui.select("Bela");
        tui.send(b"r");
        tui.wait_row("Bela", "online");
        tui.quit();
        desk.assert_stored("wxid_bela");
    }
}
