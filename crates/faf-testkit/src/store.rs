//! A database in memory that carries out the lobby's requests, or fails to.

use std::collections::{BTreeMap, BTreeSet};

use faf_lobby_core::ratings::{
    GLOBAL, LADDER, Leaderboard, Leaderboards, RatingChange, START_RATING, rate_game,
};
use faf_lobby_core::request::{CheckToken, LikeMod, SelectAvatar, SetRelation};
use faf_lobby_core::{
    Account, AvatarNotGranted, Ban, Game, GameData, GameEnd, GameLaunched, GameWrite, InitialState,
    JoinAttempt, Like, MapVersion, Note, Profile, Relation, Reply, Request, TokenFault, Unavailable,
    UnknownMod, UnknownPlayer, VaultMod,
};
use faf_protocol::server_message::{Avatar, CoopMission, LeaderboardRating, Rating};
use faf_protocol::{GameId, PlayerId};

/// Everything the lobby can ask for.
#[derive(Debug, Clone)]
pub struct FakeStore {
    /// Accounts, by name.
    pub accounts: BTreeMap<String, FakeAccount>,
    /// Co-op missions.
    pub missions: Vec<CoopMission>,
    /// The vault.
    pub mods: Vec<VaultMod>,
    /// Who likes which mod.
    pub likes: BTreeSet<(PlayerId, String)>,
    /// Featured mods, ranked mods and leaderboards; at first `faf` and `coop`, none, and the two
    /// every lobby has.
    pub data: GameData,
    /// Maps by folder name; at first `scmp_007`.
    pub maps: BTreeMap<String, MapVersion>,
    /// The highest number of a game that was given out; at first 0.
    pub last_game: GameId,
    /// Games that were launched.
    pub games: BTreeMap<GameId, FakeGame>,
    /// Wishes to join a game.
    pub join_attempts: Vec<(PlayerId, JoinAttempt)>,
    /// Whether nothing can be found out.
    pub is_unavailable: bool,
    /// Whether no token can be checked.
    pub has_no_keys: bool,
}

/// A game that was launched, with everything that is stored of it.
#[derive(Debug, Clone)]
pub struct FakeGame {
    /// As it was launched.
    pub launched: GameLaunched,
    /// As it was last saved, until it is over.
    pub saved: Option<Game>,
    /// How it has ended.
    pub end: Option<GameEnd>,
    /// What else has happened in it.
    pub notes: Vec<Note>,
    /// What has become of ratings.
    pub ratings: Vec<RatingChange>,
}

/// An account with everything that belongs to it.
#[derive(Debug, Clone, Default)]
pub struct FakeAccount {
    /// Number of the account.
    pub id: u32,
    /// What has to be sent as password.
    pub password: String,
    /// Ban, in force or not.
    pub ban: Option<Ban>,
    /// Avatars that may be selected.
    pub avatars: Vec<Avatar>,
    /// The one that is.
    pub avatar: Option<Avatar>,
    /// Tag of the clan.
    pub clan: Option<String>,
    /// Ratings by leaderboard.
    pub ratings: Vec<(String, LeaderboardRating)>,
    /// Groups.
    pub groups: Vec<String>,
    /// Permissions by technical name.
    pub permissions: Vec<&'static str>,
    /// Friends.
    pub friends: BTreeSet<PlayerId>,
    /// Foes.
    pub foes: BTreeSet<PlayerId>,
}

impl Default for FakeStore {
    fn default() -> Self {
        let leaderboard = |id, name: &str| Leaderboard { id, name: name.to_owned(), initializer: None };
        let data = GameData {
            featured_mods: BTreeMap::from([("faf".to_owned(), 0), ("coop".to_owned(), 25)]),
            ranked_mods: BTreeSet::new(),
            leaderboards: Leaderboards::new(vec![leaderboard(1, GLOBAL), leaderboard(2, LADDER)]),
        };
        Self {
            accounts: BTreeMap::new(),
            missions: Vec::new(),
            mods: Vec::new(),
            likes: BTreeSet::new(),
            data,
            maps: BTreeMap::from([("scmp_007".to_owned(), MapVersion { id: 7, is_ranked: true })]),
            last_game: GameId::default(),
            games: BTreeMap::new(),
            join_attempts: Vec::new(),
            is_unavailable: false,
            has_no_keys: false,
        }
    }
}

impl FakeStore {
    /// A store with these accounts, numbered from 1; each has its name followed by `-pw` as
    /// password.
    #[must_use]
    pub fn with_accounts<'a>(logins: impl IntoIterator<Item = &'a str>) -> Self {
        let account = |(number, login): (u32, &str)| {
            (
                login.to_owned(),
                FakeAccount { id: number, password: format!("{login}-pw"), ..FakeAccount::default() },
            )
        };
        Self { accounts: (1..).zip(logins).map(account).collect(), ..Self::default() }
    }

    /// The account of this name.
    ///
    /// # Panics
    /// If there is none.
    pub fn account(&mut self, login: &str) -> &mut FakeAccount {
        self.accounts.get_mut(login).unwrap_or_else(|| panic!("no account {login}"))
    }

    fn by_id(&mut self, player: PlayerId) -> Option<(&String, &mut FakeAccount)> {
        self.accounts.iter_mut().find(|(_, account)| account.id == player.0)
    }

    /// What a lobby begins with.
    #[must_use]
    pub fn beginning(&self) -> InitialState {
        InitialState {
            last_game: self.games.keys().next_back().copied().unwrap_or_default().max(self.last_game),
            data: self.data.clone(),
            games: self.games.values().filter_map(|game| game.saved.clone()).collect(),
        }
    }

    fn store_game(&mut self, id: GameId, write: GameWrite) -> Vec<RatingChange> {
        match write {
            GameWrite::Launch(launched) => {
                let saved = Some(launched.game.clone());
                let game = FakeGame {
                    launched: *launched,
                    saved,
                    end: None,
                    notes: Vec::new(),
                    ratings: Vec::new(),
                };
                assert!(self.games.insert(id, game).is_none(), "game {id} is launched a second time");
            }
            GameWrite::Save(saved) => self.launched(id).saved = Some(*saved),
            GameWrite::Note(note) => self.launched(id).notes.push(note),
            GameWrite::End(end) => {
                let ratings = self.rate(&end);
                let game = self.launched(id);
                assert!(game.end.is_none(), "game {id} ends a second time");
                (game.saved, game.end, game.ratings) = (None, Some(*end), ratings.clone());
                return ratings;
            }
        }
        Vec::new()
    }

    fn launched(&mut self, id: GameId) -> &mut FakeGame {
        self.games.get_mut(&id).unwrap_or_else(|| panic!("game {id} was not launched"))
    }

    fn rate(&mut self, end: &GameEnd) -> Vec<RatingChange> {
        let Some(rated) = &end.rated else { return Vec::new() };
        let stored = |player: PlayerId, leaderboard: &str| -> Option<Rating> {
            let account = self.accounts.values().find(|account| account.id == player.0)?;
            account.ratings.iter().find(|(name, _)| name == leaderboard).map(|(_, rating)| rating.rating)
        };
        let leaderboards = &self.data.leaderboards;
        let changes = rate_game(leaderboards, START_RATING, &rated.leaderboard, &rated.teams, &stored);
        let changes = changes.unwrap_or_default();
        for change in &changes {
            let Some((_, account)) = self.by_id(change.player) else { continue };
            let known = account.ratings.iter_mut().find(|(name, _)| *name == change.leaderboard);
            match known {
                Some((_, known)) => {
                    known.rating = change.after;
                    known.number_of_games += 1;
                }
                None => account.ratings.push((
                    change.leaderboard.clone(),
                    LeaderboardRating { rating: change.after, number_of_games: 1 },
                )),
            }
        }
        changes
    }

    /// Carries out a request of the lobby. A token is the number of the account, or the word
    /// `forbidden`.
    pub fn perform(&mut self, request: Request) -> Reply {
        if self.is_unavailable {
            return request.unavailable();
        }
        match request {
            Request::CheckPassword(ticket, request) => {
                let account = self.accounts.get(&request.login);
                let account = account.filter(|account| account.password == request.password.reveal());
                ticket.reply(Ok(Ok(account.map(|account| account.known_as(&request.login)))))
            }
            Request::CheckToken(ticket, request) => ticket.reply(Ok(self.check_token(&request))),
            Request::SignIn(ticket, request) => {
                let account = self.by_id(request.player);
                let profile = account.map(|(_, account)| Box::new(account.profile()));
                ticket.reply(profile.ok_or(Unavailable))
            }
            Request::SetRelation(ticket, request) => ticket.reply(Ok(self.set_relation(&request))),
            Request::EndRelation(ticket, request) => {
                if let Some((_, account)) = self.by_id(request.player) {
                    account.relations(request.relation).remove(&request.subject);
                }
                ticket.reply(Ok(()))
            }
            Request::ListAvatars(ticket, request) => {
                let account = self.by_id(request.player);
                ticket.reply(Ok(account.map(|(_, account)| account.avatars.clone()).unwrap_or_default()))
            }
            Request::SelectAvatar(ticket, request) => match self.by_id(request.player) {
                Some((_, account)) => ticket.reply(Ok(account.select_avatar(&request))),
                None => ticket.reply(Err(Unavailable)),
            },
            Request::HasPermission(ticket, request) => {
                let name = request.permission.technical_name();
                let account = self.by_id(request.player);
                ticket.reply(Ok(account.is_some_and(|(_, account)| account.permissions.contains(&name))))
            }
            Request::ListCoopMissions(ticket, _) => ticket.reply(Ok(self.missions.clone())),
            Request::ListLikedMods(ticket, request) => {
                let mut mods = self.mods.clone();
                mods.sort_by(|a, b| b.likes.total_cmp(&a.likes));
                mods.truncate(request.limit as usize);
                ticket.reply(Ok(mods))
            }
            Request::LikeMod(ticket, request) => ticket.reply(Ok(self.like_mod(request))),
            Request::CountDownload(ticket, request) => {
                let known = self.mods.iter_mut().find(|known| known.uid == request.uid);
                ticket.reply(Ok(known.map(|known| known.downloads += 1).ok_or(UnknownMod)))
            }
            Request::FindBan(ticket, request) => ticket.reply(Ok(self.find_ban(request.player))),
            Request::AttemptJoin(ticket, request) => {
                self.join_attempts.push((request.player, request.attempt));
                ticket.reply(Ok(self.find_ban(request.player)))
            }
            Request::FindMap(ticket, request) => ticket.reply(Ok(self.maps.get(&request.folder).copied())),
            Request::OpenGame(ticket, request) => {
                self.last_game = self.last_game.max(request.game);
                ticket.reply(Ok(self.maps.get(&request.folder).copied()))
            }
            Request::FindModNames(ticket, request) => {
                let known = self.mods.iter().filter(|known| request.uids.contains(&known.uid));
                ticket.reply(Ok(known.map(|known| (known.uid.clone(), known.name.clone())).collect()))
            }
            Request::ReadGameData(ticket, _) => ticket.reply(Ok(Box::new(self.data.clone()))),
            Request::StoreGame(ticket, request) => {
                ticket.reply(Ok(Ok(self.store_game(request.game, request.write))))
            }
        }
    }

    fn check_token(&mut self, request: &CheckToken) -> Result<Option<Account>, TokenFault> {
        match (request.token.reveal(), request.token.reveal().parse()) {
            _ if self.has_no_keys => Err(TokenFault::NoKeys),
            ("forbidden", _) => Err(TokenFault::NoPermission),
            (_, Err(_)) => Err(TokenFault::Invalid("it is no number".to_owned())),
            (_, Ok(id)) => Ok(self.by_id(PlayerId(id)).map(|(login, account)| account.known_as(login))),
        }
    }

    fn set_relation(&mut self, request: &SetRelation) -> Result<(), UnknownPlayer> {
        if self.by_id(request.subject).is_none() {
            return Err(UnknownPlayer);
        }
        if let Some((_, account)) = self.by_id(request.player) {
            account.friends.remove(&request.subject);
            account.foes.remove(&request.subject);
            account.relations(request.relation).insert(request.subject);
        }
        Ok(())
    }

    fn like_mod(&mut self, LikeMod { player, uid }: LikeMod) -> Result<Like, UnknownMod> {
        let liked = self.mods.iter_mut().find(|known| known.uid == uid).ok_or(UnknownMod)?;
        if !self.likes.insert((player, uid)) {
            return Ok(Like::Before);
        }
        liked.likes += 1.0;
        Ok(Like::Counted(Box::new(liked.clone())))
    }

    fn find_ban(&mut self, player: PlayerId) -> Option<Ban> {
        self.by_id(player).and_then(|(_, account)| account.ban.clone())
    }
}

impl FakeAccount {
    fn relations(&mut self, relation: Relation) -> &mut BTreeSet<PlayerId> {
        match relation {
            Relation::Friend => &mut self.friends,
            Relation::Foe => &mut self.foes,
        }
    }

    fn known_as(&self, login: &str) -> Account {
        Account { id: PlayerId(self.id), login: login.to_owned(), ban: self.ban.clone() }
    }

    fn select_avatar(&mut self, request: &SelectAvatar) -> Result<Option<Avatar>, AvatarNotGranted> {
        let granted = request.url.as_ref().map(|url| {
            let granted = self.avatars.iter().find(|avatar| avatar.url == *url);
            granted.cloned().ok_or(AvatarNotGranted)
        });
        self.avatar = granted.transpose()?;
        Ok(self.avatar.clone())
    }

    fn profile(&self) -> Profile {
        Profile {
            avatar: self.avatar.clone(),
            clan: self.clan.clone(),
            ratings: self.ratings.clone(),
            groups: self.groups.clone(),
            friends: self.friends.iter().copied().collect(),
            foes: self.foes.iter().copied().collect(),
            ban: self.ban.clone(),
        }
    }
}
