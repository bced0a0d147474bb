//! The first night from the operator's side: however an account came to be known, what its drop is called, and whether
//! `Enter` makes its phone ask or shows a code.

use std::time::Duration;

use saoma::engine::api::{Command, Event, LoginStep, Way};
use saoma::model::{Dialect, Edit, Presence, WcId};
use saoma::simulator::Setup;

use crate::rig::{How, Rig, accounts, wait_until};
use crate::wait_for_dialog;

const AMY: &str = "wxid_amy";
/// Online from the beginning.
const CAI: &str = "wxid_cai";

/// How it came to be known and to be online, and whether that was its first login.
const WAYS: [(&str, bool); 8] = [
    ("named, then a code", true),
    ("a code for any phone", true),
    ("the code of another account", true),
    ("imported with a wId, then a code", false),
    ("imported with a time, then a code", false),
    ("a list", false),
    ("a second login", false),
    ("adopted by the ladder", false),
];

async fn come_online(rig: &mut Rig, how: &str) {
    let amy = WcId::from(AMY);
    match how {
        "a list" => {
            rig.front.account_is(CAI, "online", |account| account.presence == Presence::Online).await;
        }
        "adopted by the ladder" => {
            // V1 has to know which instance to ask.
            let edit = Edit { w_id: rig.live_w_id(CAI), ..Edit::default() };
            rig.front.store.put_account(&CAI.into(), &edit, saoma::model::Stamp(2)).await.unwrap();
            rig.front.login(CAI, Way::Ladder);
            assert!(matches!(rig.front.end().await.1, LoginStep::Adopted { .. }));
        }
        "a second login" => {
            rig.front.login(AMY, Way::Second);
            wait_for_dialog(rig, AMY).await;
            rig.sim.confirm(Some(amy)).unwrap();
            rig.front.logged_in().await;
        }
        how => {
            let asked = match how {
                "a code for any phone" => None,
                "the code of another account" => Some("wxid_bob".into()),
                _ => Some(amy),
            };
            rig.front.engine.send(Command::Login { wc_id: asked, way: Way::Qr, force: false });
            let code = rig.shown().await;
            rig.phone(&code, AMY);
            rig.front.end().await;
        }
    }
}

#[tokio::test]
async fn a_drop_is_expected_after_a_first_login_and_enter_knows() {
    for dialect in [Dialect::V1, Dialect::V2, Dialect::V3] {
        for (how, first) in WAYS {
            let edit = match how {
                "imported with a wId, then a code" => Edit { w_id: Some("w-file".into()), ..Edit::default() },
                "imported with a time, then a code" => Edit { was_logged_in: true, ..Edit::default() },
                _ => Edit::default(),
            };
            let import = vec![(AMY.into(), edit)];
            let how_ = How { interval: Some(Duration::from_millis(60)), import, ..How::default() };
            let mut rig = Rig::with(Setup { dialect, accounts: accounts(), ..Setup::default() }, how_).await;
            let who = if matches!(how, "a list" | "adopted by the ladder") { CAI } else { AMY };
            come_online(&mut rig, how).await;
            rig.sim.drop_account(&who.into()).unwrap();
            let dropped = rig.front.account_is(who, "off line", |account| account.presence == Presence::Offline).await;
            assert_eq!(dropped.is_first_drop(), first, "{dialect}, {how}: {dropped:?}");
            let (before, rang) = (rig.calls("secondLogin").len(), usize::from(!first));
            rig.front.login(who, Way::Ladder);
            rig.front
                .until("a dialog or a code", |event| match event {
                    Event::Login(event) => match event.step {
                        LoginStep::SecondLoginSent { .. } | LoginStep::Qr { .. } => Some(()),
                        _ => None,
                    },
                    _ => None,
                })
                .await;
            let asked = || rig.calls("secondLogin").len() - before >= rang;
            wait_until(&format!("{dialect}, {how}: the second login"), asked).await;
            assert_eq!(rig.calls("secondLogin").len() - before, rang, "{dialect}, {how}");
            rig.front.stop().await;
        }
    }
}

#[tokio::test]
async fn a_first_drop_that_only_a_ladder_has_seen_is_the_first_and_the_last() {
    for dialect in [Dialect::V1, Dialect::V2, Dialect::V3] {
        let mut rig = Rig::with(Setup { dialect, accounts: accounts(), ..Setup::default() }, How::default()).await;
        come_online(&mut rig, "a code for any phone").await;
        for rang in [0, 1] {
            // No list is asked but by the ladder itself.
            rig.sim.drop_account(&AMY.into()).unwrap();
            rig.front.login(AMY, Way::Ladder);
            if rang == 0 {
                let code = rig.shown().await;
                rig.phone(&code, AMY);
            } else {
                wait_for_dialog(&rig, AMY).await;
                rig.sim.confirm(Some(AMY.into())).unwrap();
            }
            rig.front.logged_in().await;
            assert_eq!(rig.calls("secondLogin").len(), rang, "{dialect}");
        }
        rig.front.stop().await;
    }
}
