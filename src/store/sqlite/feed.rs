//! The change feed: what other processes did.

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use sqlx::Row;

use super::super::types::{Changes, Result};
use super::{Sqlite, write};
use crate::model::WcId;

impl Sqlite {
    /// See [`super::super::Store::changes`].
    ///
    /// The transaction holds the write lock, and that is what makes the watch whole: the kernel tells of a write to
    /// the WAL while the writer still syncs it, before the commit can be seen. Waiting for the lock is waiting for
    /// that writer to have committed or died. Nothing is written, so no watch wakes up for it.
    ///
    /// Rows that stand for nothing but this process's own changes are left out, if the caller has kept up so far.
    pub(in super::super) async fn changes(&self, seq: i64) -> Result<Changes> {
        let mut connection = self.lock().await?;
        let mut tx = write(&mut connection).await?;
        let newest: i64 = sqlx::query_scalar(sql!("change_seq")).bind(self.profile()).fetch_one(&mut *tx).await?;
        let mut changes = Changes { seq: newest.max(seq), ..Changes::default() };
        let seen = self.seen.load(Ordering::Relaxed);
        if newest > seq {
            // No owner is called ' '.
            let but = if seq >= seen { &*self.owners.me().0 } else { " " };
            let query = sqlx::query(sql!("changes")).bind(self.profile()).bind(seq).bind(but);
            let mut named = HashSet::new();
            for row in query.fetch_all(&mut *tx).await? {
                match row.try_get::<i64, _>(0)? {
                    0 => {
                        let wc_id = WcId::from(row.try_get::<&str, _>(1)?);
                        if named.insert(wc_id.clone()) {
                            changes.wc_ids.push(wc_id);
                        }
                    }
                    1 => changes.attempts = true,
                    _ => changes.fleet = true,
                }
            }
        }
        tx.rollback().await?;
        self.seen.fetch_max(changes.seq, Ordering::Relaxed);
        Ok(changes)
    }

    /// See [`super::super::Store::seq`].
    pub(in super::super) fn seq(&self) -> i64 {
        self.seen.load(Ordering::Relaxed)
    }
}
