//! Counts of what bots do, and of what the server says about it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use faf_protocol::gpgnet::{GameState, GameToServer, ServerToGame};
use faf_protocol::server_message::{NoticeStyle, ServerMessage};
use faf_protocol::{ClientMessage, GameId};

/// Number of different complaints of the server that are kept; others count as one.
const COMPLAINTS_KEPT: usize = 40;

/// Longest complaint that is kept, in bytes.
const COMPLAINT_BYTES: usize = 160;

/// Counts of any number of bots.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Connections that were opened.
    pub connections: u64,
    /// Attempts to connect that failed, by their reason.
    pub failed_connections: BTreeMap<String, u64>,
    /// Logins that the server has accepted.
    pub logins: u64,
    /// Logins that the server has refused.
    pub refused_logins: u64,
    /// Connections that a bot has ended.
    pub left: u64,
    /// Connections that were lost, by their reason.
    pub lost: BTreeMap<String, u64>,
    /// Lobbies of games that opened, with those of matches.
    pub hosted: u64,
    /// Games that bots have joined, with those of matches.
    pub joined: u64,
    /// Games that their hosts have launched, with those of matches.
    pub launched: u64,
    /// Launched games whose host's process has ended.
    pub ended: u64,
    /// Lobbies of matches that opened.
    pub matches: u64,
    /// Times at which a player was told of a match.
    pub matched: u64,
    /// Times at which a player was told that a match is cancelled.
    pub cancelled: u64,
    /// Messages of the server.
    pub received: u64,
    /// Messages of clients, by command.
    pub sent: BTreeMap<String, u64>,
    /// Messages of game processes, by command.
    pub sent_by_games: BTreeMap<String, u64>,
    /// Refusals and errors of the server, by their text.
    pub complaints: BTreeMap<String, u64>,
}

/// The course of the game of one bot, as far as a [`Tally`] needs it.
#[derive(Debug, Default)]
pub struct Course {
    /// The game of the last `game_launch`, and whether the matchmaker made it.
    game: Option<(GameId, bool)>,
    is_host: bool,
    is_launched: bool,
}

impl Tally {
    /// Counts a message that a bot sends.
    pub fn sent(&mut self, course: &mut Course, message: &ClientMessage) {
        let ClientMessage::Game(game) = message else {
            let command = message.command().unwrap_or(Cow::Borrowed(""));
            return count(&mut self.sent, &command);
        };
        count(&mut self.sent_by_games, &game.command);
        let Ok(read) = GameToServer::read(game) else { return };
        match read.command {
            GameToServer::GameState { state: GameState::Launching } if course.is_host => {
                self.launched += 1;
                course.is_launched = true;
            }
            GameToServer::GameState { state: GameState::Ended } => {
                self.ended += u64::from(course.is_launched);
                *course = Course::default();
            }
            _ => {}
        }
    }

    /// Counts a message that a bot receives.
    pub fn received(&mut self, course: &mut Course, message: &ServerMessage) {
        self.received += 1;
        match message {
            ServerMessage::Welcome(_) => self.logins += 1,
            ServerMessage::AuthenticationFailed(failed) => {
                self.refused_logins += 1;
                self.complain("authentication_failed", &failed.text);
            }
            ServerMessage::Notice(notice) => {
                let what = match notice.style {
                    NoticeStyle::Error => "notice error",
                    NoticeStyle::Kick => "notice kick",
                    NoticeStyle::Kill => "notice kill",
                    _ => return,
                };
                self.complain(what, notice.text.as_deref().unwrap_or_default());
            }
            ServerMessage::GameJoinFailed(failed) => {
                let reason = serde_json::to_string(&failed.reason).unwrap_or_default();
                self.complain("game_join_failed", reason.trim_matches('"'));
            }
            ServerMessage::Disabled(disabled) => self.complain("disabled", &disabled.request),
            ServerMessage::Invalid(_) => self.complain("invalid", ""),
            ServerMessage::SearchTimeout(_) => self.complain("search_timeout", ""),
            ServerMessage::SearchViolation(_) => self.complain("search_violation", ""),
            ServerMessage::MatchFound(_) => self.matched += 1,
            ServerMessage::MatchCancelled(_) => self.cancelled += 1,
            ServerMessage::GameLaunch(launch) => {
                let is_match = launch.expected_players.is_some();
                *course = Course { game: Some((launch.uid, is_match)), ..Course::default() };
            }
            ServerMessage::Game(command) => match ServerToGame::read(command).map(|read| read.command) {
                Ok(ServerToGame::HostGame { .. }) => {
                    course.is_host = true;
                    self.hosted += 1;
                    self.matches += u64::from(course.game.is_some_and(|(_, is_match)| is_match));
                }
                Ok(ServerToGame::JoinGame { .. }) => self.joined += 1,
                _ => {}
            },
            _ => {}
        }
    }

    /// Counts a connection that could not be opened.
    pub fn not_connected(&mut self, reason: &str) {
        bounded(&mut self.failed_connections, reason);
    }

    /// Counts a connection that was lost.
    pub fn lost(&mut self, reason: &str) {
        bounded(&mut self.lost, reason);
    }

    fn complain(&mut self, what: &str, text: &str) {
        bounded(&mut self.complaints, format!("{what}: {text}").trim_end_matches([':', ' ']));
    }
}

fn count(counts: &mut BTreeMap<String, u64>, what: &str) {
    match counts.get_mut(what) {
        Some(count) => *count += 1,
        None => drop(counts.insert(what.to_owned(), 1)),
    }
}

/// Counts a text of the server. Numbers in it are ids, and would make a text of each message.
fn bounded(counts: &mut BTreeMap<String, u64>, text: &str) {
    let mut kept = String::new();
    for letter in text.chars() {
        let letter = match letter {
            '0'..='9' => '#',
            control if control.is_control() => ' ',
            other => other,
        };
        if letter == '#' && kept.ends_with('#') {
            continue;
        }
        if kept.len() + letter.len_utf8() > COMPLAINT_BYTES {
            break;
        }
        kept.push(letter);
    }
    let is_full = counts.len() >= COMPLAINTS_KEPT && !counts.contains_key(&kept);
    count(counts, if is_full { "others" } else { &kept });
}

#[cfg(test)]
mod tests {
    use faf_protocol::Message;

    use super::*;

    fn received(tally: &mut Tally, course: &mut Course, text: &str) {
        let message: Message = text.parse().unwrap();
        tally.received(course, &ServerMessage::read(message).unwrap());
    }

    fn sent(tally: &mut Tally, course: &mut Course, text: &str) {
        let message: Message = text.parse().unwrap();
        tally.sent(course, &ClientMessage::read(message).unwrap());
    }

    const LAUNCHING: &str = r#"{"command":"GameState","args":["Launching"],"target":"game"}"#;
    const ENDED: &str = r#"{"command":"GameState","args":["Ended"],"target":"game"}"#;

    #[test]
    fn a_game_is_counted_by_its_host_once() {
        let mut tally = Tally::default();
        let (mut host, mut guest) = (Course::default(), Course::default());
        sent(&mut tally, &mut host, r#"{"command":"game_host","visibility":"public","title":"t"}"#);
        let launch = r#"{"command":"game_launch","args":["/numgames",0],"uid":5,"mod":"faf","name":"t","init_mode":0,"game_type":"custom","rating_type":"global"}"#;
        for course in [&mut host, &mut guest] {
            received(&mut tally, course, launch);
        }
        received(&mut tally, &mut host, r#"{"command":"HostGame","args":["m"],"target":"game"}"#);
        received(&mut tally, &mut guest, r#"{"command":"JoinGame","args":["A",1],"target":"game"}"#);
        assert_eq!((tally.hosted, tally.joined, tally.matches), (1, 1, 0));
        for course in [&mut host, &mut guest] {
            sent(&mut tally, course, LAUNCHING);
            sent(&mut tally, course, ENDED);
            // A second end is that of no game.
            sent(&mut tally, course, ENDED);
        }
        assert_eq!((tally.launched, tally.ended), (1, 1));
        assert_eq!((tally.sent["game_host"], tally.sent_by_games["GameState"]), (1, 6));
        assert_eq!(tally.received, 4);
    }

    #[test]
    fn a_lobby_of_a_match_counts_as_one() {
        let (mut tally, mut course) = (Tally::default(), Course::default());
        received(&mut tally, &mut course, r#"{"command":"match_found","queue_name":"ladder1v1"}"#);
        received(
            &mut tally,
            &mut course,
            r#"{"command":"game_launch","args":["/numgames",0],"uid":5,"mod":"ladder1v1","name":"t","init_mode":1,"game_type":"matchmaker","rating_type":"ladder_1v1","expected_players":2}"#,
        );
        received(&mut tally, &mut course, r#"{"command":"HostGame","args":["m"],"target":"game"}"#);
        received(&mut tally, &mut course, r#"{"command":"match_cancelled","game_id":5}"#);
        assert_eq!((tally.matched, tally.matches, tally.hosted, tally.cancelled), (1, 1, 1, 1));
    }

    #[test]
    fn complaints_are_bounded_and_ids_in_them_do_not_count() {
        let (mut tally, mut course) = (Tally::default(), Course::default());
        for id in 0..200 {
            received(
                &mut tally,
                &mut course,
                &format!(r#"{{"command":"notice","style":"error","text":"no game {id}"}}"#),
            );
        }
        assert_eq!(tally.complaints, [("notice error: no game #".to_owned(), 200)].into());
        for number in 0..200_usize {
            tally.lost(&"x".repeat(number));
            tally.not_connected(&"é".repeat(number));
        }
        assert_eq!(tally.lost.len(), COMPLAINTS_KEPT + 1);
        assert!(
            tally
                .lost
                .keys()
                .chain(tally.failed_connections.keys())
                .all(|text| text.len() <= COMPLAINT_BYTES)
        );
        assert_eq!(tally.lost.values().sum::<u64>(), 200);
    }
}
