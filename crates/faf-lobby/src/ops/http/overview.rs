//! The overview of the lobby for everybody who can reach the port: the status page shows it.
//!
//! Games that are not for everybody are only counted, and what players do is nobody's business. Texts of clients are
//! [escaped](faf_lobby_core::escaped), since people read them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use faf_lobby_core::{Timestamp, World, escaped};
use faf_protocol::GameId;
use faf_protocol::server_message::{GameInfo, GameInfoState, Player};
use serde::{Serialize, Serializer};
use tokio::sync::{Mutex, Semaphore, watch};

use super::Interface;
use super::status_page::STREAMS;
use crate::clock::utc_now;
use crate::ops::activity::{Activity, ActivityLog, as_text, is_for_everybody};

/// An overview is at least this old before the lobby is asked for another one, however many want one.
const PACE: Duration = Duration::from_secs(1);

/// What one page may be sent a second, in bytes. With thousands of players, an overview is sent less often than every
/// [`PACE`].
const RATE: u32 = 256 * 1024;

/// The newest overview, shared by all who look at it.
#[derive(Debug)]
pub(crate) struct Board {
    activity: Arc<ActivityLog>,
    newest: Mutex<Option<Made>>,
    /// Places for pages that are told of changes.
    pub(super) streams: Arc<Semaphore>,
}

/// An overview that was made.
#[derive(Debug, Clone)]
pub(super) struct Made {
    /// How often anything had changed before.
    pub(super) changes: u64,
    /// As pages that are told of changes get it; encoded once for all.
    pub(super) event: Bytes,
    at: Instant,
}

/// What stands around the JSON in an event.
const EVENT: [&[u8]; 2] = [b"data: ", b"\n\n"];

impl Made {
    fn json(&self) -> Bytes {
        self.event.slice(EVENT[0].len()..self.event.len() - EVENT[1].len())
    }

    /// When another one may be made.
    pub(super) fn is_old_at(&self) -> Instant {
        let size = u32::try_from(self.event.len()).unwrap_or(u32::MAX);
        self.at + PACE.max(Duration::from_secs(1).saturating_mul(size) / RATE)
    }
}

impl Board {
    /// For an interface with so many connections, at most half of which are streams.
    pub(crate) fn new(activity: Arc<ActivityLog>, connections: usize) -> Self {
        let streams = Arc::new(Semaphore::new(STREAMS.min(connections / 2)));
        Self { activity, newest: Mutex::default(), streams }
    }

    /// How often anything has changed.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.activity.changes()
    }
}

impl Interface {
    /// An overview that is not [old](Made::is_old_at).
    pub(super) async fn overview(&self) -> Result<Made, StatusCode> {
        // Others wait here for the one that is being made.
        let mut newest = self.board.newest.lock().await;
        if let Some(made) = newest.as_ref().filter(|made| Instant::now() < made.is_old_at()) {
            return Ok(made.clone());
        }
        let activity = Arc::clone(&self.board.activity);
        let seen = self.inspect(move |world| Seen::of(world, &activity)).await?;
        let overview = Overview::of(&seen, utc_now(), self.started.elapsed());
        let json = serde_json::to_vec(&overview).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        let event = [EVENT[0], &json, EVENT[1]].concat().into();
        let made = Made { changes: seen.changes, event, at: Instant::now() };
        Ok(newest.insert(made).clone())
    }
}

/// Answers `GET /overview`.
pub(super) async fn overview(State(interface): State<Interface>) -> Result<Response, StatusCode> {
    let made = interface.overview().await?;
    // Pages that ask every few seconds must not keep the places of all connections.
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store"), (CONNECTION, "close")];
    Ok((headers, made.json()).into_response())
}

/// What is taken from the lobby while it stands still: mostly references.
struct Seen {
    changes: u64,
    players: Vec<Arc<Player>>,
    games: Vec<Arc<GameInfo>>,
    activity: Vec<Arc<Activity>>,
}

impl Seen {
    fn of(world: &World, activity: &ActivityLog) -> Self {
        Self {
            changes: *activity.changes().borrow(),
            players: world.players(),
            games: world.game_infos(),
            activity: activity.recent(),
        }
    }
}

#[derive(Debug, Serialize)]
struct Overview<'a> {
    server: About,
    /// Everybody who is online, by number of the account.
    players: Vec<OnlinePlayer<'a>>,
    /// Games that can be joined, the oldest first.
    open: Vec<OpenGame<'a>>,
    /// Games that are played, the oldest first.
    live: Vec<LiveGame<'a>>,
    /// How many games are for friends or for some ratings only.
    restricted: Restricted,
    /// The newest last.
    #[serde(rename = "happenings")]
    activity: &'a [Arc<Activity>],
}

#[derive(Debug, Serialize)]
struct About {
    name: &'static str,
    version: &'static str,
    uptime_seconds: u64,
    /// When the overview was made.
    #[serde(serialize_with = "as_text")]
    time: Timestamp,
}

#[derive(Debug, Serialize)]
struct OnlinePlayer<'a> {
    #[serde(serialize_with = "as_shown")]
    login: &'a str,
    clan: Option<String>,
    country: &'a str,
    /// The global one, as clients show it.
    rating: i64,
}

#[derive(Debug, Serialize)]
struct OpenGame<'a> {
    id: GameId,
    #[serde(serialize_with = "as_shown")]
    title: &'a str,
    #[serde(serialize_with = "as_shown")]
    host: &'a str,
    #[serde(serialize_with = "as_shown")]
    map: &'a str,
    #[serde(serialize_with = "as_shown")]
    featured_mod: &'a str,
    players: usize,
    slots: i64,
    password_protected: bool,
    rating_min: Option<f64>,
    rating_max: Option<f64>,
    opened_at: &'a str,
}

#[derive(Debug, Serialize)]
struct LiveGame<'a> {
    id: GameId,
    #[serde(serialize_with = "as_shown")]
    title: &'a str,
    #[serde(serialize_with = "as_shown")]
    host: &'a str,
    #[serde(serialize_with = "as_shown")]
    map: &'a str,
    #[serde(serialize_with = "as_shown")]
    featured_mod: &'a str,
    /// Names by number of the team: -1 observes, 1 has no team.
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
    fn of(seen: &'a Seen, time: Timestamp, uptime: Duration) -> Self {
        let mut overview = Self {
            server: About {
                name: env!("CARGO_PKG_NAME"),
                version: env!("CARGO_PKG_VERSION"),
                uptime_seconds: uptime.as_secs(),
                time,
            },
            players: seen.players.iter().map(|player| OnlinePlayer::of(player)).collect(),
            open: Vec::new(),
            live: Vec::new(),
            restricted: Restricted::default(),
            activity: &seen.activity,
        };
        for game in &seen.games {
            overview.add(game);
        }
        overview
    }

    fn add(&mut self, game: &'a GameInfo) {
        let GameInfo { uid: id, title, host, mapname: map, featured_mod, .. } = game;
        let restricted = (!is_for_everybody(game)).then_some(&mut self.restricted);
        // A lobby that its host's game has not opened yet cannot be joined.
        match (game.state, &game.hosted_at, game.launched_at) {
            (GameInfoState::Open, Some(opened_at), _) => match restricted {
                Some(counts) => counts.open += 1,
                None => self.open.push(OpenGame {
                    id: *id,
                    title,
                    host,
                    map,
                    featured_mod,
                    players: game.num_players,
                    slots: game.max_players,
                    password_protected: game.password_protected,
                    rating_min: game.rating_min,
                    rating_max: game.rating_max,
                    opened_at,
                }),
            },
            (GameInfoState::Playing, _, Some(launched_at)) => match restricted {
                Some(counts) => counts.live += 1,
                None => self.live.push(LiveGame {
                    id: *id,
                    title,
                    host,
                    map,
                    featured_mod,
                    teams: game.teams.0.iter().map(|(team, names)| (*team, all_shown(names))).collect(),
                    launched_at: Timestamp((launched_at * 1e6) as i64),
                }),
            },
            _ => {}
        }
    }
}

impl<'a> OnlinePlayer<'a> {
    fn of(player: &'a Player) -> Self {
        let rating = player.global_rating;
        Self {
            login: &player.login,
            clan: player.clan.as_deref().map(|clan| escaped(clan).to_string()),
            country: player.country.as_str(),
            rating: (rating.mean - 3.0 * rating.deviation).round() as i64,
        }
    }
}

fn as_shown<S: Serializer>(text: &&str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&escaped(text))
}

fn all_shown(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| escaped(text).to_string()).collect()
}
