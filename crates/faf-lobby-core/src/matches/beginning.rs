//! The beginning of a match: its players, its map and its game (matchmaking.md sections 8.1 to
//! 8.4).

use std::collections::{BTreeMap, BTreeSet};

use faf_protocol::server_message::{MatchFound, ServerMessage};
use faf_protocol::{Faction, GameId, PlayerId, PoolEntryId};

use crate::explanation::{MatchMade, MatchedSearch};
use crate::game_options::{Accepted, GameKind, GameOptions};
use crate::games::joining;
use crate::io::{OpenMatch, ReplyTo, SearchId};
use crate::matches::failure::{Failure, end_without_game, fail};
use crate::matches::launching::{DATABASE_TIMEOUT, enter_phase};
use crate::matchmaking::MatchQuality;
use crate::matchmaking::game_name::{NamedPlayer, game_name};
use crate::matchmaking::map_choice::MapChoice;
use crate::matchmaking::map_pool::{Bracket, PoolMap};
use crate::matchmaking::queue::{QueueData, QueueId};
use crate::matchmaking::slots::assign_slots;
use crate::matchmaking::vetoes::Vetoes;
use crate::queues;
use crate::state::{
    Activity, Arranged, FeaturedMod, Game, Host, Lobby, Map, Match, Matched, Phase, ResumeLobby, Search, Slot,
};

/// Begins a match of searches in a queue: all their players are in it from now on, and search no
/// more. Returns the id of its game, if there is one for it.
pub(crate) fn begin(
    lobby: &mut Lobby,
    queue: QueueId,
    teams: [Vec<SearchId>; 2],
    quality: MatchQuality,
) -> Option<GameId> {
    let name = lobby.queues.get(queue)?.data.name.clone();
    // All leave this queue first: nobody is sent that this search has ended.
    let left = teams.map(|team| -> Vec<Search> {
        team.into_iter().filter_map(|search| lobby.queues.leave(queue, search)).collect()
    });
    let searches = left.each_ref().map(|team| team.iter().map(|search| matched(lobby, search)).collect());
    let teams = left.map(|team| {
        let players = team.into_iter().flat_map(|search| search.players);
        players.map(|player| Matched { player, faction: draw_faction(lobby, player) }).collect()
    });
    let players: Vec<PlayerId> = teams.iter().flatten().map(|matched: &Matched| matched.player).collect();
    for player in &players {
        let Some(online) = lobby.players.get_mut(*player) else { continue };
        online.activity = Activity::StartingAutomatch;
        let conn = online.conn;
        lobby.send(conn, ServerMessage::MatchFound(MatchFound { queue_name: name.clone() }));
        queues::cancel_searches_of(lobby, *player);
    }
    let began_at = lobby.now.elapsed;
    let mut found = Match {
        queue,
        teams,
        searches,
        quality,
        began_at,
        phase: Phase::Opening,
        until: began_at,
        lost: BTreeSet::new(),
        peers: BTreeMap::new(),
        ready: BTreeSet::new(),
    };
    let (Some(host), Some(game)) = (found.host(), lobby.games.next_id()) else {
        end_without_game(lobby, &found);
        return None;
    };
    if let Some(outcomes) = &mut lobby.recorded
        && let Some(recorded) = outcomes.next.take()
    {
        for one in found.teams.iter_mut().flatten() {
            one.faction = recorded.factions.get(&one.player).copied().unwrap_or(one.faction);
        }
        outcomes.begun.insert(game, recorded);
    }
    lobby.matches.insert(game, found);
    enter_phase(lobby, game, Phase::Opening, began_at + DATABASE_TIMEOUT);
    let limit = lobby.settings.matches.ladder_anti_repetition_limit;
    lobby.request_for_lobby(OpenMatch { host, game, queue, players, limit }, game);
    Some(game)
}

/// Returns a search as it is explained later.
fn matched(lobby: &Lobby, search: &Search) -> MatchedSearch {
    let online = search.players.iter().filter_map(|player| lobby.players.get(*player));
    MatchedSearch {
        players: online.map(|online| online.info.login.clone()).collect(),
        waited: search.waited(lobby.now.elapsed),
        failed_attempts: search.failed_attempts,
    }
}

/// Draws one of the factions that a player has chosen.
fn draw_faction(lobby: &mut Lobby, player: PlayerId) -> Faction {
    let factions: Vec<Faction> = lobby.parties.factions_of(player).iter().collect();
    let drawn = factions.get(lobby.random.index(factions.len()));
    drawn.copied().unwrap_or(Faction::Uef)
}

impl ResumeLobby for OpenMatch {
    type Memo = GameId;

    fn resume(id: GameId, lobby: &mut Lobby, reply: ReplyTo<Self>) {
        // The match may have been cancelled in the meantime.
        let is_opening = |found: &&Match| found.phase == Phase::Opening;
        let Some(found) = lobby.matches.get(id).filter(is_opening).cloned() else { return };
        let Some(host) = found.host() else { return };
        let Ok(history) = reply else { return fail(lobby, id, Failure::Ours) };
        if found.lost.contains(&host) || lobby.players.get(host).is_none() {
            return fail(lobby, id, Failure::PlayersLeft(vec![host]));
        }
        match arrange(lobby, id, &found, &history) {
            Some(game) => open(lobby, game),
            None => fail(lobby, id, Failure::Ours),
        }
    }
}

/// Inserts the game of a match, and makes the host's client start its process.
fn open(lobby: &mut Lobby, game: Game) {
    let (id, host) = (game.id, game.host.id);
    let until = lobby.now.elapsed + game.setup_timeout(&lobby.settings);
    lobby.games.insert(game);
    lobby.games.mark(id);
    enter_phase(lobby, id, Phase::WaitsForHost, until);
    if let Some(conn) = lobby.players.conn(host) {
        joining::launch_game_process(lobby, conn, id);
    }
}

/// Puts together the game of a match; `None` if there is no map for it, or its queue is gone.
fn arrange(lobby: &mut Lobby, id: GameId, found: &Match, history: &[u32]) -> Option<Game> {
    let data = lobby.queues.get(found.queue)?.data.clone();
    let featured_mod = lobby.data.featured_mods.get(&data.featured_mod).copied()?;
    let ratings = |lobby: &Lobby, team: &[Matched]| -> Vec<(PlayerId, f64)> {
        let displayed = |player| {
            let online = lobby.players.get(player)?;
            Some(online.rating_on(&lobby.data.leaderboards, &data.leaderboard).displayed())
        };
        team.iter().map(|one| (one.player, displayed(one.player).unwrap_or_default())).collect()
    };
    let teams = [ratings(lobby, &found.teams[0]), ratings(lobby, &found.teams[1])];
    let displayed: Vec<f64> = teams.iter().flatten().map(|(_, rating)| *rating).collect();
    let recorded = lobby.recorded.as_mut().and_then(|outcomes| outcomes.begun.remove(&id));
    let (mut entry, mut map, made) = choose_map(lobby, found, &data, &displayed, history)?;
    if let Some(folder) = recorded.as_ref().and_then(|recorded| recorded.map.as_ref()) {
        (entry, map) = recorded_map(&data, folder, entry);
    }
    let order = lobby.random.order(found.teams[0].len());
    let factions: BTreeMap<PlayerId, Faction> =
        found.teams.iter().flatten().map(|one| (one.player, one.faction)).collect();
    let mut places = assign_slots([&teams[0], &teams[1]], &order);
    if let Some(recorded) = recorded {
        recorded.arrange(&mut places);
    }
    let slots = places.into_iter().map(|place| {
        let slot = i64::from(place.slot);
        let faction = factions.get(&place.player).map(|faction| i64::from(faction.number()));
        let (team, same) = (Some(i64::from(place.team)), Some(slot));
        (place.player, Slot { team, army: same, start_spot: same, faction, color: same })
    });
    let slots: BTreeMap<PlayerId, Slot> = slots.collect();
    let host = Host::of(lobby.players.get(found.host()?)?);
    let featured_mod = FeaturedMod { id: featured_mod, name: data.featured_mod.clone() };
    let (title, options) = (title(lobby, found), options(&data, slots.len()));
    let arranged =
        Arranged { queue: data.id, slots, entry, options: data.game_options, made: Some(Box::new(made)) };
    Some(Game {
        options,
        arranged: Some(Box::new(arranged)),
        ..Game::new(id, GameKind::Matchmaker, host, title, featured_mod, data.leaderboard, map)
    })
}

/// Chooses the map of a match from the pool of its bracket, and returns how it came about.
fn choose_map(
    lobby: &mut Lobby,
    found: &Match,
    queue: &QueueData,
    displayed: &[f64],
    history: &[u32],
) -> Option<(PoolEntryId, Map, MatchMade)> {
    let settings = &lobby.settings.matches;
    let rating = settings.map_pool_rating_selection.rating(displayed);
    let bracket = Bracket::of_rating(&queue.brackets, rating)?;
    let vetoes: Vec<&Vetoes> =
        found.players().filter_map(|player| lobby.players.get(player)).map(|online| &online.vetoes).collect();
    let choice = MapChoice::new(bracket, &vetoes, history, &settings.anti_repetition);
    let drawn = choice.draw(lobby.random.fraction())?;
    let entry = bracket.pool.iter().find(|entry| entry.id == drawn)?;
    let version = match &entry.map {
        PoolMap::Fixed { version, .. } => Some(version.id),
        PoolMap::Generated(_) => None,
    };
    let made = MatchMade::new(
        queue.name.clone(),
        found.quality,
        found.searches.clone(),
        (bracket, rating),
        (&choice, drawn),
    );
    let folder = entry.map.folder(lobby.random.bits());
    Some((drawn, Map { folder, version, is_ranked: entry.map.is_ranked() }, made))
}

/// Returns the map in this folder, which another server has drawn: the entry of the queue's pools
/// that has it, or else the entry that was drawn here.
fn recorded_map(data: &QueueData, folder: &str, drawn: PoolEntryId) -> (PoolEntryId, Map) {
    let entries = data.brackets.iter().flat_map(|bracket| &bracket.pool);
    let found = entries.into_iter().find(|entry| entry.map.can_be_in(folder));
    let version = match found.map(|entry| &entry.map) {
        Some(PoolMap::Fixed { version, .. }) => Some(version.id),
        Some(PoolMap::Generated(_)) | None => None,
    };
    let is_ranked = found.is_none_or(|entry| entry.map.is_ranked());
    (found.map_or(drawn, |entry| entry.id), Map { folder: folder.to_owned(), version, is_ranked })
}

/// Returns the options of a match's game: the queue's replace those with which every game begins.
fn options(queue: &QueueData, players: usize) -> GameOptions {
    let mut options = GameOptions::new(GameKind::Matchmaker);
    let slots = (players as i64).into();
    for (key, value) in std::iter::once(("Slots", slots))
        .chain(queue.game_options.iter().map(|(key, value)| (key.as_str(), value.clone())))
    {
        // An option that cannot be used stays as it was. Clients are sent all of them.
        let _: Accepted = options.set(key, value);
    }
    options
}

fn title(lobby: &Lobby, found: &Match) -> String {
    let teams = found.teams.each_ref().map(|team| {
        let online = team.iter().filter_map(|one| lobby.players.get(one.player));
        let named =
            online.map(|online| NamedPlayer { login: &online.info.login, clan: online.info.clan.as_deref() });
        named.collect::<Vec<_>>()
    });
    game_name([&teams[0], &teams[1]])
}
