//! The filter's line: what is typed, what it means, and whom it takes.

use super::Effect;
use super::field::Field;
use super::state::{Pane, Selected, State};
use crate::action::{Action, Key, KeyCode};
use crate::model::{Account, Presence, Stamp};

/// What a filter says: words and signs, all of which have to be true of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    text: String,
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Term {
    /// In the name, the wcId, the WeChat number or the note.
    Text(String),
    /// One of the tags begins so; with nothing behind the sign: there is a tag.
    Tag(String),
    /// In the holder's name; with nothing behind the sign: there is a holder.
    Holder(String),
    /// What is believed of it.
    Presence(Presence),
    /// It rests after refusals.
    Resting,
}

/// The words that ask for a state rather than for a text, in every language: people type what they read.
const STATES: &[(&str, Term)] = &[
    ("online", Term::Presence(Presence::Online)),
    ("offline", Term::Presence(Presence::Offline)),
    ("unknown", Term::Presence(Presence::Unknown)),
    ("resting", Term::Resting),
    ("在线", Term::Presence(Presence::Online)),
    ("离线", Term::Presence(Presence::Offline)),
    ("未知", Term::Presence(Presence::Unknown)),
    ("休息", Term::Resting),
    ("休息中", Term::Resting),
];

/// Letters without their case; scripts beyond these have none that anybody types.
fn fold_into(out: &mut String, text: &str) {
    for c in text.chars() {
        if c.is_ascii() {
            out.push(c.to_ascii_lowercase());
        } else if c < '\u{2e80}' {
            out.extend(c.to_lowercase());
        } else {
            out.push(c);
        }
    }
}

fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    fold_into(&mut out, text);
    out
}

impl Query {
    /// Reads what was typed. Never fails: what is no sign is a word.
    pub fn parse(text: &str) -> Self {
        let term = |word: &str| {
            let word = fold(word);
            let mut rest = word.chars();
            match rest.next() {
                // A Chinese keyboard's signs count as well.
                Some('#' | '＃') => Term::Tag(rest.as_str().to_owned()),
                Some('@' | '＠') => Term::Holder(rest.as_str().to_owned()),
                _ => STATES
                    .iter()
                    .find(|(name, _)| *name == word)
                    .map_or_else(|| Term::Text(word.clone()), |(_, term)| term.clone()),
            }
        };
        Self { text: text.trim().to_owned(), terms: text.split_whitespace().map(term).collect() }
    }

    /// What was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it takes everybody.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether it takes an account at `now`.
    pub fn takes(&self, account: &Account, now: Stamp) -> bool {
        // Made once, for the first word that needs it.
        let mut words = String::new();
        self.terms.iter().all(|term| match term {
            Term::Text(word) => {
                if words.is_empty() {
                    for text in [&*account.nick_name, account.wc_id.as_str(), &*account.w_account, &*account.note] {
                        fold_into(&mut words, text);
                        words.push('\n');
                    }
                }
                words.contains(word.as_str())
            }
            Term::Tag(tag) => account.tags.iter().any(|own| fold(own).starts_with(tag.as_str())),
            Term::Holder(holder) if holder.is_empty() => !account.holder.trim().is_empty(),
            Term::Holder(holder) => fold(&account.holder).contains(holder.as_str()),
            Term::Presence(presence) => account.presence == *presence,
            Term::Resting => rests(account, now).is_some(),
        })
    }
}

/// Until when second logins of an account rest after refusals, if they do.
pub fn rests(account: &Account, now: Stamp) -> Option<Stamp> {
    account.budget.as_ref().and_then(|budget| budget.rest(now))
}

/// The filter's line while it is open.
#[derive(Clone, Debug)]
pub struct Typing {
    /// What is typed.
    pub field: Field,
    /// What was selected before: leaving the line goes back to it.
    from: Selected,
}

/// Opens the filter's line on what it holds already.
pub(super) fn open(state: &mut State) {
    state.focus = Pane::Accounts;
    let field = Field::new(state.accounts.query().text());
    state.typing = Some(Typing { field, from: state.selected.clone() });
}

/// Takes a key while the line is open. It takes them before a frame showed it: whoever types on must not reach the
/// keys behind it.
pub(super) fn key(state: &mut State, key: Key, action: Option<Action>) -> Vec<Effect> {
    let Some(typing) = &mut state.typing else { return Vec::new() };
    state.dirty = true;
    match key.code {
        KeyCode::Enter => state.typing = None,
        KeyCode::Esc => {
            let from = std::mem::take(&mut typing.from);
            state.typing = None;
            state.accounts.set_query(Query::default());
            if matches!(&from, Selected::Account(wc_id) if state.accounts.place(wc_id).is_some()) {
                state.selected = from;
            }
        }
        _ => {
            if typing.field.key(key) {
                apply(state);
            } else if let Some(Action::Up | Action::Down | Action::PageUp | Action::PageDown) = action {
                super::keys::scroll(state, action);
            }
        }
    }
    Vec::new()
}

/// Takes a paste into the line.
pub(super) fn paste(state: &mut State, text: &str) {
    if let Some(typing) = &mut state.typing {
        typing.field.paste(text);
        apply(state);
        state.dirty = true;
    }
}

fn apply(state: &mut State) {
    let Some(query) = state.typing.as_ref().map(|typing| Query::parse(typing.field.text())) else { return };
    if query.terms == state.accounts.query().terms {
        // A space more: the rows stay as they are.
        state.accounts.rename_query(query);
    } else {
        state.accounts.set_query(query);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Budget, WcId};

    fn account() -> Account {
        Account {
            nick_name: "Café 售前客服".into(),
            w_account: "ZhangSan_88".into(),
            holder: "老王".into(),
            tags: vec!["Sales".into(), "上海".into()],
            note: "second phone".into(),
            presence: Presence::Offline,
            ..Account::new(WcId::from("wxid_zhang"))
        }
    }

    #[test]
    fn words_are_all_wanted_and_matched_where_people_look() {
        let now = Stamp(1_000);
        for (text, taken) in [
            ("", true),
            ("  ", true),
            ("café", true),
            ("CAFÉ 客服", true),
            ("zhangsan", true),
            ("wxid_zh", true),
            ("phone second", true),
            ("phone third", false),
            ("老王", false),
            ("#sal", true),
            ("#ales", false),
            ("#", true),
            ("＃上海", true),
            ("#北京", false),
            ("@王", true),
            ("＠老王　café", true),
            ("@", true),
            ("@li", false),
            ("offline", true),
            ("Offline café", true),
            ("离线", true),
            ("online", false),
            ("在线", false),
            ("unknown", false),
            ("resting", false),
            ("offlin", false),
        ] {
            assert_eq!(Query::parse(text).takes(&account(), now), taken, "{text}");
        }
    }

    #[test]
    fn a_rest_ends() {
        let budget = Budget { rests_until: Some(Stamp(5_000)), ..Budget::default() };
        let account = Account { budget: Some(Box::new(budget)), ..account() };
        for word in ["resting", "休息", "休息中"] {
            assert!(Query::parse(word).takes(&account, Stamp(4_999)));
            assert!(!Query::parse(word).takes(&account, Stamp(5_000)));
        }
    }

    #[test]
    fn signs_alone_ask_whether_there_is_any() {
        let bare = Account::new(WcId::from("wxid_bare"));
        assert!(!Query::parse("#").takes(&bare, Stamp(0)));
        assert!(!Query::parse("@").takes(&bare, Stamp(0)));
    }
}
