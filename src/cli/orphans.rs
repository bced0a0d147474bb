//! What processes that died have left: logins that may have worked meanwhile, and wIds that the bots were not told of.
//! A command that comes by goes on with both, for a moment: where no program stays, nobody else will.

use std::sync::Arc;
use std::time::Duration;

use super::context::Context;
use super::fail::Failure;
use super::stage;
use crate::config::Profile;
use crate::engine::api::Command;
use crate::engine::{Engine, Renewal};
use crate::model::AttemptId;
use crate::store::Store;

/// How long a command waits for orphaned logins: two lists that agree, or one poll. Those that a phone may still
/// answer are left to the next one to come by.
const MOMENT: Duration = Duration::from_millis(2_500);
/// Between two looks at what is left.
const LOOK: Duration = Duration::from_millis(50);

/// Goes on with the logins of dead processes. What the bots are to be told of them waits for [`tell`].
pub async fn go_on(context: &Context, profile: &Profile, store: &Store) -> Result<(), Failure> {
    let attempts = store.attempts().await.map_err(|error| Failure::store(context.lang, &error))?;
    let orphans: Vec<AttemptId> =
        attempts.into_iter().filter(|attempt| !store.is_alive(&attempt.owner)).map(|attempt| attempt.id).collect();
    if orphans.is_empty() {
        return Ok(());
    }
    run(context, profile, store, false, async || {
        let limit = tokio::time::Instant::now() + MOMENT;
        while tokio::time::Instant::now() < limit {
            match store.attempts().await {
                Ok(left) if left.iter().any(|attempt| orphans.contains(&attempt.id)) => {
                    tokio::time::sleep(LOOK).await;
                }
                // A store that fails says so where it matters.
                Ok(_) | Err(_) => break,
            }
        }
    })
    .await
}

/// Tells the bots what waits in the outbox, for a moment: a bot that hangs does not hold the command up, and what it has
/// not taken is still there for the next.
pub async fn tell(context: &Context, profile: &Profile, store: &Store) -> Result<(), Failure> {
    let now = super::context::now();
    match store.outbox_next(now).await.map_err(|error| Failure::store(context.lang, &error))? {
        Some(due) if due <= now => run(context, profile, store, true, async || {}).await,
        Some(_) | None => Ok(()),
    }
}

/// Runs an engine for as long as `until` takes; with `tells`, it tells the bots what is due.
async fn run(
    context: &Context,
    profile: &Profile,
    store: &Store,
    tells: bool,
    until: impl AsyncFnOnce(),
) -> Result<(), Failure> {
    let mut options = stage::engine_options(context, profile, true)?;
    if !tells {
        (options.alert_command, options.webhook) = (None, None);
    }
    options.interval = None;
    options.waits_for_token = false;
    options.renewal = Renewal::Times(0);
    options.show_resumed = false;
    let gateway = context.gateway(profile)?;
    let (engine, ended) = Engine::start(options, gateway, store.clone(), None, Arc::new(|_event| {}));
    until().await;
    engine.send(Command::Stop);
    // It ends in its own time; how does not matter here.
    let _ = ended.await;
    Ok(())
}
