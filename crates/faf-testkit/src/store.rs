//! A database in memory that answers the lobby's questions, or fails to.

use std::collections::{BTreeMap, BTreeSet};

use faf_lobby_core::ratings::{
    GLOBAL, LADDER, Leaderboard, Leaderboards, RatingChange, START_RATING, rate_game,
};
use faf_lobby_core::{
    Account, Answer, Ban, Beginning, Game, GameData, GameEnd, GameLaunched, GameWrite, JoinAttempt,
    MapVersion, Note, Profile, Question, Relation, TokenFault, VaultMod,
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
    /// Featured mods, ranked mods and leaderboards; at first `faf` and `coop`, none, and the two every lobby has.
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
    /// A store with these accounts, numbered from 1; each has its name followed by `-pw` as password.
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
    pub fn beginning(&self) -> Beginning {
        Beginning {
            last_game: self.games.keys().next_back().copied().unwrap_or_default().max(self.last_game),
            data: self.data.clone(),
            games: self.games.values().filter_map(|game| game.saved.clone()).collect(),
        }
    }

    fn store_game(&mut self, id: GameId, write: GameWrite) -> Answer {
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
                return Answer::GameStored(ratings);
            }
        }
        Answer::GameStored(Vec::new())
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

    /// Answers a question of the lobby. A token is the number of the account, or the word `forbidden`.
    pub fn answer(&mut self, question: Question) -> Answer {
        if self.is_unavailable {
            return Answer::Unavailable;
        }
        let found = |login: &str, account: &FakeAccount| {
            let (id, login, ban) = (PlayerId(account.id), login.to_owned(), account.ban.clone());
            Answer::Account(Some(Account { id, login, ban }))
        };
        match question {
            Question::CheckPassword { login, password } => match self.accounts.get(&login) {
                Some(account) if account.password == password.reveal() => found(&login, account),
                _ => Answer::Account(None),
            },
            Question::CheckToken { .. } if self.has_no_keys => Answer::Token(TokenFault::NoKeys),
            Question::CheckToken { token } => match (token.reveal(), token.reveal().parse()) {
                ("forbidden", _) => Answer::Token(TokenFault::NoPermission),
                (_, Err(_)) => Answer::Token(TokenFault::Invalid("it is no number".to_owned())),
                (_, Ok(id)) => match self.by_id(PlayerId(id)) {
                    Some((login, account)) => found(login, account),
                    None => Answer::Account(None),
                },
            },
            Question::SignIn { player, .. } => match self.by_id(player) {
                Some((_, account)) => Answer::Profile(Box::new(account.profile())),
                None => Answer::Unavailable,
            },
            Question::SetRelation { player, subject, relation } => {
                if self.by_id(subject).is_none() {
                    return Answer::UnknownPlayer;
                }
                if let Some((_, account)) = self.by_id(player) {
                    account.friends.remove(&subject);
                    account.foes.remove(&subject);
                    account.relations(relation).insert(subject);
                }
                Answer::RelationChanged
            }
            Question::EndRelation { player, subject, relation } => {
                if let Some((_, account)) = self.by_id(player) {
                    account.relations(relation).remove(&subject);
                }
                Answer::RelationChanged
            }
            Question::ListAvatars { player } => Answer::Avatars(
                self.by_id(player).map(|(_, account)| account.avatars.clone()).unwrap_or_default(),
            ),
            Question::SelectAvatar { player, url } => {
                let Some((_, account)) = self.by_id(player) else { return Answer::Unavailable };
                let granted =
                    url.as_ref().and_then(|url| account.avatars.iter().find(|avatar| avatar.url == *url));
                if url.is_some() && granted.is_none() {
                    return Answer::AvatarNotGranted;
                }
                account.avatar = granted.cloned();
                Answer::AvatarSelected(account.avatar.clone())
            }
            Question::HasPermission { player, permission } => {
                let account = self.by_id(player).map(|(_, account)| account);
                Answer::Permission(
                    account.is_some_and(|account| account.permissions.contains(&permission.technical_name())),
                )
            }
            Question::CoopMissions => Answer::Missions(self.missions.clone()),
            Question::LikedMods { limit } => {
                let mut mods = self.mods.clone();
                mods.sort_by(|a, b| b.likes.total_cmp(&a.likes));
                mods.truncate(limit as usize);
                Answer::Mods(mods)
            }
            Question::LikeMod { player, uid } => {
                let Some(liked) = self.mods.iter_mut().find(|known| known.uid == uid) else {
                    return Answer::UnknownMod;
                };
                if !self.likes.insert((player, uid)) {
                    return Answer::LikedBefore;
                }
                liked.likes += 1.0;
                Answer::Mods(vec![liked.clone()])
            }
            Question::CountDownload { uid } => match self.mods.iter_mut().find(|known| known.uid == uid) {
                Some(known) => {
                    known.downloads += 1;
                    Answer::DownloadCounted
                }
                None => Answer::UnknownMod,
            },
            Question::FindBan { player, joining } => {
                self.join_attempts.extend(joining.map(|attempt| (player, attempt)));
                Answer::Ban(self.by_id(player).and_then(|(_, account)| account.ban.clone()))
            }
            Question::FindMap { folder } => Answer::Map(self.maps.get(&folder).copied()),
            Question::OpenGame { game, folder, .. } => {
                self.last_game = self.last_game.max(game);
                Answer::Map(self.maps.get(&folder).copied())
            }
            Question::NameMods { uids } => {
                let known = self.mods.iter().filter(|known| uids.contains(&known.uid));
                Answer::ModNames(known.map(|known| (known.uid.clone(), known.name.clone())).collect())
            }
            Question::ReadGameData => Answer::GameData(Box::new(self.data.clone())),
            Question::StoreGame { game, write } => self.store_game(game, write),
        }
    }
}

impl FakeAccount {
    fn relations(&mut self, relation: Relation) -> &mut BTreeSet<PlayerId> {
        match relation {
            Relation::Friend => &mut self.friends,
            Relation::Foe => &mut self.foes,
        }
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
