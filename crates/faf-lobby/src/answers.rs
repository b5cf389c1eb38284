//! Answers to the lobby's questions, from the database and the keys.

use std::sync::Arc;

use faf_lobby_core::{Account, Answer, GamePublications, GameWrite, Question, TokenFault};
use faf_protocol::{GameId, PlayerId, Secret};

use crate::lobby::utc_now;
use crate::passwords::{Busy, PasswordThreads};
use crate::publish::Signal;
use crate::store::{AccountError, Like, Store, StoreError, StoredAccount, is_valid_login};
use crate::tokens::{Tokens, check_own};

/// Answers questions; copies are the same.
#[derive(Debug, Clone)]
pub(crate) struct Answers {
    pub(crate) store: Store,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) passwords: PasswordThreads,
    /// Raised when a write has put messages into the outbox.
    pub(crate) outbox: Arc<Signal>,
    /// Whether the first login with a new name makes an account.
    pub(crate) registers: bool,
}

impl Answers {
    /// The answer, [`Answer::Unavailable`] if it cannot be found out.
    pub(crate) async fn answer(&self, question: Question) -> Answer {
        self.find_out(question).await.unwrap_or_else(|error| {
            tracing::error!(%error, "a question of the lobby cannot be answered");
            Answer::Unavailable
        })
    }

    /// The answer to [`Question::StoreGame`]. The database has it behind all that was asked for before when this returns,
    /// whether the answer is waited for or not.
    pub(crate) fn store_game(
        &self,
        game: GameId,
        write: GameWrite,
        publications: GamePublications,
    ) -> impl Future<Output = Answer> + Send + use<> {
        let publishes = matches!(write, GameWrite::End(_)) || !publications.list.is_empty();
        let stored = self.store.store_game(game, write, publications);
        let outbox = Arc::clone(&self.outbox);
        async move {
            match stored.await {
                Ok(ratings) => {
                    if publishes {
                        outbox.raise();
                    }
                    Answer::GameStored(ratings)
                }
                Err(StoreError::Contradiction(reason)) => {
                    tracing::error!(game = game.0, reason, "the database refuses something about a game");
                    Answer::GameRefused
                }
                Err(error) => {
                    tracing::error!(%error, game = game.0, "something about a game is not stored yet");
                    Answer::Unavailable
                }
            }
        }
    }

    async fn find_out(&self, question: Question) -> Result<Answer, StoreError> {
        let store = &self.store;
        Ok(match question {
            Question::CheckPassword { login, password } => self.check_password(&login, &password).await?,
            Question::CheckToken { token } => match self.check_token(token.reveal()).await? {
                Ok(Some(player)) => Answer::Account(store.account_by_id(player).await?.map(account)),
                Ok(None) => Answer::Account(None),
                Err(fault) => Answer::Token(fault),
            },
            Question::SignIn { player, address, user_agent } => {
                store.record_login(player, address, user_agent).await?;
                Answer::Profile(Box::new(store.profile(player).await?))
            }
            Question::SetRelation { player, subject, relation } => {
                match store.set_relation(player, subject, relation).await? {
                    true => Answer::RelationChanged,
                    false => Answer::UnknownPlayer,
                }
            }
            Question::EndRelation { player, subject, relation } => {
                store.end_relation(player, subject, relation).await?;
                Answer::RelationChanged
            }
            Question::ListAvatars { player } => Answer::Avatars(store.avatars(player).await?),
            Question::SelectAvatar { player, url } => match store.select_avatar(player, url).await? {
                Some(selected) => Answer::AvatarSelected(selected),
                None => Answer::AvatarNotGranted,
            },
            Question::HasPermission { player, permission } => {
                Answer::Permission(store.has_permission(player, permission).await?)
            }
            Question::CoopMissions => Answer::Missions(store.coop_missions().await?),
            Question::LikedMods { limit } => Answer::Mods(store.liked_mods(limit).await?),
            Question::LikeMod { player, uid } => match store.like_mod(player, uid).await? {
                Like::Counted(liked) => Answer::Mods(vec![*liked]),
                Like::Before => Answer::LikedBefore,
                Like::Unknown => Answer::UnknownMod,
            },
            Question::CountDownload { uid } => match store.count_download(uid).await? {
                true => Answer::DownloadCounted,
                false => Answer::UnknownMod,
            },
            Question::FindBan { player, joining } => {
                if let Some(attempt) = joining
                    && let Err(error) = store.record_join(player, attempt).await
                {
                    tracing::warn!(%error, player = player.0, "an attempt to join a game is not noted");
                }
                Answer::Ban(store.find_ban(player).await?)
            }
            Question::FindMap { folder } => Answer::Map(store.find_map(folder).await?),
            Question::OpenGame { host, game, folder } => {
                store.record_host(host, game).await?;
                Answer::Map(store.find_map(folder).await?)
            }
            Question::NameMods { uids } => Answer::ModNames(store.mod_names(uids).await?),
            Question::ReadGameData => Answer::GameData(Box::new(store.game_data().await?)),
            Question::StoreGame { game, write, publications } => {
                self.store_game(game, write, publications).await
            }
        })
    }

    /// Whose token this is, of the server's own or of somebody else who is trusted.
    /// The player whose token this is; none if no account can have the number in it.
    async fn check_token(&self, token: &str) -> Result<Result<Option<PlayerId>, TokenFault>, StoreError> {
        let now = utc_now().0.div_euclid(1_000_000);
        match check_own(&self.store, token, now).await? {
            Some(checked) => Ok(checked.map(Some)),
            None => Ok(self.tokens.check(token).await),
        }
    }

    async fn check_password(&self, login: &str, password: &Secret) -> Result<Answer, StoreError> {
        let digest = password.reveal().to_owned();
        let stored = self.store.account_by_login(login).await?;
        if stored.is_none() && self.registers && is_valid_login(login) {
            return self.register(login, digest).await;
        }
        let hash = stored.as_ref().map(|stored| stored.password.clone());
        Ok(match self.passwords.verify(digest, hash).await {
            Ok(is_right) => Answer::Account(stored.filter(|_| is_right).map(account)),
            Err(Busy) => Answer::Busy,
        })
    }

    async fn register(&self, login: &str, digest: String) -> Result<Answer, StoreError> {
        let hash = match self.passwords.hash(digest).await {
            Ok(Ok(hash)) => hash,
            Ok(Err(error)) => {
                tracing::error!(error, "a password cannot be hashed");
                return Ok(Answer::Unavailable);
            }
            Err(Busy) => return Ok(Answer::Busy),
        };
        match self.store.create_account(login, hash).await {
            Ok(id) => {
                tracing::info!(player = id.0, login, "open registration has made an account");
                Ok(Answer::Account(Some(Account { id, login: login.to_owned(), ban: None })))
            }
            Err(AccountError::Store(error)) => Err(error),
            // Somebody else was faster.
            Err(_) => Ok(Answer::Account(None)),
        }
    }
}

fn account(stored: StoredAccount) -> Account {
    Account { id: stored.id, login: stored.login, ban: stored.ban }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;
    use crate::store::sqlite::testing::{change, new_sqlite};
    use faf_testkit::season::Season;

    #[tokio::test]
    async fn what_contradicts_is_refused_and_what_fails_is_tried_again() {
        let (sqlite, _folder) = new_sqlite();
        let store = Store::Sqlite(sqlite.clone());
        let seed = r#"{"users": [{"id": 1, "login": "Ada", "password": "x"}, {"id": 2, "login": "Bob", "password": "x"}],
            "maps": [{"map_id": 1, "version_id": 7, "display_name": "Map", "filename": "maps/scmp_007.zip", "version": 1,
                      "ranked": true, "max_players": 2, "width": 1, "height": 1}]}"#;
        store.plant(crate::store::SeedFile::parse(seed).unwrap()).await.unwrap();
        let tokens = Arc::new(Tokens::new(&Settings::default()));
        let answers = Answers {
            store: store.clone(),
            tokens,
            passwords: PasswordThreads::new(),
            outbox: Arc::default(),
            registers: false,
        };
        let played = Season::default().play(1);
        let ask = async |write| {
            let publications = GamePublications::default();
            answers.answer(Question::StoreGame { game: played.id, write, publications }).await
        };
        assert_eq!(ask(played.save()).await, Answer::GameRefused);
        change(&sqlite, "ALTER TABLE live_game RENAME TO away").await;
        assert_eq!(ask(played.launch()).await, Answer::Unavailable);
        change(&sqlite, "ALTER TABLE away RENAME TO live_game").await;
        assert_eq!(ask(played.launch()).await, Answer::GameStored(Vec::new()));
        assert!(matches!(ask(played.end()).await, Answer::GameStored(changes) if changes.len() == 2));
    }
}
