//! ACCOUNT on the command line → accounts (design.md §5).

use std::io::Read;

use serde_json::json;

use super::context::Context;
use super::exit::Exit;
use super::fail::Failure;
use super::out;
use crate::model::Account;
use crate::model::text::clean;

/// More candidates than this are not listed.
const MAX_LISTED: usize = 10;

/// What a name led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// Exactly this one.
    Exact(&'a Account),
    /// Only a part of a name of this one: to be echoed before its phone rings.
    Part(&'a Account),
    /// Several.
    Many(Vec<&'a Account>),
    /// None.
    Nobody,
}

/// Looks a name up: a wcId first; else who has it as WeChat number or nickname; else, where `parts` are allowed, who
/// has it as a part of any of the three, whatever the case.
pub fn find<'a>(accounts: &'a [Account], name: &str, parts: bool) -> Found<'a> {
    if let Some(account) = accounts.iter().find(|account| account.wc_id.as_str() == name) {
        return Found::Exact(account);
    }
    let exact = |account: &&Account| &*account.w_account == name || &*account.nick_name == name;
    match accounts.iter().filter(exact).collect::<Vec<_>>().as_slice() {
        [] => {}
        [one] => return Found::Exact(one),
        many => return Found::Many(many.to_vec()),
    }
    if !parts {
        return Found::Nobody;
    }
    let name = name.to_lowercase();
    let holds = |account: &&Account| {
        [account.wc_id.as_str(), &account.w_account, &account.nick_name]
            .iter()
            .any(|text| text.to_lowercase().contains(&name))
    };
    match accounts.iter().filter(holds).collect::<Vec<_>>().as_slice() {
        [] => Found::Nobody,
        [one] => Found::Part(one),
        many => Found::Many(many.to_vec()),
    }
}

/// One account as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What was written.
    pub name: String,
    /// From a list: only a wcId counts.
    pub from_list: bool,
}

/// Reads the lists that `@FILE` and `-` stand for: one wcId a line; empty lines and lines with `#` in front do not
/// count.
pub fn expand(context: &Context, arguments: &[String]) -> Result<Vec<Wanted>, Failure> {
    let mut wanted = Vec::new();
    for argument in arguments {
        let text = if argument == "-" || argument == "@-" {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map_err(|error| Failure::io("-", &error))?;
            text
        } else if let Some(path) = argument.strip_prefix('@') {
            std::fs::read_to_string(path).map_err(|error| Failure::io(path, &error))?
        } else {
            wanted.push(Wanted { name: argument.trim().to_owned(), from_list: false });
            continue;
        };
        wanted.extend(list(&text).map(|name| Wanted { name: name.to_owned(), from_list: true }));
    }
    if wanted.is_empty() && !arguments.is_empty() {
        return Err(Failure::usage(context.t("cli.error.empty_list")));
    }
    Ok(wanted)
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// The accounts that are meant, each once, in the order asked for. All of them or none: an unknown or ambiguous name is
/// exit 10 with the candidates.
pub fn resolve(context: &Context, accounts: &[Account], arguments: &[String]) -> Result<Vec<Account>, Failure> {
    let parts = out::can_ask();
    let mut found: Vec<Account> = Vec::new();
    for wanted in expand(context, arguments)? {
        let account = match one(accounts, &wanted, parts) {
            Found::Exact(account) => account,
            Found::Part(account) => {
                out::say(&format!("→ {}", label(account)));
                account
            }
            Found::Many(candidates) => return Err(ambiguous(context, &wanted.name, &candidates)),
            Found::Nobody => return Err(nobody(context, accounts, &wanted)),
        };
        if !found.iter().any(|known| known.wc_id == account.wc_id) {
            found.push(account.clone());
        }
    }
    Ok(found)
}

/// The one account that is meant.
pub fn resolve_one(context: &Context, accounts: &[Account], argument: &str) -> Result<Account, Failure> {
    match resolve(context, accounts, &[argument.to_owned()])?.as_slice() {
        [account] => Ok(account.clone()),
        _ => Err(Failure::usage(context.t("cli.error.one_account"))),
    }
}

fn one<'a>(accounts: &'a [Account], wanted: &Wanted, parts: bool) -> Found<'a> {
    if wanted.from_list {
        let account = accounts.iter().find(|account| account.wc_id.as_str() == wanted.name);
        return account.map_or(Found::Nobody, Found::Exact);
    }
    find(accounts, &wanted.name, parts)
}

/// Name and wcId, cleaned.
pub fn label(account: &Account) -> String {
    let (name, wc_id) = (clean(account.name()), clean(account.wc_id.as_str()));
    if name == wc_id { wc_id.into_owned() } else { format!("{name} ({wc_id})") }
}

fn nobody(context: &Context, accounts: &[Account], wanted: &Wanted) -> Failure {
    let message = context.tf("cli.error.no_such_account", &[("name", &wanted.name)]);
    let failure = Failure::new(Exit::NoAccount, "no_such_account", message);
    // A script that gave a part: tell what a person would have reached.
    match find(accounts, &wanted.name, true) {
        Found::Part(account) if !wanted.from_list => {
            failure.hint(context.tf("cli.error.part", &[("label", &label(account))]))
        }
        Found::Many(candidates) if !wanted.from_list => failure.hint(listed(&candidates)),
        _ => failure.hint(context.t("cli.error.no_such_account_hint")),
    }
}

fn ambiguous(context: &Context, name: &str, candidates: &[&Account]) -> Failure {
    let count = json!(candidates.len()).to_string();
    Failure::new(Exit::NoAccount, "ambiguous", context.tf("cli.error.ambiguous", &[("name", name), ("count", &count)]))
        .hint(listed(candidates))
}

fn listed(candidates: &[&Account]) -> String {
    let mut text = candidates.iter().take(MAX_LISTED).map(|account| label(account)).collect::<Vec<_>>().join(", ");
    if candidates.len() > MAX_LISTED {
        text.push_str(", …");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(wc_id: &str, w_account: &str, nick_name: &str) -> Account {
        Account { w_account: w_account.into(), nick_name: nick_name.into(), ..Account::new(wc_id.into()) }
    }

    fn names(found: &Found<'_>) -> (char, Vec<String>) {
        let ids = |accounts: &[&Account]| accounts.iter().map(|a| a.wc_id.to_string()).collect();
        match found {
            Found::Exact(account) => ('=', ids(&[account])),
            Found::Part(account) => ('~', ids(&[account])),
            Found::Many(accounts) => ('*', ids(accounts)),
            Found::Nobody => ('-', Vec::new()),
        }
    }

    #[test]
    fn names_lead_to_accounts() {
        let accounts = [
            account("wxid_a", "sales", "张三"),
            account("wxid_b", "support", "李四"),
            account("wxid_c", "", "sales"),
            account("wxid_ab", "", "wxid_b"),
        ];
        for (name, parts, kind, ids) in [
            ("wxid_a", true, '=', &["wxid_a"][..]),
            // A nickname that says another's wcId changes nothing.
            ("wxid_b", true, '=', &["wxid_b"]),
            ("张三", false, '=', &["wxid_a"]),
            // A nickname that says another's WeChat number is never taken for it.
            ("sales", true, '*', &["wxid_a", "wxid_c"]),
            ("SUPP", true, '~', &["wxid_b"]),
            ("supp", false, '-', &[]),
            ("wxid", true, '*', &["wxid_a", "wxid_b", "wxid_c", "wxid_ab"]),
            ("王", true, '-', &[]),
        ] {
            let (found, who) = names(&find(&accounts, name, parts));
            assert_eq!((found, who), (kind, ids.iter().map(|id| (*id).to_owned()).collect()), "{name} {parts}");
        }
    }

    #[test]
    fn lists_count_only_exact_ids() {
        let accounts = [account("wxid_a", "sales", "张三")];
        let wanted = |name: &str| Wanted { name: name.into(), from_list: true };
        assert_eq!(one(&accounts, &wanted("sales"), true), Found::Nobody);
        assert_eq!(one(&accounts, &wanted("wxid_a"), false), Found::Exact(&accounts[0]));
        assert_eq!(list("\u{feff}# mine\n wxid_a \r\n\nwxid_b").collect::<Vec<_>>(), ["wxid_a", "wxid_b"]);
    }
}
