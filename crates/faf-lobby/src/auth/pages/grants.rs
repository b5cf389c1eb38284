//! Authorization codes and refresh tokens: who may have an access token without the password.
//!
//! They are kept in memory, so a restart of the server ends them; clients then show the login page
//! again. Each names its player, and the limits are per player: nobody can displace those of
//! another.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use faf_protocol::PlayerId;
use sha2::{Digest, Sha256};

use super::authorization::Authorization;

/// How long a code is valid. Clients exchange it at once.
pub(super) const CODE_LIFE: Duration = Duration::from_secs(60);

/// How long a refresh token is valid. Each use replaces it.
pub(super) const REFRESH_LIFE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Number of codes of a player; a further one replaces the oldest.
const CODES: usize = 4;

/// Number of refresh tokens of a player, one for each client; a further one replaces the oldest.
const REFRESH_TOKENS: usize = 8;

/// Number of players with codes or refresh tokens. With about 8 KiB each at most, they take 80 MiB
/// if all have as many as they can; beyond it, further players get none.
const PLAYERS: usize = 10_000;

/// All codes and refresh tokens. Times are those of a clock that never goes back.
#[derive(Debug, Default)]
pub(super) struct Grants {
    players: BTreeMap<PlayerId, OfPlayer>,
    last_family: u64,
}

#[derive(Debug, Default)]
struct OfPlayer {
    codes: Vec<Code>,
    refresh_tokens: Vec<RefreshToken>,
}

#[derive(Debug)]
struct Code {
    hash: Hash,
    until: Duration,
    /// The request that the code fulfils, or `None` if it has been exchanged.
    authorization: Option<Authorization>,
    family: Family,
}

#[derive(Debug)]
struct RefreshToken {
    hash: Hash,
    until: Duration,
    client: String,
    family: Family,
}

/// All tokens that began with the same login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Family(u64);

/// Secrets are compared and stored as hashes: the time of a comparison says nothing about them.
type Hash = [u8; 32];

/// There are too many players, or the system provides no random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unavailable;

impl Grants {
    /// Returns a new code for a player who has entered the right password.
    pub(super) fn issue_code(
        &mut self,
        player: PlayerId,
        authorization: Authorization,
        now: Duration,
    ) -> Result<String, Unavailable> {
        self.remove_expired(now);
        let (code, hash) = secret(player)?;
        self.last_family += 1;
        let family = Family(self.last_family);
        let authorization = Some(authorization);
        let new = Code { hash, until: now + CODE_LIFE, authorization, family };
        push(&mut self.of(player)?.codes, new, CODES);
        Ok(code)
    }

    /// Returns the player of a code, and the request it was issued for. A code works once: at the
    /// second attempt, all that came of the first is revoked (RFC 6749 section 4.1.2).
    pub(super) fn redeem(&mut self, code: &str, now: Duration) -> Option<(PlayerId, Authorization, Family)> {
        let (player, hash) = read(code)?;
        let grants = self.players.get_mut(&player)?;
        let found = grants.codes.iter_mut().find(|known| known.hash == hash && known.until > now)?;
        let family = found.family;
        let Some(authorization) = found.authorization.take() else {
            grants.refresh_tokens.retain(|token| token.family != family);
            return None;
        };
        Some((player, authorization, family))
    }

    /// Returns a new refresh token.
    pub(super) fn issue_refresh_token(
        &mut self,
        player: PlayerId,
        client: String,
        family: Family,
        now: Duration,
    ) -> Result<String, Unavailable> {
        let (token, hash) = secret(player)?;
        let new = RefreshToken { hash, until: now + REFRESH_LIFE, client, family };
        push(&mut self.of(player)?.refresh_tokens, new, REFRESH_TOKENS);
        Ok(token)
    }

    /// Returns the player of a client's refresh token, without using it up.
    pub(super) fn player_of(&self, token: &str, client: &str, now: Duration) -> Option<PlayerId> {
        let (player, hash) = read(token)?;
        let tokens = &self.players.get(&player)?.refresh_tokens;
        tokens.iter().any(|known| known.matches(hash, client, now)).then_some(player)
    }

    /// Replaces a refresh token by a new one; returns `None` if it is not valid any more.
    pub(super) fn rotate(&mut self, token: &str, client: &str, now: Duration) -> Option<String> {
        let (player, hash) = read(token)?;
        let tokens = &mut self.players.get_mut(&player)?.refresh_tokens;
        let place = tokens.iter().position(|known| known.matches(hash, client, now))?;
        let RefreshToken { client, family, .. } = tokens.remove(place);
        self.issue_refresh_token(player, client, family, now).ok()
    }

    fn of(&mut self, player: PlayerId) -> Result<&mut OfPlayer, Unavailable> {
        if self.players.len() >= PLAYERS && !self.players.contains_key(&player) {
            return Err(Unavailable);
        }
        Ok(self.players.entry(player).or_default())
    }

    fn remove_expired(&mut self, now: Duration) {
        self.players.retain(|_, OfPlayer { codes, refresh_tokens }| {
            codes.retain(|code| code.until > now);
            refresh_tokens.retain(|token| token.until > now);
            !codes.is_empty() || !refresh_tokens.is_empty()
        });
    }
}

impl RefreshToken {
    fn matches(&self, hash: Hash, client: &str, now: Duration) -> bool {
        self.hash == hash && self.client == client && self.until > now
    }
}

fn push<T>(list: &mut Vec<T>, new: T, most: usize) {
    if list.len() >= most {
        list.remove(0);
    }
    list.push(new);
}

/// Returns a new secret of 256 bits that names its player, and its hash.
fn secret(player: PlayerId) -> Result<(String, Hash), Unavailable> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(|_| Unavailable)?;
    let secret = format!("{}.{}", player.0, URL_SAFE_NO_PAD.encode(random));
    let hash = Sha256::digest(&secret).into();
    Ok((secret, hash))
}

/// Returns the player that a secret names, and its hash.
fn read(secret: &str) -> Option<(PlayerId, Hash)> {
    let (player, _) = secret.split_once('.')?;
    Some((PlayerId(player.parse().ok()?), Sha256::digest(secret).into()))
}

#[cfg(test)]
mod tests {
    use super::super::authorization::testing::authorization;
    use super::*;

    const ADA: PlayerId = PlayerId(1);
    const BOB: PlayerId = PlayerId(2);
    const NOW: Duration = Duration::from_secs(5);
    const CLIENT: &str = "a client";

    fn code(grants: &mut Grants, player: PlayerId, now: Duration) -> String {
        grants.issue_code(player, authorization(), now).unwrap()
    }

    #[test]
    fn a_code_works_once_and_for_a_minute() {
        let mut grants = Grants::default();
        let first = code(&mut grants, ADA, NOW);
        let (player, redeemed, _) =
            grants.redeem(&first, NOW + CODE_LIFE - Duration::from_millis(1)).unwrap();
        assert_eq!((player, redeemed), (ADA, authorization()));
        assert!(grants.redeem(&first, NOW).is_none());
        let second = code(&mut grants, ADA, NOW);
        assert!(grants.redeem(&second, NOW + CODE_LIFE).is_none());
        assert!(grants.redeem(&second.replacen("1.", "2.", 1), NOW).is_none());
        for wrong in ["", ".", "1.", "1", "x.y", &second[1..]] {
            assert!(grants.redeem(wrong, NOW).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_replayed_code_revokes_what_came_of_it_and_nothing_else() {
        let mut grants = Grants::default();
        let issue = |grants: &mut Grants| {
            let code = code(grants, ADA, NOW);
            let (_, _, family) = grants.redeem(&code, NOW).unwrap();
            (code, grants.issue_refresh_token(ADA, CLIENT.to_owned(), family, NOW).unwrap())
        };
        let (code, first) = issue(&mut grants);
        let (_, other) = issue(&mut grants);
        let first = grants.rotate(&first, CLIENT, NOW).unwrap();
        assert!(grants.redeem(&code, NOW).is_none());
        assert_eq!(grants.player_of(&first, CLIENT, NOW), None);
        assert_eq!(grants.player_of(&other, CLIENT, NOW), Some(ADA));
    }

    #[test]
    fn a_refresh_token_is_replaced_by_its_use_and_belongs_to_a_client() {
        let mut grants = Grants::default();
        let family = Family(0);
        let token = grants.issue_refresh_token(ADA, CLIENT.to_owned(), family, NOW).unwrap();
        assert_eq!(grants.player_of(&token, CLIENT, NOW), Some(ADA));
        assert_eq!(grants.player_of(&token, "another", NOW), None);
        assert_eq!(grants.rotate(&token, "another", NOW), None);
        let next = grants.rotate(&token, CLIENT, NOW).unwrap();
        assert_eq!((grants.player_of(&token, CLIENT, NOW), grants.rotate(&token, CLIENT, NOW)), (None, None));
        assert_eq!(grants.player_of(&next, CLIENT, NOW), Some(ADA));
        assert_eq!(grants.player_of(&next, CLIENT, NOW + REFRESH_LIFE), None);
        assert_eq!(grants.rotate(&next, CLIENT, NOW + REFRESH_LIFE), None);
    }

    #[test]
    fn limits_are_per_player() {
        let mut grants = Grants::default();
        let bobs = code(&mut grants, BOB, NOW);
        let bobs_token = grants.issue_refresh_token(BOB, CLIENT.to_owned(), Family(0), NOW).unwrap();
        let codes: Vec<_> = (0..10).map(|_| code(&mut grants, ADA, NOW)).collect();
        let tokens: Vec<_> = (0..10)
            .map(|_| grants.issue_refresh_token(ADA, CLIENT.to_owned(), Family(0), NOW).unwrap())
            .collect();
        assert_eq!(codes.iter().filter(|code| grants.redeem(code, NOW).is_some()).count(), CODES);
        let valid = tokens.iter().filter(|token| grants.player_of(token, CLIENT, NOW).is_some());
        assert_eq!(valid.count(), REFRESH_TOKENS);
        assert!(grants.redeem(&bobs, NOW).is_some());
        assert_eq!(grants.player_of(&bobs_token, CLIENT, NOW), Some(BOB));
    }

    #[test]
    fn the_number_of_players_is_bounded_until_their_codes_expire() {
        let mut grants = Grants::default();
        for player in 0..PLAYERS as u32 {
            grants.players.insert(PlayerId(player), OfPlayer::default());
            let code = Code { hash: [0; 32], until: NOW + CODE_LIFE, authorization: None, family: Family(0) };
            grants.of(PlayerId(player)).unwrap().codes.push(code);
        }
        let new = PlayerId(PLAYERS as u32);
        assert_eq!(grants.issue_code(new, authorization(), NOW), Err(Unavailable));
        assert!(grants.issue_code(ADA, authorization(), NOW).is_ok());
        assert!(grants.issue_code(new, authorization(), NOW + CODE_LIFE).is_ok());
        assert_eq!(grants.players.len(), 1);
    }
}
