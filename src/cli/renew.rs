//! Another token when the gateway refuses the one in use: from `token_command`, or with a password that may be used
//! without asking anybody.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use secrecy::SecretString;

use super::context::Context;
use super::fail::Failure;
use super::sign_in::sign_in;
use crate::config::{Config, Profile};
use crate::engine::Renewer;
use crate::i18n::{Lang, t};

/// The way to another token; `None` where only a person can get one: the token is fixed by the environment, and there
/// is neither `token_command` nor `password_command`.
pub fn renewer(context: &Context, profile: &Profile) -> Option<Renewer> {
    if context.config.has_fixed_token() || (profile.token_command.is_none() && profile.password_command.is_none()) {
        return None;
    }
    let (config, profile, lang) = (Arc::new(context.config.clone()), profile.clone(), context.lang);
    Some(Renewer(Arc::new(move || -> BoxFuture<'static, Result<SecretString, String>> {
        let (config, profile) = (Arc::clone(&config), profile.clone());
        Box::pin(async move { renew(config, profile, lang).await.map_err(|failure| failure.words()) })
    })))
}

async fn renew(config: Arc<Config>, profile: Profile, lang: Lang) -> Result<SecretString, Failure> {
    let failed = |error| Failure::config(lang, &error);
    let none = || Failure::usage(t(lang, "cli.error.token_missing"));
    let (of, whose) = (Arc::clone(&config), profile.clone());
    // Both commands may take their time.
    let asked = tokio::task::spawn_blocking(move || {
        if whose.token_command.is_some() { (of.token(&whose), true) } else { (of.password(&whose), false) }
    });
    let (secret, is_token) = asked.await.map_err(|error| Failure::io("token", &std::io::Error::other(error)))?;
    let secret = secret.map_err(failed)?.ok_or_else(none)?.value;
    if is_token {
        return Ok(secret);
    }
    // Kept as a sign-in keeps it, so that other processes find it too.
    Ok(sign_in(lang, &config, &profile, &secret, false).await?.reply.token)
}
