//! What goes into the conveyor and what it shows: many accounts logged in one after another (issue word: conveyor).

use crate::model::{AttemptId, Reason, Stamp, WcId};

/// What a person wishes of the conveyor. There is one at a time in a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConveyorWish {
    /// Look at these accounts and say what would be done; nothing is sent. Answered by [`super::Event::Conveyor`] in
    /// phase [`Phase::Preview`]. Accounts that are online or have an open attempt are left out.
    Preview {
        /// Which.
        wc_ids: Vec<WcId>,
        /// Beyond the budget too.
        force: bool,
    },
    /// Begin what the preview showed.
    Start,
    /// The code on the screen goes to the back of the queue, the next one comes.
    Skip,
    /// The code on the screen's account leaves the queue.
    Drop,
    /// Go on after a pause.
    Resume,
    /// Over: nothing more is sent; the open attempts are cancelled as `c` does.
    Stop,
}

/// Where the conveyor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Planned, nothing sent.
    Preview,
    /// Under way.
    Running,
    /// A full round of codes without a scan, or no account can log in now (slots, platform account, gateway): it waits
    /// for [`ConveyorWish::Resume`]. What is open goes on.
    Paused,
    /// Every account is done with.
    Done,
}

/// Where one account is on the conveyor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Its second login waits for its turn.
    WaitsToRing,
    /// Its phone shows the confirm dialog.
    Ringing,
    /// It waits for its code to be shown.
    WaitsForCode,
    /// Its code is on the screen (or on its way there).
    Shown,
    /// Online.
    Done,
    /// It left the queue without a login.
    Left(Reason),
    /// Not tried: it rests, or its budget is spent.
    Resting {
        /// Until when.
        until: Stamp,
    },
}

/// One account on the conveyor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Which.
    pub wc_id: WcId,
    /// Where it is.
    pub place: Place,
    /// How often its code was shown and nobody scanned.
    pub unscanned: u8,
}

/// What the conveyor shows, as a whole, each time something changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConveyorView {
    /// Where it is.
    pub phase: Phase,
    /// Its accounts, sorted by holder, then by name: their order does not change.
    pub items: Vec<Item>,
    /// The account whose code is on the screen, and the attempt once there is one.
    pub shown: Option<(WcId, Option<AttemptId>)>,
    /// The accounts that wait for their code, in order.
    pub queue: Vec<WcId>,
}

impl ConveyorView {
    /// How many accounts are on it, those that rest not counted.
    pub fn total(&self) -> usize {
        self.items.iter().filter(|item| !matches!(item.place, Place::Resting { .. })).count()
    }

    /// How many are done with, with or without a login.
    pub fn settled(&self) -> usize {
        self.items.iter().filter(|item| matches!(item.place, Place::Done | Place::Left(_))).count()
    }

    /// The number of the account whose turn it is: the 3 of "3 of 20".
    pub fn number(&self) -> usize {
        self.settled().saturating_add(1).min(self.total())
    }

    /// How many second logins, codes and resting accounts a preview has.
    pub fn counts(&self) -> (usize, usize, usize) {
        let count = |wanted: fn(&Place) -> bool| self.items.iter().filter(|item| wanted(&item.place)).count();
        (
            count(|place| matches!(place, Place::WaitsToRing)),
            count(|place| matches!(place, Place::WaitsForCode)),
            count(|place| matches!(place, Place::Resting { .. })),
        )
    }
}
