//! What a person should be called to the terminal for, and with which words.

use super::Effect;
use super::state::State;
use crate::engine::api::{Event, LoginStep};
use crate::i18n::tf;
use crate::model::text::clean;
use crate::model::{Reason, WcId};

/// The call for an event, if it deserves one: accounts dropped, the gateway is gone, or a login waits for a person.
/// What we took off line ourselves is no news.
pub(super) fn of(state: &State, event: &Event) -> Option<Effect> {
    let name = |told: &str, wc_id: Option<&WcId>| clean(&state.name_of(told, wc_id)).into_owned();
    let (key, values) = match event {
        Event::Dropped { wc_id, account, reason, .. } if *reason != Reason::TakenOffline => {
            ("dropped", ("account", name(account, Some(wc_id))))
        }
        Event::MassDrop { wc_ids, .. } => ("mass_drop", ("count", wc_ids.len().to_string())),
        Event::Outage { .. } => ("outage", ("account", String::new())),
        Event::Login(login) => match &login.step {
            LoginStep::VerifyCodeRequired { .. } | LoginStep::DeviceVerification { .. } => {
                ("needs_person", ("account", name(&login.account, login.wc_id.as_ref())))
            }
            LoginStep::WaitingForToken => ("needs_token", ("account", String::new())),
            _ => return None,
        },
        _ => return None,
    };
    let (place, value) = values;
    let body = tf(state.lang, &format!("ui.notify.{key}"), &[(place, &value)]);
    let title = state.profile.as_ref().map_or_else(|| "saoma".to_owned(), |profile| format!("saoma {profile}"));
    Some(Effect::Notify { title, body: clean(&body).into_owned() })
}
