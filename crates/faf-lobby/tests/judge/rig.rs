//! A judge with the database of the recorded sessions, and the settings of the recorded server.

use faf_lobby::config::Settings;
use faf_lobby::judge::{Judge, Report};
use faf_lobby::store::{SeedFile, Store};
use faf_sessions::differences;
use faf_sessions::recording::Recorded;
use faf_testkit::golden;
use serde_json::Value;

/// Returns a database with the seed of the sessions. Nobody needs a password there: the recording
/// says whose it was.
pub(crate) async fn seeded() -> Store {
    let mut seed = SeedFile::parse(&golden::text(&golden::seed())).unwrap();
    seed.users.iter_mut().for_each(|user| user.hash = "no hash".to_owned());
    let store = Store::in_memory();
    store.plant(seed).await.unwrap();
    store
}

/// The settings of the recorded server, with those that differ in a session.
pub(crate) fn settings(overrides: &Value) -> Settings {
    let number = |name: &str, default: f64| overrides[name].as_f64().unwrap_or(default);
    let seed: Value = serde_json::from_str(&golden::text(&golden::seed())).unwrap();
    let assumed = |name: &str| seed["config_assumed"][name].as_str().unwrap().to_owned();
    Settings {
        allow_password_login: overrides["ALLOW_PASSWORD_LOGIN"].as_bool().unwrap_or(true),
        login_timeout: number("LOGIN_TIMEOUT", 300.0),
        ping_interval: number("PING_INTERVAL", 45.0),
        ladder_anti_repetition_limit: 2,
        // The recorded server had no such period.
        reconnect_grace_period: 0.0,
        www_url: assumed("www_url"),
        content_url: assumed("content_url"),
        ..Settings::default()
    }
}

/// Judges entries by the differences of this repository's server.
pub(crate) async fn judge(
    settings: &Settings,
    store: Store,
    entries: impl IntoIterator<Item = Recorded>,
) -> Report {
    let mut judge = Judge::begin(settings, store, &differences::OWN).await.unwrap();
    for entry in entries {
        judge.add(entry).await.unwrap();
    }
    judge.finish().await.unwrap()
}
