//! Every word that the screen asks for is there, in both languages.

use std::path::Path;

use saoma::action::TABLE;
use saoma::i18n::{Lang, t};
use saoma::model::{Reason, Source};

fn sources(folder: &Path, out: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else {
            out.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn no_word_is_missing() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut text = String::new();
    sources(&root.join("app"), &mut text);
    sources(&root.join("ui"), &mut text);
    let mut keys: Vec<String> = text
        .split('"')
        .filter(|piece| {
            piece.starts_with("ui.") && piece.bytes().all(|b| b.is_ascii_alphanumeric() || b"._".contains(&b))
        })
        .map(ToOwned::to_owned)
        .collect();
    assert!(keys.len() > 80, "only {} keys were found", keys.len());
    for reason in Reason::ALL {
        keys.push(format!("reason.{}", reason.code()));
        keys.push(format!("next.{}", reason.code()));
    }
    for info in TABLE {
        keys.extend([info.action.doc_key(), info.action.hint_key()]);
    }
    for why in ["not_listed", "list_failed", "no_answer", "first_night"] {
        keys.push(format!("step_down.{why}"));
    }
    for source in ["list", "check", "notice", "login", "refusal", "own", "import"] {
        assert!(Source::from_name(source).is_some());
        keys.push(format!("ui.source.{source}"));
    }
    for cause in ["screen", "command", "watch", "list", "check", "notice", "phone", "gateway"] {
        keys.push(format!("ui.cause.{cause}"));
    }
    // The events of design.md §5, and those of the log beside them.
    for event in [
        "qr",
        "waiting",
        "scanned",
        "verify_code_required",
        "device_verification",
        "second_login_sent",
        "second_login_failed",
        "logged_in",
        "adopted",
        "wrong_account",
        "expired",
        "cancelled",
        "failed",
        "superseded",
        "resumed",
        "w_id_changed",
        "dropped",
        "recovered",
        "mass_drop",
        "outage",
        "outage_over",
        "login_needed",
        "taken_offline",
        "abandoned",
        "offline_reason",
    ] {
        keys.push(format!("ui.history_event.{event}"));
    }
    for lang in [Lang::En, Lang::Zh] {
        for key in &keys {
            assert_ne!(t(lang, key), key.as_str(), "{} has no words for {key}", lang.code());
        }
    }
    // The languages say different things: a key that fell back to English would not.
    let same: Vec<_> = keys.iter().filter(|key| t(Lang::En, key) == t(Lang::Zh, key)).collect();
    assert!(
        same.iter()
            .all(|key| ["ui.account.wid", "ui.account.wcid", "ui.flag.busy", "ui.flag.reason"].contains(&key.as_str())),
        "{same:?}"
    );
}
