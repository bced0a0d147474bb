//! The command line (design.md §5). The help texts are not here: `help` takes them from the locale files by command
//! and argument name.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::simulate::SimulateArgs;
use crate::config::QrLayout;
use crate::model::Dialect;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "saoma",
    version,
    disable_help_subcommand = true,
    disable_help_flag = true,
    disable_version_flag = true
)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub global: Global,
    /// How codes are drawn in the TUI.
    #[arg(long, value_name = "LAYOUT", value_parser = qr_layout)]
    pub qr_layout: Option<QrLayout>,
    /// Which command; none starts the TUI.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What every command takes.
#[derive(Clone, Debug, Default, Args)]
pub struct Global {
    /// The profile to use.
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// The config file to use.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// JSON on stdout instead of words.
    #[arg(long, global = true)]
    pub json: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The TUI on a built-in simulated gateway.
    Demo(DemoArgs),
    /// Platform account and password → token.
    SignIn(SignInArgs),
    /// A QR login in the plain terminal.
    Login(LoginArgs),
    /// Confirm on the phone.
    SecondLogin(SecondLoginArgs),
    /// The accounts.
    Accounts(AccountsArgs),
    /// Asks the gateway now.
    Status(StatusArgs),
    /// Prints a wId.
    Wid(WidArgs),
    /// Stays and watches.
    Watch(WatchArgs),
    /// Takes accounts off line.
    Offline(OfflineArgs),
    /// What happened.
    History(HistoryArgs),
    /// The simulated gateway alone.
    Simulate(SimulateArgs),
    /// What works and what does not.
    Doctor(DoctorArgs),
    /// The key table.
    Keys,
    /// A completion script.
    Completions(CompletionsArgs),
    /// The manual page.
    Man,
}

/// `saoma demo`
#[derive(Clone, Debug, Args)]
pub struct DemoArgs {
    /// Makes names, ids and times reproducible.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// The wall-clock time to begin at, RFC 3339.
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// How fast the phones' time runs.
    #[arg(long, value_name = "FACTOR")]
    pub speed: Option<f64>,
    /// A scenario file.
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
    /// How codes are drawn.
    #[arg(long, value_name = "LAYOUT", value_parser = qr_layout)]
    pub qr_layout: Option<QrLayout>,
}

/// `saoma sign-in`
#[derive(Clone, Debug, Args)]
pub struct SignInArgs {
    /// Base URL of the gateway.
    #[arg(long, value_name = "URL")]
    pub gateway: Option<String>,
    /// Which API the gateway speaks.
    #[arg(long, value_name = "DIALECT", value_parser = dialect)]
    pub dialect: Option<Dialect>,
    /// Platform account.
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// V1: keep the password for status checks, without asking.
    #[arg(long)]
    pub keep_password: bool,
}

/// What `login` and `second-login` share.
#[derive(Clone, Debug, Default, Args)]
pub struct LoginOptions {
    /// Give up after this long.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub timeout: Option<std::time::Duration>,
    /// Log in although second logins rest after refusals, or the day's logins are spent.
    #[arg(long)]
    pub force: bool,
}

/// `saoma login`
#[derive(Clone, Debug, Default, Args)]
pub struct LoginArgs {
    /// Whom; nobody: a new account, any phone.
    #[arg(value_name = "ACCOUNT", group = "who", conflicts_with = "all_offline")]
    pub account: Option<String>,
    /// The same by name.
    #[arg(long, value_name = "NAME", group = "who", conflicts_with = "all_offline")]
    pub name: Option<String>,
    /// All accounts that are off line, one after another.
    #[arg(long, conflicts_with_all = ["ladder", "renew", "verify_code", "show_payload"])]
    pub all_offline: bool,
    /// Of those, only those with this tag.
    #[arg(long, value_name = "TAG", requires = "all_offline")]
    pub tag: Option<String>,
    /// Of those, only those on this holder's phones.
    #[arg(long, value_name = "NAME", requires = "all_offline")]
    pub holder: Option<String>,
    /// How many phones ring at once.
    #[arg(long, value_name = "N", requires = "all_offline", value_parser = clap::value_parser!(u8).range(1..=20))]
    pub at_once: Option<u8>,
    /// Begin without asking.
    #[arg(long, requires = "all_offline")]
    pub yes: bool,
    /// What Enter does: adopt, second login, QR login.
    #[arg(long, requires = "who")]
    pub ladder: bool,
    /// New codes after an expired one; 5 on a terminal, else 0.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=5))]
    pub renew: Option<u8>,
    /// Write the code as PNG (0600); removed when the code is over.
    #[arg(long, value_name = "FILE")]
    pub qr_png: Option<PathBuf>,
    /// How the code is drawn.
    #[arg(long, value_name = "LAYOUT", value_parser = qr_layout)]
    pub qr_layout: Option<QrLayout>,
    /// Tell the code's text.
    #[arg(long)]
    pub show_payload: bool,
    /// The verification code that the phone showed.
    #[arg(long, value_name = "CODE")]
    pub verify_code: Option<String>,
    /// What `second-login` takes too.
    #[command(flatten)]
    pub options: LoginOptions,
}

/// `saoma second-login`
#[derive(Clone, Debug, Args)]
pub struct SecondLoginArgs {
    /// Whom.
    #[arg(value_name = "ACCOUNT", required_unless_present = "name")]
    pub accounts: Vec<String>,
    /// The same by name.
    #[arg(long, value_name = "NAME")]
    pub name: Vec<String>,
    /// What `login` takes too.
    #[command(flatten)]
    pub options: LoginOptions,
}

/// `saoma accounts`
#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct AccountsArgs {
    /// Which part of the list.
    #[command(flatten)]
    pub filter: Filter,
    /// What to do with it; nothing: show it.
    #[command(subcommand)]
    pub command: Option<AccountsCommand>,
}

/// Which accounts, in which order.
#[derive(Clone, Debug, Default, Args)]
pub struct Filter {
    /// Only those online.
    #[arg(long, conflicts_with = "offline")]
    pub online: bool,
    /// Only those off line.
    #[arg(long)]
    pub offline: bool,
    /// Only those with this tag.
    #[arg(long, value_name = "TAG")]
    pub tag: Option<String>,
    /// Only those of this holder.
    #[arg(long, value_name = "NAME")]
    pub holder: Option<String>,
    /// The order.
    #[arg(long, value_enum, value_name = "ORDER")]
    pub sort: Option<Sort>,
}

/// The order of a list of accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Sort {
    /// Offline, unknown, online; then by name.
    #[default]
    Worst,
    /// By name.
    Name,
    /// By wcId.
    WcId,
    /// The latest login first.
    Login,
    /// By holder, then by name.
    Holder,
}

/// `saoma accounts …`
#[derive(Clone, Debug, Subcommand)]
pub enum AccountsCommand {
    /// Adds an account by wcId.
    Add(AddArgs),
    /// Reads accounts from CSV or JSON.
    Import(ImportArgs),
    /// Writes accounts as CSV, or as JSON.
    Export(ExportArgs),
    /// Changes holder, note, tags, device.
    Edit(EditArgs),
    /// Forgets accounts.
    Remove(RemoveArgs),
}

/// `saoma accounts add`
#[derive(Clone, Debug, Args)]
pub struct AddArgs {
    /// WeChat's permanent id.
    #[arg(value_name = "WC_ID")]
    pub wc_id: String,
    /// What may be set along.
    #[command(flatten)]
    pub fields: Fields,
}

/// `saoma accounts edit`
#[derive(Clone, Debug, Args)]
pub struct EditArgs {
    /// Whom.
    #[arg(value_name = "ACCOUNT", group = "who", required_unless_present = "name")]
    pub account: Option<String>,
    /// The same by name.
    #[arg(long, value_name = "NAME", group = "who")]
    pub name: Option<String>,
    /// What changes.
    #[command(flatten)]
    pub fields: Fields,
}

/// The fields that people set.
#[derive(Clone, Debug, Default, Args)]
pub struct Fields {
    /// Whose phone.
    #[arg(long, value_name = "NAME")]
    pub holder: Option<String>,
    /// Free words.
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// Labels, separated by commas: all of them, or with + and - those to add and to take away.
    #[arg(long, value_name = "TAGS", allow_hyphen_values = true)]
    pub tags: Option<String>,
    /// V3: the device type.
    #[arg(long, value_name = "TYPE")]
    pub device: Option<String>,
    /// V3: a region's number, or an own SOCKS5 proxy.
    #[arg(long, value_name = "N|IP:PORT")]
    pub proxy: Option<String>,
    /// V3: the own proxy's user.
    #[arg(long, value_name = "NAME")]
    pub proxy_user: Option<String>,
    /// V3: the own proxy's password is the first line of standard input.
    #[arg(long)]
    pub proxy_password_stdin: bool,
    /// V3: tunnel of a helper program on a PC.
    #[arg(long, value_name = "ID")]
    pub aid: Option<String>,
    /// V3: tunnel of a helper program on a phone.
    #[arg(long, value_name = "ID")]
    pub ttuid: Option<String>,
}

impl Fields {
    /// Whether nothing is to change.
    pub const fn is_empty(&self) -> bool {
        self.holder.is_none()
            && self.note.is_none()
            && self.tags.is_none()
            && self.device.is_none()
            && self.proxy.is_none()
            && self.proxy_user.is_none()
            && !self.proxy_password_stdin
            && self.aid.is_none()
            && self.ttuid.is_none()
    }
}

/// `saoma accounts export`
#[derive(Clone, Debug, Args)]
pub struct ExportArgs {
    /// Own proxies' passwords too.
    #[arg(long)]
    pub with_proxy_passwords: bool,
    /// A byte order mark in front: spreadsheets take the CSV for UTF-8 then.
    #[arg(long)]
    pub bom: bool,
}

/// `saoma accounts import`
#[derive(Clone, Debug, Args)]
pub struct ImportArgs {
    /// CSV or JSON; `-` is stdin.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Leave out what cannot be read, instead of importing nothing.
    #[arg(long)]
    pub skip_bad: bool,
}

/// `saoma accounts remove`
#[derive(Clone, Debug, Args)]
pub struct RemoveArgs {
    /// Whom.
    #[arg(value_name = "ACCOUNT", required_unless_present = "name")]
    pub accounts: Vec<String>,
    /// The same by name.
    #[arg(long, value_name = "NAME")]
    pub name: Vec<String>,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
}

/// `saoma status`
#[derive(Clone, Debug, Args)]
pub struct StatusArgs {
    /// Whom to show; nobody: all.
    #[arg(value_name = "ACCOUNT")]
    pub accounts: Vec<String>,
    /// The same by name.
    #[arg(long, value_name = "NAME")]
    pub name: Vec<String>,
}

/// `saoma wid`
#[derive(Clone, Debug, Args)]
pub struct WidArgs {
    /// Whose.
    #[arg(value_name = "ACCOUNT", group = "who", required_unless_present = "name")]
    pub account: Option<String>,
    /// The same by name.
    #[arg(long, value_name = "NAME", group = "who")]
    pub name: Option<String>,
    /// The last known one, whatever is believed of it.
    #[arg(long)]
    pub any: bool,
    /// Ask the gateway first.
    #[arg(long)]
    pub check: bool,
}

/// `saoma watch`
#[derive(Clone, Debug, Args)]
pub struct WatchArgs {
    /// Every profile of the config file.
    #[arg(long, conflicts_with = "profile")]
    pub all_profiles: bool,
}

/// `saoma offline`
#[derive(Clone, Debug, Args)]
pub struct OfflineArgs {
    /// Whom.
    #[arg(value_name = "ACCOUNT", required_unless_present = "name")]
    pub accounts: Vec<String>,
    /// The same by name.
    #[arg(long, value_name = "NAME")]
    pub name: Vec<String>,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
}

/// `saoma history`
#[derive(Clone, Debug, Args)]
pub struct HistoryArgs {
    /// Whose; nobody: of all.
    #[arg(value_name = "ACCOUNT", group = "who")]
    pub account: Option<String>,
    /// The same by name.
    #[arg(long, value_name = "NAME", group = "who")]
    pub name: Option<String>,
    /// How far back the lines go.
    #[arg(long, value_name = "DURATION", value_parser = long_duration)]
    pub since: Option<std::time::Duration>,
    /// How many lines at most.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: Option<u32>,
}

/// `saoma doctor`
#[derive(Clone, Copy, Debug, Args)]
pub struct DoctorArgs {
    /// Shows where notices are to be posted whole: its path is a secret.
    #[arg(long)]
    pub show_notice_url: bool,
}

/// `saoma completions`
#[derive(Clone, Debug, Args)]
pub struct CompletionsArgs {
    /// Which shell.
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

fn qr_layout(text: &str) -> Result<QrLayout, String> {
    text.parse()
}

fn dialect(text: &str) -> Result<Dialect, String> {
    text.parse()
}

/// A duration that may also be so many days.
fn long_duration(text: &str) -> Result<std::time::Duration, String> {
    let days = text.trim().strip_suffix('d').and_then(|days| days.parse::<u16>().ok()).filter(|days| *days > 0);
    let parsed = match days {
        Some(days) => Some(std::time::Duration::from_secs(u64::from(days) * 86_400)),
        None => crate::config::duration::parse(text),
    };
    parsed.ok_or_else(|| "30m, 12h, 7d".to_owned())
}

fn duration(text: &str) -> Result<std::time::Duration, String> {
    crate::config::duration::parse(text).ok_or_else(|| "30s, 5m, 1h".to_owned())
}
