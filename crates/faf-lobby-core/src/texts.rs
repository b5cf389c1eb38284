//! Every sentence a player can read.
//!
//! Clients are compared by these texts and one recognises `UNOFFICIAL_CLIENT` by its first words,
//! so they are those of the original (session.md).

use std::time::Duration;

use faf_protocol::GameId;
use faf_protocol::server_message::{Notice, NoticeStyle, ServerMessage};

use crate::state::CommandClass;

pub(crate) const LOGIN_FAILED: &str = "Login not found or password incorrect. They are case sensitive.";
pub(crate) const TOO_MANY_LOGINS: &str = "Too many failed logins. Please reconnect and try again.";
pub(crate) const TOO_MANY_LOGINS_FROM_ADDRESS: &str =
    "Too many failed logins from your address. Please try again in ten minutes.";
pub(crate) const PASSWORD_LOGIN_DISABLED: &str =
    "Username password login has been disabled please use a different client to login";
pub(crate) const BUSY: &str = "The server is busy. Please try again in a moment.";
pub(crate) const TOKEN_NOT_TAKEN: &str = "This server does not accept tokens. Please log in with a password.";
pub(crate) const TOKEN_INVALID: &str = "Token signature was invalid";
pub(crate) const TOKEN_NO_PERMISSION: &str = "Token does not have permission to login to the lobby server";
pub(crate) const TOKEN_NO_KEYS: &str =
    "Your token cannot be checked right now. Please try again in a few minutes.";
pub(crate) const TOKEN_UNKNOWN_PLAYER: &str = "Cannot find user id";
pub(crate) const ALREADY_SIGNED_IN: &str = "You are already signed in from this location!";
pub(crate) const SIGNED_IN_ELSEWHERE: &str = "You have been signed out because you signed in elsewhere.";
pub(crate) const DISCONNECTED_BY_ADMINISTRATOR: &str = "You have been disconnected by an administrator.";
pub(crate) const NO_REGISTRATION: &str =
    "FAF no longer supports direct registration. Please use the website to register.";
pub(crate) const OUTDATED_CLIENT: &str =
    "Your client version is no longer supported. Please update to the newest version: https://faforever.com";
pub(crate) const OUTDATED_CLIENT_NO_GAMES: &str =
    "Cannot join game. Please update your client to the newest version.";
pub(crate) const TITLE_NOT_ASCII: &str = "Title must contain only ascii characters.";
pub(crate) const TITLE_EMPTY: &str = "Title must not be empty.";
pub(crate) const MAP_NAME_INVALID: &str = "This cannot be the name of a map.";
pub(crate) const PASSWORD_TOO_LONG: &str = "The password is too long.";
pub(crate) const HOST_HAS_LEFT: &str = "The host has left the game.";
pub(crate) const GAME_NOT_READY: &str = "The game you are trying to join is not ready.";
pub(crate) const BAD_PASSWORD: &str = "Bad password (it's case sensitive).";
pub(crate) const NO_MORE_GAMES: &str = "No more games can be hosted: this server has given out all numbers of games. Please tell its administrators.";
pub(crate) const GAME_IS_GONE: &str = "The game you were connected to no longer exists";
pub(crate) const GAME_IS_OVER: &str = "The game you were connected to is no longer available";
pub(crate) const NOT_IN_GAME: &str = "You are not part of this game";
pub(crate) const GAME_IS_A_MATCH: &str = "The game cannot be joined in this way.";
pub(crate) const ONLY_OWNER_SEARCHES: &str = "Only the party owner may enter the party into a queue.";
pub(crate) const PARTY_TOO_LARGE: &str = "Your party is too large to join that queue!";
pub(crate) const PARTY_IN_QUEUE: &str = "That party is already in queue";
pub(crate) const WELCOME_TO_MATCHMAKER: &str = "Welcome to the matchmaker. It does not know yet how strong you are, so your first matches may be uneven. With every game it learns more, and finds you better opponents.";
pub(crate) const INVITED_PLAYER_UNKNOWN: &str = "The invited player doesn't exist";
pub(crate) const INVITING_PLAYER_UNKNOWN: &str = "The inviting player doesn't exist";
pub(crate) const KICKED_PLAYER_UNKNOWN: &str = "The kicked player doesn't exist";
pub(crate) const NOT_INVITED: &str = "You are not invited to that party (anymore)";
pub(crate) const NOT_IN_A_PARTY: &str = "You are not in a party.";
pub(crate) const NOT_THIS_PARTYS_OWNER: &str = "You do not own this party.";
pub(crate) const NOT_THAT_PARTYS_OWNER: &str = "You do not own that party.";
pub(crate) const PARTY_IS_FULL: &str = "That party is full.";
pub(crate) const TOO_MANY_INVITATIONS: &str =
    "You have invited too many players in a short time. Please try again in a minute.";
pub(crate) const NO_FACTION: &str = "You must select at least one faction.";
pub(crate) const SELF_RELATION: &str = "You cannot add yourself as friend or foe.";
pub(crate) const UNKNOWN_PLAYER: &str = "There is no such player.";
pub(crate) const UNKNOWN_MOD: &str = "There is no such mod.";
pub(crate) const TOO_MANY_FRIENDS: &str =
    "Your list of friends is full. Please remove somebody before you add another friend.";
pub(crate) const TOO_MANY_FOES: &str =
    "Your list of foes is full. Please remove somebody before you add another foe.";
pub(crate) const TOO_MANY_LOGINS_OF_ACCOUNT: &str = "There were too many logins to this account in a short time. Please close other clients that use it, and try again in a minute.";
pub(crate) const TOO_MANY_GAMES: &str =
    "You have hosted too many games in a short time. Please try again in a minute.";
pub(crate) const TOO_MANY_PASSWORDS: &str = "There were too many wrong passwords in a short time. Please ask the host for the password, and try again in a minute.";
pub(crate) const INVALID_VETO_DATA: &str = "invalid veto data";
pub(crate) const DATABASE_UNAVAILABLE: &str = "Unable to connect to database. Please try again later.";
pub(crate) const NO_LOGIN_WHILE_SHUTTING_DOWN: &str =
    "The server is shutting down for maintenance. Please try to connect again in a few minutes.";
pub(crate) const SHUT_DOWN: &str = "The server has been shut down for maintenance but should be back online soon. If you experience any problems, please restart your client. <br/><br/>We apologize for this interruption.";

/// Returns the notice that shows a text as information.
pub(crate) fn information(text: impl Into<String>) -> ServerMessage {
    ServerMessage::Notice(Notice::new(NoticeStyle::Info, text))
}

pub(crate) fn unofficial_client(www_url: &str) -> String {
    format!(
        "You are using an unofficial client version! Some features might not work as expected. If you experience any \
         problems please download the latest version of the official client from <a href=\"{www_url}\">{www_url}</a>"
    )
}

/// The text for a player who does something else already: `host a game` while `PLAYING`.
pub(crate) fn busy(wish: &str, state: &str) -> String {
    format!("Can't {wish} while in state {state}")
}

/// A member of the party who wants to search does something else already.
pub(crate) fn member_busy(login: &str, state: &str) -> String {
    format!("Can't join a queue while {login} is in state {state}")
}

/// A member of the party that its owner wants to search with is banned.
pub(crate) fn member_banned(login: &str) -> String {
    format!("{login} is banned, so your party cannot search for a match.")
}

/// The queue does not exist, or no longer.
pub(crate) fn unknown_queue(name: &str) -> String {
    format!("There is no matchmaker queue \"{name}\" on this server.")
}

/// A client sends a command whose members the server cannot read.
pub(crate) fn unreadable(command: &str, reason: &str) -> String {
    format!("Your client has sent \"{command}\" in a form that this server does not understand: {reason}")
}

/// The command of a client is unknown.
pub(crate) fn unknown_command(command: &str) -> String {
    format!("This server does not know the command \"{command}\", which your client has sent.")
}

pub(crate) fn unknown_featured_mod(name: &str) -> String {
    format!("The featured mod \"{name}\" is not available on this server.")
}

/// The notice a banned player gets; `remaining` is none for a ban without end.
pub(crate) fn banned(reason: &str, remaining: Option<Duration>) -> String {
    let period = match remaining {
        None => "forever".to_owned(),
        Some(remaining) => format!("for {}", days_and_hours(remaining)),
    };
    format!(
        "You are banned from FAF {period}. <br>Reason: <br>{reason}<br><br><i>If you would like to appeal this ban, \
         please send an email to: moderation@faforever.com</i>"
    )
}

/// The shutdown begins; `kicks_idle` if those who are in no game must go.
pub(crate) fn shutting_down(grace_period: Duration, kicks_idle: bool) -> String {
    let others = match kicks_idle {
        true => {
            "otherwise you will be disconnected. If you aren't reconnected automatically please wait a few minutes and try \
             to connect again."
        }
        false => "however, you will not be able to create any new games until the server has been restarted.",
    };
    format!(
        "The server will be shutting down for maintenance in {}! If you're in a game you can continue to play, {others}",
        in_words(grace_period)
    )
}

/// The text for a player whose client sends too much.
pub(crate) fn too_fast(class: CommandClass) -> String {
    let what = match class {
        CommandClass::Heartbeat => "signs of life",
        CommandClass::Login => "attempts to log in",
        CommandClass::Query => "questions",
        CommandClass::List => "changes of lists, avatars and mods",
        CommandClass::Host => "requests to host a game",
        CommandClass::Join => "requests to join a game",
        CommandClass::Party => "commands for parties and matchmaking",
        CommandClass::Administration => "administrative commands",
        CommandClass::Game => "messages of the game",
        CommandClass::Statistics => "statistics of the game",
    };
    format!(
        "Your client sends too many {what} in a short time. Nothing is lost, but the server reads them more slowly, so it may \
         take a while until you see what comes of them."
    )
}

/// The notice for opponents who have had too many rated games against each other.
pub(crate) fn too_many_rated_games(game: GameId, most: u32) -> String {
    format!(
        "Game {game} is not rated: you have had {most} rated games against the same opponent within an hour. You may go on \
         playing; games will be rated again in a while."
    )
}

/// The notice for a player who made a match fail, for the `count`th time lately.
pub(crate) fn violation(count: u32, wait: Option<Duration>) -> String {
    let matches = if count == 1 { "match" } else { "matches" };
    let wait = wait.map(|wait| format!("You have to wait {} before you can search again. ", in_words(wait)));
    format!(
        "You have failed to connect to {count} {matches} lately. Players who fail repeatedly are timed out and cannot search for \
         a while. {}If you have trouble connecting, please ask for help on https://forum.faforever.com.",
        wait.unwrap_or_default()
    )
}

/// The notice for a party with players who are timed out.
pub(crate) fn timed_out(names: &[&str], remaining: Duration) -> String {
    let (players, are) = if names.len() == 1 { ("Player", "is") } else { ("Players", "are") };
    format!("{players} {} {are} timed out for {}", names.join(", "), in_largest_unit(remaining))
}

/// The text for a player whose game sends another player's game too long a message.
pub(crate) fn relay_too_long(bytes: usize, limit: usize) -> String {
    format!(
        "Your game has sent a message of {bytes} bytes to another player. The server passes on at most {limit} bytes at a time, so \
         this message is lost, and the connection between the two games may fail."
    )
}

/// `1 day and 22.05 hours`, `0.50 hours`
fn days_and_hours(duration: Duration) -> String {
    const DAY: u64 = 24 * 60 * 60;

    let days = duration.as_secs() / DAY;
    let hours = (duration - Duration::from_secs(days * DAY)).as_secs_f64() / 3600.0;
    match days {
        0 => format!("{hours:.2} hours"),
        1 => format!("1 day and {hours:.2} hours"),
        _ => format!("{days} days and {hours:.2} hours"),
    }
}

/// `30 minutes`, `1 hour and 5 seconds`
fn in_words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let parts: Vec<String> =
        [(seconds / 3600, "hour"), (seconds / 60 % 60, "minute"), (seconds % 60, "second")]
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, unit)| if count == 1 { format!("1 {unit}") } else { format!("{count} {unit}s") })
            .collect();
    match parts.as_slice() {
        [] => "a moment".to_owned(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// `30 minutes` for anything from 30 to below 31 minutes
fn in_largest_unit(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let unit = [86_400, 3600, 60].into_iter().find(|unit| seconds >= *unit).unwrap_or(1);
    match seconds / 86_400 {
        0 => in_words(Duration::from_secs(seconds - seconds % unit)),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_written_in_words() {
        let hours = |hours: f64| Duration::from_secs_f64(hours * 3600.0);
        assert_eq!(days_and_hours(hours(46.05)), "1 day and 22.05 hours");
        assert_eq!(days_and_hours(hours(0.5)), "0.50 hours");
        assert_eq!(days_and_hours(hours(74.0)), "3 days and 2.00 hours");
        assert_eq!(in_words(Duration::from_secs(1800)), "30 minutes");
        assert_eq!(in_words(Duration::from_secs(3661)), "1 hour, 1 minute and 1 second");
        assert_eq!(in_words(Duration::from_secs(7205)), "2 hours and 5 seconds");
        assert_eq!(in_words(Duration::from_millis(20)), "a moment");
        let whole = |seconds| in_largest_unit(Duration::from_secs(seconds));
        assert_eq!([whole(599), whole(3600), whole(7199)], ["9 minutes", "1 hour", "1 hour"]);
        assert_eq!([whole(0), whole(1), whole(86_400 * 3 - 1)], ["a moment", "1 second", "2 days"]);
    }
}
