//! The version of the program, and the optional parts it was built with.

use faf_lobby_core::escaped;

/// The optional parts of this build.
pub(crate) const PARTS: &str =
    parts(cfg!(feature = "mariadb"), cfg!(feature = "nats"), cfg!(feature = "rabbitmq"));

/// Returns the version and the parts, as `--version` prints them: `0.1.0 (mariadb, nats)`.
pub(crate) fn version_and_parts() -> String {
    format!("{} ({PARTS})", env!("CARGO_PKG_VERSION"))
}

/// Returns the version of the image that this program is part of: the variable `VERSION`, as FAF's
/// images have it, or else the program's own version.
pub(crate) fn of_image() -> String {
    match std::env::var("VERSION") {
        Ok(version) if !version.is_empty() => escaped(&version).to_string(),
        _ => env!("CARGO_PKG_VERSION").to_owned(),
    }
}

const fn parts(mariadb: bool, nats: bool, rabbitmq: bool) -> &'static str {
    match (mariadb, nats, rabbitmq) {
        (true, true, true) => "mariadb, nats, rabbitmq",
        (true, true, false) => "mariadb, nats",
        (true, false, true) => "mariadb, rabbitmq",
        (true, false, false) => "mariadb",
        (false, true, true) => "nats, rabbitmq",
        (false, true, false) => "nats",
        (false, false, true) => "rabbitmq",
        (false, false, false) => "lean: SQLite only",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_of_parts_is_named() {
        for mariadb in [false, true] {
            for nats in [false, true] {
                for rabbitmq in [false, true] {
                    let all = [(mariadb, "mariadb"), (nats, "nats"), (rabbitmq, "rabbitmq")];
                    let names: Vec<&str> =
                        all.into_iter().filter(|(is_there, _)| *is_there).map(|(_, name)| name).collect();
                    let named =
                        if names.is_empty() { "lean: SQLite only".to_owned() } else { names.join(", ") };
                    assert_eq!(parts(mariadb, nats, rabbitmq), named);
                }
            }
        }
    }
}
