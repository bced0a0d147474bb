//! `saoma history`: what happened, and what follows from it in figures; drawn, not only listed.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::args::HistoryArgs;
use super::context::{Context, local, now};
use super::exit::Exit;
use super::fail::{Failure, reason_words};
use super::resolve::{self, Asked};
use super::{out, table};
use crate::config::Profile;
use crate::engine::api::{Figures, History, HistoryLine};
use crate::engine::history;
use crate::engine::past::Past;
use crate::i18n::t;
use crate::model::text::{clean, fit, width};
use crate::model::{Account, Presence, Stamp, WcId, to_ms};

/// Lines without `--limit`.
const LINES: u32 = 50;
/// How far back they go without `--since`.
const SINCE_MS: i64 = 7 * 24 * 3_600_000;
/// The names of the spans of [`history::SPANS_MS`].
const SPANS: [&str; 3] = ["24h", "7d", "30d"];
/// Columns of a drawn bar.
const BAR: u32 = 24;
/// The fleet's online count as heights.
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Runs the command.
pub async fn run(context: &Context, args: &HistoryArgs) -> Result<Exit, Failure> {
    let profile = context.profile()?;
    let store = context.store(&profile).await?;
    let done = async {
        let accounts = context.accounts(&store).await?;
        let asked = Asked::one(args.account.as_ref(), args.name.as_ref());
        let account = if asked.is_empty() { None } else { Some(resolve::resolve_one(context, &accounts, asked)?) };
        let (at, limit) = (now(), args.limit.unwrap_or(LINES));
        let back = args.since.map_or(SINCE_MS, to_ms);
        let since = Stamp(at.0.saturating_sub(back));
        let wc_id = account.as_ref().map(|account| account.wc_id.clone());
        let past = Past::read(&store, wc_id.as_ref(), since, limit, at)
            .await
            .map_err(|error| Failure::store(context.lang, &error))?;
        let name =
            |wc_id: &WcId| accounts.iter().find(|account| account.wc_id == *wc_id).map(|account| account.name().into());
        let told = history::history(wc_id, past, name, at);
        if context.json {
            return out::object(object(context, &profile, account.as_ref(), &told));
        }
        show(context, account.as_ref(), accounts.len(), &told, since, limit)
    };
    let done = done.await;
    store.close().await;
    done.map(|()| Exit::Done)
}

fn object(
    context: &Context,
    profile: &Profile,
    account: Option<&Account>,
    history: &History,
) -> serde_json::Map<String, Value> {
    let mut map = context.object(profile, "history");
    map.insert("wc_id".into(), json!(history.wc_id));
    map.insert("account".into(), json!(account.map(Account::name)));
    let figures = SPANS.iter().zip(&history.figures).map(|(span, figures)| {
        json!({
            "span": span,
            "uptime": figures.uptime(),
            "online_ms": figures.online_ms,
            "known_ms": figures.known_ms,
            "drops": figures.drops,
            "between_drops_ms": figures.between_drops_ms(),
        })
    });
    map.insert("figures".into(), figures.collect());
    match account {
        Some(_) => map.insert("strip".into(), json!(history.strip.0)),
        None => map.insert("online".into(), json!(history.online)),
    };
    let lines = history.lines.iter().map(|line| {
        json!({
            "at": line.at.rfc3339(),
            "wc_id": line.wc_id,
            "account": line.account,
            "event": line.event,
            "cause": line.cause,
            "reason": line.reason,
            "gateway_message": line.gateway_message,
            "w_id": line.w_id,
        })
    });
    map.insert("lines".into(), lines.collect());
    map
}

fn show(
    context: &Context,
    account: Option<&Account>,
    count: usize,
    history: &History,
    since: Stamp,
    limit: u32,
) -> Result<(), Failure> {
    let mut text = match account {
        Some(account) => resolve::label(account),
        None => context.tf("cli.history.fleet", &[("count", &count.to_string())]),
    };
    text.push('\n');
    text.push_str(&drawn_figures(context, &history.figures, account.is_some()));
    match account {
        Some(_) => text.push_str(&drawn_strip(context, &history.strip.0)),
        None => text.push_str(&drawn_online(context, &history.online)),
    }
    if !history.lines.is_empty() {
        text.push('\n');
        text.push_str(&listed(context, &history.lines, account.is_none()));
    }
    out::data(&text)?;
    if history.lines.is_empty() {
        let since = local(since, "%Y-%m-%d %H:%M");
        out::say(&context.tf("cli.history.none", &[("since", &since)]));
    } else if u32::try_from(history.lines.len()).is_ok_and(|lines| lines >= limit) {
        out::say(&context.tf("cli.history.cut", &[("count", &limit.to_string())]));
    }
    Ok(())
}

/// A line for each span: a bar and what it says in words. For how long anything is known is told of one account only:
/// the sum over many is longer than the span.
fn drawn_figures(context: &Context, figures: &[Figures; 3], of_one: bool) -> String {
    let names = SPANS.map(|span| context.t(&format!("cli.history.span.{span}")));
    let column = names.iter().map(|name| width(name)).max().unwrap_or(0);
    let mut text = String::new();
    for (name, figures) in names.iter().zip(figures) {
        let Some(uptime) = figures.uptime() else {
            let _ = writeln!(text, "  {}  [{}]  {}", fit(name, column), bar(0.0), context.t("cli.history.unknown"));
            continue;
        };
        let mut words = vec![
            context.tf("cli.history.uptime", &[("percent", &percent(uptime))]),
            context.tf("cli.history.drops", &[("count", &figures.drops.to_string())]),
        ];
        if let Some(between) = figures.between_drops_ms() {
            words.push(context.tf("cli.history.between", &[("time", &long(context, between))]));
        }
        if of_one {
            words.push(context.tf("cli.history.known", &[("time", &long(context, figures.known_ms))]));
        }
        let _ = writeln!(text, "  {}  [{}]  {}", fit(name, column), bar(uptime), words.join("  "));
    }
    text
}

/// A part of one as a bar; whole only if the part is.
fn bar(part: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to BAR")]
    let full = (part.clamp(0.0, 1.0) * f64::from(BAR)).floor() as usize;
    let rest = (BAR as usize).saturating_sub(full);
    format!("{}{}", "#".repeat(full), "-".repeat(rest))
}

/// A part of one in percent with one digit: 100.0 only if it is, so that a drop of a minute shows.
fn percent(part: f64) -> String {
    let percent = part * 100.0;
    format!("{:.1}", if part < 1.0 { percent.min(99.9) } else { percent })
}

/// A stretch of time for people, in its two largest units.
fn long(context: &Context, ms: i64) -> String {
    let minutes = ms / 60_000;
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    let (key, values) = match (days, hours) {
        (0, 0) => ("minutes", [("minutes", minutes), ("hours", 0)]),
        (0, _) => ("hours", [("hours", hours), ("minutes", minutes)]),
        _ => ("days", [("days", days), ("hours", hours)]),
    };
    let values = values.map(|(name, value)| (name, value.to_string()));
    let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
    context.tf(&format!("cli.history.time.{key}"), &values)
}

const fn mark(presence: Presence) -> char {
    match presence {
        Presence::Online => '#',
        Presence::Offline => '!',
        Presence::Unknown => '.',
    }
}

fn drawn_strip(context: &Context, strip: &[Presence]) -> String {
    let marks: String = strip.iter().map(|presence| mark(*presence)).collect();
    let legend = [Presence::Online, Presence::Offline, Presence::Unknown]
        .map(|presence| (presence.name(), mark(presence).to_string()));
    let legend = legend.each_ref().map(|(name, mark)| (*name, mark.as_str()));
    let (title, legend) = (context.t("cli.history.strip"), context.tf("cli.history.legend", &legend));
    format!("  [{marks}]  {title}: {legend}\n")
}

fn drawn_online(context: &Context, online: &[u32]) -> String {
    let (Some(least), Some(most), Some(now)) = (online.iter().min(), online.iter().max(), online.last()) else {
        return String::new();
    };
    let top = u32::try_from(HEIGHTS.len() - 1).unwrap_or(0);
    let height = |count: &u32| count.saturating_mul(top).checked_div(*most).unwrap_or(0);
    let drawn: String = online.iter().filter_map(|count| HEIGHTS.get(height(count) as usize)).collect();
    let values = [("least", least.to_string()), ("most", most.to_string()), ("now", now.to_string())];
    let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
    format!("  {}\n  {drawn}\n", context.tf("cli.history.online", &values))
}

/// Words behind a key, or what it is called by itself: a newer saoma may have written words that this one has not.
fn named(context: &Context, table: &str, name: &str) -> String {
    let key = format!("cli.history.{table}.{name}");
    let words = t(context.lang, &key);
    if words == key { clean(name).into_owned() } else { words.into_owned() }
}

fn listed(context: &Context, lines: &[HistoryLine], whose: bool) -> String {
    let heads = ["time", "account", "event", "cause", "reason", "w_id"];
    let kept = |head: &&str| whose || *head != "account";
    let heads: Vec<String> =
        heads.iter().filter(|head| kept(head)).map(|head| context.t(&format!("cli.history.head.{head}"))).collect();
    let rows: Vec<Vec<String>> = lines
        .iter()
        .map(|line| {
            let reason = match (line.reason, line.gateway_message.as_deref()) {
                // The event has said it already.
                (Some(reason), None) if reason.code() == &*line.event => String::new(),
                (Some(reason), message) => reason_words(context.lang, reason, message),
                (None, message) => message.unwrap_or_default().to_owned(),
            };
            let mut row = vec![local(line.at, "%Y-%m-%d %H:%M:%S")];
            row.extend(whose.then(|| line.account.to_string()));
            row.extend([
                named(context, "event", &line.event),
                line.cause.as_deref().map(|cause| named(context, "cause", cause)).unwrap_or_default(),
                reason,
                line.w_id.as_ref().map(ToString::to_string).unwrap_or_default(),
            ]);
            row
        })
        .collect();
    table::table(&heads.iter().map(String::as_str).collect::<Vec<_>>(), &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_and_a_percentage_are_whole_only_if_all_was_online() {
        assert_eq!(bar(1.0), "#".repeat(24));
        assert_eq!(bar(0.0), "-".repeat(24));
        assert_eq!(bar(0.9999), format!("{}-", "#".repeat(23)));
        assert_eq!(bar(0.5), format!("{}{}", "#".repeat(12), "-".repeat(12)));
        assert_eq!((percent(1.0), percent(0.99999), percent(0.5)), ("100.0".into(), "99.9".into(), "50.0".into()));
    }
}
