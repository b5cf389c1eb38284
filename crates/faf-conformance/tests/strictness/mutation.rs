//! Changes of a recording, one at a time.

use std::collections::{BTreeMap, BTreeSet};

use faf_sessions::transcript::{Http, Publication, Record};
use serde_json::{Map, Value, json};

/// A kind of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A member of a message or of a row is dropped.
    MemberDropped,
    /// A message or a row has a member more.
    MemberAdded,
    /// A number is one more, a text has a letter more, a truth value is the other one, or there is
    /// a value instead of none.
    ValueChanged,
    /// There is no value instead of one.
    ValueGone,
    /// A value has another type: a text instead of a number, a number instead of a text.
    TypeChanged,
    /// An integer is written with a decimal point.
    WrittenAsFloat,
    /// A number is off by a billionth.
    RoundedElsewhere,
    /// A list lacks its last element.
    ElementMissing,
    /// A list has its last element twice.
    ElementTwice,
    /// The first two different elements of a list change places.
    ElementsSwapped,
    /// A message or publication is missing.
    Missing,
    /// A message or publication comes twice.
    Twice,
    /// A message comes to another client.
    WrongClient,
    /// A message comes to another client, too, which should not receive any message like it.
    AlsoToAnother,
    /// A message changes places with the next one to the same client.
    Swapped,
    /// A connection is not closed.
    NotClosed,
    /// A connection is closed.
    Closed,
    /// A row of a table is missing.
    RowMissing,
    /// A row of a table is there twice.
    RowTwice,
}

/// A change of one record of a section.
#[derive(Debug, Clone)]
pub(crate) struct Mutation {
    pub(crate) kind: Kind,
    /// The command or routing key, and the member; or table and column.
    pub(crate) place: String,
    /// Position of the record that was changed.
    pub(crate) at: usize,
    /// The section with the change.
    pub(crate) records: Vec<Record>,
}

/// Number of changes of one kind at one place that are made in all sessions together.
const ENOUGH: usize = 4;

/// The kinds of changes that were made, with their places.
#[derive(Debug, Default)]
pub(crate) struct Known(BTreeMap<(Kind, String), usize>);

impl Known {
    /// Returns whether there have not been enough changes of this kind at this place.
    fn insert(&mut self, change: (Kind, String)) -> bool {
        let count = self.0.entry(change).or_default();
        *count += 1;
        *count <= ENOUGH
    }
}

/// Returns the changes of a section. Each message is dropped, repeated and so on; of the changes of
/// one kind at one place in a message, only some are made.
pub(crate) fn mutations(records: &[Record], clients: &BTreeSet<String>, known: &mut Known) -> Vec<Mutation> {
    let mut mutations = Vec::new();
    let replaced = |at: usize, record: Record| {
        let mut changed = records.to_vec();
        changed[at] = record;
        changed
    };
    for (at, record) in records.iter().enumerate() {
        let mut add = |kind: Kind, place: &str, records: Vec<Record>| {
            mutations.push(Mutation { kind, place: place.to_owned(), at, records });
        };
        match record {
            Record::Receive(conn, message) => {
                let command = message["command"].as_str().unwrap_or_default();
                for (kind, place, value) in values(command, message) {
                    if known.insert((kind, place.clone())) {
                        add(kind, &place, replaced(at, Record::Receive(conn.clone(), value)));
                    }
                }
                whole(records, at, conn, clients, |kind, records| add(kind, command, records));
            }
            Record::ClosedByServer(_) => {
                let mut changed = records.to_vec();
                changed.remove(at);
                add(Kind::NotClosed, "the end", changed);
            }
            Record::Database(tables) => {
                for (kind, place, value) in rows(tables) {
                    if known.insert((kind, place.clone())) {
                        add(kind, &place, replaced(at, Record::Database(value)));
                    }
                }
            }
            Record::Publication(publication) => {
                let Publication { routing_key, delivery_mode, body } = publication.clone();
                let key = format!("broker {routing_key}");
                for (kind, place, body) in values(&key, &body) {
                    if known.insert((kind, place.clone())) {
                        let (routing_key, body) = (routing_key.clone(), body);
                        let other = Publication { routing_key, delivery_mode, body };
                        add(kind, &place, replaced(at, Record::Publication(other)));
                    }
                }
                for (place, routing_key, delivery_mode) in [
                    ("routing_key", format!("{routing_key}x"), delivery_mode),
                    ("delivery_mode", routing_key.clone(), 3 - delivery_mode),
                ] {
                    let other = Publication { routing_key, delivery_mode, body: body.clone() };
                    let records = replaced(at, Record::Publication(other));
                    add(Kind::ValueChanged, &format!("{key}, {place}"), records);
                }
                let mut changed = records.to_vec();
                changed.remove(at);
                add(Kind::Missing, &key, changed);
                let mut changed = records.to_vec();
                changed.insert(at, record.clone());
                add(Kind::Twice, &key, changed);
            }
            Record::Http(page) => {
                for (kind, place, body) in values(&page.path, &page.body) {
                    if known.insert((kind, place.clone())) {
                        add(kind, &place, replaced(at, Record::Http(Http { body, ..page.clone() })));
                    }
                }
                let (status, content_type) = (page.status + 1, format!("x{}", page.content_type));
                for (place, page) in [
                    ("status", Http { status, ..page.clone() }),
                    ("content type", Http { content_type, ..page.clone() }),
                ] {
                    let place = format!("{}, {place}", page.path);
                    add(Kind::ValueChanged, &place, replaced(at, Record::Http(page)));
                }
            }
            Record::PolicyRequest(request) => {
                for (kind, place, value) in values("policy", request) {
                    add(kind, &place, replaced(at, Record::PolicyRequest(value)));
                }
                let mut changed = records.to_vec();
                changed.remove(at);
                add(Kind::Missing, "policy", changed);
            }
            _ => {}
        }
    }
    mutations.extend(closed(records, clients));
    mutations
}

/// Changes that are about a whole message to a client.
fn whole(
    records: &[Record],
    at: usize,
    conn: &str,
    clients: &BTreeSet<String>,
    mut add: impl FnMut(Kind, Vec<Record>),
) {
    let Record::Receive(_, message) = &records[at] else { return };
    let mut changed = records.to_vec();
    changed.remove(at);
    add(Kind::Missing, changed);
    let mut changed = records.to_vec();
    changed.insert(at, records[at].clone());
    add(Kind::Twice, changed);
    if let Some(other) = clients.iter().find(|other| other.as_str() != conn) {
        let mut changed = records.to_vec();
        changed[at] = Record::Receive(other.clone(), message.clone());
        add(Kind::WrongClient, changed);
    }
    let subject = |record: &Record, to: &str| match record {
        Record::Receive(conn, other) => {
            conn == to && other["command"] == message["command"] && other["uid"] == message["uid"]
        }
        _ => false,
    };
    let never =
        |other: &&String| other.as_str() != conn && !records.iter().any(|record| subject(record, other));
    if let Some(other) = clients.iter().find(never) {
        let mut changed = records.to_vec();
        changed.insert(at, Record::Receive(other.clone(), message.clone()));
        add(Kind::AlsoToAnother, changed);
    }
    let next = records.iter().enumerate().skip(at + 1);
    let next = next.filter_map(|(position, record)| match record {
        Record::Receive(other, later) if other == conn => Some((position, later)),
        _ => None,
    });
    if let Some((position, later)) = next.into_iter().next()
        && later != message
    {
        let mut changed = records.to_vec();
        changed.swap(at, position);
        add(Kind::Swapped, changed);
    }
}

/// Returns the section in which each open connection is closed at the end.
fn closed(records: &[Record], clients: &BTreeSet<String>) -> Vec<Mutation> {
    let is_end = |record: &Record, name: &str| match record {
        Record::ClosedByServer(conn) | Record::ClosedByClient(conn) => conn == name,
        _ => false,
    };
    let open = clients.iter().filter(|name| !records.iter().any(|record| is_end(record, name)));
    let close = |name: &String| {
        let at = records.len();
        let records = records.iter().cloned().chain([Record::ClosedByServer(name.clone())]).collect();
        Mutation { kind: Kind::Closed, place: "the end".to_owned(), at, records }
    };
    open.map(close).collect()
}

/// Returns the changes of a value, of its members and of their members, with their places.
fn values(place: &str, value: &Value) -> Vec<(Kind, String, Value)> {
    let mut all = Vec::new();
    let mut add = |kind: Kind, value: Value| all.push((kind, place.to_owned(), value));
    match value {
        Value::Object(members) => {
            let mut more = members.clone();
            more.insert("something_else".to_owned(), json!(1));
            add(Kind::MemberAdded, Value::Object(more));
            for (name, member) in members {
                let mut less = members.clone();
                less.remove(name);
                let place = format!("{place}.{name}");
                all.push((Kind::MemberDropped, place.clone(), Value::Object(less)));
                all.extend(values(&place, member).into_iter().map(|(kind, place, value)| {
                    let mut members: Map<String, Value> = members.clone();
                    members.insert(name.clone(), value);
                    (kind, place, Value::Object(members))
                }));
            }
        }
        Value::Array(elements) => {
            if let Some((last, others)) = elements.split_last() {
                add(Kind::ElementMissing, others.into());
                add(Kind::ElementTwice, [elements.as_slice(), std::slice::from_ref(last)].concat().into());
            }
            if let Some(position) = elements.windows(2).position(|pair| pair[0] != pair[1]) {
                let mut swapped = elements.clone();
                swapped.swap(position, position + 1);
                add(Kind::ElementsSwapped, swapped.into());
            }
            for (position, element) in elements.iter().enumerate() {
                let place = format!("{place}[]");
                all.extend(values(&place, element).into_iter().map(|(kind, place, value)| {
                    let mut elements = elements.clone();
                    elements[position] = value;
                    (kind, place, Value::Array(elements))
                }));
            }
        }
        Value::Null => {
            add(Kind::ValueChanged, json!(0));
            add(Kind::TypeChanged, json!("null"));
        }
        Value::Bool(is_true) => {
            add(Kind::ValueChanged, json!(!is_true));
            add(Kind::ValueGone, Value::Null);
            add(Kind::TypeChanged, json!(i32::from(*is_true)));
        }
        Value::String(text) => {
            add(Kind::ValueChanged, json!(format!("{text}x")));
            add(Kind::ValueGone, Value::Null);
            add(Kind::TypeChanged, json!(text.len()));
        }
        Value::Number(number) => {
            let changed = match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => json!(number + 1),
                (_, Some(number)) => json!(number + 1),
                _ => json!(number.as_f64().unwrap_or_default() + 1.0),
            };
            add(Kind::ValueChanged, changed);
            add(Kind::ValueGone, Value::Null);
            add(Kind::TypeChanged, json!(number.to_string()));
            let float = number.as_f64().unwrap_or_default();
            match number.is_f64() {
                true if float == 0.0 => {}
                true => add(Kind::RoundedElsewhere, json!(float * (1.0 + 1e-9))),
                false => add(Kind::WrittenAsFloat, json!(float)),
            }
        }
    }
    all
}

/// Returns the changes of recorded rows.
fn rows(tables: &Value) -> Vec<(Kind, String, Value)> {
    let mut all = Vec::new();
    for (table, changes) in tables.as_object().into_iter().flatten() {
        for (change, rows) in changes.as_object().into_iter().flatten() {
            let rows = rows.as_array().cloned().unwrap_or_default();
            let place = format!("{change} {table}");
            let with = |rows: Vec<Value>| {
                let mut tables = tables.clone();
                tables[table][change] = rows.into();
                tables
            };
            for position in 0..rows.len() {
                let mut less = rows.clone();
                less.remove(position);
                all.push((Kind::RowMissing, place.clone(), with(less)));
                let mut more = rows.clone();
                more.push(rows[position].clone());
                all.push((Kind::RowTwice, place.clone(), with(more)));
                for (kind, place, row) in values(&place, &rows[position]) {
                    let mut rows = rows.clone();
                    rows[position] = row;
                    all.push((kind, place, with(rows)));
                }
            }
            if rows.len() > 1 {
                let mut swapped = rows.clone();
                swapped.swap(0, 1);
                all.push((Kind::ElementsSwapped, place.clone(), with(swapped)));
            }
        }
    }
    all
}
