//! The store's file is moved, deleted or replaced while it is open: nobody goes on writing where nobody looks.

use saoma::model::{Edit, Presence, ProfileId, Rung, Stamp, WcId};
use saoma::store::{Changed, Error, Scope, Store};

use super::support::{account, begin, beside, login, record, scope, started, store};

#[tokio::test]
async fn what_is_stored_after_the_file_is_gone_is_where_everybody_looks() {
    for how in ["moved", "deleted", "deleted alone"] {
        let (folder, store) = store().await;
        let path = folder.path().join("saoma.db");
        login(&store, "wxid_a", "w1", 100, 200).await;
        let id = begin(&store, "wxid_b", "w2", 300).await;
        let mut watch = store.watch(None);
        for end in ["", "-wal", "-shm"] {
            let file = folder.path().join(format!("saoma.db{end}"));
            match (how, end) {
                ("moved", _) => std::fs::rename(&file, file.with_extension(format!("old{end}"))).unwrap(),
                ("deleted alone", "") | ("deleted", _) => std::fs::remove_file(&file).unwrap(),
                _ => {}
            }
        }
        // It is heard of at once, not only with the next write.
        assert_eq!(watch.changed().await, Changed::Store);
        assert!(store.was_replaced().await.unwrap(), "{how}");
        assert!(!store.was_replaced().await.unwrap(), "told once");
        assert!(path.is_file());
        // The scan lands although its attempt was in the old file.
        assert!(store.store_login(&id, &record("wxid_b", "w2"), Stamp(400)).await.unwrap().current);
        let other = beside(&folder).await;
        assert_eq!(account(&other, "wxid_b").await.presence, Presence::Online);
        assert_eq!(other.account(&WcId::from("wxid_a")).await.unwrap(), None, "{how}");
        // It is alive for the others, and they for it.
        let id = begin(&store, "wxid_c", "w3", 500).await;
        assert!(other.is_alive(store.owner()) && other.is_able(store.owner()));
        assert!(other.take_over(&id).await.unwrap().is_none());
        store.close().await;
        assert_eq!(account(&other, "wxid_b").await.w_id, Some("w2".into()), "{how}: still there after the end");
    }
}

#[tokio::test]
async fn a_file_that_takes_its_place_is_read_for_what_it_is() {
    let (folder, store) = store().await;
    let path = folder.path().join("saoma.db");
    login(&store, "wxid_a", "w1", 100, 200).await;
    for at in 300..400 {
        store.put_account(&format!("wxid_{at}").as_str().into(), &Edit::default(), Stamp(at)).await.unwrap();
    }
    let order = store.order().await.unwrap();
    // Another store, in which this profile has another number.
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("saoma.db");
    let first = Store::open(&file, Scope { profile: ProfileId::from("another"), ..scope() }).await.unwrap();
    first.put_account(&"wxid_x".into(), &Edit::default(), Stamp(1)).await.unwrap();
    first.close().await;
    let second = Store::open(&file, scope()).await.unwrap();
    login(&second, "wxid_b", "w2", 100, 200).await;
    second.close().await;
    std::fs::rename(&file, &path).unwrap();
    assert!(store.was_replaced().await.unwrap());
    let accounts = store.accounts().await.unwrap();
    let known: Vec<&str> = accounts.iter().map(|account| account.wc_id.as_str()).collect();
    assert_eq!(known, ["wxid_b"], "not what the old one's journal held");
    assert!(store.order().await.unwrap() >= order, "an answer of before would pass for newer than all that comes");
    login(&store, "wxid_b", "w3", 300, 400).await;
    assert_eq!(account(&beside(&folder).await, "wxid_b").await.w_id, Some("w3".into()));
}

#[tokio::test]
async fn a_folder_that_is_gone_is_waited_for() {
    let above = tempfile::tempdir().unwrap();
    let folder = above.path().join("state");
    let store = Store::open(&folder.join("saoma.db"), scope()).await.unwrap();
    let id = started(store.begin_attempt(Some(&"wxid_a".into()), Rung::QrLogin, Stamp(1)).await.unwrap());
    std::fs::rename(&folder, above.path().join("away")).unwrap();
    let refused = store.store_login(&id, &record("wxid_a", "w1"), Stamp(2)).await.unwrap_err();
    assert!(refused.to_string().contains("moved or deleted"), "{refused}");
    assert!(!folder.exists(), "nothing is made where nothing is wanted");
    std::fs::rename(above.path().join("away"), &folder).unwrap();
    assert!(store.store_login(&id, &record("wxid_a", "w1"), Stamp(3)).await.unwrap().current);
    assert!(!store.was_replaced().await.unwrap());
}

#[tokio::test]
async fn what_is_no_store_takes_nothing_away_and_is_left_as_it_is() {
    let (folder, store) = store().await;
    let (path, aside) = (folder.path().join("saoma.db"), folder.path().join("aside"));
    login(&store, "wxid_a", "w1", 100, 200).await;
    std::fs::rename(&path, &aside).unwrap();
    std::fs::write(
        &path,
        "not a database, but as long as the header of one: it has to be read for that to be seen".repeat(8),
    )
    .unwrap();
    let before = std::fs::read(&path).unwrap();
    for _twice in 0..2 {
        let refused = store.accounts().await.unwrap_err();
        assert!(matches!(refused, Error::Damaged(_)), "{refused:?}");
        let refused = store.begin_attempt(Some(&"wxid_b".into()), Rung::QrLogin, Stamp(300)).await.unwrap_err();
        assert!(matches!(refused, Error::Damaged(_)), "{refused:?}");
    }
    assert_eq!(std::fs::read(&path).unwrap(), before);
    // All that was stored is where it was, the last of it in the journal.
    assert!(folder.path().join("saoma.db-wal").is_file() && !folder.path().join("saoma.db-wal.left").exists());
    std::fs::rename(&aside, &path).unwrap();
    assert_eq!(account(&store, "wxid_a").await.w_id, Some("w1".into()));
    assert!(!store.was_replaced().await.unwrap());
}
