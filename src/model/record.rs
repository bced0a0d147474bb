//! What a login reply tells of an account.

use super::{WId, WcId};

/// The account record in a login reply (protocol.md §3.4, §3.5). Personal data that the gateway also sends (mobile
/// number, uin, country …) is never taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Whose phone it was.
    pub wc_id: WcId,
    /// The new wId; for a poll whose reply has none, the polled one.
    pub w_id: WId,
    /// Nickname, uncleaned; empty when absent.
    pub nick_name: Box<str>,
    /// WeChat number, uncleaned; empty when absent.
    pub w_account: Box<str>,
    /// 1 male, 2 female, when sent.
    pub sex: Option<u8>,
    /// Avatar URL; empty when absent.
    pub avatar_url: Box<str>,
}
