//! The conveyor and what surrounds it: marks, filter, edit form, history, the questions, and a watch beside the screen.

use std::time::Instant;

use rustix::process::Signal;
use saoma::model::WcId;
use saoma::simulator::{PhoneScript, Setup, SimAccount, Then};
use serde_json::json;

use crate::eye;
use crate::kit::{Desk, eventually, row, shows, three};

/// A phone that confirms whatever it is asked, at once.
const YES: PhoneScript = PhoneScript { scan_ms: None, answer_ms: 0, then: Then::Confirm };

/// Five who are off line: two phones are asked, three have to scan.
fn five() -> Setup {
    let accounts =
        [("wxid_q1", "Quinn"), ("wxid_q2", "Rosa"), ("wxid_q3", "Sami"), ("wxid_d1", "Tara"), ("wxid_d2", "Umar")];
    let mut accounts: Vec<SimAccount> = accounts.iter().map(|(wc_id, name)| SimAccount::new(*wc_id, *name)).collect();
    for account in &mut accounts[..3] {
        account.qr_only = true;
    }
    Setup { accounts, ..Setup::default() }
}

#[test]
fn five_accounts_come_online_with_no_key_between_their_scans() {
    let desk = Desk::new(five());
    let mut tui = desk.tui();
    for name in ["Quinn", "Rosa", "Sami", "Tara", "Umar"] {
        tui.wait_row(name, "○ offline");
    }
    tui.send(b"S");
    tui.wait_text("To log in: 5");
    tui.send(b"\r");
    // No key from here to the summary.
    for wc_id in ["wxid_d1", "wxid_d2"] {
        let wc_id = WcId::from(wc_id);
        eventually("the phone's dialog", || desk.sim.dialogs(&wc_id) == 1);
        desk.sim.confirm(Some(wc_id)).unwrap();
    }
    let mut scanned = Vec::new();
    for _ in 0..3 {
        let code = desk.codes(1).remove(0);
        let payload = desk.sim.payload(&code).unwrap();
        tui.wait("the code of whose turn it is", |screen| eye::code(screen).as_ref() == Some(&payload));
        let asked = desk.sim.scan_payload(&payload, None).unwrap();
        desk.sim.confirm(Some(asked.wc_id.clone())).unwrap();
        scanned.push(asked.wc_id.to_string());
    }
    tui.wait_text("Conveyor: done");
    scanned.sort();
    assert_eq!(scanned, ["wxid_q1", "wxid_q2", "wxid_q3"], "each code was made for its own account");
    tui.send(b"\x1b");
    tui.wait("no summary", |screen| !shows(screen, "Conveyor: done"));
    tui.quit();
    for wc_id in ["wxid_q1", "wxid_q2", "wxid_q3", "wxid_d1", "wxid_d2"] {
        desk.assert_stored(wc_id);
        assert!(desk.sim.dialogs(&wc_id.into()) <= 1, "{wc_id} rang twice");
    }
    assert_eq!((desk.asked("secondLogin"), desk.asked("iPadLogin")), (5, 3));
}

#[test]
fn e_saves_whose_phone_it_is() {
    let desk = Desk::new(three());
    let mut tui = desk.tui();
    tui.select("Bela");
    tui.send(b"e");
    tui.wait_text("Edit Bela");
    tui.send(b"Li Wei\tshop, vip\tnights only");
    tui.wait_text("nights only");
    tui.send(b"\r");
    tui.wait_text("Saved.");
    tui.wait("the form closed", |screen| !shows(screen, "Edit Bela"));
    tui.wait_text("Li Wei");
    let bela = desk.account("wxid_bela");
    assert_eq!(
        (&bela["holder"], &bela["tags"], &bela["note"]),
        (&json!("Li Wei"), &json!(["shop", "vip"]), &json!("nights only"))
    );
    // What is left by Esc is not saved.
    tui.send(b"e");
    tui.wait_text("Edit Bela");
    tui.send(b" and Bo");
    tui.wait_text("Li Wei and Bo");
    tui.send(b"\x1b");
    tui.wait("the form closed", |screen| !shows(screen, "Edit Bela"));
    tui.quit();
    assert_eq!(desk.account("wxid_bela")["holder"], "Li Wei");
}

#[test]
fn h_opens_the_history_and_closes_it() {
    let desk = Desk::new(three());
    let mut tui = desk.tui();
    tui.wait_row("Anna", "● online");
    desk.sim.drop_account(&"wxid_anna".into()).unwrap();
    // Two lists have to agree.
    tui.send(b"R");
    eventually("two lists", || {
        if row_says(&tui, "Anna", "○ offline") {
            return true;
        }
        tui.send(b"R");
        std::thread::sleep(std::time::Duration::from_millis(100));
        false
    });
    tui.select("Anna");
    tui.send(b"h");
    tui.wait_text("History · Anna");
    tui.wait_text("dropped off line");
    tui.wait_text("30 days");
    tui.send(b"h");
    tui.wait("no history", |screen| !shows(screen, "History · Anna") && row(screen, "Anna").is_some());
    tui.send(b"h");
    tui.wait_text("History · Anna");
    tui.send(b"\x1b");
    tui.wait("no history", |screen| !shows(screen, "History · Anna") && row(screen, "Anna").is_some());
    tui.quit();
}

fn row_says(tui: &crate::kit::Tui, name: &str, word: &str) -> bool {
    tui.look(|screen| row(screen, name).is_some_and(|row| row.contains(word)))
}

#[test]
fn the_conveyor_takes_what_the_filter_shows_and_was_marked() {
    let desk = Desk::new(five());
    for (wc_id, holder) in [("wxid_q1", "Li Wei"), ("wxid_d1", "Li Wei"), ("wxid_d2", "Bo")] {
        let went = desk.run(&["accounts", "edit", wc_id, "--holder", holder]);
        assert_eq!(went.code, 0, "{went:?}");
    }
    let mut tui = desk.tui();
    for name in ["Quinn", "Rosa", "Sami", "Tara", "Umar"] {
        tui.wait_row(name, "○ offline");
    }
    tui.send(b"/");
    tui.wait_text("words #tag @holder offline");
    tui.send(b"@li");
    tui.wait("Li Wei's", |screen| {
        let has = |name| row(screen, name).is_some();
        has("Quinn") && has("Tara") && !has("Rosa") && !has("Sami") && !has("Umar")
    });
    tui.send(b"\r*");
    tui.wait_text("2 marked");
    tui.send(b"\x1b");
    tui.wait("all", |screen| row(screen, "Umar").is_some() && row(screen, "Rosa").is_some());
    assert!(tui.look(|screen| shows(screen, "2 marked")), "the marks stay: {}", tui.text());
    tui.select("Umar");
    tui.send(b" ");
    tui.wait_text("3 marked");
    tui.send(b"S");
    tui.wait_text("To log in: 3");
    tui.send(b"\x1b");
    tui.wait("no preview", |screen| !shows(screen, "To log in: 3"));
    tui.send(b"u");
    tui.wait("no marks", |screen| !shows(screen, "marked"));
    tui.quit();
    assert_eq!((desk.asked("secondLogin"), desk.asked("iPadLogin")), (0, 0), "a preview asks no phone");
}

#[test]
fn beyond_its_budget_a_key_asks_before_the_phone_rings() {
    let mut setup = three();
    setup.accounts[1].script = Some(YES);
    setup.knobs.first_day_drop = false;
    let desk = Desk::new(setup);
    let bela = WcId::from("wxid_bela");
    for _ in 0..3 {
        let went = desk.run(&["second-login", "wxid_bela"]);
        assert_eq!(went.code, 0, "{went:?}");
        desk.sim.drop_account(&bela).unwrap();
    }
    let went = desk.run(&["second-login", "wxid_bela", "--json"]);
    assert_eq!(went.code, 12, "{went:?}");
    let mut tui = desk.tui();
    tui.wait_row("Bela", "○ offline");
    tui.select("Bela");
    tui.send(b"s");
    tui.wait_text("Send all the same?");
    tui.wait_text("second login no. 4 in 24 hours");
    tui.send(b"\x1b");
    tui.wait("no question", |screen| !shows(screen, "Send all the same?"));
    assert_eq!(desk.sim.dialogs(&bela), 3, "the phone was left alone");
    tui.send(b"s");
    tui.wait_text("Send all the same?");
    tui.send(b"y");
    tui.wait_row("Bela", "● online");
    tui.quit();
    desk.assert_stored("wxid_bela");
    assert_eq!(desk.sim.dialogs(&bela), 4);
}

#[test]
fn the_wrong_phone_is_taken_off_line_only_by_a_yes() {
    for (key, stays) in [(&b"\r"[..], true), (b"y", false)] {
        let desk = Desk::new(three());
        let mut tui = desk.tui();
        tui.wait_row("Bela", "○ offline");
        tui.select("Bela");
        tui.send(b"r");
        let code = desk.codes(1).remove(0);
        let payload = desk.sim.payload(&code).unwrap();
        tui.wait("a code that reads", |screen| eye::code(screen).as_ref() == Some(&payload));
        desk.sim.scan_payload(&payload, Some("wxid_chen".into())).unwrap();
        desk.sim.confirm(None).unwrap();
        tui.wait_text("Take it off line again?");
        tui.wait_text("Another phone scanned the code of Bela: 陈晨 (wxid_chen)");
        desk.assert_stored("wxid_chen");
        tui.send(key);
        tui.wait("no question", |screen| !shows(screen, "Take it off line again?"));
        tui.wait_row("陈晨", if stays { "● online" } else { "○ offline" });
        tui.quit();
        assert_eq!(desk.live("wxid_chen").is_some(), stays);
        assert_eq!(desk.asked("member/offline"), usize::from(!stays));
        assert_ne!(desk.account("wxid_bela")["presence"], "online");
    }
}

#[test]
fn a_screen_beside_a_watch_asks_nothing_and_takes_its_place_when_it_dies() {
    let desk = Desk::new(three());
    desk.configure("5s");
    let watch = desk.start(&["watch"]);
    watch.wait_event("watching");
    eventually("the watch's list", || desk.asked("queryLoginWx") > 0);
    let mut tui = desk.tui();
    tui.wait_row("Anna", "● online");
    tui.wait_row("Bela", "○ offline");
    let (since, before) = (Instant::now(), desk.asked("queryLoginWx"));
    desk.sim.drop_account(&"wxid_anna".into()).unwrap();
    watch.wait_event("dropped");
    tui.wait_row("Anna", "○ offline");
    // The lists of one process: at most one in each interval, whose jitter may shorten it.
    let (lists, time) = (desk.asked("queryLoginWx") - before, since.elapsed().as_millis());
    assert!(lists as u128 <= time / 4_000 + 1, "{lists} lists in {time} ms");
    // A login of the screen is told by the watch.
    tui.select("Bela");
    tui.send(b"s");
    eventually("the phone's dialog", || desk.sim.dialogs(&"wxid_bela".into()) == 1);
    desk.sim.confirm(Some("wxid_bela".into())).unwrap();
    tui.wait_row("Bela", "● online");
    watch.wait_event("logged_in");
    watch.signal(Signal::KILL);
    drop(watch);
    // Its role is free: the screen sees the next drop by its own lists.
    desk.sim.drop_account(&"wxid_bela".into()).unwrap();
    let lists = desk.asked("queryLoginWx");
    tui.wait_row("Bela", "○ offline");
    assert!(desk.asked("queryLoginWx") > lists);
    tui.quit();
}
