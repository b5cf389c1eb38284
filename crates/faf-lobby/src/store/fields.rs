//! Columns that no other test looks at one by one.

use faf_lobby_core::results::Outcome;
use faf_protocol::PlayerId;

use super::testing::{Season, change, end, launch, new_store_for_games, rows, stored};

#[tokio::test]
async fn a_launch_fills_every_column() {
    let (store, _folder) = new_store_for_games().await;
    let mut game = Season::new().play(1);
    // A moment that is no whole second, and not the present.
    game.launched.launched_at = faf_lobby_core::Timestamp(1_700_000_123_999_999);
    stored(&store, game.id, launch(&game)).await;
    assert_eq!(
        rows(
            &store,
            "SELECT startTime, endTime, gameType, gameMod, host, mapId, gameName, validity FROM game_stats"
        )
        .await,
        ["1700000123 - DEMORALIZATION 0 1 7 Ada's game 0"]
    );
    assert_eq!(
        rows(
            &store,
            "SELECT playerId, AI, faction, color, team, place, mean, deviation, after_mean, score, scoreTime
             FROM game_player_stats"
        )
        .await,
        ["1 0 3 1 2 1 1500 500 - 0 -", "2 0 3 2 3 2 1500 500 - 0 -"]
    );
}

#[tokio::test]
async fn an_end_is_as_late_as_it_is() {
    let (store, _folder) = new_store_for_games().await;
    let mut game = Season::new().play(1);
    stored(&store, game.id, launch(&game)).await;
    game.end.ended_at = faf_lobby_core::Timestamp(1_700_000_999_999_999);
    stored(&store, game.id, end(&game)).await;
    assert_eq!(rows(&store, "SELECT endTime FROM game_stats").await, ["1700000999"]);
}

#[tokio::test]
async fn only_a_victory_counts_as_won() {
    for (outcomes, won) in [
        ([Outcome::Victory, Outcome::Defeat], ["1 1", "1 0"]),
        ([Outcome::Defeat, Outcome::Victory], ["1 0", "1 1"]),
        ([Outcome::Draw, Outcome::Draw], ["1 0", "1 0"]),
    ] {
        let (store, _folder) = new_store_for_games().await;
        let mut game = Season::new().play(1);
        stored(&store, game.id, launch(&game)).await;
        let teams = &mut game.end.rated.as_mut().unwrap().teams;
        for (team, outcome) in teams.iter_mut().zip(outcomes) {
            team.outcome = outcome;
        }
        assert_eq!(teams[0].players, [PlayerId(1)]);
        stored(&store, game.id, end(&game)).await;
        let rated = "SELECT total_games, won_games FROM leaderboard_rating ORDER BY login_id";
        assert_eq!(rows(&store, rated).await, won, "{outcomes:?}");
    }
}

#[tokio::test]
async fn a_mod_is_shown_as_it_stands_in_the_vault() {
    let (store, _folder) = new_store_for_games().await;
    change(
        &store,
        "UPDATE mod_version SET create_time = 1577934245, description = 'd', icon = 'i.png', type = 'UI', version = 4,
                filename = 'two.zip' WHERE mod_id = 2;
         UPDATE mod_stats SET likes = 3, downloads = 11, times_played = 5, likers = '[1]' WHERE mod_id = 2;",
    )
    .await;
    let shown = store.liked_mods(1).await.unwrap().remove(0);
    let expected = faf_lobby_core::VaultMod {
        uid: "Two".to_owned(),
        name: "Two".to_owned(),
        version: 4,
        author: "B".to_owned(),
        is_ui: true,
        date: 1_577_934_245,
        downloads: 11,
        likes: 3.0,
        played: 5,
        description: "d".to_owned(),
        filename: "two.zip".to_owned(),
        icon: "i.png".to_owned(),
    };
    assert_eq!(shown, expected);
}
