//! What must hold when everything has settled.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;

use super::round::{Stage, lists_w_ids};

type Pair = (String, String);

/// What happened at the gateway, as far as wIds go.
#[derive(Debug, Default)]
struct Truth {
    /// Whose each wId is.
    owners: HashMap<String, String>,
    /// Logins by code: the polled wId, whose phone, and the wId it ended with.
    codes: Vec<(String, String, String)>,
    /// By wId: which event asked for this login, and for which account.
    asked: HashMap<String, (usize, String)>,
    logins: usize,
}

fn truth(stage: &Stage) -> Truth {
    let mut truth = Truth::default();
    truth.owners.extend(stage.first.iter().map(|(wc_id, w_id)| (w_id.to_string(), wc_id.to_string())));
    let mut codes: HashMap<String, (usize, String)> = HashMap::new();
    let mut dialogs: HashMap<String, (usize, String)> = HashMap::new();
    for (at, event) in stage.events.lock().unwrap().iter().enumerate() {
        let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
        match event["event"].as_str() {
            Some("code") => drop(codes.insert(text("w_id"), (at, text("wc_id")))),
            Some("dialog") => drop(dialogs.insert(text("wc_id"), (at, text("wc_id")))),
            Some("online") => {
                truth.logins += 1;
                truth.owners.insert(text("w_id"), text("wc_id"));
                let asked = match event["code"].as_str() {
                    Some(polled) => {
                        truth.codes.push((polled.to_owned(), text("wc_id"), text("w_id")));
                        codes.get(polled)
                    }
                    None => dialogs.get(&text("wc_id")),
                };
                truth.asked.extend(asked.map(|asked| (text("w_id"), asked.clone())));
            }
            _ => {}
        }
    }
    truth
}

/// For the tally.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) logins: usize,
    pub(crate) stored: usize,
}

pub(crate) async fn facts(stage: &Stage) -> Facts {
    let mut connection = stage.home.raw().await;
    let stored: i64 = sqlx::query_scalar("SELECT count(*) FROM w_ids WHERE source IN ('login', 'adopted')")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    Facts { logins: truth(stage).logins, stored: usize::try_from(stored).unwrap() }
}

async fn pairs(connection: &mut SqliteConnection, sql: &'static str) -> Vec<Pair> {
    sqlx::query_as(sql).fetch_all(connection).await.unwrap()
}

/// What is wrong now; nothing, once everything has settled.
pub(crate) async fn wrongs(stage: &Stage) -> Vec<String> {
    let mut wrongs = Vec::new();
    let mut connection = stage.home.raw().await;
    let verdict: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut connection).await.unwrap();
    if verdict != "ok" {
        wrongs.push(format!("the database: {verdict}"));
    }
    let truth = truth(stage);
    w_ids(stage, &truth, &mut connection, &mut wrongs).await;
    accounts(stage, &truth, &mut connection, &mut wrongs).await;
    told(stage, &mut connection, &mut wrongs).await;
    asked(stage, &mut wrongs);
    let open = pairs(
        &mut connection,
        "SELECT id, coalesce(wc_id, '') FROM attempts WHERE state <> 'ended' OR image_url IS NOT NULL",
    )
    .await;
    wrongs.extend(open.iter().map(|open| format!("an attempt does not end: {open:?}")));
    connection.close().await.unwrap();
    wrongs
}

/// The history: nothing lost, nothing mixed.
async fn w_ids(stage: &Stage, truth: &Truth, connection: &mut SqliteConnection, wrongs: &mut Vec<String>) {
    let kept: HashSet<Pair> = pairs(connection, "SELECT wc_id, w_id FROM w_ids").await.into_iter().collect();
    for (wc_id, w_id) in &kept {
        if truth.owners.get(w_id) != Some(wc_id) {
            wrongs.push(format!("mixed: {w_id} is kept for {wc_id}, but is of {:?}", truth.owners.get(w_id)));
        }
    }
    for pair in stage.printed.lock().unwrap().iter() {
        if !kept.contains(pair) {
            wrongs.push(format!("printed as logged in, and not in the store: {pair:?}"));
        }
    }
    if !stage.setting.replay {
        return;
    }
    let polled: Vec<Pair> = pairs(connection, "SELECT w_id, id FROM attempts WHERE w_id IS NOT NULL").await;
    let polled: HashSet<String> = polled.into_iter().map(|(w_id, _)| w_id).collect();
    for (polled_w_id, wc_id, w_id) in &truth.codes {
        if polled.contains(polled_w_id) && !kept.contains(&(wc_id.clone(), w_id.clone())) {
            wrongs.push(format!("a poll of {polled_w_id} still tells {wc_id} {w_id}, and it is not in the store"));
        }
    }
}

/// What is believed now.
async fn accounts(stage: &Stage, truth: &Truth, connection: &mut SqliteConnection, wrongs: &mut Vec<String>) {
    let rows: Vec<(String, Option<String>, bool, String)> =
        sqlx::query_as("SELECT wc_id, w_id, w_id_confirmed, presence FROM accounts")
            .fetch_all(&mut *connection)
            .await
            .unwrap();
    let kept: HashSet<Pair> = pairs(connection, "SELECT wc_id, w_id FROM w_ids").await.into_iter().collect();
    let live: HashMap<String, String> =
        stage.sim.online().into_iter().map(|(wc_id, w_id)| (wc_id.to_string(), w_id.to_string())).collect();
    if lists_w_ids(stage.setting) {
        for wc_id in live.keys().filter(|wc_id| rows.iter().all(|row| row.0 != **wc_id)) {
            wrongs.push(format!("{wc_id} is online, and not in the store"));
        }
    }
    for (wc_id, w_id, confirmed, presence) in rows {
        let lives = live.get(&wc_id);
        let mixed = w_id.as_ref().is_some_and(|w_id| truth.owners.get(w_id) != Some(&wc_id));
        if mixed {
            wrongs.push(format!("mixed: {wc_id} holds {w_id:?}, which is not its own"));
        }
        let right = if lists_w_ids(stage.setting) {
            match lives {
                Some(_) => presence == "online" && confirmed && w_id.as_ref() == lives,
                None => presence != "online",
            }
        } else {
            // V1's list does not say which wId is live. What is not certain must not be handed out as certain.
            presence != "online"
                || !confirmed
                || w_id.as_ref() == lives
                || lives.is_some_and(|lives| {
                    !kept.contains(&(wc_id.clone(), lives.clone()))
                        && is_beyond_v1(stage, &truth.asked, &wc_id, w_id.as_deref(), lives)
                })
        };
        if !right {
            wrongs.push(format!(
                "{wc_id} is believed {presence}, {w_id:?}, confirmed {confirmed}; at the gateway {lives:?} lives"
            ));
        }
    }
}

/// Whether V1 gave no chance to hear of what lives: a login that was asked for earlier worked after the stored one, or
/// the account scanned a code that was another's, and the gateway tells a success once.
fn is_beyond_v1(
    stage: &Stage,
    asked: &HashMap<String, (usize, String)>,
    wc_id: &str,
    stored: Option<&str>,
    lives: &str,
) -> bool {
    let Some((at, wished)) = asked.get(lives) else { return false };
    let earlier = stored.and_then(|stored| asked.get(stored)).is_some_and(|(stored_at, _)| at < stored_at);
    earlier || (!stage.setting.replay && wished != wc_id)
}

/// The bots have been told.
async fn told(stage: &Stage, connection: &mut SqliteConnection, wrongs: &mut Vec<String>) {
    let told: HashSet<(String, String, String)> = stage
        .home
        .told()
        .iter()
        .map(|object| {
            let text = |key: &str| object[key].as_str().unwrap_or_default().to_owned();
            (text("event"), text("wc_id"), text("w_id"))
        })
        .collect();
    for (event, sql) in [
        ("logged_in", "SELECT wc_id, w_id FROM log WHERE event = 'logged_in'"),
        ("w_id_changed", "SELECT wc_id, w_id FROM w_ids WHERE source = 'adopted'"),
    ] {
        for (wc_id, w_id) in pairs(connection, sql).await {
            if !told.contains(&(event.to_owned(), wc_id.clone(), w_id.clone())) {
                wrongs.push(format!("the hook was never told: {event} {wc_id} {w_id}"));
            }
        }
    }
    let waiting = pairs(connection, "SELECT json, coalesce(claimed_by, '') FROM outbox").await;
    wrongs.extend(waiting.iter().map(|row| format!("left in the outbox: {row:?}")));
}

/// No phone rang, and no code was made, more often than somebody wished.
fn asked(stage: &Stage, wrongs: &mut Vec<String>) {
    let wishes = stage.wishes.lock().unwrap();
    let mut codes: HashMap<Option<String>, usize> = HashMap::new();
    let mut dialogs: HashMap<Option<String>, usize> = HashMap::new();
    for request in stage.sim.requests() {
        let wc_id = request.body.get("wcId").and_then(Value::as_str).map(str::to_owned);
        match request.endpoint.as_str() {
            "iPadLogin" => *codes.entry(wc_id).or_default() += 1,
            "secondLogin" => *dialogs.entry(wc_id).or_default() += 1,
            _ => {}
        }
    }
    for (wc_id, count) in codes {
        let most: usize = wishes.iter().filter(|wish| wish.wc_id == wc_id).map(|wish| wish.codes).sum();
        if count > most {
            wrongs.push(format!("{count} codes for {wc_id:?}, wished for {most}"));
        }
    }
    for (wc_id, count) in dialogs {
        let most = wishes.iter().filter(|wish| wish.wc_id == wc_id && wish.dialog).count();
        if count > most {
            wrongs.push(format!("{count} second logins of {wc_id:?}, wished for {most}"));
        }
    }
}
