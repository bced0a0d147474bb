//! A home folder with so many accounts in its store, and the gateway that knows them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use saoma::gateway::profile_id;
use saoma::model::{Began, Presence, Source, Stamp, WcId};
use saoma::simulator::{Setup, SimAccount, Simulator};
use saoma::store::{Edit, Scope, Store, Verdict};
use tempfile::TempDir;

/// See the module.
pub(crate) struct Home {
    folder: TempDir,
    /// The gateway; stops with the home.
    pub(crate) simulator: Simulator,
    /// The same store, as another process has it open.
    pub(crate) store: Store,
    /// The accounts, the offline ones (every fifth) first, each part by name.
    pub(crate) listed: Vec<WcId>,
}

impl Home {
    /// Fills a new home.
    pub(crate) async fn new(count: usize) -> Result<Self> {
        let folder = TempDir::with_prefix("saoma-bench-")?;
        let known: Vec<SimAccount> = (0..count).map(account).collect();
        let simulator = Simulator::start(Setup { accounts: known.clone(), ..Setup::default() }).await?;
        let scope = Scope {
            profile: profile_id(simulator.account(), simulator.url()),
            name: "bench".to_owned(),
            cause: "command",
            receivers: Vec::new(),
            lists_w_ids: true,
        };
        let state = folder.path().join("state/saoma");
        std::fs::create_dir_all(&state)?;
        let store = Store::open(&state.join("saoma.db"), scope).await?;
        let at = Stamp(jiff::Timestamp::now().as_millisecond());
        let edits: Vec<(WcId, Edit)> = known.iter().map(edit).collect();
        store.import(&edits, at.plus_ms(-86_400_000)).await?;
        let began = Began { at, order: store.order().await?, ..Began::default() };
        let verdict = |known: &SimAccount| Verdict {
            wc_id: known.wc_id.as_str().into(),
            presence: if known.online { Presence::Online } else { Presence::Offline },
            source: Source::List,
            began,
            reason: None,
        };
        store.note_list(began, &known.iter().map(verdict).collect::<Vec<_>>(), &[], &[]).await?;
        let online = simulator.online();
        let w_ids: Vec<(WcId, Edit)> = online
            .iter()
            .map(|(wc_id, w_id)| (wc_id.clone(), Edit { w_id: Some(w_id.clone()), ..Edit::default() }))
            .collect();
        store.import(&w_ids, at).await?;
        store.confirm_w_ids(&online).await?;
        let mut listed: Vec<&SimAccount> = known.iter().collect();
        listed.sort_by(|a, b| (a.online, &a.nick_name).cmp(&(b.online, &b.nick_name)));
        let listed = listed.iter().map(|known| known.wc_id.as_str().into()).collect();
        Ok(Self { folder, simulator, store, listed })
    }

    /// The program on this home; the fleet list is asked at its start and then after `interval`.
    pub(crate) fn command(&self, program: &Path, interval: &str) -> Result<Command> {
        let config = self.folder.path().join("config/saoma");
        std::fs::create_dir_all(&config)?;
        let text = format!(
            "[profile.default]\ngateway = '{}'\ndialect = 'v2'\naccount = '{}'\n[watch]\ninterval = '{interval}'\n",
            self.simulator.url(),
            self.simulator.account(),
        );
        std::fs::write(config.join("config.toml"), text)?;
        let mut command = bare(program);
        command
            .env("HOME", self.folder.path())
            .env("XDG_CONFIG_HOME", self.folder.path().join("config"))
            .env("XDG_STATE_HOME", self.folder.path().join("state"))
            .env("SAOMA_LANG", "en")
            .env("SAOMA_TOKEN", self.simulator.token());
        Ok(command)
    }
}

/// A program in an environment that is the same everywhere.
pub(crate) fn bare(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("TERM", "xterm-256color").env("LANG", "C.UTF-8").env("TZ", "UTC");
    command
}

/// Where cargo puts the floor program that belongs to `saoma`.
pub(crate) fn floor(saoma: &Path) -> PathBuf {
    saoma.with_file_name("examples").join("hello")
}

/// Two of three with Chinese names, four of five online.
fn account(number: usize) -> SimAccount {
    let name = if number % 3 == 2 { format!("Agent {number:05}") } else { format!("售前客服{number:05}") };
    let mut account = SimAccount::new(format!("wxid_bench{number:05}"), name);
    account.w_account = format!("saoma-{number:05}");
    account.online = number % 5 != 4;
    account
}

fn edit(known: &SimAccount) -> (WcId, Edit) {
    let edit = Edit {
        nick_name: Some(known.nick_name.as_str().into()),
        w_account: Some(known.w_account.as_str().into()),
        holder: Some("Wang Fang".into()),
        ..Edit::default()
    };
    (known.wc_id.as_str().into(), edit)
}
