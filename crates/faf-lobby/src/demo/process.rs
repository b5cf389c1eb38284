//! What a game process and its ICE adapter say besides the lobby and the battle.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use faf_protocol::gpgnet::{GameState, GameToServer};
use faf_protocol::json::Json;
use faf_protocol::{GameId, PlayerId};
use fastrand::Rng;
use serde_json::json;

use super::battle::Battle;
use super::tempo::{Tempo, happens, within};

/// How likely it is that a bot loses its connection during a game.
const CRASH: f64 = 0.06;

/// How likely a player leaves when his army has fallen.
const LEAVES_WHEN_FALLEN: f64 = 0.5;

/// How long a bot plays in a game whose host is no bot, so that nobody tells it how it goes, in seconds of its life.
const UNKNOWN_BATTLE: f64 = 120.0;

/// What a bot will say of a game that is played.
#[derive(Debug)]
pub(super) struct Agenda {
    pub(super) game: GameId,
    steps: VecDeque<(Duration, GameToServer)>,
    /// When the connection breaks.
    crash: Option<Duration>,
}

impl Agenda {
    /// The agenda of the player in this place of the battle.
    pub(super) fn of_battle(
        rng: &mut Rng,
        tempo: Tempo,
        game: GameId,
        battle: &Arc<Battle>,
        place: usize,
        now: Duration,
    ) -> Self {
        // The same moment of a battle comes a little later on slower machines.
        let lag = tempo.some(rng, 0.0..1.0);
        let mut steps: VecDeque<_> =
            battle.reports().into_iter().map(|(at, report)| (at + lag, report)).collect();
        let mut ended = battle.ends + lag + tempo.some(rng, 1.0..4.0);
        if let Some(fall) = battle.fall(place).filter(|_| happens(rng, LEAVES_WHEN_FALLEN)) {
            ended = fall + lag + tempo.some(rng, 1.0..5.0);
            steps.retain(|(at, _)| *at <= ended);
        }
        steps.push_back((ended, state(GameState::Ended)));
        let crash =
            happens(rng, CRASH).then(|| now + (ended - now.min(ended)).mul_f64(within(rng, 0.1..0.9)));
        Self { game, steps, crash }
    }

    /// The agenda of a game of which nothing is known.
    pub(super) fn without_battle(rng: &mut Rng, tempo: Tempo, game: GameId, now: Duration) -> Self {
        let end = now + tempo.seconds(UNKNOWN_BATTLE);
        let ended = end + tempo.some(rng, 1.0..4.0);
        let steps = [(end, GameToServer::GameEnded), (ended, state(GameState::Ended))].into();
        Self { game, steps, crash: None }
    }

    /// When there is something to do next.
    pub(super) fn next(&self) -> Option<Duration> {
        self.steps.front().map(|(at, _)| *at).into_iter().chain(self.crash).min()
    }

    /// Whether the connection breaks now; once.
    pub(super) fn crashes(&mut self, now: Duration) -> bool {
        self.crash.take_if(|at| *at <= now).is_some()
    }

    /// The next thing that is to be said by now.
    pub(super) fn take_due(&mut self, now: Duration) -> Option<GameToServer> {
        self.steps.pop_front_if(|(at, _)| *at <= now).map(|(_, step)| step)
    }
}

pub(super) fn state(state: GameState) -> GameToServer {
    GameToServer::GameState { state }
}

/// Connections to the peers of one game, as far as they are negotiated through the server.
#[derive(Debug, Default)]
pub(super) struct Adapter {
    /// Peers that have got our candidates.
    told: BTreeSet<PlayerId>,
}

impl Adapter {
    /// Our candidates for a peer, unless it has them already. A peer that repeats itself gets one answer.
    pub(super) fn candidates(&mut self, rng: &mut Rng, me: PlayerId, peer: PlayerId) -> Option<GameToServer> {
        if !self.told.insert(peer) {
            return None;
        }
        let word = |rng: &mut Rng, length| (0..length).map(|_| rng.alphanumeric()).collect::<String>();
        // An address that is for documentation only: nobody is there whom a real adapter could bother.
        let candidate = json!({
            "foundation": "1", "protocol": "udp", "priority": 2_130_706_431, "ip": format!("192.0.2.{}", rng.u8(1..255)),
            "port": rng.u16(6112..6200), "type": "HOST_CANDIDATE", "generation": 0, "id": "0", "relPort": 0,
        });
        let message = json!({
            "srcId": me, "destId": peer, "password": word(rng, 22), "ufrag": word(rng, 8), "candidates": [candidate],
        });
        // Adapters send text that holds JSON.
        let message = Json::from(message.to_string().as_str());
        Some(GameToServer::IceMsg { receiver_id: peer, message })
    }

    /// The peer is gone; should it come back, it begins anew.
    pub(super) fn forget(&mut self, peer: PlayerId) {
        self.told.remove(&peer);
    }
}

#[cfg(test)]
mod tests {
    use faf_protocol::server_message::Rating;

    use super::super::battle::Fighter;
    use super::super::behaviour::Kind;
    use super::*;

    #[test]
    fn everybody_ends_and_some_crash_before() {
        let fighter = |player, team| Fighter {
            player: PlayerId(player),
            login: "P".to_owned(),
            team,
            faction: 1,
            rating: Rating { mean: 1500.0, deviation: 80.0 },
        };
        let (mut rng, now) = (Rng::with_seed(3), Duration::from_secs(100));
        let mut crashes = 0;
        for _ in 0..200 {
            let fighters = vec![fighter(1, 2), fighter(2, 3)];
            let battle = Arc::new(Battle::begin(&mut rng, Tempo(1.0), Kind::Teams, fighters, now));
            let mut agenda = Agenda::of_battle(&mut rng, Tempo(1.0), GameId(1), &battle, 0, now);
            let mut last = None;
            while let Some(next) = agenda.next() {
                assert!((now..=battle.ends + Duration::from_secs(5)).contains(&next));
                if agenda.crashes(next) {
                    assert_ne!(last, Some(state(GameState::Ended)));
                    crashes += 1;
                }
                last = agenda.take_due(next).or(last);
            }
            assert_eq!(last, Some(state(GameState::Ended)));
        }
        assert!((1..40).contains(&crashes), "{crashes}");
    }

    #[test]
    fn a_peer_hears_our_candidates_once() {
        let (mut adapter, mut rng) = (Adapter::default(), Rng::with_seed(1));
        assert!(adapter.candidates(&mut rng, PlayerId(1), PlayerId(2)).is_some());
        assert!(adapter.candidates(&mut rng, PlayerId(1), PlayerId(2)).is_none());
        adapter.forget(PlayerId(2));
        assert!(adapter.candidates(&mut rng, PlayerId(1), PlayerId(2)).is_some());
    }
}
