//! [`Change`]: some settings with other values.

use faf_lobby_core::matchmaking::MatchmakingSettings;
use serde_json::{Map, Value};

/// Some settings of the matchmaker with other values, which may be any that their types have; the
/// ranges of the server's configuration are for its caller to check.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change(Map<String, Value>);

/// Reason why a setting cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The order is not `key=value`.
    #[error("`{0}` is not KEY=VALUE")]
    NoPair(String),
    /// There is no such setting.
    #[error("there is no setting `{key}`; there are {}", .known.join(", "))]
    UnknownKey {
        /// The key.
        key: String,
        /// All keys.
        known: Vec<String>,
    },
    /// The setting cannot have this value.
    #[error("{key} = {value}: {problem}")]
    Value {
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// The reason.
        problem: String,
    },
}

impl Change {
    /// Reads changes as they are written on a command line, `queue_pop_time_max=60`. Of two for
    /// the same setting the last one counts.
    ///
    /// # Errors
    /// A [`ChangeError`] for the first order that names no setting or no value for it.
    pub fn read<'a>(orders: impl IntoIterator<Item = &'a str>) -> Result<Self, ChangeError> {
        let known = values(&MatchmakingSettings::default());
        let mut change = Map::new();
        for order in orders {
            let (key, text) = order.split_once('=').ok_or_else(|| ChangeError::NoPair(order.to_owned()))?;
            let (key, text) = (key.trim().to_lowercase(), text.trim());
            if !known.contains_key(&key) {
                return Err(ChangeError::UnknownKey { key, known: known.keys().cloned().collect() });
            }
            let refused = |problem: &str| ChangeError::Value {
                key: key.clone(),
                value: text.to_owned(),
                problem: problem.to_owned(),
            };
            let value: Value = serde_json::from_str(text).map_err(|_| refused("it is not a number"))?;
            if value.as_f64().is_none_or(|number| number < 0.0) {
                return Err(refused("it is not a number from 0"));
            }
            let one = Map::from_iter([(key.clone(), value.clone())]);
            serde_json::from_value::<MatchmakingSettings>(Value::Object(one))
                .map_err(|error| refused(&error.to_string()))?;
            change.insert(key, value);
        }
        Ok(Self(change))
    }

    /// Returns whether all settings stay.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns settings with these changes.
    #[must_use]
    pub fn apply(&self, settings: &MatchmakingSettings) -> MatchmakingSettings {
        let mut changed = values(settings);
        changed.extend(self.0.clone());
        serde_json::from_value(Value::Object(changed)).unwrap_or(*settings)
    }
}

/// Returns all settings by their keys.
fn values(settings: &MatchmakingSettings) -> Map<String, Value> {
    match serde_json::to_value(settings) {
        Ok(Value::Object(values)) => values,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_change_by_their_keys() {
        let orders = ["queue_pop_time_max=60", "NEWBIE_MIN_GAMES = 5", "queue_pop_time_max=61.5"];
        let change = Change::read(orders).unwrap();
        let before = MatchmakingSettings { time_bonus: 0.5, ..MatchmakingSettings::default() };
        let after = MatchmakingSettings { queue_pop_time_max: 61.5, newbie_min_games: 5, ..before };
        assert_eq!(change.apply(&before), after);
        assert_eq!(Change::default().apply(&before), before);
    }

    #[test]
    fn unusable_changes_say_why() {
        for (order, part) in [
            ("queue_pop_time_max", "`queue_pop_time_max` is not KEY=VALUE"),
            ("pop_time=3", "there is no setting `pop_time`; there are high_rated_player_min_rating, "),
            ("time_bonus=much", "time_bonus = much: it is not a number"),
            ("time_bonus=-1", "time_bonus = -1: it is not a number from 0"),
            ("newbie_min_games=2.5", "newbie_min_games = 2.5: invalid type"),
        ] {
            let error = Change::read([order]).unwrap_err().to_string();
            assert!(error.starts_with(part), "{order}: {error}");
        }
    }
}
