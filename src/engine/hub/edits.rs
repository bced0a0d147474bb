//! What people set of an account.

use super::Hub;
use crate::model::{Edit, WcId};

impl Hub {
    /// Answers [`crate::engine::api::Command::Edit`]: the account is told as it is then. One that was removed meanwhile
    /// does not come back by an edit.
    pub(super) async fn edit(&mut self, wc_id: WcId, edit: Edit) {
        if !self.accounts.contains_key(&wc_id) {
            return;
        }
        let at = self.shared.now().wall;
        match self.shared.store.put_account(&wc_id, &edit, at).await {
            Ok(_) => self.read_one(&wc_id).await,
            Err(error) => self.store_failed(&error.to_string()),
        }
    }
}
