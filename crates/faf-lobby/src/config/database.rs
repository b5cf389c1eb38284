//! The setting `database`: a file, or FAF's MariaDB.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;

/// Port of MariaDB, unless the address names another.
const MARIADB_PORT: u16 = 3306;

/// Schemes of addresses of MariaDB.
const SCHEMES: [&str; 2] = ["mysql://", "mariadb://"];

/// The address of a database.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum DatabaseAddress {
    /// An SQLite database in this file.
    File(PathBuf),
    /// FAF's MariaDB.
    MariaDb(MariaDbAddress),
}

/// Where FAF's MariaDB is, written `mysql://USER@HOST:PORT/DATABASE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MariaDbAddress {
    /// Account of the lobby server.
    pub user: String,
    /// Name or address of the machine.
    pub host: String,
    /// Port; 3306 unless the address names another.
    pub port: u16,
    /// Name of the database.
    pub name: String,
}

impl From<PathBuf> for DatabaseAddress {
    fn from(file: PathBuf) -> Self {
        Self::File(file)
    }
}

impl TryFrom<String> for DatabaseAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match SCHEMES.iter().find_map(|scheme| text.strip_prefix(scheme)) {
            None if text.contains("://") => {
                Err("it is neither a file nor an address such as mysql://USER@HOST/DATABASE".to_owned())
            }
            None => Ok(Self::File(text.into())),
            Some(rest) => MariaDbAddress::parse(rest).map(Self::MariaDb),
        }
    }
}

impl MariaDbAddress {
    /// Parses what follows the scheme.
    fn parse(rest: &str) -> Result<Self, String> {
        // The text is not quoted: it may contain a password.
        let wrong = || "an address of MariaDB is written mysql://USER@HOST:PORT/DATABASE".to_owned();
        let (user, rest) = rest.rsplit_once('@').ok_or_else(wrong)?;
        if user.contains(':') {
            return Err(
                "it contains a password, which others could read in the list of processes; put it into \
                        database_password, or into the environment variable FAF_LOBBY_DATABASE_PASSWORD"
                    .to_owned(),
            );
        }
        let (server, name) = rest.split_once('/').ok_or_else(wrong)?;
        // An IPv6 address contains colons itself, so it is written in brackets.
        let (host, port) = match server.strip_prefix('[') {
            Some(rest) => rest.split_once(']').ok_or_else(wrong)?,
            None => server.split_at(server.find(':').unwrap_or(server.len())),
        };
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().map_err(|_| wrong())?,
            None if port.is_empty() => MARIADB_PORT,
            None => return Err(wrong()),
        };
        if user.is_empty() || host.is_empty() || name.is_empty() || name.contains(['/', '?', '`']) {
            return Err(wrong());
        }
        Ok(Self { user: user.to_owned(), host: host.to_owned(), port, name: name.to_owned() })
    }
}

impl fmt::Display for DatabaseAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::MariaDb(address) => address.fmt(f),
        }
    }
}

impl fmt::Display for MariaDbAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, host, port, name } = self;
        match host.contains(':') {
            true => write!(f, "mysql://{user}@[{host}]:{port}/{name}"),
            false => write!(f, "mysql://{user}@{host}:{port}/{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<DatabaseAddress, String> {
        text.to_owned().try_into()
    }

    #[test]
    fn address_is_a_file_or_a_server() {
        assert_eq!(parse("a/b.sqlite"), Ok(DatabaseAddress::File("a/b.sqlite".into())));
        for (written, shown) in [
            (
                "mysql://faf-python-server@mariadb/faf_lobby",
                "mysql://faf-python-server@mariadb:3306/faf_lobby",
            ),
            ("mariadb://me@10.0.0.1:33/x", "mysql://me@10.0.0.1:33/x"),
            ("mysql://me@[::1]/x", "mysql://me@[::1]:3306/x"),
            ("mysql://me@home@[::1]:33/x", "mysql://me@home@[::1]:33/x"),
        ] {
            let address = parse(written).unwrap();
            assert_eq!(address.to_string(), shown);
            assert_eq!(parse(shown), Ok(address));
        }
    }

    #[test]
    fn wrong_address_is_refused_without_its_password() {
        for wrong in [
            "postgres://me@host/x",
            "mysql://host/x",
            "mysql://me@host",
            "mysql://me@host/",
            "mysql://@host/x",
            "mysql://me@:33/x",
            "mysql://me@host:port/x",
            "mysql://me@host:70000/x",
            "mysql://me@[::1/x",
            "mysql://me@[::1]33/x",
            "mysql://me@host/x?secret=1",
            "mysql://me:secret@host/x",
            "mysql://me:secret@host",
        ] {
            let problem = parse(wrong).unwrap_err();
            assert!(problem.contains("mysql://USER@") || problem.contains("database_password"), "{problem}");
            assert!(!problem.contains("secret@"), "{problem}");
        }
    }
}
