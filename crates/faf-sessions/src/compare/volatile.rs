//! Values that differ from run to run (`golden/sessions/README.md`, volatile values), and lists
//! whose order means nothing (rule 5).
//!
//! A value is only hidden if it has its type and its shape, so that a number in place of a time, or
//! no value at all, is still found.

use serde_json::Value;

/// Stands for a time of day.
const TIME: &str = "a time";

/// Replaces the parts of a message to one client that vary, and sorts its lists that have no order.
pub(super) fn constant(mut message: Value) -> Value {
    match message["command"].as_str().unwrap_or_default() {
        "session" if message["session"].as_u64().is_some_and(|number| u32::try_from(number).is_ok()) => {
            message["session"] = "a number".into();
        }
        "welcome" => hide_time_of_day(&mut message, "current_time"),
        "notice" if message["text"].as_str().is_some_and(|text| text.starts_with("You are banned")) => {
            hide_digits(&mut message["text"]);
        }
        "social" => {
            for list in ["friends", "foes"] {
                sort(&mut message, list);
            }
        }
        "avatar" => sort(&mut message, "avatarlist"),
        "update_party" => sort(&mut message, "members"),
        "search_violation" => hide_time_of_day(&mut message, "time"),
        "search_timeout" => {
            for timeout in message["timeouts"].as_array_mut().into_iter().flatten() {
                hide_time_of_day(timeout, "expires_at");
            }
            sort(&mut message, "timeouts");
        }
        // The places of a team are drawn: odd ones for one team, even ones for the other.
        "game_launch" => {
            let (players, place) = (message["expected_players"].as_u64(), message["map_position"].as_u64());
            if let (Some(3..), Some(place @ 1..)) = (players, place)
                && Some(place) <= players
            {
                message["map_position"] = if place % 2 == 0 { "even" } else { "odd" }.into();
            }
        }
        _ => {}
    }
    message
}

/// Replaces the times of a game, of which only the presence counts, and sorts its teams.
#[must_use]
pub fn constant_game(mut game: Value) -> Value {
    hide_time_of_day(&mut game, "hosted_at");
    if let Some(time @ Value::Number(_)) = game.get_mut("launched_at") {
        *time = TIME.into();
    }
    sort_teams(&mut game);
    game
}

fn sort_teams(game: &mut Value) {
    if let Some(Value::Array(teams)) = game.get_mut("teams_ids") {
        teams.sort_by_key(|team| team["team_id"].as_i64());
    }
}

/// Replaces the times of the next round of a queue.
pub(super) fn constant_queue(mut queue: Value) -> Value {
    hide_time_of_day(&mut queue, "queue_pop_time");
    if let Some(time @ Value::Number(_)) = queue.get_mut("queue_pop_time_delta") {
        *time = TIME.into();
    }
    queue
}

/// Replaces a member that is a time of day, such as `2024-02-01T12:00:00.123456+00:00`.
fn hide_time_of_day(object: &mut Value, member: &str) {
    if let Some(Value::String(text)) = object.get_mut(member)
        && is_time_of_day(text)
    {
        TIME.clone_into(text);
    }
}

fn is_time_of_day(text: &str) -> bool {
    const SHAPE: &str = "0000-00-00T00:00:00";

    let shape: String =
        text.chars().map(|letter| if letter.is_ascii_digit() { '0' } else { letter }).collect();
    let fraction = shape.strip_prefix(SHAPE).and_then(|rest| rest.strip_suffix("+00:00"));
    fraction.is_some_and(|fraction| matches!(fraction, "" | ".000000"))
}

fn hide_digits(text: &mut Value) {
    if let Value::String(text) = text {
        *text = text.replace(|character: char| character.is_ascii_digit(), "0");
    }
}

fn sort(message: &mut Value, list: &str) {
    if let Some(Value::Array(values)) = message.get_mut(list) {
        values.sort_by_cached_key(Value::to_string);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_of_another_type_is_not_hidden() {
        let game = |hosted_at: Value, launched_at: Value| {
            constant_game(json!({"hosted_at": hosted_at, "launched_at": launched_at}))
        };
        let same = game(json!("2024-02-01T12:00:00.123456+00:00"), json!(1.5));
        assert_eq!(same, game(json!("2025-02-01T12:00:00+00:00"), json!(2)));
        for other in [
            game(json!("then"), json!(1.5)),
            game(json!(12), json!(1.5)),
            game(Value::Null, json!(1.5)),
            game(json!("2025-02-01T12:00:00+00:00"), Value::Null),
            game(json!("2025-02-01T12:00:00+00:00"), json!("1.5")),
        ] {
            assert_ne!(same, other);
        }
        let session = |number: u64| constant(json!({"command": "session", "session": number}));
        assert_eq!(session(0), session(u64::from(u32::MAX)));
        assert_ne!(session(0), session(1 << 32));
    }

    #[test]
    fn a_place_is_on_the_map() {
        let launch = |place: u64| {
            constant(json!({"command": "game_launch", "expected_players": 4, "map_position": place}))
        };
        assert_eq!(launch(1), launch(3));
        for place in [0, 2, 5] {
            assert_ne!(launch(1), launch(place));
        }
    }
}
