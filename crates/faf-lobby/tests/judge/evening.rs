//! An evening of this lobby, recorded and judged.

use std::time::{Duration, Instant};

use faf_lobby::config::Settings;
use faf_lobby::judge::Report;
use faf_lobby::store::Store;
use faf_lobby_store::memory::{Memory, SharedMemory};
use faf_sessions::recording::Recorded;
use faf_testkit::recorded_evening::{RecordedEvening, record};

use crate::rig;

/// Judges entries of this lobby.
pub(crate) async fn judge(database: &Memory, entries: impl IntoIterator<Item = Recorded>) -> Report {
    let store = Store::Memory(SharedMemory::new(database.clone()));
    let settings = Settings { queue_pop_time_max: 30.37, ..Settings::default() };
    rig::judge(&settings, store, entries).await
}

#[tokio::test]
async fn an_evening_of_this_lobby_is_equal() {
    let RecordedEvening { database, entries, .. } = record(1, 30, Duration::from_secs(40 * 60));
    let report = judge(&database, entries).await;
    assert!(report.is_equal(), "{report}");
    for command in ["game_launch", "ConnectToPeer", "match_found", "player_info", "game_info", "search_info"]
    {
        assert!(
            report.commands.get(command).is_some_and(|messages| messages.recorded > 10),
            "{command}: {report}"
        );
    }
    // The rounds are those of the recording, and so are the matches that this lobby would
    // have made.
    let rounds = report.rounds;
    assert!(rounds.matches > 5 && rounds.impossible == 0, "{rounds:?}");
    assert!(rounds.same * 10 >= rounds.matches * 9, "{rounds:?}");
}

/// Prints how fast an evening is judged: `cargo test --release -p faf-lobby --test judge
/// -- --ignored
/// --nocapture how_fast`.
#[tokio::test]
#[ignore = "a measurement"]
async fn how_fast_an_evening_is_judged() {
    let variable =
        |name: &str, default: u64| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (players, minutes) = (variable("FAF_PLAYERS", 300), variable("FAF_MINUTES", 60));
    let RecordedEvening { database, entries, .. } =
        record(1, players as usize, Duration::from_secs(60 * minutes));
    let (number, began) = (entries.len(), Instant::now());
    let report = judge(&database, entries).await;
    let took = began.elapsed().as_secs_f64();
    println!("{report}");
    println!(
        "{players} players, {minutes} minutes, {number} entries: judged in {took:.1} s, {:.0} entries a second, {:.0} \
         times as fast as played",
        number as f64 / took,
        60.0 * minutes as f64 / took
    );
}
