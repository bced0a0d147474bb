//! Keys that are no login, and the other sizes.

use saoma::simulator::SimAccount;

use crate::eye;
use crate::kit::{Desk, Tui, dimensions, eventually, row, shows, three};

fn code_of(desk: &Desk) -> String {
    let code = desk.codes(1).remove(0);
    desk.sim.payload(&code).unwrap()
}

#[test]
fn a_adds_an_account_whose_first_login_the_gateway_wants_as_a_code() {
    let mut setup = three();
    setup.accounts.push(SimAccount::new("wxid_elsa", "Elsa").new_here());
    let desk = Desk::new(setup);
    let mut tui = desk.tui();
    tui.wait_text("list ok");
    tui.send(b"a");
    tui.wait_text("Add an account");
    tui.send(b"q r\r");
    tui.wait_text("A wcId has no spaces.");
    tui.send(b"\x7f\x7f\x7fwxid_elsa\r");
    tui.wait("the cursor on it", |screen| row(screen, "wxid_elsa").is_some_and(|row| row.contains('▸')));
    tui.send(b"s");
    tui.wait_text("try a QR login");
    // The advice is not in the way of itself.
    tui.send(b"r");
    let payload = code_of(&desk);
    tui.wait("a code that reads", |screen| eye::code(screen).as_ref() == Some(&payload));
    assert_eq!(desk.sim.scan_payload(&payload, None).unwrap().wc_id.as_str(), "wxid_elsa");
    desk.sim.confirm(None).unwrap();
    tui.wait_row("Elsa", "● online");
    tui.quit();
    desk.assert_stored("wxid_elsa");
    assert_eq!(desk.sim.dialogs(&"wxid_elsa".into()), 0);
}

#[test]
fn o_asks_and_takes_off_line() {
    let desk = Desk::new(three());
    let mut tui = desk.tui();
    tui.wait_row("Anna", "● online");
    tui.select("Anna");
    tui.send(b"o");
    tui.wait_text("Take off line?");
    tui.send(b"\x1b");
    tui.wait("no question", |screen| !shows(screen, "Take off line?"));
    assert_eq!(desk.asked("member/offline"), 0);
    tui.send(b"o");
    tui.wait_text("Take off line?");
    tui.send(b"y");
    tui.wait_row("Anna", "○ offline");
    assert_eq!(desk.live("wxid_anna"), None);
    tui.quit();
    assert_eq!(desk.account("wxid_anna")["presence"], "offline");
    assert_eq!((desk.asked("member/offline"), desk.asked("member/logout")), (1, 0));
}

#[test]
fn filters_copies_help_and_asking_now() {
    let desk = Desk::new(three());
    let mut tui = desk.tui();
    tui.wait_row("Anna", "● online");
    // The second list agrees with the first that the others are off line.
    tui.wait_row("Bela", "○ offline");
    tui.send(b"2");
    tui.wait("offline ones", |screen| row(screen, "Anna").is_none() && row(screen, "Bela").is_some());
    tui.wait_text("offline 2/3");
    tui.send(b"3");
    tui.wait_text("None of this kind.");
    tui.send(b"1");
    tui.wait("all", |screen| row(screen, "Anna").is_some() && row(screen, "Bela").is_some());
    tui.select("Anna");
    tui.send(b"Y");
    tui.wait_text("wcId copied.");
    eventually("the clipboard", || !tui.strange().is_empty());
    assert_eq!(tui.strange()[0], "clipboard d3hpZF9hbm5h");
    tui.send(b"?");
    tui.wait_text("second login: confirm on the phone");
    tui.send(b"q");
    tui.wait("no help", |screen| !shows(screen, "second login: confirm on the phone"));
    let lists = desk.asked("queryLoginWx");
    tui.send(b"R");
    eventually("a list", || desk.asked("queryLoginWx") > lists);
    tui.quit();
}

#[test]
fn z_and_i_show_the_same_code() {
    let desk = Desk::new(three());
    let mut tui = desk.tui();
    tui.select("Bela");
    tui.send(b"r");
    let payload = code_of(&desk);
    tui.wait("a code that reads", |screen| eye::code(screen).as_ref() == Some(&payload));
    tui.send(b"z");
    tui.wait("a code alone", |screen| {
        !screen.contents().contains("Accounts") && eye::code(screen).as_ref() == Some(&payload)
    });
    tui.send(b"z");
    tui.wait_text("Accounts");
    tui.send(b"i");
    tui.wait("an inverted code", |screen| eye::inverted_code(screen).as_ref() == Some(&payload));
    tui.wait_text("Some phones cannot read it");
    tui.send(b"i");
    tui.wait("a code that reads", |screen| eye::code(screen).as_ref() == Some(&payload));
    tui.quit();
}

/// Where a code does not fit, the screen says what is missing; enlarged by that, it shows the code.
#[test]
fn other_sizes_show_the_whole_code_or_say_what_is_missing() {
    for (columns, rows) in [(120, 40), (60, 20), (40, 20), (40, 12), (30, 24), (20, 6)] {
        let desk = Desk::new(three());
        let mut tui = desk.tui_at(columns, rows);
        tui.select("Bela");
        tui.send(b"r");
        let payload = code_of(&desk);
        let is_missing = |screen: &vt100::Screen| shows(screen, "does not fit") || shows(screen, "No room");
        let missing = |tui: &Tui| {
            let text: String = tui.text().split_whitespace().collect();
            tui.look(is_missing).then_some(text)
        };
        tui.wait("a code, or what is missing", |screen| {
            eye::code(screen).as_ref() == Some(&payload) || is_missing(screen)
        });
        if let Some(text) = missing(&tui) {
            assert!(columns < 33 || rows < 16, "{columns}×{rows}: {text}");
            assert!(tui.look(|screen| eye::code(screen).is_none()), "half a code at {columns}×{rows}");
            let number = |after: &str| -> u16 {
                let rest = text.split_once(after).map(|(_, rest)| rest);
                rest.map_or(0, |rest| {
                    rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0)
                })
            };
            let (more_columns, more_rows) =
                (number("columns:").max(number("columns")), number("rows:").max(number("rows")));
            assert!(more_columns + more_rows > 0, "{columns}×{rows}: {text}");
            tui.resize(columns + more_columns, rows + more_rows);
            tui.wait("a code that reads", |screen| eye::code(screen).as_ref() == Some(&payload));
        }
        desk.sim.scan_payload(&payload, None).unwrap();
        desk.sim.confirm(None).unwrap();
        tui.wait("the code to go", |screen| eye::code(screen).is_none() && !is_missing(screen));
        eventually("the wId", || desk.account("wxid_bela")["presence"] == "online");
        tui.resize(80, 24);
        tui.wait("the main size", |screen| dimensions(screen) == (24, 80) && row(screen, "Bela").is_some());
        tui.wait_row("Bela", "● online");
        tui.quit();
        desk.assert_stored("wxid_bela");
    }
}
