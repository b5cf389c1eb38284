//! Picks the games that are played (matchmaking.md section 6.5).
//!
//! The best game comes first, and each further one that shares nobody with those before it. Of
//! games with the same quality the one that was found later comes first. Games below
//! `minimum_game_quality` are not played.

use super::super::MatchmakingSettings;
use super::GameQuality;

/// Returns the games that are played, the best first, as positions in `qualities`.
///
/// `participants` returns the parties of a game, which are below `parties`.
///
/// # Panics
///
/// If a party is not below `parties`.
#[must_use]
pub fn pick<'a>(
    qualities: &[GameQuality],
    participants: impl Fn(usize) -> &'a [usize],
    parties: usize,
    settings: &MatchmakingSettings,
) -> Vec<usize> {
    let quality = |game: usize| qualities[game].quality;
    let mut games: Vec<usize> =
        (0..qualities.len()).filter(|&game| quality(game) >= settings.minimum_game_quality).collect();
    games.sort_unstable_by(|&one, &other| {
        quality(other).total_cmp(&quality(one)).then_with(|| other.cmp(&one))
    });
    let mut is_used = vec![false; parties];
    games.retain(|&game| {
        let is_free = participants(game).iter().all(|&party| !is_used[party]);
        if is_free {
            for &party in participants(game) {
                is_used[party] = true;
            }
        }
        is_free
    });
    games
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_games_that_share_nobody() {
        let games = [(0.5, [0, 1]), (0.9, [1, 2]), (0.7, [2, 3]), (0.4, [0, 3]), (0.39, [4, 5])];
        assert_eq!(picked(&games), [1, 3]);
    }

    #[test]
    fn the_later_of_equal_games() {
        assert_eq!(picked(&[(0.9, [0, 1]), (0.9, [1, 2]), (0.9, [2, 0])]), [2]);
    }

    #[test]
    fn a_game_without_quality_is_not_played() {
        assert_eq!(picked(&[(f64::NAN, [0, 1])]), [0; 0]);
    }

    fn picked(games: &[(f64, [usize; 2])]) -> Vec<usize> {
        let quality = |&(quality, _): &(f64, _)| GameQuality {
            imbalance: 0.0,
            spread: 0.0,
            time_bonus: 0.0,
            newbie_bonus: 0.0,
            minority_bonus: 0.0,
            quality,
        };
        let qualities: Vec<_> = games.iter().map(quality).collect();
        pick(&qualities, |game| &games[game].1, 6, &MatchmakingSettings::default())
    }
}
