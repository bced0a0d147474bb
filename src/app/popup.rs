//! What can lie over the panes and take the keys: only after a frame showed it, so that no key typed for something
//! else answers a question.

use std::sync::Arc;

use super::conveyor::Sheet;
use super::edit::EditForm;
use super::field::Field;
use super::history::HistoryView;
use super::logins::LoginNumber;
use super::questions::Question;
use crate::action::{Info, Scope, TABLE};
use crate::engine::api::Code;
use crate::model::WcId;

/// What lies over the panes.
#[derive(Clone, Debug)]
pub enum Popup {
    /// The keys.
    Help {
        /// First line shown.
        top: usize,
    },
    /// A wcId to add.
    Add {
        /// What is typed.
        field: Field,
        /// The locale key of what is wrong with it.
        wrong: Option<&'static str>,
    },
    /// What people set of an account.
    Edit(Box<EditForm>),
    /// What happened; it takes the whole screen.
    History(Box<HistoryView>),
    /// Whether to take an account off line.
    Offline {
        /// Which.
        wc_id: WcId,
    },
    /// Whether to show a code as text.
    Text {
        /// Whose.
        login: LoginNumber,
        /// Which: a yes is for this one only.
        code: Arc<Code>,
    },
    /// Whether to leave although codes wait.
    Quit,
    /// The conveyor's accounts.
    Conveyor {
        /// Why they are shown.
        sheet: Sheet,
        /// First account shown.
        top: usize,
    },
    /// Which logins to cancel while the conveyor runs.
    Stop {
        /// The selected account's, if it has one.
        login: Option<LoginNumber>,
    },
    /// Whether to ask a phone although the account's budget is spent or it rests.
    Over(Question),
    /// Whether to take the account off line that another one's code was scanned by.
    Wrong {
        /// Who was asked for, uncleaned.
        expected: Box<str>,
        /// Who came.
        wc_id: WcId,
        /// Its name, uncleaned.
        name: Box<str>,
    },
}

/// A popup and whether it was seen.
#[derive(Clone, Debug)]
pub struct Shown {
    /// What.
    pub popup: Popup,
    /// Whether a frame showed it.
    pub drawn: bool,
}

/// Lines of the help above its actions: what was found of the terminal.
pub const HELP_HEAD: usize = 1;

/// The actions that the help tells of.
pub fn help_lines(demo: bool) -> impl Iterator<Item = &'static Info> {
    TABLE.iter().filter(move |info| info.scope != Scope::Demo || demo)
}
