//! A slow line: what the terminal answers long after it was asked is nobody's input, neither the program's nor the shell's.

use std::time::Duration;

use saoma::model::WId;

use crate::kit::{Desk, Keys, Tui, eventually, three};

/// Name, no pictures, kind, the size of a cell, the width of ▄.
const ANSWERS: &[u8] = b"\x1bP>|XTerm(379)\x1b\\\x1b[?62;22c\x1b[6;18;9t\x1b[2;2R";
/// The last of them: all that a plain command asks.
const PLACE: &[u8] = b"\x1b[2;2R";
/// What the shell does afterwards: it reads a line and shows every byte of it.
const THEN: &str = "; echo RE''ADY; IFS= read -r line; printf '<%q>\\n' \"$line\"\n";

/// A shell at the other end of an SSH line.
fn shell(desk: &Desk) -> Tui {
    let env = [("SAOMA_LANG", "en"), ("SSH_CONNECTION", "10.0.0.1 1 10.0.0.2 22")];
    let shell = Tui::shell(desk.home.path(), &env, 100, 40);
    shell.wait_text(">");
    shell
}

fn wait_for_question(shell: &Tui) {
    eventually("the question", || shell.raw().windows(4).any(|window| window == b"\x1b[6n"));
}

/// That whoever reads next reads what is typed, and that nothing else was shown.
#[track_caller]
fn assert_nothing_left(shell: &mut Tui) {
    shell.wait_text("READY");
    shell.send(b"ok\n");
    shell.wait("what was read", |screen| screen.contents().contains("ok>") || screen.contents().contains("ok'>"));
    let text = shell.text();
    assert!(text.contains("<ok>"), "{text}");
    assert!(!text.contains("^["), "{text}");
}

fn confirm(desk: &Desk, code: &WId) {
    desk.sim.scan_code(code, Some("wxid_bela".into())).unwrap();
    desk.sim.confirm(None).unwrap();
}

#[test]
fn an_answer_behind_the_end_is_not_the_shells() {
    let desk = Desk::new(three());
    let mut shell = shell(&desk);
    shell.send(format!("saoma{THEN}").as_bytes());
    wait_for_question(&shell);
    shell.wait("the screen", vt100::Screen::alternate_screen);
    shell.send(b"q");
    shell.wait("a terminal given back", |screen| !screen.alternate_screen());
    shell.send(ANSWERS);
    assert_nothing_left(&mut shell);
}

#[test]
fn an_answer_behind_a_stop_is_not_the_shells() {
    let desk = Desk::new(three());
    let mut shell = shell(&desk);
    shell.send(b"saoma\n");
    wait_for_question(&shell);
    shell.wait("the screen", vt100::Screen::alternate_screen);
    shell.send(b"\x1a");
    shell.wait("a terminal given back", |screen| !screen.alternate_screen());
    shell.send(ANSWERS);
    shell.wait_text("Stopped");
    shell.send(b"echo a''b\n");
    shell.wait_text("ab");
    let text = shell.text();
    assert!(text.lines().any(|line| line.trim_end() == "> echo a''b"), "{text}");
    shell.send(b"fg\n");
    shell.wait("the screen", vt100::Screen::alternate_screen);
    shell.send(b"q");
    shell.wait("a terminal given back", |screen| !screen.alternate_screen());
}

#[test]
fn an_answer_while_a_login_waits_is_neither_shown_nor_the_verification_code() {
    let desk = Desk::new(three());
    desk.sim.knobs(|knobs| knobs.verify_code = Some("246810".into()));
    let mut shell = shell(&desk);
    shell.send(format!("saoma login wxid_bela{THEN}").as_bytes());
    wait_for_question(&shell);
    let w_id = desk.codes(1).remove(0);
    shell.wait_text("scan");
    shell.send(PLACE);
    confirm(&desk, &w_id);
    shell.wait_text("Verification code");
    shell.send(b"246810\n");
    assert_nothing_left(&mut shell);
    assert_eq!(desk.account("wxid_bela")["presence"], "online", "{}", shell.text());
}

#[test]
fn a_code_is_asked_for_although_the_terminal_never_answers_and_an_answer_among_it_is_left_out() {
    let desk = Desk::new(three());
    desk.sim.knobs(|knobs| knobs.verify_code = Some("246810".into()));
    let mut shell = shell(&desk);
    shell.send(b"saoma login wxid_bela; echo code=$?\n");
    let w_id = desk.codes(1).remove(0);
    confirm(&desk, &w_id);
    shell.wait_text("Verification code");
    shell.send(b"24\x1b[2;2R6810\x1b[?62;22c\n");
    shell.wait_text("code=0");
    assert_eq!(desk.account("wxid_bela")["presence"], "online", "{}", shell.text());
}

#[test]
fn keys_work_while_an_answer_is_waited_for() {
    let desk = Desk::new(three());
    let mut shell = shell(&desk);
    // The terminal never answers: Ctrl-C ends the login, and the terminal is as it was.
    shell.send(format!("saoma login wxid_bela{THEN}").as_bytes());
    desk.codes(1);
    shell.wait_text("scan");
    shell.send(b"\x03");
    shell.wait_text("READY");
    shell.send(b"ok\n");
    shell.wait_text("<ok>");
    shell.wait("the echo", |screen| screen.contents().lines().any(|line| line.trim_end() == "ok"));
}

#[test]
fn a_login_that_waits_for_an_answer_stops_and_goes_on() {
    let desk = Desk::new(three());
    let mut shell = shell(&desk);
    shell.send(b"saoma login wxid_bela\n");
    desk.codes(1);
    shell.wait_text("scan");
    shell.send(b"\x1a");
    shell.wait_text("Stopped");
    shell.wait_for_keys_of(Keys::Shell);
    shell.send(b"fg; echo co''de=$?\n");
    shell.wait_for_keys_of(Keys::Program);
    shell.send(b"\x03");
    shell.wait_text("code=130");
}

#[test]
fn doctor_waits_for_a_slow_line_and_leaves_nothing_behind() {
    let desk = Desk::new(three());
    let mut shell = shell(&desk);
    shell.send(format!("saoma doctor{THEN}").as_bytes());
    wait_for_question(&shell);
    // Longer than an answer is waited for before the next thing is done.
    std::thread::sleep(Duration::from_millis(1_200));
    shell.send(ANSWERS);
    assert_nothing_left(&mut shell);
}
