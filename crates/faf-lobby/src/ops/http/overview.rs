//! The overview of the lobby for everyone who can reach the port: the status page shows it.
//!
//! It only counts searches for matches, and games that are not public. It shows nothing about
//! single players but their names, countries, global ratings and matches. Texts of clients are
//! [escaped](faf_lobby_core::escaped), since people read them.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use faf_lobby_core::{Queue, Timestamp, World, escaped};
use faf_protocol::GameId;
use faf_protocol::server_message::{GameInfo, GameInfoState, MatchmakerInfo, Player, QueueInfo};
use serde::{Serialize, Serializer};
use tokio::sync::{Mutex, Semaphore, watch};

use super::Interface;
use super::status_page::STREAMS;
use crate::clock::utc_now;
use crate::ops::activity::{Activity, ActivityLog, RecentMatch, as_text, is_for_everybody};

/// Minimum age of an overview before the lobby is asked for another one, however many clients
/// want one.
const PACE: Duration = Duration::from_secs(1);

/// Limit of bytes per second for one page. With thousands of players, an overview is sent less
/// often than every [`PACE`].
const RATE: u32 = 256 * 1024;

/// The newest overview, shared by all clients.
#[derive(Debug)]
pub(crate) struct OverviewCache {
    activity: Arc<ActivityLog>,
    newest: Mutex<Option<CachedOverview>>,
    /// Permits for pages that receive changes.
    pub(super) streams: Arc<Semaphore>,
}

/// An encoded overview with its age.
#[derive(Debug, Clone)]
pub(super) struct CachedOverview {
    /// Number of changes of the lobby before it.
    pub(super) changes: u64,
    /// The event for pages that receive changes, encoded once for all.
    pub(super) event: Bytes,
    at: Instant,
}

/// Bytes before and after the JSON in an event.
const EVENT: [&[u8]; 2] = [b"data: ", b"\n\n"];

impl CachedOverview {
    fn json(&self) -> Bytes {
        self.event.slice(EVENT[0].len()..self.event.len() - EVENT[1].len())
    }

    /// Returns the time after which another one may be made.
    pub(super) fn expires_at(&self) -> Instant {
        let size = u32::try_from(self.event.len()).unwrap_or(u32::MAX);
        self.at + PACE.max(Duration::from_secs(1).saturating_mul(size) / RATE)
    }
}

impl OverviewCache {
    /// Creates the cache for an interface with this many connections, at most half of which
    /// are streams.
    pub(crate) fn new(activity: Arc<ActivityLog>, connections: usize) -> Self {
        let streams = Arc::new(Semaphore::new(STREAMS.min(connections / 2)));
        Self { activity, newest: Mutex::default(), streams }
    }

    /// Returns the number of changes, which can be waited for.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.activity.changes()
    }
}

impl Interface {
    /// Returns an overview that has not [expired](CachedOverview::expires_at).
    pub(super) async fn overview(&self) -> Result<CachedOverview, StatusCode> {
        // Other requests wait here for the one that is being made.
        let mut newest = self.board.newest.lock().await;
        if let Some(cached) = newest.as_ref().filter(|cached| Instant::now() < cached.expires_at()) {
            return Ok(cached.clone());
        }
        let activity = Arc::clone(&self.board.activity);
        let snapshot = self.inspect(move |world| Snapshot::of(world, &activity)).await?;
        #[cfg_attr(not(feature = "nats"), allow(unused_mut, reason = "only a core adds something"))]
        let mut overview = Overview::of(&snapshot, utc_now(), self.started.elapsed());
        #[cfg(feature = "nats")]
        {
            overview.server.core = self.core.as_ref().and_then(super::core::CoreInterface::shown);
        }
        let json = serde_json::to_vec(&overview).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        let event = [EVENT[0], &json, EVENT[1]].concat().into();
        let cached = CachedOverview { changes: snapshot.changes, event, at: Instant::now() };
        Ok(newest.insert(cached).clone())
    }
}

/// Handles `GET /overview`.
pub(super) async fn overview(State(interface): State<Interface>) -> Result<Response, StatusCode> {
    let cached = interface.overview().await?;
    // Pages that poll every few seconds must not keep connections occupied.
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store"), (CONNECTION, "close")];
    Ok((headers, cached.json()).into_response())
}

/// State taken from the lobby while it is paused: mostly references.
struct Snapshot {
    changes: u64,
    players: Vec<Arc<Player>>,
    games: Vec<Arc<GameInfo>>,
    activity: Vec<Arc<Activity>>,
    queues: Arc<MatchmakerInfo>,
    /// Number of searches without a match, by queue and reason.
    unmatched: BTreeMap<String, BTreeMap<&'static str, usize>>,
    matches: Vec<Arc<RecentMatch>>,
}

impl Snapshot {
    fn of(world: &World, activity: &ActivityLog) -> Self {
        Self {
            changes: *activity.changes().borrow(),
            players: world.players(),
            games: world.game_infos(),
            activity: activity.recent(),
            queues: world.queue_infos(),
            unmatched: world.queues().map(|queue| (queue.data().name.clone(), unmatched(queue))).collect(),
            matches: activity.matches(),
        }
    }
}

/// Counts the searches without a match by reason.
fn unmatched(queue: &Queue) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for reason in queue.reasons() {
        *counts.entry(reason.kind()).or_insert(0) += 1;
    }
    counts
}

#[derive(Debug, Serialize)]
struct Overview<'a> {
    server: About,
    /// Everyone who is online, by account number.
    players: Vec<OnlinePlayer<'a>>,
    /// Games that can be joined, oldest first.
    open: Vec<ListedGame<'a, Open<'a>>>,
    /// Games in progress, oldest first.
    live: Vec<ListedGame<'a, Live>>,
    /// Number of games that are limited to friends or to some ratings.
    restricted: Restricted,
    /// Activity, newest last.
    activity: &'a [Arc<Activity>],
    /// The queues of the matchmaker, in the order of their ids.
    queues: Vec<ListedQueue<'a>>,
    /// The last matches, newest last.
    matches: &'a [Arc<RecentMatch>],
}

#[derive(Debug, Serialize)]
struct ListedQueue<'a> {
    #[serde(serialize_with = "serialize_escaped")]
    name: &'a str,
    team_size: u32,
    /// Number of players who search.
    players: u32,
    /// Time of the next round.
    next_round: &'a str,
    /// How long a search takes, if that is known.
    estimated_wait_seconds: Option<u64>,
    /// Why searches have no match, the most common reason first.
    unmatched: Vec<Unmatched>,
}

#[derive(Debug, Serialize)]
struct Unmatched {
    reason: &'static str,
    searches: usize,
}

#[derive(Debug, Serialize)]
struct About {
    name: &'static str,
    version: &'static str,
    uptime_seconds: u64,
    /// Time when the overview was made.
    #[serde(serialize_with = "as_text")]
    time: Timestamp,
    /// Its part in a cluster, if it is a core of one.
    #[cfg(feature = "nats")]
    #[serde(skip_serializing_if = "Option::is_none")]
    core: Option<super::core::ShownCore>,
}

#[derive(Debug, Serialize)]
struct OnlinePlayer<'a> {
    #[serde(serialize_with = "serialize_escaped")]
    login: &'a str,
    clan: Option<String>,
    country: &'a str,
    /// Global rating, as clients show it.
    rating: i64,
}

/// A game, with what is shown of games in its state.
#[derive(Debug, Serialize)]
struct ListedGame<'a, S> {
    id: GameId,
    #[serde(serialize_with = "serialize_escaped")]
    title: &'a str,
    #[serde(serialize_with = "serialize_escaped")]
    host: &'a str,
    #[serde(serialize_with = "serialize_escaped")]
    map: &'a str,
    #[serde(serialize_with = "serialize_escaped")]
    featured_mod: &'a str,
    #[serde(flatten)]
    state: S,
}

#[derive(Debug, Serialize)]
struct Open<'a> {
    players: usize,
    slots: i64,
    password_protected: bool,
    rating_min: Option<f64>,
    rating_max: Option<f64>,
    opened_at: &'a str,
}

#[derive(Debug, Serialize)]
struct Live {
    /// Names by team number: -1 means observers, 1 means no team.
    teams: BTreeMap<i64, Vec<String>>,
    #[serde(serialize_with = "as_text")]
    launched_at: Timestamp,
}

#[derive(Debug, Default, PartialEq, Serialize)]
struct Restricted {
    open: usize,
    live: usize,
}

impl<'a> Overview<'a> {
    fn of(snapshot: &'a Snapshot, time: Timestamp, uptime: Duration) -> Self {
        let mut overview = Self {
            server: About {
                name: env!("CARGO_PKG_NAME"),
                version: env!("CARGO_PKG_VERSION"),
                uptime_seconds: uptime.as_secs(),
                time,
                #[cfg(feature = "nats")]
                core: None,
            },
            players: snapshot.players.iter().map(|player| OnlinePlayer::of(player)).collect(),
            open: Vec::new(),
            live: Vec::new(),
            restricted: Restricted::default(),
            activity: &snapshot.activity,
            queues: snapshot
                .queues
                .queues
                .iter()
                .map(|queue| ListedQueue::of(queue, &snapshot.unmatched))
                .collect(),
            matches: &snapshot.matches,
        };
        for game in &snapshot.games {
            overview.add(game);
        }
        overview
    }

    fn add(&mut self, game: &'a GameInfo) {
        let restricted = (!is_for_everybody(game)).then_some(&mut self.restricted);
        // Until the host's game has opened its lobby, nobody can join it.
        match (game.state, &game.hosted_at, game.launched_at) {
            (GameInfoState::Open, Some(opened_at), _) => match restricted {
                Some(counts) => counts.open += 1,
                None => {
                    let open = Open {
                        players: game.num_players,
                        slots: game.max_players,
                        password_protected: game.password_protected,
                        rating_min: game.rating_min,
                        rating_max: game.rating_max,
                        opened_at,
                    };
                    self.open.push(ListedGame::of(game, open));
                }
            },
            (GameInfoState::Playing, _, Some(launched_at)) => match restricted {
                Some(counts) => counts.live += 1,
                None => {
                    let teams = game.teams.0.iter().map(|(team, names)| (*team, all_escaped(names)));
                    let launched_at = Timestamp((launched_at * 1e6) as i64);
                    self.live.push(ListedGame::of(game, Live { teams: teams.collect(), launched_at }));
                }
            },
            _ => {}
        }
    }
}

impl<'a, S> ListedGame<'a, S> {
    fn of(game: &'a GameInfo, state: S) -> Self {
        let GameInfo { uid, title, host, mapname: map, featured_mod, .. } = game;
        Self { id: *uid, title, host, map, featured_mod, state }
    }
}

impl<'a> ListedQueue<'a> {
    fn of(queue: &'a QueueInfo, unmatched: &BTreeMap<String, BTreeMap<&'static str, usize>>) -> Self {
        let counts = unmatched.get(&queue.queue_name).into_iter().flatten();
        let mut unmatched: Vec<_> =
            counts.map(|(reason, searches)| Unmatched { reason, searches: *searches }).collect();
        unmatched.sort_by_key(|unmatched| Reverse(unmatched.searches));
        Self {
            name: &queue.queue_name,
            team_size: queue.team_size,
            players: queue.num_players,
            next_round: &queue.queue_pop_time,
            estimated_wait_seconds: queue.estimated_wait_seconds,
            unmatched,
        }
    }
}

impl<'a> OnlinePlayer<'a> {
    fn of(player: &'a Player) -> Self {
        Self {
            login: &player.login,
            clan: player.clan.as_deref().map(|clan| escaped(clan).to_string()),
            country: player.country.as_str(),
            rating: player.global_rating.displayed().round() as i64,
        }
    }
}

fn serialize_escaped<S: Serializer>(text: &&str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&escaped(text))
}

fn all_escaped(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| escaped(text).to_string()).collect()
}
