//! The kinds of values in words, and numbers with a unit.

use toml::Value;

use super::catalogue::{Entry, Kind};

const TIMES: [(&str, f64); 9] = [
    ("ms", 0.001),
    ("s", 1.0),
    ("sec", 1.0),
    ("m", 60.0),
    ("min", 60.0),
    ("h", 3600.0),
    ("d", 86_400.0),
    ("day", 86_400.0),
    ("days", 86_400.0),
];

const BYTES: [(&str, f64); 11] = [
    ("B", 1.0),
    ("KB", 1e3),
    ("kB", 1e3),
    ("KiB", 1024.0),
    ("K", 1024.0),
    ("MB", 1e6),
    ("MiB", 1_048_576.0),
    ("M", 1_048_576.0),
    ("GB", 1e9),
    ("GiB", 1_073_741_824.0),
    ("G", 1_073_741_824.0),
];

/// Resolves the unit of a value: `"30s"` is 30, `"10MiB"` is 10485760. Other values stay as
/// they are.
pub(super) fn without_unit(kind: Kind, value: Value) -> Value {
    let units: &[(&str, f64)] = match kind {
        Kind::Seconds => &TIMES,
        Kind::Bytes => &BYTES,
        _ => return value,
    };
    let Value::String(text) = &value else { return value };
    let text = text.trim();
    let end = text.find(|c: char| !matches!(c, '0'..='9' | '.' | '_')).unwrap_or(text.len());
    let (number, unit) = (text[..end].replace('_', ""), text[end..].trim());
    let number = number.parse::<f64>().ok().filter(|number| number.is_finite());
    match (number, units.iter().find(|(name, _)| *name == unit)) {
        // Fractions of a byte are dropped.
        (Some(number), Some((_, factor))) if kind == Kind::Bytes => Value::Integer((number * factor) as i64),
        (Some(number), Some((_, factor))) => Value::Float(number * factor),
        _ => value,
    }
}

/// Describes why a value is not valid. Some kinds have their own descriptions.
pub(super) fn in_words(entry: &Entry, value: &Value, problem: &str) -> String {
    // Serde writes: unknown variant `x`, expected `a` or `b`. More than two words are "one of `a`,
    // `b`, `c`".
    let word = problem.strip_prefix("unknown variant ").and_then(|rest| rest.rsplit_once(", expected "));
    if let Some((word, known)) = word {
        let known = known.trim_start_matches("one of ").replace(" or ", ", ").replace('`', "\"");
        return format!("{word} is not one of {known}");
    }
    if entry.kind == Kind::Secret {
        return "it is not a text in quotes".to_owned();
    }
    let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let wanted = match entry.kind {
        Kind::Seconds => "a time: seconds such as 45, or with a unit such as 500ms, 30s, 5m or 2h",
        Kind::Bytes => "a size: bytes such as 65536, or with a unit such as 64KiB or 10MiB",
        Kind::Count => "a whole number",
        Kind::Number => "a number",
        Kind::Numbers => "a list of numbers such as [0.75, 0.5]",
        Kind::Switch if matches!(entry.name, "open_registration" | "login_pages") => {
            "true, false or \"anywhere\""
        }
        Kind::Switch => "true or false",
        Kind::List if names_rust_types(problem) => "a list such as [\"a\", \"b\"]",
        Kind::Text if names_rust_types(problem) => "a text in quotes",
        Kind::Addresses if names_rust_types(problem) => "a text in quotes, or a list of texts",
        Kind::List | Kind::Text | Kind::Secret | Kind::Addresses => return problem.to_owned(),
    };
    format!("`{value}` is not {wanted}")
}

/// Returns whether the problem names types of Rust.
fn names_rust_types(problem: &str) -> bool {
    ["invalid type", "invalid value", "data did not match"].iter().any(|begin| problem.starts_with(begin))
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::entry;
    use super::super::layers::fits;
    use super::*;

    #[test]
    fn units_are_understood() {
        let of = |setting: &str, text: &str| without_unit(entry(setting).unwrap().kind, Value::from(text));
        for (text, seconds) in
            [("30s", 30.0), ("500ms", 0.5), ("1.5m", 90.0), ("2 h", 7200.0), ("1d", 86_400.0)]
        {
            assert_eq!(of("ping_interval", text), Value::Float(seconds), "{text}");
        }
        for (text, bytes) in
            [("10MiB", 10_485_760), ("64 KiB", 65_536), ("1_000kB", 1_000_000), ("1G", 1 << 30)]
        {
            assert_eq!(of("message_limit", text), Value::Integer(bytes), "{text}");
        }
        for (setting, text) in [
            ("ping_interval", "30 parsecs"),
            ("ping_interval", "s"),
            ("ping_interval", "10MiB"),
            ("message_limit", "10s"),
            ("connection_limit", "10KiB"),
            ("log", "30s"),
        ] {
            assert_eq!(of(setting, text), Value::from(text), "{setting} {text}");
        }
    }

    #[test]
    fn problems_are_in_words() {
        for (setting, value) in [
            ("ping_interval", Value::from("often")),
            ("login_attempts", Value::from(-1)),
            ("message_limit", Value::from("big")),
            ("allow_password_login", Value::from(1)),
            ("open_registration", Value::from(1)),
            ("minimum_game_quality", Value::from("high")),
            ("ladder_anti_repetition_weight_base_thresholds", Value::from(0.5)),
            ("ladder_anti_repetition_weight_base_thresholds", Value::from(vec!["a"])),
            ("map_pool_rating_selection", Value::from("median")),
            ("trusted_proxies", Value::from(1)),
            ("trusted_proxies", Value::from(vec!["nowhere"])),
            ("http", Value::from(8011)),
            ("database", Value::from(1)),
            ("database_password", Value::from(1)),
            ("log_format", Value::from("xml")),
            ("log_format", Value::from(5)),
            ("log_addresses", Value::from("some")),
            ("banner", Value::from("loud")),
        ] {
            let problem = fits(entry(setting).unwrap(), &value).unwrap_err();
            for word in ["invalid", "f64", "u32", "usize", "enum", "variant", "expected", "untagged"] {
                assert!(!problem.contains(word), "{setting} = {value}: {problem}");
            }
        }
    }
}
