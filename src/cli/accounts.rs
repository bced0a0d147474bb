//! `saoma accounts`: the list, and what people change in it.

use serde_json::json;

use super::args::{AccountsArgs, AccountsCommand, AddArgs, EditArgs, Fields, Filter, RemoveArgs, Sort};
use super::context::{Context, local, now};
use super::exit::Exit;
use super::fail::Failure;
use super::{import, out, resolve, table};
use crate::config::Profile;
use crate::model::edit::tags;
use crate::model::{Account, BadDevice, DeviceEdit, Dialect, Presence, WcId, json as objects};
use crate::store::{Edit, Store};

/// Runs the command.
pub async fn run(context: &Context, args: AccountsArgs) -> Result<Exit, Failure> {
    let profile = context.profile()?;
    let store = context.store(&profile).await?;
    let done = match args.command {
        None => list(context, &profile, &store, &args.filter).await,
        Some(AccountsCommand::Add(args)) => add(context, &profile, &store, args).await,
        Some(AccountsCommand::Edit(args)) => edit(context, &profile, &store, args).await,
        Some(AccountsCommand::Remove(args)) => remove(context, &profile, &store, args).await,
        Some(AccountsCommand::Import(args)) => import::import(context, &profile, &store, &args).await,
        Some(AccountsCommand::Export(args)) => import::export(context, &profile, &store, &args).await,
    };
    store.close().await;
    done.map(|()| Exit::Done)
}

async fn list(context: &Context, profile: &Profile, store: &Store, filter: &Filter) -> Result<(), Failure> {
    let all = context.accounts(store).await?;
    let some = !all.is_empty();
    let accounts = select(all, filter);
    if some && accounts.is_empty() && !context.json {
        out::say(&context.t("cli.accounts.none_fits"));
        return Ok(());
    }
    show(context, profile, "accounts", &accounts, None)
}

/// Filters and sorts.
pub fn select(mut accounts: Vec<Account>, filter: &Filter) -> Vec<Account> {
    accounts.retain(|account| {
        (!filter.online || account.presence == Presence::Online)
            && (!filter.offline || account.presence == Presence::Offline)
            && filter.tag.as_deref().is_none_or(|tag| account.tags.iter().any(|own| &**own == tag.trim()))
            && filter.holder.as_deref().is_none_or(|holder| account.holder.trim() == holder.trim())
    });
    let worst = |account: &Account| match account.presence {
        Presence::Offline => 0,
        Presence::Unknown => 1,
        Presence::Online => 2,
    };
    match filter.sort.unwrap_or_default() {
        Sort::Worst => accounts.sort_by(|a, b| (worst(a), a.name()).cmp(&(worst(b), b.name()))),
        Sort::Name => accounts.sort_by(|a, b| a.name().cmp(b.name())),
        Sort::WcId => accounts.sort_by(|a, b| a.wc_id.cmp(&b.wc_id)),
        Sort::Login => accounts.sort_by_key(|account| std::cmp::Reverse(account.last_login_at)),
        Sort::Holder => accounts.sort_by(|a, b| (&a.holder, a.name()).cmp(&(&b.holder, b.name()))),
    }
    accounts
}

/// Shows accounts: one JSON object, or a table. `reason` goes into the JSON where there is one.
pub fn show(
    context: &Context,
    profile: &Profile,
    event: &str,
    accounts: &[Account],
    reason: Option<&str>,
) -> Result<(), Failure> {
    if context.json {
        let mut map = context.object(profile, event);
        if let Some(reason) = reason {
            map.insert("reason".into(), json!(reason));
        }
        let now = now();
        map.insert("accounts".into(), accounts.iter().map(|account| objects::account(account, now)).collect());
        return out::object(map);
    }
    if accounts.is_empty() {
        out::say(&context.t("cli.accounts.none"));
        return Ok(());
    }
    let heads = ["name", "presence", "w_id", "wc_id", "seen", "holder", "tags"]
        .map(|head| context.t(&format!("cli.accounts.head.{head}")));
    let rows: Vec<Vec<String>> = accounts.iter().map(|account| row(context, account)).collect();
    out::data(&table::table(&heads.each_ref().map(String::as_str), &rows))
}

fn row(context: &Context, account: &Account) -> Vec<String> {
    let mut presence = context.t(&format!("cli.presence.{}", account.presence.name()));
    if account.stale {
        presence = context.tf("cli.presence.stale", &[("presence", &presence)]);
    }
    let w_id = match &account.w_id {
        Some(w_id) if account.w_id_confirmed => w_id.to_string(),
        Some(w_id) => format!("{w_id}?"),
        None => String::new(),
    };
    vec![
        account.name().to_owned(),
        presence,
        w_id,
        account.wc_id.to_string(),
        account.observed_at.map(|at| local(at.not_after(now()), "%Y-%m-%d %H:%M:%S")).unwrap_or_default(),
        account.holder.to_string(),
        account.tags.join(","),
    ]
}

async fn add(context: &Context, profile: &Profile, store: &Store, args: AddArgs) -> Result<(), Failure> {
    let wc_id = WcId::checked(&args.wc_id).ok_or_else(|| bad_wc_id(context, &args.wc_id))?;
    let known = store.account(&wc_id).await.map_err(|error| Failure::store(context.lang, &error))?;
    let edit = edit_of(context, profile, &args.fields, known.as_ref())?;
    let created =
        store.put_account(&wc_id, &edit, now()).await.map_err(|error| Failure::store(context.lang, &error))?;
    let key = if created { "cli.accounts.added" } else { "cli.accounts.known" };
    tell_one(context, profile, store, "account_added", &wc_id, Some(created), key).await
}

async fn edit(context: &Context, profile: &Profile, store: &Store, args: EditArgs) -> Result<(), Failure> {
    if args.fields.is_empty() {
        return Err(Failure::usage(context.t("cli.error.nothing_to_edit")));
    }
    let asked = resolve::Asked::one(args.account.as_ref(), args.name.as_ref());
    let account = resolve::resolve_one(context, &context.accounts(store).await?, asked)?;
    let edit = edit_of(context, profile, &args.fields, Some(&account))?;
    store.put_account(&account.wc_id, &edit, now()).await.map_err(|error| Failure::store(context.lang, &error))?;
    tell_one(context, profile, store, "account_edited", &account.wc_id, None, "cli.accounts.edited").await
}

async fn remove(context: &Context, profile: &Profile, store: &Store, args: RemoveArgs) -> Result<(), Failure> {
    let asked = resolve::Asked::new(&args.accounts, &args.name);
    let accounts = resolve::resolve(context, &context.accounts(store).await?, asked)?;
    confirm(context, args.yes, "cli.accounts.remove_question", &accounts)?;
    for account in &accounts {
        store.remove_account(&account.wc_id).await.map_err(|error| Failure::store(context.lang, &error))?;
    }
    if context.json {
        let mut map = context.object(profile, "account_removed");
        map.insert("wc_ids".into(), accounts.iter().map(|account| json!(account.wc_id)).collect());
        return out::object(map);
    }
    for account in &accounts {
        out::say(&context.tf("cli.accounts.removed", &[("label", &resolve::label(account))]));
    }
    Ok(())
}

async fn tell_one(
    context: &Context,
    profile: &Profile,
    store: &Store,
    event: &str,
    wc_id: &WcId,
    created: Option<bool>,
    words: &str,
) -> Result<(), Failure> {
    let account = context.accounts(store).await?.into_iter().find(|account| account.wc_id == *wc_id);
    if context.json {
        let mut map = context.object(profile, event);
        map.insert("wc_id".into(), json!(wc_id));
        if let Some(created) = created {
            map.insert("created".into(), json!(created));
        }
        map.insert(
            "account".into(),
            account.as_ref().map(|account| objects::account(account, now())).unwrap_or_default(),
        );
        return out::object(map);
    }
    let label = account.as_ref().map_or_else(|| wc_id.to_string(), resolve::label);
    out::say(&context.tf(words, &[("label", &label)]));
    Ok(())
}

/// Asks before something that is hard to take back; `yes` answers beforehand. Without anybody to ask it is a wrong use.
pub fn confirm(context: &Context, yes: bool, question: &str, accounts: &[Account]) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !out::can_ask() {
        return Err(Failure::usage(context.t("cli.error.needs_yes")));
    }
    let labels = accounts.iter().map(resolve::label).collect::<Vec<_>>().join(", ");
    let question = context.tf(question, &[("accounts", &labels), ("count", &accounts.len().to_string())]);
    match out::ask(&format!("{question} [y/N] ")) {
        Some(answer) if out::is_yes(&answer) => Ok(()),
        _ => Err(Failure::new(Exit::Other, "cancelled", context.t("cli.error.not_done"))),
    }
}

/// The failure for what is no wcId.
pub fn bad_wc_id(context: &Context, text: &str) -> Failure {
    Failure::usage(context.tf("cli.error.bad_wc_id", &[("text", text)])).hint(context.t("cli.error.bad_wc_id_hint"))
}

/// The labels after `text`, as a person typed it: all of them, or, where each is led by `+` or `-`, those that come and
/// go. `None` for a mixture.
pub fn change_tags(text: &str, before: &[Box<str>]) -> Option<Vec<Box<str>>> {
    let given = tags(text);
    let led = given.iter().filter(|tag| tag.starts_with(['+', '-'])).count();
    if led == 0 {
        return Some(given);
    }
    if led < given.len() {
        return None;
    }
    let mut tags = before.to_vec();
    for tag in &given {
        let is_new = tag.starts_with('+');
        let name = tag.trim_start_matches(['+', '-']).trim();
        tags.retain(|known| &**known != name);
        if is_new && !name.is_empty() {
            tags.push(name.into());
        }
    }
    Some(tags)
}

/// What the flags change of an account that may be known. Reads the own proxy's password from standard input, if told
/// so: on a command line everybody could see it.
fn edit_of(context: &Context, profile: &Profile, fields: &Fields, known: Option<&Account>) -> Result<Edit, Failure> {
    let tags = match &fields.tags {
        None => None,
        Some(text) => {
            let before = known.map(|account| account.tags.as_slice()).unwrap_or_default();
            let after = change_tags(text, before);
            Some(after.ok_or_else(|| Failure::usage(context.t("cli.error.mixed_tags")))?)
        }
    };
    let change = DeviceEdit {
        device_type: fields.device.clone(),
        proxy: fields.proxy.clone(),
        proxy_user: fields.proxy_user.clone(),
        proxy_password: if fields.proxy_password_stdin { Some(out::secret_line(context.lang)?) } else { None },
        aid: fields.aid.clone(),
        ttuid: fields.ttuid.clone(),
    };
    let device = if change.is_empty() {
        None
    } else {
        let before = known.and_then(|account| account.device.as_deref());
        let after = change.apply(before).map_err(|bad| bad_device(context, bad))?;
        if profile.dialect.value != Dialect::V3 {
            out::say(&context.tf("cli.device.other_dialect", &[("dialect", profile.dialect.value.name())]));
        }
        Some(after)
    };
    Ok(Edit {
        holder: fields.holder.as_deref().map(|holder| holder.trim().into()),
        note: fields.note.as_deref().map(Into::into),
        tags,
        device,
        ..Edit::default()
    })
}

/// The failure for what no device can be.
pub fn bad_device(context: &Context, bad: BadDevice) -> Failure {
    Failure::usage(context.t(&format!("cli.device.{}", bad.name())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Stamp;

    fn ids(accounts: &[Account]) -> Vec<&str> {
        accounts.iter().map(|account| account.wc_id.as_str()).collect()
    }

    fn fleet() -> Vec<Account> {
        let account = |wc_id: &str, presence, nick: &str, tag: &str, login| Account {
            presence,
            nick_name: nick.into(),
            tags: vec![tag.into()],
            last_login_at: Some(Stamp(login)),
            holder: format!("h-{wc_id}").into(),
            ..Account::new(wc_id.into())
        };
        vec![
            account("a", Presence::Online, "2", "x", 5),
            account("b", Presence::Offline, "3", "y", 7),
            account("c", Presence::Unknown, "1", "x", 6),
            account("d", Presence::Offline, "0", "y", 1),
        ]
    }

    #[test]
    fn the_list_is_filtered_and_sorted() {
        let filter = Filter::default();
        for (filter, order) in [
            (filter.clone(), &["d", "b", "c", "a"][..]),
            (Filter { online: true, ..filter.clone() }, &["a"]),
            (Filter { offline: true, ..filter.clone() }, &["d", "b"]),
            (Filter { tag: Some("x".into()), ..filter.clone() }, &["c", "a"]),
            (Filter { holder: Some(" h-b".into()), ..filter.clone() }, &["b"]),
            (Filter { holder: Some("".into()), ..filter.clone() }, &[]),
            (Filter { sort: Some(Sort::Name), ..filter.clone() }, &["d", "c", "a", "b"]),
            (Filter { sort: Some(Sort::Login), ..filter.clone() }, &["b", "c", "a", "d"]),
            (Filter { sort: Some(Sort::WcId), ..filter }, &["a", "b", "c", "d"]),
        ] {
            assert_eq!(ids(&select(fleet(), &filter)), order, "{filter:?}");
        }
    }

    #[test]
    fn tags_are_replaced_or_changed() {
        let before: Vec<Box<str>> = vec!["a".into(), "b".into()];
        for (text, after) in [
            ("x, y", Some(&["x", "y"][..])),
            ("", Some(&[])),
            ("+c", Some(&["a", "b", "c"])),
            ("-a，+c、+b", Some(&["c", "b"])),
            ("-z", Some(&["a", "b"])),
            ("+", Some(&["a", "b"])),
            ("+c,d", None),
        ] {
            let after = after.map(|tags| tags.iter().map(|tag| Box::<str>::from(*tag)).collect::<Vec<_>>());
            assert_eq!(change_tags(text, &before), after, "{text}");
        }
    }
}
