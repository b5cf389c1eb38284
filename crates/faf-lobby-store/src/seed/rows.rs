//! The rows that a seed becomes in FAF's tables, which all databases with SQL have.

use faf_lobby_core::Relation;
use serde_json::{Map, Value, json};

use super::{Mod, SeedFile, User};
use crate::{SeedError, login_key, status_of_relation};

/// A table, and its column with the names of the records.
pub type Named = (&'static str, &'static str);

const GROUP: Named = ("user_group", "technical_name");
const PERMISSION: Named = ("group_permission", "technical_name");
const CLAN: Named = ("clan", "tag");
const FEATURED_MOD: Named = ("game_featuredMods", "gamemod");
const LEADERBOARD: Named = ("leaderboard", "technical_name");

/// A row of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Kind and name of the record, for errors.
    pub record: String,
    pub table: &'static str,
    /// Values by column.
    pub values: Map<String, Value>,
    /// Columns with the number of a record, which must exist, and the name of that record.
    pub numbers: Vec<(&'static str, Named, String)>,
    /// Columns with a time, and its distance from now, in seconds.
    pub times: Vec<(&'static str, i64)>,
    /// Treatment of rows that exist already.
    pub earlier: Earlier,
}

/// Treatment of rows that exist already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Earlier {
    /// The new row must not contradict them.
    Kept,
    /// If one has the same value in this column, there is no new row.
    KeptInstead(&'static str),
    /// Those with the same number or the same name are deleted, after the rows of another table
    /// that refer to them, by table and column. Only a new database has such rows.
    Replaced(Named, Option<(&'static str, &'static str)>),
    /// The row with the same `id` gets these values.
    Changed,
}

/// Returns the rows of a seed, in the order in which they must be written.
///
/// # Errors
/// [`SeedError::Record`] for the first record that cannot be written as rows.
pub(super) fn rows(file: &SeedFile) -> Result<Vec<Row>, SeedError> {
    let mut rows = Rows::default();
    for group in &file.groups {
        rows.record = format!("group {}", group.technical_name);
        rows.put("user_group", json!({"id": group.id, "technical_name": group.technical_name})).earlier =
            Earlier::Replaced(GROUP, Some(("group_permission_assignment", "group_id")));
        for permission in &group.permissions {
            rows.put("group_permission", json!({"technical_name": permission})).earlier =
                Earlier::KeptInstead("technical_name");
            rows.put("group_permission_assignment", json!({"group_id": group.id})).number(
                "permission_id",
                PERMISSION,
                permission,
            );
        }
    }
    for clan in &file.clans {
        rows.record = format!("clan {}", clan.tag);
        rows.put("clan", json!({"id": clan.id, "name": clan.name, "tag": clan.tag}));
    }
    for avatar in &file.avatars {
        rows.record = format!("avatar {}", avatar.id);
        rows.put("avatars_list", json!({"id": avatar.id, "url": avatar.url, "tooltip": avatar.tooltip}));
    }
    for featured in &file.featured_mods {
        rows.record = format!("featured mod {}", featured.technical_name);
        let values = json!({"id": featured.id, "gamemod": featured.technical_name, "name": featured.name,
                            "publish": featured.publish, "order": featured.order});
        rows.put("game_featuredMods", values).earlier = Earlier::Replaced(FEATURED_MOD, None);
    }
    for board in &file.leaderboards {
        rows.record = format!("leaderboard {}", board.technical_name);
        rows.put("leaderboard", json!({"id": board.id, "technical_name": board.technical_name})).earlier =
            Earlier::Replaced(LEADERBOARD, None);
    }
    // An initializer may follow in the list.
    for board in &file.leaderboards {
        let Some(initializer) = &board.initializer else { continue };
        rows.record = format!("leaderboard {}", board.technical_name);
        let row = rows.put("leaderboard", json!({"id": board.id}));
        row.number("initializer_id", LEADERBOARD, initializer).earlier = Earlier::Changed;
    }
    file.users.iter().for_each(|user| rows.user(user));
    for user in &file.users {
        // Friends and foes must have their accounts by now.
        rows.record = format!("user {}", user.login);
        for (subjects, relation) in [(&user.friends, Relation::Friend), (&user.foes, Relation::Foe)] {
            let status = status_of_relation(relation);
            for subject in subjects {
                let values = json!({"user_id": user.id, "subject_id": subject, "status": status});
                rows.put("friends_and_foes", values);
            }
        }
    }
    rows.maps(file)?;
    rows.queues(file);
    file.mods.iter().try_for_each(|vault_mod| rows.vault_mod(vault_mod))?;
    rows.past_games(file);
    Ok(rows.rows)
}

/// The rows so far.
#[derive(Default)]
struct Rows {
    rows: Vec<Row>,
    /// Kind and name of the record whose rows are put.
    record: String,
}

impl Rows {
    fn put(&mut self, table: &'static str, values: Value) -> &mut Row {
        let Value::Object(values) = values else { unreachable!("rows are written as objects") };
        let (numbers, times) = (Vec::new(), Vec::new());
        let record = self.record.clone();
        self.rows.push(Row { record, table, values, numbers, times, earlier: Earlier::Kept });
        self.rows.last_mut().expect("it was added")
    }

    fn user(&mut self, user: &User) {
        self.record = format!("user {}", user.login);
        let selected = user.avatars.iter().find(|grant| grant.selected).map(|grant| grant.avatar_id);
        let values = json!({"id": user.id, "login": user.login, "login_key": login_key(&user.login),
                            "password": user.hash, "email": user.email, "avatar_id": selected});
        self.put("login", values);
        for group in &user.groups {
            self.put("user_group_assignment", json!({"user_id": user.id})).number("group_id", GROUP, group);
        }
        if let Some(clan) = &user.clan {
            self.put("clan_membership", json!({"player_id": user.id})).number("clan_id", CLAN, clan);
        }
        for (leaderboard, rating) in &user.ratings {
            let values = json!({"login_id": user.id, "mean": rating.mean, "deviation": rating.deviation,
                                "total_games": rating.total_games, "won_games": rating.won_games});
            self.put("leaderboard_rating", values).number("leaderboard_id", LEADERBOARD, leaderboard);
        }
        for grant in &user.avatars {
            let values = json!({"idUser": user.id, "idAvatar": grant.avatar_id, "selected": grant.selected});
            let ago = grant.expired_since_hours.map(|hours| -hours);
            self.put("avatars", values).time("expires_at", ago, 3600.0);
        }
        for ban in &user.bans {
            let values = json!({"player_id": user.id, "level": ban.level, "reason": ban.reason});
            self.put("ban", values).time("expires_at", ban.expires_in_hours, 3600.0).time(
                "revoke_time",
                ban.revoked_hours_ago.map(|hours| -hours),
                3600.0,
            );
        }
    }

    fn maps(&mut self, file: &SeedFile) -> Result<(), SeedError> {
        for map in &file.maps {
            self.record = format!("map {}", map.filename);
            self.put("map", json!({"id": map.map_id, "display_name": map.display_name})).earlier =
                Earlier::KeptInstead("id");
            let values = json!({"id": map.version_id, "map_id": map.map_id, "version": map.version,
                                "folder_name": map.folder()?, "ranked": map.ranked,
                                "max_players": map.max_players, "width": map.width, "height": map.height});
            self.put("map_version", values);
        }
        for pool in &file.map_pools {
            self.record = format!("map pool {}", pool.name);
            self.put("map_pool", json!({"id": pool.id, "name": pool.name}));
            for map in &pool.maps {
                let values = json!({"map_pool_id": pool.id, "map_version_id": map.version_id,
                                    "weight": map.weight, "map_params": map.params.text()});
                self.put("map_pool_map_version", values);
            }
        }
        for mission in &file.coop_maps {
            self.record = format!("co-op map {}", mission.name);
            let values = json!({"id": mission.id, "type": mission.campaign, "name": mission.name,
                                "description": mission.description, "version": mission.version,
                                "filename": mission.filename});
            self.put("coop_map", values);
        }
        Ok(())
    }

    fn queues(&mut self, file: &SeedFile) {
        for queue in &file.queues {
            self.record = format!("queue {}", queue.technical_name);
            let values = json!({"id": queue.id, "technical_name": queue.technical_name,
                                "team_size": queue.team_size, "params": queue.params.text(),
                                "enabled": queue.enabled});
            self.put("matchmaker_queue", values)
                .number("featured_mod_id", FEATURED_MOD, &queue.featured_mod)
                .number("leaderboard_id", LEADERBOARD, &queue.leaderboard);
            for pool in &queue.pools {
                let values = json!({"matchmaker_queue_id": queue.id, "map_pool_id": pool.pool,
                                    "min_rating": pool.min_rating, "max_rating": pool.max_rating,
                                    "veto_tokens_per_player": pool.veto_tokens_per_player,
                                    "max_tokens_per_map": pool.max_tokens_per_map,
                                    "minimum_maps_after_veto": pool.minimum_maps_after_veto});
                self.put("matchmaker_queue_map_pool", values);
            }
        }
    }

    fn vault_mod(&mut self, vault_mod: &Mod) -> Result<(), SeedError> {
        let Mod { id, version_id, display_name, author, uid, kind, version, .. } = vault_mod;
        let Mod { description, filename, icon, ranked, hidden, likes, likers, .. } = vault_mod;
        self.record = format!("mod {display_name}");
        // The first version of a mod determines what all its versions share.
        self.put("mod", json!({"id": id, "display_name": display_name, "author": author})).earlier =
            Earlier::KeptInstead("id");
        let values = json!({"id": version_id, "mod_id": id, "uid": uid, "type": kind, "version": version,
                            "description": description, "filename": filename, "icon": icon,
                            "ranked": ranked, "hidden": hidden, "create_time": vault_mod.created_at()?});
        self.put("mod_version", values);
        let values = json!({"mod_id": id, "likes": likes, "likers": likers,
                            "downloads": vault_mod.downloads, "times_played": vault_mod.played});
        self.put("mod_stats", values).earlier = Earlier::KeptInstead("mod_id");
        Ok(())
    }

    fn past_games(&mut self, file: &SeedFile) {
        for game in &file.past_games {
            self.record = format!("past game {}", game.id);
            let values = json!({"id": game.id, "gameType": "DEMORALIZATION", "host": game.host,
                                "mapId": game.map_version, "gameName": game.name, "validity": 0});
            self.put("game_stats", values).number("gameMod", FEATURED_MOD, &game.featured_mod).time(
                "startTime",
                Some(-game.started_minutes_ago),
                60.0,
            );
            for player in &game.players {
                let values = json!({"gameId": game.id, "playerId": player, "faction": 1, "color": 1,
                                    "team": 1, "place": 0, "mean": 1500, "deviation": 500});
                self.put("game_player_stats", values);
            }
            if let Some(queue) = game.queue {
                let values = json!({"matchmaker_queue_id": queue, "game_stats_id": game.id});
                self.put("matchmaker_queue_game", values);
            }
        }
    }
}

impl Row {
    fn number(&mut self, column: &'static str, of: Named, name: &str) -> &mut Self {
        self.numbers.push((column, of, name.to_owned()));
        self
    }

    fn time(&mut self, column: &'static str, distance: Option<f64>, unit_seconds: f64) -> &mut Self {
        self.times.extend(distance.map(|distance| (column, (distance * unit_seconds) as i64)));
        self
    }
}
