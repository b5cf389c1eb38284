//! Proof that each law about searches and matches detects a violation.

use std::collections::BTreeMap;

use faf_lobby_core::matchmaking::queue::QueueId;
use faf_lobby_core::matchmaking::{Candidate, Match, MatchQuality, Member, PairQuality, Round};
use faf_lobby_core::request::FindBan;
use faf_lobby_core::{MatchOutcome, Popped, PoppedSearch, QueueEvent, SearchId};
use faf_protocol::server_message::{
    GameType, MatchCancelled, MatchFound, Rating, SearchInfo, SearchState, SearchViolation,
};

use super::*;

const QUEUE: &str = "tmm2v2";
const DAN: (ConnId, PlayerId) = (ConnId(4), PlayerId(4));

fn search(conn: ConnId, state: SearchState) -> Effect {
    let info = SearchInfo {
        queue_name: QUEUE.to_owned(),
        state,
        reason: None,
        waited_seconds: None,
        failed_attempts: None,
    };
    one(conn, ServerMessage::SearchInfo(info))
}

fn start(conn: ConnId) -> Effect {
    search(conn, SearchState::Start)
}

fn stop(conn: ConnId) -> Effect {
    search(conn, SearchState::Stop)
}

fn found(conn: ConnId) -> Effect {
    one(conn, ServerMessage::MatchFound(MatchFound { queue_name: QUEUE.to_owned() }))
}

/// Returns a round with a match of these parties.
fn popped(teams: [&[&[(ConnId, PlayerId)]]; 2]) -> Effect {
    let mut searches = Vec::new();
    let places = teams.map(|team| {
        let places = team.iter().map(|party| {
            let rating = Rating { mean: 1500.0, deviation: 80.0 };
            let members = party.iter().map(|(_, player)| Member { player: *player, rating, games: 100 });
            let candidate = Candidate::new(members.collect(), 0, 1.0, &Settings::default().matchmaking);
            let number = searches.len();
            let search = SearchId(number as u64);
            searches.push(PoppedSearch { search, waited: Duration::ZERO, candidate });
            number
        });
        places.collect::<Vec<_>>()
    });
    let quality = MatchQuality::Pair(PairQuality { quality: 1.0, thresholds: [0.0; 2] });
    let round = Round { matches: vec![Match { teams: places, quality }], unmatched: Vec::new() };
    let (queue, wait, games) = (QueueId(1), Duration::from_secs(60), vec![Some(GAME)]);
    Effect::Queue(QueueEvent::Popped(Box::new(Popped { queue, wait, searches, round, games })))
}

fn order(conn: ConnId, team: i64) -> Effect {
    let Effect::Send { to, message: ServerMessage::GameLaunch(mut order) } = launch(conn) else { panic!() };
    (order.game_type, order.team) = (GameType::Matchmaker, Some(team));
    Effect::Send { to, message: ServerMessage::GameLaunch(order) }
}

fn cancelled(conn: ConnId) -> Effect {
    one(conn, ServerMessage::MatchCancelled(MatchCancelled { game_id: Some(GAME) }))
}

fn violation(conn: ConnId) -> Effect {
    one(conn, ServerMessage::SearchViolation(SearchViolation { count: 1, time: String::new() }))
}

fn ended(outcome: MatchOutcome) -> Effect {
    Effect::Queue(QueueEvent::MatchEnded { queue: QueueId(1), game: Some(GAME), outcome })
}

impl Forged {
    /// Creates a state in which Ada and Bob are in a match.
    fn matched() -> Self {
        let mut forged = Self::searching();
        forged.does(&[found(ADA.0), found(BOB.0), popped([&[&[ADA]], &[&[BOB]]])]).unwrap();
        forged
    }

    /// Creates a state in which both start the game of their match, and Ada's process has started.
    fn ordered() -> Self {
        let mut forged = Self::matched();
        forged.game(GameState::Initializing, &[]);
        forged.does(&[order(ADA.0, 2)]).unwrap();
        forged.does(&[order(BOB.0, 3)]).unwrap();
        forged.game(GameState::Lobby, &[ADA.1]);
        let idle = r#"{"target":"game","command":"GameState","args":["Idle"]}"#;
        forged.send(ADA.0, idle, &[]).unwrap();
        forged
    }

    /// Creates a state in which Ada and Bob search, each alone.
    fn searching() -> Self {
        let mut forged = Self::new();
        forged.does(&[start(ADA.0)]).unwrap();
        forged.does(&[start(BOB.0)]).unwrap();
        forged
    }

    /// Checks what is checked every second, after this many seconds.
    fn after(&mut self, seconds: u64) -> Outcome {
        self.now += Duration::from_secs(seconds);
        self.does(&[]).unwrap();
        let settings = Settings::default();
        let size = Size { connections: 3, players: 3 };
        self.checker.second(size, &settings)
    }
}

#[test]
fn a_match_that_goes_well_breaks_no_law() {
    let mut forged = Forged::ordered();
    forged.after(60).unwrap();
    forged.does(&[ended(MatchOutcome::Launched)]).unwrap();
    forged.after(60).unwrap();
}

#[test]
fn searches_are_shown_as_they_are() {
    breaks(Forged::searching().does(&[start(ADA.0)]), Law::SearchesAreReal);
    let Effect::Send { message: ServerMessage::SearchInfo(mut told), .. } = start(ADA.0) else { panic!() };
    told.reason = Some("nobody else is here".to_owned());
    let told = one(ADA.0, ServerMessage::SearchInfo(told));
    breaks(Forged::new().does(std::slice::from_ref(&told)), Law::SearchesAreReal);
    Forged::searching().does(&[told]).unwrap();

    let mut forged = Forged::searching();
    let real: BTreeMap<PlayerId, bool> = [(ADA.1, true), (BOB.1, true), (CEM.1, false)].into();
    forged.checker.check_shown_searches(&[QUEUE], |player, _| real[&player]).unwrap();
    breaks(forged.checker.check_shown_searches(&[QUEUE], |_, _| true), Law::SearchesAreReal);
    forged.does(&[stop(ADA.0)]).unwrap();
    breaks(forged.checker.check_shown_searches(&[QUEUE], |player, _| real[&player]), Law::SearchesAreReal);
}

#[test]
fn matches_are_made_of_those_who_search() {
    let both = [found(ADA.0), found(BOB.0)];
    breaks(Forged::new().does(&both), Law::MatchedWereSearching);
    breaks(Forged::searching().does(&both), Law::MatchedWereSearching);
    let not_told = [found(ADA.0), popped([&[&[ADA]], &[&[BOB]]])];
    breaks(Forged::searching().does(&not_told), Law::MatchedWereSearching);
}

#[test]
fn parties_are_not_split() {
    let party = || {
        let mut forged = Forged::new();
        forged.log_in(DAN.0, DAN.1, Vec::new()).unwrap();
        forged.does(&[start(ADA.0), start(BOB.0)]).unwrap();
        forged.does(&[start(CEM.0)]).unwrap();
        forged.does(&[start(DAN.0)]).unwrap();
        forged
    };
    let all = || [ADA, BOB, CEM, DAN].map(|(conn, _)| found(conn));
    let round = |effect| all().into_iter().chain([effect]).collect::<Vec<_>>();
    party().does(&round(popped([&[&[ADA, BOB]], &[&[CEM], &[DAN]]]))).unwrap();
    let split = round(popped([&[&[ADA], &[CEM]], &[&[BOB], &[DAN]]]));
    breaks(party().does(&split), Law::PartiesStayTogether);
    breaks(party().does(&[stop(ADA.0)]), Law::PartiesStayTogether);
    // A player who goes offline is not sent anything, but ends the search of all.
    let lost = Event::Disconnected { conn: ADA.0 };
    breaks(party().step(Some(&lost), &[]), Law::PartiesStayTogether);
    party().step(Some(&lost), &[stop(BOB.0)]).unwrap();

    let mut forged = Forged::matched();
    breaks(forged.does(&[order(ADA.0, 3)]), Law::PartiesStayTogether);
}

#[test]
fn nobody_is_in_two_matches() {
    let again = [start(ADA.0), found(ADA.0), popped([&[&[ADA]], &[]])];
    let mut forged = Forged::matched();
    breaks(forged.does(&again[..]), Law::OneMatchEach);
    let twice = [found(ADA.0), start(ADA.0), found(ADA.0)];
    breaks(Forged::searching().does(&twice), Law::OneMatchEach);
    let mut forged = Forged::hosted("");
    breaks(forged.does(&again[..]), Law::OneMatchEach);
}

#[test]
fn the_game_of_a_match_is_started_by_its_players_and_the_host_is_first() {
    let mut forged = Forged::matched();
    breaks(forged.does(&[order(CEM.0, 2)]), Law::LaunchIsAsked);
    breaks(forged.does(&[order(BOB.0, 3)]), Law::GamesAreHosted);
    let mut forged = Forged::matched();
    forged.game(GameState::Initializing, &[]);
    forged.does(&[order(ADA.0, 2)]).unwrap();
    breaks(forged.does(&[order(ADA.0, 2)]), Law::LaunchIsAsked);
}

#[test]
fn matches_keep_their_time_limits() {
    breaks(Forged::matched().after(1000), Law::MatchesAreTold);
    let mut forged = Forged::ordered();
    forged.after(60).unwrap();
    breaks(forged.after(60), Law::MatchesEnd);
}

#[test]
fn everybody_is_sent_that_a_match_is_cancelled() {
    let failed = ended(MatchOutcome::TimedOut);
    Forged::matched().does(&[cancelled(ADA.0), cancelled(BOB.0), failed.clone()]).unwrap();
    breaks(Forged::matched().does(&[cancelled(ADA.0), failed.clone()]), Law::MatchesEnd);
    breaks(Forged::matched().does(&[cancelled(CEM.0)]), Law::MatchesEnd);
    let lost = Event::Disconnected { conn: BOB.0 };
    Forged::matched().step(Some(&lost), &[cancelled(ADA.0), failed.clone()]).unwrap();
    // A player who does something else by now need not be sent it.
    let mut forged = Forged::matched();
    forged.does(&[start(BOB.0)]).unwrap();
    forged.does(&[cancelled(ADA.0), failed]).unwrap();
}

#[test]
fn only_players_of_a_failed_match_are_blamed_and_only_if_it_is_their_fault() {
    let failure = [cancelled(ADA.0), cancelled(BOB.0), violation(ADA.0), ended(MatchOutcome::TimedOut)];
    Forged::matched().does(&failure).unwrap();
    breaks(Forged::matched().does(&[violation(ADA.0)]), Law::BlameIsDeserved);
    breaks(Forged::matched().step(Some(&Event::Shutdown), &failure), Law::BlameIsDeserved);

    let mut forged = Forged::matched();
    let ticket = forged.request(None, FindBan { player: CEM.1 });
    let away = FindBan { player: CEM.1 }.request(ticket).unavailable();
    breaks(forged.step(Some(&Event::Replied { reply: away }), &failure), Law::BlameIsDeserved);

    let mut forged = Forged::matched();
    for number in 10..30 {
        forged.log_in(ConnId(number), PlayerId(number as u32), Vec::new()).unwrap();
        forged.step(Some(&Event::Disconnected { conn: ConnId(number) }), &[]).unwrap();
    }
    breaks(forged.does(&failure), Law::BlameIsDeserved);
    let mut forged = Forged::matched();
    forged.log_in(DAN.0, DAN.1, Vec::new()).unwrap();
    forged.step(Some(&Event::Disconnected { conn: DAN.0 }), &[]).unwrap();
    forged.does(&failure).unwrap();
}
