//! The selected row's open login: whose phone, time left, rungs, what to do, the code.

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::account::paragraph;
use super::code::Form;
use super::{Look, clock, code, conveyor, pen, rungs, spinner};
use crate::app::drawing::Drawing;
use crate::app::logins::{Login, RungState, Stage};
use crate::app::state::Pane;
use crate::app::{Action, Code, State};
use crate::i18n::{t, tf};
use crate::model::Rung;
use crate::model::text::{clean, width, wrap};
use crate::qr::render::picture::Picture;
use crate::qr::render::{Layout, Missing};

/// Rows above the code at most: title, rungs, reason or next step.
const ROWS_ABOVE: u16 = 3;

/// Whose phone it is about: the account, and its holder where one is known.
fn whose(state: &State, look: &Look, login: &Login, room: usize) -> String {
    match &login.wc_id {
        Some(wc_id) => conveyor::phone(state, wc_id, room),
        None => t(look.lang, "ui.login.any_phone").into_owned(),
    }
}

/// How far the conveyor is, if the login is one of its.
fn progress(state: &State, login: &Login) -> String {
    login
        .wc_id
        .as_ref()
        .filter(|wc_id| state.conveyor.has(wc_id))
        .and_then(|_| conveyor::progress(state))
        .unwrap_or_default()
}

fn time_left(look: &Look, login: &Login) -> Option<String> {
    login.deadline.and_then(|deadline| clock::left(deadline, look.now.wall))
}

/// Draws the login pane. Gives the picture that belongs over it, if one does.
pub(super) fn draw(
    state: &State,
    look: &Look,
    buffer: &mut Buffer,
    area: Rect,
    boxed: bool,
    login: &Login,
) -> Option<Picture> {
    let theme = look.theme;
    let left = time_left(look, login).unwrap_or_default();
    let focused = state.focus == Pane::Login;
    let progress = progress(state, login);
    let gap = if progress.is_empty() || left.is_empty() { "" } else { "  " };
    let right = [(progress.as_str(), theme.dim()), (gap, theme.text()), (left.as_str(), theme.strong())];
    let room = usize::from(area.width.saturating_sub(pen::spans_width(&right) + if boxed { 7 } else { 4 }));
    let inner = pen::titled(buffer, area, theme, &whose(state, look, login, room), &right, focused, boxed);
    if let Some(shown) = login.code(look.now.wall) {
        let form = form(state, look, buffer, inner, login, shown)?;
        // Title and rule are the first of the rows above; the others give way to a larger code. Where there is room,
        // each rung has a row and its reason.
        let rungs = rungs::count(login);
        let roomy = code::fit_below(state, shown, inner, rungs + 1, form).ok().filter(|(_, above)| *above == rungs + 1);
        let fitted = match roomy {
            Some(fitted) if rungs > 0 => Ok(fitted),
            _ => code::fit_below(state, shown, inner, ROWS_ABOVE - 1, form),
        };
        return match fitted {
            Ok((place, above)) => {
                if above > 2 {
                    rungs::rows(look, buffer, inner, 0, login);
                } else if above == 2 {
                    rungs::row(look, buffer, inner, 0, login);
                }
                if above >= 1 {
                    pen::write(
                        buffer,
                        inner,
                        0,
                        above - 1,
                        &one_line(state, look, login, inner.width, above > 2),
                        theme.text(),
                    );
                }
                let rest = Rect::new(inner.x, inner.y + above, inner.width, inner.height - above);
                code::draw(state, buffer, rest, shown, place)
            }
            Err(missing) => {
                too_small(state, look, buffer, inner, shown, Some(form), missing);
                None
            }
        };
    }
    let y = if rungs::count(login) > 0 && inner.height >= 9 {
        rungs::whole(look, buffer, inner, 0, login) + 1
    } else {
        rungs::row(look, buffer, inner, 0, login);
        let why = rungs::instead(look, login, usize::from(inner.width));
        let y = why.map_or(1, |why| paragraph(buffer, inner, 1, &why, theme.dim()));
        y + u16::from(inner.height >= 6)
    };
    waiting(state, look, buffer, inner, y, login);
    None
}

/// The one row between the rungs and the code: a broken line, else why the last rung failed, else what to do.
fn one_line(state: &State, look: &Look, login: &Login, columns: u16, told: bool) -> String {
    if let Some(retry) = login.broken {
        let time = clock::seconds(retry, state.offset_seconds);
        return tf(look.lang, "ui.login.broken", &[("time", &time)]);
    }
    if state.invert {
        return t(look.lang, "ui.login.inverted").into_owned();
    }
    if let Some(failed) = rungs::instead(look, login, usize::from(columns)).filter(|_| !told) {
        return failed;
    }
    t(look.lang, "ui.login.scan").into_owned()
}

/// The pane of a login that shows no code: what it waits for.
fn waiting(state: &State, look: &Look, buffer: &mut Buffer, area: Rect, y: u16, login: &Login) {
    let theme = look.theme;
    let say = |key: &str| t(look.lang, key).into_owned();
    let over = login.deadline.is_some_and(|deadline| deadline <= look.now.wall);
    let words = login.words.as_ref().map(|said| clean(said.text())).unwrap_or_default();
    match &login.stage {
        Stage::Wished | Stage::Requesting | Stage::Renewing | Stage::Checking => {
            let key = match (&login.stage, login.rung(Rung::QrLogin)) {
                (Stage::Renewing, _) => "ui.login.renewing",
                (Stage::Checking, _) => "ui.login.checking",
                (_, RungState::Running) => "ui.login.asking_code",
                _ if login.rung(Rung::SecondLogin) == &RungState::Running => "ui.login.asking_phone",
                _ => "ui.login.asking",
            };
            let x = pen::write(buffer, area, 0, y, spinner(look.now), theme.accent());
            let rest =
                Rect::new(area.x + (x + 1).min(area.width), area.y, area.width.saturating_sub(x + 1), area.height);
            paragraph(buffer, rest, y, &say(key), theme.text());
        }
        Stage::Token { .. } => {
            let y = paragraph(buffer, area, y, &say("ui.login.token"), theme.doubt());
            let key = state.keymap.label(Action::SignIn).unwrap_or_default();
            paragraph(buffer, area, y, &tf(look.lang, "ui.login.token_more", &[("key", &key)]), theme.dim());
        }
        Stage::Resumed => {
            let y = paragraph(buffer, area, y, &say("ui.login.resumed"), theme.strong());
            paragraph(buffer, area, y, &say("ui.login.resumed_more"), theme.dim());
        }
        Stage::Dialog => {
            let y = paragraph(buffer, area, y, &say("ui.login.dialog"), theme.strong());
            paragraph(buffer, area, y, &say("ui.login.dialog_more"), theme.dim());
        }
        Stage::Scan if over => {
            paragraph(buffer, area, y, &say("ui.login.over"), theme.text());
        }
        Stage::NoPicture => {
            let y = paragraph(buffer, area, y, &say("reason.image_failed"), theme.doubt());
            paragraph(buffer, area, y, &say("ui.login.no_picture_more"), theme.dim());
        }
        Stage::Scanned => {
            let y = paragraph(buffer, area, y, &say("ui.login.scanned"), theme.strong());
            paragraph(buffer, area, y, &say("ui.login.scanned_more"), theme.dim());
        }
        Stage::Verify { field, again, .. } => {
            let y = if *again { paragraph(buffer, area, y, &say("ui.login.verify_again"), theme.doubt()) } else { y };
            let y = paragraph(buffer, area, y, &say("ui.login.verify"), theme.strong());
            let y = paragraph(buffer, area, y, &words, theme.dim()) + 1;
            let x = pen::write(buffer, area, 0, y, &say("ui.login.verify_field"), theme.dim()) + 1;
            let rest = Rect::new(area.x + x.min(area.width), area.y, area.width.saturating_sub(x), area.height);
            pen::field(buffer, rest, y, field.halves(), false, state.verifying(), theme.strong());
            let key = if state.verifying() { "ui.login.verify_send" } else { "ui.login.verify_focus" };
            paragraph(buffer, area, y + 2, &say(key), theme.dim());
        }
        Stage::Device { url } => {
            let y = paragraph(buffer, area, y, &say("ui.login.device"), theme.strong()) + 1;
            let y = paragraph(buffer, area, y, &clean(url), theme.text()) + 1;
            let key = state.keymap.label(Action::CopyWId).unwrap_or_default();
            paragraph(buffer, area, y, &tf(look.lang, "ui.login.device_copy", &[("key", &key)]), theme.dim());
        }
        Stage::Scan | Stage::Ended(_) => {}
    }
    if let Some(retry) = login.broken {
        let time = clock::seconds(retry, state.offset_seconds);
        let text = tf(look.lang, "ui.login.broken", &[("time", &time)]);
        pen::write(buffer, area, 0, area.height.saturating_sub(1), &text, theme.doubt());
    }
}

/// The form to draw a code in; where it is not to be drawn, writes what there is instead.
fn form(state: &State, look: &Look, buffer: &mut Buffer, area: Rect, login: &Login, shown: &Arc<Code>) -> Option<Form> {
    let theme = look.theme;
    if state.popup.is_some() {
        // What lies over the panes would cut it, and a piece of a code looks like one.
        paragraph(buffer, area, 0, &t(look.lang, "ui.login.hidden"), theme.dim());
        return None;
    }
    let key = || state.keymap.label(Action::NextLayout).unwrap_or_default();
    match state.drawing(login, shown, area.width, area.height) {
        Drawing::Cells(layout) => return Some(Form::Cells(layout)),
        Drawing::Picture { protocol, cell } => return Some(Form::Picture(protocol, cell)),
        Drawing::Asks => {
            paragraph(buffer, area, 0, &tf(look.lang, "ui.login.text_asks", &[("key", &key())]), theme.text());
        }
        Drawing::Text => {
            let payload = login.payload(look.now.wall)?;
            let note = tf(look.lang, "ui.login.text", &[("key", &key())]);
            let rows = pen::columns(wrap(&note, usize::from(area.width).max(1)).len()) + 1;
            // The words give way to the text.
            let below = |rows: u16| {
                let rows = rows.min(area.height);
                Rect::new(area.x, area.y + rows, area.width, area.height - rows)
            };
            if code::text(buffer, below(rows), payload, theme.strong()).is_ok() {
                paragraph(buffer, area, 0, &note, theme.doubt());
            } else if let Err(missing) = code::text(buffer, area, payload, theme.strong()) {
                too_small(state, look, buffer, area, shown, None, missing);
            }
        }
    }
    None
}

/// Says how much room is missing for a code in this form, or as text, and which key helps.
fn too_small(
    state: &State,
    look: &Look,
    buffer: &mut Buffer,
    area: Rect,
    shown: &Code,
    form: Option<Form>,
    here: Missing,
) {
    let screen = Rect::new(0, 0, state.size.0, state.size.1);
    let fits = |form| code::fit(state, shown, screen, form);
    let mut helps = Vec::new();
    let mut missing = here;
    if let Some(form) = form {
        let whole = fits(form);
        // What a larger window would have to bring: against the whole screen, which the code may take.
        missing = whole.err().unwrap_or(here);
        let half = Form::Cells(Layout::Half);
        if whole.is_ok() && !state.shows_full_screen() {
            helps.push(("ui.login.full_screen_helps", Action::FullScreen));
        } else if form != half && !state.terminal.lacks_block() && fits(half).is_ok() {
            helps.push(("ui.login.layout_helps", Action::NextLayout));
        }
    }
    let numbers = [("columns", missing.columns.to_string()), ("rows", missing.rows.to_string())];
    let values: Vec<(&str, &str)> = numbers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let key = match (missing.columns, missing.rows) {
        (0, _) => "ui.login.missing_rows",
        (_, 0) => "ui.login.missing_columns",
        _ => "ui.login.missing_both",
    };
    // Half blocks would have had room: what is in the way is not the window.
    let half = fits(Form::Cells(Layout::Half)).is_ok();
    let cause = match (half, state.terminal.utf8, state.terminal.dumb) {
        (true, false, true) => Some("ui.login.dumb_term"),
        (true, false, false) => Some("ui.login.not_utf8"),
        (false, ..) | (true, true, _) => None,
    };
    let told = cause.map_or_else(|| tf(look.lang, key, &values), |cause| t(look.lang, cause).into_owned());
    let mut y = paragraph(buffer, area, 0, &told, look.theme.doubt());
    if helps.is_empty() {
        helps.push(("ui.login.text_helps", Action::NextLayout));
    }
    for (key, action) in helps {
        let label = state.keymap.label(action).unwrap_or_default();
        y = paragraph(buffer, area, y, &tf(look.lang, key, &[("key", &label)]), look.theme.text());
    }
    if cause.is_none() {
        paragraph(buffer, area, y, &t(look.lang, "ui.login.window_helps"), look.theme.text());
    }
}

/// Draws the code on the whole screen with one line, or with none where the code needs all rows. Gives the picture that
/// belongs over it, if one does.
pub(super) fn full_screen(
    state: &State,
    look: &Look,
    buffer: &mut Buffer,
    area: Rect,
    login: &Login,
) -> Option<Picture> {
    let theme = look.theme;
    let Some(shown) = login.code(look.now.wall) else {
        return draw(state, look, buffer, area, false, login);
    };
    let mut picture = None;
    let below = Rect::new(area.x, area.y + area.height.min(1), area.width, area.height.saturating_sub(1));
    if let Some(form) = form(state, look, buffer, below, login, shown) {
        match code::fit_below(state, shown, area, 1, form) {
            Ok((place, 0)) => return code::draw(state, buffer, area, shown, place),
            Ok((place, _)) => {
                let spare = below.height.saturating_sub(place.rows()) / 2;
                let rest = Rect::new(below.x, below.y + spare, below.width, below.height - spare);
                picture = code::draw(state, buffer, rest, shown, place);
            }
            Err(missing) => too_small(state, look, buffer, below, shown, Some(form), missing),
        }
    }
    let left = time_left(look, login).unwrap_or_default();
    let right = pen::columns(width(&left));
    let x = area.width.saturating_sub(right);
    pen::write(buffer, area, x, 0, &left, theme.strong());
    // On the conveyor nobody looks for what is said in passing: whose phone is wanted comes first.
    let in_passing = |error: bool| !error && state.conveyor.follows();
    if let Some((message, error)) = super::hints::message(state, look).filter(|(_, error)| !in_passing(*error)) {
        // The one line that is no code's: what has to be said goes before whose code it is.
        let message = crate::model::text::cut(&message, usize::from(x.saturating_sub(1))).into_owned();
        pen::write(buffer, area, 0, 0, &message, if error { theme.doubt() } else { theme.strong() });
        return picture;
    }
    let key = if state.full_screen { Action::FullScreen } else { Action::Close };
    let back = format!("{} {}", state.keymap.label(key).unwrap_or_default(), t(look.lang, &Action::Close.hint_key()));
    let progress = progress(state, login);
    let start = pen::write(buffer, area, 0, 0, &progress, theme.text());
    let start = if start > 0 { start + 1 } else { 0 };
    let whose = whose(state, look, login, usize::from(x.saturating_sub(start + 1)));
    let end = pen::write(buffer, area, start, 0, &whose, theme.strong());
    if usize::from(end) + 2 + width(&back) + 2 <= usize::from(x) {
        pen::write(buffer, area, end + 2, 0, &back, theme.dim());
    }
    picture
}
