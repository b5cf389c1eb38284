//! What `hello` and `auth` have in common: from accepted credentials to a player who is online (session.md sections
//! 5.3 and 6).

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use faf_protocol::server_message::{
    IrcPassword, LeaderboardRating, Notice, NoticeStyle, Player, Ratings, ServerMessage, Social, Welcome,
};
use faf_protocol::{Country, PlayerId};
use serde::{Deserialize, Serialize};

use crate::commands::Progress;
use crate::effect::{Count, Effect, LogLine, LoginMethod};
use crate::event::ConnId;
use crate::io::records::{Account, Ban, Profile};
use crate::io::request::{ReplyTo, SignIn};
use crate::limits::Limit;
use crate::pending::Resume;
use crate::players::{Activity, OnlinePlayer};
use crate::ratings::{GLOBAL, LADDER, START_RATING};
use crate::refusal::Refusal;
use crate::texts;
use crate::world::World;

/// A ban that lasts longer than this is one without end.
const FOREVER: Duration = Duration::from_secs(36_500 * 24 * 60 * 60);

const ADMINISTRATORS: &str = "faf_server_administrators";
const MODERATORS: &str = "faf_moderators_global";

/// Longest login and password that are looked up, in bytes; a login has 20 characters, a password 64.
pub(crate) const CREDENTIAL_LIMIT: usize = 1024;

/// Longest token that is checked, in bytes; real ones have about a thousand.
pub(crate) const TOKEN_LIMIT: usize = 16 * 1024;

/// Longest description of a machine that is passed on, in characters; the rest is cut.
pub(crate) const UNIQUE_ID_LIMIT: usize = 8192;

/// How much of a name that was tried is logged, in characters.
const ACCOUNT_SHOWN: usize = 100;

/// Leaderboards that are shown for everybody.
const ALWAYS_SHOWN: [&str; 2] = [GLOBAL, LADDER];

/// The names of these, shared by all players.
static NAMES: LazyLock<[Arc<str>; 2]> = LazyLock::new(|| ALWAYS_SHOWN.map(Arc::from));

/// What is remembered while the profile is loaded.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LoggingIn {
    method: LoginMethod,
    player: PlayerId,
    login: String,
    unique_id: String,
    /// Meanwhile the player was rated, or banned: the profile may be the one before.
    is_outdated: bool,
}

impl LoggingIn {
    /// Who is logging in.
    pub(crate) fn player(&self) -> PlayerId {
        self.player
    }

    /// What was read about a player is out of date; tells the one who is logging in.
    pub(crate) fn rated(&mut self, player: PlayerId) {
        self.is_outdated |= self.player == player;
    }
}

/// A connection logs in once; to be somebody else takes another connection.
pub(crate) fn check_not_logged_in(world: &World, conn: ConnId) -> Result<(), Refusal> {
    match world.session(conn).player {
        None => Ok(()),
        Some(_) => Err(Refusal::informed(texts::ALREADY_SIGNED_IN)),
    }
}

/// A login that is not accepted, as the operator is told of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failure<'a> {
    pub(crate) method: LoginMethod,
    /// The name that was tried, if there was one.
    pub(crate) account: &'a str,
    /// A label of a metric, so always one of the same few.
    pub(crate) reason: &'static str,
    /// More about it, for people.
    pub(crate) detail: &'a str,
}

/// Tells the operator of a login that is not accepted.
pub(crate) fn note_failure(world: &mut World, conn: ConnId, failure: Failure<'_>) {
    let Failure { method, account, reason, detail } = failure;
    let address = world.session(conn).address;
    let account = account.chars().take(ACCOUNT_SHOWN).collect();
    let detail = detail.to_owned();
    world.log(LogLine::LoginFailed { conn, address, method, account, reason, detail });
}

/// Counts a failed attempt, and decides whether there may be another one.
pub(crate) fn fail(world: &mut World, conn: ConnId, failure: Failure<'_>, text: &'static str) -> Refusal {
    world.count(Count::LoginFailed(failure.method));
    note_failure(world, conn, failure);
    let attempts = world.settings.login_attempts;
    let session = world.session_mut(conn);
    session.failed_logins += 1;
    if session.failed_logins > attempts {
        return Refusal::turned_out(texts::TOO_MANY_LOGINS);
    }
    Refusal::AuthenticationFailed(text)
}

/// The credentials are right: turns banned players away, and asks for everything about the others.
pub(crate) fn accept(
    world: &mut World,
    conn: ConnId,
    method: LoginMethod,
    account: Account,
    unique_id: String,
) -> Result<Progress, Refusal> {
    let Account { id: player, login, ban } = account;
    let failure = |reason| Failure { method, account: &login, reason, detail: "" };
    if let Err(refusal) = check_not_banned(world, ban) {
        note_failure(world, conn, failure("banned"));
        world.log(LogLine::Banned { player, login });
        return Err(refusal);
    }
    if !world.limits.log_in(player, world.now.elapsed) {
        world.count(Count::Limited(Limit::Logins));
        note_failure(world, conn, failure("too many of this account"));
        return Err(Refusal::AuthenticationFailed(texts::TOO_MANY_LOGINS_OF_ACCOUNT));
    }
    if !world.is_welcome_now(player) {
        note_failure(world, conn, failure("the server shuts down"));
        return Err(Refusal::fatal(texts::NO_LOGIN_WHILE_SHUTTING_DOWN));
    }
    world.queue_login(conn, LoggingIn { method, player, login, unique_id, is_outdated: false });
    Ok(Progress::Pending)
}

/// Turns away whoever has a ban in force.
pub(crate) fn check_not_banned(world: &World, ban: Option<Ban>) -> Result<(), Refusal> {
    match ban.and_then(|ban| ban_in_force(world, &ban)) {
        Some(notice) => Err(Refusal::TurnedOut(Box::new(notice))),
        None => Ok(()),
    }
}

/// What a player is told who has this ban; none if it is not in force.
pub(crate) fn ban_in_force(world: &World, ban: &Ban) -> Option<Notice> {
    (ban.expires_at > world.now.utc).then(|| ban_notice(world, ban))
}

fn ban_notice(world: &World, ban: &Ban) -> Notice {
    let remaining = Some(ban.expires_at.since(world.now.utc)).filter(|remaining| *remaining <= FOREVER);
    Notice {
        i18n_key: Some("login.banned".to_owned()),
        i18n_args: vec![ban.reason.clone()],
        expires_at: remaining.map(|_| ban.expires_at.to_string()),
        ..Notice::new(NoticeStyle::Error, texts::banned(&ban.reason, remaining))
    }
}

impl Resume for SignIn {
    type Memo = LoggingIn;

    fn resume(
        memo: LoggingIn,
        world: &mut World,
        conn: ConnId,
        reply: ReplyTo<Self>,
    ) -> Result<Progress, Refusal> {
        let profile = reply?;
        if memo.is_outdated {
            // The reply has made room for another sign-in.
            return world.sign_in(conn, LoggingIn { is_outdated: false, ..memo });
        }
        complete(world, conn, memo, *profile)
    }
}

/// Everything is known: the player is online from here on.
fn complete(
    world: &mut World,
    conn: ConnId,
    state: LoggingIn,
    profile: Profile,
) -> Result<Progress, Refusal> {
    let LoggingIn { method, player, login, unique_id, .. } = state;
    if let Err(refusal) = check_not_banned(world, profile.ban.clone()) {
        note_failure(world, conn, Failure { method, account: &login, reason: "banned", detail: "" });
        world.log(LogLine::Banned { player, login });
        return Err(refusal);
    }
    let session = world.session_mut(conn);
    let (country, number) = (session.country, session.number);
    // The old connection is gone for good before the new one counts, so that its end cannot take the new one along.
    if let Some(elsewhere) = world.players.get(player).map(|online| online.conn) {
        let notice = Notice {
            reason: Some("signed_in_elsewhere".to_owned()),
            ..Notice::new(NoticeStyle::Kick, texts::SIGNED_IN_ELSEWHERE)
        };
        world.turn_out(elsewhere, notice);
    }
    let social = social(&profile);
    let info = Arc::new(player_info(player, login.clone(), country, &profile, world));
    world.players.insert(OnlinePlayer {
        conn,
        info: Arc::clone(&info),
        friends: profile.friends.into_iter().collect(),
        foes: profile.foes.into_iter().collect(),
        activity: Activity::Idle,
        game: None,
    });
    world.take_over_lists(player);
    world.log_in(conn, player);
    world.count(Count::LoginAccepted(method));
    world.log(LogLine::LoggedIn { conn, player, login: login.clone() });
    world.emit(Effect::ReportLogin { player, unique_id, session: number });

    if method == LoginMethod::Token {
        world.send(conn, ServerMessage::IrcPassword(IrcPassword { password: "deprecated".to_owned() }));
    }
    let current_time = world.now.utc.to_string();
    world.send(conn, ServerMessage::Welcome(Welcome { me: info, current_time, id: player, login }));
    for (id, list) in world.players.lists().collect::<Vec<_>>() {
        world.emit(Effect::SendSnapshot { conn, id: Some(id), message: ServerMessage::PlayerInfo(list) });
    }
    world.send(conn, ServerMessage::Social(social));
    let games = world.players.get(player).map(|online| world.games.lists_for(online, &world.players));
    for (id, list) in games.unwrap_or_default() {
        world.emit(Effect::SendSnapshot { conn, id, message: ServerMessage::GameList(list) });
    }
    Ok(Progress::Done)
}

fn player_info(id: PlayerId, login: String, country: Country, profile: &Profile, world: &World) -> Player {
    let stored = |leaderboard: &str| {
        profile.ratings.iter().find(|(name, _)| name == leaderboard).map(|(_, rating)| *rating)
    };
    let known = |leaderboard: &str| {
        let rating = |name: &str| stored(name).map(|stored| stored.rating);
        let derived = world.data.leaderboards.rating(leaderboard, START_RATING, rating);
        stored(leaderboard).unwrap_or(LeaderboardRating { rating: derived.rating, number_of_games: 0 })
    };
    let [global, ladder] = ALWAYS_SHOWN.map(known);
    let mut ratings: Vec<_> = NAMES.iter().map(|name| (Arc::clone(name), known(name))).collect();
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
