//! Notices come twice (protocol.md §3.11): the same account and wId within a minute, or the same message id.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::Value;

use crate::model::{WId, WcId};

/// How long the same notice is not heard again.
const MINUTE: Duration = Duration::from_secs(60);
/// So many notices and message ids are remembered at most.
const KEPT: usize = 1_024;

/// What was heard lately. Time is an argument: since some fixed start.
#[derive(Debug, Default)]
pub(super) struct Twice {
    heard: VecDeque<(Duration, WcId, Option<WId>)>,
    messages: VecDeque<Box<str>>,
}

impl Twice {
    pub(super) fn is_new(&mut self, now: Duration, wc_id: &WcId, w_id: Option<&WId>, message: Option<&str>) -> bool {
        while self.heard.front().is_some_and(|(at, ..)| now.saturating_sub(*at) >= MINUTE) {
            self.heard.pop_front();
        }
        let by_id = message.is_some_and(|id| self.messages.iter().any(|known| &**known == id));
        if let Some(id) = message.filter(|_| !by_id) {
            if self.messages.len() >= KEPT {
                self.messages.pop_front();
            }
            self.messages.push_back(id.into());
        }
        let known = self.heard.iter().any(|(_, known, instance)| known == wc_id && instance.as_ref() == w_id);
        if by_id || known {
            return false;
        }
        if self.heard.len() >= KEPT {
            self.heard.pop_front();
        }
        self.heard.push_back((now, wc_id.clone(), w_id.cloned()));
        true
    }
}

/// `newMsgId` of a body, wherever the dialect has it, number or text. It may exceed 2^53: never a float.
pub(super) fn message_id(body: &Value) -> Option<String> {
    let inner = body.get("message").filter(|message| message.is_object()).unwrap_or(body);
    let id = [inner.get("data"), Some(inner)].into_iter().flatten().find_map(|place| place.get("newMsgId"))?;
    match id {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::notice;

    #[test]
    fn the_same_notice_is_heard_once_a_minute() {
        let mut twice = Twice::default();
        let (a, b) = (WcId::from("a"), WcId::from("b"));
        let (w1, w2) = (WId::from("w1"), WId::from("w2"));
        for (second, wc_id, w_id, message, new) in [
            (0, &a, Some(&w1), None, true),
            (1, &a, Some(&w1), None, false),
            (2, &a, Some(&w2), None, true),
            (3, &b, Some(&w1), None, true),
            (4, &a, None, None, true),
            (59, &a, Some(&w1), None, false),
            (60, &a, Some(&w1), None, true),
            (200, &a, Some(&w1), Some("9"), true),
            (300, &a, Some(&w1), Some("9"), false),
            (301, &a, Some(&w1), Some("10"), true),
        ] {
            assert_eq!(twice.is_new(Duration::from_secs(second), wc_id, w_id, message), new, "second {second}");
        }
    }

    #[test]
    fn a_flood_takes_no_more_than_so_much_memory() {
        let mut twice = Twice::default();
        for number in 0..5_000 {
            let id = number.to_string();
            assert!(twice.is_new(Duration::ZERO, &WcId::new(id.as_str()), None, Some(&id)));
        }
        assert_eq!((twice.heard.len(), twice.messages.len()), (KEPT, KEPT));
    }

    #[test]
    fn message_ids_are_found_in_all_dialects() {
        for (body, id) in [
            (r#"{"data":{"newMsgId":9223372036854775807}}"#, Some("9223372036854775807")),
            (r#"{"data":{"newMsgId":"77"}}"#, Some("77")),
            (r#"{"message":{"data":"w","newMsgId":5},"wcId":"a"}"#, Some("5")),
            (r#"{"data":{"wId":"w"}}"#, None),
            ("[]", None),
            ("no JSON", None),
        ] {
            assert_eq!(message_id(&notice::value(body.as_bytes(), None).unwrap_or_default()).as_deref(), id, "{body}");
        }
    }
}
