//! Fills a new database from a file.

use faf_lobby_store::seed::SeedFile;
use faf_lobby_store::{SeedError, login_key};
use rusqlite::{OptionalExtension, Params, Transaction};

/// Plants all records of a file.
pub(super) fn plant(t: &Transaction<'_>, file: &SeedFile) -> Result<(), SeedError> {
    file.check()?;
    plant_groups(t, file)?;
    plant_clans_and_avatars(t, file)?;
    plant_mods_and_leaderboards(t, file)?;
    plant_users(t, file)?;
    plant_maps(t, file)?;
    plant_queues(t, file)?;
    plant_vault(t, file)?;
    plant_games(t, file)
}

/// Executes one statement for one record.
fn put(
    t: &Transaction<'_>,
    record: impl Fn() -> String,
    statement: &str,
    values: impl Params,
) -> Result<usize, SeedError> {
    let executed = t.prepare_cached(statement).and_then(|mut statement| statement.execute(values));
    executed.map_err(|error| SeedError::Record { record: record(), problem: error.to_string() })
}

/// Returns the number of a record that another record names.
fn number_of(
    t: &Transaction<'_>,
    record: impl Fn() -> String,
    query: &str,
    name: &str,
) -> Result<u32, SeedError> {
    let found =
        t.prepare_cached(query).and_then(|mut query| query.query_row([name], |row| row.get(0)).optional());
    let problem = match found {
        Ok(Some(number)) => return Ok(number),
        Ok(None) => format!("there is no `{name}`"),
        Err(error) => error.to_string(),
    };
    Err(SeedError::Record { record: record(), problem })
}

const GROUP: &str = "SELECT id FROM user_group WHERE technical_name = ?1";
const PERMISSION: &str = "SELECT id FROM group_permission WHERE technical_name = ?1";
const CLAN: &str = "SELECT id FROM clan WHERE tag = ?1";
const FEATURED_MOD: &str = "SELECT id FROM game_featuredMods WHERE gamemod = ?1";
const LEADERBOARD: &str = "SELECT id FROM leaderboard WHERE technical_name = ?1";

/// Removes an existing record of a new database that has the same name under another number.
fn make_room(
    t: &Transaction<'_>,
    record: impl Fn() -> String,
    deletions: &[&str],
    name: &str,
    id: u32,
) -> Result<(), SeedError> {
    deletions.iter().try_for_each(|deletion| put(t, &record, deletion, (name, id)).map(drop))
}

fn plant_groups(t: &Transaction<'_>, file: &SeedFile) -> Result<(), SeedError> {
    for group in &file.groups {
        let record = || format!("group {}", group.technical_name);
        let deletions = [
            "DELETE FROM group_permission_assignment WHERE group_id IN
               (SELECT id FROM user_group WHERE technical_name = ?1 AND id <> ?2)",
            "DELETE FROM user_group WHERE technical_name = ?1 AND id <> ?2",
        ];
        make_room(t, record, &deletions, &group.technical_name, group.id)?;
        put(
            t,
            record,
            "INSERT INTO user_group (id, technical_name) VALUES (?1, ?2)
             ON CONFLICT (id) DO UPDATE SET technical_name = excluded.technical_name",
            (group.id, &group.technical_name),
        )?;
        put(t, record, "DELETE FROM group_permission_assignment WHERE group_id = ?1", [group.id])?;
        for permission in &group.permissions {
            let create = "INSERT INTO group_permission (technical_name) VALUES (?1) ON CONFLICT (technical_name) DO NOTHING";
            put(t, record, create, [permission])?;
            let permission = number_of(t, record, PERMISSION, permission)?;
            let assign = "INSERT INTO group_permission_assignment (group_id, permission_id) VALUES (?1, ?2)";
            put(t, record, assign, (group.id, permission))?;
        }
    }
    Ok(())
}

fn plant_clans_and_avatars(t: &Transaction<'_>, file: &SeedFile) -> Result<(), SeedError> {
    for clan in &file.clans {
        let values = (clan.id, &clan.name, &clan.tag);
        put(
            t,
            || format!("clan {}", clan.tag),
            "INSERT INTO clan (id, name, tag) VALUES (?1, ?2, ?3)",
            values,
        )?;
    }
    for avatar in &file.avatars {
        let insert = "INSERT INTO avatars_list (id, url, tooltip) VALUES (?1, ?2, ?3)";
        put(t, || format!("avatar {}", avatar.id), insert, (avatar.id, &avatar.url, &avatar.tooltip))?;
    }
    Ok(())
}

fn plant_mods_and_leaderboards(t: &Transaction<'_>, file: &SeedFile) -> Result<(), SeedError> {
    for featured in &file.featured_mods {
        let record = || format!("featured mod {}", featured.technical_name);
        let deletions = ["DELETE FROM game_featuredMods WHERE gamemod = ?1 AND id <> ?2"];
        make_room(t, record, &deletions, &featured.technical_name, featured.id)?;
        put(
            t,
            record,
            "INSERT INTO game_featuredMods (id, gamemod, name, publish, \"order\") VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (id) DO UPDATE SET gamemod = excluded.gamemod, name = excluded.name,
             publish = excluded.publish, \"order\" = excluded.\"order\"",
            (featured.id, &featured.technical_name, &featured.name, featured.publish, featured.order),
        )?;
    }
    for leaderboard in &file.leaderboards {
        let record = || format!("leaderboard {}", leaderboard.technical_name);
        let deletions = ["DELETE FROM leaderboard WHERE technical_name = ?1 AND id <> ?2"];
        make_room(t, record, &deletions, &leaderboard.technical_name, leaderboard.id)?;
        put(
            t,
            record,
            "INSERT INTO leaderboard (id, technical_name) VALUES (?1, ?2)
             ON CONFLICT (id) DO UPDATE SET technical_name = excluded.technical_name",
            (leaderboard.id, &leaderboard.technical_name),
        )?;
    }
    for leaderboard in &file.leaderboards {
        let record = || format!("leaderboard {}", leaderboard.technical_name);
        if let Some(initializer) = &leaderboard.initializer {
            let initializer = number_of(t, record, LEADERBOARD, initializer)?;
            let update = "UPDATE leaderboard SET initializer_id = ?1 WHERE id = ?2";
            put(t, record, update, (initializer, leaderboard.id))?;
        }
    }
    Ok(())
}

fn plant_users(t: &Transaction<'_>, file: &SeedFile) -> Result<(), SeedError> {
    for user in &file.users {
        let record = || format!("user {}", user.login);
        let selected = user.avatars.iter().find(|grant| grant.selected).map(|grant| grant.avatar_id);
        put(
            t,
            record,
            "INSERT INTO login (id, login, login_key, password, email, avatar_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            (user.id, &user.login, login_key(&user.login), &user.hash, &user.email, selected),
        )?;
        for group in &user.groups {
            let group = number_of(t, record, GROUP, group)?;
            let assign = "INSERT INTO user_group_assignment (user_id, group_id) VALUES (?1, ?2)";
            put(t, record, assign, (user.id, group))?;
        }
        if let Some(clan) = &user.clan {
            let clan = number_of(t, record, CLAN, clan)?;
            let join = "INSERT INTO clan_membership (player_id, clan_id) VALUES (?1, ?2)";
            put(t, record, join, (user.id, clan))?;
        }
        for (leaderboard, rating) in &user.ratings {
            let leaderboard = number_of(t, record, LEADERBOARD, leaderboard)?;
            put(
                t,
                record,
                "INSERT INTO leaderboard_rating (login_id, leaderboard_id, mean, deviation, total_games, won_games)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                (user.id, leaderboard, rating.mean, rating.deviation, rating.total_games, rating.won_games),
            )?;
        }
        for grant in &user.avatars {
            put(
                t,
                record,
                "INSERT INTO avatars (idUser, idAvatar, selected, expires_at)
                 VALUES (?1, ?2, ?3, unixepoch() - CAST(?4 * 3600 AS INTEGER))",
                (user.id, grant.avatar_id, grant.selected, grant.expired_since_hours),
            )?;
        }
        for ban in &user.bans {
            put(
                t,
                record,
                "INSERT INTO ban (player_id, level, reason, expires_at, revoke_time)
                 VALUES (?1, ?2, ?3, unixepoch() + CAST(?4 * 3600 AS INTEGER), unixepoch() - CAST(?5 * 3600 AS INTEGER))",
                (user.id, &ban.level, &ban.reason, ban.expires_in_hours, ban.revoked_hours_ago),
            )?;
        }
    }
    // Friendships need all accounts, so they follow last.
    for user in &file.users {
        for (subjects, status) in [(&user.friends, "FRIEND"), (&user.foes, "FOE")] {
            for subject in subjects {
                let insert = "INSERT INTO friends_and_foes (user_id, subject_id, status) VALUES (?1, ?2, ?3)";
                put(t, || format!("user {}", user.login), insert, (user.id, subject, status))?;
            }
        }
    }
    Ok(())
}

fn plant_maps(t: &Transaction<'_>, file: &SeedFile) -> Result<(), SeedError> {
    for map in &file.maps {
        let record = || format!("map {}", map.filename);
        let folder = map.folder()?;
        put(
            t,
            record,
            "INSERT INTO map (id, display_name) VALUES (?1, ?2) ON CONFLICT (id) DO NOTHING",
            (map.map_id, &map.display_name),
        )?;
        put(
            t,
            record,
            "INSERT INTO map_version (id, map_id, version, folder_name, ranked, max_players, width, height)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            (
                map.version_id,
                map.map_id,
                map.version,
                folder,
                map.ranked,
                map.max_players,
                map.width,
                map.height,
            ),
        )?;
    }
    for pool in &file.map_pools {
        let record = || format!("map pool {}", pool.name);
        put(t, record, "INSERT INTO map_pool (id, name) VALUES (?1, ?2)", (pool.id, &pool.name))?;
        for map in &pool.maps {
            put(
                t,
                record,
                "INSERT INTO map_pool_map_version (map_pool_id, map_version_id, weight, map_params)
                 VALUES (?1, ?2, ?3, ?4)",
                (pool.id, map.version_id, map.weight, map.params.text()),
            )?;
        }
    }
    Ok(())
}

fn plant_queues(t: &Transaction<'_>, file: &SeedFile) -> Result<(), SeedError> {
    for queue in &file.queues {
        let record = || format!("queue {}", queue.technical_name);
        let featured_mod = number_of(t, record, FEATURED_MOD, &queue.featured_mod)?;
        let leaderboard = number_of(t, record, LEADERBOARD, &queue.leaderboard)?;
        put(
            t,
            record,
            "INSERT INTO matchmaker_queue (id, technical_name, featured_mod_id, leaderboard_id, team_size, params, enabled)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            (
                queue.id,
                &queue.technical_name,
                featured_mod,
                leaderboard,
                queue.team_size,
                queue.params.text(),
                queue.enabled,
            ),
        )?;
        for pool in &queue.pools {
            put(
                t,
                record,
                "INSERT INTO matchmaker_queue_map_pool (matchmaker_queue_id, map_pool_id, min_rating, max_rating)
                 VALUES (?1, ?2, ?3, ?4)",
                (queue.id, pool.pool, pool.min_rating, pool.max_rating),
            )?;
        }
    }
    Ok(())
}

fn plant_vault(t: &Transaction<'_>, file: &SeedFile) -> Result<(), SeedError> {
    for mission in &file.coop_maps {
        put(
            t,
            || format!("co-op map {}", mission.name),
            "INSERT INTO coop_map (id, type, name, description, version, filename) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            (
                mission.id,
                mission.campaign,
                &mission.name,
                &mission.description,
                mission.version,
                &mission.filename,
            ),
        )?;
    }
    for vault_mod in &file.mods {
        let record = || format!("mod {}", vault_mod.display_name);
        put(
            t,
            record,
            // The first version of a mod determines what all its versions share.
            "INSERT INTO mod (id, display_name, author) VALUES (?1, ?2, ?3) ON CONFLICT (id) DO NOTHING",
            (vault_mod.id, &vault_mod.display_name, &vault_mod.author),
        )?;
        put(
            t,
            record,
            "INSERT INTO mod_version
               (id, mod_id, uid, type, description, version, filename, icon, ranked, hidden, create_time)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            (
                vault_mod.version_id,
                vault_mod.id,
                &vault_mod.uid,
                &vault_mod.kind,
                &vault_mod.description,
                vault_mod.version,
                &vault_mod.filename,
                &vault_mod.icon,
                vault_mod.ranked,
                vault_mod.hidden,
                vault_mod.created_at()?,
            ),
        )?;
        put(
            t,
            record,
            "INSERT INTO mod_stats (mod_id, likes, likers, downloads, times_played) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (mod_id) DO NOTHING",
            (vault_mod.id, vault_mod.likes, &vault_mod.likers, vault_mod.downloads, vault_mod.played),
        )?;
    }
    Ok(())
}

fn plant_games(t: &Transaction<'_>, file: &SeedFile) -> Result<(), SeedError> {
    for game in &file.past_games {
        let record = || format!("past game {}", game.id);
        let featured_mod = number_of(t, record, FEATURED_MOD, &game.featured_mod)?;
        put(
            t,
            record,
            "INSERT INTO game_stats (id, startTime, gameType, gameMod, host, mapId, gameName, validity)
             VALUES (?1, unixepoch() - CAST(?2 * 60 AS INTEGER), 'DEMORALIZATION', ?3, ?4, ?5, ?6, 0)",
            (game.id, game.started_minutes_ago, featured_mod, game.host, game.map_version, &game.name),
        )?;
        for player in &game.players {
            put(
                t,
                record,
                "INSERT INTO game_player_stats (gameId, playerId, faction, color, team, place, mean, deviation)
                 VALUES (?1, ?2, 1, 1, 1, 0, 1500, 500)",
                (game.id, player),
            )?;
        }
        if let Some(queue) = game.queue {
            let insert =
                "INSERT INTO matchmaker_queue_game (matchmaker_queue_id, game_stats_id) VALUES (?1, ?2)";
            put(t, record, insert, (queue, game.id))?;
        }
    }
    Ok(())
}
