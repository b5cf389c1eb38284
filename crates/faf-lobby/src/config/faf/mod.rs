//! FAF's configuration: the file that `CONFIGURATION_FILE` names, and environment variables with
//! FAF's names. It is read as FAF's server reads it, and turned into settings of this one.
//!
//! The file wins over the environment, and both over FAF's defaults. Those apply to all keys if
//! there is a file. Without one they apply to keys that belong to a key that is set: if `DB_NAME`
//! is, `DB_SERVER` has its default.

mod compose;
mod keys;
mod values;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::Value;

use self::keys::key;
pub(crate) use self::keys::{KEYS, Key, KeyKind, Meaning};
use self::values::{Given, Typed, entries};
use super::catalogue::{Kind, entry, number};
use super::layers::{Origin, Problem, is_address_of_service};

/// The variable that names FAF's file.
pub(crate) const FILE_VARIABLE: &str = "CONFIGURATION_FILE";

/// FAF's configuration, as far as it is set.
#[derive(Debug, Default)]
pub(super) struct FafConfiguration {
    /// The file, if one is named.
    file: Option<PathBuf>,
    set: BTreeMap<&'static str, Found>,
    /// Keys that are set and have no effect.
    pub(super) unused: Vec<Unused>,
    pub(super) problems: Vec<Problem>,
}

#[derive(Debug, Clone)]
struct Found {
    value: Typed,
    origin: Origin,
}

/// A key that is set and has no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unused {
    /// Its name.
    pub(crate) key: String,
    /// Where it is set.
    pub(crate) origin: Origin,
    /// Why it has no effect.
    pub(crate) reason: String,
}

/// A setting that follows from keys.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Derived {
    pub(super) setting: &'static str,
    pub(super) value: Value,
    pub(super) origin: Origin,
}

impl FafConfiguration {
    /// Reads the environment, and the file if it names one.
    pub(super) fn read(environment: &BTreeMap<String, String>) -> Self {
        let file = environment.get(FILE_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
        let mut read = Self { file, ..Self::default() };
        for key in KEYS {
            let value = environment.get(key.name).filter(|value| is_meant(key, value));
            if let Some(value) = value {
                let given = Given::of_variable(key.kind, value);
                let typed = given.and_then(|given| given.typed(key.kind));
                read.add(key, typed, Origin::Variable(key.name.to_owned()));
            }
        }
        if let Some(path) = read.file.clone() {
            read.add_file(&path);
        }
        read.name_unused();
        read
    }

    fn add_file(&mut self, path: &Path) {
        let at = |line| Origin::File(path.to_owned(), line);
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                let problem = format!("the file cannot be read: {error}");
                return self.add_problem(at(None), FILE_VARIABLE, problem);
            }
        };
        let found = match entries(&text) {
            Ok(found) => found,
            Err((line, problem)) => return self.add_problem(at(Some(line)), "syntax", problem),
        };
        for (name, given, line) in found {
            match key(&name) {
                Some(key) => self.add(key, given.typed(key.kind), at(Some(line))),
                None => {
                    self.unused.push(Unused { reason: unknown(&name), key: name, origin: at(Some(line)) });
                }
            }
        }
    }

    fn add(&mut self, key: &Key, typed: Result<Typed, String>, origin: Origin) {
        match typed {
            Ok(value) => drop(self.set.insert(key.name, Found { value, origin })),
            Err(problem) => self.add_problem(origin, key.name, problem),
        }
    }

    fn add_problem(&mut self, origin: Origin, name: &str, problem: String) {
        self.problems.push(Problem { origin, setting: name.to_owned(), problem });
    }

    /// Notes the keys that are set and have no effect.
    fn name_unused(&mut self) {
        for key in KEYS {
            let Some(found) = self.set.get(key.name) else { continue };
            let reason = match key.meaning {
                Meaning::Nothing(reason) => reason.to_owned(),
                Meaning::Always(value, reason) if found.value != default_of(key.kind, value) => {
                    format!("the server always behaves as with {value}: {reason}")
                }
                Meaning::Always(..) | Meaning::Setting(_) | Meaning::Part(..) => continue,
            };
            let (key, origin) = (key.name.to_owned(), found.origin.clone());
            self.unused.push(Unused { key, origin, reason });
        }
    }

    /// Returns the settings that follow.
    pub(super) fn settings(&mut self) -> Vec<Derived> {
        let mut all = Vec::new();
        for key in KEYS {
            let Meaning::Setting(setting) = key.meaning else { continue };
            let (Some(entry), true) = (entry(setting), self.applies(&[key.name])) else { continue };
            let value = as_setting(entry.kind, self.value(key.name));
            // A default that is ours as well needs no origin.
            if self.set.contains_key(key.name) || !is_default(entry.default, &value) {
                all.push(Derived { setting, value, origin: self.origin(&[key.name]) });
            }
        }
        all.extend(self.compose());
        all
    }

    /// Returns whether keys apply: one of them is set, or there is a file.
    fn applies(&self, names: &[&'static str]) -> bool {
        self.file.is_some() || names.iter().any(|name| self.set.contains_key(name))
    }

    /// Returns the value of a key, or FAF's default.
    fn value(&self, name: &str) -> Typed {
        match (self.set.get(name), key(name)) {
            (Some(found), _) => found.value.clone(),
            (None, Some(key)) => default_of(key.kind, key.default),
            (None, None) => Typed::Text(String::new()),
        }
    }

    fn text(&self, name: &str) -> String {
        match self.value(name) {
            Typed::Text(text) => text,
            Typed::Number(number) => number.to_string(),
            Typed::Switch(_) | Typed::Numbers(_) | Typed::Listeners(_) => String::new(),
        }
    }

    fn switch(&self, name: &str) -> bool {
        self.value(name) == Typed::Switch(true)
    }

    /// Returns the origin of a setting that follows from keys: those that are set, or if none is,
    /// all of them.
    fn origin(&self, names: &[&'static str]) -> Origin {
        let set: Vec<_> =
            names.iter().filter_map(|name| Some((*name, self.set.get(name)?.origin.clone()))).collect();
        match set.is_empty() {
            true => Origin::Faf(names.iter().map(|name| (*name, Origin::Default)).collect()),
            false => Origin::Faf(set),
        }
    }
}

/// Returns whether a variable is meant as a key. Kubernetes puts addresses of services into the
/// environment: for a service named `db`, `DB_PORT` is a URL. Empty variables are no values, except
/// of texts.
fn is_meant(key: &Key, value: &str) -> bool {
    !is_address_of_service(key.name, value) && (key.kind == KeyKind::Text || !value.trim().is_empty())
}

/// Returns a value that the table of keys holds.
fn default_of(kind: KeyKind, yaml: &str) -> Typed {
    let given = entries(&format!("default: {yaml}"));
    let given = given.ok().and_then(|mut entries| entries.pop()).map_or(Given::Null, |(_, given, _)| given);
    given.typed(kind).unwrap_or(Typed::Text(String::new()))
}

/// Returns a value as a setting of this kind needs it. Wrong values stay as they are, since the
/// setting describes what is wrong with them.
fn as_setting(kind: Kind, value: Typed) -> Value {
    match value {
        Typed::Switch(switch) => Value::Boolean(switch),
        Typed::Number(number) => match kind {
            Kind::Count | Kind::Bytes if number.fract() == 0.0 => Value::Integer(number as i64),
            _ => Value::Float(number),
        },
        Typed::Text(text) => Value::String(text),
        Typed::Numbers(numbers) => Value::Array(numbers.into_iter().map(Value::Float).collect()),
        Typed::Listeners(_) => Value::String(String::new()),
    }
}

/// Returns whether a value is the default of a setting, as the file of settings writes it.
fn is_default(default: &str, value: &Value) -> bool {
    let parsed = format!("value = {default}").parse::<toml::Table>().ok();
    let default = parsed.and_then(|mut table| table.remove("value"));
    let numbers = (default.as_ref().and_then(number), number(value));
    default.as_ref() == Some(value) || matches!(numbers, (Some(one), Some(other)) if one == other)
}

fn unknown(name: &str) -> String {
    let close = KEYS.iter().find(|key| strsim::damerau_levenshtein(key.name, name) <= 2);
    match close {
        Some(key) => format!("FAF's server does not know it; did you mean `{}`?", key.name),
        None => "FAF's server does not know it either".to_owned(),
    }
}
