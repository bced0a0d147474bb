//! `saoma man`: the manual page, from the tables that the program itself uses: command line, keys, exit codes.

use clap::{Arg, Command};
use roff::{Inline, Roff, bold, italic, roman};

use super::exit::Exit;
use super::fail::Failure;
use super::{help, out};
use crate::action::TABLE;
use crate::config::keymap::Keymap;
use crate::i18n::{Lang, t};

/// Files and folders; the words are `cli.man.file.<name>`.
const FILES: [(&str, &str); 5] = [
    ("$XDG_CONFIG_HOME/saoma/config.toml", "config"),
    ("$XDG_STATE_HOME/saoma/credentials.toml", "credentials"),
    ("$XDG_STATE_HOME/saoma/saoma.db", "database"),
    ("$XDG_STATE_HOME/saoma/saoma.db.owners/", "owners"),
    ("$XDG_STATE_HOME/saoma/saoma.log", "log"),
];

/// Environment variables; the words are `cli.man.variable.<name>`.
const VARIABLES: [(&str, &str); 8] = [
    ("SAOMA_GATEWAY, SAOMA_DIALECT, SAOMA_ACCOUNT", "profile"),
    ("SAOMA_TOKEN", "token"),
    ("SAOMA_PASSWORD", "password"),
    ("SAOMA_DATABASE_URL", "database"),
    ("SAOMA_CONFIG", "config"),
    ("SAOMA_LANG", "lang"),
    ("SAOMA_LOG", "log"),
    ("NO_COLOR", "no_color"),
];

/// Prints the page in a language.
pub fn run(lang: Lang) -> Result<Exit, Failure> {
    out::data(&page(lang)).map(|()| Exit::Done)
}

/// The page as roff.
pub fn page(lang: Lang) -> String {
    let words = |key: &str| t(lang, &format!("cli.man.{key}")).into_owned();
    let mut roff = Roff::new();
    let mut command = help::command(lang);
    command.build();
    let version = concat!("saoma ", env!("CARGO_PKG_VERSION"));
    // A blank date: the page is that of a version.
    roff.control("TH", ["saoma", "1", " ", version]);
    roff.control("nh", []).control("ad", ["l"]);
    section(&mut roff, &words("heading.name"));
    roff.text([roman(format!("saoma - {}", about(&command)))]);
    section(&mut roff, &words("heading.synopsis"));
    roff.text(usage(&command, "saoma"));
    section(&mut roff, &words("heading.description"));
    for paragraph in words("description").lines() {
        roff.text([roman(paragraph)]).control("PP", []);
    }
    section(&mut roff, &words("heading.options"));
    arguments(&mut roff, &command, true);
    section(&mut roff, &words("heading.commands"));
    for sub in command.get_subcommands() {
        describe(&mut roff, sub, &format!("saoma {}", sub.get_name()));
    }
    section(&mut roff, &words("heading.keys"));
    let keymap = Keymap::default();
    for info in TABLE {
        let doc = t(lang, &info.action.doc_key());
        item(&mut roff, [bold(keymap.labels(info.action)), roman(format!("  {}", info.action.id()))], &doc);
    }
    section(&mut roff, &words("heading.exit"));
    for exit in Exit::ALL {
        let code = exit.code().to_string();
        item(&mut roff, [bold(code.clone())], &words(&format!("exit.code_{code}")));
    }
    section(&mut roff, &words("heading.files"));
    for (path, name) in FILES {
        item(&mut roff, [italic(path)], &words(&format!("file.{name}")));
    }
    section(&mut roff, &words("heading.environment"));
    for (variable, name) in VARIABLES {
        item(&mut roff, [bold(variable)], &words(&format!("variable.{name}")));
    }
    // Says to man what the bytes are, whatever the locale.
    format!(".\\\" -*- coding: utf-8 -*-\n{}", roff.render())
}

fn section(roff: &mut Roff, heading: &str) {
    roff.control("SH", [heading]);
}

fn item(roff: &mut Roff, head: impl Into<Vec<Inline>>, body: &str) {
    roff.control("TP", []).text(head).text([roman(body)]);
}

/// A command with its arguments, then those below it.
fn describe(roff: &mut Roff, command: &Command, path: &str) {
    roff.control("SS", [path]);
    roff.text([roman(about(command))]).control("PP", []);
    roff.text(usage(command, path));
    arguments(roff, command, false);
    for sub in command.get_subcommands() {
        describe(roff, sub, &format!("{path} {}", sub.get_name()));
    }
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

/// The line that shows how a command is written.
fn usage(command: &Command, path: &str) -> Vec<Inline> {
    let mut line = vec![bold(path)];
    if command.get_arguments().any(|arg| !arg.is_positional()) {
        line.push(roman(" [OPTIONS]"));
    }
    for arg in command.get_positionals() {
        let name = names(arg).join(" ");
        let many = if arg.get_num_args().is_some_and(|range| range.max_values() > 1) { "…" } else { "" };
        line.push(if arg.is_required_set() { roman(" ") } else { roman(" [") });
        line.push(italic(name));
        line.push(roman(if arg.is_required_set() { many.to_owned() } else { format!("{many}]") }));
    }
    if command.has_subcommands() {
        line.push(roman(" [COMMAND]"));
    }
    line
}

fn names(arg: &Arg) -> Vec<String> {
    let names = arg.get_value_names().unwrap_or_default();
    names.iter().map(ToString::to_string).collect()
}

/// The arguments of a command; `global`: those that every command takes too.
fn arguments(roff: &mut Roff, command: &Command, global: bool) {
    let help = |arg: &Arg| matches!(arg.get_id().as_str(), "help" | "version");
    for arg in command.get_arguments().filter(|arg| global || !(arg.is_global_set() || help(arg))) {
        let mut head = Vec::new();
        if let Some(short) = arg.get_short() {
            head.push(bold(format!("-{short}")));
        }
        if let Some(long) = arg.get_long() {
            if !head.is_empty() {
                head.push(roman(", "));
            }
            head.push(bold(format!("--{long}")));
        }
        if arg.is_positional() || arg.get_action().takes_values() {
            if !head.is_empty() {
                head.push(roman(" "));
            }
            head.push(italic(names(arg).join(" ")));
        }
        let body = arg.get_help().map(ToString::to_string).unwrap_or_default();
        item(roff, head, &body);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_every_command_key_and_exit_code_in_both_languages() {
        for lang in [Lang::En, Lang::Zh] {
            let page = page(lang);
            assert!(!page.contains("cli.man"), "{lang:?}: words are missing");
            let page = page.replace("\\-", "-");
            for sub in help::command(lang).get_subcommands() {
                let heading = format!(".SS \"saoma {}\"\n", sub.get_name());
                assert!(page.contains(&heading), "{heading}");
            }
            for info in TABLE {
                assert!(page.contains(info.action.id()), "{}", info.action.id());
            }
            assert!(page.contains(if lang == Lang::En { ".SH \"EXIT STATUS\"" } else { ".SH 退出码" }), "{page}");
        }
    }
}
