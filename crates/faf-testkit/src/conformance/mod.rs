//! The conformance suite for databases: one file per family of operations, each test a function
//! over any [`Backend`] that is new and empty.
//!
//! A backend runs all of them with [`conformance_tests!`](crate::conformance_tests). The tests
//! never read tables; they ask for facts.

#![expect(clippy::unwrap_used, missing_docs, reason = "these are tests, which fail by panicking")]

pub mod accounts;
pub mod games;
pub mod history;
pub mod outbox;
pub mod players;
pub mod queues;
pub mod seeds;
pub mod vault;

use faf_lobby_core::ratings::RatingChange;
use faf_lobby_core::{GamePublications, GameWrite};
use faf_lobby_store::facts::Facts;
use faf_lobby_store::seed::SeedFile;
use faf_lobby_store::{Backend, StoreError};
use faf_protocol::GameId;
use faf_protocol::server_message::Rating;

/// Creates a test for each function of the suite. The argument is a function that receives an
/// asynchronous test, for example `fn run(test: impl AsyncFnOnce(Sqlite))`, and runs it with a
/// new database. Attributes of the tests may follow, for example
/// `#[ignore = "needs a server"]`.
#[macro_export]
macro_rules! conformance_tests {
    ($run:path $(, #[$attribute:meta])*) => {
        $crate::conformance_tests! { $run; [$(#[$attribute])*];
            accounts: accounts_are_created_found_and_changed, latest_ban_counts_and_can_be_revoked,
                roles_are_groups, logins_are_recorded, orders_wait_until_they_are_carried_out,
                order_about_unknown_account_is_refused;
            players: nobody_is_friend_and_foe, granted_avatar_can_be_selected,
                permissions_come_with_roles, profile_is_complete;
            vault: mods_are_liked_once_and_downloads_counted, mods_have_their_names,
                mod_is_listed_as_seeded, mod_can_have_several_versions, maps_are_found_by_their_folder,
                missions_of_unknown_campaigns_are_skipped;
            games: game_data_has_mods_and_leaderboards, launch_stores_game_and_players,
                values_are_cut_to_columns_and_observers_are_not_stored,
                writes_are_idempotent, contradicting_launch_leaves_nothing,
                number_belongs_to_one_game, save_replaces_the_live_game, writes_are_carried_out_in_order,
                end_stores_results_ratings_and_decisions, changes_on_all_leaderboards_are_stored,
                only_a_victory_counts_as_won,
                unratable_game_keeps_its_results, game_without_results_only_ends,
                notes_are_stored, initial_state_has_the_live_games,
                live_games_have_the_lists_of_their_hosts, joins_are_recorded;
            queues: queues_have_options_brackets_and_pools, queues_that_cannot_be_used_hide_no_others,
                rating_peak_follows_the_games, recent_maps_are_the_newest_of_each_player,
                match_is_stored_with_its_queue, golden_seed_has_its_queues,
                contradicting_queues_are_refused, parties_and_searches_are_saved,
                opened_match_has_its_history;
            history: game_record_is_complete, games_are_listed_by_player_validity_and_kind;
            outbox: game_end_goes_into_the_outbox, retried_write_publishes_nothing_twice,
                refused_write_publishes_nothing, messages_stay_until_delivered,
                publications_may_follow_the_end;
            seeds: seed_is_planted_whole_and_once, seed_may_renumber_built_in_records,
                illegible_names_are_refused, invalid_seed_leaves_nothing, key_is_created_once;
        }
    };
    ($run:path; $attributes:tt; $($family:ident: $($test:ident),*;)*) => {
        $( mod $family { $(
            $crate::conformance_tests! { @test $run; $attributes; $family::$test }
        )* } )*
    };
    (@test $run:path; [$(#[$attribute:meta])*]; $family:ident::$test:ident) => {
        #[test]
        $(#[$attribute])*
        fn $test() {
            $run(async |store| $crate::conformance::$family::$test(&store).await);
        }
    };
}

/// Plants a seed.
pub(crate) async fn plant(store: &impl Backend, seed: &str) {
    store.plant(SeedFile::parse(seed).unwrap()).await.unwrap();
}

/// Plants Ada, Bob, the map `SCMP_007`, the queue `ladder1v1` with the id 4, a mission, and two
/// mods, the first in two versions. Ada and Bob are players 1 and 2.
pub(crate) async fn plant_for_games(store: &impl Backend) {
    plant(store, GAMES_SEED).await;
}

/// Seed of [`plant_for_games`].
const GAMES_SEED: &str = r#"{
    "users": [{"id": 1, "login": "Ada", "password": "x"}, {"id": 2, "login": "Bob", "password": "x"}],
    "maps": [{"map_id": 1, "version_id": 7, "display_name": "Map", "filename": "maps/SCMP_007.zip", "version": 1,
              "ranked": true, "max_players": 2, "width": 1, "height": 1}],
    "map_pools": [{"id": 3, "name": "Pool", "maps": [{"version_id": 7, "weight": 1}]}],
    "queues": [{"id": 4, "technical_name": "ladder1v1", "featured_mod": "faf", "leaderboard": "global", "team_size": 1,
                "enabled": true, "pools": [{"pool": 3}]}],
    "coop_maps": [{"id": 5, "type": 0, "name": "M", "description": null, "filename": "maps/Mission.v0001.zip",
                   "version": 1}],
    "mods": [
        {"id": 1, "version_id": 1, "display_name": "One", "author": "A", "uid": "one-a", "type": "SIM", "version": 1,
         "description": "", "filename": "a", "icon": null, "ranked": true, "hidden": false, "likes": 0, "likers": "[]",
         "downloads": 0, "played": 0, "created": "2020-01-02 03:04:05"},
        {"id": 1, "version_id": 2, "display_name": "One", "author": "A", "uid": "one-b", "type": "SIM", "version": 2,
         "description": "", "filename": "b", "icon": null, "ranked": false, "hidden": false, "likes": 0, "likers": "[]",
         "downloads": 0, "played": 0, "created": "2020-01-02 03:04:05"},
        {"id": 2, "version_id": 3, "display_name": "Two", "author": "B", "uid": "Two", "type": "SIM", "version": 1,
         "description": "", "filename": "c", "icon": null, "ranked": true, "hidden": false, "likes": 0, "likers": "[]",
         "downloads": 0, "played": 5, "created": "2020-01-02 03:04:05"}]}"#;

/// Stores something about a game, without publications.
pub(crate) async fn store(
    store: &impl Backend,
    game: GameId,
    write: GameWrite,
) -> Result<Vec<RatingChange>, StoreError> {
    store.store_game(game, write, GamePublications::default()).await
}

/// Returns the reason for which a write is refused.
pub(crate) async fn refused(store_: &impl Backend, game: GameId, write: GameWrite) -> String {
    match store(store_, game, write).await {
        Err(StoreError::Contradiction(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

/// Returns whether `stored` is this rating as a database stores it: with all digits or, in FAF's
/// 32-bit columns, with the six digits that are read from them.
pub(crate) fn is_stored(stored: Rating, rating: Rating) -> bool {
    let six_digits = |number: f64| format!("{:.5e}", f64::from(number as f32)).parse().unwrap();
    stored == rating
        || stored == Rating { mean: six_digits(rating.mean), deviation: six_digits(rating.deviation) }
}

/// Compares changes of ratings that were read from a database with those that were stored.
pub(crate) fn assert_stored(read: &[RatingChange], changes: &[RatingChange]) {
    assert_eq!(read.len(), changes.len(), "{read:?}, not {changes:?}");
    for (read, change) in read.iter().zip(changes) {
        let exact = RatingChange { before: change.before, after: change.after, ..read.clone() };
        assert_eq!(exact, *change);
        let is_stored = is_stored(read.before, change.before) && is_stored(read.after, change.after);
        assert!(is_stored, "{read:?}, not {change:?}");
    }
}

pub(crate) async fn facts(store: &impl Backend) -> Facts {
    store.facts().await.unwrap()
}
