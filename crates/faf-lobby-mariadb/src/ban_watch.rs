//! Bans that other services make and change: the server looks for them, because it must not add
//! triggers to FAF's tables.
//!
//! New bans are looked for by their numbers, which are indexed, so that the cost of a look does not
//! grow with the table. Changed bans are looked for more rarely, by the time of the change, which
//! is not indexed.
//!
//! That time has whole seconds, and a transaction may commit after one that began later. So each
//! look includes what is a minute old, and what was seen before is left out.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use faf_protocol::PlayerId;

use crate::bans::BAN_END;
use crate::error::Result;
use crate::session::Session;
use crate::shared::Shared;

/// Each look for changes includes those that were made up to this time before the previous look.
const OVERLAP: Duration = Duration::from_secs(60);

/// Changes that were seen, and orders of a database without tables for them.
#[derive(Debug, Default)]
pub(crate) struct BanWatch {
    known: Known,
    /// Orders that have no table, with their players.
    pub(crate) orders: BTreeMap<i64, PlayerId>,
    last_order: i64,
}

/// Knowledge after a look.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// Bans that are new or were changed.
    seen: Seen,
    /// When the previous look for changes was.
    looked_for_changes: Option<Instant>,
    /// The highest number at that look.
    highest: u64,
    /// The highest number at the look for changes before that: higher ones are new.
    old: u64,
}

/// The end of each ban and the time of its last change, by number of the ban.
type Seen = BTreeMap<u64, (i64, i64)>;

/// A changed ban.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) ban: u64,
    pub(crate) player: u32,
    pub(crate) end: i64,
}

impl BanWatch {
    /// Records a look: later changes are new.
    pub(crate) fn looked(&mut self, known: Known) {
        self.known = known;
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
    let (_, known) = look_for_changes(session, &Known::default())?;
    let known = Known { old: known.highest, ..known };
    shared.bans.lock().unwrap_or_else(PoisonError::into_inner).looked(known);
    Ok(())
}

/// Returns the bans that are new or were changed since the previous look, and what is known now.
pub(crate) fn look(session: &mut Session, shared: &Shared) -> Result<(Vec<Changed>, Known)> {
    let known = shared.bans.lock().unwrap_or_else(PoisonError::into_inner).known.clone();
    let pause = shared.options.ban_changes_interval;
    match known.looked_for_changes.is_some_and(|at| at.elapsed() < pause) {
        true => {
            let (changed, seen) = select(session, &known, "id > ? ORDER BY id", known.old)?;
            let seen = known.seen.into_iter().chain(seen).collect();
            Ok((changed, Known { seen, ..known }))
        }
        false => look_for_changes(session, &known),
    }
}

fn look_for_changes(session: &mut Session, known: &Known) -> Result<(Vec<Changed>, Known)> {
    let now = Instant::now();
    let since = known.looked_for_changes.map(|at| now - at).unwrap_or_default() + OVERLAP;
    let highest = session.one("SELECT COALESCE(MAX(id), 0) FROM ban", (), |row| row.get(0))?;
    let condition = "update_time >= NOW() - INTERVAL ? SECOND ORDER BY update_time, id";
    let (changed, seen) = select(session, known, condition, since.as_secs())?;
    Ok((changed, Known { seen, looked_for_changes: Some(now), highest, old: known.highest }))
}

/// Returns the bans from the lobby that fulfil a condition and are not known, and all that do.
fn select(session: &mut Session, known: &Known, condition: &str, value: u64) -> Result<(Vec<Changed>, Seen)> {
    let query = format!(
        "SELECT id, player_id, {BAN_END}, UNIX_TIMESTAMP(update_time) FROM ban b
         WHERE level = 'GLOBAL' AND {condition}"
    );
    let rows = session.select_valid(&query, (value,), |row| {
        let change = Changed { ban: row.get(0)?, player: row.get(1)?, end: row.get(2)? };
        Ok((change, row.get::<i64>(3)?))
    })?;
    let seen: Seen = rows.iter().map(|(change, at)| (change.ban, (change.end, *at))).collect();
    let is_new = |change: &Changed| known.seen.get(&change.ban) != seen.get(&change.ban);
    let changed = rows.iter().map(|(change, _)| *change).filter(is_new).collect();
    Ok((changed, seen))
}
