//! When entries of a fleet list could not be read: who may be behind them.

use std::collections::{HashMap, HashSet};

use super::presence::{Answer, answer};
use crate::gateway::{Gateway, Online};
use crate::model::{Account, Presence, WId, WcId};

/// More accounts than this are not asked for one by one.
const ASKED: usize = 5;

/// Those believed to be online whom the list lacks, if there are no more of them than of entries that could not be read:
/// the list does not say that they have gone. More than that have gone in any case, and the list is judged as it is.
pub fn hidden(list: &Online, accounts: &HashMap<WcId, Account>, busy: &HashSet<WcId>) -> Vec<(WcId, Option<WId>)> {
    if list.unread == 0 {
        return Vec::new();
    }
    let listed: HashSet<&WcId> = list.entries.iter().map(|(wc_id, _)| wc_id).collect();
    let is_missing = |account: &&Account| {
        account.presence == Presence::Online && !listed.contains(&account.wc_id) && !busy.contains(&account.wc_id)
    };
    let missing: Vec<&Account> = accounts.values().filter(is_missing).collect();
    let hidden = if missing.len() > list.unread { Vec::new() } else { missing };
    hidden.into_iter().map(|account| (account.wc_id.clone(), account.w_id.clone())).collect()
}

/// The list with those of the hidden added whose instance does not say that it is gone. `checks`: whether single ones can
/// be asked at all (V2, V3).
pub async fn filled_in(gateway: &Gateway, checks: bool, list: Online, hidden: Vec<(WcId, Option<WId>)>) -> Online {
    let mut entries = list.entries;
    for (at, (wc_id, w_id)) in hidden.into_iter().enumerate() {
        let said = match w_id.filter(|_| checks && at < ASKED) {
            Some(w_id) => answer(gateway.is_online(&w_id).await),
            None => Answer::Failed,
        };
        match said {
            Answer::Online | Answer::Failed => entries.push((wc_id, None)),
            Answer::Offline | Answer::Refused => {}
        }
    }
    Online { entries, unread: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_are_hidden_than_entries_could_not_be_read() {
        let account = |name: &str, presence| Account {
            w_id: Some(WId::from(format!("w-{name}"))),
            presence,
            ..Account::new(WcId::from(name))
        };
        let known = [
            account("a", Presence::Online),
            account("b", Presence::Online),
            account("c", Presence::Online),
            account("d", Presence::Offline),
            account("e", Presence::Unknown),
        ];
        let accounts: HashMap<WcId, Account> = known.into_iter().map(|known| (known.wc_id.clone(), known)).collect();
        let busy = |names: &[&str]| names.iter().map(|name| WcId::from(*name)).collect::<HashSet<_>>();
        let list = |names: &[&str], unread| Online {
            entries: names.iter().map(|name| (WcId::from(*name), None)).collect(),
            unread,
        };
        let names = |list: &Online, at_work: &[&str]| {
            let mut names: Vec<String> =
                hidden(list, &accounts, &busy(at_work)).into_iter().map(|(wc_id, _)| wc_id.to_string()).collect();
            names.sort();
            names
        };
        assert_eq!(names(&list(&["a", "b"], 0), &[]), [""; 0]);
        assert_eq!(names(&list(&["a", "b"], 1), &[]), ["c"]);
        assert_eq!(names(&list(&["a", "b", "c"], 1), &[]), [""; 0]);
        assert_eq!(names(&list(&["a"], 1), &[]), [""; 0], "one of two has gone");
        assert_eq!(names(&list(&["a"], 2), &[]), ["b", "c"]);
        assert_eq!(names(&list(&["a"], 1), &["b"]), ["c"], "who is being logged in is looked at otherwise");
    }
}
