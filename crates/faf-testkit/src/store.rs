//! A database in memory that answers the lobby's questions, or fails to.

use std::collections::{BTreeMap, BTreeSet};

use faf_lobby_core::{Account, Answer, Ban, Profile, Question, Relation, TokenFault, VaultMod};
use faf_protocol::PlayerId;
use faf_protocol::server_message::{Avatar, CoopMission, LeaderboardRating};

/// Everything the lobby can ask for.
#[derive(Debug, Clone, Default)]
pub struct FakeStore {
    /// Accounts, by name.
    pub accounts: BTreeMap<String, FakeAccount>,
    /// Co-op missions.
    pub missions: Vec<CoopMission>,
    /// The vault.
    pub mods: Vec<VaultMod>,
    /// Who likes which mod.
    pub likes: BTreeSet<(PlayerId, String)>,
    /// Whether nothing can be found out.
    pub is_unavailable: bool,
    /// Whether no token can be checked.
    pub has_no_keys: bool,
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
                (_, Err(_)) => Answer::Token(TokenFault::Invalid),
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
        }
    }
}
