//! The needs of a session: one that a server cannot play is left out with its reason, and records
//! that cannot be compared are counted.

use std::time::Duration;

use faf_protocol::WireFormat;
use faf_sessions::transcript::{Record, Sent, Transcript};

use crate::server::Offers;

/// Marks the steps at which the server must shut down.
pub const SIGNAL: &str = "SIGTERM";

/// Marks the step at which the policy service disappears.
pub const SERVICE_GONE: &str = "service gone";

/// Name, among the settings, of the key set that verifies tokens.
pub const KEY_SET: &str = "jwks";

/// A pause of at least this length is one for a game process that does not start in time, which
/// takes half a minute.
const GAME_SETUP_PAUSE: Duration = Duration::from_secs(15);

/// The properties of a session for which a server and its clients must be prepared.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances {
    /// Whether connections that do not log in are closed.
    pub logins_time_out: bool,
    /// Whether clients are pinged.
    pub is_pinged: bool,
    /// Whether game processes do not start in time.
    pub waits_for_games: bool,
    /// Whether queues have rounds while the session lasts.
    pub has_rounds: bool,
    /// Whether the server shuts down.
    pub is_shut_down: bool,
}

impl Circumstances {
    /// Returns the circumstances of a session.
    #[must_use]
    pub fn of(transcript: &Transcript) -> Self {
        Self {
            logins_time_out: transcript.overrides.get("LOGIN_TIMEOUT").is_some(),
            is_pinged: transcript.overrides.get("PING_INTERVAL").is_some(),
            waits_for_games: transcript.longest_pause >= GAME_SETUP_PAUSE,
            has_rounds: transcript.overrides.get("QUEUE_POP_TIME_MAX").is_some(),
            is_shut_down: has_step(transcript, SIGNAL),
        }
    }
}

/// Returns why a server cannot be asked to play a session; nothing if it can.
#[must_use]
pub fn missing(transcript: &Transcript, offers: &Offers) -> Vec<String> {
    let mut reasons = Vec::new();
    let settings = transcript.overrides.as_object().into_iter().flatten();
    for (name, value) in settings.filter(|(name, _)| !offers.settings.contains(name)) {
        reasons.push(format!("it needs the setting {name} = {value}"));
    }
    let has = |is_it: fn(&Record) -> bool| transcript.records.iter().any(is_it);
    if has(|record| matches!(record, Record::Keys(_))) && !offers.settings.contains(KEY_SET) {
        reasons.push(format!("it needs its own key set ({KEY_SET})"));
    }
    if has_step(transcript, SIGNAL) && !offers.signal {
        reasons.push("it needs a server that can be asked to end".to_owned());
    }
    let has_policy_service = offers.policy_service || !offers.settings.contains("USE_POLICY_SERVER");
    if has(|record| matches!(record, Record::PolicyRequest(_))) && !has_policy_service {
        reasons.push("it needs a policy service".to_owned());
    }
    for format in WireFormat::ALL {
        for is_proxied in [false, true] {
            let is_it = |record: &Record| matches!(record, Record::Connect(connect) if connect.format == format && connect.proxy == is_proxied);
            let known = if is_proxied { &offers.proxied_formats } else { &offers.formats };
            if transcript.records.iter().any(is_it) && !known.contains(&format) {
                let proxy = if is_proxied { " with a PROXY header" } else { "" };
                reasons.push(format!("it needs a listener for {}{proxy}", format.properties().name));
            }
        }
    }
    reasons
}

/// Returns which records of a session cannot be compared on this server, with their numbers.
#[must_use]
pub fn not_compared(transcript: &Transcript, offers: &Offers) -> Vec<(&'static str, usize)> {
    let count = |is_it: fn(&Record) -> bool| transcript.records.iter().filter(|record| is_it(record)).count();
    let all = [
        ("rows of the database", offers.rows, count(|record| matches!(record, Record::Database(_)))),
        ("publications", offers.publications, count(|record| matches!(record, Record::Publication(_)))),
        ("pages", offers.pages, count(|record| matches!(record, Record::Http(_) | Record::Metrics))),
        (
            "requests to the policy service",
            offers.policy_service,
            count(|record| matches!(record, Record::PolicyRequest(_))),
        ),
    ];
    let lacking = all.into_iter().filter(|(_, is_offered, count)| !is_offered && *count > 0);
    lacking.map(|(what, _, count)| (what, count)).collect()
}

/// Returns whether a session can be played in any wire format: no bytes of clients were recorded,
/// and no PROXY headers.
#[must_use]
pub fn suits_any_format(transcript: &Transcript) -> bool {
    transcript.records.iter().all(|record| match record {
        Record::Send(_, sent) => matches!(sent, Sent::Message(_)),
        Record::Connect(connect) => !connect.proxy,
        _ => true,
    })
}

fn has_step(transcript: &Transcript, mark: &str) -> bool {
    transcript.records.iter().any(|record| matches!(record, Record::Step(step) if step.contains(mark)))
}
