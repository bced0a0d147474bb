//! Somebody stands between saoma and the gateway and answers some requests himself: with every kind of status, with half
//! of an answer, with bodies that are none. The scan lands all the same.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use saoma::engine::api::{Event, Fleet, LoginStep, Way};
use saoma::model::{Account, Dialect, Edit, Presence, Reason, WId, WcId};
use saoma::simulator::{Fault, Knobs, Setup, SimAccount, Simulator};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::rig::{Front, How, Rig, accounts, dropped, wait_until};

/// Six bytes.
const NAME: &str = "小诺";
const DIALECTS: [Dialect; 3] = [Dialect::V1, Dialect::V2, Dialect::V3];

/// What is done to a request.
#[derive(Clone, Debug)]
enum Odd {
    /// These bytes are sent for an answer, and the connection ends.
    Says(Vec<u8>),
    /// The connection is reset.
    Reset,
    /// These bytes, a while, the end.
    SlowlySays(Vec<u8>),
    /// The gateway answers, and the name that everybody here has becomes other bytes, as many.
    Renames([u8; 6]),
}

/// An answer with a body.
fn http(status: &str, headers: &str, body: &[u8]) -> Odd {
    let mut bytes = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    Odd::Says(bytes)
}

/// Names and odd answers.
fn odd_answers() -> Vec<(String, Odd)> {
    let says = |bytes: &[u8]| Odd::Says(bytes.to_vec());
    let json = |body: &[u8]| http("200 OK", "content-type: application/json\r\n", body);
    let mut all: Vec<(String, Odd)> = [
        300, 302, 304, 307, 400, 401, 402, 403, 404, 405, 407, 408, 409, 413, 418, 421, 425, 429, 431, 451, 499, 500,
        501, 502, 503, 504, 511, 520, 530, 599,
    ]
    .into_iter()
    .map(|status| {
        let page = b"<html><body>nginx</body></html>";
        (
            status.to_string(),
            http(&format!("{status} Odd"), "location: /elsewhere\r\ncontent-type: text/html\r\n", page),
        )
    })
    .collect();
    let words = br#"{"message":"Forbidden"}"#;
    let gbk = [b"{\"code\":\"1000\",\"message\":\"\xb3\xc9\xb9\xa6\",\"data\":nul".as_slice(), b"}"].concat();
    all.extend(
        [
            ("403 with words", http("403 Forbidden", "", words)),
            (
                "429 with words",
                http("429 Too Many Requests", "retry-after: 1\r\n", br#"{"code":429,"message":"slow down"}"#),
            ),
            ("500 as an envelope", json(br#"{"code":500,"message":"Internal Server Error","data":null}"#)),
            ("401 as an envelope", json(br#"{"code":"401","message":"Unauthorized"}"#)),
            ("reset", Odd::Reset),
            ("nothing", says(b"")),
            ("half a status line", says(b"HTTP/1.")),
            ("half a head", says(b"HTTP/1.1 200 OK\r\ncontent-ty")),
            ("half a body", says(b"HTTP/1.1 200 OK\r\ncontent-length: 200\r\n\r\n{\"code\":\"1000\",")),
            ("a length too long", says(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n{}")),
            ("a length that is none", says(b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n{}")),
            ("a broken chunk", says(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n")),
            ("a chunk that ends", says(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\n{\"code\"")),
            ("slowly half a head", Odd::SlowlySays(b"HTTP/1.1 200 OK\r\n".to_vec())),
            ("slowly half a body", Odd::SlowlySays(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".to_vec())),
            ("TLS", says(b"\x15\x03\x03\x00\x02\x02\x28")),
            ("SSH", says(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")),
            ("HTTP/0.9", says(b"<html>welcome</html>")),
            ("204", says(b"HTTP/1.1 204 No Content\r\n\r\n")),
            ("an empty body", json(b"")),
            (
                "a page",
                http("200 OK", "content-type: text/html\r\n", b"<!DOCTYPE html><title>Welcome to nginx!</title>"),
            ),
            ("an array", json(b"[]")),
            ("null", json(b"null")),
            ("a number", json(b"1000")),
            ("a text", json(b"\"1000\"")),
            ("no code", json(br#"{"timestamp":1,"status":200,"error":"OK","path":"/getIPadLoginInfo"}"#)),
            ("half of JSON", json(br#"{"code":"1000","message":"#)),
            ("a code of others", json(br#"{"code":0,"message":"ok"}"#)),
            ("a yes", json(br#"{"code":true,"message":"ok"}"#)),
            ("a wrong code", json(br#"{"code":{},"message":[],"data":3}"#)),
            ("success without data", json(br#"{"code":"1000","message":"ok","data":null}"#)),
            ("success of nobody", json(br#"{"code":"1000","message":"ok","data":{"status":3,"wcId":" "}}"#)),
            ("gzip that nobody names", json(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\x56\x4a\xce\x4f\x49")),
            ("a mark and no more", json(b"\xef\xbb\xbf")),
            ("half of GBK", json(&gbk)),
            ("zeros", json(&[0; 64])),
            ("huge", json(&vec![b' '; (1 << 20) + 1])),
            ("deep", json(&vec![b'['; 200_000])),
        ]
        .map(|(name, odd)| (name.to_owned(), odd)),
    );
    all
}

/// Decides, by endpoint and body, whether a request is answered oddly.
type Choose = Arc<dyn Fn(&str, &str) -> Option<(Odd, bool)> + Send + Sync>;

/// Stands between; gives the address to go to. With `true` beside an odd answer, the gateway gets the request as well.
async fn between(gateway: &str, choose: Choose) -> String {
    let gateway = gateway.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(pass(client, gateway.clone(), Arc::clone(&choose)));
        }
    });
    base
}

async fn pass(mut client: TcpStream, gateway: String, choose: Choose) {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if client.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
    };
    let text = String::from_utf8_lossy(bytes.get(..head).unwrap()).to_lowercase();
    let length =
        text.lines().find_map(|line| line.strip_prefix("content-length:")).map_or(0, |n| n.trim().parse().unwrap());
    while bytes.len() < head + length {
        if client.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let path = text.split(' ').nth(1).unwrap().rsplit('/').next().unwrap().to_owned();
    let body = String::from_utf8_lossy(bytes.get(head..).unwrap()).into_owned();
    let chosen = choose(&path, &body);
    if let Some((Odd::Renames(name), _)) = chosen {
        let mut behind = TcpStream::connect(&gateway).await.unwrap();
        behind.write_all(&bytes).await.unwrap();
        let mut answer = vec![0; 1 << 16];
        // The simulator sends a small answer at once.
        while let Ok(read @ 1..) = behind.read(&mut answer).await {
            let mut part = answer[..read].to_vec();
            while let Some(at) = part.windows(6).position(|six| six == NAME.as_bytes()) {
                part[at..at + 6].copy_from_slice(&name);
            }
            let _gone = client.write_all(&part).await;
        }
        return;
    }
    if matches!(chosen, None | Some((_, true))) {
        let mut behind = TcpStream::connect(&gateway).await.unwrap();
        behind.write_all(&bytes).await.unwrap();
        if chosen.is_none() {
            let _gone = tokio::io::copy_bidirectional(&mut client, &mut behind).await;
            return;
        }
        // The gateway goes on with it, and nobody hears its answer.
        tokio::spawn(async move { tokio::io::copy(&mut behind, &mut tokio::io::sink()).await });
    }
    match chosen {
        Some((Odd::Says(answer), _)) => {
            let _gone = client.write_all(&answer).await;
            let _gone = client.shutdown().await;
        }
        Some((Odd::Reset, _)) => client.set_zero_linger().unwrap(),
        Some((Odd::SlowlySays(answer), _)) => {
            let _gone = client.write_all(&answer).await;
            tokio::time::sleep(Duration::from_millis(300)).await;
            let _gone = client.shutdown().await;
        }
        Some((Odd::Renames(_), _)) | None => {}
    }
}

fn w_id_of(body: &str) -> String {
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    body.get("wId").and_then(|w_id| w_id.as_str()).unwrap_or_default().to_owned()
}

async fn start(dialect: Dialect, wc_ids: &[String], choose: Choose) -> (Simulator, tempfile::TempDir, Front) {
    start_with(dialect, wc_ids, choose, How::default(), Knobs::default(), false).await
}

async fn start_with(
    dialect: Dialect,
    wc_ids: &[String],
    choose: Choose,
    how: How,
    knobs: Knobs,
    online: bool,
) -> (Simulator, tempfile::TempDir, Front) {
    let account = |wc_id: &String| {
        let account = SimAccount::new(wc_id, NAME);
        if online { account.online() } else { account }
    };
    let accounts = wc_ids.iter().map(account).collect();
    let sim =
        Simulator::start(Setup { dialect, accounts, knobs, ..Setup::default() }).await.expect("the simulator starts");
    let dir = tempfile::tempdir().unwrap();
    let base = between(sim.url(), choose).await;
    let import = wc_ids.iter().map(|wc_id| (WcId::from(wc_id.as_str()), Edit::default())).collect();
    let front = Front::start(&sim, dir.path(), dialect, How { base: Some(base), import, ..how }).await;
    (sim, dir, front)
}

/// Each code's polls meet another oddity, once in V2, twice in the others; every scan lands, under the wId that lives.
#[tokio::test]
async fn every_scan_lands_whatever_its_polls_are_answered() {
    for dialect in DIALECTS {
        let odd = odd_answers();
        let times = if dialect == Dialect::V2 { 1 } else { 2 };
        let wc_ids: Vec<String> = (0..odd.len()).map(|n| format!("wxid_{n:02}")).collect();
        // Which oddity a wId meets, and how often it has.
        let met: Arc<Mutex<HashMap<String, (usize, u32)>>> = Arc::default();
        let (seen, answers) = (Arc::clone(&met), odd.clone());
        let choose: Choose = Arc::new(move |endpoint, body| {
            if endpoint != "getipadlogininfo" {
                return None;
            }
            let mut seen = seen.lock().unwrap();
            let next = seen.len();
            let (which, count) = seen.entry(w_id_of(body)).or_insert((next, 0));
            *count += 1;
            (*count <= times).then(|| (answers.get(*which).unwrap().1.clone(), false))
        });
        let (sim, _dir, mut front) = start(dialect, &wc_ids, choose).await;
        for wc_id in &wc_ids {
            front.login(wc_id, Way::Qr);
        }
        let (mut in_, mut left) = (HashMap::new(), wc_ids.len());
        while left > 0 {
            let (wc_id, step) = front
                .until("a code or an end", |event| match event {
                    Event::Login(event) if event.step.ends() || matches!(event.step, LoginStep::Qr { .. }) => {
                        Some((event.wc_id.clone().unwrap(), event.step.clone()))
                    }
                    _ => None,
                })
                .await;
            match step {
                LoginStep::Qr { w_id, .. } => {
                    let asked = sim.scan_code(&w_id, Some(wc_id)).expect("the code can be scanned");
                    sim.confirm(Some(asked.wc_id)).expect("the phone can confirm");
                }
                LoginStep::LoggedIn { w_id, .. } => {
                    in_.insert(wc_id, w_id);
                    left -= 1;
                }
                other => panic!("{dialect}: {wc_id} is not in: {other:?}; {:?}", met.lock().unwrap()),
            }
        }
        let live: HashMap<WcId, WId> = sim.online().into_iter().collect();
        assert_eq!(in_, live, "{dialect}");
        // Nobody was let off: each oddity was met as often as it should be.
        let is_over = |(which, count): &(usize, u32)| (*count > times).then_some(*which);
        let which: HashSet<usize> = met.lock().unwrap().values().filter_map(is_over).collect();
        assert_eq!(which.len(), odd.len(), "{dialect}");
        front.stop().await;
    }
}

/// The phone was asked and confirms; what came back was no answer. The list tells (V2, V3), or nobody knows (V1).
#[tokio::test]
async fn an_odd_answer_to_a_second_login_is_no_refusal() {
    for dialect in DIALECTS {
        let odd: Vec<(String, Odd)> =
            odd_answers().into_iter().filter(|(name, _)| !name.starts_with("success")).collect();
        let wc_ids: Vec<String> = (0..odd.len()).map(|n| format!("wxid_{n:02}")).collect();
        let answers: Vec<Odd> = odd.iter().map(|(_, odd)| odd.clone()).collect();
        let choose: Choose = Arc::new(move |endpoint, body| {
            let body: serde_json::Value = serde_json::from_str(body).ok()?;
            let which: usize = body.get("wcId")?.as_str()?.strip_prefix("wxid_")?.parse().ok()?;
            (endpoint == "secondlogin").then(|| (answers.get(which).unwrap().clone(), true))
        });
        let (sim, _dir, mut front) = start(dialect, &wc_ids, choose).await;
        for wc_id in &wc_ids {
            front.login(wc_id, Way::Second);
        }
        for wc_id in wc_ids.iter().map(|wc_id| WcId::from(wc_id.as_str())) {
            let confirms = || sim.confirm(Some(wc_id.clone())).is_ok();
            wait_until(&format!("the dialog of {wc_id}"), confirms).await;
        }
        for _ in &wc_ids {
            let (wc_id, step) = front
                .until("an end", |event| match event {
                    Event::Login(event) if event.step.ends() => {
                        Some((event.wc_id.clone().unwrap(), event.step.clone()))
                    }
                    _ => None,
                })
                .await;
            let name = &odd.get(wc_id.as_str().strip_prefix("wxid_").unwrap().parse::<usize>().unwrap()).unwrap().0;
            match (dialect, &step) {
                (Dialect::V2 | Dialect::V3, LoginStep::Adopted { .. })
                | (Dialect::V1, LoginStep::Failed { reason: Reason::LoginInterrupted, .. }) => {}
                _ => panic!("{dialect}: after {name}: {step:?}"),
            }
            let account = front.account(wc_id.as_str()).await;
            if dialect != Dialect::V1 {
                assert_eq!((account.presence, account.w_id_confirmed), (Presence::Online, true), "{dialect} {name}");
            }
            assert!(account.budget.is_none_or(|budget| budget.refusals == 0), "{dialect} {name}: nobody refused");
            assert_eq!(sim.dialogs(&wc_id), 1, "{dialect} {name}");
        }
        front.stop().await;
    }
}

/// A name that is cut in the middle of an emoji, or holds a control byte, comes with the one answer that tells the wId.
#[tokio::test]
async fn a_broken_name_loses_no_login() {
    for dialect in DIALECTS {
        let names = [*b"\\ud83d", *b"a\x01b\n\x00c", *b"ab\xe5\xb0\xe8c", *b"\\udc00"];
        let wc_ids: Vec<String> = (0..names.len()).map(|n| format!("wxid_{n:02}")).collect();
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let choose: Choose = Arc::new(move |endpoint, body| {
            if endpoint != "getipadlogininfo" {
                return None;
            }
            let (mut seen, w_id) = (seen.lock().unwrap(), w_id_of(body));
            let which = seen.iter().position(|known| *known == w_id).unwrap_or(seen.len());
            if which == seen.len() {
                seen.push(w_id);
            }
            Some((Odd::Renames(*names.get(which).unwrap()), false))
        });
        let knobs = Knobs { success_replay: false, ..Knobs::default() };
        let (sim, _dir, mut front) = start_with(dialect, &wc_ids, choose, How::default(), knobs, false).await;
        for wc_id in &wc_ids {
            front.login(wc_id, Way::Qr);
            let w_id = front.shown().await;
            sim.scan_code(&w_id, Some(WcId::from(wc_id.as_str()))).expect("the code can be scanned");
            sim.confirm(Some(WcId::from(wc_id.as_str()))).expect("the phone can confirm");
            let w_id = front.logged_in().await;
            let live: HashMap<WcId, WId> = sim.online().into_iter().collect();
            assert_eq!(Some(&w_id), live.get(&WcId::from(wc_id.as_str())), "{dialect} {wc_id}");
            assert_eq!(front.account(wc_id).await.w_id, Some(w_id));
        }
        front.stop().await;
    }
}

/// An entry that nobody can read hides one account: it is no outage and no drop; whoever is behind it is asked for alone.
#[tokio::test]
async fn a_bad_entry_of_the_list_is_skipped_and_said_once() {
    for dialect in [Dialect::V2, Dialect::V3] {
        let wc_ids: Vec<String> = (0..4).map(|n| format!("wxid_{n:02}")).collect();
        let answer: Arc<Mutex<Option<String>>> = Arc::default();
        let said = Arc::clone(&answer);
        let choose: Choose = Arc::new(move |endpoint, _| {
            let said = said.lock().unwrap().clone().filter(|_| endpoint == "queryloginwx")?;
            Some((http("200 OK", "content-type: application/json\r\n", said.as_bytes()), false))
        });
        let how = How { interval: Some(Duration::from_millis(120)), ..How::default() };
        let (sim, _dir, mut front) = start_with(dialect, &wc_ids, choose, how, Knobs::default(), true).await;
        for wc_id in &wc_ids {
            let known = |account: &Account| account.presence == Presence::Online && account.w_id.is_some();
            front.account_is(wc_id, "online", known).await;
        }
        let live: HashMap<String, String> =
            sim.online().into_iter().map(|(wc_id, w_id)| (wc_id.to_string(), w_id.to_string())).collect();
        let whole = |n: usize| format!(r#"{{"wcId":" {} ","wId":"{}\n"}}"#, wc_ids[n], live[&wc_ids[n]]);
        let list = format!(
            r#"{{"code":"1000","data":[{},{{"wcId":"wxid_01\ud83d","wId":"w"}},{{"wcId":"{}","wId":1e999}},{},]}}"#,
            whole(0),
            wc_ids[2],
            whole(3)
        );
        *answer.lock().unwrap() = Some(list.replace("\\n", "\n"));
        let (mut faults, mut lists) = (0, 0);
        while lists < 6 {
            front
                .until("a list", |event| match event {
                    Event::Fault { message } => {
                        assert!(message.contains(": 1."), "{message}");
                        faults += 1;
                        Some(())
                    }
                    Event::Fleet(Fleet::Ok { .. }) => {
                        lists += 1;
                        Some(())
                    }
                    Event::Fleet(Fleet::Failing { .. }) | Event::Outage { .. } | Event::Dropped { .. } => {
                        panic!("{dialect}: {event:?}")
                    }
                    _ => None,
                })
                .await;
        }
        assert_eq!(faults, 1, "{dialect}");
        for wc_id in &wc_ids {
            let account = front.account(wc_id).await;
            assert_eq!(account.presence, Presence::Online, "{dialect} {wc_id}");
            assert_eq!(account.w_id.as_ref().map(WId::as_str), Some(&*live[wc_id]), "{dialect} {wc_id}");
        }
        // The one behind it drops, and that is found all the same.
        sim.drop_account(&WcId::from(wc_ids[1].as_str())).unwrap();
        assert_eq!(front.until("the drop", dropped).await.as_str(), wc_ids[1], "{dialect}");
        front.stop().await;
    }
}

/// Somebody on the way refuses every token for a while: the code that is out goes on by itself when that is over.
#[tokio::test]
async fn a_token_that_is_taken_again_is_used_again() {
    for dialect in DIALECTS {
        let how = How { interval: Some(Duration::from_millis(120)), waits: true, ..How::default() };
        let setup = Setup { dialect, accounts: accounts(), ..Setup::default() };
        let mut rig = Rig::with(setup, how).await;
        rig.sim.fault("*", Fault::Http(403), None);
        rig.front.login("wxid_amy", Way::Qr);
        rig.front.step("the wait", |step| matches!(step, LoginStep::WaitingForToken)).await;
        rig.sim.clear_faults();
        let code = rig.shown().await;
        rig.phone(&code, "wxid_amy");
        assert_eq!(Some(rig.front.logged_in().await), rig.live_w_id("wxid_amy"), "{dialect}");
    }
}
