//! The version of the program, and the optional parts it was built with.

/// The optional parts of this build.
pub(crate) const PARTS: &str = parts(cfg!(feature = "mariadb"), cfg!(feature = "rabbitmq"));

/// Returns the version and the parts, as `--version` prints them: `0.1.0 (mariadb, rabbitmq)`.
pub(crate) fn version_and_parts() -> String {
    format!("{} ({PARTS})", env!("CARGO_PKG_VERSION"))
}

const fn parts(mariadb: bool, rabbitmq: bool) -> &'static str {
    match (mariadb, rabbitmq) {
        (true, true) => "mariadb, rabbitmq",
        (true, false) => "mariadb",
        (false, true) => "rabbitmq",
        (false, false) => "lean: SQLite only",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_of_parts_is_named() {
        for (mariadb, rabbitmq, named) in [
            (true, true, "mariadb, rabbitmq"),
            (true, false, "mariadb"),
            (false, true, "rabbitmq"),
            (false, false, "lean: SQLite only"),
        ] {
            assert_eq!(parts(mariadb, rabbitmq), named);
        }
    }
}
