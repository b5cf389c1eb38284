//! What every database must do: one file a family of operations, each test a function over any
//! [`Backend`](faf_lobby_store::Backend) that is new and empty.
//!
//! A backend runs all of them with [`conformance_tests!`](crate::conformance_tests). Tests never
//! look at tables: they ask for facts.

#![expect(clippy::unwrap_used, missing_docs, reason = "these are tests, which fail by panicking")]

pub mod accounts;
pub mod games;
pub mod history;
pub mod outbox;
pub mod players;
pub mod seeds;
pub mod vault;

use faf_lobby_core::ratings::RatingChange;
use faf_lobby_core::{GamePublications, GameWrite};
use faf_lobby_store::facts::Facts;
use faf_lobby_store::seed::SeedFile;
use faf_lobby_store::{Backend, StoreError};
use faf_protocol::GameId;

/// Makes a test of each function of the suite. The argument is a function that gets an asynchronous
/// test, for example
/// `fn run(test: impl AsyncFnOnce(Sqlite))`, and runs it with a new database.
#[macro_export]
macro_rules! conformance_tests {
    ($run:path) => {
        $crate::conformance_tests! { $run;
            accounts: accounts_are_made_found_and_changed, the_ban_that_ends_last_counts_and_can_be_revoked,
                roles_are_groups, logins_are_noted, orders_wait_until_they_are_carried_out,
                an_order_about_nobody_is_refused;
            players: nobody_is_friend_and_foe, one_of_the_granted_avatars_can_be_selected,
                permissions_come_with_roles, a_profile_has_everything;
            vault: mods_are_liked_once_and_downloads_counted, mods_have_their_names, a_mod_is_shown_as_it_is_seeded,
                a_mod_can_have_several_versions,
                maps_are_found_by_their_folder, missions_of_unknown_campaigns_are_left_out;
            games: what_there_is_to_play, a_launch_stores_everything_that_belongs_to_it,
                what_the_columns_do_not_hold_is_cut_and_observers_are_not_stored,
                what_is_stored_twice_is_as_if_stored_once, a_launch_that_contradicts_leaves_nothing,
                a_number_belongs_to_one_game, a_save_keeps_what_has_changed, writes_are_carried_out_in_order,
                results_and_ratings_and_decisions, every_leaderboard_that_changes, only_a_victory_counts_as_won,
                a_game_that_cannot_be_rated_keeps_its_results, a_game_without_results_only_ends,
                notes_are_kept, a_lobby_begins_with_the_games_that_were_live, joins_are_noted;
            history: a_game_is_recorded, games_are_listed_by_player_and_by_whether_they_count;
            outbox: the_end_of_a_game_goes_into_the_outbox, a_write_that_is_tried_again_publishes_nothing_twice,
                what_is_refused_publishes_nothing, messages_stay_until_they_are_delivered,
                publications_may_come_after_the_end;
            seeds: a_seed_is_planted_whole_and_once, what_a_new_database_has_can_have_another_number,
                names_nobody_can_read_are_refused, what_does_not_fit_leaves_nothing, a_key_is_made_once;
        }
    };
    ($run:path; $($family:ident: $($test:ident),*;)*) => {
        $( mod $family { $(
            #[test]
            fn $test() {
                $run(async |store| $crate::conformance::$family::$test(&store).await);
            }
        )* } )*
    };
}

/// Plants a seed.
pub(crate) async fn plant(store: &impl Backend, seed: &str) {
    store.plant(SeedFile::parse(seed).unwrap()).await.unwrap();
}

/// Plants Ada, Bob, the map `SCMP_007`, a mission, and two mods, the first in two versions. Ada and
/// Bob are players 1 and 2.
pub(crate) async fn plant_for_games(store: &impl Backend) {
    plant(store, GAMES_SEED).await;
}

/// See [`plant_for_games`].
const GAMES_SEED: &str = r#"{
    "users": [{"id": 1, "login": "Ada", "password": "x"}, {"id": 2, "login": "Bob", "password": "x"}],
    "maps": [{"map_id": 1, "version_id": 7, "display_name": "Map", "filename": "maps/SCMP_007.zip", "version": 1,
              "ranked": true, "max_players": 2, "width": 1, "height": 1}],
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

/// The reason for which something must be refused.
pub(crate) async fn refused(store_: &impl Backend, game: GameId, write: GameWrite) -> String {
    match store(store_, game, write).await {
        Err(StoreError::Contradiction(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn facts(store: &impl Backend) -> Facts {
    store.facts().await.unwrap()
}
