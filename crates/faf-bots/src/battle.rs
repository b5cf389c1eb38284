//! The course of a game: which army falls when, which team wins, and what every game process
//! reports of it.
//!
//! Real game processes agree because each simulates the same battle from the commands that players
//! exchange peer to peer. Here the host's bot decides at random at the launch, and [`Battles`]
//! stands for the connections between the players.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use faf_protocol::gpgnet::GameToServer;
use faf_protocol::server_message::Rating;
use faf_protocol::{GameId, PlayerId};
use rand::RngExt;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

use crate::behaviour::GameKind;
use crate::chance::{normal, within};
use crate::{Rng, Settings};

/// Share of luck in one game: the `beta` of the ratings.
const LUCK_DEVIATION: f64 = 240.0;

/// Probability that both sides fall together.
const DRAW_PROBABILITY: f64 = 0.05;

/// Probability that a mission is won.
const MISSION_WIN_PROBABILITY: f64 = 0.7;

/// Factor between the time of the game and the time of a bot's life.
const GAME_TIME_FACTOR: f64 = 15.0;

/// How long a battle is kept after its end: no bot needs it later.
const KEPT_AFTER_END: Duration = Duration::from_secs(60);

/// A player of a battle; the first has army 1, and so on.
#[derive(Debug, Clone)]
pub(crate) struct Fighter {
    pub(crate) player: PlayerId,
    pub(crate) login: String,
    pub(crate) team: i64,
    pub(crate) faction: i64,
    pub(crate) rating: Rating,
}

/// A battle, from beginning to end. Its times are those that bots receive.
#[derive(Debug)]
pub struct Battle {
    fighters: Vec<Fighter>,
    /// Time at which each army falls; those of the winners may stand to the end.
    falls: Vec<Option<Duration>>,
    pub(crate) ends: Duration,
    outcome: Outcome,
    /// Duration in the time of the game.
    game_time: Duration,
    teamkill: Option<Teamkill>,
}

/// The end of an army by a team mate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Teamkill {
    victim: usize,
    killer: usize,
    /// Seconds in the time of the game.
    seconds: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Victory { team: i64, alone: Option<usize> },
    Draw,
    Mission { is_won: bool, secondary: bool },
}

impl Battle {
    /// Draws a battle that begins now.
    pub(crate) fn begin(
        rng: &mut Rng,
        settings: &Settings,
        kind: GameKind,
        fighters: Vec<Fighter>,
        now: Duration,
    ) -> Self {
        let seconds = within(rng, &settings.battle);
        let lasts = settings.time(seconds);
        let outcome = match kind {
            GameKind::Coop => Outcome::Mission {
                is_won: rng.random_bool(MISSION_WIN_PROBABILITY),
                secondary: rng.random_bool(0.5),
            },
            _ if rng.random_bool(DRAW_PROBABILITY) => Outcome::Draw,
            _ => winner(rng, kind, &fighters),
        };
        let falls = fighters.iter().enumerate().map(|(place, fighter)| {
            let share = match outcome {
                Outcome::Victory { team, alone } => {
                    let wins = alone.map_or(fighter.team == team, |winner| winner == place);
                    let falls = !wins || (alone.is_none() && rng.random_bool(0.2) && fighters.len() > 2);
                    falls.then(|| within(rng, &(0.5..0.98)))
                }
                Outcome::Draw | Outcome::Mission { .. } => None,
            };
            share.map(|share| now + lasts.mul_f64(share))
        });
        let mut falls: Vec<_> = falls.collect();
        keep_one_of_the_winners(&outcome, &fighters, &mut falls);
        let game_time = Duration::try_from_secs_f64(seconds * GAME_TIME_FACTOR).unwrap_or_default();
        let teamkill =
            rng.random_bool(settings.incidents).then(|| teamkill(rng, &fighters, &falls)).flatten();
        let teamkill = teamkill.map(|(at, victim, killer)| {
            let seconds = game_time.mul_f64((at - now).as_secs_f64() / lasts.as_secs_f64()).as_secs();
            Teamkill { victim, killer, seconds }
        });
        Self { falls, ends: now + lasts, outcome, game_time, teamkill, fighters }
    }

    /// Returns the place of a player, if they play.
    pub(crate) fn place(&self, player: PlayerId) -> Option<usize> {
        self.fighters.iter().position(|fighter| fighter.player == player)
    }

    /// Returns the time when a player's army falls, if it does.
    pub(crate) fn fall(&self, place: usize) -> Option<Duration> {
        self.falls.get(place).copied().flatten()
    }

    /// Returns the reports of a player's game process, in the order in which they are sent. All
    /// processes send the same, except that the victim of a team kill may report it.
    pub(crate) fn reports(&self, place: usize) -> Vec<(Duration, GameToServer)> {
        let mut falls: Vec<_> =
            self.falls.iter().enumerate().filter_map(|(place, at)| Some((at.as_ref()?, place))).collect();
        falls.sort();
        let mut reports = Vec::new();
        for (number, (at, fallen)) in falls.into_iter().enumerate() {
            if number == 0 {
                // Real games send this when the first commander dies. After it, the game counts,
                // however short it was. Bots' games are shorter than a minute per player and would
                // never be rated without it.
                reports.push((*at, GameToServer::EnforceRating));
            }
            if let Some(kill) = self.teamkill.filter(|kill| kill.victim == fallen) {
                reports.push((*at, self.teamkill_happened(&kill)));
                if fallen == place {
                    reports.push((*at, GameToServer::TeamkillReport));
                }
            }
            reports.push((*at, result(fallen, "defeat -10")));
        }
        let standing = (0..self.fighters.len()).filter(|place| self.falls[*place].is_none());
        match self.outcome {
            Outcome::Victory { .. } => {
                reports.extend(standing.map(|place| (self.ends, result(place, "victory 10"))));
            }
            Outcome::Draw => {
                reports.push((self.ends, GameToServer::EnforceRating));
                reports.extend(standing.map(|place| (self.ends, result(place, "draw 0"))));
            }
            Outcome::Mission { .. } => {}
        }
        let stats = GameToServer::JsonStats { stats: self.statistics() };
        reports.extend([(self.ends, stats), (self.ends, GameToServer::GameEnded)]);
        if let Outcome::Mission { is_won: true, secondary } = self.outcome {
            reports.push((
                self.ends,
                GameToServer::OperationComplete { primary: true, secondary, delta: self.time() },
            ));
        }
        reports
    }

    fn teamkill_happened(&self, kill: &Teamkill) -> GameToServer {
        let (victim, killer) = (&self.fighters[kill.victim], &self.fighters[kill.killer]);
        GameToServer::TeamkillHappened {
            gametime: i64::try_from(kill.seconds).unwrap_or(i64::MAX).into(),
            victim_id: victim.player,
            victim_name: victim.login.clone(),
            teamkiller_id: killer.player,
            teamkiller_name: killer.login.clone(),
        }
    }

    /// Returns its duration in the time of the game, as `HH:MM:SS`.
    fn time(&self) -> String {
        let seconds = self.game_time.as_secs();
        format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
    }

    /// Returns the text of `JsonStats`: the counts of each army.
    fn statistics(&self) -> String {
        let armies = self.fighters.iter().enumerate().map(|(place, fighter)| self.army(place, fighter));
        json!({ "stats": armies.collect::<Vec<_>>() }).to_string()
    }

    fn army(&self, place: usize, fighter: &Fighter) -> Value {
        // Only plausible numbers: strong players build more.
        let built = (fighter.rating.mean / 20.0).clamp(10.0, 200.0) as u64;
        let count = |built: u64| json!({"built": built, "lost": built / 2, "kills": built / 3});
        let lost = u64::from(self.falls[place].is_some());
        let commander = json!({"built": 1, "lost": lost, "kills": 1 - lost});
        let blueprint =
            ["uel0001", "ual0001", "url0001", "xsl0001"][(fighter.faction - 1).clamp(0, 3) as usize];
        json!({
            "type": "Human", "name": fighter.login, "faction": fighter.faction,
            "general": {"score": built * 50, "lastupdatetick": self.game_time.as_secs() * 10},
            "units": {
                "air": count(built / 3), "land": count(built), "naval": count(0), "experimental": count(built / 60),
                "cdr": commander, "tech1": count(built), "tech2": count(built / 2), "tech3": count(built / 4),
                "engineer": count(built / 4), "transportation": count(1), "sacu": count(0),
            },
            "blueprints": { blueprint: {"built": 1, "lost": lost, "kills": 1 - lost, "lowest_health": 2500} },
        })
    }
}

/// Draws an army that falls, and a team mate who is the cause: the time and both places.
fn teamkill(
    rng: &mut Rng,
    fighters: &[Fighter],
    falls: &[Option<Duration>],
) -> Option<(Duration, usize, usize)> {
    let fallen: Vec<_> = (0..fighters.len()).filter_map(|place| Some((falls[place]?, place))).collect();
    let (at, victim) = *fallen.choose(rng)?;
    let is_mate = |place: &usize| {
        // Team 1 means no team.
        let team = fighters[*place].team;
        *place != victim && team > 1 && team == fighters[victim].team
    };
    let mates: Vec<usize> = (0..fighters.len()).filter(is_mate).collect();
    Some((at, victim, *mates.choose(rng)?))
}

/// Draws the winner by rating and luck: a team, or a player in a free-for-all.
fn winner(rng: &mut Rng, kind: GameKind, fighters: &[Fighter]) -> Outcome {
    let days: Vec<f64> = fighters
        .iter()
        .map(|Fighter { rating, .. }| rating.mean + normal(rng) * rating.deviation.hypot(LUCK_DEVIATION))
        .collect();
    if kind == GameKind::FreeForAll {
        let best = (0..days.len()).max_by(|a, b| days[*a].total_cmp(&days[*b]));
        return best.map_or(Outcome::Draw, |place| Outcome::Victory { team: 1, alone: Some(place) });
    }
    let mut teams: BTreeMap<i64, f64> = BTreeMap::new();
    for (fighter, day) in fighters.iter().zip(days) {
        *teams.entry(fighter.team).or_default() += day;
    }
    let best = teams.into_iter().max_by(|a, b| a.1.total_cmp(&b.1));
    best.map_or(Outcome::Draw, |(team, _)| Outcome::Victory { team, alone: None })
}

/// Keeps one army of the winners: a team whose last commander has fallen has not won.
fn keep_one_of_the_winners(outcome: &Outcome, fighters: &[Fighter], falls: &mut [Option<Duration>]) {
    let Outcome::Victory { team, alone: None } = outcome else { return };
    let winners = || (0..fighters.len()).filter(|place| fighters[*place].team == *team);
    if winners().all(|place| falls[place].is_some())
        && let Some(last) = winners().max_by_key(|place| falls[*place])
    {
        falls[last] = None;
    }
}

fn result(place: usize, result: &str) -> GameToServer {
    GameToServer::GameResult { army: army(place), result: result.to_owned() }
}

/// Returns the number of the army in this place.
pub(crate) fn army(place: usize) -> i64 {
    i64::try_from(place).unwrap_or(i64::MAX - 1) + 1
}

/// Battles in progress, for all their players.
#[derive(Debug, Default)]
pub struct Battles(Mutex<BTreeMap<GameId, Arc<Battle>>>);

impl Battles {
    /// Publishes a battle to the other players; battles that ended long ago are dropped.
    pub(crate) fn announce(&self, game: GameId, battle: Arc<Battle>, now: Duration) {
        let mut battles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        battles.retain(|_, battle| battle.ends + KEPT_AFTER_END > now);
        battles.insert(game, battle);
    }

    /// Returns the battle of a game, if its host is a bot.
    pub(crate) fn find(&self, game: GameId) -> Option<Arc<Battle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&game).cloned()
    }
}

#[cfg(test)]
mod tests {
    use faf_lobby_core::statistics::Statistics;
    use rand::SeedableRng;

    use super::*;

    fn fighter(player: u32, team: i64, mean: f64) -> Fighter {
        let rating = Rating { mean, deviation: 80.0 };
        Fighter { player: PlayerId(player), login: format!("P{player}"), team, faction: 1, rating }
    }

    fn battle(seed: u64, kind: GameKind, fighters: &[Fighter]) -> Battle {
        let mut rng = Rng::seed_from_u64(seed);
        Battle::begin(&mut rng, &Settings::default(), kind, fighters.to_vec(), Duration::from_secs(1000))
    }

    /// Returns the teams with an army that has won.
    fn winners(battle: &Battle) -> Vec<i64> {
        let mut teams: Vec<i64> = battle
            .reports(0)
            .iter()
            .filter_map(|(_, report)| match report {
                GameToServer::GameResult { army, result } if result.starts_with("victory") => Some(*army),
                _ => None,
            })
            .map(|army| battle.fighters[usize::try_from(army - 1).unwrap()].team)
            .collect();
        teams.dedup();
        teams
    }

    #[test]
    fn at_most_one_team_wins_and_every_army_has_one_result() {
        let fighters =
            [fighter(1, 2, 1500.0), fighter(2, 3, 1500.0), fighter(3, 2, 900.0), fighter(4, 3, 900.0)];
        let mut draws = 0;
        for seed in 0..300 {
            let battle = battle(seed, GameKind::Teams, &fighters);
            let reports = battle.reports(0);
            assert!(reports.is_sorted_by_key(|(at, _)| *at));
            let results =
                reports.iter().filter(|(_, r)| matches!(r, GameToServer::GameResult { .. })).count();
            assert_eq!(results, 4);
            assert_eq!(reports.iter().filter(|(_, r)| *r == GameToServer::EnforceRating).count(), 1);
            match winners(&battle).len() {
                0 => draws += 1,
                teams => assert_eq!(teams, 1),
            }
        }
        assert!((3..40).contains(&draws), "{draws}");
    }

    #[test]
    fn the_better_players_win_more_often_but_not_always() {
        let fighters = [fighter(1, 2, 1700.0), fighter(2, 3, 1400.0)];
        let won = (0..300).filter(|seed| winners(&battle(*seed, GameKind::Teams, &fighters)) == [2]).count();
        assert!((180..280).contains(&won), "{won}");
    }

    #[test]
    fn missions_are_completed_after_their_end_and_free_for_alls_have_one_winner() {
        let fighters = [fighter(1, 1, 1500.0), fighter(2, 1, 1500.0), fighter(3, 1, 1500.0)];
        let completed = |seed| {
            let reports = battle(seed, GameKind::Coop, &fighters).reports(0);
            let is = |wanted: &str| reports.iter().position(|(_, report)| report.name() == wanted);
            assert!(is("GameResult").is_none());
            is("OperationComplete").is_some_and(|complete| is("GameEnded").is_some_and(|end| end < complete))
        };
        assert!((0..20).any(completed) && !(0..20).all(completed));
        for seed in 0..20 {
            let battle = battle(seed, GameKind::FreeForAll, &fighters);
            let standing = (0..3).filter(|place| battle.fall(*place).is_none()).count();
            assert!(standing == 1 || battle.outcome == Outcome::Draw);
        }
    }

    #[test]
    fn all_processes_report_a_team_kill_and_its_victim_complains() {
        let settings = Settings { incidents: 1.0, ..Settings::default() };
        let fighters =
            [fighter(1, 2, 1500.0), fighter(2, 3, 1500.0), fighter(3, 2, 900.0), fighter(4, 3, 900.0)];
        let mut kills = 0;
        for seed in 0..50 {
            let mut rng = Rng::seed_from_u64(seed);
            let teams = GameKind::Teams;
            let battle = Battle::begin(&mut rng, &settings, teams, fighters.to_vec(), Duration::ZERO);
            let Some(kill) = battle.teamkill else { continue };
            kills += 1;
            let (victim, killer) = (&fighters[kill.victim], &fighters[kill.killer]);
            assert!(victim.team == killer.team && victim.player != killer.player);
            for place in 0..4 {
                let reports = battle.reports(place);
                let counts = |name| reports.iter().filter(|(_, report)| report.name() == name).count();
                assert_eq!(counts("TeamkillHappened"), 1);
                assert_eq!(counts("TeamkillReport"), usize::from(place == kill.victim));
            }
        }
        assert!(kills > 10, "{kills}");
        let alone = [fighter(1, 2, 1500.0), fighter(2, 3, 1500.0)];
        let mut rng = Rng::seed_from_u64(1);
        let battle = Battle::begin(&mut rng, &settings, GameKind::Teams, alone.to_vec(), Duration::ZERO);
        assert_eq!(battle.teamkill, None);
    }

    #[test]
    fn the_server_can_read_the_statistics() {
        let battle = battle(1, GameKind::Teams, &[fighter(1, 2, 1500.0), fighter(2, 3, 1500.0)]);
        let statistics = Statistics::read(&battle.statistics()).unwrap();
        assert!(format!("{statistics:?}").contains("P2"));
        assert_eq!(battle.time().len(), 8);
    }
}
