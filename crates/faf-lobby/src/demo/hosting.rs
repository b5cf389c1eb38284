//! The lobby of a game that a bot hosts: who sits where, and when it begins.

use std::time::Duration;

use faf_protocol::gpgnet::{GameMods, GameToServer};
use faf_protocol::json::Json;
use faf_protocol::{GameId, PlayerId};
use fastrand::Rng;

use super::battle::{Battle, Fighter, army};
use super::behaviour::{GamePlan, Kind};
use super::tempo::Tempo;
use super::view::View;

/// How long a host waits for more players before he begins with those who are there, in seconds of a bot's life.
const PATIENCE: f64 = 45.0;

/// How long before the launch everybody may look at a lobby that is full, likewise.
const LAST_LOOK: f64 = 6.0;

/// How long a lobby stays open at least, so that everybody hears of it: reports come every second.
const SEEN: Duration = Duration::from_millis(2500);

/// How long a game waits for a person who has joined: people are not faster when bots are.
const PATIENCE_WITH_PEOPLE: Duration = Duration::from_secs(20);

/// The lobby of a game, from the view of the host's process.
#[derive(Debug)]
pub(super) struct Hosting {
    pub(super) plan: GamePlan,
    pub(super) game: GameId,
    seats: Vec<Option<Seat>>,
    /// When it begins with whoever is there.
    launches: Duration,
    /// Until when it waits for people who have come.
    not_before: Duration,
    /// Whether the host has waited for long already.
    has_waited: bool,
}

#[derive(Debug, Clone)]
struct Seat {
    player: PlayerId,
    login: String,
    faction: i64,
}

/// What a host does next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision {
    WaitUntil(Duration),
    Launch,
    Close,
}

impl Hosting {
    pub(super) fn new(plan: GamePlan, game: GameId, now: Duration, tempo: Tempo) -> Self {
        let seats = vec![None; plan.seats];
        let launches = now + tempo.seconds(PATIENCE).max(SEEN);
        Self { plan, game, seats, launches, not_before: now + SEEN, has_waited: false }
    }

    /// What the game says when its lobby opens: every option, as the real one does.
    pub(super) fn options(&self) -> Vec<GameToServer> {
        let coop = self.plan.kind == Kind::Coop;
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
        all.push(GameToServer::GameMods(GameMods::Activated { count }));
        if count > 0 {
            all.push(GameToServer::GameMods(GameMods::Uids { uids: self.plan.sim_mods.join(" ") }));
        }
        all
    }

    /// Gives a player the first free seat. Everybody who comes is treated alike; but for a person, the launch waits.
    pub(super) fn seat(
        &mut self,
        rng: &mut Rng,
        now: Duration,
        tempo: Tempo,
        (player, login): (PlayerId, &str),
        is_person: bool,
    ) -> Vec<GameToServer> {
        self.unseat(player);
        let Some(place) = self.seats.iter().position(Option::is_none) else {
            return vec![GameToServer::GameFull];
        };
        let faction = rng.i64(1..=4);
        self.seats[place] = Some(Seat { player, login: login.to_owned(), faction });
        if is_person {
            self.not_before = now + PATIENCE_WITH_PEOPLE;
        }
        if self.seats.iter().all(Option::is_some) {
            self.launches = now + tempo.seconds(LAST_LOOK);
        }
        self.launches = self.launches.max(self.not_before);
        let spot = army(place);
        let option = |(key, value): (&str, i64)| GameToServer::PlayerOption {
            player_id: player,
            key: key.to_owned(),
            value: value.into(),
        };
        let team = self.team(place);
        [("Faction", faction), ("Color", spot), ("Team", team), ("StartSpot", spot), ("Army", spot)]
            .map(option)
            .into()
    }

    /// Somebody has left: the seat is free again.
    pub(super) fn unseat(&mut self, player: PlayerId) -> Option<GameToServer> {
        let is_theirs = |seat: &Option<Seat>| seat.as_ref().is_some_and(|seat| seat.player == player);
        let place = self.seats.iter().position(is_theirs)?;
        self.seats[place] = None;
        Some(GameToServer::ClearSlot { slot: army(place) })
    }

    /// What to do now.
    pub(super) fn decide(&mut self, now: Duration, tempo: Tempo) -> Decision {
        if now < self.launches {
            return Decision::WaitUntil(self.launches);
        }
        let counts = |team| {
            let places = self.seats.iter().enumerate().filter(|(_, seat)| seat.is_some());
            places.filter(|(place, _)| self.team(*place) == team).count()
        };
        let is_ready = match self.plan.kind {
            Kind::Teams => counts(2) > 0 && counts(2) == counts(3),
            Kind::FreeForAll => counts(1) > 2,
            Kind::Coop => counts(1) > 1,
        };
        let can_launch = self.seats.iter().flatten().count() > 1
            && (self.plan.kind != Kind::Teams || (counts(2) > 0 && counts(3) > 0));
        match (is_ready, self.has_waited) {
            (true, _) => Decision::Launch,
            (false, false) => {
                self.has_waited = true;
                self.launches = now + tempo.seconds(PATIENCE / 2.0);
                Decision::WaitUntil(self.launches)
            }
            // Uneven teams play, too, if only for fun: such a game is not rated.
            (false, true) if can_launch => Decision::Launch,
            (false, true) => Decision::Close,
        }
    }

    /// The battle of those who are seated. Their armies have the numbers of their places among them.
    pub(super) fn launch(
        &self,
        rng: &mut Rng,
        tempo: Tempo,
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
        (Battle::begin(rng, tempo, self.plan.kind, fighters, now), armies)
    }

    /// Neighbours are enemies; 1 stands for no team.
    fn team(&self, place: usize) -> i64 {
        match self.plan.kind {
            Kind::Teams => 2 + i64::from(place % 2 == 1),
            Kind::FreeForAll | Kind::Coop => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use faf_protocol::client_message::GameHost;
    use faf_protocol::server_message::Visibility;

    use super::*;

    const TEMPO: Tempo = Tempo(1.0);

    fn hosting(kind: Kind, seats: usize) -> Hosting {
        let request = GameHost {
            visibility: Visibility::Public,
            title: None,
            featured_mod: None,
            mapname: Some("scmp_007".to_owned()),
            password: None,
            rating_min: None,
            rating_max: None,
            enforce_rating_range: false,
        };
        let plan = GamePlan { kind, seats, sim_mods: vec!["u".to_owned()], request };
        Hosting::new(plan, GameId(1), Duration::ZERO, TEMPO)
    }

    fn seat(hosting: &mut Hosting, player: u32, second: u64, is_person: bool) -> Vec<GameToServer> {
        let now = Duration::from_secs(second);
        hosting.seat(&mut Rng::with_seed(1), now, TEMPO, (PlayerId(player), "P"), is_person)
    }

    fn decide(hosting: &mut Hosting, second: u64) -> Decision {
        hosting.decide(Duration::from_secs(second), TEMPO)
    }

    #[test]
    fn a_full_lobby_begins_soon() {
        let mut hosting = hosting(Kind::Teams, 2);
        assert_eq!(hosting.options().len(), 15);
        assert_eq!(seat(&mut hosting, 1, 0, false).len(), 5);
        assert_eq!(decide(&mut hosting, 10), Decision::WaitUntil(Duration::from_secs(45)));
        seat(&mut hosting, 2, 20, false);
        assert_eq!(decide(&mut hosting, 20), Decision::WaitUntil(Duration::from_secs(26)));
        assert_eq!(seat(&mut hosting, 3, 21, false), [GameToServer::GameFull]);
        assert_eq!(decide(&mut hosting, 26), Decision::Launch);
    }

    #[test]
    fn a_person_gets_time() {
        let mut hosting = hosting(Kind::Teams, 2);
        seat(&mut hosting, 1, 0, false);
        seat(&mut hosting, 2, 40, true);
        assert_eq!(decide(&mut hosting, 45), Decision::WaitUntil(Duration::from_secs(60)));
        assert_eq!(decide(&mut hosting, 60), Decision::Launch);
    }

    #[test]
    fn nobody_waits_forever() {
        let mut empty = hosting(Kind::Teams, 4);
        seat(&mut empty, 1, 0, false);
        assert!(matches!(decide(&mut empty, 45), Decision::WaitUntil(_)));
        assert_eq!(decide(&mut empty, 100), Decision::Close);
        let mut uneven = hosting(Kind::Teams, 4);
        for player in 1..=3 {
            seat(&mut uneven, player, 0, false);
        }
        assert!(matches!(decide(&mut uneven, 45), Decision::WaitUntil(_)));
        assert_eq!(uneven.unseat(PlayerId(9)), None);
        assert_eq!(decide(&mut uneven, 100), Decision::Launch);
        assert_eq!(uneven.unseat(PlayerId(2)), Some(GameToServer::ClearSlot { slot: 2 }));
        assert_eq!(decide(&mut uneven, 101), Decision::Close);
        let (battle, armies) = uneven.launch(&mut Rng::with_seed(1), TEMPO, &View::default(), Duration::ZERO);
        assert_eq!((battle.place(PlayerId(3)), armies.len()), (Some(1), 2));
    }
}
