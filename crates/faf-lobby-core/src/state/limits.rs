//! Limits on what one player may repeat, over any number of connections.
//!
//! Pacing only slows a client down. These limits refuse the action, because repeating it harms
//! other people: it signs out the other user of an account, uses up game numbers, guesses passwords
//! or moves ratings. No honest player comes near a limit; a player who meets one receives a notice.
//!
//! Each limit is a token bucket: a burst may be used at once, and one use comes back per interval.

use std::time::Duration;

use faf_protocol::{GameId, PlayerId};
use serde::{Deserialize, Serialize};

use crate::state::Remembered;

/// Players remembered for each limit, at about 100 bytes each and for a minute at most. More than
/// any lobby has had online.
const PLAYERS: usize = 50_000;

/// Games for which wrong passwords are remembered, for a minute at most.
const GAMES: usize = 10_000;

/// Pairs of opponents remembered, for an hour at most. A game of eight against eight has 64 pairs.
const PAIRS: usize = 100_000;

/// The time over which rated games of two opponents are counted.
const PAIR_PERIOD: Duration = Duration::from_secs(3600);

/// An action that a player may repeat only at a limited rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Limit {
    /// Logins of one account.
    Logins,
    /// Games hosted by one player.
    HostedGames,
    /// Wrong passwords of lobbies, by one player or for one game.
    Passwords,
    /// Rated games of the same two opponents.
    RatedGames,
}

impl Limit {
    /// Name of the limit, for metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Logins => "logins",
            Self::HostedGames => "hosted_games",
            Self::Passwords => "passwords",
            Self::RatedGames => "rated_games",
        }
    }
}

/// The size of a token bucket, and the time until one use comes back.
#[derive(Debug, Clone, Copy)]
struct Rate {
    burst: u32,
    interval: Duration,
}

/// Logins of one account, 20 a minute. Two clients that share an account sign each other out as
/// fast as they can log in.
const LOGINS: Rate = Rate { burst: 20, interval: Duration::from_secs(3) };

/// Games hosted by one player, 20 a minute. A game process takes seconds to start, a lobby minutes
/// to fill.
const HOSTED_GAMES: Rate = Rate { burst: 20, interval: Duration::from_secs(3) };

/// Wrong lobby passwords by one player, 10 a minute. People type them, and ask the host before the
/// tenth attempt.
const PASSWORDS_OF_PLAYER: Rate = Rate { burst: 10, interval: Duration::from_secs(6) };

/// Wrong passwords for one game, 60 a minute; see [`Limits::may_try_password`].
const PASSWORDS_OF_GAME: Rate = Rate { burst: 60, interval: Duration::from_secs(1) };

/// Token buckets by key. Only the time at which a bucket is full again is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound(serialize = "K: Ord + Copy + Serialize"))]
#[serde(bound(deserialize = "K: Ord + Copy + Deserialize<'de>"))]
struct TokenBuckets<K: Ord + Copy, const MOST: usize>(Remembered<K, (), MOST>);

impl<K: Ord + Copy, const MOST: usize> Default for TokenBuckets<K, MOST> {
    fn default() -> Self {
        Self(Remembered::default())
    }
}

impl<K: Ord + Copy, const MOST: usize> TokenBuckets<K, MOST> {
    /// The time at which the bucket is full again after one more use.
    fn after_one_more(&self, key: K, rate: Rate, now: Duration) -> Duration {
        self.0.get(key, now).map_or(now, |(until, ())| until) + rate.interval
    }

    /// Returns whether one more use is allowed.
    fn has_room(&self, key: K, rate: Rate, now: Duration) -> bool {
        self.after_one_more(key, rate, now) - now <= rate.interval * rate.burst
    }

    fn is_unused(&self, key: K, now: Duration) -> bool {
        self.0.get(key, now).is_none()
    }

    fn add(&mut self, key: K, rate: Rate, now: Duration) {
        let until = self.after_one_more(key, rate, now);
        self.0.put(key, (), until, now);
    }

    /// Counts one more use if it is allowed, and returns whether it is.
    fn take(&mut self, key: K, rate: Rate, now: Duration) -> bool {
        let has_room = self.has_room(key, rate, now);
        if has_room {
            self.add(key, rate, now);
        }
        has_room
    }
}

/// The use that players have made of each limit. A restart forgets it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Limits {
    logins: TokenBuckets<PlayerId, PLAYERS>,
    hosted_games: TokenBuckets<PlayerId, PLAYERS>,
    passwords_of_player: TokenBuckets<PlayerId, PLAYERS>,
    passwords_of_game: TokenBuckets<GameId, GAMES>,
    rated_games: TokenBuckets<(PlayerId, PlayerId), PAIRS>,
}

impl Limits {
    /// Counts a login with correct credentials, and returns whether it is allowed.
    pub(crate) fn log_in(&mut self, player: PlayerId, now: Duration) -> bool {
        self.logins.take(player, LOGINS, now)
    }

    /// Counts a hosted game if it is allowed, and returns whether it is.
    pub(crate) fn host(&mut self, player: PlayerId, now: Duration) -> bool {
        self.hosted_games.take(player, HOSTED_GAMES, now)
    }

    /// Returns whether the lobby checks a password at all, right or wrong.
    ///
    /// A game that has had too many wrong passwords is being attacked from many accounts. Players
    /// who know the password must not pay for that, so the game stays open to those with no recent
    /// wrong attempt of their own; an attacker gets one attempt a minute with each account.
    pub(crate) fn may_try_password(&self, player: PlayerId, game: GameId, now: Duration) -> bool {
        self.passwords_of_player.has_room(player, PASSWORDS_OF_PLAYER, now)
            && (self.passwords_of_game.has_room(game, PASSWORDS_OF_GAME, now)
                || self.passwords_of_player.is_unused(player, now))
    }

    /// Counts a wrong password.
    pub(crate) fn wrong_password(&mut self, player: PlayerId, game: GameId, now: Duration) {
        self.passwords_of_player.add(player, PASSWORDS_OF_PLAYER, now);
        if self.passwords_of_game.has_room(game, PASSWORDS_OF_GAME, now) {
            self.passwords_of_game.add(game, PASSWORDS_OF_GAME, now);
        }
    }

    /// Counts a rated game of these opponents. If every pair of them has had `most` rated games
    /// within the hour, nothing is counted and the pairs are returned.
    ///
    /// Two players must not be able to take the rating from all others of a larger game by
    /// joining it.
    pub(crate) fn rate(
        &mut self,
        opponents: &[(PlayerId, PlayerId)],
        most: u32,
        now: Duration,
    ) -> Vec<(PlayerId, PlayerId)> {
        let rate = Rate { burst: most, interval: PAIR_PERIOD / most.max(1) };
        let pairs = || opponents.iter().map(|(one, other)| (*one.min(other), *one.max(other)));
        let too_many: Vec<_> = pairs().filter(|pair| !self.rated_games.has_room(*pair, rate, now)).collect();
        if too_many.len() < opponents.len() || opponents.is_empty() {
            // The bucket of a pair that has had too many does not get any emptier.
            for pair in pairs().filter(|pair| !too_many.contains(pair)) {
                self.rated_games.add(pair, rate, now);
            }
            return Vec::new();
        }
        too_many
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const ADA: PlayerId = PlayerId(1);
    const BOB: PlayerId = PlayerId(2);

    /// The number of 1000 attempts that succeed at once, and the number of further ones in each of
    /// the next three minutes.
    fn pattern(mut attempt: impl FnMut(Duration) -> bool) -> Vec<usize> {
        let mut now = SECOND * 1000;
        let at_once = (0..1000).filter(|_| attempt(now)).count();
        let minutes = (0..3).map(|_| {
            let tries = (0..60).filter(|_| {
                now += SECOND;
                attempt(now)
            });
            tries.count()
        });
        let minutes: Vec<usize> = minutes.collect();
        [vec![at_once], minutes].concat()
    }

    #[test]
    fn each_limit_has_its_burst_and_rate() {
        let mut limits = Limits::default();
        assert_eq!(pattern(|now| limits.log_in(ADA, now)), [20, 20, 20, 20]);
        assert_eq!(pattern(|now| limits.host(ADA, now)), [20, 20, 20, 20]);
        assert!(limits.log_in(BOB, SECOND * 1000) && limits.host(BOB, SECOND * 1000));
        let try_wrong = |now| {
            let may = limits.may_try_password(ADA, GameId(1), now);
            if may {
                limits.wrong_password(ADA, GameId(1), now);
            }
            may
        };
        assert_eq!(pattern(try_wrong), [10, 10, 10, 10]);
    }

    #[test]
    fn many_accounts_cannot_lock_out_players_who_know_the_password() {
        let (mut limits, now, game) = (Limits::default(), SECOND, GameId(1));
        for player in 0..1000 {
            while limits.may_try_password(PlayerId(player), game, now) {
                limits.wrong_password(PlayerId(player), game, now);
            }
        }
        // Each account that has guessed had one attempt, and further ones are not checked.
        assert!(!(0..1000).any(|player| limits.may_try_password(PlayerId(player), game, now)));
        assert!(limits.may_try_password(PlayerId(1000), game, now));
        assert!(limits.may_try_password(PlayerId(5), game, now + SECOND * 61));
        assert!(limits.may_try_password(PlayerId(999), GameId(2), now));
    }

    #[test]
    fn rated_games_of_two_opponents_are_counted_in_either_order() {
        let (mut limits, now) = (Limits::default(), SECOND);
        for number in 0..15 {
            let pair = if number % 2 == 0 { (ADA, BOB) } else { (BOB, ADA) };
            assert!(limits.rate(&[pair], 15, now).is_empty());
        }
        assert_eq!(limits.rate(&[(BOB, ADA)], 15, now), [(ADA, BOB)]);
        assert!(limits.rate(&[], 15, now).is_empty());
        // The game that did not count has not used up anything.
        assert!(limits.rate(&[(ADA, BOB)], 15, now + SECOND * 240).is_empty());
    }

    #[test]
    fn two_opponents_do_not_keep_a_larger_game_from_being_rated() {
        let (mut limits, now) = (Limits::default(), SECOND);
        let larger = [(ADA, BOB), (ADA, PlayerId(3))];
        for _ in 0..15 {
            assert!(limits.rate(&[(ADA, BOB)], 15, now).is_empty());
        }
        for _ in 0..15 {
            assert!(limits.rate(&larger, 15, now).is_empty());
        }
        assert_eq!(limits.rate(&larger, 15, now).len(), 2);
        // The larger games did not keep these two from games of their own for longer than an hour.
        assert!(limits.rate(&[(ADA, BOB)], 15, now + SECOND * 240).is_empty());
    }
}
