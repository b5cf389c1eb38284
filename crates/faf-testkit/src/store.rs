//! A database in memory that answers the lobby's questions, or fails to.

use std::ops::{Deref, DerefMut};

use faf_lobby_core::{
    Account, Answer, Beginning, GamePublications, GameWrite, MapVersion, Question, TokenFault,
};
use faf_lobby_store::memory::{Memory, MemoryAccount, MemoryGame};
use faf_lobby_store::{Like, Message, StoreError};
use faf_protocol::{GameId, PlayerId};

use crate::lobby::BEGINNING;

/// An account with everything that belongs to it; its password is what has to be sent.
pub type FakeAccount = MemoryAccount;

/// A game that was launched, with everything that is stored of it.
pub type FakeGame = MemoryGame;

/// A [`Memory`] that the lobby asks: at first with the map `scmp_007`.
#[derive(Debug, Clone)]
pub struct FakeStore {
    memory: Memory,
    /// Whether nothing can be found out.
    pub is_unavailable: bool,
    /// Whether no token can be checked.
    pub has_no_keys: bool,
}

impl Default for FakeStore {
    fn default() -> Self {
        let mut memory = Memory::new(|| BEGINNING);
        memory.maps.insert("scmp_007".to_owned(), MapVersion { id: 7, is_ranked: true });
        Self { memory, is_unavailable: false, has_no_keys: false }
    }
}

impl Deref for FakeStore {
    type Target = Memory;

    fn deref(&self) -> &Memory {
        &self.memory
    }
}

impl DerefMut for FakeStore {
    fn deref_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }
}

impl FakeStore {
    /// A store with these accounts, numbered from 1; each has its name followed by `-pw` as
    /// password.
    #[must_use]
    pub fn with_accounts<'a>(logins: impl IntoIterator<Item = &'a str>) -> Self {
        let mut store = Self::default();
        store.accounts.extend((1..).zip(logins).map(|(number, login)| {
            let account =
                FakeAccount { id: number, password: format!("{login}-pw"), ..FakeAccount::default() };
            (login.to_owned(), account)
        }));
        store
    }

    /// The account of this name.
    ///
    /// # Panics
    /// If there is none.
    pub fn account(&mut self, login: &str) -> &mut FakeAccount {
        self.accounts.get_mut(login).unwrap_or_else(|| panic!("no account {login}"))
    }

    /// What a lobby begins with.
    #[must_use]
    pub fn beginning(&self) -> Beginning {
        self.memory.beginning().unwrap_or_default()
    }

    /// Takes the messages out of the outbox, as if they were delivered.
    pub fn deliver(&mut self) -> Vec<Message> {
        let waiting = self.waiting_messages(u32::MAX).unwrap_or_default();
        let (numbers, messages) = waiting.messages.into_iter().unzip();
        let delivered = self.messages_delivered(numbers);
        delivered.map(|()| messages).unwrap_or_default()
    }

    /// Answers a question of the lobby. A token is the number of the account, or the word
    /// `forbidden`.
    pub fn answer(&mut self, question: Question) -> Answer {
        if self.is_unavailable {
            return Answer::Unavailable;
        }
        self.find_out(question).unwrap_or(Answer::Unavailable)
    }

    fn find_out(&mut self, question: Question) -> Result<Answer, StoreError> {
        let found = |login: &str, account: &FakeAccount| {
            let id = PlayerId(account.id);
            Answer::Account(Some(Account { id, login: login.to_owned(), ban: account.last_ban() }))
        };
        Ok(match question {
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
            Question::SignIn { player, address, user_agent } => {
                if self.by_id(player).is_none() {
                    return Ok(Answer::Unavailable);
                }
                self.record_login(player, address, user_agent)?;
                Answer::Profile(Box::new(self.profile(player)?))
            }
            Question::SetRelation { player, subject, relation } => {
                match self.set_relation(player, subject, relation)? {
                    true => Answer::RelationChanged,
                    false => Answer::UnknownPlayer,
                }
            }
            Question::EndRelation { player, subject, relation } => {
                self.end_relation(player, subject, relation)?;
                Answer::RelationChanged
            }
            Question::ListAvatars { player } => Answer::Avatars(self.avatars(player)?),
            Question::SelectAvatar { player, url } => match self.select_avatar(player, url)? {
                Some(selected) => Answer::AvatarSelected(selected),
                None => Answer::AvatarNotGranted,
            },
            Question::HasPermission { player, permission } => {
                Answer::Permission(self.has_permission(player, permission)?)
            }
            Question::CoopMissions => Answer::Missions(self.coop_missions()?),
            Question::LikedMods { limit } => Answer::Mods(self.liked_mods(limit)?),
            Question::LikeMod { player, uid } => match self.like_mod(player, uid)? {
                Like::Counted(liked) => Answer::Mods(vec![*liked]),
                Like::Before => Answer::LikedBefore,
                Like::Unknown => Answer::UnknownMod,
            },
            Question::CountDownload { uid } => match self.count_download(uid)? {
                true => Answer::DownloadCounted,
                false => Answer::UnknownMod,
            },
            Question::FindBan { player, joining } => {
                self.join_attempts.extend(joining.map(|attempt| (player, attempt)));
                Answer::Ban(self.find_ban(player)?)
            }
            Question::FindMap { folder } => Answer::Map(self.find_map(folder)?),
            Question::OpenGame { host, game, folder } => {
                self.record_host(host, game)?;
                Answer::Map(self.find_map(folder)?)
            }
            Question::NameMods { uids } => Answer::ModNames(self.mod_names(uids)?),
            Question::ReadGameData => Answer::GameData(Box::new(self.game_data()?)),
            Question::StoreGame { game, write, publications } => {
                Answer::GameStored(self.store(game, write, publications))
            }
        })
    }

    /// Stores something about a game.
    ///
    /// # Panics
    /// If the lobby stores something that contradicts what is stored, or that was stored before:
    /// here it has no reason to.
    fn store(
        &mut self,
        game: GameId,
        write: GameWrite,
        publications: GamePublications,
    ) -> Vec<faf_lobby_core::ratings::RatingChange> {
        let stored = self.games.get(&game);
        match &write {
            GameWrite::Launch(_) => assert!(stored.is_none(), "game {game} is launched a second time"),
            GameWrite::End(_) => {
                assert!(stored.is_some_and(|game| game.end.is_none()), "game {game} ends a second time");
            }
            _ => {}
        }
        self.store_game(game, write, publications).unwrap_or_else(|error| panic!("game {game}: {error}"))
    }
}
