//! The listener for notices: open while this process observes; and, only where the config says so, registered.

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;

use super::{Hub, News};
use crate::engine::Listen;
use crate::engine::notices::{self, Listener};
use crate::engine::shared::Shared;
use crate::i18n::{Lang, t, tf};

/// Between tries to listen, while another process may only just be leaving the port, and after so many of them.
const SOON: Duration = Duration::from_millis(500);
const PATIENCE: u8 = 6;
const LATER: Duration = Duration::from_secs(30);

impl Hub {
    pub(super) fn start_listening(&mut self) {
        let Some(listen) = self.shared.options.listen.clone() else { return };
        let (lang, news) = (self.shared.options.lang, self.news.0.clone());
        let fault = move |error: String| {
            let _ = news.send(News::Fault(tf(lang, "engine.forward_failed", &[("error", &error)])));
        };
        let options = &self.shared.options;
        match notices::start(&options.ports, &listen, options.dialect, self.hints.sender(), fault) {
            Ok(listener) => {
                self.listen_due = None;
                self.listen_tries = 0;
                tracing::info!(address = %listen.address, "listening for notices");
                if listen.register && !self.registered {
                    self.registered = true;
                    self.register(listen);
                }
                self.listener = Some(listener);
            }
            Err(error) => {
                // Whoever observed before may be about to close the port: that is no news.
                let patient = error.kind() == std::io::ErrorKind::AddrInUse && self.listen_tries < PATIENCE;
                self.listen_tries = self.listen_tries.saturating_add(1);
                self.listen_due = Some(Instant::now() + if patient { SOON } else { LATER });
                if !patient {
                    let (address, error) = (listen.address.to_string(), error.to_string());
                    self.fault(tf(lang, "engine.listen_failed", &[("address", &address), ("error", &error)]));
                }
            }
        }
    }

    pub(super) fn stop_listening(&mut self) {
        let _: Option<Listener> = self.listener.take();
        self.listen_due = None;
        self.listen_tries = 0;
    }

    /// Sets the gateway's callback to the listener, unless somebody else lives on it.
    fn register(&self, listen: Listen) {
        let (shared, news) = (Arc::clone(&self.shared), self.news.0.clone());
        tokio::spawn(async move {
            if let Err(words) = register(&shared, &listen).await {
                let _ = news.send(News::Fault(words));
            }
        });
    }
}

async fn register(shared: &Shared, listen: &Listen) -> Result<(), String> {
    let lang = shared.options.lang;
    let url = notices::callback_url(listen).ok_or_else(|| t(lang, "engine.register.no_public_url").into_owned())?;
    let password = shared.password().ok_or_else(|| t(lang, "engine.register.no_password").into_owned())?;
    let failed = |error: crate::gateway::Error| {
        let error = error.describe(|key, values| tf(lang, key, values));
        tf(lang, "engine.register.failed", &[("error", &error)])
    };
    // The only call that tells the callback (protocol.md §3.11).
    let signed_in = shared.gateway.member_login(&shared.options.account, &password).await.map_err(failed)?;
    // Others work with the token that is stored: it is used on, unless this call has made it invalid.
    if shared.is_token_rejected().await {
        shared.set_token(signed_in.token);
    }
    match weigh(signed_in.callback_url.as_deref(), &url, listen.forward.as_deref()) {
        Callback::Ours => Ok(()),
        Callback::Free => {
            shared.gateway.set_http_callback_url(&url).await.map_err(failed)?;
            tracing::info!("the gateway calls us");
            Ok(())
        }
        Callback::Taken => Err(taken(lang, signed_in.callback_url.as_deref().unwrap_or_default())),
    }
}

/// Whose the gateway's callback is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Callback {
    /// Nobody's, or that of whoever gets everything passed on.
    Free,
    /// Ours already.
    Ours,
    /// Somebody's who would hear nothing any more.
    Taken,
}

fn weigh(known: Option<&str>, ours: &SecretString, forward: Option<&str>) -> Callback {
    let plain = |url: &str| url.trim().trim_end_matches('/').to_owned();
    match known.map(plain).filter(|known| !known.is_empty()) {
        None => Callback::Free,
        Some(known) if known == plain(ours.expose_secret()) => Callback::Ours,
        Some(known) if forward.is_some_and(|forward| plain(forward) == known) => Callback::Free,
        Some(_) => Callback::Taken,
    }
}

/// Its path may be a secret of somebody's: only the host is shown.
fn taken(lang: Lang, known: &str) -> String {
    let host = reqwest::Url::parse(known).ok().and_then(|url| url.host_str().map(str::to_owned));
    tf(lang, "engine.register.taken", &[("host", host.as_deref().unwrap_or("?"))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobodys_callback_is_taken_away() {
        let ours = SecretString::from("http://203.0.113.9:18090/s3cret");
        for (known, forward, callback) in [
            (None, None, Callback::Free),
            (Some(""), None, Callback::Free),
            (Some("http://203.0.113.9:18090/s3cret"), None, Callback::Ours),
            (Some("http://bot/x"), None, Callback::Taken),
            (Some("http://bot/x"), Some("http://bot/x/"), Callback::Free),
            // What is passed on elsewhere is lost for whoever lives on the callback.
            (Some("http://bot/x"), Some("http://other/x"), Callback::Taken),
            // An older secret of ours is somebody else's for all we know.
            (Some("http://203.0.113.9:18090/older"), None, Callback::Taken),
        ] {
            assert_eq!(weigh(known, &ours, forward), callback, "{known:?} {forward:?}");
        }
        let words = taken(Lang::En, "http://bot.example/hidden?token=1");
        assert!(words.contains("bot.example") && !words.contains("hidden"), "{words}");
    }
}
