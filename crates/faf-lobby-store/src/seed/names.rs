//! Checks the names in a seed: people must be able to read them and to tell them apart.

use std::collections::BTreeSet;

use faf_lobby_core::{escaped, is_allowed_in_name, is_legible};

use super::SeedFile;
use crate::{LOGIN_LIMIT, SeedError, is_valid_login};

const NO_NAME: &str = "white space, control characters and invisible characters are not allowed";

const NOT_LEGIBLE: &str = "control characters and invisible characters are not allowed";

/// Checks for names that must not be planted.
///
/// # Errors
/// [`SeedError::Record`] for the first such name.
pub(super) fn check(file: &SeedFile) -> Result<(), SeedError> {
    for user in &file.users {
        let problem = || format!("a name has 1 to {LOGIN_LIMIT} characters; {NO_NAME}");
        refuse_unless(is_valid_login(&user.login), "user", &user.login, problem)?;
    }
    for clan in &file.clans {
        let is_tag = !clan.tag.is_empty() && clan.tag.chars().all(is_allowed_in_name);
        refuse_unless(is_tag, "clan", &clan.tag, || format!("this is not a tag: {NO_NAME}"))?;
    }
    let texts = (file.clans.iter().map(|clan| ("clan", &clan.name)))
        .chain(file.avatars.iter().filter_map(|avatar| Some(("avatar", avatar.tooltip.as_ref()?))))
        .chain(file.groups.iter().map(|group| ("group", &group.technical_name)))
        .chain(file.featured_mods.iter().map(|featured| ("featured mod", &featured.technical_name)))
        .chain(file.featured_mods.iter().map(|featured| ("featured mod", &featured.name)))
        .chain(file.leaderboards.iter().map(|leaderboard| ("leaderboard", &leaderboard.technical_name)))
        .chain(file.maps.iter().flat_map(|map| [("map", &map.display_name), ("map", &map.filename)]))
        .chain(file.queues.iter().map(|queue| ("queue", &queue.technical_name)))
        .chain(file.coop_maps.iter().map(|mission| ("co-op map", &mission.name)))
        .chain(file.mods.iter().flat_map(|vault_mod| {
            [&vault_mod.display_name, &vault_mod.author, &vault_mod.uid].map(|text| ("mod", text))
        }))
        .chain(file.past_games.iter().map(|game| ("past game", &game.name)));
    for (kind, text) in texts {
        refuse_unless(is_legible(text), kind, text, || NOT_LEGIBLE.to_owned())?;
    }
    let of_group = |group: &super::Group| (group.id, group.technical_name.clone());
    check_unique("group", file.groups.iter().map(of_group))?;
    let of_featured = |featured: &super::FeaturedMod| (featured.id, featured.technical_name.clone());
    check_unique("featured mod", file.featured_mods.iter().map(of_featured))?;
    let of_leaderboard = |board: &super::Leaderboard| (board.id, board.technical_name.clone());
    check_unique("leaderboard", file.leaderboards.iter().map(of_leaderboard))?;
    let of_queue = |queue: &super::Queue| (queue.id, queue.technical_name.clone());
    check_unique("queue", file.queues.iter().map(of_queue))
}

/// Checks that names and numbers are unique: most of these records replace existing ones of a new
/// database, and must not replace each other.
fn check_unique(kind: &str, records: impl Iterator<Item = (u32, String)>) -> Result<(), SeedError> {
    let (mut ids, mut names) = (BTreeSet::new(), BTreeSet::new());
    for (id, name) in records {
        let is_new = ids.insert(id) && names.insert(name.clone());
        refuse_unless(is_new, kind, &name, || format!("another one has this name or the number {id}"))?;
    }
    Ok(())
}

fn refuse_unless(
    is_right: bool,
    kind: &str,
    name: &str,
    problem: impl Fn() -> String,
) -> Result<(), SeedError> {
    match is_right {
        true => Ok(()),
        false => Err(SeedError::Record { record: format!("{kind} {}", escaped(name)), problem: problem() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn illegible_names_are_refused() {
        for (wrong, problem) in [
            (
                r#"{"users": [{"id": 1, "login": "A\u200bda", "password": "x"}]}"#,
                r"user A\u{200b}da: a name has 1 to 20",
            ),
            (r#"{"users": [{"id": 1, "login": "\u3164", "password": "x"}]}"#, r"user \u{3164}: a name"),
            (
                r#"{"clans": [{"id": 1, "name": "N", "tag": "T\u202e"}]}"#,
                r"clan T\u{202e}: this is not a tag",
            ),
            (r#"{"clans": [{"id": 1, "name": "N\n", "tag": "T"}]}"#, r"clan N\n: control characters"),
            (
                r#"{"avatars": [{"id": 1, "url": "u", "tooltip": "Win\u00adner"}]}"#,
                r"avatar Win\u{ad}ner: control",
            ),
            (
                r#"{"featured_mods": [{"id": 1, "technical_name": "x", "name": "\u2066x", "publish": true}]}"#,
                r"featured mod \u{2066}x: control",
            ),
            (
                r#"{"featured_mods": [{"id": 1, "technical_name": "x", "name": "X", "publish": true},
                                      {"id": 2, "technical_name": "x", "name": "X", "publish": true}]}"#,
                "featured mod x: another one has this name or the number 2",
            ),
        ] {
            let found = SeedFile::parse(wrong).unwrap().check().unwrap_err().to_string();
            assert!(found.starts_with(problem), "{found}");
        }
    }
}
