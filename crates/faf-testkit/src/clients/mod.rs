//! Four programs that players use, as tables of what they require of the server's messages
//! (`golden/clients/README.md`), and the check of messages against these tables.
//!
//! ```text
//!   golden/clients/java.json  -->  Client   what one program reads, of which type    shape.rs
//!                                     |
//!   messages to one connection  -->  Checker  -->  Violation                         checker.rs
//!
//!   all messages of a simulated lobby  -->  Programs                                 programs.rs
//! ```

mod checker;
mod ordered;
mod programs;
mod shape;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

pub use checker::{Checker, Violation};
pub use programs::Programs;
use shape::Shape;

/// The programs with tables.
pub const NAMES: [&str; 4] = ["java", "python", "rust", "dotnet"];

/// The requirements of one program on the messages that it receives.
#[derive(Debug, Deserialize)]
pub struct Client {
    /// Its name, which is that of the file.
    #[serde(skip)]
    name: &'static str,
    commands: BTreeMap<String, Command>,
    /// Commands that tell of players.
    players_told_in: Vec<String>,
    /// Whether it no longer knows players who are offline.
    forgets_offline_players: bool,
    /// Violations that the original server commits as well.
    original_violates: Vec<Known>,
}

/// The forms of a command. The first whose members are all there counts.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Value")]
struct Command(Vec<Form>);

#[derive(Debug, Deserialize)]
struct Form {
    /// Members that only this form has.
    #[serde(default)]
    when_present: Vec<String>,
    #[serde(flatten)]
    shape: Shape,
}

/// A violation of the original server.
#[derive(Debug, Deserialize)]
struct Known {
    command: String,
    rule: String,
    paths: Vec<String>,
    /// The values that it sends there, if not any.
    values: Option<Vec<Value>>,
    /// All members of the message, if it matters.
    message_has_only: Option<Vec<String>>,
}

impl Client {
    /// Reads all tables. They describe programs and not recordings, so that they are always those
    /// of the repository.
    ///
    /// # Panics
    /// If a table is missing or has a form that is not known here.
    #[must_use]
    pub fn all() -> Vec<Arc<Self>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden/clients");
        let read = |name| {
            let path = folder.join(format!("{name}.json"));
            let client: Self = serde_json::from_str(&crate::golden::text(&path))
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            Arc::new(Self { name, ..client })
        };
        NAMES.into_iter().map(read).collect()
    }

    /// Returns the name of the program: one of [`NAMES`].
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }
}

impl TryFrom<Value> for Command {
    type Error = serde_json::Error;

    fn try_from(mut value: Value) -> Result<Self, serde_json::Error> {
        let Some(Value::Array(variants)) = value.get_mut("variants").map(Value::take) else {
            return Ok(Self(vec![Form::deserialize(value)?]));
        };
        variants.into_iter().map(Form::deserialize).collect::<Result<_, _>>().map(Self)
    }
}
