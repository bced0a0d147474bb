//! The sign-in form.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::account::paragraph;
use super::{Look, pen, spinner};
use crate::app::field::Field;
use crate::app::sign_in::{Line, SignIn};
use crate::i18n::t;
use crate::model::Dialect;
use crate::model::text::{width, wrap};

/// Draws the form in the middle of the screen.
pub(super) fn draw(look: &Look, buffer: &mut Buffer, screen: Rect, form: &SignIn) {
    let theme = look.theme;
    let say = |key: &str| t(look.lang, key).into_owned();
    let columns = screen.width.saturating_sub(4).min(60);
    let words = if form.dialect == Dialect::V1 { "ui.sign_in.words_v1" } else { "ui.sign_in.words" };
    let intro = wrap(&say(words), usize::from(columns).max(2));
    let lines = form.lines();
    // Words, a gap, a line each with a gap where there is room, what is wrong, the keys.
    let roomy = usize::from(screen.height) >= intro.len() + lines.len() * 2 + 6;
    let brief = usize::from(screen.height) < intro.len() + lines.len() + 5;
    let step = if roomy { 2 } else { 1 };
    let intro_rows = if brief { 0 } else { intro.len() + 1 };
    let rows = intro_rows + lines.len() * step + 3;
    let place = pen::centred(screen, columns + 4, pen::columns(rows + 2));
    pen::clear(buffer, screen);
    let inner = pen::titled(buffer, place, theme, &say("ui.sign_in.title"), &[], true, place.width >= 24);
    if !brief {
        for (line, y) in intro.iter().zip(0..) {
            pen::write(buffer, inner, 0, y, line, theme.dim());
        }
    }
    let mut y = pen::columns(intro_rows);
    let labels = ["gateway", "dialect", "account", "password", "keep"];
    let label_width = labels.iter().map(|label| width(&say(&format!("ui.sign_in.{label}")))).max().unwrap_or(0).min(24);
    for line in lines {
        let here = form.line == *line && form.waiting.is_none();
        let label = match line {
            Line::Gateway => "ui.sign_in.gateway",
            Line::Dialect => "ui.sign_in.dialect",
            Line::Account => "ui.sign_in.account",
            Line::Password => "ui.sign_in.password",
            Line::Keep => "ui.sign_in.keep",
        };
        if here {
            pen::write(buffer, inner, 0, y, "▸", theme.accent());
        }
        pen::write(buffer, inner, 2, y, &say(label), if here { theme.strong() } else { theme.dim() });
        let x = pen::columns(2 + label_width + 2).min(inner.width);
        let value = Rect::new(inner.x + x, inner.y, inner.width - x, inner.height);
        let field = |buffer: &mut Buffer, field: &Field, masked: bool| {
            pen::field(buffer, value, y, field.halves(), masked, here, theme.text());
        };
        match line {
            Line::Gateway => field(buffer, &form.gateway, false),
            Line::Account => field(buffer, &form.account, false),
            Line::Password => field(buffer, &form.password, true),
            Line::Dialect if value.width < 24 => {
                pen::write(buffer, value, 0, y, &format!("‹ {} ›", form.dialect.name()), theme.text());
            }
            Line::Dialect => {
                let mut x = 0;
                for dialect in [Dialect::V1, Dialect::V2, Dialect::V3] {
                    let chosen = form.dialect == dialect;
                    let mark = if chosen { "(•) " } else { "( ) " };
                    let style = if chosen { theme.strong() } else { theme.dim() };
                    x = pen::write(buffer, value, x, y, mark, style);
                    x = pen::write(buffer, value, x, y, dialect.name(), style) + 2;
                }
            }
            Line::Keep => {
                let (mark, word) =
                    if form.keep { ("[x] ", "ui.sign_in.keep_yes") } else { ("[ ] ", "ui.sign_in.keep_no") };
                let x = pen::write(buffer, value, 0, y, mark, theme.text());
                pen::write(buffer, value, x, y, &say(word), theme.text());
            }
        }
        y += pen::columns(step);
    }
    let below = Rect::new(inner.x, inner.y, inner.width, inner.height.saturating_sub(1));
    if form.waiting.is_some() {
        let text = format!("{} {}", spinner(look.now), say("ui.sign_in.waiting"));
        pen::write(buffer, below, 0, y, &text, theme.text());
    } else if let Some(wrong) = form.wrong {
        paragraph(buffer, below, y, &format!("! {}", say(wrong.key)), theme.bad());
    } else if let Some(failed) = &form.failed {
        paragraph(buffer, below, y, &format!("! {failed}"), theme.bad());
    }
    let keys = say(if form.closable { "ui.sign_in.keys_close" } else { "ui.sign_in.keys" });
    pen::write(buffer, inner, 0, inner.height.saturating_sub(1), &keys, theme.dim());
}
