//! Tables of this server, for everything that FAF's schema has no place for.
//!
//! They refer to no table of FAF's, so that migrations of the schema are never hindered.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::session::Session;

/// Names of the tables.
pub(crate) const NAMES: [&str; 10] = [
    "faf_lobby_live_game",
    "faf_lobby_explanation",
    "faf_lobby_outbox",
    "faf_lobby_publication",
    "faf_lobby_queues",
    "faf_lobby_order",
    "faf_lobby_heartbeat",
    "faf_lobby_key",
    "faf_lobby_join",
    "faf_lobby_desync",
];

/// The statements that create them, in the order of the names.
const TABLES: [&str; 10] = [
    // Games that were launched and are not over, as JSON.
    "id INT UNSIGNED NOT NULL PRIMARY KEY, state LONGTEXT NOT NULL",
    // Decisions about the rating of a game that is over, as a JSON list.
    "id INT UNSIGNED NOT NULL PRIMARY KEY, decisions LONGTEXT NOT NULL",
    // Messages for other services that are not delivered yet. No number is assigned twice.
    "id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, exchange VARCHAR(255) NOT NULL,
     routing_key VARCHAR(255) NOT NULL, body LONGTEXT NOT NULL, is_persistent TINYINT(1) NOT NULL,
     create_time TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP",
    // Number of publications of each game in the outbox, not counting its results and ratings.
    "id INT UNSIGNED NOT NULL PRIMARY KEY, count INT UNSIGNED NOT NULL",
    // Parties, searches and violations of the matchmaker, as JSON.
    "id TINYINT NOT NULL PRIMARY KEY, state LONGTEXT NOT NULL",
    // Operators' orders. `ban_id` and `ban_end` describe the change of a ban.
    "id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, player_id INT UNSIGNED NOT NULL,
     action VARCHAR(8) NOT NULL, reason TEXT NOT NULL, ban_id INT UNSIGNED NULL, ban_end BIGINT NULL,
     found VARCHAR(8) NULL, create_time TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP",
    "id TINYINT NOT NULL PRIMARY KEY, beats INT UNSIGNED NOT NULL",
    // The key with which the server signs its own tokens.
    "id TINYINT NOT NULL PRIMARY KEY, secret VARBINARY(4096) NOT NULL",
    // Attempts to join a game, before version 138 of the schema.
    "id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, player_id INT UNSIGNED NOT NULL,
     game_id INT UNSIGNED NOT NULL, ip VARCHAR(45) NULL,
     create_time TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, KEY game_id (game_id)",
    // First desync of each player in each game, before version 146 of the schema.
    "id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, game_id INT UNSIGNED NOT NULL,
     player_id INT UNSIGNED NOT NULL, game_time INT UNSIGNED NULL, UNIQUE KEY report (game_id, player_id)",
];

/// Creates the tables that are missing.
pub(crate) fn create(session: &mut Session, existing: &BTreeSet<String>) -> Result<()> {
    for (name, columns) in NAMES.iter().zip(TABLES) {
        if !existing.contains(*name) {
            session.command(&format!(
                "CREATE TABLE IF NOT EXISTS {name} ({columns})
                 ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci"
            ))?;
        }
    }
    Ok(())
}

/// Consequences of missing tables, for operators.
pub(crate) const WITHOUT: &str = "games that are being played do not survive a restart of the server, the reasons \
    for ratings are not kept, messages for other services are lost when the server ends, parties and searches are not \
    saved, and operators cannot order kicks";
