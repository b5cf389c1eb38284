//! Walks through a value and a shape together. The value is not built: it is read once, from text
//! or from a tree, and only values with several branches are kept until it is known which one they
//! have.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::shape::{Branches, Kinds, Others, Shape, ShapeId, Shapes};
use super::{Kind, Violation};

/// Maximum number of violations that are reported of one message: one mistake in a list of players
/// would be thousands.
pub(super) const VIOLATIONS_LIMIT: usize = 16;

/// Maximum number of characters of a value or a name that are quoted; a peer can send any.
const QUOTED: usize = 60;

/// The violations found so far, and the place that is looked at.
pub(super) struct Report<'s> {
    shapes: &'s Shapes,
    path: Vec<Step<'s>>,
    pub(super) violations: Vec<Violation>,
}

enum Step<'s> {
    Member(Cow<'s, str>),
    Element(usize),
}

impl<'s> Report<'s> {
    pub(super) fn new(shapes: &'s Shapes) -> Self {
        Self { shapes, path: Vec::new(), violations: Vec::new() }
    }

    fn is_full(&self) -> bool {
        self.violations.len() >= VIOLATIONS_LIMIT
    }

    fn add(&mut self, kind: Kind, text: impl Into<String>) {
        if self.is_full() {
            return;
        }
        let (mut path, mut place) = (String::new(), String::new());
        for step in &self.path {
            match step {
                Step::Member(name) => {
                    for out in [&mut path, &mut place] {
                        if !out.is_empty() {
                            out.push('.');
                        }
                        out.push_str(name);
                    }
                }
                Step::Element(index) => {
                    path.push_str(&format!("[{index}]"));
                    place.push_str("[]");
                }
            }
        }
        self.violations.push(Violation { kind, path, place, text: text.into() });
    }

    /// Adds that a value is not one of those that are allowed.
    fn refuse<'v>(&mut self, allowed: impl Iterator<Item = &'v Value> + Clone, value: &Value) {
        let is_right_kind = allowed.clone().any(|allowed| kind_of(allowed) == kind_of(value));
        let kind = if is_right_kind { Kind::OutOfBounds } else { Kind::WrongType };
        let words: Vec<_> = allowed.map(Value::to_string).collect();
        let several = if words.len() > 1 { "one of " } else { "" };
        let text = format!("must be {several}{}, not {}", words.join(", "), quoted(&value.to_string()));
        self.add(kind, text);
    }

    fn add_at(&mut self, name: Cow<'s, str>, kind: Kind, text: impl Into<String>) {
        self.path.push(Step::Member(name));
        self.add(kind, text);
        self.path.pop();
    }
}

/// Returns the beginning of a text from outside, for a line of a report.
pub(super) fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("`{}...`", printable(&text[..end])),
        None => format!("`{}`", printable(text)),
    }
}

/// Escapes line ends and whatever else controls a terminal.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign.is_control() {
            true => out.extend(sign.escape_default()),
            false => out.push(sign),
        }
    }
    out
}

/// A value that has to have a shape.
pub(super) struct Walk<'r, 's> {
    pub(super) shape: ShapeId,
    pub(super) report: &'r mut Report<'s>,
}

impl<'s> Walk<'_, 's> {
    fn shape(&self) -> &'s Shape {
        self.report.shapes.get(self.shape)
    }

    /// Returns whether a value of this kind, and this value if it is a simple one, is allowed.
    fn is_allowed(&mut self, kinds: Kinds, value: impl Fn() -> Value) -> bool {
        let shape = self.shape();
        if !shape.kinds.has(kinds) {
            self.report.add(Kind::WrongType, format!("must be {}, not {}", shape.kinds.text(), kinds.text()));
            return false;
        }
        if shape.allowed.is_empty() || shape.allowed.iter().any(|allowed| is_equal(allowed, &value())) {
            return true;
        }
        self.report.refuse(shape.allowed.iter(), &value());
        false
    }

    fn check_number(&mut self, number: f64) {
        let shape = self.shape();
        if let Some(minimum) = shape.minimum.filter(|minimum| number < *minimum) {
            self.report.add(Kind::OutOfBounds, format!("must be at least {minimum}, not {number}"));
        }
        if let Some(maximum) = shape.maximum.filter(|maximum| number > *maximum) {
            self.report.add(Kind::OutOfBounds, format!("must be at most {maximum}, not {number}"));
        }
    }

    fn check_text(&mut self, text: &str) {
        let shape = self.shape();
        let (least, most) = shape.length;
        // A text has at most as many characters as bytes.
        if text.len() < least || text.len() > most {
            let length = text.chars().count();
            if length < least {
                self.report.add(Kind::OutOfBounds, format!("must have at least {least} characters"));
            } else if length > most {
                self.report.add(Kind::OutOfBounds, format!("has {length} characters, more than {most}"));
            }
        }
        if let Some(pattern) = shape.pattern.filter(|pattern| !pattern.is_match(text)) {
            let text = format!("must be {}, not {}", pattern.name, quoted(text));
            self.report.add(Kind::OutOfBounds, text);
        }
    }

    fn check_count(&mut self, count: usize) {
        let (least, most) = self.shape().count;
        if count < least {
            self.report.add(Kind::OutOfBounds, format!("has {count} elements, fewer than {least}"));
        } else if count > most {
            self.report.add(Kind::OutOfBounds, format!("has {count} elements, more than {most}"));
        }
    }

    /// Checks a value against the branch that it means.
    fn check_branches(mut self, value: &Value) {
        let (shape, shapes) = (self.shape(), self.report.shapes);
        match &shape.branches {
            Branches::None => {}
            Branches::ByKind(branches) => {
                let kind = kind_of(value);
                let fitting = branches.iter().find(|branch| shapes.get(**branch).kinds.has(kind));
                match fitting {
                    Some(branch) => self.go_on(*branch, value),
                    None => {
                        let names: Vec<_> =
                            branches.iter().map(|branch| shapes.get(*branch).kinds.text()).collect();
                        let text = format!("must be {}, not {}", names.join(" or "), kind.text());
                        self.report.add(Kind::WrongType, text);
                    }
                }
            }
            Branches::ByMember(member, branches) => match value.get(member) {
                Some(tag) => self.check_tag(Step::Member(Cow::Borrowed(member)), tag, branches, value),
                // Any branch says the same about a value without the member, or of another kind.
                None if value.is_object() => {
                    self.report.add_at(Cow::Borrowed(member), Kind::MissingMember, "is missing");
                }
                None => self.go_on(branches[0].1, value),
            },
            Branches::ByFirst(branches) => match value.get(0) {
                Some(tag) => self.check_tag(Step::Element(0), tag, branches, value),
                None => self.go_on(branches[0].1, value),
            },
        }
    }

    fn check_tag(mut self, step: Step<'s>, tag: &Value, branches: &'s [(Value, ShapeId)], value: &Value) {
        if let Some((_, branch)) = branches.iter().find(|(constant, _)| constant == tag) {
            return self.go_on(*branch, value);
        }
        self.report.path.push(step);
        self.report.refuse(branches.iter().map(|(constant, _)| constant), tag);
        self.report.path.pop();
    }

    fn go_on(&mut self, branch: ShapeId, value: &Value) {
        let walk = Walk { shape: branch, report: &mut *self.report };
        walk.deserialize(value).expect("a tree can be read");
    }
}

fn kind_of(value: &Value) -> Kinds {
    match value {
        Value::Null => Kinds::NULL,
        Value::Bool(_) => Kinds::BOOLEAN,
        Value::Number(number) if number.as_f64().is_some_and(|number| number.fract() == 0.0) => {
            Kinds::INTEGER
        }
        Value::Number(_) => Kinds::FRACTION,
        Value::String(_) => Kinds::TEXT,
        Value::Array(_) => Kinds::LIST,
        Value::Object(_) => Kinds::OBJECT,
    }
}

/// Returns whether two simple values are equal, where 1 is 1.0.
fn is_equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        _ => one == other,
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if matches!(self.shape().branches, Branches::None) {
            return deserializer.deserialize_any(self);
        }
        let value = <Value as serde::Deserialize>::deserialize(deserializer)?;
        self.check_branches(&value);
        Ok(())
    }
}

impl<'de> Visitor<'de> for Walk<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: Error>(mut self) -> Result<(), E> {
        self.is_allowed(Kinds::NULL, || Value::Null);
        Ok(())
    }

    fn visit_bool<E: Error>(mut self, flag: bool) -> Result<(), E> {
        self.is_allowed(Kinds::BOOLEAN, || flag.into());
        Ok(())
    }

    fn visit_i64<E: Error>(mut self, number: i64) -> Result<(), E> {
        if self.is_allowed(Kinds::INTEGER, || number.into()) {
            self.check_number(number as f64);
        }
        Ok(())
    }

    fn visit_u64<E: Error>(mut self, number: u64) -> Result<(), E> {
        if self.is_allowed(Kinds::INTEGER, || number.into()) {
            self.check_number(number as f64);
        }
        Ok(())
    }

    fn visit_f64<E: Error>(mut self, number: f64) -> Result<(), E> {
        let kind = if number.fract() == 0.0 { Kinds::INTEGER } else { Kinds::FRACTION };
        if self.is_allowed(kind, || number.into()) {
            self.check_number(number);
        }
        Ok(())
    }

    fn visit_str<E: Error>(mut self, text: &str) -> Result<(), E> {
        if self.is_allowed(Kinds::TEXT, || text.into()) {
            self.check_text(text);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        if !self.is_allowed(Kinds::LIST, || Value::Array(Vec::new())) {
            while elements.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        let shape = self.shape();
        let mut count = 0;
        loop {
            let inner = shape.first.get(count).copied().or(shape.rest).filter(|_| !self.report.is_full());
            let is_there = match inner {
                Some(inner) => {
                    self.report.path.push(Step::Element(count));
                    let walked = elements.next_element_seed(Walk { shape: inner, report: &mut *self.report });
                    self.report.path.pop();
                    walked?.is_some()
                }
                None => elements.next_element::<IgnoredAny>()?.is_some(),
            };
            if !is_there {
                break;
            }
            count += 1;
        }
        self.check_count(count);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        if !self.is_allowed(Kinds::OBJECT, || Value::Object(serde_json::Map::new())) {
            while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        let shape = self.shape();
        let mut required = 0;
        let mut of_one = 0;
        // Names are borrowed from the text unless they have escapes.
        let mut present: Vec<&str> = Vec::with_capacity(shape.members.len());
        while let Some(name) = members.next_key::<Name<'de>>()? {
            let known = shape.members.get_key_value(&*name.0);
            if let Some((known, member)) = known {
                required += usize::from(member.is_required);
                present.push(known);
            }
            of_one += usize::from(shape.one_of.iter().any(|other| **other == *name.0));
            if let Some(pattern) = shape.names.filter(|pattern| !pattern.is_match(&name.0)) {
                let text = format!("the name of a member must be {}", pattern.name);
                self.report.add_at(short(&name.0), Kind::UnknownMember, text);
            }
            let inner = match (known, shape.others) {
                (Some((_, member)), _) => Some(member.shape),
                (None, Others::Like(inner)) => Some(inner),
                (None, Others::Any) => None,
                (None, Others::Refused) => {
                    let text = "is not a member of this message";
                    self.report.add_at(short(&name.0), Kind::UnknownMember, text);
                    None
                }
            };
            match inner.filter(|_| !self.report.is_full()) {
                Some(inner) => {
                    let step =
                        known.map_or_else(|| short(&name.0), |(known, _)| Cow::Borrowed(known.as_str()));
                    self.report.path.push(Step::Member(step));
                    let walked = members.next_value_seed(Walk { shape: inner, report: &mut *self.report });
                    self.report.path.pop();
                    walked?;
                }
                None => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        if required < shape.required {
            for (name, member) in &shape.members {
                if member.is_required && !present.contains(&name.as_str()) {
                    self.report.add_at(Cow::Borrowed(name), Kind::MissingMember, "is missing");
                }
            }
        }
        if !shape.one_of.is_empty() && of_one != 1 {
            let names = shape.one_of.join("` and `");
            let kind = if of_one == 0 { Kind::MissingMember } else { Kind::UnknownMember };
            self.report.add(kind, format!("must have exactly one of `{names}`, not {of_one}"));
        }
        Ok(())
    }
}

/// Returns the name of a member from outside, for a line of a report.
fn short(name: &str) -> Cow<'static, str> {
    let end = name.char_indices().nth(QUOTED).map_or(name.len(), |(end, _)| end);
    Cow::Owned(printable(&name[..end]))
}

/// The name of a member, borrowed if it can be.
struct Name<'de>(Cow<'de, str>);

impl<'de> serde::Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;

        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a member")
            }

            fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }

        deserializer.deserialize_str(NameVisitor)
    }
}
