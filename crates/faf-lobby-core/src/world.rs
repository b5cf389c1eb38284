//! [`World`]: the driver. Every input and every effect of the lobby passes through it.

use std::sync::Arc;
use std::time::Duration;

use faf_protocol::server_message::{GameInfo, MatchmakerInfo, Player, ServerMessage};
use faf_protocol::{GameId, PlayerId, Secret};
use serde::{Deserialize, Serialize};

use crate::clock::{Moment, next_on_grid};
use crate::connections::{closing, opening, operator, shutdown};
use crate::dispatch;
use crate::games::{Leaving, ending, joining, persistence, visibility};
use crate::io::{ConnId, Effect, Event, LogLine, PoppedSearch, Publication, ReadGameData, RequestId};
use crate::other_services::{avatar_changed, notification};
use crate::settings::Settings;
use crate::sign_in::admission;
use crate::state::{Game, InitialState, Lifecycle, Lobby, Queue, Session, Timer};
use crate::{matches, parties, queues};

/// Time until the rest of a report follows, if too many players have changed for one report.
const REPORT_STEP: Duration = Duration::from_millis(10);

/// The lobby.
///
/// Pass it every event with [`handle`](Self::handle), and call
/// [`handle_timeout`](Self::handle_timeout) at the time that [`next_deadline`](Self::next_deadline)
/// returns. After each call, take all effects with [`poll_effect`](Self::poll_effect) and perform
/// them in order. Time must never go back.
///
/// ```
/// use faf_lobby_core::{ConnId, Effect, Event, InitialState, Moment, Settings, Timestamp, World};
/// use faf_protocol::{ClientMessage, Country, SessionNumber};
/// use std::time::Duration;
///
/// let now = Moment { elapsed: Duration::ZERO, utc: Timestamp::from_seconds(1_767_225_600) };
/// let mut world = World::new(Settings::default(), now, InitialState::default());
/// let conn = ConnId(1);
/// let (address, country) = (None, Country::UNKNOWN);
/// world.handle(now, Event::Connected { conn, address, country, session: SessionNumber(7) });
/// while world.poll_effect().is_some() {}
/// world.handle(now, Event::Received { conn, message: Ok(ClientMessage::Ping) });
/// assert!(matches!(world.poll_effect(), Some(Effect::Send { .. })));
/// assert!(matches!(world.poll_effect(), Some(Effect::Done { .. })));
/// assert_eq!(world.poll_effect(), None);
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct World {
    lobby: Lobby,
}

impl World {
    /// Creates a lobby without players. It waits for the players of the live games in `initial`.
    #[must_use]
    pub fn new(settings: Settings, now: Moment, initial: InitialState) -> Self {
        let InitialState { last_game, mut data, games, queues: saved, seed } = initial;
        let queues = std::mem::take(&mut data.queues);
        let mut lobby = Lobby::new(settings, now, last_game, data, seed);
        queues::receive(&mut lobby, queues);
        queues::expect_back(&mut lobby, saved);
        for game in games {
            joining::resume_game(&mut lobby, game);
        }
        Self { lobby }
    }

    pub(crate) fn lobby(&self) -> &Lobby {
        &self.lobby
    }

    pub(crate) fn lobby_mut(&mut self) -> &mut Lobby {
        &mut self.lobby
    }

    /// Handles an event. Timers that are due run first.
    pub fn handle(&mut self, now: Moment, event: Event) {
        self.handle_timeout(now);
        let lobby = &mut self.lobby;
        match event {
            Event::Connected { conn, address, country, session } => {
                opening::connected(lobby, conn, address, country, session);
            }
            Event::Received { conn, message } => dispatch::received(lobby, conn, message),
            Event::Heard { conn } => {
                if let Some(session) = lobby.sessions.get_mut(&conn) {
                    session.last_heard = now.elapsed;
                }
            }
            Event::Disconnected { conn } => closing::end_session(lobby, conn, Leaving::Lost),
            Event::Replied { reply } => {
                dispatch::replied(lobby, reply);
                dispatch::finish_released(lobby);
                // A login that has its reply makes room for the next one.
                admission::admit(lobby);
                shutdown::wait_for_writes(lobby);
            }
            Event::Banned { player, ban } => operator::banned(lobby, player, &ban),
            Event::Kicked { player, reason } => operator::kicked(lobby, player, reason),
            Event::Notification { to, message } => notification::notify(lobby, to, message),
            Event::AvatarChanged { player } => avatar_changed::avatar_changed(lobby, player),
            Event::Reconfigured { settings } => operator::reconfigured(lobby, *settings),
            Event::Shutdown => shutdown::shutdown(lobby),
        }
        dispatch::finish_released(lobby);
        schedule_report(lobby);
        queues::schedule_save(lobby);
    }

    /// Runs everything that is due.
    pub fn handle_timeout(&mut self, now: Moment) {
        let lobby = &mut self.lobby;
        lobby.now = now;
        if lobby.has_stopped() {
            return shutdown::go_on_closing(lobby);
        }
        while !lobby.has_stopped()
            && let Some(timer) = lobby.timers.take_due(now.elapsed)
        {
            timer_is_due(lobby, timer);
            dispatch::finish_released(lobby);
        }
        if now.elapsed >= lobby.next_ping {
            lobby.next_ping = next_on_grid(now.elapsed, lobby.settings.ping_interval);
            closing::close_silent(lobby);
            lobby.broadcast(ServerMessage::Ping);
        }
        if lobby.next_report.is_some_and(|due| now.elapsed >= due) {
            lobby.next_report = None;
            report(lobby);
        }
        if let Lifecycle::Draining { until } = lobby.lifecycle
            && now.elapsed >= until
        {
            shutdown::stop(lobby);
        }
        schedule_report(lobby);
        queues::schedule_save(lobby);
    }

    /// Returns the time at which [`handle_timeout`](Self::handle_timeout) must be called if no
    /// event comes before.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        let lobby = &self.lobby;
        if lobby.lifecycle == Lifecycle::Stopped {
            return None;
        }
        let draining = match lobby.lifecycle {
            Lifecycle::Draining { until } => Some(until),
            Lifecycle::Closing { next, .. } => return Some(next),
            _ => None,
        };
        [Some(lobby.next_ping), lobby.next_report, draining, lobby.timers.next()].into_iter().flatten().min()
    }

    /// Returns the next effect to perform, if there is one.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.lobby.effects.pop_front()
    }

    /// Returns a copy in which every secret is replaced, for a log that others may read.
    #[must_use]
    pub fn without_secrets(&self, replace: &dyn Fn(&Secret) -> Secret) -> Self {
        let mut world = self.clone();
        world.lobby.replace_secrets(replace);
        world
    }

    /// Returns whether the lobby is closing all connections, or has closed them.
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        self.lobby.has_stopped()
    }

    /// Number of players whose credentials were accepted and who wait to be signed in.
    #[must_use]
    pub fn waiting_logins(&self) -> usize {
        self.lobby.admission.waiting()
    }

    /// Returns all online players, in order of their ids.
    #[must_use]
    pub fn players(&self) -> Vec<Arc<Player>> {
        self.lobby.players.list()
    }

    /// Number of online players.
    #[must_use]
    pub fn player_count(&self) -> usize {
        self.lobby.players.len()
    }

    /// Returns whether a player is online.
    #[must_use]
    pub fn is_online(&self, player: PlayerId) -> bool {
        self.lobby.players.get(player).is_some()
    }

    /// Returns the name of an online player.
    #[must_use]
    pub fn login(&self, player: PlayerId) -> Option<&str> {
        self.lobby.players.get(player).map(|online| online.info.login.as_str())
    }

    /// Returns whether a player searches in the queue with this technical name.
    #[must_use]
    pub fn is_searching(&self, player: PlayerId, queue_name: &str) -> bool {
        let queue = self.lobby.queues.named(queue_name);
        queue.is_some_and(|queue| self.lobby.queues.search_in(queue.data.id, player).is_some())
    }

    /// Number of connections, logged in or not.
    #[must_use]
    pub fn connection_count(&self) -> usize {
        self.lobby.sessions.len()
    }

    /// Returns whether a connection is held that will be released without another event: it was too
    /// fast, or it waits to be signed in.
    #[must_use]
    pub fn will_be_read(&self, conn: ConnId) -> bool {
        let was_too_fast = |session: &Session| {
            let waits_for_an_answer = session.is_busy && session.waiting.is_some();
            !waits_for_an_answer && session.pacing.reads_at() > self.lobby.now.elapsed
        };
        self.lobby.session_if_open(conn).is_some_and(was_too_fast) || self.lobby.admission.is_waiting(conn)
    }

    /// Returns whether no request is pending and no change is unreported. Without a new event, only
    /// pings, rounds of queues, and time limits of games and matches follow then.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.lobby.pending.is_empty()
            && self.lobby.admission.is_idle()
            && !self.lobby.players.has_changes()
            && !self.lobby.parties.has_changes()
            && !self.lobby.queues.has_changes()
            && self.lobby.games.is_settled()
    }

    /// Returns the requests whose reply has not come, each with a description of what waits for it,
    /// for diagnosis.
    #[must_use]
    pub fn pending_requests(&self) -> Vec<(RequestId, String)> {
        self.lobby.pending.list()
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.lobby.settings
    }

    /// Returns the queues of the matchmaker, in the order of their ids.
    pub fn queues(&self) -> impl Iterator<Item = &Queue> {
        self.lobby.queues.iter()
    }

    /// Returns the queues as clients see them; none while the server shuts down.
    #[must_use]
    pub fn queue_infos(&self) -> Arc<MatchmakerInfo> {
        queues::all(&self.lobby)
    }

    /// Returns the searches in a queue as a round that is played now would see them, in the order
    /// in which they began.
    #[must_use]
    pub fn searches(&self, queue: &Queue) -> Vec<PoppedSearch> {
        queues::in_round(&self.lobby, queue)
    }

    /// Returns all known games in order of their ids, including those that are over and not
    /// yet forgotten.
    pub fn games(&self) -> impl Iterator<Item = &Game> {
        self.lobby.games.iter()
    }

    /// Returns all games whose end has not been reported, as a player who sees all of them would.
    #[must_use]
    pub fn game_infos(&self) -> Vec<Arc<GameInfo>> {
        self.lobby.games.current().map(|game| game.info(&self.lobby.players)).collect()
    }

    /// Returns a known game; it may be over and not yet forgotten.
    #[must_use]
    pub fn game(&self, game: GameId) -> Option<&Game> {
        self.lobby.games.get(game)
    }

    /// Returns a known game as a player who sees it would, even after its end has been reported.
    #[must_use]
    pub fn game_info(&self, game: GameId) -> Option<Arc<GameInfo>> {
        self.lobby.games.get(game).map(|game| game.info(&self.lobby.players))
    }
}

/// Calls the rule whose timer is due.
fn timer_is_due(lobby: &mut Lobby, timer: Timer) {
    match timer {
        // A queued sign-in gets a fresh login timeout when it is admitted.
        Timer::Login(conn) if lobby.admission.is_waiting(conn) => {}
        Timer::Login(conn) => {
            lobby.log(LogLine::Refused { conn, reason: "nobody has logged in".to_owned() });
            closing::close(lobby, conn);
        }
        Timer::GameConnection(conn) => joining::game_connection_timed_out(lobby, conn),
        Timer::GameSetup(game) => joining::game_setup_timed_out(lobby, game),
        Timer::Awaited(game) => joining::stop_awaiting(lobby, game),
        Timer::Overdue(game) => ending::game_is_overdue(lobby, game),
        Timer::Pop(queue) => queues::pop_is_due(lobby, queue),
        Timer::SaveQueues => queues::save_is_due(lobby),
        Timer::RenewSave => queues::renewal_is_due(lobby),
        Timer::StopReturning => queues::stop_returning(lobby),
        Timer::Judge => matches::judge_accused(lobby),
        Timer::Match(game) => matches::phase_is_over(lobby, game),
        Timer::StoreAgain(game) => persistence::ask_to_store(lobby, game),
        Timer::ReadData => lobby.request_for_lobby(ReadGameData {}, ()),
        Timer::Admission => admission::admission_is_due(lobby),
        Timer::Read(conn) => dispatch::debt_is_paid(lobby, conn),
        Timer::CloseSilent => closing::close_silent(lobby),
        Timer::CloseIdle => shutdown::close_idle(lobby),
        Timer::CloseLobbies => shutdown::close_lobbies(lobby),
    }
}

/// Reports all changes to clients.
fn report(lobby: &mut Lobby) {
    for list in lobby.players.take_changes().map(Arc::new) {
        lobby.broadcast(ServerMessage::PlayerInfo(Arc::clone(&list)));
        lobby.emit(Effect::Publish(Publication::Players(list)));
    }
    if lobby.players.has_changes() {
        // The other players follow in a moment, and games after them.
        lobby.next_report = Some(lobby.now.elapsed + REPORT_STEP);
        return;
    }
    // Clients must have been sent the players whom a party names.
    parties::report(lobby);
    queues::report(lobby);
    visibility::report_games(lobby);
    let is_draining = matches!(lobby.lifecycle, Lifecycle::Draining { .. });
    if is_draining && !lobby.games.are_going_on() && !lobby.games.has_due_changes() {
        shutdown::stop(lobby);
    }
}

/// Sets the deadline of the next report, if there is something to report.
fn schedule_report(lobby: &mut Lobby) {
    let is_draining = matches!(lobby.lifecycle, Lifecycle::Draining { .. });
    let has_changes = lobby.players.has_changes()
        || lobby.parties.has_changes()
        || lobby.queues.has_changes()
        || lobby.games.has_due_changes();
    if lobby.next_report.is_none() && !lobby.has_stopped() && (has_changes || is_draining) {
        lobby.next_report = Some(next_on_grid(lobby.now.elapsed, lobby.settings.report_interval));
    }
}
