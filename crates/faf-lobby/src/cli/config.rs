//! `faf-lobby config`: the configuration file with all defaults, or the effective values.

use std::path::Path;

use toml::Value;

use super::print_line;
use crate::config::{CATALOGUE, Effective, Origin, default_file, is_secret};
use crate::exit_code::Failure;

/// Prints the configuration file with all settings at their defaults.
pub(super) fn print() -> Result<(), Failure> {
    print_line(default_file().trim_end());
    Ok(())
}

/// Prints every setting with its effective value and its origin.
pub(super) fn list(effective: &Effective) -> Result<(), Failure> {
    print_line(listed(effective).trim_end());
    Ok(())
}

/// Returns a file with the same effect, where each line names the origin of its value. Secrets are
/// `***`, and URLs have no passwords.
fn listed(effective: &Effective) -> String {
    let mut text = String::new();
    let mut section = "";
    for entry in CATALOGUE {
        if entry.section != section {
            section = entry.section;
            text += &format!("\n# {section}\n");
        }
        let value = match effective.value(entry.name) {
            Some(Value::String(_)) => Value::String(effective.shown(entry.name)).to_string(),
            value => value.map(ToString::to_string).unwrap_or_default(),
        };
        // A secret is a comment, so that nobody uses the three stars as a password.
        let is_hidden = is_secret(entry.name) && effective.origin(entry.name) != Origin::Default;
        let setting = match is_hidden {
            true => format!("# {} = ***", entry.name),
            false => format!("{} = {value}", entry.name),
        };
        text += &match effective.origin(entry.name) {
            Origin::Default => format!("{setting}\n"),
            Origin::File(path, line) => format!("{setting:<60} # {}\n", Origin::File(shortest(&path), line)),
            other => format!("{setting:<60} # {}\n", other.to_string().replace(char::is_control, "?")),
        };
    }
    text.trim_start().to_owned()
}

/// Returns the path as it was given, if it has no line break, which would end the comment.
fn shortest(path: &Path) -> std::path::PathBuf {
    path.display().to_string().replace(char::is_control, "?").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;

    #[test]
    fn the_list_has_the_same_effect() {
        let flags = [
            ("ping_interval", "2m"),
            ("websocket", "127.0.0.1:1,127.0.0.1:2 proxy"),
            ("trusted_proxies", "::1"),
        ];
        let flags = flags.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let given = Effective::load(&Sources { flags, ..Sources::default() }).unwrap();
        let text = listed(&given);
        assert!(text.contains("ping_interval = 120.0") && text.contains("# flag --ping-interval"), "{text}");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let sources = Sources { file: Some(file.path().to_owned()), ..Sources::default() };
        assert_eq!(Effective::load(&sources).unwrap().settings(), given.settings());
    }

    #[test]
    fn secrets_are_not_listed() {
        let environment = [("FAF_LOBBY_BROKER_PASSWORD".to_owned(), "hunter2".to_owned())].into();
        let given = Effective::load(&Sources { environment, ..Sources::default() }).unwrap();
        assert_eq!(given.settings().broker_password.reveal(), "hunter2");
        let text = listed(&given);
        assert!(!text.contains("hunter2"), "{text}");
        let line = text.lines().find(|line| line.contains("broker_password")).unwrap();
        assert!(
            line.starts_with("# broker_password = *** ") && line.contains("FAF_LOBBY_BROKER_PASSWORD"),
            "{line}"
        );
        assert!(!format!("{:?}", given.settings()).contains("hunter2"));
        let default = Effective::load(&Sources::default()).unwrap();
        assert!(listed(&default).contains("\nbroker_password = \"\"\n"));
    }
}
