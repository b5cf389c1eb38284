//! The part that `hello` and `auth` share: from accepted credentials to a player who is online
//! (session.md sections 5.3 and 6).

use std::sync::{Arc, LazyLock};

use faf_protocol::server_message::{
    IrcPassword, LeaderboardRating, Player, Ratings, ServerMessage, Social, Welcome,
};
use faf_protocol::{Country, PlayerId};

use crate::connections::{closing, pacing, shutdown};
use crate::games::host_lists;
use crate::io::{Account, Ban, ConnId, Count, Effect, LogLine, LoginMethod, Profile, ReplyTo, SignIn};
use crate::matchmaking::vetoes::Vetoes;
use crate::queues;
use crate::ratings::{GLOBAL, LADDER, START_RATING};
use crate::refusal::Refusal;
use crate::sign_in::admission;
use crate::sign_in::bans::check_not_banned;
use crate::state::{Activity, CommandResult, Limit, Lobby, LoggingIn, OnlinePlayer, Progress, Resume, Timer};
use crate::texts;

const ADMINISTRATORS: &str = "faf_server_administrators";
const MODERATORS: &str = "faf_moderators_global";

/// Longest login and password that are looked up, in bytes. A real login has at most 20 characters,
/// a password 64.
pub(crate) const CREDENTIAL_LIMIT: usize = 1024;

/// Longest token that is checked, in bytes; real ones have about a thousand.
pub(crate) const TOKEN_LIMIT: usize = 16 * 1024;

/// Longest description of a machine that is passed on, in characters; the rest is cut.
pub(crate) const UNIQUE_ID_LIMIT: usize = 8192;

/// Length to which an attempted name is cut in the log, in characters.
const ACCOUNT_SHOWN: usize = 100;

/// Leaderboards that are shown for every player.
const ALWAYS_SHOWN: [&str; 2] = [GLOBAL, LADDER];

/// Names of these leaderboards, shared by all players.
static ALWAYS_SHOWN_NAMES: LazyLock<[Arc<str>; 2]> = LazyLock::new(|| ALWAYS_SHOWN.map(Arc::from));

/// A connection logs in once; another account needs another connection.
pub(crate) fn check_not_logged_in(lobby: &Lobby, conn: ConnId) -> Result<(), Refusal> {
    match lobby.session(conn).player {
        None => Ok(()),
        Some(_) => Err(Refusal::informed(texts::ALREADY_SIGNED_IN)),
    }
}

/// A rejected login, as reported to the operator.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failure<'a> {
    pub(crate) method: LoginMethod,
    /// The attempted name, if there was one.
    pub(crate) account: &'a str,
    /// The reason. It is a label of a metric, so there are only a few fixed values.
    pub(crate) reason: &'static str,
    /// Details for people.
    pub(crate) detail: &'a str,
}

/// Reports a rejected login to the operator.
pub(crate) fn note_failure(lobby: &mut Lobby, conn: ConnId, failure: Failure<'_>) {
    let Failure { method, account, reason, detail } = failure;
    let address = lobby.session(conn).address;
    let account = account.chars().take(ACCOUNT_SHOWN).collect();
    let detail = detail.to_owned();
    lobby.log(LogLine::LoginFailed { conn, address, method, account, reason, detail });
}

/// Counts a failed attempt, and decides whether there may be another one.
pub(crate) fn fail(lobby: &mut Lobby, conn: ConnId, failure: Failure<'_>, text: &'static str) -> Refusal {
    lobby.count(Count::LoginFailed(failure.method));
    note_failure(lobby, conn, failure);
    let attempts = lobby.settings.login_attempts;
    let session = lobby.session_mut(conn);
    session.failed_logins += 1;
    if session.failed_logins > attempts {
        return Refusal::ejected(texts::TOO_MANY_LOGINS);
    }
    Refusal::AuthenticationFailed(text)
}

/// Accepts correct credentials: refuses banned players, and queues the others to be signed in.
pub(crate) fn accept(
    lobby: &mut Lobby,
    conn: ConnId,
    method: LoginMethod,
    account: Account,
    unique_id: String,
) -> CommandResult {
    let Account { id: player, login, ban } = account;
    check_account_not_banned(lobby, conn, method, player, &login, ban)?;
    let failure = |reason| Failure { method, account: &login, reason, detail: "" };
    if !lobby.limits.log_in(player, lobby.now.elapsed) {
        lobby.count(Count::Limited(Limit::Logins));
        note_failure(lobby, conn, failure("too many of this account"));
        return Err(Refusal::AuthenticationFailed(texts::TOO_MANY_LOGINS_OF_ACCOUNT));
    }
    if !shutdown::is_welcome_now(lobby, player) {
        note_failure(lobby, conn, failure("the server shuts down"));
        return Err(Refusal::fatal(texts::NO_LOGIN_WHILE_SHUTTING_DOWN));
    }
    admission::queue_login(lobby, conn, LoggingIn { method, player, login, unique_id, is_outdated: false });
    Ok(Progress::Pending)
}

/// Refuses a banned player, and reports it to the operator.
fn check_account_not_banned(
    lobby: &mut Lobby,
    conn: ConnId,
    method: LoginMethod,
    player: PlayerId,
    login: &str,
    ban: Option<Ban>,
) -> Result<(), Refusal> {
    let checked = check_not_banned(lobby, ban);
    if checked.is_err() {
        note_failure(lobby, conn, Failure { method, account: login, reason: "banned", detail: "" });
        lobby.log(LogLine::Banned { player, login: login.to_owned() });
    }
    checked
}

impl Resume for SignIn {
    type Memo = LoggingIn;

    fn resume(memo: LoggingIn, lobby: &mut Lobby, conn: ConnId, reply: ReplyTo<Self>) -> CommandResult {
        let profile = reply?;
        if memo.is_outdated {
            // The reply has made room for another sign-in.
            return Ok(admission::sign_in(lobby, conn, LoggingIn { is_outdated: false, ..memo }));
        }
        complete(lobby, conn, memo, *profile)
    }
}

/// Completes a login: the player is online from here on.
fn complete(lobby: &mut Lobby, conn: ConnId, state: LoggingIn, profile: Profile) -> CommandResult {
    let LoggingIn { method, player, login, unique_id, .. } = state;
    check_account_not_banned(lobby, conn, method, player, &login, profile.ban.clone())?;
    let session = lobby.session_mut(conn);
    let (country, number) = (session.country, session.number);
    // The old connection ends completely before the new one counts. Otherwise its end would take
    // the new one along.
    if let Some(elsewhere) = lobby.players.conn(player) {
        closing::kick(lobby, elsewhere, "signed_in_elsewhere", texts::SIGNED_IN_ELSEWHERE);
    }
    let social = social(&profile);
    let info = Arc::new(player_info(player, login.clone(), country, &profile, lobby));
    lobby.players.insert(OnlinePlayer {
        avatar_read: None,
        conn,
        info: Arc::clone(&info),
        friends: profile.friends.into_iter().collect(),
        foes: profile.foes.into_iter().collect(),
        activity: Activity::Idle,
        has_searched: false,
        vetoes: Vetoes::default(),
        game: None,
    });
    host_lists::host_logged_in(lobby, player);
    log_in(lobby, conn, player);
    lobby.count(Count::LoginAccepted(method));
    lobby.log(LogLine::LoggedIn { conn, player, login: login.clone() });
    lobby.emit(Effect::ReportLogin { player, unique_id, session: number });

    if method == LoginMethod::Token {
        lobby.send(conn, ServerMessage::IrcPassword(IrcPassword { password: "deprecated".to_owned() }));
    }
    let current_time = lobby.now.utc.to_string();
    lobby.send(conn, ServerMessage::Welcome(Welcome { me: info, current_time, id: player, login }));
    for (id, list) in lobby.players.lists().collect::<Vec<_>>() {
        lobby.emit(Effect::SendSnapshot { conn, id: Some(id), message: ServerMessage::PlayerInfo(list) });
    }
    lobby.send(conn, ServerMessage::Social(social));
    let games = lobby.players.get(player).map(|online| lobby.games.lists_for(online, &lobby.players));
    for (id, list) in games.unwrap_or_default() {
        lobby.emit(Effect::SendSnapshot { conn, id, message: ServerMessage::GameList(list) });
    }
    queues::returned(lobby, player);
    Ok(Progress::Done)
}

fn player_info(id: PlayerId, login: String, country: Country, profile: &Profile, lobby: &Lobby) -> Player {
    let stored = |leaderboard: &str| {
        profile.ratings.iter().find(|(name, _)| name == leaderboard).map(|(_, rating)| *rating)
    };
    let known = |leaderboard: &str| {
        let rating = |name: &str| stored(name).map(|stored| stored.rating);
        let derived = lobby.data.leaderboards.rating(leaderboard, START_RATING, rating);
        stored(leaderboard).unwrap_or(LeaderboardRating { rating: derived.rating, number_of_games: 0 })
    };
    let [global, ladder] = ALWAYS_SHOWN.map(known);
    let mut ratings: Vec<_> = ALWAYS_SHOWN_NAMES.iter().map(|name| (Arc::clone(name), known(name))).collect();
    let others = profile.ratings.iter().filter(|(name, _)| !ALWAYS_SHOWN.contains(&name.as_str()));
    ratings.extend(others.map(|(name, rating)| (name.as_str().into(), *rating)));
    // Clients drop the whole message if one of the texts is missing.
    let avatar =
        profile.avatar.as_ref().filter(|avatar| !avatar.url.is_empty() && !avatar.tooltip.is_empty());
    Player {
        id,
        login,
        avatar: avatar.cloned().map(Box::new),
        country,
        clan: profile.clan.clone(),
        state: None,
        ratings: Ratings(ratings),
        global_rating: global.rating,
        ladder_rating: ladder.rating,
        number_of_games: global.number_of_games,
    }
}

fn social(profile: &Profile) -> Social {
    let is_in = |group: &str| profile.groups.iter().any(|name| name == group);
    let moderators = is_in(MODERATORS).then(|| "#moderators".to_owned());
    let clan = profile.clan.as_ref().map(|tag| format!("#{tag}_clan"));
    let channels: Vec<String> = moderators.into_iter().chain(clan).collect();
    let power = match (is_in(ADMINISTRATORS), is_in(MODERATORS)) {
        (true, _) => 2,
        (false, true) => 1,
        (false, false) => 0,
    };
    Social {
        autojoin: channels.clone(),
        channels: Some(channels),
        friends: Some(profile.friends.clone()),
        foes: Some(profile.foes.clone()),
        power: Some(power),
    }
}

/// Assigns a connection to a player.
pub(crate) fn log_in(lobby: &mut Lobby, conn: ConnId, player: PlayerId) {
    let session = lobby.session_mut(conn);
    session.player = Some(player);
    let deadline = session.login_deadline;
    lobby.timers.remove(deadline, Timer::Login(conn));
    pacing::take_over_pacing(lobby, conn, player);
    lobby.effects.push_back(Effect::LoggedIn { conn });
}
