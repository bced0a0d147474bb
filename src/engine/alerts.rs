//! Tells the bots what waits in the outbox, at least once, also after a crash: by the `[alerts] command` and by the
//! `[alerts] webhook`.
//!
//! A receiver is a lane of its own: a slow one holds up neither the other nor the engine. The outbox gives out only the
//! oldest event of an account and receiver, so events of one account are told in the order they happened: while one is
//! not taken, the later ones of that account wait, those of other accounts do not.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Options;
use super::shared::Shared;
use crate::model::Stamp;
use crate::store::{OUTBOX_PAUSES_MS, OutboxItem};

mod command;
mod webhook;

/// The receiver that the configured command is in the outbox.
pub const COMMAND: &str = "command";
/// The receiver that the configured webhook is in the outbox.
pub const WEBHOOK: &str = "webhook";

/// A due row is looked for no sooner and no later than this.
const SHORTEST_WAIT: i64 = 200;
const LONGEST_WAIT: i64 = 3_600_000;
/// Pauses while the store takes nothing.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// After a look into the outbox, so many times as long as it took nobody looks again, but no longer than this: what
/// other processes do with an outbox of thousands rings with every event.
const REST_TIMES: u32 = 4;
const LONGEST_REST: Duration = Duration::from_secs(1);
/// By then the first list has come, where one comes.
const A_FIRST_LIST: Duration = Duration::from_secs(10);
const A_DAY: Duration = Duration::from_secs(24 * 3_600);
/// While a lane has more than so many on the way, nothing is fetched for it: it would be told after those anyway.
const ENOUGH: usize = 8;

/// Whether there is anybody to be told.
pub(super) const fn has_receivers(options: &Options) -> bool {
    options.alert_command.is_some() || options.webhook.is_some()
}

/// Why a receiver did not take an event.
#[derive(Debug)]
struct Refusal {
    /// What happened, in English, without secrets.
    detail: String,
    /// Nobody was there: what else waits for this receiver would fare no better now.
    absent: bool,
}

/// A receiver and what is on its way to it.
enum Receiver {
    Command(String),
    Webhook(Box<webhook::Post>),
}

impl Receiver {
    async fn tell(&mut self, item: &OutboxItem, delivery: &str, now: i64) -> Result<(), Refusal> {
        match self {
            Self::Command(line) => {
                command::run(line, &item.json).await.map_err(|detail| Refusal { detail, absent: false })
            }
            Self::Webhook(post) => post.send(&item.json, delivery, now).await,
        }
    }

    /// The locale key of the words for its failures.
    const fn fault_key(&self) -> &'static str {
        match self {
            Self::Command(_) => "engine.hook_failed",
            Self::Webhook(_) => "engine.webhook_failed",
        }
    }
}

/// The way into a receiver's lane.
struct Lane {
    receiver: &'static str,
    to: UnboundedSender<OutboxItem>,
    /// How many are on the way.
    on_the_way: usize,
}

/// Looks into the outbox whenever `kick` rings or a row is due, and once `closing` is set goes on until nothing is due any more.
/// `fault` is told when a receiver or the store fails: the locale key of the words, and what happened.
pub(super) async fn run(
    shared: Arc<Shared>,
    kick: Arc<Notify>,
    closing: CancellationToken,
    fault: impl Fn(&'static str, &str) + Clone + Send + Sync + 'static,
) {
    let (done, mut finished) = unbounded_channel();
    // Dropped with this future: no lane outlives it.
    let mut tasks = JoinSet::new();
    let mut lanes = Vec::new();
    for (receiver, target) in receivers(&shared.options) {
        let (to, items) = unbounded_channel();
        let told = Told { lane: lanes.len(), to: done.clone() };
        tasks.spawn(lane(Arc::clone(&shared), target, items, told, fault.clone()));
        lanes.push(Lane { receiver, to, on_the_way: 0 });
    }
    let mut rest_until = Instant::now();
    loop {
        tokio::time::sleep_until(rest_until).await;
        let kicked = kick.notified();
        // Asked before the outbox is, so that what comes in meanwhile leads to one more look.
        let closed = closing.is_cancelled();
        let began = Instant::now();
        match shared.store.outbox_take(shared.now().wall).await {
            Ok(items) => hand_out(items, &mut lanes),
            Err(error) => fault("engine.store_failed", &error.to_string()),
        }
        if closed && lanes.iter().all(|lane| lane.on_the_way == 0) {
            return;
        }
        let wait = if closed { None } else { until_due(&shared).await };
        rest_until = Instant::now() + (began.elapsed() * REST_TIMES).min(LONGEST_REST);
        tokio::select! {
            () = closing.cancelled(), if !closed => {}
            () = kicked => {}
            // What waits behind an event that was told may be due now.
            () = room(&mut finished, &mut lanes) => {}
            () = tokio::time::sleep(wait.unwrap_or_default()), if wait.is_some() => {}
        }
    }
}

/// Drops what waits for receivers that nobody has any more: at the start, once the first list has said that somebody is
/// there, and then once a day.
pub(super) async fn forget(shared: Arc<Shared>, closing: CancellationToken) {
    let mut pause = A_FIRST_LIST;
    loop {
        match shared.store.outbox_forget(shared.now().wall).await {
            Ok(gone) => {
                for (receiver, rows) in gone {
                    tracing::warn!(
                        receiver,
                        rows,
                        "dropped what waited for a receiver that nobody has known for a week"
                    );
                }
            }
            Err(error) => tracing::warn!(%error, "the outbox cannot be tidied up"),
        }
        tokio::select! {
            () = closing.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        pause = A_DAY;
    }
}

fn receivers(options: &Options) -> Vec<(&'static str, Receiver)> {
    let command = options.alert_command.clone().map(|line| (COMMAND, Receiver::Command(line)));
    let webhook = options.webhook.clone().map(|hook| (WEBHOOK, Receiver::Webhook(Box::new(webhook::Post::new(hook)))));
    command.into_iter().chain(webhook).collect()
}

fn hand_out(items: Vec<OutboxItem>, lanes: &mut [Lane]) {
    for item in items {
        let lane = lanes.iter_mut().find(|lane| lane.receiver == item.receiver);
        if let Some(lane) = lane
            && lane.to.send(item).is_ok()
        {
            lane.on_the_way += 1;
        }
    }
}

/// Waits until a lane that is done with an event has few others left: looking into an outbox of thousands after each of
/// them would take longer than telling it.
async fn room(finished: &mut UnboundedReceiver<usize>, lanes: &mut [Lane]) {
    while let Some(done) = finished.recv().await {
        let Some(lane) = lanes.get_mut(done) else { continue };
        lane.on_the_way = lane.on_the_way.saturating_sub(1);
        if lane.on_the_way < ENOUGH {
            return;
        }
    }
    std::future::pending::<()>().await;
}

/// How long until a row is due that can be taken; `None` when there is none.
async fn until_due(shared: &Shared) -> Option<Duration> {
    let now = shared.now().wall;
    let due = shared.store.outbox_next(now).await.ok().flatten()?;
    let millis = due.ms_since(now).clamp(SHORTEST_WAIT, LONGEST_WAIT);
    Some(Duration::from_millis(millis.unsigned_abs()))
}

/// Where a lane says that it is done with an event, whatever became of it.
struct Told {
    lane: usize,
    to: UnboundedSender<usize>,
}

impl Told {
    fn one(&self) {
        // Nobody counts any more once the engine has ended.
        let _ = self.to.send(self.lane);
    }
}

/// Tells one receiver, one event after another.
async fn lane(
    shared: Arc<Shared>,
    mut receiver: Receiver,
    mut items: UnboundedReceiver<OutboxItem>,
    done: Told,
    fault: impl Fn(&'static str, &str) + Sync,
) {
    while let Some(item) = items.recv().await {
        let told = if is_wanted(&shared.options, &item.json) {
            let delivery = webhook::delivery_id(&shared.options.account, shared.gateway.base(), &item);
            receiver.tell(&item, &delivery, shared.now().wall.0).await
        } else {
            Ok(())
        };
        match told {
            Ok(()) => write_down(&shared, item.id, None, &fault).await,
            Err(refusal) => {
                tracing::warn!(receiver = item.receiver, tries = item.tries, detail = refusal.detail, "not told");
                fault(receiver.fault_key(), &refusal.detail);
                let due = shared.now().wall.plus_ms(pause(item.tries));
                write_down(&shared, item.id, Some(due), &fault).await;
                while let Some(next) = refusal.absent.then(|| items.try_recv().ok()).flatten() {
                    write_down(&shared, next.id, Some(due), &fault).await;
                    done.one();
                }
            }
        }
        done.one();
    }
}

/// Writes down that an event was told, or when it is tried again. Tried until the store takes it: as long as the row
/// counts as in our hands, nobody is told what is behind it.
async fn write_down(shared: &Shared, id: i64, due: Option<Stamp>, fault: &(impl Fn(&'static str, &str) + Sync)) {
    let mut pause = FIRST_PAUSE;
    loop {
        let written = match due {
            None => shared.store.outbox_done(id).await,
            Some(due) => shared.store.outbox_failed(id, due).await,
        };
        let Err(error) = written else { return };
        fault("engine.store_failed", &error.to_string());
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn pause(tries: u32) -> i64 {
    OUTBOX_PAUSES_MS.get(tries as usize).or(OUTBOX_PAUSES_MS.last()).copied().unwrap_or(60_000)
}

/// Whether the receivers want to know of an event.
fn is_wanted(options: &Options, json: &str) -> bool {
    let Some(wanted) = &options.alert_events else { return true };
    let event = serde_json::from_str::<serde_json::Value>(json).ok();
    let name = event.as_ref().and_then(|event| event.get("event")?.as_str());
    // What cannot be read is told rather than lost.
    name.is_none_or(|name| wanted.iter().any(|wanted| wanted == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_asked_for_is_told() {
        let of = |events: Option<&[&str]>| Options {
            alert_events: events.map(|events| events.iter().map(|event| (*event).to_owned()).collect()),
            ..Options::default()
        };
        let dropped = r#"{"event":"dropped","wc_id":"a"}"#;
        assert!(is_wanted(&of(None), dropped));
        assert!(is_wanted(&of(Some(&["outage", "dropped"])), dropped));
        assert!(!is_wanted(&of(Some(&["outage"])), dropped));
        assert!(is_wanted(&of(Some(&[])), "broken"));
    }

    #[tokio::test]
    async fn a_full_lane_fetches_nothing_until_it_has_room() {
        let (done, mut finished) = unbounded_channel();
        let (to, _items) = unbounded_channel();
        let lane = |on_the_way| Lane { receiver: WEBHOOK, to: to.clone(), on_the_way };
        let mut lanes = [lane(100), lane(ENOUGH)];
        for _ in 0..100 - ENOUGH {
            done.send(0).unwrap();
        }
        // None of these has made room.
        let none = tokio::time::timeout(Duration::from_millis(20), room(&mut finished, &mut lanes)).await;
        assert!(none.is_err() && lanes[0].on_the_way == ENOUGH);
        for lane in [0, 1] {
            done.send(lane).unwrap();
            room(&mut finished, &mut lanes).await;
            assert_eq!(lanes[lane].on_the_way, ENOUGH - 1);
        }
    }

    #[test]
    fn pauses_grow_and_then_stay() {
        let pauses: Vec<i64> = [0, 1, 4, 5, u32::MAX].into_iter().map(pause).collect();
        assert_eq!(pauses, [2_000, 10_000, 900_000, 900_000, 900_000]);
    }
}
