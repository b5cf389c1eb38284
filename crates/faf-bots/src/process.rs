//! The commands of a game process during a battle, and of its ICE adapter.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use faf_protocol::gpgnet::{GameState, GameToServer};
use faf_protocol::json::Json;
use faf_protocol::{GameId, PlayerId};
use rand::RngExt;
use rand::distr::Alphanumeric;
use serde_json::json;

use crate::battle::Battle;
use crate::chance::within;
use crate::{Rng, Settings, incidents};

/// How long a bot plays in a game of a person, which has no battle to follow, in seconds of the
/// bot's life.
const UNKNOWN_BATTLE: f64 = 120.0;

/// The future reports of a game process in a running game.
#[derive(Debug)]
pub(crate) struct Agenda {
    pub(crate) game: GameId,
    steps: VecDeque<(Duration, GameToServer)>,
    /// Time at which the client loses its connection.
    connection_loss: Option<Duration>,
}

impl Agenda {
    /// Returns the agenda of the player in this place of the battle, who may be its host.
    pub(crate) fn of_battle(
        rng: &mut Rng,
        settings: &Settings,
        game: GameId,
        battle: &Battle,
        place: usize,
        is_host: bool,
        now: Duration,
    ) -> Self {
        // On slower machines, the same moment of a battle comes a little later.
        let lag = settings.draw(rng, &(0.0..1.0));
        let mut steps: VecDeque<_> =
            battle.reports(place).into_iter().map(|(at, report)| (at + lag, report)).collect();
        let mut ended = battle.ends + lag + settings.draw(rng, &(1.0..4.0));
        if let Some(fall) = battle.fall(place).filter(|_| rng.random_bool(settings.leaves_when_fallen)) {
            ended = fall + lag + settings.draw(rng, &(1.0..5.0));
            steps.retain(|(at, _)| *at <= ended);
        }
        steps.extend(incidents::of_battle(rng, settings, is_host, now, ended));
        steps.make_contiguous().sort_by_key(|(at, _)| *at);
        steps.push_back((ended, state(GameState::Ended)));
        let loses_connection = rng.random_bool(settings.loses_connection);
        let connection_loss =
            loses_connection.then(|| now + (ended - now.min(ended)).mul_f64(within(rng, &(0.1..0.9))));
        Self { game, steps, connection_loss }
    }

    /// Returns the agenda for a game without a known battle, which only ends after some time.
    pub(crate) fn without_battle(rng: &mut Rng, settings: &Settings, game: GameId, now: Duration) -> Self {
        let end = now + settings.time(UNKNOWN_BATTLE);
        let ended = end + settings.draw(rng, &(1.0..4.0));
        let steps = [(end, GameToServer::GameEnded), (ended, state(GameState::Ended))].into();
        Self { game, steps, connection_loss: None }
    }

    /// Returns the time of the next entry.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.steps.front().map(|(at, _)| *at).into_iter().chain(self.connection_loss).min()
    }

    /// Returns true once, when the connection is lost.
    pub(crate) fn loses_connection(&mut self, now: Duration) -> bool {
        self.connection_loss.take_if(|at| *at <= now).is_some()
    }

    /// Returns the next report that is due.
    pub(crate) fn take_due(&mut self, now: Duration) -> Option<GameToServer> {
        self.steps.pop_front_if(|(at, _)| *at <= now).map(|(_, step)| step)
    }
}

pub(crate) fn state(state: GameState) -> GameToServer {
    GameToServer::GameState { state }
}

/// Connections to the peers of one game, as far as they are negotiated through the server.
#[derive(Debug, Default)]
pub(crate) struct IceAdapter {
    /// Peers that have received our candidates.
    notified: BTreeSet<PlayerId>,
    /// Number of peers in a match whose process reports to which of them it is connected.
    reports_on: Option<usize>,
    /// Peers that it has reported as connected.
    established: BTreeSet<PlayerId>,
}

impl IceAdapter {
    /// Creates the adapter of a game process; one of a match may report the connections to its
    /// peers, of which there are this many.
    pub(crate) fn new(reports_on: Option<usize>) -> Self {
        Self { reports_on, ..Self::default() }
    }

    /// Returns the report that the process waits for its peers, if it reports them.
    pub(crate) fn connecting(&self) -> Option<GameToServer> {
        self.reports_on.map(|_| launch_status("Connecting"))
    }

    /// Returns the report that a peer is connected, whose candidates have arrived; once. Now and
    /// then the connection fails and is there again. When all peers are connected, the process is
    /// ready for the launch.
    pub(crate) fn establish(
        &mut self,
        rng: &mut Rng,
        settings: &Settings,
        peer_id: PlayerId,
    ) -> Vec<GameToServer> {
        let Some(peers) = self.reports_on.filter(|_| self.established.insert(peer_id)) else {
            return Vec::new();
        };
        let established = GameToServer::EstablishedPeer { peer_id };
        let mut reports = vec![established.clone()];
        if rng.random_bool(settings.incidents) {
            reports.extend([GameToServer::DisconnectedPeer { peer_id }, established]);
        }
        if self.established.len() == peers {
            reports.push(launch_status("Ready"));
        }
        reports
    }

    /// Returns the report that a peer is no longer connected, if it was.
    pub(crate) fn lose(&mut self, peer_id: PlayerId) -> Option<GameToServer> {
        self.forget(peer_id);
        self.established.remove(&peer_id).then_some(GameToServer::DisconnectedPeer { peer_id })
    }

    /// Returns our candidates for a peer, unless the peer has them already: a peer that repeats
    /// itself gets one reply.
    pub(crate) fn candidates(
        &mut self,
        rng: &mut Rng,
        settings: &Settings,
        me: PlayerId,
        peer: PlayerId,
    ) -> Vec<GameToServer> {
        let messages = if self.notified.insert(peer) { settings.candidates } else { 0 };
        (0..messages).map(|_| candidate(rng, me, peer)).collect()
    }

    /// Forgets a peer that has left; if it returns, the negotiation starts again.
    pub(crate) fn forget(&mut self, peer: PlayerId) {
        self.notified.remove(&peer);
    }
}

fn launch_status(status: &str) -> GameToServer {
    GameToServer::LaunchStatus { status: status.to_owned() }
}

fn candidate(rng: &mut Rng, me: PlayerId, peer: PlayerId) -> GameToServer {
    let word = |rng: &mut Rng, length| -> String {
        (&mut *rng).sample_iter(Alphanumeric).take(length).map(char::from).collect()
    };
    // From a range for documentation (RFC 5737): no real adapter can reach it.
    let ip = format!("192.0.2.{}", rng.random_range(1..255));
    let candidate = json!({
        "foundation": "1", "protocol": "udp", "priority": 2_130_706_431, "ip": ip, "port": rng.random_range(6112..6200),
        "type": "HOST_CANDIDATE", "generation": 0, "id": "0", "relPort": 0,
    });
    let message = json!({
        "srcId": me, "destId": peer, "password": word(rng, 22), "ufrag": word(rng, 8), "candidates": [candidate],
    });
    // Adapters send a string that holds JSON.
    GameToServer::IceMsg { receiver_id: peer, message: Json::from(message.to_string().as_str()) }
}

#[cfg(test)]
mod tests {
    use faf_protocol::server_message::Rating;
    use rand::SeedableRng;

    use super::*;
    use crate::battle::Fighter;
    use crate::behaviour::GameKind;

    #[test]
    fn all_processes_end_and_some_lose_the_connection_first() {
        let fighter = |player, team| Fighter {
            player: PlayerId(player),
            login: "P".to_owned(),
            team,
            faction: 1,
            rating: Rating { mean: 1500.0, deviation: 80.0 },
        };
        let (mut rng, now) = (Rng::seed_from_u64(3), Duration::from_secs(100));
        let mut losses = 0;
        for _ in 0..200 {
            let fighters = vec![fighter(1, 2), fighter(2, 3)];
            let battle = Battle::begin(&mut rng, &Settings::default(), GameKind::Teams, fighters, now);
            let mut agenda =
                Agenda::of_battle(&mut rng, &Settings::default(), GameId(1), &battle, 0, true, now);
            let mut last = None;
            while let Some(next) = agenda.next() {
                assert!((now..=battle.ends + Duration::from_secs(5)).contains(&next));
                if agenda.loses_connection(next) {
                    assert_ne!(last, Some(state(GameState::Ended)));
                    losses += 1;
                }
                last = agenda.take_due(next).or(last);
            }
            assert_eq!(last, Some(state(GameState::Ended)));
        }
        assert!((1..40).contains(&losses), "{losses}");
    }

    #[test]
    fn a_peer_gets_our_candidates_once() {
        let (mut adapter, mut rng) = (IceAdapter::default(), Rng::seed_from_u64(1));
        let settings = Settings { candidates: 3, ..Settings::default() };
        let mut candidates = |adapter: &mut IceAdapter| {
            adapter.candidates(&mut rng, &settings, PlayerId(1), PlayerId(2)).len()
        };
        assert_eq!((candidates(&mut adapter), candidates(&mut adapter)), (3, 0));
        adapter.forget(PlayerId(2));
        assert_eq!(candidates(&mut adapter), 3);
    }
}
