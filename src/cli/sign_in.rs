//! `saoma sign-in`: platform account and password → token.

use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::args::SignInArgs;
use super::context::Context;
use super::exit::Exit;
use super::fail::Failure;
use super::out;
use crate::config::profile::{checked_dialect, checked_gateway};
use crate::config::{Config, Credentials, Origin, Profile, Sourced, edit};
use crate::engine::{self, Renewer, StoredToken};
use crate::gateway::{Gateway, Options, SignIn};
use crate::i18n::{Lang, t};
use crate::model::{Dialect, base};

/// What a successful sign-in leaves behind.
#[derive(Debug)]
pub struct SignedIn {
    /// The gateway's answer.
    pub reply: SignIn,
    /// Whether `config.toml` was written.
    pub profile_saved: bool,
}

/// Signs in and keeps token, password (`keep`) and profile. The TUI's form comes here too.
pub async fn sign_in(
    lang: Lang,
    config: &Config,
    profile: &Profile,
    password: &SecretString,
    keep: bool,
) -> Result<SignedIn, Failure> {
    let gateway = Gateway::new(Options {
        base: profile.gateway.value.clone(),
        dialect: profile.dialect.value,
        token: None,
        http_proxy: profile.http_proxy.clone(),
    })
    .map_err(|error| Failure::gateway(lang, &error))?;
    let reply =
        gateway.member_login(&profile.account.value, password).await.map_err(|error| Failure::gateway(lang, &error))?;
    let failed = |error| Failure::config(lang, &error);
    Credentials::save(&config.paths, &profile.id(), &reply.token, keep.then_some(password)).map_err(failed)?;
    let profile_saved = is_to_be_saved(profile);
    if profile_saved {
        edit::save_profile(
            &config.paths.config.value,
            &profile.name,
            &profile.gateway.value,
            profile.dialect.value,
            &profile.account.value,
        )
        .map_err(failed)?;
    }
    Ok(SignedIn { reply, profile_saved })
}

/// What gets another token by itself: `token_command`, else a sign-in with `SAOMA_PASSWORD` or `password_command`. `None`
/// where a person has to sign in: a password that sign-in kept is for V1's list only.
pub fn renewer(context: &Context, profile: &Profile) -> Option<Renewer> {
    let (config, profile, lang) = (context.config.clone(), profile.clone(), context.lang);
    if !config.can_renew_token(&profile) {
        return None;
    }
    Some(Renewer(Arc::new(move || {
        let (config, profile) = (config.clone(), profile.clone());
        Box::pin(async move { renew(lang, config, profile).await.map_err(|failure| failure.words()) })
    })))
}

/// Where a sign-in of another process puts the token, and V1's password. `None` where the token comes from elsewhere:
/// the environment, or a command.
pub fn stored_token(context: &Context, profile: &Profile) -> Option<StoredToken> {
    let config = context.config.clone();
    if config.token_variable().is_some() || profile.token_command.is_some() {
        return None;
    }
    let (file, id) = (config.paths.credentials(), profile.id());
    // One that comes from elsewhere counts more than what a sign-in has kept.
    let keeps_password = !config.can_renew_token(profile);
    let read = move || {
        // What is wrong with the file is said when a command needs it.
        let stored = Credentials::open(&config.paths).ok()?;
        let password = stored.password(&id).filter(|_| keeps_password);
        Some(engine::SignedIn { token: stored.token(&id)?, password })
    };
    Some(StoredToken { file, read: Arc::new(read) })
}

async fn renew(lang: Lang, config: Config, profile: Profile) -> Result<SecretString, Failure> {
    // The commands of the config may take their time.
    let (config, profile, secret) = tokio::task::spawn_blocking(move || {
        let secret = if profile.token_command.is_some() {
            config.token(&profile).map(|token| token.map(|token| (token.value, true)))
        } else {
            config.password(&profile).map(|password| password.map(|password| (password.value, false)))
        };
        (config, profile, secret)
    })
    .await
    .map_err(|error| Failure::new(Exit::Other, "io", error.to_string()))?;
    match secret.map_err(|error| Failure::config(lang, &error))? {
        Some((token, true)) => Ok(token),
        Some((password, false)) => {
            // What sign-in kept stays kept.
            let kept = Credentials::open(&config.paths).ok().and_then(|kept| kept.password(&profile.id())).is_some();
            Ok(sign_in(lang, &config, &profile, &password, kept).await?.reply.token)
        }
        None => Err(Failure::new(Exit::Token, "token_missing", t(lang, "cli.error.token_missing"))),
    }
}

/// A profile of which a part was given by flags or at a prompt belongs into the file. One from the environment alone
/// does not: the environment will be there next time.
fn is_to_be_saved(profile: &Profile) -> bool {
    let given = |origin: &Origin| matches!(origin, Origin::Flag(_));
    given(&profile.gateway.origin) || given(&profile.account.origin) || given(&profile.dialect.origin)
}

/// Runs the command.
pub async fn run(context: &Context, args: &SignInArgs) -> Result<Exit, Failure> {
    let failed = |error| Failure::config(context.lang, &error);
    let profile = complete(context)?;
    if base::sends_in_the_clear(&profile.gateway.value) {
        out::say(&context.t("cli.sign_in.plain_http"));
    }
    let password = match context.config.password(&profile).map_err(failed)? {
        // What sign-in kept is what this sign-in is to replace.
        Some(password) if password.origin != Origin::Credentials => password.value,
        _ => ask_password(context, &profile)?,
    };
    let keep = !profile.dialect.value.lists_w_ids() && (args.keep_password || wants_to_keep(context));
    let signed_in = sign_in(context.lang, &context.config, &profile, &password, keep).await?;

    let credentials = context.config.paths.credentials().display().to_string();
    let config = context.config.paths.config.value.display().to_string();
    if context.json {
        let mut map = context.object(&profile, "signed_in");
        for (key, value) in [
            ("gateway", json!(profile.gateway.value)),
            ("dialect", json!(profile.dialect.value)),
            ("account", json!(profile.account.value)),
            ("available_number", json!(signed_in.reply.available_number)),
            ("password_kept", json!(keep)),
            ("credentials", json!(credentials)),
            ("config", json!(signed_in.profile_saved.then_some(config))),
        ] {
            map.insert(key.into(), value);
        }
        out::object(map)?;
        return Ok(Exit::Done);
    }
    out::say(&context.tf("cli.sign_in.done", &[("account", &profile.account.value), ("path", &credentials)]));
    if signed_in.profile_saved {
        out::say(&context.tf("cli.sign_in.saved", &[("profile", &profile.name), ("path", &config)]));
    }
    let command = match &*profile.name {
        "default" => "saoma".to_owned(),
        name => format!("saoma --profile {name}"),
    };
    out::say(&context.tf("cli.sign_in.next", &[("command", &command)]));
    Ok(Exit::Done)
}

/// The profile in use, with what is missing asked for.
fn complete(context: &Context) -> Result<Profile, Failure> {
    let failed = |error| Failure::config(context.lang, &error);
    let name = context.config.profile_name().map_err(failed)?.unwrap_or_else(|| "default".to_owned());
    let draft = context.config.draft(&name).map_err(failed)?;
    let needs = |setting: &'static str| {
        Failure::usage(context.tf("cli.sign_in.needs", &[("setting", setting)]))
            .hint(context.t("cli.sign_in.needs_hint"))
    };
    let prompt = |key: &str, flag: &'static str| -> Result<Sourced<String>, Failure> {
        if !out::can_ask() {
            return Err(needs(flag));
        }
        let answer = out::ask(&context.t(key)).filter(|answer| !answer.is_empty()).ok_or_else(|| needs(flag))?;
        Ok(Sourced::new(answer, Origin::Flag(flag)))
    };
    let asks_for_gateway = draft.gateway.is_none();
    let gateway = match draft.gateway {
        Some(gateway) => gateway,
        None => checked_gateway(&prompt("cli.sign_in.ask_gateway", "--gateway")?).map_err(failed)?,
    };
    let dialect = match draft.dialect {
        Some(dialect) => dialect,
        None if asks_for_gateway && out::can_ask() => {
            let answer = out::ask(&context.t("cli.sign_in.ask_dialect")).unwrap_or_default();
            let answer = if answer.is_empty() { Dialect::default().name() } else { &answer };
            checked_dialect(answer, Origin::Flag("--dialect")).map_err(failed)?
        }
        None => Sourced::default_of(Dialect::default()),
    };
    let account = match draft.account {
        Some(account) => account,
        None => prompt("cli.sign_in.ask_account", "--account")?,
    };
    Ok(Profile {
        name,
        gateway,
        dialect,
        account,
        token_command: draft.table.token_command,
        password_command: draft.table.password_command,
        device: draft.device,
        proxy_password_command: draft.table.proxy_password_command,
        http_proxy: draft.table.http_proxy,
        in_file: draft.in_file,
    })
}

fn ask_password(context: &Context, profile: &Profile) -> Result<SecretString, Failure> {
    if !out::can_ask() {
        return Err(
            Failure::usage(context.t("cli.sign_in.needs_password")).hint(context.t("cli.sign_in.needs_password_hint"))
        );
    }
    let question = context.tf("cli.sign_in.ask_password", &[("account", &profile.account.value)]);
    match out::ask_secret(&question) {
        Ok(password) if !password.expose_secret().is_empty() => Ok(password),
        Ok(_) => Err(Failure::usage(context.t("cli.sign_in.needs_password"))),
        Err(error) => Err(Failure::io("tty", &error)),
    }
}

fn wants_to_keep(context: &Context) -> bool {
    out::can_ask() && out::ask(&context.t("cli.sign_in.ask_keep")).is_some_and(|answer| out::is_yes(&answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_person_said_now_is_written_down() {
        let profile = |gateway: Origin, account: Origin| Profile {
            name: "default".into(),
            gateway: Sourced::new("http://h:1".into(), gateway),
            dialect: Sourced::default_of(Dialect::V2),
            account: Sourced::new("138".into(), account),
            token_command: None,
            password_command: None,
            device: crate::model::Device::default(),
            proxy_password_command: None,
            http_proxy: None,
            in_file: false,
        };
        let env = Origin::Env("SAOMA_GATEWAY");
        assert!(!is_to_be_saved(&profile(env.clone(), env.clone())));
        assert!(is_to_be_saved(&profile(Origin::Flag("--gateway"), env)));
    }
}
