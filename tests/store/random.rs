//! Random orders of everything that can happen to a wId, against a model of the rules that is too simple to be wrong.

use std::collections::BTreeMap;

use crate::property::cases;
use proptest::prelude::*;
use saoma::model::{AttemptId, Rung, Stamp, WcId};
use saoma::store::{Begun, Store};

use super::support::{raw, record, scope};

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

/// A code that was issued: the attempt that polls it now, and when it was requested.
struct Code {
    attempt: AttemptId,
    requested: i64,
}

#[derive(Default)]
struct Model {
    current: Option<String>,
    /// The place of the newest success.
    newest: Option<i64>,
    last_login: Option<i64>,
    kept: BTreeMap<String, &'static str>,
    /// Whether an attempt is open, and which code it shows.
    open: Option<String>,
    told: Vec<String>,
}

async fn run(steps: Vec<Step>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("saoma.db");
    let store = Store::open(&path, scope()).await.unwrap();
    let wc_id = WcId::from("wxid_a");
    let mut codes: BTreeMap<String, Code> = BTreeMap::new();
    let mut model = Model::default();
    let mut clock = 1000;
    for (n, step) in steps.into_iter().enumerate() {
        clock += 10;
        let w_id = format!("w{n:03}");
        let pick = |n: usize| codes.keys().nth(n % codes.len().max(1)).cloned();
        match step {
            Step::Begin => {
                let begun = store.begin_attempt(Some(&wc_id), Rung::QrLogin, Stamp(clock)).await.unwrap();
                match (begun, &model.open) {
                    (Begun::Started(attempt), None) => {
                        store.attempt_issued(&attempt, Some(&w_id.as_str().into()), None, Stamp(clock)).await.unwrap();
                        codes.insert(w_id.clone(), Code { attempt, requested: clock });
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
                store.attempt_issued(&attempt, Some(&w_id.as_str().into()), None, Stamp(clock)).await.unwrap();
                codes.get_mut(&old).unwrap().attempt = twin;
                codes.insert(w_id.clone(), Code { attempt, requested: clock });
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
                let stored = store.store_login(&code.attempt, &record("wxid_a", &w_id), Stamp(clock)).await.unwrap();
                model.open = model.open.filter(|open| *open != w_id);
                if model.kept.insert(w_id.clone(), "login") != Some("login") {
                    model.last_login = Some(clock);
                    let adopted = model.current.as_ref() == Some(&w_id);
                    if adopted || model.newest.is_none_or(|newest| newest <= code.requested) {
                        model.newest = model.newest.max(Some(code.requested));
                        model.current = Some(w_id.clone());
                        model.told.push(w_id.clone());
                    }
                }
                assert_eq!(stored.current, model.current.as_ref() == Some(&w_id));
            }
            Step::Adopt { late, old } => {
                let w_id = old.and_then(pick).unwrap_or(w_id);
                let at = if late { clock } else { model.last_login.unwrap_or(clock) };
                let stored = store.adopt(None, &wc_id, &w_id.as_str().into(), Stamp(at)).await.unwrap();
                let allowed = model.open.is_none()
                    && model.last_login.is_none_or(|login| at > login)
                    && model.current.as_ref() != Some(&w_id);
                assert_eq!(stored.is_some(), allowed);
                if allowed {
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
    fn the_newest_requested_success_is_current(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(steps));
    }
}
