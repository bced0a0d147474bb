//! Codes as pictures: in a terminal that says that it takes kitty's, and in one that says nothing.

use secrecy::ExposeSecret as _;

use crate::eye;
use crate::kit::{Desk, Tui, eventually, shows, three};

/// Name, yes to a question in kitty's protocol, kind, the size of a cell, the width of ▄.
const KITTY: &[u8] = b"\x1bP>|kitty(0.40.0)\x1b\\\x1b_Gi=31;OK\x1b\\\x1b[?62;c\x1b[6;18;9t\x1b[2;2R";

fn base64(text: &str) -> Vec<u8> {
    const SIGNS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let signs: Vec<usize> = text.chars().filter(|sign| *sign != '=').map(|sign| SIGNS.find(sign).unwrap()).collect();
    let four = |signs: &[usize]| {
        let all = (0..4).fold(0_u32, |all, at| all << 6 | u32::try_from(signs.get(at).copied().unwrap_or(0)).unwrap());
        all.to_be_bytes()[1..signs.len()].to_vec()
    };
    signs.chunks(4).flat_map(four).collect()
}

/// The PNG of the picture that the terminal shows, if it shows one.
fn shown(raw: &[u8]) -> Option<Vec<u8>> {
    let text = String::from_utf8_lossy(raw);
    let mut pieces = None;
    let (mut data, mut whole) = (String::new(), false);
    for command in text.split("\x1b_G").skip(1) {
        let (command, _) = command.split_once("\x1b\\")?;
        let (keys, piece) = command.split_once(';').unwrap_or((command, ""));
        if keys.contains("a=q") {
            continue;
        }
        if keys.contains("a=d") {
            pieces = None;
            continue;
        }
        if keys.contains("a=T") {
            data.clear();
        }
        data.push_str(piece);
        whole = keys.contains("m=0");
        if whole {
            pieces = Some(data.clone());
        }
    }
    assert!(pieces.is_none() || whole);
    pieces.map(|data| base64(&data))
}

fn reads(tui: &Tui) -> Option<String> {
    let png = shown(&tui.raw())?;
    saoma::qr::read(&png).ok().map(|payload| payload.expose_secret().to_owned())
}

#[test]
fn a_picture_reads_and_goes_when_anything_lies_over_it_and_when_it_is_used() {
    let desk = Desk::new(three());
    let mut tui = desk.tui_with(&[("SAOMA_LOG", "trace")]);
    eventually("the question", || tui.raw().windows(3).any(|window| window == b"\x1b_G"));
    tui.send(KITTY);
    tui.select("Bela");
    tui.send(b"r");
    let payload = desk.sim.payload(&desk.codes(1).remove(0)).unwrap();
    tui.wait("half blocks", |screen| eye::code(screen).as_ref() == Some(&payload));
    assert_eq!(shown(&tui.raw()), None, "auto stays with them");
    tui.send(b"L");
    tui.wait_text("Layout: wide");
    tui.send(b"L");
    eventually("a picture", || reads(&tui).as_ref() == Some(&payload));
    tui.wait("blank cells under it", |screen| !screen.contents().contains('▄'));
    let png = shown(&tui.raw()).unwrap();
    // The countdown goes on beside it, and nothing is sent of it again.
    let sent = || tui.raw().windows(5).filter(|window| window == b"a=T,f").count();
    let (before, bytes) = (sent(), tui.bytes());
    eventually("a second or two", || tui.bytes() > bytes + 20);
    assert_eq!((sent(), shown(&tui.raw()).as_ref()), (before, Some(&png)));
    tui.send(b"?");
    eventually("no picture", || shown(&tui.raw()).is_none());
    tui.wait_text("pictures: kitty");
    tui.send(b"\x1b");
    eventually("a picture", || reads(&tui).as_ref() == Some(&payload));
    tui.send(b"L");
    eventually("no picture", || shown(&tui.raw()).is_none());
    tui.wait_text("Show the code as text?");
    tui.send(b"\x1b");
    tui.wait("half blocks", |screen| eye::code(screen).as_ref() == Some(&payload));
    tui.send(b"LL");
    eventually("a picture", || reads(&tui).as_ref() == Some(&payload));
    tui.send(b"z");
    tui.wait("the whole screen", |screen| !shows(screen, "Accounts"));
    eventually("a picture", || reads(&tui).as_ref() == Some(&payload));
    tui.resize(20, 6);
    tui.wait_text("does not fit");
    eventually("no picture", || shown(&tui.raw()).is_none());
    tui.resize(100, 30);
    eventually("a picture", || reads(&tui).as_ref() == Some(&payload));
    desk.sim.scan(None).unwrap();
    desk.sim.confirm(None).unwrap();
    eventually("a used code gone", || shown(&tui.raw()).is_none());
    tui.send(b"z");
    tui.wait_row("Bela", "● online");
    tui.quit();
    assert_eq!(shown(&tui.raw()), None);
    // It went to the terminal and nowhere else; and no word of the payload with it.
    let tail = payload.rsplit('/').next().unwrap();
    assert!(!String::from_utf8_lossy(&tui.raw()).contains(tail));
    let mut folders = vec![desk.home.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap_or_default()).into_owned();
            assert!(!text.contains("iVBORw0KGgo") && !text.contains("\u{89}PNG") && !text.contains(tail), "{path:?}");
        }
    }
    // But for the CAN in front of what gives the terminal back.
    assert!(tui.strange().iter().all(|strange| strange == "control 24"), "{:?}", tui.strange());
}

#[test]
fn where_no_answer_comes_image_is_said_not_to_be_there_and_half_blocks_are_drawn() {
    let desk = Desk::new(three());
    let config = std::fs::read_to_string(desk.config()).unwrap();
    std::fs::write(desk.config(), format!("{config}[ui]\nqr_layout = 'image'\n")).unwrap();
    let mut tui = desk.tui();
    tui.wait_text("image is not available");
    tui.select("Bela");
    tui.send(b"r");
    let payload = desk.sim.payload(&desk.codes(1).remove(0)).unwrap();
    tui.wait("half blocks", |screen| eye::code(screen).as_ref() == Some(&payload));
    // The answers come after all, over a slow line.
    tui.send(KITTY);
    eventually("a picture", || reads(&tui).as_ref() == Some(&payload));
    // And the terminal goes while it is shown.
    tui.signal(rustix::process::Signal::TERM);
    assert_eq!(tui.exit_code(), 143);
    tui.assert_whole();
    assert_eq!(shown(&tui.raw()), None);
}
