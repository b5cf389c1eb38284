//! Values of FAF's keys: YAML, and what a key accepts of it.
//!
//! FAF's server reads YAML 1.1, where `yes`, `.25` and `1_000` are a boolean and two numbers. Here
//! the key decides what a text means, so that quotes make no difference.

use saphyr::{MarkedYaml, ScalarStyle, YamlData, YamlLoader};
use saphyr_parser::Parser;

use super::keys::KeyKind;

/// A value of a YAML file.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Given {
    /// `null`, `~`, or nothing.
    Null,
    /// A text, a number, or a word.
    Text(String),
    /// A list.
    List(Vec<Self>),
    /// A table.
    Table(Vec<(String, Self)>),
}

/// A value that a key accepts.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Typed {
    Switch(bool),
    Number(f64),
    Text(String),
    Numbers(Vec<f64>),
    Listeners(Vec<Listener>),
}

/// An element of `LISTEN`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listener {
    /// Host or address; empty for all.
    pub(super) address: String,
    pub(super) port: u16,
    /// Name of the format in FAF's server.
    pub(super) protocol: String,
    /// Whether connections begin with a PROXY header.
    pub(super) proxy: bool,
}

/// An entry of a YAML file: its name, its value and its line.
pub(super) type FileEntry = (String, Given, usize);

/// Reads the entries of a YAML file. If a name occurs twice, both are returned as one with the last
/// value, as FAF's server reads it. An empty file has none.
///
/// # Errors
/// The line and the problem, if it is not a YAML table.
pub(super) fn entries(text: &str) -> Result<Vec<FileEntry>, (usize, String)> {
    let document = document(text)?;
    let Some(document) = document else { return Ok(Vec::new()) };
    match document.data {
        YamlData::Mapping(table) => {
            let entry = |(key, value): (MarkedYaml<'_>, MarkedYaml<'_>)| {
                let line = match &value.data {
                    // A list or a table may begin in a later line than its name.
                    YamlData::Representation(text, ..) if !text.is_empty() => value.span.start.line(),
                    _ => key.span.start.line(),
                };
                (text_of(&key), Given::of(&value), line)
            };
            Ok(table.into_iter().map(entry).collect())
        }
        data if matches!(Given::of_data(&data), Given::Null) => Ok(Vec::new()),
        _ => Err((document.span.start.line(), "it is not a table of keys and values".to_owned())),
    }
}

/// Returns the first document of a text, if it has one.
fn document(text: &str) -> Result<Option<MarkedYaml<'_>>, (usize, String)> {
    // The texts of values are needed as they are: a password may look like a number.
    let mut loader = YamlLoader::<MarkedYaml<'_>>::default();
    loader.early_parse(false);
    loader.allow_duplicate_keys(true);
    let loaded = Parser::new_from_str(text).load(&mut loader, true);
    let error = loaded.err().or_else(|| loader.error().cloned());
    match error {
        Some(error) => Err((error.marker().line(), error.info().to_owned())),
        None => Ok(loader.into_documents().into_iter().next()),
    }
}

fn text_of(key: &MarkedYaml<'_>) -> String {
    match &key.data {
        YamlData::Representation(text, ..) => text.to_string(),
        _ => String::new(),
    }
}

impl Given {
    fn of(value: &MarkedYaml<'_>) -> Self {
        Self::of_data(&value.data)
    }

    fn of_data<'a>(data: &YamlData<'a, MarkedYaml<'a>>) -> Self {
        match data {
            YamlData::Representation(text, style, _) => {
                let is_plain = *style == ScalarStyle::Plain;
                match text.as_ref() {
                    "" | "~" | "null" | "Null" | "NULL" if is_plain => Self::Null,
                    text => Self::Text(text.to_owned()),
                }
            }
            YamlData::Sequence(items) => Self::List(items.iter().map(Self::of).collect()),
            YamlData::Mapping(table) => {
                Self::Table(table.iter().map(|(key, value)| (text_of(key), Self::of(value))).collect())
            }
            YamlData::Tagged(_, inner) => Self::of(inner),
            YamlData::Value(_) | YamlData::Alias(_) | YamlData::BadValue => Self::Null,
        }
    }

    /// Reads the text of an environment variable as the key needs it: as YAML if it is a list, and
    /// as it is otherwise.
    ///
    /// # Errors
    /// The problem, if it is not YAML.
    pub(super) fn of_variable(kind: KeyKind, text: &str) -> Result<Self, String> {
        match kind {
            KeyKind::Numbers | KeyKind::Listeners => match document(text) {
                Ok(Some(document)) => Ok(Self::of(&document)),
                Ok(None) => Ok(Self::Null),
                Err((_, problem)) => Err(problem),
            },
            KeyKind::Switch | KeyKind::Number | KeyKind::Text => Ok(Self::Text(text.to_owned())),
        }
    }

    /// Reads the value as the key needs it.
    ///
    /// # Errors
    /// A description of the value and of what was expected.
    pub(super) fn typed(&self, kind: KeyKind) -> Result<Typed, String> {
        let read = match kind {
            KeyKind::Switch => self.switch().map(Typed::Switch),
            KeyKind::Number => self.number().map(Typed::Number),
            KeyKind::Text => self.text().map(Typed::Text),
            KeyKind::Numbers => self.numbers().map(Typed::Numbers),
            KeyKind::Listeners => return self.listeners().map(Typed::Listeners),
        };
        read.ok_or_else(|| {
            let wanted = match kind {
                KeyKind::Switch => "true or false",
                KeyKind::Number => "a number",
                KeyKind::Text => "a text",
                KeyKind::Numbers => "a list of numbers such as [0.75, 0.5]",
                KeyKind::Listeners => "a list of listeners",
            };
            format!("{self} is not {wanted}")
        })
    }

    fn switch(&self) -> Option<bool> {
        let Self::Text(text) = self else { return None };
        match text.to_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some(true),
            "false" | "no" | "off" | "0" => Some(false),
            _ => None,
        }
    }

    fn number(&self) -> Option<f64> {
        let Self::Text(text) = self else { return None };
        text.trim().replace('_', "").parse().ok().filter(|number: &f64| number.is_finite())
    }

    fn text(&self) -> Option<String> {
        match self {
            Self::Null => Some(String::new()),
            Self::Text(text) => Some(text.clone()),
            Self::List(_) | Self::Table(_) => None,
        }
    }

    fn numbers(&self) -> Option<Vec<f64>> {
        let Self::List(items) = self else { return None };
        items.iter().map(Self::number).collect()
    }

    fn listeners(&self) -> Result<Vec<Listener>, String> {
        match self {
            Self::Null => Ok(Vec::new()),
            Self::List(items) => items.iter().map(Self::listener).collect(),
            Self::Text(_) | Self::Table(_) => {
                Err(format!("{self} is not a list of listeners, each with ADDRESS, PORT and PROTOCOL"))
            }
        }
    }

    fn listener(&self) -> Result<Listener, String> {
        let Self::Table(entries) = self else {
            return Err(format!("{self} is not a listener, which has ADDRESS, PORT and PROTOCOL"));
        };
        let of =
            |name: &str| entries.iter().find(|(key, _)| key == name).map_or(&Self::Null, |(_, given)| given);
        let port = of("PORT").number().filter(|port| port.fract() == 0.0 && (0.0..=65_535.0).contains(port));
        let proxy = match of("PROXY") {
            Self::Null => Some(false),
            given => given.switch(),
        };
        Ok(Listener {
            address: of("ADDRESS")
                .text()
                .ok_or_else(|| format!("ADDRESS: {} is not a text", of("ADDRESS")))?,
            port: port.ok_or_else(|| format!("PORT: {} is not a port", of("PORT")))? as u16,
            protocol: of("PROTOCOL").text().unwrap_or_default(),
            proxy: proxy.ok_or_else(|| format!("PROXY: {} is not true or false", of("PROXY")))?,
        })
    }
}

impl std::fmt::Display for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Null => f.write_str("nothing"),
            Self::Text(text) => write!(f, "`{text}`"),
            Self::List(_) => f.write_str("a list"),
            Self::Table(_) => f.write_str("a table"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: KeyKind, text: &str) -> Result<Typed, String> {
        let entries = entries(&format!("KEY: {text}\n")).map_err(|(_, problem)| problem)?;
        entries[0].1.typed(kind)
    }

    #[test]
    fn quotes_make_no_difference() {
        for text in ["true", "\"true\"", "'True'", "yes", "1", "on"] {
            assert_eq!(read(KeyKind::Switch, text), Ok(Typed::Switch(true)), "{text}");
        }
        for text in ["false", "\"false\"", "No", "0", "off"] {
            assert_eq!(read(KeyKind::Switch, text), Ok(Typed::Switch(false)), "{text}");
        }
        for (text, number) in
            [(".25", 0.25), ("\"8003\"", 8003.0), ("1_000", 1000.0), ("-1", -1.0), ("1e3", 1000.0)]
        {
            assert_eq!(read(KeyKind::Number, text), Ok(Typed::Number(number)), "{text}");
        }
        for (text, expected) in [("007", "007"), ("\"\"", ""), ("~", ""), ("", ""), ("'null'", "null")] {
            assert_eq!(read(KeyKind::Text, text), Ok(Typed::Text(expected.to_owned())), "{text}");
        }
        assert_eq!(read(KeyKind::Numbers, "[.75, \"0.5\"]"), Ok(Typed::Numbers(vec![0.75, 0.5])));
    }

    #[test]
    fn wrong_types_are_described() {
        assert_eq!(read(KeyKind::Switch, "maybe"), Err("`maybe` is not true or false".to_owned()));
        assert_eq!(read(KeyKind::Number, "often"), Err("`often` is not a number".to_owned()));
        assert_eq!(read(KeyKind::Number, ".inf"), Err("`.inf` is not a number".to_owned()));
        assert_eq!(read(KeyKind::Number, ""), Err("nothing is not a number".to_owned()));
        assert_eq!(read(KeyKind::Text, "[a]"), Err("a list is not a text".to_owned()));
        assert!(read(KeyKind::Numbers, "0.5").unwrap_err().contains("is not a list of numbers"));
        assert!(read(KeyKind::Listeners, "8001").unwrap_err().contains("is not a list of listeners"));
        assert_eq!(
            read(KeyKind::Listeners, "[{PORT: 70000}]"),
            Err("PORT: `70000` is not a port".to_owned())
        );
    }

    #[test]
    fn entries_have_their_lines() {
        let text =
            "# comment\n---\nA: 1\n\nLISTEN:\n  - ADDRESS: null\n    PORT: 8001\n    PROXY: yes\nB:\nA: 2\n";
        let listener = Given::Table(vec![
            ("ADDRESS".to_owned(), Given::Null),
            ("PORT".to_owned(), Given::Text("8001".to_owned())),
            ("PROXY".to_owned(), Given::Text("yes".to_owned())),
        ]);
        let mut found = entries(text).unwrap();
        found.sort_by_key(|(_, _, line)| *line);
        let entry = |name: &str, given, line| (name.to_owned(), given, line);
        assert_eq!(
            found,
            [
                entry("LISTEN", Given::List(vec![listener]), 5),
                entry("B", Given::Null, 9),
                entry("A", Given::Text("2".to_owned()), 10),
            ]
        );
        assert_eq!(entries(""), Ok(Vec::new()));
        assert_eq!(entries("# nothing\n"), Ok(Vec::new()));
        assert_eq!(entries("- a\n").unwrap_err().0, 1);
        assert_eq!(entries("A: 1\nB: [1\nC: 2\n").map_err(|(line, _)| line > 1), Err(true));
    }
}
