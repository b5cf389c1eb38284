//! Executes the requests of the lobby, with the database and the keys.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use faf_lobby_core::request::{AttemptJoin, CheckPassword, StoreGame};
use faf_lobby_core::{
    Account, Ban, Busy, Contradiction, Event, GameWrite, Reply, ReplyTo, Request, TokenFault, Unavailable,
};
use faf_lobby_store::Beyond;
use faf_protocol::{PlayerId, Secret};
use tokio::sync::mpsc;

use crate::auth::passwords::{self, PasswordThreads};
use crate::auth::tokens::{Checked, OwnTokenError, OwnTokens, Tokens};
use crate::clock::unix_seconds;
use crate::config::{Exposure, Settings};
use crate::lobby::input::Input;
use crate::publish::Signal;
use crate::store::{AccountError, Store, StoreError, StoredAccount, is_valid_login};

/// Executes requests. Copies share everything.
#[derive(Debug, Clone)]
pub(crate) struct RequestExecutor {
    pub(crate) store: Store,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) own_tokens: Arc<OwnTokens>,
    pub(crate) passwords: PasswordThreads,
    /// Raised when a write has stored messages in the outbox.
    pub(crate) outbox: Arc<Signal>,
    /// Whether the first login with a new name creates an account.
    pub(crate) registers: bool,
    /// Whether the last write about a game has failed. Operators are told so once: while the
    /// database is away, the writes of all games are tried again and again.
    pub(crate) fails_to_store: Arc<AtomicBool>,
}

impl RequestExecutor {
    /// Executes requests as the settings say.
    pub(crate) fn new(settings: &Settings, store: &Store, tokens: Arc<Tokens>, outbox: Arc<Signal>) -> Self {
        Self {
            store: store.clone(),
            tokens,
            own_tokens: Arc::new(OwnTokens::new(store.clone())),
            passwords: PasswordThreads::new(),
            outbox,
            registers: settings.open_registration != Exposure::Off,
            fails_to_store: Arc::default(),
        }
    }

    /// Executes a request and returns the reply.
    pub(crate) async fn perform(&self, request: Request) -> Reply {
        let beyond = match self.store.perform(request, log_failure).await {
            Ok(reply) => return reply,
            Err(beyond) => beyond,
        };
        match beyond {
            Beyond::CheckPassword(ticket, request) => {
                ticket.reply(available(self.check_password(request).await))
            }
            Beyond::CheckToken(ticket, request) => {
                ticket.reply(available(self.check_token(request.token.reveal()).await))
            }
            Beyond::AttemptJoin(ticket, request) => ticket.reply(available(self.attempt_join(request).await)),
            Beyond::StoreGame(ticket, request) => ticket.reply(self.store_game(request).await),
        }
    }

    /// Stores a write about a game. When this function returns, the write is queued after all
    /// earlier ones, even if the caller drops the future.
    pub(crate) fn store_game(
        &self,
        StoreGame { game, write, publications }: StoreGame,
    ) -> impl Future<Output = ReplyTo<StoreGame>> + Send + use<> {
        let publishes = matches!(write, GameWrite::End(_)) || !publications.list.is_empty();
        let stored = self.store.store_game(game, write, publications);
        let (outbox, fails) = (Arc::clone(&self.outbox), Arc::clone(&self.fails_to_store));
        async move {
            match stored.await {
                Ok(ratings) => {
                    if fails.swap(false, Ordering::SeqCst) {
                        tracing::info!("writes about games are stored again");
                    }
                    if publishes {
                        outbox.raise();
                    }
                    Ok(Ok(ratings))
                }
                Err(StoreError::Contradiction(reason)) => {
                    tracing::error!(game = game.0, reason, "the database refuses a write about a game");
                    Ok(Err(Contradiction))
                }
                Err(error) => {
                    match fails.swap(true, Ordering::SeqCst) {
                        true => tracing::debug!(%error, game = game.0, "a write is not stored yet"),
                        false => tracing::error!(
                            %error,
                            game = game.0,
                            "a write about a game is not stored yet; those of all games are tried again until they are"
                        ),
                    }
                    Err(Unavailable)
                }
            }
        }
    }

    /// Finds the account that a token names: a token of the server's own, or of a service that
    /// it trusts.
    async fn check_token(&self, token: &str) -> Result<Result<Option<Account>, TokenFault>, OwnTokenError> {
        let checked = match self.own_tokens.check(token, unix_seconds()).await? {
            Checked::Own(checked) => checked.map(Some),
            Checked::OtherLobby if !self.tokens.has_issuer() => {
                Err(TokenFault::Invalid("its key is not that of this server".to_owned()))
            }
            Checked::OtherLobby | Checked::Other => self.tokens.check(token).await,
        };
        Ok(match checked {
            Ok(Some(player)) => Ok(self.store.account_by_id(player).await?.map(account)),
            // The number in the token cannot be that of an account.
            Ok(None) => Ok(None),
            Err(fault) => Err(fault),
        })
    }

    async fn attempt_join(&self, request: AttemptJoin) -> Result<Option<Ban>, StoreError> {
        // The journal of attempts is for moderators. Players may join even if it cannot be written.
        if let Err(error) = self.store.record_join(request.player, request.attempt).await {
            tracing::warn!(%error, player = request.player.0, "an attempt to join a game could not be recorded");
        }
        self.store.find_ban(request.player).await
    }

    /// Returns the account with this name and this digest of a password. With open registration, a
    /// new name creates it.
    pub(crate) async fn log_in(
        &self,
        login: &str,
        digest: String,
    ) -> Result<Result<Option<Account>, Busy>, Unavailable> {
        let request = CheckPassword { login: login.to_owned(), password: Secret::new(digest) };
        available(self.check_password(request).await)
    }

    /// Returns the account that a token names.
    pub(crate) async fn account_of_token(
        &self,
        token: &str,
    ) -> Result<Result<Option<Account>, TokenFault>, Unavailable> {
        available(self.check_token(token).await)
    }

    /// Returns the account of a player.
    pub(crate) async fn account(&self, player: PlayerId) -> Result<Option<Account>, Unavailable> {
        Ok(available(self.store.account_by_id(player).await)?.map(account))
    }

    async fn check_password(
        &self,
        CheckPassword { login, password }: CheckPassword,
    ) -> Result<Result<Option<Account>, Busy>, Failure> {
        let digest = password.reveal().to_owned();
        let stored = self.store.account_by_login(&login).await?;
        if stored.is_none() && self.registers && is_valid_login(&login) {
            return self.register(&login, digest).await;
        }
        if stored.is_none() && self.store.keeps_digests() {
            return Ok(Ok(None));
        }
        let hash = stored.as_ref().map(|stored| stored.password.clone());
        Ok(match self.passwords.verify(digest, hash).await {
            Ok(is_right) => Ok(stored.filter(|_| is_right).map(account)),
            Err(passwords::Busy) => Err(Busy),
        })
    }

    async fn register(&self, login: &str, digest: String) -> Result<Result<Option<Account>, Busy>, Failure> {
        let hash = match self.store.keeps_digests() {
            true => digest,
            false => match self.passwords.hash(digest).await {
                Ok(hash) => hash.map_err(Failure::Hash)?,
                Err(passwords::Busy) => return Ok(Err(Busy)),
            },
        };
        match self.store.create_account(login, hash).await {
            Ok(id) => {
                tracing::info!(player = id.0, login, "open registration created an account");
                Ok(Ok(Some(Account { id, login: login.to_owned(), ban: None })))
            }
            Err(AccountError::Store(error)) => Err(error.into()),
            // Another login with this name was faster.
            Err(_) => Ok(Ok(None)),
        }
    }
}

/// Requests of a world that are under way.
#[derive(Debug)]
pub(crate) struct Requests {
    executor: RequestExecutor,
    /// Receives the replies.
    inbox: mpsc::Sender<Input>,
    /// Writes about games, in the order of their requests. At most one for each game.
    game_writes: mpsc::UnboundedSender<PendingWrite>,
}

/// A write about a game that is under way.
type PendingWrite = Pin<Box<dyn Future<Output = Reply> + Send>>;

impl Requests {
    /// Replies come back to this inbox, as events.
    pub(crate) fn new(executor: RequestExecutor, inbox: mpsc::Sender<Input>) -> Self {
        let (game_writes, pending_writes) = mpsc::unbounded_channel();
        tokio::spawn(reply_in_order(pending_writes, inbox.clone()));
        Self { executor, inbox, game_writes }
    }

    /// Starts a request in another task. `kept` is dropped after the reply.
    ///
    /// Writes about games are stored and replied to in the order of their requests: games are rated
    /// in the order in which they ended, and a client that receives two new ratings receives the
    /// newer one last. The order of other requests does not matter: those of a player follow one
    /// another, matches have nothing to do with each other, and the lobby saves parties and
    /// searches again only after the reply to the last save.
    pub(crate) fn start(&self, request: Request, kept: impl Send + 'static) {
        if let Request::StoreGame(ticket, request) = request {
            let stored = self.executor.store_game(request);
            // Fails only when the runtime is about to end. The write goes on, and nobody waits for
            // the reply.
            let _ = self.game_writes.send(Box::pin(async move { ticket.reply(stored.await) }));
            return;
        }
        let (executor, inbox) = (self.executor.clone(), self.inbox.clone());
        tokio::spawn(async move {
            let unavailable = request.unavailable();
            // Runs in another task, so that there is a reply even if the request panics.
            let reply =
                tokio::spawn(async move { executor.perform(request).await }).await.unwrap_or(unavailable);
            // The lobby may have stopped in the meantime.
            let _ = inbox.send(Input::Event(Event::Replied { reply })).await;
            drop(kept);
        });
    }
}

/// Sends the replies to writes about games in the order of the requests, in which the database
/// executes them, too.
async fn reply_in_order(mut writes: mpsc::UnboundedReceiver<PendingWrite>, inbox: mpsc::Sender<Input>) {
    while let Some(write) = writes.recv().await {
        let reply = write.await;
        // Fails only if the lobby has stopped, which does not need the reply.
        let _ = inbox.send(Input::Event(Event::Replied { reply })).await;
    }
}

/// The reason a request failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("cannot hash a password: {0}")]
    Hash(String),
}

/// Logs the reason of a failure and hides it from the lobby.
fn available<T, E: fmt::Display>(result: Result<T, E>) -> Result<T, Unavailable> {
    result.map_err(|error| {
        log_failure(&error);
        Unavailable
    })
}

fn log_failure(error: &impl fmt::Display) {
    tracing::error!(%error, "a request of the lobby failed");
}

fn account(stored: StoredAccount) -> Account {
    Account { id: stored.id, login: stored.login, ban: stored.ban }
}

#[cfg(test)]
mod tests {
    use faf_lobby_core::GamePublications;
    use faf_testkit::season::Season;

    use super::*;
    use crate::store::sqlite::testing::{new_sqlite, refuse_writes};

    #[tokio::test]
    async fn contradiction_is_refused_and_failure_is_unavailable() {
        let (sqlite, _folder) = new_sqlite();
        let store = Store::Sqlite(sqlite.clone());
        let seed = r#"{"users": [{"id": 1, "login": "Ada", "password": "x"}, {"id": 2, "login": "Bob", "password": "x"}],
            "maps": [{"map_id": 1, "version_id": 7, "display_name": "Map", "filename": "maps/scmp_007.zip", "version": 1,
                      "ranked": true, "max_players": 2, "width": 1, "height": 1}]}"#;
        store.plant(crate::store::SeedFile::parse(seed).unwrap()).await.unwrap();
        let settings = Settings::default();
        let tokens = Arc::new(Tokens::new(&settings));
        let requests = RequestExecutor::new(&settings, &store, tokens, Arc::default());
        let played = Season::default().play(1);
        let store = async |write| {
            let publications = GamePublications::default();
            requests.store_game(StoreGame { game: played.id, write, publications }).await
        };
        assert_eq!(store(played.save()).await, Ok(Err(Contradiction)));
        refuse_writes(&sqlite, true).await;
        assert_eq!(store(played.launch()).await, Err(Unavailable));
        refuse_writes(&sqlite, false).await;
        assert_eq!(store(played.launch()).await, Ok(Ok(Vec::new())));
        assert!(matches!(store(played.end()).await, Ok(Ok(changes)) if changes.len() == 2));
    }
}
