//! Bans that other services make and change: the server looks for them, because it must not add
//! triggers to FAF's tables.
//!
//! The time of the last change has whole seconds, and a transaction may commit after a later one.
//! So each look includes the changes of the last minute, and those that were seen before are left
//! out.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use faf_protocol::PlayerId;

use crate::bans::BAN_END;
use crate::error::Result;
use crate::session::Session;
use crate::worker::Shared;

/// Age of the changes that each look includes, in addition to the time since the previous look.
const OVERLAP: Duration = Duration::from_secs(60);

/// Changes that were seen, and orders of a database without tables for them.
#[derive(Debug, Default)]
pub(crate) struct BanWatch {
    seen: Seen,
    /// When the previous look was.
    looked: Option<Instant>,
    /// Orders that have no table, with their players.
    pub(crate) orders: BTreeMap<i64, PlayerId>,
    last_order: i64,
}

/// Bans with recent changes: the end of each ban and the time of the change, by number of the ban.
pub(crate) type Seen = BTreeMap<u64, (i64, i64)>;

/// A changed ban.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) ban: u64,
    pub(crate) player: u32,
    pub(crate) end: i64,
}

impl BanWatch {
    /// Records a look: later changes are new.
    pub(crate) fn looked(&mut self, seen: Seen, at: Instant) {
        (self.seen, self.looked) = (seen, Some(at));
    }

    /// Adds orders about changed bans to those that have no table.
    pub(crate) fn order(&mut self, changed: &[Changed]) {
        for change in changed {
            self.last_order += 1;
            self.orders.insert(self.last_order, PlayerId(change.player));
        }
    }
}

/// Makes the present bans the known ones.
pub(crate) fn begin(session: &mut Session, shared: &Shared) -> Result<()> {
    let at = Instant::now();
    let (_, seen) = look(session, shared)?;
    shared.bans.lock().unwrap_or_else(PoisonError::into_inner).looked(seen, at);
    Ok(())
}

/// Returns the bans that are new or were changed since the previous look, and what is known now.
pub(crate) fn look(session: &mut Session, shared: &Shared) -> Result<(Vec<Changed>, Seen)> {
    let (known, since) = {
        let watch = shared.bans.lock().unwrap_or_else(PoisonError::into_inner);
        (watch.seen.clone(), watch.looked.map(|at| at.elapsed()).unwrap_or_default())
    };
    let query = format!(
        "SELECT id, player_id, {BAN_END}, UNIX_TIMESTAMP(update_time) FROM ban b
         WHERE level = 'GLOBAL' AND update_time >= NOW() - INTERVAL ? SECOND ORDER BY update_time, id"
    );
    let rows = session.select_valid(&query, ((since + OVERLAP).as_secs(),), |row| {
        let change = Changed { ban: row.get(0)?, player: row.get(1)?, end: row.get(2)? };
        Ok((change, row.get::<i64>(3)?))
    })?;
    let seen: Seen = rows.iter().map(|(change, at)| (change.ban, (change.end, *at))).collect();
    let is_new = |change: &Changed| known.get(&change.ban) != seen.get(&change.ban);
    let changed = rows.iter().map(|(change, _)| *change).filter(is_new).collect();
    Ok((changed, seen))
}
