//! The version of the program, and the optional parts it was built with.

/// The version and the parts, as `--version` prints them: `0.1.0 (mariadb, rabbitmq)`.
pub(crate) const VERSION_AND_PARTS: &str = with_parts(cfg!(feature = "mariadb"), cfg!(feature = "rabbitmq"));

macro_rules! version {
    ($parts:literal) => {
        concat!(env!("CARGO_PKG_VERSION"), " (", $parts, ")")
    };
}

const fn with_parts(mariadb: bool, rabbitmq: bool) -> &'static str {
    match (mariadb, rabbitmq) {
        (true, true) => version!("mariadb, rabbitmq"),
        (true, false) => version!("mariadb"),
        (false, true) => version!("rabbitmq"),
        (false, false) => version!("lean: SQLite only"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_of_parts_is_named() {
        for (mariadb, rabbitmq, parts) in [
            (true, true, "(mariadb, rabbitmq)"),
            (true, false, "(mariadb)"),
            (false, true, "(rabbitmq)"),
            (false, false, "(lean: SQLite only)"),
        ] {
            assert_eq!(with_parts(mariadb, rabbitmq).split_once(' ').unwrap().1, parts);
        }
        assert!(VERSION_AND_PARTS.starts_with(env!("CARGO_PKG_VERSION")));
    }
}
