//! How single values are described: narrower than the types that read them, and with their units.
//!
//! A table's row names one of these after `as`. Types that occur in several places or have members
//! describe themselves where they are declared.

#![allow(dead_code, reason = "these types are only described, never made")]

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::country::Country;
use crate::faction::{Faction, Factions};
use crate::gpgnet::GameMods;
use crate::json::Json;
use crate::secret::Secret;
use crate::server_message::{LeaderboardRating, Rating, Ratings, TeamNames};

/// Member of a schema with the unit of a value: a word, or a phrase.
pub const UNIT: &str = "x-unit";

/// Mark of a member that may be null although it can also be left out.
pub(super) const OR_NULL: &str = "x-or-null";

/// Pattern of a text that is an integer, as games write them.
const INTEGER: &str = "^ *-?[0-9]+ *$";

/// Pattern of a text that is an id.
const ID: &str = "^ *[0-9]+ *$";

/// Pattern of a time: ISO 8601, UTC, with microseconds unless they are zero.
const TIME: &str = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{6})?\\+00:00$";

/// Declares types that only have a description.
macro_rules! values {
    ($( $(#[$doc:meta])* $name:ident = $schema:tt; )*) => {$(
        $(#[$doc])*
        #[derive(Default)]
        pub(crate) struct $name;

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )*};
}

values! {
    /// A time of day on a date.
    Time = { "type": "string", "format": "date-time", "pattern": TIME, "x-unit": "ISO 8601, UTC" };
    /// A time with a fraction.
    UnixTime = { "type": "number", "minimum": 0, "x-unit": "Unix seconds" };
    /// A time to the second.
    UnixSeconds = { "type": "integer", "minimum": 0, "x-unit": "Unix seconds" };
    /// A duration in whole seconds.
    Seconds = { "type": "integer", "minimum": 0, "x-unit": "seconds" };
    /// SHA-256 of a password.
    PasswordDigest = { "type": "string", "pattern": "^[0-9a-f]{64}$" };
    /// A JWT.
    Token = { "type": "string", "minLength": 1 };
    /// A text that is not empty.
    Text = { "type": "string", "minLength": 1 };
    /// A text without characters outside of ASCII.
    AsciiText = { "type": "string", "pattern": "^[\\x00-\\x7F]*$" };
    /// The title of a game.
    Title = { "type": "string", "maxLength": 128 };
    /// The address of a file or picture.
    Url = { "type": "string", "minLength": 1, "x-unit": "URL" };
    /// A displayed rating.
    RatingBound = { "type": "number", "minimum": -1_000_000, "maximum": 1_000_000, "x-unit": "displayed rating" };
    /// The only password that `irc_password` has.
    Deprecated = { "const": "deprecated" };
    /// The featured mod of co-op missions.
    Coop = { "const": "coop" };
    /// The campaigns of co-op missions.
    Campaign = { "enum": [
        "FA Campaign", "Aeon Vanilla Campaign", "Cybran Vanilla Campaign", "UEF Vanilla Campaign", "Custom Missions"
    ] };
    /// The level of a player's rights.
    Power = { "type": "integer", "minimum": 0, "maximum": 2 };
    /// A flag as a number.
    ZeroOrOne = { "type": "integer", "minimum": 0, "maximum": 1 };
    /// A number that is counted from 1.
    OneOrMore = { "type": "integer", "minimum": 1 };
    /// A number of likes, which is sent with a fraction of zero.
    Count = { "type": "number", "minimum": 0 };
    /// One of the two teams of a match.
    MatchTeam = { "type": "integer", "minimum": 2, "maximum": 3 };
    /// A faction by its number in the game.
    FactionNumber = { "type": "integer", "minimum": 1, "maximum": 5 };
    /// A list without elements.
    NothingInList = { "type": "array", "maxItems": 0 };
    /// A value without members and elements.
    Scalar = { "type": ["string", "number", "boolean"] };
    /// The orders to a search.
    SearchCommand = { "enum": ["start", "stop"] };
    /// Arguments for the game process.
    GameArguments = {
        "type": "array", "minItems": 2, "maxItems": 2,
        "prefixItems": [{ "const": "/numgames" }, { "type": "integer", "minimum": 0 }]
    };
    /// An entry in the list of games is the same object as the message about one game.
    GameInList = { "$ref": "#/$defs/server.game_info" };
    /// A faction by name or number.
    ChosenFaction = { "enum": ["uef", "aeon", "cybran", "seraphim", "nomad", 1, 2, 3, 4, 5] };
    /// An integer in a message of a game.
    GameInteger = { "type": ["integer", "string"], "pattern": INTEGER };
    /// Id of an account in a message of a game; 0 stands for an AI.
    GamePlayerId = { "type": ["integer", "string"], "minimum": 0, "maximum": PLAYER_ID_MAX, "pattern": ID };
    /// A flag in a message of a game.
    GameFlag = { "enum": [true, false, 1, 0, "true", "false", "True", "False", "1", "0"] };
    /// A time in the game.
    GameTime = {
        "type": ["number", "string"], "minimum": 0, "pattern": "^[0-9]+(\\.[0-9]*)?$", "x-unit": "seconds of the game"
    };
    /// A duration of a co-op mission.
    Duration = { "type": "string", "pattern": "^[0-9]+:[0-9]{2}:[0-9]{2}$", "x-unit": "HH:MM:SS" };
    /// A result of an army.
    Outcome = { "type": "string", "pattern": "^([A-Za-z]+ )+-?[0-9]+$" };
}

const PLAYER_ID_MAX: i32 = i32::MAX;

/// The factions that a player chooses: at least one, by name or number.
pub(crate) struct ChosenFactions;

impl JsonSchema for ChosenFactions {
    fn schema_name() -> Cow<'static, str> {
        "ChosenFactions".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "array", "minItems": 1, "items": generator.subschema_for::<ChosenFaction>() })
    }
}

/// A text or number that may also be null. In a member that can be left out, both mean the same.
pub(crate) struct OrNull<T>(T);

impl<T: JsonSchema> JsonSchema for OrNull<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = T::json_schema(generator);
        if let Some(types) = schema.remove("type") {
            schema.insert("type".to_owned(), json!([types, "null"]));
        }
        schema.insert(OR_NULL.to_owned(), Value::Bool(true));
        schema
    }
}

/// Declares descriptions of types whose form on the wire is not that of their members. The flag
/// says whether they stand where they are used instead of being definitions of their own.
macro_rules! described_types {
    ($( $type:ty, $inline:literal, $name:literal, |$generator:ident| $schema:tt; )*) => {$(
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn inline_schema() -> bool {
                $inline
            }

            fn json_schema($generator: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )*};
}

described_types! {
    Json, true, "Json", |_generator| {};
    Secret, true, "Secret", |_generator| { "type": "string" };
    Country, true, "Country", |_generator| {
        "type": "string", "pattern": "^([A-Za-z0-9]{2})?$", "x-unit": "ISO 3166"
    };
    Factions, true, "Factions", |generator| {
        "type": "array", "maxItems": Faction::ALL.len(), "items": generator.subschema_for::<Faction>()
    };
    Rating, false, "Rating", |_generator| {
        "description": "A rating: mean, then deviation. Clients show mean - 3 * deviation.",
        "type": "array", "minItems": 2, "maxItems": 2,
        "prefixItems": [
            { "type": "number", "description": "The estimate of the player's strength." },
            { "type": "number", "minimum": 0, "description": "The uncertainty of the estimate." }
        ]
    };
    Ratings, false, "Ratings", |generator| {
        "description": "Ratings by the technical name of the leaderboard.",
        "type": "object",
        "properties": {
            "global": generator.subschema_for::<LeaderboardRating>(),
            "ladder_1v1": generator.subschema_for::<LeaderboardRating>()
        },
        "required": ["global", "ladder_1v1"],
        "additionalProperties": generator.subschema_for::<LeaderboardRating>()
    };
    TeamNames, false, "TeamNames", |_generator| {
        "description": "Names of players by the number of their team, which is written as text.",
        "type": "object",
        "propertyNames": { "pattern": "^-?[0-9]+$" },
        "additionalProperties": { "type": "array", "items": { "type": "string" } }
    };
    // These are all arguments of the command.
    GameMods, true, "GameMods", |generator| {
        "anyOf": [
            {
                "description": "The number of active mods; 0 clears the list.",
                "type": "array", "minItems": 2, "maxItems": 2,
                "prefixItems": [{ "const": "activated" }, generator.subschema_for::<GameInteger>()]
            },
            {
                "description": "The active mods: uids, separated by spaces.",
                "type": "array", "minItems": 2, "maxItems": 2,
                "prefixItems": [{ "const": "uids" }, { "type": "string" }]
            }
        ]
    };
}
