//! ACCOUNT, `--name` and lists on the command line → accounts.
//!
//! A nickname is what its holder chose, and may be another account's id. So a name is looked up only where a person at
//! a terminal sees who is meant, or where it is said to be a name.

use std::path::Path;

use super::context::Context;
use super::decode;
use super::exit::Exit;
use super::fail::Failure;
use super::out;
use crate::model::text::clean;
use crate::model::{Account, WcId};

/// More candidates than this are not listed.
const MAX_LISTED: usize = 10;

/// What a text led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// This one, by its id.
    Id(&'a Account),
    /// Only this one has it as a name or a part: to be echoed before its phone rings.
    Name(&'a Account),
    /// Several.
    Many(Vec<&'a Account>),
    /// None.
    Nobody,
}

/// How far a text is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// As a wcId.
    Id,
    /// As a whole name, whatever ids there are: it is said to be one.
    Name,
    /// As a wcId, else as a whole name, else as a part, whatever the case. What has the form of WeChat's own ids is
    /// never a name.
    Any,
}

/// Looks a text up.
pub fn find<'a>(accounts: &'a [Account], text: &str, reach: Reach) -> Found<'a> {
    if text.is_empty() {
        // Everybody has nothing in the name.
        return Found::Nobody;
    }
    let by_id = accounts.iter().find(|account| account.wc_id.as_str() == text);
    match (reach, by_id) {
        (Reach::Id | Reach::Any, Some(account)) => return Found::Id(account),
        (Reach::Id, None) => return Found::Nobody,
        (Reach::Name, _) | (Reach::Any, None) => {}
    }
    let is_id = reach == Reach::Any && WcId::is_own_form(text);
    let named = |account: &&Account| {
        // As it is shown, too: that is what people copy.
        let name = account.nick_name.trim();
        let is_name = name == text || clean(name).trim() == text;
        !is_id && (account.w_account.trim() == text || is_name || account.wc_id.as_str() == text)
    };
    match only(accounts.iter().filter(named)) {
        Found::Nobody if reach == Reach::Any => {}
        found => return found,
    }
    let part = text.to_lowercase();
    let holds = |text: &str| text.to_lowercase().contains(&part);
    only(accounts.iter().filter(|account| {
        let by_name = !is_id && (holds(&account.w_account) || holds(&account.nick_name));
        by_name || holds(account.wc_id.as_str())
    }))
}

fn only<'a>(found: impl Iterator<Item = &'a Account>) -> Found<'a> {
    match found.collect::<Vec<_>>().as_slice() {
        [] => Found::Nobody,
        [one] => Found::Name(one),
        many => Found::Many(many.to_vec()),
    }
}

/// Which accounts a command line names.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// ACCOUNT, `@FILE` and `-`.
    accounts: &'a [String],
    /// `--name`
    names: &'a [String],
    /// Whether only whole ids count, also at a terminal.
    ids_only: bool,
}

impl<'a> Asked<'a> {
    /// Several accounts.
    pub const fn new(accounts: &'a [String], names: &'a [String]) -> Self {
        Self { accounts, names, ids_only: false }
    }

    /// One account.
    pub fn one(account: Option<&'a String>, name: Option<&'a String>) -> Self {
        Self::new(account.map_or(&[], std::slice::from_ref), name.map_or(&[], std::slice::from_ref))
    }

    /// The same where a wrong account would be found out too late.
    #[must_use]
    pub const fn ids_only(self) -> Self {
        Self { ids_only: true, ..self }
    }

    /// Whether nobody is named.
    pub const fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.names.is_empty()
    }
}

/// One account as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    text: String,
    reach: Reach,
    /// The list it comes from, and its line there.
    line: Option<(String, usize)>,
}

/// Reads the lists that `@FILE` and `-` stand for: one wcId a line; empty lines and lines with `#` in front do not
/// count.
fn expand(context: &Context, asked: Asked<'_>, terminal: bool) -> Result<Vec<Wanted>, Failure> {
    let reach = if terminal && !asked.ids_only { Reach::Any } else { Reach::Id };
    let mut wanted = Vec::new();
    for argument in asked.accounts {
        let file = match argument.strip_prefix('@') {
            _ if argument == "-" => "-",
            Some(file) => file,
            None => {
                wanted.push(Wanted { text: argument.trim().to_owned(), reach, line: None });
                continue;
            }
        };
        let bytes = decode::read(context, Path::new(file))?;
        let (text, _) = decode::text(&bytes).map_err(|bad| Failure::other("io", bad.words(context, file)))?;
        wanted.extend(list(&text).map(|(line, id)| Wanted {
            text: id.to_owned(),
            reach: Reach::Id,
            line: Some((file.to_owned(), line)),
        }));
    }
    for name in asked.names {
        wanted.push(Wanted { text: name.trim().to_owned(), reach: Reach::Name, line: None });
    }
    if wanted.is_empty() && !asked.is_empty() {
        return Err(Failure::usage(context.t("cli.error.empty_list")));
    }
    Ok(wanted)
}

/// The lines of a list that count, with their numbers from 1.
fn list(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// The accounts that are meant, each once, in the order asked for. All of them or none: an unknown or ambiguous one is
/// exit 10 with the candidates.
pub fn resolve(context: &Context, accounts: &[Account], asked: Asked<'_>) -> Result<Vec<Account>, Failure> {
    // Who is meant is said on stderr, and whoever reads it can stop what comes.
    let terminal = out::can_ask();
    let mut found: Vec<Account> = Vec::new();
    for wanted in expand(context, asked, terminal)? {
        let account = match find(accounts, &wanted.text, wanted.reach) {
            Found::Id(account) => account,
            Found::Name(account) => {
                if terminal {
                    out::say(&format!("→ {}", label(account)));
                }
                account
            }
            Found::Many(candidates) => return Err(ambiguous(context, &wanted.text, &candidates)),
            Found::Nobody => return Err(nobody(context, accounts, &wanted)),
        };
        if !found.iter().any(|known| known.wc_id == account.wc_id) {
            found.push(account.clone());
        }
    }
    Ok(found)
}

/// The one account that is meant.
pub fn resolve_one(context: &Context, accounts: &[Account], asked: Asked<'_>) -> Result<Account, Failure> {
    match resolve(context, accounts, asked)?.as_slice() {
        [account] => Ok(account.clone()),
        _ => Err(Failure::usage(context.t("cli.error.one_account"))),
    }
}

/// Name and wcId, cleaned.
pub fn label(account: &Account) -> String {
    let (name, wc_id) = (clean(account.name()), clean(account.wc_id.as_str()));
    if name == wc_id { wc_id.into_owned() } else { format!("{name} ({wc_id})") }
}

fn nobody(context: &Context, accounts: &[Account], wanted: &Wanted) -> Failure {
    let name = wanted.text.as_str();
    let message = match (&wanted.line, wanted.reach) {
        (Some((file, line)), _) => {
            let line = line.to_string();
            context.tf("cli.error.no_such_line", &[("file", file), ("line", &line), ("name", name)])
        }
        (None, Reach::Id) => context.tf("cli.error.no_such_id", &[("name", name)]),
        (None, Reach::Name | Reach::Any) => context.tf("cli.error.no_such_account", &[("name", name)]),
    };
    let failure = Failure::new(Exit::NoAccount, "no_such_account", message);
    if wanted.line.is_some() {
        return failure.hint(context.t("cli.error.no_such_account_hint"));
    }
    // Tell whom it would have reached as a name or, at a terminal, as a part of one.
    let hint = |key: &str, account| context.tf(key, &[("label", &label(account))]);
    match (find(accounts, name, Reach::Name), find(accounts, name, Reach::Any)) {
        (Found::Name(account), _) if wanted.reach != Reach::Name => failure.hint(hint("cli.error.a_name", account)),
        (Found::Nobody, Found::Name(account)) => failure.hint(hint("cli.error.part", account)),
        (Found::Many(candidates), _) | (_, Found::Many(candidates)) => failure.hint(listed(&candidates)),
        (Found::Id(_) | Found::Name(_) | Found::Nobody, Found::Id(_) | Found::Name(_) | Found::Nobody) => {
            failure.hint(context.t("cli.error.no_such_account_hint"))
        }
    }
}

fn ambiguous(context: &Context, name: &str, candidates: &[&Account]) -> Failure {
    let count = candidates.len().to_string();
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
            Found::Id(account) => ('=', ids(&[account])),
            Found::Name(account) => ('~', ids(&[account])),
            Found::Many(accounts) => ('*', ids(accounts)),
            Found::Nobody => ('-', Vec::new()),
        }
    }

    #[test]
    fn a_name_is_not_an_id() {
        use Reach::{Any, Id, Name};
        let accounts = [
            account("wxid_a", "sales", "张三"),
            account("wxid_b", "support", "李四"),
            account("wxid_c", "", "sales"),
            account("wxid_ab", "", "wxid_b"),
            account("evil", "wxid_cfo", "wxid_boss"),
            account("sly", "", " 王五 "),
            account("old-id", "", ""),
            account("odd", "", "赵\u{202e}六"),
        ];
        for (text, reach, kind, ids) in [
            ("wxid_a", Any, '=', &["wxid_a"][..]),
            ("wxid_a", Id, '=', &["wxid_a"]),
            // A nickname that says another's wcId changes nothing.
            ("wxid_b", Any, '=', &["wxid_b"]),
            ("wxid_b", Id, '=', &["wxid_b"]),
            // Said to be a name, it is one of two.
            ("wxid_b", Name, '*', &["wxid_b", "wxid_ab"]),
            // Nor does one that says a wcId that is not known here, or a WeChat number that does.
            ("wxid_boss", Id, '-', &[]),
            ("wxid_boss", Any, '-', &[]),
            ("WXID_BOSS", Any, '-', &[]),
            ("wxid_bo", Any, '-', &[]),
            ("wxid_cfo", Any, '-', &[]),
            ("wxid_boss", Name, '~', &["evil"]),
            ("张三", Id, '-', &[]),
            ("张三", Any, '~', &["wxid_a"]),
            ("张三", Name, '~', &["wxid_a"]),
            ("王五", Name, '~', &["sly"]),
            // A nickname that says another's WeChat number is never taken for it.
            ("sales", Any, '*', &["wxid_a", "wxid_c"]),
            ("sales", Name, '*', &["wxid_a", "wxid_c"]),
            ("SUPP", Any, '~', &["wxid_b"]),
            ("SUPP", Name, '-', &[]),
            ("supp", Id, '-', &[]),
            ("wxid_", Any, '*', &["wxid_a", "wxid_b", "wxid_c", "wxid_ab"]),
            ("wxid_c", Any, '=', &["wxid_c"]),
            ("WXID_C", Any, '~', &["wxid_c"]),
            ("WXID_C", Id, '-', &[]),
            ("钱", Any, '-', &[]),
            // As it is, and as a screen shows it.
            ("赵\u{202e}六", Name, '~', &["odd"]),
            ("赵 六", Name, '~', &["odd"]),
            ("old-id", Name, '~', &["old-id"]),
            ("", Id, '-', &[]),
            ("", Any, '-', &[]),
            ("", Name, '-', &[]),
        ] {
            let (found, who) = names(&find(&accounts, text, reach));
            assert_eq!((found, who), (kind, ids.iter().map(|id| (*id).to_owned()).collect()), "{text} {reach:?}");
        }
    }

    #[test]
    fn a_list_has_an_id_a_line() {
        let lines: Vec<_> = list("# mine\n wxid_a \r\n\nwxid_b").collect();
        assert_eq!(lines, [(2, "wxid_a"), (4, "wxid_b")]);
    }
}
