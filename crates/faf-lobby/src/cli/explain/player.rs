//! `faf-lobby explain player`: why a player has no match.
//!
//! A server saves parties, searches and violations a few seconds after they change, and after every
//! round with searches, so this works without asking it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use faf_lobby_core::matchmaking::violations::{Violation, ViolationSettings};
use faf_lobby_core::{SavedQueues, SavedSearch, Timestamp, escaped};
use faf_protocol::PlayerId;
use serde_json::{Value, json};

use crate::cli::{game, print_line, with_existing_store};
use crate::clock::utc_now;
use crate::config::Settings;
use crate::exit_code::Failure;
use crate::store::{AccountError, GameFilter, ListedGame, Store};

/// Number of matches that are shown.
const LAST_MATCHES: u32 = 5;

/// Everything that is stored about a player and the matchmaker.
struct Findings {
    player: PlayerId,
    login: String,
    now: Timestamp,
    saved: SavedQueues,
    /// Names of the players in the party and in the searches.
    names: BTreeMap<PlayerId, String>,
    matches: Vec<ListedGame>,
    violations: ViolationSettings,
    /// The server that uses the database.
    server: Option<String>,
}

pub(super) fn run(name: &str, json: bool, settings: &Settings) -> Result<(), Failure> {
    let violations = settings.lobby().matches.violations;
    let database = settings.database();
    let server = database.owner();
    let findings = with_existing_store(&database, async |store| find(store, name, violations, server).await)?;
    match json {
        true => print_line(&findings.as_json()),
        false => print_line(findings.as_text().trim_end()),
    }
    Ok(())
}

async fn find(
    store: &Store,
    name: &str,
    violations: ViolationSettings,
    server: Option<String>,
) -> Result<Findings, AccountError> {
    let account = store.account_by_login(name).await?;
    let account = account.ok_or_else(|| AccountError::Unknown(name.to_owned()))?;
    let saved = store.saved_queues().await?;
    let filter = GameFilter {
        player: Some(account.login.clone()),
        is_match: true,
        limit: LAST_MATCHES,
        ..GameFilter::default()
    };
    let matches = store.list_games(filter).await?;
    let (player, login) = (account.id, account.login);
    let mut findings = Findings {
        player,
        login,
        now: utc_now(),
        saved,
        names: BTreeMap::new(),
        matches,
        violations,
        server,
    };
    for other in findings.others() {
        if let Some(account) = store.account_by_id(other).await? {
            findings.names.insert(other, account.login);
        }
    }
    Ok(findings)
}

impl Findings {
    /// Returns the players in the party and in the searches.
    fn others(&self) -> Vec<PlayerId> {
        let searches = self.searches().flat_map(|search| search.players.iter().copied());
        self.saved.party_of(self.player).into_iter().flatten().chain(searches).collect()
    }

    fn searches(&self) -> impl Iterator<Item = &SavedSearch> {
        self.saved.searches.iter().filter(|search| search.players.contains(&self.player))
    }

    /// Returns whether anything was ever saved.
    fn is_saved(&self) -> bool {
        self.saved.saved_at != Timestamp::default()
    }

    fn began_at(&self, search: &SavedSearch) -> Timestamp {
        Timestamp(
            self.saved.saved_at.0.saturating_sub(search.waited.as_micros().try_into().unwrap_or(i64::MAX)),
        )
    }

    fn violation(&self) -> Option<&Violation> {
        self.saved.violations.get(self.player, self.now, &self.violations)
    }

    /// Returns the end of the player's time-out.
    fn timed_out_until(&self) -> Option<Timestamp> {
        let timed_out = self.saved.violations.timed_out([self.player], self.now, &self.violations);
        timed_out.first().map(|timed_out| timed_out.expires_at)
    }

    fn named(&self, players: impl IntoIterator<Item = PlayerId>) -> Vec<String> {
        let name = |player: PlayerId| match self.names.get(&player) {
            Some(name) => escaped(name).to_string(),
            None => format!("player {player}"),
        };
        players.into_iter().map(name).collect()
    }

    fn as_text(&self) -> String {
        let mut text = format!("player {}: {}\n", self.player, escaped(&self.login));
        // Writing to a string does not fail.
        let _ = match self.is_saved() {
            true => writeln!(
                text,
                "parties, searches and violations as saved {} ago, at {}",
                shown(self.now.since(self.saved.saved_at)),
                self.saved.saved_at
            ),
            false => writeln!(text, "no parties, searches and violations were saved in this database"),
        };
        if self.server.is_none() {
            text.push_str("no server uses this database here, so they may be over\n");
        }
        text.push('\n');
        if self.searches().next().is_none() {
            text.push_str("does not search for a match\n");
        }
        for search in self.searches() {
            let _ = writeln!(
                text,
                "searches in {} since {}, for {}, {}",
                escaped(&search.queue_name),
                self.began_at(search),
                shown(search.waited),
                rounds(search.failed_attempts),
            );
            match search.reason {
                Some(reason) => text.push_str(&format!("  no match in the last round: {reason}\n")),
                None => text.push_str("  no round since the search began\n"),
            }
        }
        match self.saved.party_of(self.player) {
            Some(party) => {
                text.push_str(&format!("party, its owner first: {}\n", self.named(party).join(", ")));
            }
            None => text.push_str("in no party with others\n"),
        }
        match self.violation() {
            Some(Violation { count, time }) => {
                let _ = writeln!(text, "violations: {count}, the last at {time}");
            }
            None => text.push_str("no violations\n"),
        }
        if let Some(until) = self.timed_out_until() {
            let _ = writeln!(text, "must not search until {until}");
        }
        text.push('\n');
        if self.matches.is_empty() {
            text.push_str("no matches are stored\n");
        } else {
            let _ = writeln!(text, "last matches:\n{}", game::heading());
            for found in &self.matches {
                let _ = writeln!(text, "{}", game::as_text(found));
            }
        }
        text
    }

    /// Texts are escaped here as well: this is read on terminals.
    fn as_json(&self) -> Value {
        let search = |search: &SavedSearch| {
            json!({
                "queue": escaped(&search.queue_name).to_string(),
                "players": self.named(search.players.iter().copied()),
                "since": self.began_at(search).to_string(),
                "waited_seconds": search.waited.as_secs(),
                "rounds_without_match": search.failed_attempts,
                "why": search.reason.map(|reason| reason.to_string()),
            })
        };
        let violations = self.violation().map(|violation| {
            json!({
                "count": violation.count,
                "last": violation.time.to_string(),
                "timed_out_until": self.timed_out_until().map(|until| until.to_string()),
            })
        });
        json!({
            "id": self.player.0,
            "login": escaped(&self.login).to_string(),
            "saved_at": self.is_saved().then(|| self.saved.saved_at.to_string()),
            "saved_seconds_ago": self.is_saved().then(|| self.now.since(self.saved.saved_at).as_secs()),
            "is_served": self.server.is_some(),
            "searches": self.searches().map(search).collect::<Vec<_>>(),
            "party": self.saved.party_of(self.player).map(|party| self.named(party)),
            "violations": violations,
            "matches": self.matches.iter().map(game::listed_as_json).collect::<Vec<_>>(),
        })
    }
}

/// Formats a duration.
fn shown(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

fn rounds(failed_attempts: u32) -> String {
    match failed_attempts {
        1 => "1 round without a match".to_owned(),
        rounds => format!("{rounds} rounds without a match"),
    }
}
