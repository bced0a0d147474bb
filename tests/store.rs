//! The store from outside: what is promised survives other processes and `kill -9`.

use saoma::model::{ProfileId, Record, Rung, Stamp, WcId};
use saoma::store::{Begun, Scope, Store};

fn scope() -> Scope {
    Scope {
        profile: ProfileId::from("13800000000 @ 203.0.113.7:9899"),
        name: "default".into(),
        receivers: vec!["command".into()],
    }
}

fn record(wc_id: &str, w_id: &str) -> Record {
    Record {
        wc_id: wc_id.into(),
        w_id: w_id.into(),
        nick_name: "小诺".into(),
        w_account: "xiaonuo".into(),
        sex: Some(2),
        avatar_url: "".into(),
    }
}

async fn begin(store: &Store, wc_id: &str, at: i64) -> saoma::model::AttemptId {
    match store.begin_attempt(Some(&WcId::from(wc_id)), Rung::QrLogin, Stamp(at)).await.unwrap() {
        Begun::Started(id) => id,
        Begun::Busy(attempt) => panic!("busy: {attempt:?}"),
    }
}

#[tokio::test]
async fn a_login_is_stored_and_survives() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/saoma.db");
    let store = Store::open(&path, scope()).await.unwrap();
    let id = begin(&store, "wxid_a", 100).await;
    store.attempt_issued(&id, Some(&"w1".into()), None, Stamp(150_000)).await.unwrap();
    let stored = store.store_login(&id, &record("wxid_a", "w1"), Stamp(200)).await.unwrap();
    assert!(stored.current && stored.new_account);
    store.close().await;
    let store = Store::open(&path, scope()).await.unwrap();
    let accounts = store.accounts().await.unwrap();
    assert_eq!(accounts, [stored.account]);
    assert!(store.attempts().await.unwrap().is_empty());
    assert_eq!(store.outbox_take(Stamp(300)).await.unwrap().len(), 1);
    assert_eq!(store.recent(5).await.unwrap().len(), 1);
}
