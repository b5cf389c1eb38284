//! The queues of the matchmaker, from the rows of a database (matchmaking.md sections 1.1 and 1.2).

use std::collections::BTreeMap;

use faf_lobby_core::MapVersion;
use faf_lobby_core::matchmaking::map_pool::{Bracket, PoolEntry};
use faf_lobby_core::matchmaking::queue::{QueueData, QueueId, TEAM_SIZE_MAX};
use faf_protocol::server_message::Rating;
use faf_protocol::{Json, JsonKind, PoolEntryId};

/// Number of newest games of a leaderboard that count for the rating peak of its queues.
pub const PEAK_GAMES: u32 = 1000;

/// Rating peak of a leaderboard without games.
const PEAK_WITHOUT_GAMES: f64 = 1000.0;

/// Age up to which a game counts for [`recent_maps`](crate::Queues::recent_maps), in seconds.
pub const HISTORY_SECONDS: i64 = 86_400;

/// The rows of the enabled queues, each list in the order of its ids.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QueueRows {
    /// Rows of `matchmaker_queue` that are enabled.
    pub queues: Vec<QueueRow>,
    /// Rows of `matchmaker_queue_map_pool`.
    pub brackets: Vec<BracketRow>,
    /// Rows of `map_pool_map_version`.
    pub entries: Vec<EntryRow>,
}

/// A row of `matchmaker_queue`.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueRow {
    /// Id of the queue.
    pub id: QueueId,
    /// Its technical name.
    pub name: String,
    /// Technical name of the featured mod.
    pub featured_mod: String,
    /// Technical name of the leaderboard.
    pub leaderboard: String,
    /// Number of players in a team.
    pub team_size: i64,
    /// JSON text with the options of the queue's games.
    pub params: Option<String>,
    /// The [`rating_peak`] of the leaderboard.
    pub rating_peak: Option<f64>,
}

/// A row of `matchmaker_queue_map_pool`.
#[derive(Debug, Clone, PartialEq)]
pub struct BracketRow {
    /// Queue of the bracket.
    pub queue: QueueId,
    /// Map pool of the bracket.
    pub pool: u32,
    /// The bracket, without the entries of its pool.
    pub bracket: Bracket,
}

/// A row of `map_pool_map_version`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRow {
    /// Id of the entry.
    pub id: PoolEntryId,
    /// Map pool of the entry.
    pub pool: u32,
    /// Weight of the entry.
    pub weight: i64,
    /// The map version and its file, `maps/FOLDER.zip`, if the entry is a map of the vault.
    pub map: Option<(MapVersion, String)>,
    /// JSON text with the parameters of the map generator; ignored if there is a `map`.
    pub params: Option<String>,
}

/// A row that cannot be used, or a bracket without maps. An operator must correct it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// The queue, bracket or entry.
    pub record: String,
    /// The reason.
    pub problem: String,
}

/// Returns the queues that can be used. A queue without brackets does not exist. `report` gets
/// everything else that is left out, and the brackets without maps, which are not left out.
pub fn queues(rows: QueueRows, mut report: impl FnMut(Unusable)) -> Vec<QueueData> {
    let mut pools: BTreeMap<u32, Vec<PoolEntry>> = BTreeMap::new();
    for row in rows.entries {
        let (id, pool) = (row.id.0, row.pool);
        match row.entry() {
            Ok(entry) => pools.entry(pool).or_default().push(entry),
            Err(problem) => report(Unusable { record: format!("entry {id} of map pool {pool}"), problem }),
        }
    }
    let mut brackets: BTreeMap<QueueId, Vec<Bracket>> = BTreeMap::new();
    for BracketRow { queue, pool, bracket } in rows.brackets {
        let pool = pools.get(&pool).cloned().unwrap_or_default();
        brackets.entry(queue).or_default().push(Bracket { pool, ..bracket });
    }
    let mut queues = Vec::new();
    for row in rows.queues {
        let Some(brackets) = brackets.remove(&row.id) else { continue };
        let record = format!("queue {}", row.name);
        match row.queue(brackets) {
            Ok(queue) => {
                for bracket in queue.brackets.iter().filter(|bracket| bracket.pool.is_empty()) {
                    let record = format!("bracket {} of {record}", bracket.id.0);
                    report(Unusable { record, problem: "its map pool has no maps".to_owned() });
                }
                queues.push(queue);
            }
            Err(problem) => report(Unusable { record, problem }),
        }
    }
    queues
}

/// Returns the mean displayed rating before the newest games of a leaderboard, given the ratings
/// before these games, newest first; `None` without games. Only [`PEAK_GAMES`] of them count.
pub fn rating_peak(newest: impl IntoIterator<Item = Rating>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0.0);
    for rating in newest.into_iter().take(PEAK_GAMES as usize) {
        sum += rating.displayed();
        count += 1.0;
    }
    (count > 0.0).then(|| sum / count)
}

impl QueueRow {
    fn queue(self, brackets: Vec<Bracket>) -> Result<QueueData, String> {
        let Self { id, name, featured_mod, leaderboard, team_size, params, rating_peak } = self;
        let game_options = params.as_deref().map(game_options).transpose();
        Ok(QueueData {
            id,
            name,
            // As in `GameData::featured_mods`.
            featured_mod: featured_mod.to_lowercase(),
            leaderboard,
            team_size: u32::try_from(team_size)
                .ok()
                .filter(|size| (1..=TEAM_SIZE_MAX).contains(size))
                .ok_or_else(|| format!("the team size {team_size} is not from 1 to {TEAM_SIZE_MAX}"))?,
            game_options: game_options
                .map_err(|error| format!("params is not JSON: {error}"))?
                .unwrap_or_default(),
            rating_peak: rating_peak.unwrap_or(PEAK_WITHOUT_GAMES),
            brackets,
        })
    }
}

impl EntryRow {
    fn entry(self) -> Result<PoolEntry, String> {
        let Self { id, weight, map, params, .. } = self;
        let entry = match (map, params) {
            (Some((version, file)), _) => PoolEntry::fixed(id, weight, version, &file),
            (None, Some(params)) => PoolEntry::generated(id, weight, &params),
            (None, None) => return Err("it has neither map_version_id nor map_params".to_owned()),
        };
        entry.map_err(|problem| problem.to_string())
    }
}

/// Returns the member `GameOptions` of `params`, without values that are not scalars. Anything else
/// in `params` is ignored.
fn game_options(params: &str) -> serde_json::Result<BTreeMap<String, Json>> {
    let params: Json = serde_json::from_str(params)?;
    let members: BTreeMap<String, Json> = params.as_ref().parse().unwrap_or_default();
    let options = members.get("GameOptions").and_then(|options| options.as_ref().parse().ok());
    let mut options: BTreeMap<String, Json> = options.unwrap_or_default();
    options.retain(|_, value| {
        matches!(value.as_ref().kind(), JsonKind::String | JsonKind::Number | JsonKind::Boolean)
    });
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;
    use faf_lobby_core::matchmaking::map_pool::PoolMap;
    use faf_lobby_core::matchmaking::vetoes::VetoSettings;
    use faf_protocol::BracketId;

    fn queue_row(id: u32) -> QueueRow {
        QueueRow {
            id: QueueId(id),
            name: format!("q{id}"),
            featured_mod: "FAF".to_owned(),
            leaderboard: "global".to_owned(),
            team_size: 1,
            params: None,
            rating_peak: None,
        }
    }

    fn bracket_row(id: i64, queue: u32, pool: u32) -> BracketRow {
        let (min_rating, max_rating) = (None, Some(id));
        let (id, vetoes) = (BracketId(id), VetoSettings::default());
        let bracket = Bracket { id, min_rating, max_rating, vetoes, pool: Vec::new() };
        BracketRow { queue: QueueId(queue), pool, bracket }
    }

    fn entry_row(id: i64, pool: u32, file: &str) -> EntryRow {
        let map = Some((MapVersion { id: 7, is_ranked: true }, file.to_owned()));
        EntryRow { id: PoolEntryId(id), pool, weight: 1, map, params: None }
    }

    /// Returns the queues of the rows, and the reports.
    fn read(rows: QueueRows) -> (Vec<QueueData>, Vec<String>) {
        let mut reports = Vec::new();
        let report = |Unusable { record, problem }| reports.push(format!("{record}: {problem}"));
        (queues(rows, report), reports)
    }

    #[test]
    fn brackets_get_their_pools_and_queues_their_brackets() {
        let (queues, reports) = read(QueueRows {
            queues: vec![queue_row(1), QueueRow { rating_peak: Some(-4.5), ..queue_row(2) }, queue_row(3)],
            // One pool serves two brackets of a queue (M10), and another queue.
            brackets: vec![
                bracket_row(4, 2, 8),
                bracket_row(5, 1, 8),
                bracket_row(6, 2, 8),
                bracket_row(7, 2, 9),
            ],
            entries: vec![
                entry_row(20, 8, "maps/b.zip"),
                entry_row(21, 9, "maps/c.zip"),
                entry_row(22, 8, "maps/b.zip"),
            ],
        });
        assert!(reports.is_empty(), "{reports:?}");
        let [first, second] = &queues[..] else { panic!("{queues:?}") };
        assert_eq!(
            (first.name.as_str(), first.featured_mod.as_str(), first.rating_peak),
            ("q1", "faf", 1000.0)
        );
        assert_eq!((second.id, second.rating_peak), (QueueId(2), -4.5));
        let brackets = |queue: &QueueData| -> Vec<(i64, Vec<i64>)> {
            let entries = |bracket: &Bracket| bracket.pool.iter().map(|entry| entry.id.0).collect();
            queue.brackets.iter().map(|bracket| (bracket.id.0, entries(bracket))).collect()
        };
        assert_eq!(brackets(first), [(5, vec![20, 22])]);
        assert_eq!(brackets(second), [(4, vec![20, 22]), (6, vec![20, 22]), (7, vec![21])]);
        assert_eq!(second.brackets[0].max_rating, Some(4));
    }

    #[test]
    fn what_cannot_be_used_is_reported_and_hides_nothing_else() {
        let params = |text: &str| Some(text.to_owned());
        let generated = |text| EntryRow { map: None, params: text, ..entry_row(24, 8, "") };
        let (queues, reports) = read(QueueRows {
            queues: vec![
                QueueRow { params: params("{\"GameOptions\"..."), ..queue_row(1) },
                QueueRow { team_size: 0, ..queue_row(2) },
                QueueRow { team_size: 9, ..queue_row(3) },
                QueueRow { team_size: 8, ..queue_row(4) },
                QueueRow { params: params(""), ..queue_row(5) },
            ],
            brackets: (1..=5)
                .map(|id| bracket_row(i64::from(id), id, 8))
                .chain([bracket_row(6, 4, 9)])
                .collect(),
            entries: vec![
                entry_row(20, 8, "maps/a/b.zip"),
                entry_row(21, 8, "maps/a.zip"),
                EntryRow { weight: -1, ..entry_row(22, 8, "maps/b.zip") },
                generated(params(r#"{"type": "neroxis", "version": "1.7.7", "size": "512", "spawns": 4}"#)),
                generated(params(r#"{"type": "neroxis", "version": "1.7.7", "size": 513, "spawns": 4}"#)),
                generated(None),
            ],
        });
        let [queue] = &queues[..] else { panic!("{queues:?}") };
        assert_eq!((queue.id, queue.team_size), (QueueId(4), 8));
        let pool = &queue.brackets[0].pool;
        assert_eq!(pool.iter().map(|entry| entry.id.0).collect::<Vec<_>>(), [21, 24]);
        assert!(matches!(pool[1].map, PoolMap::Generated(_)));
        let begins = [
            "entry 20 of map pool 8: the file of the map is not maps/<folder>.zip",
            "entry 22 of map pool 8: the weight -1 is not",
            "entry 24 of map pool 8: ",
            "entry 24 of map pool 8: it has neither map_version_id nor map_params",
            "queue q1: params is not JSON: ",
            "queue q2: the team size 0 is not from 1 to 8",
            "queue q3: the team size 9 is not from 1 to 8",
            "bracket 6 of queue q4: its map pool has no maps",
            "queue q5: params is not JSON: ",
        ];
        assert_eq!(reports.len(), begins.len(), "{reports:#?}");
        for (report, begin) in reports.iter().zip(begins) {
            assert!(report.starts_with(begin), "{report}");
        }
    }

    #[test]
    fn game_options_are_an_object_of_scalars() {
        for (params, expected) in [
            (
                r#"{"GameOptions": {"Share": "ShareUntilDeath", "UnitCap": 1500}}"#,
                r#"{"Share":"ShareUntilDeath","UnitCap":1500}"#,
            ),
            (
                r#"{"GameOptions": {"A": true, "B": null, "C": [1], "D": {"x": 1}, "E": 1.50}}"#,
                r#"{"A":true,"E":1.50}"#,
            ),
            (r#"{"GameOptions": [["Share", 1]], "Other": {"A": 1}}"#, "{}"),
            (r#"[{"A": 1}]"#, "{}"),
            ("{}", "{}"),
            ("null", "{}"),
        ] {
            let options = game_options(params).unwrap();
            assert_eq!(serde_json::to_string(&options).unwrap(), expected, "{params}");
        }
        assert!(game_options("{} {}").is_err());
    }

    #[test]
    fn rating_peak_is_the_mean_of_the_newest_games() {
        let rating = |mean, deviation| Rating { mean, deviation };
        assert_eq!(rating_peak([]), None);
        assert_eq!(rating_peak([rating(1500.0, 500.0), rating(1300.0, 100.0)]), Some(500.0));
        let many = vec![rating(900.0, 0.0); 1000].into_iter().chain([rating(0.0, 9000.0)]);
        assert_eq!(rating_peak(many), Some(900.0));
    }
}
