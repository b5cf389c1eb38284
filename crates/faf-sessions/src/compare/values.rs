//! Compares values: received messages and rows with the expected ones.

use serde_json::{Number, Value};

/// Relative tolerance for ratings that were computed from the start.
const ROUNDING: f64 = 1e-6;

/// Tolerance for ratings that were computed from one with six digits, in the original, or with all
/// of them, here (`golden/sessions/README.md`, rule 8). Slightly more, because both are rounded.
const AFTER_SIX_DIGITS: f64 = 0.010_001;

/// Returns the differences between two values; `path` is the name of the value in them.
#[must_use]
pub fn differences(path: &str, expected: &Value, received: &Value) -> Vec<String> {
    match (expected, received) {
        (Value::Object(expected), Value::Object(received)) => {
            let mut findings = Vec::new();
            for (key, value) in expected {
                let path = format!("{path}.{key}");
                match received.get(key) {
                    Some(received) => findings.extend(differences(&path, value, received)),
                    None => findings.push(format!("{path} is missing, was {value}")),
                }
            }
            let additional = received.keys().filter(|key| !expected.contains_key(*key));
            findings.extend(additional.map(|key| format!("{path}.{key} is additional")));
            findings
        }
        (Value::Array(expected), Value::Array(received)) if expected.len() == received.len() => {
            let pairs = expected.iter().zip(received);
            pairs.flat_map(|(expected, received)| differences(path, expected, received)).collect()
        }
        (Value::Number(expected), Value::Number(received)) => match compare(path, expected, received) {
            Likeness::Same => Vec::new(),
            Likeness::Near => vec![format!("{path} is nearly {expected}")],
            Likeness::None => vec![format!("{path} is {received}, was {expected}")],
        },
        _ if expected == received => Vec::new(),
        _ => vec![format!("{path} is {received}, was {expected}")],
    }
}

/// Returns whether two values are equal by these rules.
#[must_use]
pub fn is_same(expected: &Value, received: &Value) -> bool {
    differences("", expected, received).is_empty()
}

enum Likeness {
    Same,
    /// A rating that differs by less than the original loses by storing one.
    Near,
    None,
}

/// Compares numbers. Integers must be equal, and so must all other numbers except for ratings. A
/// number may be written as float or as integer.
fn compare(path: &str, expected: &Number, received: &Number) -> Likeness {
    let integer = |number: &Number| match (number.as_i64(), number.as_u64()) {
        (Some(number), _) => Some(i128::from(number)),
        (_, Some(number)) => Some(i128::from(number)),
        _ => None,
    };
    if let (Some(expected), Some(received)) = (integer(expected), integer(received)) {
        return if expected == received { Likeness::Same } else { Likeness::None };
    }
    let (Some(expected), Some(received)) = (expected.as_f64(), received.as_f64()) else {
        return Likeness::None;
    };
    let off = (expected - received).abs();
    match is_rating(path) {
        _ if expected == received => Likeness::Same,
        true if off <= ROUNDING * expected.abs().max(received.abs()) => Likeness::Same,
        // A rating that the original has read from its database has six digits.
        true if expected == six_digits(received) => Likeness::Same,
        true if off <= AFTER_SIX_DIGITS => Likeness::Near,
        _ => Likeness::None,
    }
}

/// Returns whether a number is the mean or the deviation of a rating: in messages of the lobby or
/// the broker, or in a table.
fn is_rating(path: &str) -> bool {
    let name = path.rsplit('.').next().unwrap_or_default();
    let is_column = matches!(name, "mean" | "deviation" | "after_mean" | "after_deviation")
        || name.starts_with("rating_mean_")
        || name.starts_with("rating_deviation_");
    let is_member = matches!(name, "rating" | "global_rating" | "ladder_rating")
        || name.ends_with("_rating_mean")
        || name.ends_with("_rating_deviation");
    is_column || is_member
}

/// Returns the number as a single-precision column shows it.
fn six_digits(number: f64) -> f64 {
    // This is how numbers are formatted, so it can be parsed.
    format!("{:.5e}", f64::from(number as f32)).parse().unwrap_or(number)
}

/// Pairs values by `is_pair`; returns the remaining ones of both sides. The order does not matter,
/// but the number does.
pub fn unpaired(
    expected: Vec<Value>,
    mut found: Vec<Value>,
    is_pair: impl Fn(&Value, &Value) -> bool,
) -> (Vec<Value>, Vec<Value>) {
    let mut missing = Vec::new();
    for value in expected {
        match found.iter().position(|found| is_pair(&value, found)) {
            Some(position) => drop(found.remove(position)),
            None => missing.push(value),
        }
    }
    (missing, found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "so that tests are easy to read")]
    fn compared(expected: Value, received: Value) -> Vec<String> {
        differences("m", &expected, &received)
    }

    #[test]
    fn integers_are_exact() {
        assert!(compared(json!({"uid": 5_000_001}), json!({"uid": 5_000_001})).is_empty());
        let found = compared(json!({"uid": 5_000_001}), json!({"uid": 5_000_002}));
        assert_eq!(found, ["m.uid is 5000002, was 5000001"]);
        // Up to the largest numbers.
        assert_eq!(compared(json!(u64::MAX), json!(u64::MAX - 1)).len(), 1);
        // Also for ratings, and if one of the two is written as a float.
        assert!(compared(json!({"rating": [1500, 500]}), json!({"rating": [1500.0, 500.0]})).is_empty());
        assert_eq!(compared(json!({"num_players": 2}), json!({"num_players": 2.000_001})).len(), 1);
    }

    #[test]
    fn six_digits_are_enough_for_ratings_only() {
        let off = |name: &str| compared(json!({name: 1514.09}), json!({name: 1514.0875}));
        for name in
            ["rating", "global_rating", "new_rating_mean", "after_deviation", "rating_mean_before", "mean"]
        {
            assert!(off(name).is_empty(), "{name}");
        }
        for name in
            ["rating_max", "rating_min", "number_of_games", "likes", "gametime", "enforce_rating_range"]
        {
            assert_eq!(off(name).len(), 1, "{name}");
        }
        // Not the other way round: the original does not know more digits than it stores.
        assert_eq!(
            compared(json!({"mean": 1514.0875}), json!({"mean": 1514.09})),
            ["m.mean is nearly 1514.0875"]
        );
    }

    #[test]
    fn a_later_rating_is_nearly_the_same() {
        let near = compared(json!({"rating": [1527.187]}), json!({"rating": [1527.185]}));
        assert_eq!(near, ["m.rating is nearly 1527.187"]);
        assert_eq!(compared(json!({"rating": [1527.187]}), json!({"rating": [1527.2]})).len(), 1);
        assert_eq!(
            compared(json!({"rating_min": 1527.187}), json!({"rating_min": 1527.186})),
            ["m.rating_min is 1527.186, was 1527.187"]
        );
    }

    #[test]
    fn members_are_missing_or_additional() {
        let found = compared(json!({"a": 1, "b": {"c": null}}), json!({"b": {"d": 1}}));
        assert_eq!(found, ["m.a is missing, was 1", "m.b.c is missing, was null", "m.b.d is additional"]);
        assert_eq!(compared(json!([1, 2]), json!([1])), ["m is [1], was [1,2]"]);
        assert_eq!(compared(json!(true), json!(1)).len(), 1);
        assert_eq!(compared(json!("1"), json!(1)).len(), 1);
    }

    #[test]
    fn equal_rows_are_counted() {
        let (one, two) = (json!({"id": 1}), json!({"id": 2}));
        let (missing, left) =
            unpaired(vec![one.clone(), one.clone(), two.clone()], vec![two, one.clone()], is_same);
        assert_eq!((missing, left), (vec![one.clone()], vec![]));
        let (missing, left) = unpaired(vec![one.clone()], vec![one.clone(), one.clone()], is_same);
        assert_eq!((missing, left), (vec![], vec![one]));
    }
}
