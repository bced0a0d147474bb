//! The form of what people set of an account.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Look, pen, popups};
use crate::app::State;
use crate::app::edit::{EditForm, Line};
use crate::i18n::{t, tf};
use crate::model::text::{clean, fit, width};

/// Draws the form in the middle of the screen.
pub(super) fn draw(state: &State, look: &Look, buffer: &mut Buffer, screen: Rect, form: &EditForm) {
    let theme = look.theme;
    let say = |key: &str| t(look.lang, key).into_owned();
    let name = state.name_of("", Some(&form.wc_id));
    let title = tf(look.lang, "ui.edit.title", &[("account", &clean(&name))]);
    // A line each, a gap before the device where there is room, a gap and what is wrong or which keys there are.
    let count = pen::columns(form.len());
    let room = screen.height.saturating_sub(2);
    let split = u16::from(form.has_device() && room >= count + 4) * 2;
    let foot = if room >= count + split + 3 { 3 } else { u16::from(room > 1) };
    let inner = popups::dialog(look, buffer, screen, &title, 56, count + split + foot);
    let rows = inner.height.saturating_sub(foot);
    let labels = form.lines().map(|(line, ..)| width(&say(line.key()))).max().unwrap_or(0);
    let label_width = labels.min(usize::from(inner.width / 2));
    // Where not all lines have room, the one under the hand has.
    let top = (form.at() + 1).saturating_sub(usize::from(rows).max(1));
    let mut y = 0;
    for (line, field, here) in form.lines().skip(top) {
        if line == Line::DeviceType && split > 0 {
            let words = fit("", usize::from(inner.width));
            pen::write(buffer, inner, 0, y, &words, theme.text());
            pen::write(buffer, inner, 2, y + 1, &say("ui.edit.device"), theme.dim());
            y += split;
        }
        if y >= rows {
            break;
        }
        if here {
            pen::write(buffer, inner, 0, y, "▸", theme.accent());
        }
        let label = say(line.key());
        pen::write(buffer, inner, 2, y, &label, if here { theme.strong() } else { theme.dim() });
        let x = pen::columns(2 + label_width + 2).min(inner.width);
        let value = Rect::new(inner.x + x, inner.y, inner.width - x, rows);
        let masked = line == Line::ProxyPassword;
        if here || masked {
            pen::field(buffer, value, y, field.halves(), masked, here, theme.text());
        } else {
            // Without a hand in it a text is seen from its beginning.
            pen::write(buffer, value, 0, y, &clean(field.text()), theme.text());
        }
        if let Some(hint) = hint(form, line).filter(|_| field.text().is_empty()) {
            // Behind the cursor, so that it is seen where the hand is.
            let behind = u16::from(here) * 2;
            pen::write(buffer, value, behind, y, &say(hint), theme.dim());
        }
        y += 1;
    }
    if foot == 0 {
        return;
    }
    let last = inner.height - 1;
    let wrong = form.wrong.map(|key| format!("! {}", say(key)));
    if let Some(wrong) = &wrong {
        pen::write(buffer, inner, 0, if foot > 1 { last - 1 } else { last }, wrong, theme.bad());
    }
    if foot > 1 || wrong.is_none() {
        pen::write(buffer, inner, 0, last, &say("ui.edit.keys"), theme.dim());
    }
}

/// What an empty line may hold, where that is not plain from its name.
fn hint(form: &EditForm, line: Line) -> Option<&'static str> {
    match line {
        Line::Tags => Some("ui.edit.hint_tags"),
        Line::DeviceType => Some("ui.edit.hint_device"),
        Line::Proxy => Some("ui.edit.hint_proxy"),
        Line::ProxyPassword if form.keeps_password() => Some("ui.edit.hint_password"),
        Line::Holder | Line::Note | Line::ProxyUser | Line::ProxyPassword | Line::Aid | Line::Ttuid => None,
    }
}
