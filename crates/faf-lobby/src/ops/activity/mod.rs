//! Recent activity, for the status page.
//!
//! The log observes the effects of the lobby, whether a page is open or not, and keeps the
//! newest entries.

mod matches;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use faf_lobby_core::validity::Validity;
use faf_lobby_core::{Decision, Effect, LogLine, Timestamp, World, escaped};
use faf_protocol::server_message::{GameInfo, Visibility};
use faf_protocol::{GameId, ServerMessage};
use serde::{Serialize, Serializer};
use tokio::sync::watch;

use crate::clock::utc_now;

pub(crate) use matches::RecentMatch;
use matches::RecentMatches;

/// Number of entries that are kept: they fit on a page.
const KEPT_ENTRIES: usize = 50;

/// Number of reasons shown for a game, at most.
const REASONS: usize = 5;

/// Longest reason, in characters.
const REASON_LIMIT: usize = 200;

/// The newest entries, and a count of all changes of the data on the page.
#[derive(Debug, Default)]
pub(crate) struct ActivityLog {
    changes: watch::Sender<u64>,
    recent: Mutex<VecDeque<Arc<Activity>>>,
    matches: Mutex<RecentMatches>,
}

/// An entry.
#[derive(Debug, Serialize)]
pub(crate) struct Activity {
    /// Number of the entry, from 1.
    number: u64,
    #[serde(serialize_with = "as_text")]
    at: Timestamp,
    #[serde(flatten)]
    what: ActivityKind,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
enum ActivityKind {
    CameOnline { login: String },
    Left { login: String },
    GameOpened { title: String, host: String, id: GameId },
    GameLaunched { title: String, players: usize, id: GameId },
    GameEnded { title: String, validity: Validity, id: GameId, why: Vec<String> },
}

impl ActivityLog {
    /// Observes an effect before it is executed.
    pub(crate) fn observe(&self, effect: &Effect, world: &World) {
        match effect {
            Effect::Log(line) => match ActivityKind::of(line, world) {
                Some(what) => self.add(what),
                None => return,
            },
            Effect::Queue(event) => self.lock_matches().observe(event, world),
            Effect::Send {
                message:
                    ServerMessage::PlayerInfo(_) | ServerMessage::GameInfo(_) | ServerMessage::MatchmakerInfo(_),
                ..
            } => {}
            _ => return,
        }
        // This costs almost nothing while nobody waits for it.
        self.changes.send_modify(|changes| *changes = changes.wrapping_add(1));
    }

    /// Returns the count of changes, to be waited for.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Returns all entries, newest last.
    pub(crate) fn recent(&self) -> Vec<Arc<Activity>> {
        self.lock().iter().cloned().collect()
    }

    /// Returns the last matches, newest last.
    pub(crate) fn matches(&self) -> Vec<Arc<RecentMatch>> {
        self.lock_matches().all()
    }

    fn add(&self, what: ActivityKind) {
        let mut recent = self.lock();
        let number = recent.back().map_or(1, |last| last.number + 1);
        if recent.len() == KEPT_ENTRIES {
            recent.pop_front();
        }
        recent.push_back(Arc::new(Activity { number, at: utc_now(), what }));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Arc<Activity>>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_matches(&self) -> std::sync::MutexGuard<'_, RecentMatches> {
        self.matches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ActivityKind {
    /// Returns the entry for a line of the log, or `None` if the line is not for the public.
    fn of(line: &LogLine, world: &World) -> Option<Self> {
        match line {
            LogLine::LoggedIn { login, .. } => Some(Self::CameOnline { login: shown(login) }),
            LogLine::LoggedOut { login, .. } => Some(Self::Left { login: shown(login) }),
            LogLine::GameOpened { game } => {
                let GameInfo { title, host, .. } = public(*game, world)?;
                Some(Self::GameOpened { id: *game, title: shown(&title), host: shown(&host) })
            }
            LogLine::GameLaunched { game, players } => {
                let GameInfo { title, .. } = public(*game, world)?;
                Some(Self::GameLaunched { id: *game, title: shown(&title), players: *players })
            }
            LogLine::GameEnded { game, validity } => {
                let GameInfo { title, .. } = public(*game, world)?;
                let why = world.game(*game).map(|game| reasons(game.decisions())).unwrap_or_default();
                Some(Self::GameEnded { id: *game, title: shown(&title), validity: *validity, why })
            }
            // The public sees nothing else, and no line of a new kind unless it is added here.
            _ => None,
        }
    }
}

/// Escapes a text for people.
fn shown(text: &str) -> String {
    escaped(text).to_string()
}

/// Returns the decisive reasons why a game is rated or not. Others are left out, because every page
/// gets the reasons with every overview.
fn reasons(decisions: &[Decision]) -> Vec<String> {
    let is_decisive = |decision: &&Decision| match decision {
        Decision::Check(check) => check.is_hit,
        Decision::Rated { .. } | Decision::NotRated { .. } | Decision::RatingFailed { .. } => true,
        _ => false,
    };
    let decisive = decisions.iter().filter(is_decisive).take(REASONS);
    decisive.map(|decision| shown(&decision.to_string()).chars().take(REASON_LIMIT).collect()).collect()
}

/// Returns whether a game is public: it is limited neither to friends nor to some ratings. The
/// host's foes do not see it in their clients, but may know of it.
pub(crate) fn is_for_everybody(game: &GameInfo) -> bool {
    game.visibility == Visibility::Public && !game.enforce_rating_range
}

/// Returns a game, if it is public.
fn public(game: GameId, world: &World) -> Option<GameInfo> {
    let info = world.game_info(game).filter(|info| is_for_everybody(info))?;
    Some(Arc::unwrap_or_clone(info))
}

/// Serializes a time in ISO 8601, as everywhere in the protocol.
pub(crate) fn as_text<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

#[cfg(test)]
mod tests {
    use faf_lobby_core::{ConnId, InitialState, Moment, Settings};
    use faf_protocol::PlayerId;
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_the_newest_are_kept_and_all_are_counted() {
        let log = ActivityLog::default();
        let now = Moment { elapsed: Duration::ZERO, utc: Timestamp(0) };
        let world = World::new(Settings::default(), now, InitialState::default());
        let logged_in = |number: u32| {
            Effect::Log(LogLine::LoggedIn {
                conn: ConnId(number.into()),
                player: PlayerId(number),
                login: format!("player{number}"),
            })
        };
        for number in 1..=80 {
            log.observe(&logged_in(number), &world);
        }
        // Nothing on the page has changed.
        log.observe(&Effect::Stop, &world);
        assert_eq!(*log.changes().borrow(), 80);
        let recent = log.recent();
        assert_eq!((recent.len(), recent[0].number, recent[49].number), (50, 31, 80));
        assert_eq!(recent[49].what, ActivityKind::CameOnline { login: "player80".to_owned() });
    }

    #[test]
    fn names_are_escaped() {
        let now = Moment { elapsed: Duration::ZERO, utc: Timestamp(0) };
        let world = World::new(Settings::default(), now, InitialState::default());
        let login = "A\u{202e}da".to_owned();
        let line = LogLine::LoggedIn { conn: ConnId(1), player: PlayerId(1), login };
        assert_eq!(
            ActivityKind::of(&line, &world),
            Some(ActivityKind::CameOnline { login: r"A\u{202e}da".to_owned() })
        );
    }

    #[test]
    fn private_events_are_not_shown() {
        let now = Moment { elapsed: Duration::ZERO, utc: Timestamp(0) };
        let world = World::new(Settings::default(), now, InitialState::default());
        let banned = LogLine::Banned { player: PlayerId(1), login: "Ada".to_owned() };
        assert_eq!(ActivityKind::of(&banned, &world), None);
        // It cannot be known whether an unknown game is public.
        assert_eq!(ActivityKind::of(&LogLine::GameOpened { game: GameId(7) }, &world), None);
    }
}
