//! [`Conversation`]: whether the messages of a connection come at the right time.

use std::collections::BTreeSet;

use faf_protocol::contract::{Phase, ServerCommand, When};
use faf_protocol::gpgnet::{CommandForGame, GameCommand, GpgNetMessage};
use faf_protocol::{ClientCommand, GameId, Message};

use crate::checker::{Direction, Kind, Violation};

/// Maximum number of queues in which a player is known to search; clients have some ten.
const QUEUES_LIMIT: usize = 64;

/// One connection between a client and a server, as somebody sees it who reads both directions.
///
/// It follows the messages and returns those that the rules of the contract do not allow at this
/// time: before the login, without a game, or in the wrong part of one. The server ignores or
/// refuses such messages, or ends the connection.
///
/// Messages that are on their way in both directions at once get the benefit of the doubt, as do
/// states that the server changes without telling the client. Messages whose members are wrong
/// should be checked by a [`Checker`](crate::Checker); here they count as they are named.
///
/// ```
/// use faf_contract::{Conversation, Direction};
///
/// let mut conversation = Conversation::default();
/// let host = r#"{"command":"game_host","visibility":"public"}"#.parse()?;
/// let violation = conversation.observe(Direction::ToServer, &host).unwrap();
/// assert_eq!(violation.to_string(), "wrong time: `game_host` needs a login");
/// # Ok::<(), faf_protocol::DecodeError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Conversation {
    login: Login,
    /// The queues in which the player searches, as far as the client knows.
    searches: BTreeSet<String>,
    is_matched: bool,
    game: Game,
    /// The game that the client was last told to start the process for.
    uid: Option<GameId>,
    /// Whether there was a game at any time; messages for it may still be on their way.
    had_game: bool,
    /// Whether this is the host's connection, from the moment when the server says so.
    is_host: Option<bool>,
    /// Whether the client has shown that it is outdated.
    is_outdated: bool,
    /// The replies that the client has asked for at any time.
    expected: BTreeSet<ServerCommand>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Login {
    #[default]
    None,
    Asked,
    Accepted,
}

/// The state of the game's process, as it has reported it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Game {
    #[default]
    None,
    /// The client was told to start the process.
    Launched,
    Idle,
    Lobby,
    Live,
    /// The client has asked to come back to a game whose state is not known here.
    Restored,
}

impl Conversation {
    /// Takes in the next message of the connection, and returns whether it comes at the wrong time.
    pub fn observe(&mut self, direction: Direction, message: &Message) -> Option<Violation> {
        let command = message.command()?;
        let is_of_game = message.target().as_deref() == Some(GpgNetMessage::TARGET);
        let problem = match (direction, is_of_game) {
            (Direction::ToServer, false) => self.client(ClientCommand::from_name(&command)?, message),
            (Direction::ToServer, true) => self.game(GameCommand::from_name(&command)?, message),
            (Direction::ToClient, false) => self.server(ServerCommand::of(&command, message)?, message),
            (Direction::ToClient, true) => self.for_game(CommandForGame::from_name(&command)?),
        }?;
        let text = format!("`{command}` {problem}");
        Some(Violation { kind: Kind::WrongTime, path: String::new(), place: String::new(), text })
    }

    fn client(&mut self, command: ClientCommand, message: &Message) -> Option<&'static str> {
        let rules = command.rules()?;
        let text = |member: &str| message.get(member)?.as_str();
        let is_stop = command == ClientCommand::GameMatchmaking && text("state").as_deref() == Some("stop");
        let problem = match rules.when {
            When::Always => None,
            When::BeforeLogin if self.login == Login::Accepted => Some("comes after the login"),
            When::BeforeLogin => None,
            _ if self.login == Login::None => Some("needs a login"),
            When::LoggedIn => None,
            When::Idle | When::IdleOrSearching if is_stop => None,
            When::Idle | When::IdleOrSearching if self.has_process() => {
                Some("comes while the player has a game")
            }
            When::Idle | When::IdleOrSearching if self.is_matched => Some("comes while a match begins"),
            When::Idle if !self.searches.is_empty() => Some("comes while the player searches"),
            When::Idle | When::IdleOrSearching => None,
        };
        let needs_new_client = matches!(
            command,
            ClientCommand::GameHost
                | ClientCommand::GameJoin
                | ClientCommand::GameMatchmaking
                | ClientCommand::RestoreGameSession
        );
        let problem =
            problem.or((needs_new_client && self.is_outdated).then_some("comes after `InitiateTest`"));
        match command {
            ClientCommand::Hello | ClientCommand::Auth if self.login == Login::None => {
                self.login = Login::Asked;
            }
            ClientCommand::InitiateTest => self.is_outdated = true,
            ClientCommand::RestoreGameSession => {
                self.game = Game::Restored;
                self.had_game = true;
                self.is_host = None;
            }
            ClientCommand::LeaveParty => self.searches.clear(),
            ClientCommand::GameMatchmaking if is_stop => match text("queue_name") {
                Some(queue) => {
                    self.searches.remove(&*queue);
                }
                None => self.searches.clear(),
            },
            _ => {}
        }
        self.expected.extend(rules.replies);
        problem
    }

    fn game(&mut self, command: GameCommand, message: &Message) -> Option<&'static str> {
        if self.login == Login::None {
            return (command != GameCommand::Bottleneck).then_some("needs a login");
        }
        if command == GameCommand::GameState {
            let state = message.get("args").and_then(|args| args.elements()?.next()?.as_str());
            return state.and_then(|state| self.game_state(&state));
        }
        let rules = command.rules();
        let is_restored = self.game == Game::Restored;
        match rules.phase {
            _ if self.game == Game::None => Some("comes without a game"),
            Phase::Joined | Phase::Lobby if self.game < Game::Idle => Some("comes before `GameState` `Idle`"),
            Phase::Live if self.game < Game::Live => Some("comes before the launch"),
            Phase::Lobby if self.game == Game::Live => Some("comes after the launch"),
            _ if rules.host_only && !is_restored && self.is_host == Some(false) => {
                Some("is for the host only")
            }
            _ => None,
        }
    }

    /// Follows the states of the process: `Idle`, `Lobby`, `Launching`, and `Ended` at any time.
    fn game_state(&mut self, state: &str) -> Option<&'static str> {
        let (needed, next) = match state {
            "Idle" => (Game::Launched, Game::Idle),
            "Lobby" => (Game::Idle, Game::Lobby),
            "Launching" => (Game::Lobby, Game::Live),
            "Ended" => {
                let had_none = self.game == Game::None;
                self.game = Game::None;
                self.is_matched = false;
                return had_none.then_some("`Ended` comes without a game");
            }
            _ => return None,
        };
        let before = self.game;
        match before {
            Game::None => return Some("comes without a game"),
            Game::Restored => return None,
            _ => self.game = before.max(next),
        }
        // The launch by the host counts for a guest before its process reports it.
        let is_late = next == Game::Live && before == Game::Live;
        (before != needed && !is_late).then_some("reports a state out of order")
    }

    fn server(&mut self, message: ServerCommand, content: &Message) -> Option<&'static str> {
        let rules = message.rules();
        let problem = if self.login != Login::Accepted && !rules.before_login {
            Some("comes before the login")
        } else if !rules.unasked && message != ServerCommand::Invalid && !self.expected.contains(&message) {
            Some("comes without a request")
        } else {
            None
        };
        let text = |member: &str| content.get(member)?.as_str();
        match message {
            ServerCommand::Welcome => self.login = Login::Accepted,
            ServerCommand::AuthenticationFailed if self.login == Login::Asked => self.login = Login::None,
            ServerCommand::SearchInfo => {
                let queue = text("queue_name")?.into_owned();
                if text("state")? == "stop" {
                    self.searches.remove(&queue);
                } else if self.searches.len() < QUEUES_LIMIT {
                    self.searches.insert(queue);
                }
            }
            ServerCommand::MatchFound => {
                self.searches.clear();
                self.is_matched = true;
            }
            ServerCommand::MatchCancelled => self.is_matched = false,
            ServerCommand::GameLaunch => {
                self.game = Game::Launched;
                self.uid = content.field("uid").ok();
                self.had_game = true;
                self.is_host = None;
            }
            // The host has launched the game, even if this player's process has not said so.
            ServerCommand::GameInfo
                if matches!(self.game, Game::Idle | Game::Lobby)
                    && text("state").as_deref() == Some("playing")
                    && content.field("uid").ok() == self.uid =>
            {
                self.game = Game::Live;
            }
            _ => {}
        }
        problem
    }

    fn for_game(&mut self, command: CommandForGame) -> Option<&'static str> {
        match command {
            CommandForGame::HostGame => self.is_host = Some(true),
            CommandForGame::JoinGame => self.is_host = Some(false),
            _ => {}
        }
        // A process may have ended while the message was on its way.
        let is_too_early = command.rules().after_lobby && matches!(self.game, Game::Launched | Game::Idle);
        match (self.had_game, is_too_early) {
            (false, _) => Some("comes without a game"),
            (true, true) => Some("comes before `GameState` `Lobby`"),
            (true, false) => None,
        }
    }

    /// Returns whether the process runs. Before it reports `Idle` the server may have given it up
    /// without a word.
    fn has_process(&self) -> bool {
        matches!(self.game, Game::Idle | Game::Lobby | Game::Live)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGIN: &[&str] = &[
        r#"> {"command":"hello"}"#,
        r#"< {"command":"welcome"}"#,
        r#"< {"command":"game_info","games":[]}"#,
    ];
    const HOST: &[&str] = &[
        r#"> {"command":"game_host"}"#,
        r#"< {"command":"game_launch","uid":5001}"#,
        r#"> {"command":"GameState","args":["Idle"],"target":"game"}"#,
        r#"> {"command":"GameState","args":["Lobby"],"target":"game"}"#,
        r#"< {"command":"HostGame","args":["m"],"target":"game"}"#,
    ];

    /// Plays messages, `>` from the client and `<` from the server, and returns the violation of
    /// the last one; those before it must have none.
    fn last(parts: &[&[&str]]) -> Option<String> {
        let mut conversation = Conversation::default();
        let mut lines = parts.iter().copied().flatten().peekable();
        while let Some(line) = lines.next() {
            let (arrow, json) = line.split_at(2);
            let direction = if arrow == "> " { Direction::ToServer } else { Direction::ToClient };
            let violation = conversation.observe(direction, &json.parse().unwrap());
            match lines.peek() {
                Some(_) => assert_eq!(violation, None, "{line}"),
                None => return violation.map(|violation| violation.text),
            }
        }
        None
    }

    fn game(command: &str, args: &str) -> String {
        format!(r#"> {{"command":"{command}","args":{args},"target":"game"}}"#)
    }

    #[test]
    fn commands_need_a_login_and_a_login_comes_once() {
        let needs_login = Some("`coop_list` needs a login".to_owned());
        assert_eq!(last(&[&[r#"> {"command":"coop_list"}"#]]), needs_login);
        assert_eq!(last(&[LOGIN, &[r#"> {"command":"coop_list"}"#]]), None);
        assert_eq!(last(&[&[r#"> {"command":"ping"}"#]]), None);
        assert_eq!(last(&[&[&game("Bottleneck", "[]")]]), None);
        assert_eq!(last(&[&[&game("GameEnded", "[]")]]).unwrap(), "`GameEnded` needs a login");
        assert_eq!(last(&[LOGIN, &[r#"> {"command":"hello"}"#]]).unwrap(), "`hello` comes after the login");
        let refused = &[r#"> {"command":"hello"}"#, r#"< {"command":"authentication_failed"}"#];
        assert_eq!(last(&[refused, &[r#"> {"command":"hello"}"#]]), None);
        assert_eq!(last(&[refused, &[r#"> {"command":"coop_list"}"#]]), needs_login);
    }

    #[test]
    fn the_server_speaks_after_the_login_and_when_it_is_asked() {
        let early = last(&[&[r#"< {"command":"player_info","players":[]}"#]]);
        assert_eq!(early.unwrap(), "`player_info` comes before the login");
        assert_eq!(last(&[LOGIN, &[r#"< {"command":"player_info","players":[]}"#]]), None);
        assert_eq!(last(&[&[r#"< {"command":"pong"}"#]]).unwrap(), "`pong` comes without a request");
        assert_eq!(last(&[&[r#"> {"command":"ping"}"#, r#"< {"command":"pong"}"#]]), None);
        assert_eq!(
            last(&[LOGIN, &[r#"< {"command":"avatar"}"#]]).unwrap(),
            "`avatar` comes without a request"
        );
        assert_eq!(last(&[&[r#"< {"command":"invalid"}"#]]), None);
    }

    #[test]
    fn a_player_with_a_game_or_a_search_hosts_nothing() {
        let host: &[&str] = &[r#"> {"command":"game_host"}"#];
        assert_eq!(last(&[LOGIN, HOST, host]).unwrap(), "`game_host` comes while the player has a game");
        assert_eq!(last(&[LOGIN, HOST, &[&game("GameState", r#"["Ended"]"#)], host]), None);
        let search =
            |state: &str| format!(r#"< {{"command":"search_info","queue_name":"q","state":"{state}"}}"#);
        let start =
            &[r#"> {"command":"game_matchmaking","state":"start","queue_name":"q"}"#, &search("start")];
        let stop: &[&str] = &[r#"> {"command":"game_matchmaking","state":"stop","queue_name":"q"}"#];
        assert_eq!(last(&[LOGIN, start, host]).unwrap(), "`game_host` comes while the player searches");
        // The confirmation of the stop may still be on its way.
        assert_eq!(last(&[LOGIN, start, stop, host]), None);
        assert_eq!(last(&[LOGIN, start, &[&search("stop")], host]), None);
        assert_eq!(last(&[LOGIN, start, &start[..1]]), None);
        let found = &[r#"< {"command":"match_found","queue_name":"q"}"#];
        assert_eq!(last(&[LOGIN, start, found, host]).unwrap(), "`game_host` comes while a match begins");
        assert_eq!(last(&[LOGIN, start, found, stop]), None);
        let cancelled = &[r#"< {"command":"match_cancelled","game_id":null}"#];
        assert_eq!(last(&[LOGIN, start, found, cancelled, host]), None);
    }

    #[test]
    fn commands_of_a_game_have_their_phase() {
        let after = |parts: &[&str], command: &str, args: &str| {
            last(&[LOGIN, parts, &[&game(command, args)]])
                .map(|text| text.split_once(' ').unwrap().1.to_owned())
        };
        assert_eq!(after(&[], "GameEnded", "[]").unwrap(), "comes without a game");
        assert_eq!(after(&HOST[..2], "GameOption", "[]").unwrap(), "comes before `GameState` `Idle`");
        assert_eq!(after(HOST, "GameOption", "[]"), None);
        assert_eq!(after(HOST, "GameResult", "[]").unwrap(), "comes before the launch");
        assert_eq!(
            after(&HOST[..3], "GameState", r#"["Launching"]"#).unwrap(),
            "reports a state out of order"
        );
        let launching = game("GameState", r#"["Launching"]"#);
        let live = [HOST, &[&launching]].concat();
        assert_eq!(after(&live, "GameResult", "[]"), None);
        assert_eq!(after(&live, "GameOption", "[]").unwrap(), "comes after the launch");
        // The host has launched it, which the report about the game shows.
        let reported = [HOST, &[r#"< {"command":"game_info","uid":5001,"state":"playing"}"#]].concat();
        assert_eq!(after(&reported, "GameResult", "[]"), None);
        let other = [HOST, &[r#"< {"command":"game_info","uid":5002,"state":"playing"}"#]].concat();
        assert_eq!(after(&other, "GameResult", "[]").unwrap(), "comes before the launch");
        let guest = [&HOST[..4], &[r#"< {"command":"JoinGame","args":["a",1],"target":"game"}"#]].concat();
        assert_eq!(after(&guest, "GameOption", "[]").unwrap(), "is for the host only");
        assert_eq!(after(&guest, "IceMsg", "[]"), None);
        let restored = &[r#"> {"command":"restore_game_session","game_id":1}"#];
        assert_eq!(after(restored, "GameResult", "[]"), None);
        assert_eq!(after(restored, "GameOption", "[]"), None);
    }

    #[test]
    fn the_server_sends_commands_for_a_game_that_is_there() {
        let host_game = &[r#"< {"command":"HostGame","args":["m"],"target":"game"}"#];
        assert_eq!(last(&[LOGIN, host_game]).unwrap(), "`HostGame` comes without a game");
        let early = last(&[LOGIN, &HOST[..3], host_game]).unwrap();
        assert_eq!(early, "`HostGame` comes before `GameState` `Lobby`");
        // An `IceMsg` may arrive while `Ended` is on its way.
        let ended = game("GameState", r#"["Ended"]"#);
        let ice = &[r#"< {"command":"IceMsg","args":[1,""],"target":"game"}"#];
        assert_eq!(last(&[LOGIN, HOST, &[&ended], ice]), None);
    }

    #[test]
    fn an_outdated_client_is_refused() {
        let test = &[r#"> {"command":"InitiateTest","target":"connectivity"}"#];
        let join = &[r#"> {"command":"game_join","uid":1}"#];
        assert_eq!(last(&[LOGIN, test, join]).unwrap(), "`game_join` comes after `InitiateTest`");
    }

    #[test]
    fn what_a_peer_sends_takes_bounded_memory() {
        let mut conversation = Conversation::default();
        for number in 0..10 * QUEUES_LIMIT {
            let message = format!(r#"{{"command":"search_info","queue_name":"{number}","state":"start"}}"#);
            conversation.observe(Direction::ToClient, &message.parse().unwrap());
        }
        assert_eq!(conversation.searches.len(), QUEUES_LIMIT);
    }
}
