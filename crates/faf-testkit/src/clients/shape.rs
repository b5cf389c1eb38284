//! The requirements of a program on one value.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// Conditions on the other members of the same object: one of these values each.
pub(super) type Condition = BTreeMap<String, Vec<Value>>;

/// The requirements of a program on a value. Types that it takes although it does not declare them
/// are left out.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Shape {
    #[serde(rename = "type")]
    pub(super) kind: Kind,
    /// Further types that it declares.
    pub(super) accepts: Vec<Kind>,
    pub(super) required: bool,
    pub(super) required_when: Option<Condition>,
    pub(super) nullable: bool,
    pub(super) non_null_when: Option<Condition>,
    #[serde(rename = "enum")]
    pub(super) words: Option<Vec<Value>>,
    pub(super) ignore_case: bool,
    pub(super) outside: Option<Outside>,
    pub(super) format: Option<Format>,
    /// Size of a signed integer.
    pub(super) bits: Option<u32>,
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    pub(super) min_items: usize,
    pub(super) max_items: Option<usize>,
    /// The elements of an array.
    pub(super) items: Option<Box<Shape>>,
    /// The first elements of an array, one after the other.
    pub(super) positions: Vec<Shape>,
    pub(super) members: BTreeMap<String, Shape>,
    pub(super) extra_members: Option<ExtraMembers>,
    pub(super) relations: Vec<Relation>,
    /// The values of a map.
    pub(super) values: Option<Box<Shape>>,
    pub(super) keys: Option<Format>,
    pub(super) refers_to: Option<RefersTo>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    #[default]
    Any,
    String,
    Int,
    Float,
    Bool,
    Array,
    Object,
    Map,
    /// A number without a fraction, however it is written.
    Whole,
    /// A whole number as text.
    Numeric,
}

/// The effect of a value outside a list.
#[derive(Debug, Deserialize)]
pub(super) struct Outside {
    pub(super) effect: OutsideEffect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum OutsideEffect {
    Reject,
    Default,
    Ignored,
}

/// The effect of a member without a place in the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ExtraMembers {
    /// The whole message is dropped.
    Drop,
}

#[derive(Debug, Deserialize)]
pub(super) struct Relation {
    pub(super) rule: RelationRule,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RelationRule {
    UniqueTeamIds,
    TeamsAndIdsParallel,
}

/// The thing that a number is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RefersTo {
    Player,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Format {
    /// Date and time with an offset.
    #[serde(rename = "iso8601_offset")]
    TimeWithOffset,
    /// The same; the offset may be missing.
    #[serde(rename = "iso8601")]
    Time,
    /// An address with a scheme that a program can open.
    Url,
    NonEmpty,
    IntText,
}

impl Format {
    pub(super) fn fits(self, text: &str) -> bool {
        match self {
            Self::TimeWithOffset => is_time(text, true),
            Self::Time => is_time(text, false),
            Self::Url => {
                let scheme = text.split_once(':').map(|(scheme, _)| scheme.to_lowercase());
                matches!(scheme.as_deref(), Some("http" | "https" | "ftp" | "file" | "jar"))
            }
            Self::NonEmpty => !text.trim().is_empty(),
            Self::IntText => {
                let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
                !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
            }
        }
    }
}

/// Returns whether a text is `2030-01-02T18:05:30.25+00:00`, or the same without a fraction or
/// seconds, or with the offset `Z`.
fn is_time(text: &str, needs_offset: bool) -> bool {
    let Some((date, rest)) = text.split_once('T') else { return false };
    let end = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
    let (time, offset) = rest.split_at(end);
    let (time, fraction) =
        time.split_once('.').map_or((time, None), |(time, fraction)| (time, Some(fraction)));
    let offset_fits = match offset {
        "" => !needs_offset,
        "Z" => true,
        _ => ["+00:00", "-00:00"].iter().any(|offset_form| has_form(offset, offset_form)),
    };
    let time_fits = match fraction {
        None => has_form(time, "00:00") || has_form(time, "00:00:00"),
        Some(fraction) => {
            has_form(time, "00:00:00")
                && (1..=9).contains(&fraction.len())
                && has_form(fraction, &"0".repeat(fraction.len()))
        }
    };
    has_form(date, "0000-00-00") && time_fits && offset_fits
}

/// Returns whether a text is like `form`, with any digits in place of its zeros.
fn has_form(text: &str, form: &str) -> bool {
    let fits = |(byte, form): (u8, u8)| if form == b'0' { byte.is_ascii_digit() } else { byte == form };
    text.len() == form.len() && text.bytes().zip(form.bytes()).all(fits)
}
