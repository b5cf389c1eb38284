//! Bounds on the length of a list of players or games: messages of the lobby stay well below the
//! limits of clients.
//!
//! The bound of an entry follows from its texts, without encoding it.

use faf_protocol::server_message::{GameInfo, Player};

/// Longest JSON of a list, in bytes: 512 KiB. Client libraries refuse messages above 1 MiB (wire.md
/// section 5), and one wire format takes two bytes for each byte of JSON.
pub const LIST_LIMIT: usize = 512 * 1024;

/// Longest JSON of one `game_info`, in bytes: 16 KiB. Only a full game of players with the longest
/// non-ASCII names, each in a team of their own, comes near it. Sixteen players with ten mods take
/// less than 2 KiB.
pub const GAME_INFO_MAX: usize = 16 * 1024;

/// Bytes around the entries: `{"command":"player_info","players":[]}`.
const ENVELOPE_BYTES: usize = 64;

/// Bytes of names, quotes and numbers of a player, without the ratings; a number with a fraction
/// takes at most 24 bytes.
const PLAYER_BYTES: usize = 400;

/// Bytes of the rating on one leaderboard.
const RATING_BYTES: usize = 128;

/// Bytes of a game, without its mods and teams.
const GAME_BYTES: usize = 700;

/// Bytes of one team, under both of its names.
const TEAM_BYTES: usize = 80;

/// Bytes of one player in a team.
const MEMBER_BYTES: usize = 20;

/// Bytes of quotes, colon and comma around a mod.
const MOD_BYTES: usize = 8;

/// Returns an upper bound of the bytes of JSON that a player takes in a list.
#[must_use]
pub fn player_bytes(player: &Player) -> usize {
    let avatar = player.avatar.as_ref().map_or(0, |avatar| text(&avatar.url) + text(&avatar.tooltip));
    let clan = player.clan.as_deref().map_or(0, text);
    let ratings: usize = player.ratings.0.iter().map(|(name, _)| RATING_BYTES + text(name)).sum();
    PLAYER_BYTES + text(&player.login) + text(player.country.as_str()) + avatar + clan + ratings
}

/// Returns an upper bound of the bytes of JSON that a game takes in a list.
pub(crate) fn game_bytes(game: &GameInfo) -> usize {
    let texts = [&game.title, &game.featured_mod, &game.map_file_path, &game.mapname, &game.host];
    let mods: usize = game.sim_mods.iter().map(|(uid, name)| mod_bytes(uid, name)).sum();
    let members: usize = game.teams_ids.iter().map(|team| team.player_ids.len() * MEMBER_BYTES).sum();
    let names: usize = game.teams.0.values().flatten().map(|name| MEMBER_BYTES + text(name)).sum();
    let teams = game.teams_ids.len().max(game.teams.0.len()) * TEAM_BYTES;
    let hosted_at = game.hosted_at.as_deref().map_or(0, text);
    let rating_type = text(&game.rating_type);
    GAME_BYTES
        + texts.map(|part| text(part)).iter().sum::<usize>()
        + mods
        + members
        + names
        + teams
        + hosted_at
        + rating_type
}

/// Returns an upper bound of the bytes of JSON that one mod of a game takes.
pub(crate) fn mod_bytes(uid: &str, name: &str) -> usize {
    MOD_BYTES + text(uid) + text(name)
}

/// Cuts a text to at most this many bytes of JSON.
pub(crate) fn cut_to_bytes(words: &mut String, most: usize) {
    let mut bytes = 0;
    let end = words.char_indices().find(|(start, character)| {
        bytes += text(&words[*start..start + character.len_utf8()]);
        bytes > most
    });
    if let Some((end, _)) = end {
        words.truncate(end);
    }
}

/// Bytes of an escaped text: six for a control character, and six for each UTF-16 unit of a
/// non-ASCII character.
fn text(text: &str) -> usize {
    let bytes = text.bytes().map(|byte| match byte {
        b'"' | b'\\' => 2,
        b' '..=b'~' => 1,
        0..=0x7f => 6,
        // A character of two or three bytes becomes six bytes; one of four bytes becomes twelve.
        _ => 3,
    });
    bytes.sum()
}

/// Returns whether entries of this size are too long for one list.
#[must_use]
pub fn is_too_long(bytes: usize) -> bool {
    bytes > LIST_LIMIT - ENVELOPE_BYTES
}

/// Splits a list into as few parts as possible, so that none is too long or has more than
/// `most` entries.
pub(crate) fn split<T>(items: Vec<T>, most: usize, bytes_of: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let mut lists: Vec<Vec<T>> = Vec::new();
    let mut bytes = 0;
    for item in items {
        let more = bytes_of(&item);
        match lists.last_mut().filter(|last| last.len() < most && !is_too_long(bytes + more)) {
            Some(last) => {
                last.push(item);
                bytes += more;
            }
            None => {
                lists.push(vec![item]);
                bytes = more;
            }
        }
    }
    lists
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use faf_protocol::server_message::{
        Avatar, GameInfoState, GameList, GameTeam, GameType, LeaderboardRating, PlayerList, PlayerState,
        Rating, Ratings, ServerMessage, TeamNames, Visibility,
    };
    use faf_protocol::{Country, Encode, GameId, PlayerId};
    use proptest::prelude::*;

    use super::*;

    fn json_bytes(message: &ServerMessage) -> usize {
        let mut json = Vec::new();
        message.write_json(&mut json).unwrap();
        json.len()
    }

    /// A player whose numbers all have their greatest length.
    fn player(text: &str, ratings: usize) -> Player {
        let rating = Rating { mean: -1.234_567_890_123_456_7e-300, deviation: -1.234_567_890_123_456_7e-300 };
        let on_leaderboard = LeaderboardRating { rating, number_of_games: u32::MAX };
        Player {
            id: PlayerId(i32::MAX as u32),
            login: text.to_owned(),
            avatar: Some(Box::new(Avatar { url: text.to_owned(), tooltip: text.to_owned() })),
            country: Country::UNKNOWN,
            clan: Some(text.to_owned()),
            state: Some(PlayerState::Offline),
            ratings: Ratings((0..ratings).map(|_| (text.into(), on_leaderboard)).collect()),
            global_rating: rating,
            ladder_rating: rating,
            number_of_games: u32::MAX,
        }
    }

    fn game(text: &str, members: u32) -> GameInfo {
        let number = Some(-1.234_567_890_123_456_7e-300);
        let team = |team_id| GameTeam {
            team_id,
            player_ids: (0..members).map(|_| PlayerId(u32::MAX >> 1)).collect(),
        };
        let names = || (0..members).map(|_| text.to_owned()).collect();
        GameInfo {
            visibility: Visibility::Friends,
            password_protected: false,
            uid: GameId(i32::MAX as u32),
            title: text.to_owned(),
            state: GameInfoState::Playing,
            game_type: GameType::Matchmaker,
            featured_mod: text.to_owned(),
            sim_mods: (0..members).map(|number| (format!("{text}{number}"), text.to_owned())).collect(),
            mapname: text.to_owned(),
            map_file_path: format!("maps/{text}.zip"),
            host: text.to_owned(),
            num_players: usize::MAX,
            max_players: i64::MIN,
            hosted_at: Some(text.to_owned()),
            launched_at: number,
            rating_type: text.to_owned(),
            rating_min: number,
            rating_max: number,
            enforce_rating_range: false,
            teams_ids: vec![team(i64::MIN), team(i64::MAX)],
            teams: TeamNames(BTreeMap::from([(i64::MIN, names()), (i64::MAX, names())])),
        }
    }

    proptest! {
        #[test]
        fn no_entry_is_longer_than_its_bound(text in any::<String>(), count in 0..20_u32) {
            let player = player(&text, count as usize);
            let players = [0, 1].map(|_| Arc::new(player.clone())).into();
            let list = ServerMessage::PlayerInfo(Arc::new(PlayerList { players }));
            prop_assert!(json_bytes(&list) <= ENVELOPE_BYTES + 2 * player_bytes(&player));
            let game = game(&text, count);
            let games = [0, 1].map(|_| Arc::new(game.clone())).into();
            let list = ServerMessage::GameList(Arc::new(GameList { games }));
            prop_assert!(json_bytes(&list) <= ENVELOPE_BYTES + 2 * game_bytes(&game));
        }
    }

    #[test]
    fn lists_are_cut_by_bytes_and_by_number() {
        let lengths = |items: &[usize], most| {
            let lists = split(items.to_vec(), most, |bytes| *bytes);
            lists.into_iter().map(|list| list.len()).collect::<Vec<_>>()
        };
        assert_eq!(lengths(&[], 9), [0; 0]);
        assert_eq!(lengths(&[1; 10], 4), [4, 4, 2]);
        assert_eq!(lengths(&[LIST_LIMIT / 4; 5], 9), [3, 2]);
        assert_eq!(lengths(&[LIST_LIMIT * 2, 1, LIST_LIMIT * 2], 9), [1, 1, 1]);
        assert_eq!(text("a\"\u{1}ä€😀"), 1 + 2 + 6 + 6 + 9 + 12);
    }
}
