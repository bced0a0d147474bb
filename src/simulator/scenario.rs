//! Scenario files: a setup as TOML or JSON, or one that is built in.

use serde::Deserialize;

use super::fault::QueuedFault;
use super::setup::{self, Setup, SimAccount, Timed};
use crate::model::Dialect;

/// A scenario could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The text is neither TOML nor JSON of this shape; the words of the parser.
    #[error("{0}")]
    Parse(String),
}

/// What a scenario file may say; everything it leaves out stays as it is in the setup it is laid over.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// What it is about, for its readers.
    pub about: Option<String>,
    /// The dialect.
    pub dialect: Option<Dialect>,
    /// The seed.
    pub seed: Option<u64>,
    /// Simulated seconds per real second.
    pub speed: Option<f64>,
    /// A path in front of every endpoint.
    pub prefix: Option<String>,
    /// The platform account.
    pub account: Option<String>,
    /// Its password, a dummy.
    pub password: Option<String>,
    /// Whether phones act by themselves.
    pub auto: Option<bool>,
    /// So many generated accounts.
    pub generated: Option<usize>,
    /// Whether the accounts of the demo are there too.
    pub demo_accounts: bool,
    /// Accounts.
    pub accounts: Vec<SimAccount>,
    /// Some knobs.
    pub knobs: Option<serde_json::Value>,
    /// Faults from the start.
    pub faults: Vec<QueuedFault>,
    /// Timed events.
    pub events: Vec<Timed>,
}

/// The built-in scenarios: name, and what the file says. The files in `examples/scenarios` can be named too, so that a
/// program without its sources plays them.
const BUILT_IN: &[(&str, &str)] = &[
    ("empty", "about = 'no accounts at all'\n"),
    ("demo", "about = 'a handful of accounts, some online, some dropped'\ndemo_accounts = true\n"),
    ("auto", "about = 'the accounts of the demo; the phones act by themselves'\ndemo_accounts = true\nauto = true\n"),
    (
        "drops",
        "about = 'accounts drop one after the other'\ndemo_accounts = true\n\
         [[events]]\nat_ms = 5000\ndo = 'drop'\nwc_id = 'wxid_xiaonuo0001'\n\
         [[events]]\nat_ms = 15000\ndo = 'kick'\nwc_id = 'wxid_nightdesk04'\n\
         [[events]]\nat_ms = 25000\ndo = 'drop'\nwc_id = 'wxid_tuangou0008'\n",
    ),
    (
        "hostile",
        "about = 'names made of escape sequences, loose envelopes, unknown keys'\ndemo_accounts = true\n\
         [knobs]\nhostile_names = true\n\
         [knobs.envelope]\ncode_as_int = true\nmsg = true\nomit_null_data = true\nstatus_as_string = true\n\
         bom = true\nextra_keys = true\nfailure_10001 = true\n",
    ),
    (
        "strict",
        "about = 'every unknown turned to its harsher side'\ndemo_accounts = true\n\
         [knobs]\nstrict_endpoints = true\nlogin_needs_poll = 'later'\nsecond_login_dies_with_socket = true\n\
         success_replay = false\nunknown_w_id_fails = true\nlist_lag_ms = 3000\nreply_w_id = 'different'\n\
         refuse_foreign_fields = true\n",
    ),
    ("conveyor", include_str!("../../examples/scenarios/conveyor.toml")),
    ("device-verification", include_str!("../../examples/scenarios/device-verification.toml")),
    ("first-night", include_str!("../../examples/scenarios/first-night.toml")),
    ("flap", include_str!("../../examples/scenarios/flap.toml")),
    ("lagging-list", include_str!("../../examples/scenarios/lagging-list.toml")),
    ("mass-drop", include_str!("../../examples/scenarios/mass-drop.toml")),
    ("notices", include_str!("../../examples/scenarios/notices.toml")),
    ("offline-reason", include_str!("../../examples/scenarios/offline-reason.toml")),
    ("outage", include_str!("../../examples/scenarios/outage.toml")),
    ("proxy-broken", include_str!("../../examples/scenarios/proxy-broken.toml")),
    ("refusals", include_str!("../../examples/scenarios/refusals.toml")),
    ("refused-fields", include_str!("../../examples/scenarios/refused-fields.toml")),
    ("silent-drop", include_str!("../../examples/scenarios/silent-drop.toml")),
    ("slots-full", include_str!("../../examples/scenarios/slots-full.toml")),
    ("token-dies", include_str!("../../examples/scenarios/token-dies.toml")),
    ("v3-devices", include_str!("../../examples/scenarios/v3-devices.toml")),
    ("verify-code", include_str!("../../examples/scenarios/verify-code.toml")),
    ("wrong-phone", include_str!("../../examples/scenarios/wrong-phone.toml")),
];

impl Scenario {
    /// The names of the built-in scenarios.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// A built-in scenario; `None` if there is none of this name.
    pub fn built_in(name: &str) -> Option<Self> {
        let (_, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        Self::parse(text).ok()
    }

    /// Reads a scenario: JSON if it begins with `{`, else TOML.
    ///
    /// # Errors
    /// With the parser's words, which name the line.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        if text.trim_start_matches('\u{feff}').trim_start().starts_with('{') {
            serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|e| ScenarioError::Parse(e.to_string()))
        } else {
            toml::from_str(text).map_err(|e| ScenarioError::Parse(e.to_string()))
        }
    }

    /// Lays the scenario over a setup.
    ///
    /// # Errors
    /// When the knobs do not read.
    pub fn apply(self, setup: &mut Setup) -> Result<(), ScenarioError> {
        setup.dialect = self.dialect.unwrap_or(setup.dialect);
        setup.seed = self.seed.unwrap_or(setup.seed);
        setup.speed = self.speed.unwrap_or(setup.speed);
        setup.auto = self.auto.unwrap_or(setup.auto);
        setup.generated = self.generated.unwrap_or(setup.generated);
        setup.prefix = self.prefix.unwrap_or_else(|| std::mem::take(&mut setup.prefix));
        setup.account = self.account.unwrap_or_else(|| std::mem::take(&mut setup.account));
        setup.password = self.password.unwrap_or_else(|| std::mem::take(&mut setup.password));
        if self.demo_accounts {
            setup.accounts.extend(setup::demo_setup(setup.seed).accounts);
        }
        for account in self.accounts {
            // A scenario may say otherwise of an account that is there already.
            match setup.accounts.iter_mut().find(|known| known.wc_id == account.wc_id) {
                Some(known) => *known = account,
                None => setup.accounts.push(account),
            }
        }
        setup.faults.extend(self.faults);
        setup.events.extend(self.events);
        if let Some(set) = self.knobs {
            let bad = |error: serde_json::Error| ScenarioError::Parse(error.to_string());
            let mut all = serde_json::to_value(&setup.knobs).map_err(bad)?;
            super::phones::merge(&mut all, &set);
            setup.knobs = serde_json::from_value(all).map_err(bad)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::act::Act;
    use super::*;

    #[test]
    fn every_built_in_scenario_reads_and_applies() {
        for name in Scenario::names() {
            let mut setup = Setup::default();
            Scenario::built_in(name).unwrap_or_else(|| panic!("{name}")).apply(&mut setup).unwrap();
            assert_eq!(setup.accounts.is_empty() && setup.generated == 0, name == "empty", "{name}");
        }
        assert!(Scenario::built_in("no-such").is_none());
    }

    #[test]
    fn an_account_of_the_demo_can_be_another() {
        let text = "demo_accounts = true\n[[accounts]]\nwc_id = \"wxid_lixiaomei05\"\nnick_name = \"李小美\"\n";
        let mut setup = Setup::default();
        Scenario::parse(text).unwrap().apply(&mut setup).unwrap();
        let named: Vec<_> = setup.accounts.iter().filter(|account| account.wc_id == "wxid_lixiaomei05").collect();
        assert_eq!(named.len(), 1);
        assert_eq!(named[0].nick_name, "李小美");
        assert_eq!(setup.accounts.len(), setup::demo_setup(setup.seed).accounts.len());
    }

    #[test]
    fn a_file_says_everything() {
        let text = r#"
            dialect = "v1"
            speed = 20.0
            [[accounts]]
            wc_id = "wxid_a"
            nick_name = "甲"
            online = true
            script = { scan_ms = 100, answer_ms = 50, then = "cancel" }
            [knobs]
            slots = 3
            login_needs_poll = "lost"
            [[faults]]
            endpoint = "iPadLogin"
            fault = { http = 500 }
            times = 2
            [[events]]
            at_ms = 3000
            do = "drop"
            wc_id = "wxid_a"
        "#;
        let mut setup = Setup::default();
        Scenario::parse(text).unwrap().apply(&mut setup).unwrap();
        assert_eq!(setup.dialect, Dialect::V1);
        assert_eq!(setup.knobs.slots, 3);
        assert_eq!(setup.accounts[0].script.as_ref().unwrap().scan_ms, Some(100));
        assert_eq!(setup.events, [Timed { at_ms: 3000, act: Act::Drop { wc_id: "wxid_a".into() } }]);
        let json = r#"{"seed": 9, "events": [{"at_ms": 1, "do": "auto", "on": true}]}"#;
        Scenario::parse(json).unwrap().apply(&mut setup).unwrap();
        assert_eq!(setup.seed, 9);
    }

    #[test]
    fn a_wrong_file_is_refused_with_words() {
        for wrong in ["colour = 1", "[knobs]\nslotz = 1", "{\"events\": [{\"at_ms\": 1, \"do\": \"fly\"}]}"] {
            let error = Scenario::parse(wrong).and_then(|s| s.apply(&mut Setup::default())).unwrap_err();
            assert!(!error.to_string().is_empty());
        }
    }
}
