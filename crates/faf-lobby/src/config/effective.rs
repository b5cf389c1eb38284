//! The configuration as it counts: every setting with its value and where it was set.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::{Table, Value};

use super::catalogue::number;
use super::layers::Origin;
use super::{CATALOGUE, Settings};

/// All settings, each with its value, as they stand in files.
#[derive(Debug, Clone)]
pub struct Effective {
    pub(super) values: Table,
    /// Where those were set that are not the defaults.
    pub(super) origins: BTreeMap<String, Origin>,
}

impl Effective {
    /// The settings.
    ///
    /// # Panics
    /// Never: every value was checked when it was taken in.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings::deserialize(self.values.clone()).expect("every value was checked")
    }

    /// The value of a setting.
    #[must_use]
    pub fn value(&self, setting: &str) -> Option<&Value> {
        self.values.get(setting)
    }

    /// Where a setting was set.
    #[must_use]
    pub fn origin(&self, setting: &str) -> Origin {
        self.origins.get(setting).cloned().unwrap_or(Origin::Default)
    }

    /// Settings that somebody has set, in the order of the catalogue.
    pub fn set(&self) -> impl Iterator<Item = (&str, &Value, &Origin)> {
        CATALOGUE.iter().filter_map(|entry| {
            Some((entry.name, self.values.get(entry.name)?, self.origins.get(entry.name)?))
        })
    }

    /// Names of settings that have another value there.
    #[must_use]
    pub fn changes(&self, other: &Self) -> Vec<String> {
        let names = CATALOGUE.iter().map(|entry| entry.name.to_owned());
        names.filter(|name| !is_same(self.value(name), other.value(name))).collect()
    }

    /// The same with one setting as it is there.
    #[must_use]
    pub fn with(&self, setting: &str, other: &Self) -> Self {
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

/// `30` and `30.0` are the same.
fn is_same(one: Option<&Value>, other: Option<&Value>) -> bool {
    let numbers = (one.and_then(number), other.and_then(number));
    one == other || matches!(numbers, (Some(one), Some(other)) if one == other)
}

/// A value for people, without what stands in a URL in front of the host, which may be a password.
#[must_use]
pub fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let Some((scheme, rest)) = text.split_once("://") else { return text };
    let end = rest.find(['/', '"', '?']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://***{}", &rest[at..]),
        None => text,
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
    fn it_is_told_what_has_changed() {
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
        let shown = |text: &str| shown(&Value::from(text));
        assert_eq!(shown("https://me:secret@host/x@y"), "https://***@host/x@y");
        assert_eq!(shown("https://host/x@y"), "https://host/x@y");
        assert_eq!(shown("plain"), "plain");
    }
}
