//! The words of `--help` and of wrong uses, from the locale files: clap's own are in English only.
//!
//! A command's line is `cli.help.COMMAND.about`, an argument's `cli.help.COMMAND.ARGUMENT`, both with `_` for `-` and
//! for the blank between command and subcommand; what many commands share is `cli.help.common.ARGUMENT`.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command, CommandFactory};

use super::args::Cli;
use super::fail::Failure;
use crate::i18n::{Lang, t, tf};
use crate::model::text::clean;

/// The whole command line with its words in a language.
pub fn command(lang: Lang) -> Command {
    let version = Arg::new("version").short('V').long("version").action(ArgAction::Version);
    localise(Cli::command().arg(version), lang, "saoma")
}

fn localise(command: Command, lang: Lang, path: &str) -> Command {
    let words = |name: &str| -> String {
        let own = format!("cli.help.{path}.{name}");
        let text = t(lang, &own);
        if text == own { t(lang, &format!("cli.help.common.{name}")).into_owned() } else { text.into_owned() }
    };
    let heading = |key: &str| t(lang, &format!("cli.help.heading.{key}")).into_owned();
    let template =
        format!("{{about}}\n\n{}: {{usage}}\n\n{{all-args}}{{after-help}}\n", t(lang, "cli.help.heading.usage"));
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    let help = Arg::new("help").short('h').long("help").action(ArgAction::Help);
    let mut command = command
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .arg(help)
        .about(words("about"))
        .help_template(template)
        .subcommand_help_heading(heading("commands"))
        .subcommand_value_name(heading("command"))
        .mut_args(|arg| {
            let under = heading(if arg.is_positional() { "arguments" } else { "options" });
            let text = words(arg.get_id().as_str());
            let valued = arg.get_action().takes_values();
            // A command's own options first, in the order of `args`; what every command takes last.
            let shared = ["profile", "config", "json", "version", "help"];
            let arg = match shared.iter().position(|name| *name == arg.get_id().as_str()) {
                Some(at) => arg.display_order(900 + at),
                None => arg,
            };
            arg.help(text)
                .long_help(None::<&str>)
                .help_heading(under)
                .hide_default_value(valued)
                .hide_possible_values(valued)
        });
    if path == "saoma" {
        command = command.after_help(words("after"));
    }
    for name in names {
        let below = if path == "saoma" { name.clone() } else { format!("{path}_{name}") }.replace('-', "_");
        command = command.mut_subcommand(name, |sub| localise(sub, lang, &below));
    }
    command
}

/// A wrong use in words. `None` for what is no wrong use: help and version.
pub fn usage_failure(error: &clap::Error, lang: Lang) -> Option<Failure> {
    let get = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(", ")),
        Some(ContextValue::StyledStr(text)) => Some(text.to_string()),
        Some(ContextValue::StyledStrs(texts)) => {
            Some(texts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
        }
        _ => None,
    };
    let argument = get(ContextKind::InvalidArg).unwrap_or_default();
    let value = get(ContextKind::InvalidValue).unwrap_or_default();
    let say = |key: &str, values: &[(&str, &str)]| clean(&tf(lang, &format!("cli.usage.{key}"), values)).into_owned();
    let message = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            return None;
        }
        ErrorKind::UnknownArgument => say("unknown_argument", &[("argument", &argument)]),
        ErrorKind::InvalidSubcommand => {
            say("unknown_command", &[("command", &get(ContextKind::InvalidSubcommand).unwrap_or_default())])
        }
        ErrorKind::MissingRequiredArgument => say("missing", &[("argument", &argument)]),
        ErrorKind::ArgumentConflict => {
            let other = get(ContextKind::PriorArg).unwrap_or_default();
            say("conflict", &[("argument", &argument), ("other", &other)])
        }
        ErrorKind::InvalidValue if value.is_empty() => say("no_value", &[("argument", &argument)]),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            say("bad_value", &[("argument", &argument), ("value", &value)])
        }
        ErrorKind::MissingSubcommand => say("missing_command", &[]),
        ErrorKind::NoEquals | ErrorKind::TooManyValues | ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => {
            say("number", &[("argument", &argument)])
        }
        _ => clean(&error.kind().to_string()).into_owned(),
    };
    let near = get(ContextKind::SuggestedSubcommand)
        .or_else(|| get(ContextKind::SuggestedArg))
        .or_else(|| get(ContextKind::SuggestedValue));
    let valid = get(ContextKind::ValidValue).filter(|valid| !valid.is_empty());
    let source = std::error::Error::source(error).map(ToString::to_string);
    let hint = match (near, valid, source) {
        _ if argument.starts_with("--qr-layout") => t(lang, "config.rule.qr_layout").into_owned(),
        _ if argument.starts_with("--dialect") => t(lang, "config.rule.dialect").into_owned(),
        (Some(near), _, _) => tf(lang, "config.hint.near", &[("near", &near)]),
        (None, Some(valid), _) => tf(lang, "cli.usage.one_of", &[("values", &valid)]),
        (None, None, Some(source)) => clean(&source).into_owned(),
        (None, None, None) => t(lang, "cli.usage.help").into_owned(),
    };
    Some(Failure::usage(message).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(command: &Command, see: &mut impl FnMut(&str, String)) {
        see(command.get_name(), command.get_about().map(ToString::to_string).unwrap_or_default());
        for arg in command.get_arguments() {
            see(arg.get_id().as_str(), arg.get_help().map(ToString::to_string).unwrap_or_default());
        }
        for sub in command.get_subcommands() {
            walk(sub, see);
        }
    }

    #[test]
    fn every_command_and_argument_has_words_in_both_languages() {
        let mut words = Vec::new();
        for lang in [Lang::En, Lang::Zh] {
            let mut count = 0;
            walk(&command(lang), &mut |name, text| {
                assert!(!text.is_empty() && !text.starts_with("cli."), "{name}: {text:?} in {lang:?}");
                count += 1;
                words.push((lang, text));
            });
            assert!(count > 50, "{count}");
        }
        let chinese = |text: &str| text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
        for (lang, text) in words {
            assert_eq!(chinese(&text), lang == Lang::Zh, "{text}");
        }
    }

    #[test]
    fn the_command_line_is_sound() {
        command(Lang::En).debug_assert();
    }

    #[test]
    fn wrong_uses_have_words() {
        for (line, hint) in [
            (&["saoma", "stauts"][..], Some("status")),
            (&["saoma", "login", "--renwe", "3"], Some("--renew")),
            (&["saoma", "wid"], None),
            (&["saoma", "login", "--renew", "9"], None),
            (&["saoma", "login", "--ladder"], None),
            (&["saoma", "accounts", "--online", "--offline"], None),
            (&["saoma", "accounts", "--sort", "x"], Some("worst")),
            (&["saoma", "login", "--timeout", "soon"], Some("30s")),
        ] {
            let error = command(Lang::En).try_get_matches_from(line).unwrap_err();
            let failure = usage_failure(&error, Lang::En).unwrap();
            assert!(!failure.message.starts_with("cli."), "{line:?}: {}", failure.message);
            if let Some(part) = hint {
                assert!(failure.hint.as_deref().unwrap().contains(part), "{line:?}: {failure:?}");
            }
        }
        let help = command(Lang::En).try_get_matches_from(["saoma", "--help"]).unwrap_err();
        assert_eq!(usage_failure(&help, Lang::En), None);
    }
}
