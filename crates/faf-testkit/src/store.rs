//! An in-memory database that carries out the lobby's requests, or fails to.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use faf_lobby_core::ratings::RatingChange;
use faf_lobby_core::request::{CheckToken, StoreGame};
use faf_lobby_core::{
    Account, Contradiction, GamePublications, GameWrite, InitialState, MapVersion, Reply, Request,
    TokenFault, Unavailable,
};
use faf_lobby_store::memory::{Memory, MemoryAccount, MemoryGame};
use faf_lobby_store::{Beyond, Message, StoreError, StoredAccount, perform};
use faf_protocol::{GameId, PlayerId};

use crate::lobby::BEGINNING;

/// An account with all its data; the password is stored in the form in which it is sent.
pub type FakeAccount = MemoryAccount;

/// A launched game, with everything that is stored about it.
pub type FakeGame = MemoryGame;

/// A [`Memory`] that carries out requests of the lobby; initially with the map `scmp_007`.
#[derive(Debug, Clone)]
pub struct FakeStore {
    memory: Memory,
    /// Whether every request fails.
    pub is_unavailable: bool,
    /// Whether tokens cannot be checked.
    pub has_no_keys: bool,
    /// Whether writes about games may come again, or too late, as those of several leaders of a
    /// cluster do. Otherwise they are an error of the lobby.
    pub repeats_writes: bool,
}

impl Default for FakeStore {
    fn default() -> Self {
        let mut memory = Memory::new(|| BEGINNING);
        memory.maps.insert("scmp_007".to_owned(), MapVersion { id: 7, is_ranked: true });
        Self { memory, is_unavailable: false, has_no_keys: false, repeats_writes: false }
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
    /// Creates a store with these accounts, numbered from 1; the password of each is its name
    /// followed by `-pw`.
    #[must_use]
    pub fn with_accounts<'a>(logins: impl IntoIterator<Item = &'a str>) -> Self {
        let mut store = Self::default();
        for (number, login) in (1..).zip(logins) {
            let password = format!("{login}-pw");
            store.add_account(FakeAccount::new(PlayerId(number), login.to_owned(), password));
        }
        store
    }

    /// Returns the account with this name.
    ///
    /// # Panics
    /// If it does not exist.
    pub fn account(&mut self, login: &str) -> &mut FakeAccount {
        let mut accounts = self.accounts.values_mut();
        accounts.find(|account| account.login == login).unwrap_or_else(|| panic!("no account {login}"))
    }

    /// Returns the initial state of a lobby.
    #[must_use]
    pub fn beginning(&self) -> InitialState {
        self.memory.beginning().unwrap_or_default()
    }

    /// Removes the messages from the outbox, as if they were delivered.
    pub fn deliver(&mut self) -> Vec<Message> {
        let waiting = self.waiting_messages(u32::MAX).unwrap_or_default();
        let (numbers, messages) = waiting.messages.into_iter().unzip();
        let delivered = self.messages_delivered(numbers);
        delivered.map(|()| messages).unwrap_or_default()
    }

    /// Carries out a request of the lobby. A token is the number of the account, or the word
    /// `forbidden`.
    ///
    /// # Panics
    /// If the lobby stores a write about a game that contradicts the stored data.
    pub fn perform(&mut self, request: Request) -> Reply {
        if self.is_unavailable {
            return request.unavailable();
        }
        // Only an account that was removed while its player logged in is missing here.
        if let Request::SignIn(_, sign_in) = &request
            && !self.accounts.contains_key(&sign_in.player)
        {
            return request.unavailable();
        }
        let performed = {
            let memory = RefCell::new(&mut self.memory);
            let performed = pin!(perform(&memory, request, |_| {}));
            match performed.poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(performed) => performed,
                Poll::Pending => panic!("a database in memory has nothing to wait for"),
            }
        };
        let beyond = match performed {
            Ok(reply) => return reply,
            Err(beyond) => beyond,
        };
        match beyond {
            Beyond::CheckPassword(ticket, request) => {
                let account = self.account_by_login(&request.login).unwrap_or_default();
                let account = account.filter(|account| account.password == request.password.reveal());
                ticket.reply(Ok(Ok(account.map(known))))
            }
            Beyond::CheckToken(ticket, request) => ticket.reply(Ok(self.check_token(&request))),
            Beyond::AttemptJoin(ticket, request) => {
                // The player may join even if the attempt cannot be recorded.
                let _ = self.record_join(request.player, request.attempt);
                ticket.reply(available(self.find_ban(request.player)))
            }
            Beyond::StoreGame(ticket, StoreGame { game, write, publications }) => {
                if self.repeats_writes {
                    let stored = self.store_game(game, write, publications);
                    return ticket.reply(Ok(stored.map_err(|_| Contradiction)));
                }
                ticket.reply(Ok(Ok(self.store(game, write, publications))))
            }
        }
    }

    fn check_token(&mut self, request: &CheckToken) -> Result<Option<Account>, TokenFault> {
        match (request.token.reveal(), request.token.reveal().parse()) {
            _ if self.has_no_keys => Err(TokenFault::NoKeys),
            ("forbidden", _) => Err(TokenFault::NoPermission),
            (_, Err(_)) => Err(TokenFault::Invalid("it is not a number".to_owned())),
            (_, Ok(id)) => Ok(self.account_by_id(PlayerId(id)).unwrap_or_default().map(known)),
        }
    }

    /// Stores something about a game.
    ///
    /// # Panics
    /// If the lobby stores something that contradicts the stored data, or that is stored already:
    /// it has no reason to do so here.
    fn store(&mut self, game: GameId, write: GameWrite, publications: GamePublications) -> Vec<RatingChange> {
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

fn known(StoredAccount { id, login, ban, .. }: StoredAccount) -> Account {
    Account { id, login, ban }
}

fn available<T>(result: Result<T, StoreError>) -> Result<T, Unavailable> {
    result.map_err(|_| Unavailable)
}
