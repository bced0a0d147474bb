//! Questions that come by themselves or about the conveyor: the budget, the wrong phone, which logins to cancel.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::conveyor::{phone, progress_words};
use super::{Look, clock, pen, popups};
use crate::app::State;
use crate::app::logins::LoginNumber;
use crate::app::questions::Question;
use crate::i18n::{t, tf};
use crate::model::text::{clean, wrap};
use crate::model::{Cost, Over, WcId};

/// Whether to go beyond the budget.
pub(super) fn over(state: &State, look: &Look, buffer: &mut Buffer, screen: Rect, question: &Question) {
    let name = state.name_of("", Some(&question.wc_id));
    let name = clean(&name);
    let time = |at| clock::long(at, look.now, state.offset_seconds);
    let (title, words) = match question.over {
        Over::Spent { cost, next, limit, free_at } => {
            let key = match cost {
                Cost::SecondLogin => "ui.over.second_login",
                Cost::Code => "ui.over.code",
            };
            let (next, limit, time) = (next.to_string(), limit.to_string(), time(free_at));
            let values = [("account", &*name), ("next", &*next), ("limit", &*limit), ("time", &*time)];
            ("ui.over.title_spent", tf(look.lang, key, &values))
        }
        Over::Resting { until } => {
            let (time, count) = (time(until), question.refusals.to_string());
            let values = [("account", &*name), ("time", &*time), ("count", &*count)];
            let key = match question.refusals {
                0 => "ui.over.resting",
                1 => "ui.over.resting_one",
                _ => "ui.over.resting_more",
            };
            ("ui.over.title_resting", tf(look.lang, key, &values))
        }
    };
    popups::question(look, buffer, screen, &t(look.lang, title), &words);
}

/// Who came instead, and whether to take it off line.
pub(super) fn wrong(look: &Look, buffer: &mut Buffer, screen: Rect, expected: &str, wc_id: &WcId, name: &str) {
    let (expected, wc_id, name) = (clean(expected), clean(wc_id.as_str()), clean(name));
    let values = [("expected", &*expected), ("account", &*name), ("wc_id", &*wc_id)];
    let words = tf(look.lang, "ui.wrong.words", &values);
    popups::question(look, buffer, screen, &t(look.lang, "ui.wrong.title"), &words);
}

/// Which logins to cancel.
pub(super) fn stop(state: &State, look: &Look, buffer: &mut Buffer, screen: Rect, login: Option<LoginNumber>) {
    let theme = look.theme;
    let columns = screen.width.saturating_sub(4).min(48);
    let wc_id = login.and_then(|number| state.logins.get(number)).and_then(|login| login.wc_id.clone());
    let note = wrap(&t(look.lang, "ui.stop_which.note"), usize::from(columns).max(2));
    let rows = pen::columns(note.len()) + 3 + u16::from(wc_id.is_some());
    let inner = popups::dialog(look, buffer, screen, &t(look.lang, "ui.stop_which.title"), columns, rows);
    let mut y = 0;
    let mut choice = |buffer: &mut Buffer, key: &str, words: &str| {
        pen::write(buffer, inner, 0, y, key, theme.accent());
        pen::write(buffer, inner, 4, y, words, theme.text());
        y += 1;
    };
    if let Some(wc_id) = wc_id {
        let name = phone(state, &wc_id, usize::from(columns).saturating_sub(20));
        choice(buffer, "1", &tf(look.lang, "ui.stop_which.this", &[("account", &name)]));
    }
    let left = progress_words(state, look).unwrap_or_default();
    choice(buffer, "2", &tf(look.lang, "ui.stop_which.queue", &[("progress", &left)]));
    choice(buffer, "Esc", &t(look.lang, "ui.stop_which.neither"));
    for (line, y) in note.iter().zip(y + 1..) {
        pen::write(buffer, inner, 0, y, line, theme.dim());
    }
}
