//! The effective configuration: every setting with its value and origin.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::{Table, Value};

use super::catalogue::{Kind, entry, number};
use super::faf::Unused;
use super::layers::Origin;
use super::{CATALOGUE, Settings};

/// All settings with their values, as written in files.
#[derive(Debug, Clone)]
pub(crate) struct Effective {
    pub(super) values: Table,
    /// Origins of the settings that are not defaults.
    pub(super) origins: BTreeMap<String, Origin>,
    /// Keys of FAF's configuration that are set and have no effect.
    pub(super) unused: Vec<Unused>,
}

impl Effective {
    /// Returns the settings.
    ///
    /// # Panics
    /// Never: every value was checked when it was read.
    pub(crate) fn settings(&self) -> Settings {
        Settings::deserialize(self.values.clone()).expect("every value was checked")
    }

    /// Returns the value of a setting.
    pub(crate) fn value(&self, setting: &str) -> Option<&Value> {
        self.values.get(setting)
    }

    /// Returns the value of a setting for people, with `***` for secrets, also for those in URLs.
    pub(crate) fn shown(&self, setting: &str) -> String {
        self.values.get(setting).map(|value| shown(setting, value)).unwrap_or_default()
    }

    /// Returns the keys of FAF's configuration that are set and have no effect.
    pub(crate) fn unused(&self) -> &[Unused] {
        &self.unused
    }

    /// Returns the origin of a setting's value.
    pub(crate) fn origin(&self, setting: &str) -> Origin {
        self.origins.get(setting).cloned().unwrap_or(Origin::Default)
    }

    /// Returns the settings that are not defaults, in the order of the catalogue.
    pub(crate) fn set(&self) -> impl Iterator<Item = (&str, String, &Origin)> {
        CATALOGUE
            .iter()
            .filter_map(|entry| Some((entry.name, self.shown(entry.name), self.origins.get(entry.name)?)))
    }

    /// Returns the names of settings whose values differ.
    pub(crate) fn changes(&self, other: &Self) -> Vec<String> {
        let names = CATALOGUE.iter().map(|entry| entry.name.to_owned());
        names.filter(|name| !is_same(self.value(name), other.value(name))).collect()
    }

    /// Returns a copy with one setting as in `other`.
    pub(crate) fn with(&self, setting: &str, other: &Self) -> Self {
        let mut with = self.clone();
        if let Some(value) = other.values.get(setting) {
            with.values.insert(setting.to_owned(), value.clone());
        }
        match other.origins.get(setting) {
            Some(origin) => with.origins.insert(setting.to_owned(), origin.clone()),
            None => with.origins.remove(setting),
        };
        with
    }
}

/// Returns whether two values are equal, where `30` equals `30.0`.
fn is_same(one: Option<&Value>, other: Option<&Value>) -> bool {
    let numbers = (one.and_then(number), other.and_then(number));
    one == other || matches!(numbers, (Some(one), Some(other)) if one == other)
}

/// Returns whether the value of a setting is never shown.
pub(crate) fn is_secret(setting: &str) -> bool {
    entry(setting).is_some_and(|entry| entry.kind == Kind::Secret)
}

/// Formats the value of a setting for people: a secret as `***`, and a URL without its user
/// information, which may hold a password. A user without a password is none.
fn shown(setting: &str, value: &Value) -> String {
    if is_secret(setting) && value.as_str() != Some("") {
        return "***".to_owned();
    }
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let Some((scheme, rest)) = text.split_once("://") else { return text };
    let end = rest.find(['/', '"', '?']).unwrap_or(rest.len());
    // In URLs of HTTP, the user may be a token.
    let is_known = |at: usize| !scheme.starts_with("http") && !rest[..at].contains(':');
    match rest[..end].rfind('@') {
        Some(at) if !is_known(at) => format!("{scheme}://***{}", &rest[at..]),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Sources;
    use super::*;

    fn load(file: &[(&str, &str)]) -> Effective {
        let flags = file.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Effective::load(&Sources { flags, ..Sources::default() }).unwrap()
    }

    #[test]
    fn changed_settings_are_named() {
        let (before, after) =
            (load(&[]), load(&[("ping_interval", "45.0"), ("login_rate", "7"), ("http", "off")]));
        assert_eq!(before.changes(&after), ["http", "login_rate"]);
        let changed = before.with("login_rate", &after);
        assert_eq!((changed.settings().login_rate, changed.changes(&after)), (7, vec!["http".to_owned()]));
        assert_eq!(changed.origin("login_rate"), Origin::Flag("login-rate".to_owned()));
        assert_eq!(changed.with("login_rate", &before).origin("login_rate"), Origin::Default);
    }

    #[test]
    fn passwords_of_urls_are_not_shown() {
        let secret = |text: &str| shown("broker_password", &Value::from(text));
        assert_eq!([secret("hunter2"), secret("a@b://c@d"), secret("")], ["***", "***", ""]);
        let shown = |text: &str| shown("policy_server", &Value::from(text));
        assert_eq!(shown("https://me:secret@host/x@y"), "https://***@host/x@y");
        assert_eq!(shown("https://host/x@y"), "https://host/x@y");
        assert_eq!(shown("amqp://me:secret@host/x"), "amqp://***@host/x");
        assert_eq!(shown("mysql://me@host/x"), "mysql://me@host/x");
        assert_eq!(shown("plain"), "plain");
    }

    #[test]
    fn secrets_are_not_shown() {
        assert_eq!(shown("database_password", &Value::from("banana")), "***");
        assert_eq!(shown("database_password", &Value::from("")), "");
    }
}
