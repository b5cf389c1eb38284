//! A bot's view of the lobby: the state that the server has sent, as any client keeps it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use faf_protocol::server_message::{
    GameInfo, GameInfoState, GameType, Player, PlayerState, Rating, SearchState, ServerMessage, UpdateParty,
};
use faf_protocol::{ClientMessage, GameId, PlayerId};

use crate::behaviour::Mission;

/// Rating of a player without one.
const UNRATED: Rating = Rating { mean: 1500.0, deviation: 500.0 };

/// Number of invitations that are kept; the oldest is forgotten for a further one.
const INVITATIONS_KEPT: usize = 8;

/// Number of missions, and of mods, that are kept; further ones are ignored.
const CONTENT_KEPT: usize = 256;

/// The lobby as one client knows it.
#[derive(Debug, Default)]
pub struct View {
    /// The bot itself, after its login.
    pub me: Option<PlayerId>,
    /// Its friends.
    pub friends: Vec<PlayerId>,
    /// Its foes.
    pub foes: Vec<PlayerId>,
    players: BTreeMap<PlayerId, Arc<Player>>,
    games: BTreeMap<GameId, Arc<GameInfo>>,
    /// Team sizes of the queues, by technical name.
    queues: BTreeMap<String, u32>,
    /// Queues in which the party searches.
    searches: BTreeSet<String>,
    /// The party, if the bot is in one.
    party: Option<Arc<UpdateParty>>,
    /// Players who have invited the bot, the last one last.
    invitations: VecDeque<PlayerId>,
    /// Co-op missions, without those whose map is unknown.
    missions: Vec<Mission>,
    /// Uids of simulation mods.
    mods: BTreeSet<String>,
}

impl View {
    /// Applies a message of the server; messages that are not about the lobby change nothing.
    pub fn handle(&mut self, message: &ServerMessage) {
        match message {
            ServerMessage::PlayerInfo(list) => {
                for player in &list.players {
                    match player.state {
                        Some(PlayerState::Offline) => self.players.remove(&player.id),
                        _ => self.players.insert(player.id, Arc::clone(player)),
                    };
                }
            }
            ServerMessage::Social(social) => {
                if let Some(friends) = &social.friends {
                    self.friends.clone_from(friends);
                }
                if let Some(foes) = &social.foes {
                    self.foes.clone_from(foes);
                }
            }
            ServerMessage::GameInfo(game) => self.handle_game(game),
            ServerMessage::GameList(list) => list.games.iter().for_each(|game| self.handle_game(game)),
            ServerMessage::MatchmakerInfo(info) => {
                let queues = info.queues.iter().map(|queue| (queue.queue_name.clone(), queue.team_size));
                self.queues.extend(queues);
            }
            ServerMessage::SearchInfo(info) => match info.state {
                SearchState::Start => {
                    self.searches.insert(info.queue_name.clone());
                }
                SearchState::Stop => {
                    self.searches.remove(&info.queue_name);
                }
            },
            ServerMessage::MatchFound(_) => self.searches.clear(),
            ServerMessage::PartyInvite(invite) => {
                self.forget_invitation(invite.sender);
                self.invitations.push_back(invite.sender);
                if self.invitations.len() > INVITATIONS_KEPT {
                    self.invitations.pop_front();
                }
            }
            ServerMessage::UpdateParty(party) => {
                // A client that is not in the list is alone.
                let is_in_it = party.members.iter().any(|member| Some(member.player) == self.me);
                self.party = is_in_it.then(|| Arc::clone(party));
            }
            ServerMessage::KickedFromParty => self.party = None,
            ServerMessage::CoopInfo(mission) => {
                if let (Some(name), Some(filename)) = (&mission.name, &mission.filename) {
                    self.learn_mission(name, filename);
                }
            }
            ServerMessage::ModvaultInfo(info) if info.ui == 0 && self.mods.len() < CONTENT_KEPT => {
                self.mods.insert(info.uid.clone());
            }
            _ => {}
        }
    }

    /// Applies a message of the bot itself, as clients do: the server does not confirm relations.
    pub(crate) fn handle_own(&mut self, message: &ClientMessage) {
        let set = |players: &mut Vec<PlayerId>, subject: Option<PlayerId>, is_added: bool| {
            players.retain(|player| Some(*player) != subject);
            players.extend(subject.filter(|_| is_added));
        };
        let (subject, is_added) = match message {
            ClientMessage::SocialAdd(subject) => (subject, true),
            ClientMessage::SocialRemove(subject) => (subject, false),
            _ => return,
        };
        set(&mut self.friends, subject.friend, is_added);
        set(&mut self.foes, subject.foe, is_added);
    }

    /// Learns a mission from its name and its file, `maps/FOLDER.zip`.
    fn learn_mission(&mut self, name: &str, filename: &str) {
        let folder = filename.strip_prefix("maps/").unwrap_or(filename);
        let folder = folder.strip_suffix(".zip").unwrap_or(folder);
        let is_new = self.missions.iter().all(|mission| mission.folder != folder);
        if is_new && self.missions.len() < CONTENT_KEPT {
            self.missions.push(Mission { name: name.to_owned(), folder: folder.to_owned() });
        }
    }

    /// Returns the number of players online.
    #[must_use]
    pub fn online(&self) -> usize {
        self.players.len()
    }

    /// Returns all other players online, by number.
    #[must_use]
    pub fn others(&self) -> Vec<PlayerId> {
        self.players.keys().copied().filter(|player| Some(*player) != self.me).collect()
    }

    /// Returns the login of a player who is online.
    #[must_use]
    pub fn login(&self, player: PlayerId) -> Option<&str> {
        self.players.get(&player).map(|player| player.login.as_ref())
    }

    /// Returns the co-op missions of which the server has told.
    #[must_use]
    pub fn missions(&self) -> &[Mission] {
        &self.missions
    }

    /// Returns the uids of the simulation mods of which the server has told.
    #[must_use]
    pub fn mods(&self) -> &BTreeSet<String> {
        &self.mods
    }

    /// Returns the games whose lobby is open, by number, except for those of the matchmaker, which
    /// nobody can join.
    pub fn open_games(&self) -> impl Iterator<Item = &GameInfo> {
        let is_open =
            |game: &&GameInfo| game.state == GameInfoState::Open && game.game_type != GameType::Matchmaker;
        self.games.values().map(Arc::as_ref).filter(is_open)
    }

    /// Returns a player's rating for custom games.
    #[must_use]
    pub fn rating(&self, player: PlayerId) -> Rating {
        let ratings = self.players.get(&player).map(|player| &player.ratings);
        ratings.and_then(|ratings| ratings.get("global")).map_or(UNRATED, |rating| rating.rating)
    }

    /// Returns the rating that clients show: mean less three deviations.
    #[must_use]
    pub fn displayed_rating(&self, player: PlayerId) -> f64 {
        self.rating(player).displayed()
    }

    /// Returns the queues that the bot knows, by technical name, with their team sizes.
    pub fn queues(&self) -> impl Iterator<Item = (&str, usize)> {
        self.queues.iter().map(|(name, team_size)| (name.as_str(), *team_size as usize))
    }

    /// Returns the queues in which the bot's party searches, by technical name.
    #[must_use]
    pub fn searches(&self) -> &BTreeSet<String> {
        &self.searches
    }

    /// Returns the owner of the bot's party; the bot itself if it is alone.
    #[must_use]
    pub fn party_owner(&self) -> Option<PlayerId> {
        self.party.as_ref().map_or(self.me, |party| Some(party.owner))
    }

    /// Returns the other members of the bot's party.
    #[must_use]
    pub fn companions(&self) -> Vec<PlayerId> {
        let members = self.party.iter().flat_map(|party| &party.members).map(|member| member.player);
        members.filter(|member| Some(*member) != self.me).collect()
    }

    /// Returns the player who has invited the bot last, if the invitation is not used.
    #[must_use]
    pub fn invitation(&self) -> Option<PlayerId> {
        self.invitations.back().copied()
    }

    /// Forgets the invitation of a player.
    pub(crate) fn forget_invitation(&mut self, sender: PlayerId) {
        self.invitations.retain(|known| *known != sender);
    }

    fn handle_game(&mut self, game: &Arc<GameInfo>) {
        match game.state {
            GameInfoState::Closed => self.games.remove(&game.uid),
            _ => self.games.insert(game.uid, Arc::clone(game)),
        };
    }
}
