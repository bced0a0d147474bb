//! Random orders of everything that can happen to a wId, against a model of the rules that is too simple to be wrong.

use std::collections::BTreeMap;

use crate::property::cases;
use proptest::prelude::*;
use saoma::model::{AttemptId, Began, Order, Rung, Stamp, WcId};
use saoma::store::{Begun, Store};

use super::support::{CODE_LIFE, raw, record, scope};

/// One thing that happens. Numbers pick among what there is at that moment.
#[derive(Clone, Debug)]
enum Step {
    Begin,
    Renew,
    Abandon,
    Fail(usize),
    /// The phone confirmed a code that was issued at some time; also a second and third time.
    Told(usize),
    /// A list shows a wId: a new one, or one that was issued before.
    Adopt {
        late: bool,
        old: Option<usize>,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Begin),
        2 => Just(Step::Renew),
        2 => Just(Step::Abandon),
        1 => any::<usize>().prop_map(Step::Fail),
        5 => any::<usize>().prop_map(Step::Told),
        2 => any::<(bool, Option<usize>)>().prop_map(|(late, old)| Step::Adopt { late, old }),
    ]
}

/// How far the clock is set before a step, if it is.
fn jump() -> impl Strategy<Value = i64> {
    const YEAR: i64 = 31_536_000_000;
    prop_oneof![
        6 => Just(0),
        1 => Just(-3_000), 1 => Just(3_000),
        1 => Just(-600_000), 1 => Just(600_000),
        1 => Just(-28_800_000), 1 => Just(28_800_000),
        1 => Just(-YEAR), 1 => Just(YEAR),
    ]
}

/// A code that was issued: the attempt that polls it now, and the number of its request.
struct Code {
    attempt: AttemptId,
    requested: Order,
}

#[derive(Default)]
struct Model {
    current: Option<String>,
    /// The place of the newest success: of a login's request, or after the change that lists knew of that showed it.
    newest: Option<(Order, bool)>,
    /// The last change before a login was stored, or other lists' wId.
    before_settled: Option<Order>,
    kept: BTreeMap<String, &'static str>,
    /// Whether an attempt is open, and which code it shows.
    open: Option<String>,
    told: Vec<String>,
}

async fn run(steps: Vec<(Step, i64)>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("saoma.db");
    let store = Store::open(&path, scope()).await.unwrap();
    let wc_id = WcId::from("wxid_a");
    let mut codes: BTreeMap<String, Code> = BTreeMap::new();
    let mut model = Model::default();
    let mut clock = 1_700_000_000_000;
    for (n, (step, jump)) in steps.into_iter().enumerate() {
        clock += 10 + jump;
        let w_id = format!("w{n:03}");
        let pick = |n: usize| codes.keys().nth(n % codes.len().max(1)).cloned();
        match step {
            Step::Begin => {
                let begun = store.begin_attempt(Some(&wc_id), Rung::QrLogin, Stamp(clock)).await.unwrap();
                match (begun, &model.open) {
                    (Begun::Started(attempt), None) => {
                        store
                            .attempt_issued(&attempt, Some(&w_id.as_str().into()), None, Stamp(clock), CODE_LIFE)
                            .await
                            .unwrap();
                        let requested = store.attempt(&attempt).await.unwrap().unwrap().requested;
                        codes.insert(w_id.clone(), Code { attempt, requested });
                        model.open = Some(w_id);
                    }
                    (Begun::Busy(attempt), Some(open)) => assert_eq!(attempt.id, codes[open].attempt),
                    (begun, open) => panic!("{begun:?} with {open:?}"),
                }
            }
            Step::Renew => {
                let Some(old) = model.open.clone() else { continue };
                let attempt = codes[&old].attempt.clone();
                let twin = store.attempt_requesting(&attempt, Rung::QrLogin, Stamp(clock)).await.unwrap().unwrap();
                store
                    .attempt_issued(&attempt, Some(&w_id.as_str().into()), None, Stamp(clock), CODE_LIFE)
                    .await
                    .unwrap();
                codes.get_mut(&old).unwrap().attempt = twin;
                let requested = store.attempt(&attempt).await.unwrap().unwrap().requested;
                assert!(codes.values().all(|code| code.requested < requested), "it is the newest request");
                codes.insert(w_id.clone(), Code { attempt, requested });
                model.open = Some(w_id);
            }
            Step::Abandon => {
                let Some(open) = model.open.take() else { continue };
                store.abandon_attempt(&codes[&open].attempt).await.unwrap();
            }
            Step::Fail(n) => {
                let Some(w_id) = pick(n) else { continue };
                store.end_attempt(&codes[&w_id].attempt, "failed", None, None, Stamp(clock)).await.unwrap();
                model.open = model.open.filter(|open| *open != w_id);
            }
            Step::Told(n) => {
                let Some(w_id) = pick(n) else { continue };
                let code = &codes[&w_id];
                let before = store.order().await.unwrap();
                let stored = store.store_login(&code.attempt, &record("wxid_a", &w_id), Stamp(clock)).await.unwrap();
                model.open = model.open.filter(|open| *open != w_id);
                if model.kept.insert(w_id.clone(), "login") != Some("login") {
                    model.before_settled = Some(before);
                    let held = model.current.as_ref() == Some(&w_id);
                    let place = (code.requested, false);
                    model.newest = model.newest.max(Some(place));
                    if held || model.newest == Some(place) {
                        model.current = Some(w_id.clone());
                        model.told.push(w_id.clone());
                    }
                }
                assert_eq!(stored.current, model.current.as_ref() == Some(&w_id));
            }
            Step::Adopt { late, old } => {
                let w_id = old.and_then(pick).unwrap_or(w_id);
                let second = store.order().await.unwrap();
                let first = if late { second } else { model.before_settled.unwrap_or(second) };
                let lists = [first, second].map(|order| Began { at: Stamp(clock), order, ..Began::default() });
                let stored = store.adopt(None, &wc_id, &w_id.as_str().into(), lists).await.unwrap();
                let allowed = model.open.is_none()
                    && (late || model.before_settled.is_none())
                    && model.current.as_ref() != Some(&w_id);
                assert_eq!(stored.is_some(), allowed);
                if allowed {
                    model.newest = Some((second, true));
                    model.before_settled = Some(second);
                    model.current = Some(w_id.clone());
                    model.kept.entry(w_id).or_insert("adopted");
                }
            }
        }
        let account = store.account(&wc_id).await.unwrap();
        let current = account.and_then(|account| account.w_id).map(|w_id| w_id.to_string());
        assert_eq!(current, model.current);
    }
    let mut raw = raw(&path).await;
    let kept: Vec<(String, String)> =
        sqlx::query_as("SELECT w_id, source FROM w_ids ORDER BY w_id").fetch_all(&mut raw).await.unwrap();
    let expected: Vec<_> = model.kept.into_iter().map(|(w_id, source)| (w_id, source.to_owned())).collect();
    assert_eq!(kept, expected);
    let told: Vec<(String,)> =
        sqlx::query_as("SELECT json ->> 'w_id' FROM outbox WHERE json ->> 'event' = 'logged_in' ORDER BY id")
            .fetch_all(&mut raw)
            .await
            .unwrap();
    assert_eq!(told.into_iter().map(|(w_id,)| w_id).collect::<Vec<_>>(), model.told);
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn the_newest_requested_success_is_current(steps in prop::collection::vec((step(), jump()), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(steps));
    }
}
