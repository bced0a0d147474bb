//! Where notices come in and alerts go out, as far as that can be seen without troubling anybody.

use std::net::{SocketAddr, TcpListener};

use secrecy::ExposeSecret as _;

use super::super::context::Context;
use super::{Check, Mark, say};
use crate::i18n::t;

/// Looks at the listener and at the receivers of alerts. Nothing is sent.
///
/// `show_url`: the whole URL that notices come in by, which is a secret.
pub(super) fn checks(context: &Context, show_url: bool) -> Vec<Check> {
    let mut checks = Vec::new();
    checks.extend(listener(context));
    checks.extend(notice_url(context, show_url));
    checks.extend(command(context));
    checks.extend(webhook(context));
    if checks.iter().all(|check| matches!(check.name, "listener" | "notices")) {
        checks.push(Check::new("alerts", Mark::Ok, t(context.lang, "cli.doctor.no_alerts")));
    }
    checks
}

fn listener(context: &Context) -> Option<Check> {
    let lang = context.lang;
    let written = context.config.listen_as_written()?;
    let named = [("address", written)];
    let Ok(address) = written.parse::<SocketAddr>() else {
        return Some(Check::new("listener", Mark::Fail, say(lang, "cli.doctor.listener_bad", &named)));
    };
    // Somebody who has it now may well be the observer.
    Some(match TcpListener::bind(address) {
        Ok(_) => Check::new("listener", Mark::Ok, say(lang, "cli.doctor.listener_free", &named)),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            Check::new("listener", Mark::Ok, say(lang, "cli.doctor.listener_taken", &named))
                .hint(t(lang, "cli.doctor.listener_taken_hint"))
        }
        Err(error) => {
            let values = [("address", written), ("error", &error.to_string())];
            Check::new("listener", Mark::Fail, say(lang, "cli.doctor.listener_fails", &values))
        }
    })
}

/// Where the gateway, or the bot that passes its calls on, has to post.
fn notice_url(context: &Context, show: bool) -> Option<Check> {
    let lang = context.lang;
    let listen = context.config.watch.listen.as_ref()?;
    let base = match &listen.public_url {
        Some(url) => url.clone(),
        None => format!("http://{}", listen.address.value),
    };
    let secret = match context.config.notice_secret() {
        Ok(secret) => secret,
        Err(error) => {
            return Some(Check { hint: error.hint(lang), ..Check::new("notices", Mark::Fail, error.message(lang)) });
        }
    };
    let shown = if show { secret.expose_secret() } else { "…" };
    let url = format!("{}/{shown}", base.trim_end_matches('/'));
    let check = Check::new("notices", Mark::Ok, say(lang, "cli.doctor.notices", &[("url", &url)]));
    if show {
        return Some(check);
    }
    let path = context.config.paths.notice_path().display().to_string();
    Some(check.hint(say(lang, "cli.doctor.notices_hint", &[("path", &path)])))
}

fn command(context: &Context) -> Option<Check> {
    let lang = context.lang;
    let line = context.config.alerts.command.as_deref()?;
    // Its arguments may be secrets, and what doctor says is shown to others.
    let name = crate::child::name(line).unwrap_or("…");
    let check = |mark, key: &str| Check::new("alerts", mark, say(lang, key, &[("command", name)]));
    // A mere path can be looked at; what a shell makes of anything else cannot be known without running it.
    let is_path = line.starts_with('/') && !line.contains(char::is_whitespace);
    Some(if is_path && rustix::fs::access(line, rustix::fs::Access::EXEC_OK).is_err() {
        check(Mark::Fail, "cli.doctor.command_missing")
    } else {
        check(Mark::Ok, "cli.doctor.command")
    })
}

fn webhook(context: &Context) -> Option<Check> {
    let lang = context.lang;
    let alerts = &context.config.alerts;
    let url = alerts.webhook.as_ref()?;
    let host = url.host();
    let check = |mark, key: &str| Check::new("webhook", mark, say(lang, key, &[("host", &host)]));
    Some(match alerts.webhook_secret() {
        Ok(Some(_)) => {
            let plain = crate::model::base::sends_in_the_clear(&url.0);
            let check = check(if plain { Mark::Warn } else { Mark::Ok }, "cli.doctor.webhook");
            if plain { check.hint(t(lang, "cli.doctor.webhook_plain")) } else { check }
        }
        Ok(None) => check(Mark::Warn, "cli.doctor.webhook_unsigned").hint(t(lang, "cli.doctor.webhook_unsigned_hint")),
        Err(error) => Check { hint: error.hint(lang), ..Check::new("webhook", Mark::Fail, error.message(lang)) },
    })
}
