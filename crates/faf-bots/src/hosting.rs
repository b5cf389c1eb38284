//! The lobby of a game that a bot hosts: its seats, and the decision to launch.

use std::time::Duration;

use faf_protocol::gpgnet::{GameMods, GameToServer};
use faf_protocol::json::Json;
use faf_protocol::{GameId, PlayerId};
use rand::RngExt;

use crate::battle::{Battle, Fighter, army};
use crate::behaviour::{GameKind, GamePlan};
use crate::matches::{Match, MatchFault, Place};
use crate::view::View;
use crate::{Rng, Settings};

/// Minimum time that a lobby stays open after a person has joined: people are not faster when
/// bots are.
const TIME_FOR_PEOPLE: Duration = Duration::from_secs(20);

/// Time after which the host of a match looks again whether all players are there. The server
/// cancels a match that takes too long.
const MATCH_POLL: Duration = Duration::from_secs(5);

/// The lobby of a game, as seen by the host's process.
#[derive(Debug)]
pub(crate) struct Hosting {
    pub(crate) plan: GamePlan,
    pub(crate) game: GameId,
    seats: Vec<Option<Seat>>,
    /// Time at which it launches with the present players.
    launches: Duration,
    /// Earliest time of the launch.
    not_before: Duration,
    /// Time of the next change of the title, if there is one.
    retitles: Option<Duration>,
    /// Whether the host has already waited for more players once.
    has_waited: bool,
    /// Place of an AI that the host tries until somebody comes.
    ai: Option<usize>,
    /// The match, if the matchmaker made the game. It launches when all its players are seated.
    found: Option<Match>,
}

/// A player who is seated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Guest<'a> {
    pub(crate) player: PlayerId,
    pub(crate) login: &'a str,
    /// Whether no bot plays.
    pub(crate) is_person: bool,
    /// The place that a match gives the player; `None` for any.
    pub(crate) place: Option<Place>,
}

#[derive(Debug, Clone)]
struct Seat {
    player: PlayerId,
    login: String,
    faction: i64,
}

/// The next step of a host.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    WaitUntil(Duration),
    Launch,
    Close,
}

impl Hosting {
    pub(crate) fn new(plan: GamePlan, game: GameId, now: Duration, settings: &Settings) -> Self {
        let seats = vec![None; plan.seats];
        let not_before = now + settings.shortest_lobby;
        let launches = not_before.max(now + settings.time(settings.host_wait));
        let retitles = settings.retitle.map(|interval| now + settings.time(interval));
        Self { plan, game, seats, launches, not_before, retitles, has_waited: false, ai: None, found: None }
    }

    /// Creates the lobby of a match.
    pub(crate) fn of_match(found: Match, game: GameId, now: Duration, settings: &Settings) -> Self {
        let new = Self::new(found.plan(), game, now, settings);
        Self { retitles: None, found: Some(found), ..new }
    }

    /// Returns whether the matchmaker made the game.
    pub(crate) fn is_match(&self) -> bool {
        self.found.is_some()
    }

    /// Returns the commands of the game process when its lobby opens: every option, as real games
    /// send them.
    pub(crate) fn options(&self) -> Vec<GameToServer> {
        let coop = self.plan.kind == GameKind::Coop;
        let map = self.plan.request.mapname.as_deref().unwrap_or_default();
        let scenario = format!("/maps/{map}/{map}_scenario.lua");
        let slots = i64::try_from(self.plan.seats).unwrap_or(i64::MAX);
        let options: [(&str, Json); 13] = [
            ("Slots", slots.into()),
            ("ScenarioFile", scenario.as_str().into()),
            ("Victory", if coop { "sandbox" } else { "demoralization" }.into()),
            ("TeamSpawn", "fixed".into()),
            ("TeamLock", "locked".into()),
            ("FogOfWar", "explored".into()),
            ("CheatsEnabled", "false".into()),
            ("PrebuiltUnits", "Off".into()),
            ("NoRushOption", "Off".into()),
            ("RestrictedCategories", 0.into()),
            ("Unranked", "No".into()),
            ("Difficulty", 3.into()),
            ("Expansion", "true".into()),
        ];
        let options = options.map(|(key, value)| GameToServer::GameOption { key: key.to_owned(), value });
        let count = i64::try_from(self.plan.sim_mods.len()).unwrap_or_default();
        let mut all = Vec::from(options);
        let of_queue = self.found.iter().flat_map(|found| &found.options);
        all.extend(
            of_queue.map(|(key, value)| GameToServer::GameOption { key: key.clone(), value: value.clone() }),
        );
        all.push(GameToServer::GameMods(GameMods::Activated { count }));
        if count > 0 {
            all.push(GameToServer::GameMods(GameMods::Uids { uids: self.plan.sim_mods.join(" ") }));
        }
        all
    }

    /// Puts an AI into the last seat, now and then; it leaves when the first guest comes.
    pub(crate) fn try_ai(&mut self, rng: &mut Rng, settings: &Settings) -> Vec<GameToServer> {
        let last = self.seats.len().saturating_sub(1);
        let is_free = self.seats.get(last).is_some_and(Option::is_none);
        if self.is_match() || !is_free || !rng.random_bool(settings.incidents) {
            return Vec::new();
        }
        self.ai = Some(last);
        let option = |(key, value): (&str, i64)| GameToServer::AiOption {
            name: "AI: Easy".to_owned(),
            key: key.to_owned(),
            value: value.into(),
        };
        let (spot, team) = (army(last), self.team(last));
        let faction = rng.random_range(1..=4);
        [("Faction", faction), ("Color", spot), ("Team", team), ("StartSpot", spot), ("Army", spot)]
            .map(option)
            .into()
    }

    /// Gives a player their place in a match, or else the first free seat. Bots and people are
    /// treated the same, except that the launch waits for people.
    pub(crate) fn seat(
        &mut self,
        rng: &mut Rng,
        now: Duration,
        settings: &Settings,
        Guest { player, login, is_person, place }: Guest<'_>,
    ) -> Vec<GameToServer> {
        self.unseat(player);
        let mut commands: Vec<_> =
            self.ai.take().map(|ai| GameToServer::ClearSlot { slot: army(ai) }).into_iter().collect();
        let is_free = |place: &Place| self.seats.get(place.seat).is_some_and(Option::is_none);
        let any = || self.seats.iter().position(Option::is_none);
        let Some((place, faction)) = place
            .filter(is_free)
            .map(|place| (place.seat, place.faction))
            .or_else(|| Some((any()?, rng.random_range(1..=4))))
        else {
            return vec![GameToServer::GameFull];
        };
        self.seats[place] = Some(Seat { player, login: login.to_owned(), faction });
        if is_person {
            self.not_before = self.not_before.max(now + TIME_FOR_PEOPLE);
        }
        if self.is_full() {
            self.launches = now + settings.time(settings.full_lobby);
        }
        self.launches = self.launches.max(self.not_before);
        let spot = army(place);
        let option = |(key, value): (&str, i64)| GameToServer::PlayerOption {
            player_id: player,
            key: key.to_owned(),
            value: value.into(),
        };
        let team = self.team(place);
        let options =
            [("Faction", faction), ("Color", spot), ("Team", team), ("StartSpot", spot), ("Army", spot)];
        commands.extend(options.map(option));
        commands
    }

    /// Frees the seat of a player who has left.
    pub(crate) fn unseat(&mut self, player: PlayerId) -> Option<GameToServer> {
        let is_theirs = |seat: &Option<Seat>| seat.as_ref().is_some_and(|seat| seat.player == player);
        let place = self.seats.iter().position(is_theirs)?;
        self.seats[place] = None;
        Some(GameToServer::ClearSlot { slot: army(place) })
    }

    /// Returns a new title for the game if it is due: hosts like to show the number of players.
    pub(crate) fn retitle(
        &mut self,
        rng: &mut Rng,
        now: Duration,
        settings: &Settings,
    ) -> Option<GameToServer> {
        let interval = settings.retitle.filter(|_| self.retitles.is_some_and(|at| at <= now))?;
        self.retitles = Some(now + settings.draw(rng, &(interval * 0.5..interval * 1.5)));
        let title = self.plan.request.title.as_deref().unwrap_or_default();
        let value = format!("{title}, {} of {}", self.players(), self.seats.len());
        Some(GameToServer::GameOption { key: "Title".to_owned(), value: value.as_str().into() })
    }

    /// Returns the next step of the host.
    pub(crate) fn decide(&mut self, now: Duration, settings: &Settings) -> Decision {
        if now < self.launches {
            return Decision::WaitUntil(self.retitles.map_or(self.launches, |at| at.min(self.launches)));
        }
        if let Some(found) = &self.found {
            if found.has(MatchFault::LeavesLobby) {
                return Decision::Close;
            }
            let launches = self.is_full() && !found.has(MatchFault::NeverLaunches);
            return if launches { Decision::Launch } else { Decision::WaitUntil(now + MATCH_POLL) };
        }
        if self.is_full() {
            return Decision::Launch;
        }
        let counts = |team| {
            let places = self.seats.iter().enumerate().filter(|(_, seat)| seat.is_some());
            places.filter(|(place, _)| self.team(*place) == team).count()
        };
        let is_ready = match self.plan.kind {
            GameKind::Teams => counts(2) > 0 && counts(2) == counts(3),
            GameKind::FreeForAll => counts(1) > 2,
            GameKind::Coop => counts(1) > 1,
        };
        let can_launch =
            self.players() > 1 && (self.plan.kind != GameKind::Teams || (counts(2) > 0 && counts(3) > 0));
        match (is_ready, self.has_waited) {
            (true, _) => Decision::Launch,
            (false, false) => {
                self.has_waited = true;
                self.launches = now + settings.time(settings.host_wait / 2.0);
                Decision::WaitUntil(self.launches)
            }
            // Uneven teams play for fun: such a game is not rated.
            (false, true) if can_launch => Decision::Launch,
            (false, true) => Decision::Close,
        }
    }

    /// Returns the battle of the seated players, and the options that give the server their armies.
    pub(crate) fn launch(
        &self,
        rng: &mut Rng,
        settings: &Settings,
        view: &View,
        now: Duration,
    ) -> (Battle, Vec<GameToServer>) {
        let mut fighters = Vec::new();
        let mut armies = Vec::new();
        for (place, seat) in self.seats.iter().enumerate() {
            let Some(Seat { player, login, faction }) = seat.clone() else { continue };
            // The game numbers armies without gaps when it begins.
            let number = army(fighters.len());
            let value = number.into();
            armies.push(GameToServer::PlayerOption { player_id: player, key: "Army".to_owned(), value });
            let (team, rating) = (self.team(place), view.rating(player));
            fighters.push(Fighter { player, login, team, faction, rating });
        }
        (Battle::begin(rng, settings, self.plan.kind, fighters, now), armies)
    }

    fn players(&self) -> usize {
        self.seats.iter().flatten().count()
    }

    fn is_full(&self) -> bool {
        self.players() == self.seats.len()
    }

    /// Returns the team of a seat: neighbours are enemies; 1 means no team.
    fn team(&self, place: usize) -> i64 {
        match self.plan.kind {
            GameKind::Teams => 2 + i64::from(place % 2 == 1),
            GameKind::FreeForAll | GameKind::Coop => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::behaviour::public_game;

    fn hosting(kind: GameKind, seats: usize) -> Hosting {
        let request = public_game("all welcome", "faf", "scmp_007");
        let plan = GamePlan { kind, seats, sim_mods: vec!["u".to_owned()], request };
        Hosting::new(plan, GameId(1), Duration::ZERO, &Settings::default())
    }

    fn seat(hosting: &mut Hosting, player: u32, second: u64, is_person: bool) -> Vec<GameToServer> {
        let now = Duration::from_secs(second);
        let guest = Guest { player: PlayerId(player), login: "P", is_person, place: None };
        hosting.seat(&mut Rng::seed_from_u64(1), now, &Settings::default(), guest)
    }

    fn decide(hosting: &mut Hosting, second: u64) -> Decision {
        hosting.decide(Duration::from_secs(second), &Settings::default())
    }

    #[test]
    fn a_full_lobby_begins_soon() {
        let mut hosting = hosting(GameKind::Teams, 2);
        assert_eq!(hosting.options().len(), 15);
        assert_eq!(seat(&mut hosting, 1, 0, false).len(), 5);
        assert_eq!(decide(&mut hosting, 10), Decision::WaitUntil(Duration::from_secs(45)));
        seat(&mut hosting, 2, 20, false);
        assert_eq!(decide(&mut hosting, 20), Decision::WaitUntil(Duration::from_secs(26)));
        assert_eq!(seat(&mut hosting, 3, 21, false), [GameToServer::GameFull]);
        assert_eq!(decide(&mut hosting, 26), Decision::Launch);
    }

    #[test]
    fn an_ai_leaves_when_the_first_guest_comes() {
        let mut hosting = hosting(GameKind::Teams, 4);
        seat(&mut hosting, 1, 0, false);
        let settings = Settings { incidents: 1.0, ..Settings::default() };
        let options = hosting.try_ai(&mut Rng::seed_from_u64(1), &settings);
        let of_ai = |option: &GameToServer| matches!(option, GameToServer::AiOption { name, .. } if name == "AI: Easy");
        assert!(options.len() == 5 && options.iter().all(of_ai));
        let commands = seat(&mut hosting, 2, 1, false);
        assert_eq!((commands.len(), &commands[0]), (6, &GameToServer::ClearSlot { slot: 4 }));
        assert_eq!(seat(&mut hosting, 3, 1, false).len(), 5);
    }

    #[test]
    fn a_person_gets_time() {
        let mut hosting = hosting(GameKind::Teams, 2);
        seat(&mut hosting, 1, 0, false);
        seat(&mut hosting, 2, 40, true);
        assert_eq!(decide(&mut hosting, 45), Decision::WaitUntil(Duration::from_secs(60)));
        assert_eq!(decide(&mut hosting, 60), Decision::Launch);
    }

    #[test]
    fn nobody_waits_forever() {
        let mut empty = hosting(GameKind::Teams, 4);
        seat(&mut empty, 1, 0, false);
        assert!(matches!(decide(&mut empty, 45), Decision::WaitUntil(_)));
        assert_eq!(decide(&mut empty, 100), Decision::Close);
        let mut uneven = hosting(GameKind::Teams, 4);
        for player in 1..=3 {
            seat(&mut uneven, player, 0, false);
        }
        assert!(matches!(decide(&mut uneven, 45), Decision::WaitUntil(_)));
        assert_eq!(uneven.unseat(PlayerId(9)), None);
        assert_eq!(decide(&mut uneven, 100), Decision::Launch);
        assert_eq!(uneven.unseat(PlayerId(2)), Some(GameToServer::ClearSlot { slot: 2 }));
        assert_eq!(decide(&mut uneven, 101), Decision::Close);
        let (battle, armies) =
            uneven.launch(&mut Rng::seed_from_u64(1), &Settings::default(), &View::default(), Duration::ZERO);
        assert_eq!((battle.place(PlayerId(3)), armies.len()), (Some(1), 2));
    }
}
