//! The list of settings, read off the commented default file.

use std::sync::LazyLock;

/// The built-in configuration file.
pub const DEFAULT_FILE: &str = include_str!("default.toml");

/// All settings, in the order of the file.
pub static CATALOGUE: LazyLock<Vec<Entry>> = LazyLock::new(|| read(DEFAULT_FILE));

/// The values of the built-in file.
pub(super) static DEFAULTS: LazyLock<toml::Table> =
    LazyLock::new(|| DEFAULT_FILE.parse().expect("the built-in file is right"));

/// A setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name in files.
    pub name: String,
    /// Its default, as it stands in the file.
    pub default: String,
    /// What it is for: the comment in front of it.
    pub help: String,
    /// The section of the file it stands in.
    pub section: String,
}

impl Entry {
    /// Its name as a flag, without the dashes in front.
    #[must_use]
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }

    /// Its name in the environment.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("{}{}", super::layers::VARIABLE_PREFIX, self.name.to_uppercase())
    }

    /// What stands for its value in help texts.
    #[must_use]
    pub fn value_name(&self) -> &'static str {
        match self.default.chars().next() {
            Some('0'..='9') => "NUMBER",
            Some('[') => "LIST",
            Some('"') if self.default.starts_with("\"127.0.0.1:") => "ADDR",
            _ => "VALUE",
        }
    }

    /// Whether the flag may stand alone and means `true`.
    #[must_use]
    pub fn is_switch(&self) -> bool {
        matches!(self.default.as_str(), "true" | "false")
    }
}

fn read(file: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut help = String::new();
    let mut section = String::new();
    for line in file.lines() {
        if let Some(title) = line.strip_prefix("# ----") {
            title.trim_matches(['-', ' ']).clone_into(&mut section);
        } else if let Some(comment) = line.strip_prefix('#') {
            help += comment;
        } else if let Some((name, default)) = line.split_once('=') {
            let (name, default) = (name.trim().to_owned(), default.trim().to_owned());
            let help = std::mem::take(&mut help).trim().to_owned();
            entries.push(Entry { name, default, help, section: section.clone() });
        } else {
            help.clear();
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_a_description() {
        assert!(CATALOGUE.len() > 25);
        for entry in CATALOGUE.iter() {
            assert!(entry.help.ends_with('.') && entry.help.len() > 10, "{entry:?}");
            assert!(!entry.section.is_empty() && !entry.section.contains('-'), "{entry:?}");
        }
        let port = CATALOGUE.iter().find(|entry| entry.name == "simple_json").unwrap();
        assert_eq!(
            (port.flag().as_str(), port.variable().as_str()),
            ("simple-json", "FAF_LOBBY_SIMPLE_JSON")
        );
        assert_eq!((port.default.as_str(), port.is_switch()), ("\"127.0.0.1:8002\"", false));
        assert_eq!((port.section.as_str(), port.value_name()), ("Where clients connect", "ADDR"));
    }
}
