//! Everything known of a setting apart from its value, and the files and texts that follow from it.

use std::fmt;
use std::sync::LazyLock;

use toml::{Table, Value};

use super::table::{CATALOGUE, SECTIONS};

/// Prefix of environment variables that are settings.
pub(super) const VARIABLE_PREFIX: &str = "FAF_LOBBY_";

/// Widest line of the built-in file, in characters.
const WIDTH: usize = 100;

/// The values of the built-in file.
pub(super) static DEFAULTS: LazyLock<Table> =
    LazyLock::new(|| default_file().parse().expect("the table of settings holds valid TOML"));

/// A setting.
#[derive(Debug, PartialEq)]
pub(crate) struct Entry {
    /// Name in files.
    pub(crate) name: &'static str,
    /// Default, as written in the file.
    pub(crate) default: &'static str,
    /// Kind of its value.
    pub(crate) kind: Kind,
    /// Range of its value, or of each one in a list, if it is a number.
    pub(crate) range: Option<Range>,
    /// Description, without the range.
    pub(super) words: &'static str,
    /// Section of the file.
    pub(crate) section: &'static str,
}

/// The kind of value that a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A time, in seconds or with a unit.
    Seconds,
    /// A size, in bytes or with a unit.
    Bytes,
    /// A whole number without a unit.
    Count,
    /// A number without a unit.
    Number,
    /// A list of numbers.
    Numbers,
    /// `true` or `false`; one setting also takes a word.
    Switch,
    /// Addresses to listen on, or `off`.
    Addresses,
    /// A list of strings.
    List,
    /// A string.
    Text,
    /// A string that is never shown. It is no flag: others could read it in the list of processes.
    Secret,
}

/// Range of the values of a setting, both ends included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Range {
    /// Lower bound.
    pub(crate) least: Bound,
    /// Upper bound.
    pub(crate) most: Bound,
}

/// An end of a range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bound {
    /// This number.
    Number(f64),
    /// This multiple of another setting.
    Setting(f64, &'static str),
}

impl Entry {
    /// Returns its name as a flag, without the leading dashes.
    pub(crate) fn flag(&self) -> String {
        self.name.replace('_', "-")
    }

    /// Returns its name in the environment.
    pub(crate) fn variable(&self) -> String {
        format!("{VARIABLE_PREFIX}{}", self.name.to_uppercase())
    }

    /// Returns its description with its range.
    pub(crate) fn help(&self) -> String {
        let words = self.words.trim();
        match self.range {
            Some(range) => format!("{words} {range}."),
            None => words.to_owned(),
        }
    }

    /// Returns the placeholder for its value in help texts.
    pub(crate) fn value_name(&self) -> &'static str {
        match self.kind {
            Kind::Seconds | Kind::Bytes | Kind::Count | Kind::Number => "NUMBER",
            Kind::List | Kind::Numbers => "LIST",
            Kind::Addresses => "ADDR",
            Kind::Switch | Kind::Text | Kind::Secret => "VALUE",
        }
    }

    /// Returns the problem with its value among those of all settings, if that is out of range.
    pub(super) fn problem(&self, values: &Table) -> Option<String> {
        self.range?.problem(values.get(self.name)?, values)
    }
}

impl Range {
    /// Returns the problem with a value, or with one in a list, if there is one. `values` are those
    /// of all settings.
    fn problem(&self, value: &Value, values: &Table) -> Option<String> {
        let (least, most) = (self.least.number(values), self.most.number(values));
        let mut numbers = match value {
            Value::Array(list) => list.as_slice(),
            one => std::slice::from_ref(one),
        }
        .iter()
        .filter_map(number);
        let outside = numbers.find(|number| !(least..=most).contains(number))?;
        Some(format!("{outside} is not between {least} and {most}"))
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.least, self.most)
    }
}

impl Bound {
    fn number(self, values: &Table) -> f64 {
        match self {
            Self::Number(number) => number,
            Self::Setting(times, setting) => times * values.get(setting).and_then(number).unwrap_or_default(),
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Setting(1.0, setting) => f.write_str(setting),
            Self::Setting(times, setting) => write!(f, "{times} times {setting}"),
        }
    }
}

/// Returns the number that a value is, if it is one.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        _ => None,
    }
}

/// Returns the settings whose values are out of range, with the problem of each, if these values
/// replace the defaults.
pub(crate) fn out_of_range(values: Table) -> impl Iterator<Item = (&'static str, String)> {
    let mut all = DEFAULTS.clone();
    all.extend(values);
    CATALOGUE.iter().filter_map(move |entry| Some((entry.name, entry.problem(&all)?)))
}

/// Returns the setting of this name.
pub(crate) fn entry(name: &str) -> Option<&'static Entry> {
    CATALOGUE.iter().find(|entry| entry.name == name)
}

/// Returns the built-in configuration file with all settings, their defaults and descriptions.
pub(crate) fn default_file() -> String {
    let mut file = format!("{HEAD}{}", comment(HEAD_WORDS));
    for (title, intro) in SECTIONS {
        file += &format!("\n# ---- {title} {:-<1$}\n", "", WIDTH - "# ----  ".len() - title.len());
        file += &comment(intro);
        for entry in CATALOGUE.iter().filter(|entry| entry.section == *title) {
            file += &format!("\n{}{} = {}\n", comment(&entry.help()), entry.name, entry.default);
        }
    }
    file
}

/// Returns a text as comment lines, none if it is empty.
fn comment(text: &str) -> String {
    let mut lines = String::new();
    let mut length = WIDTH;
    for word in text.split_whitespace() {
        if length + 1 + word.len() > WIDTH {
            lines += if lines.is_empty() { "#" } else { "\n#" };
            length = 1;
        }
        lines += " ";
        lines += word;
        length += 1 + word.len();
    }
    if !lines.is_empty() {
        lines += "\n";
    }
    lines
}

/// Beginning of the built-in file.
const HEAD: &str = "\
# The configuration of faf-lobby, with all settings at their defaults.
#
# A setting is taken from the first of these places that has it:
#   1. a flag of the command line:   --ping-interval 30
#   2. the environment:              FAF_LOBBY_PING_INTERVAL=30
#   3. the file named by --config or FAF_LOBBY_CONFIG
#   4. FAF's file, named by --configuration-file or CONFIGURATION_FILE: PING_INTERVAL: 30
#   5. the environment with FAF's names:                                PING_INTERVAL=30
#   6. this default, or FAF's if there is a file of FAF
";

/// The rest of its head.
const HEAD_WORDS: &str = "Times are in seconds and sizes in bytes, unless they have a unit: \"500ms\", \"30s\", \
    \"5m\", \"2h\", \"1d\"; \"64KiB\", \"10MiB\", \"1GiB\". `faf-lobby check` checks a configuration, and \
    `faf-lobby config --effective` prints every value with its origin. On SIGHUP the server reads the configuration \
    again, applies what it can, and logs which changes need a restart.";

#[cfg(test)]
mod tests {
    use super::*;

    /// After a change of the table: `cargo run -p faf-lobby -- config >
    /// crates/faf-lobby/src/config/default.toml`
    #[test]
    fn the_copy_of_the_built_in_file_is_current() {
        let (file, copy) = (default_file(), include_str!("default.toml"));
        let line = file.lines().zip(copy.lines()).find(|(now, copy)| now != copy);
        assert_eq!(line, None, "the first line that differs");
        assert_eq!(file, copy);
    }

    #[test]
    fn every_setting_has_a_description() {
        for entry in CATALOGUE {
            assert!(entry.words.ends_with('.') && entry.words.len() > 10, "{entry:?}");
            let is_number = !matches!(
                entry.kind,
                Kind::Switch | Kind::Addresses | Kind::List | Kind::Text | Kind::Secret
            );
            assert_eq!(entry.range.is_some(), is_number, "{entry:?}");
        }
        assert!(default_file().lines().all(|line| line.chars().count() <= WIDTH));
    }

    #[test]
    fn names_and_words_follow_from_the_table() {
        let port = entry("simple_json").unwrap();
        assert_eq!(
            (port.flag().as_str(), port.variable().as_str(), port.value_name()),
            ("simple-json", "FAF_LOBBY_SIMPLE_JSON", "ADDR")
        );
        assert_eq!(port.default, "\"127.0.0.1:8002\"");
        let range = |setting| entry(setting).unwrap().range.unwrap().to_string();
        assert_eq!(range("ping_interval"), "0.01 to 3600");
        assert_eq!(range("login_message_limit"), "4096 to message_limit");
        assert_eq!(range("large_message_memory"), "4 times message_limit to 68719476736");
    }
}
