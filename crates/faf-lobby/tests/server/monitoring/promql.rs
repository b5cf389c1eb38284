//! As much of Prometheus' languages as the tests need: the names and labels in a query, and in a
//! text of `/metrics`.

use std::collections::BTreeSet;

/// Words of the language, apart from the functions, which stand before a parenthesis.
const WORDS: [&str; 6] = ["and", "or", "unless", "bool", "offset", "inf"];

/// Words before a list of labels.
const GROUPINGS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

/// The names in a query.
#[derive(Debug, Default)]
pub(super) struct Query {
    /// Figures, each with the labels by which it is selected.
    pub(super) figures: Vec<(String, Vec<String>)>,
    /// Labels by which figures are grouped or matched.
    pub(super) groups: BTreeSet<String>,
}

impl Query {
    pub(super) fn parse(text: &str) -> Self {
        let mut query = Self::default();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if first == '[' {
                // A time, perhaps a variable.
                rest = rest.split_once(']').expect("a range ends").1;
            } else if first == '"' {
                rest = after_string(rest);
            } else if first.is_ascii_digit() {
                // A number or a time.
                rest = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '.');
            } else if is_in_name(first) {
                rest = query.word(rest);
            } else {
                rest = &rest[first.len_utf8()..];
            }
        }
        query
    }

    /// Takes a word and what belongs to it; returns the rest.
    fn word<'a>(&mut self, text: &'a str) -> &'a str {
        let (word, rest) = split_name(text);
        let next = rest.trim_start();
        if GROUPINGS.contains(&word) {
            let (list, rest) = next[1..].split_once(')').expect("a list of labels ends");
            let labels = list.split(',').map(|label| label.trim().to_owned());
            self.groups.extend(labels.filter(|label| !label.is_empty()));
            return rest;
        }
        // An aggregation may have its labels before its parenthesis.
        let is_call = next.starts_with('(') || ["by", "without"].contains(&split_name(next).0);
        if !is_call && !WORDS.contains(&word) {
            let (labels, rest) = if next.starts_with('{') { labels(next) } else { (Vec::new(), rest) };
            self.figures.push((word.to_owned(), labels));
            return rest;
        }
        rest
    }
}

/// Returns the labels that a text shows: `{{ $labels.queue }}` or `{{queue}}`.
pub(super) fn shown_labels(text: &str) -> Vec<String> {
    let places = text.split("{{").skip(1).filter_map(|rest| rest.split_once("}}"));
    places
        .filter_map(|(place, _)| {
            let place = place.trim();
            match place.strip_prefix('$') {
                // `$value` and its functions are no labels.
                Some(variable) => variable.strip_prefix("labels.").map(str::to_owned),
                None => Some(place.to_owned()),
            }
        })
        .collect()
}

/// Returns the names of the samples in a text of `/metrics`, each with its labels.
pub(super) fn samples(text: &str) -> Vec<(String, Vec<String>)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, rest) = split_name(line);
            (name.to_owned(), if rest.starts_with('{') { labels(rest).0 } else { Vec::new() })
        })
        .collect()
}

/// Returns the labels in braces at the beginning of a text, and the rest.
fn labels(text: &str) -> (Vec<String>, &str) {
    let mut labels = Vec::new();
    let mut rest = &text[1..];
    loop {
        let first = rest.chars().next().expect("braces end");
        match first {
            '}' => return (labels, &rest[1..]),
            '"' => rest = after_string(rest),
            _ if is_in_name(first) => {
                let (name, after) = split_name(rest);
                labels.push(name.to_owned());
                rest = after;
            }
            _ => rest = &rest[first.len_utf8()..],
        }
    }
}

fn is_in_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

fn split_name(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c| !is_in_name(c)).unwrap_or(text.len()))
}

/// Returns what comes after a string in quotation marks.
fn after_string(text: &str) -> &str {
    let mut is_escaped = false;
    for (index, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return &text[index + 1..],
            _ => {}
        }
    }
    panic!("a string does not end: {text}");
}
