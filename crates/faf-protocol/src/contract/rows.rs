//! A row of a table of messages as the macros of the tables describe it, before it becomes an
//! entry of the contract.

use schemars::Schema;

/// The type that describes a member: the second one if there are two.
macro_rules! described {
    ($type:ty) => {
        $type
    };
    ($type:ty, $described:ty) => {
        $described
    };
}

pub(crate) use described;

/// A row of the table of a client's or the server's messages.
pub(crate) struct Row {
    /// Its documentation, in `description`.
    pub(crate) documentation: Schema,
    /// Its members without `command`: one schema, or none if it has no members.
    pub(crate) members: Vec<Schema>,
    /// The members that are sent and ignored, in the same form.
    pub(crate) ignored: Vec<Schema>,
}

/// A row of a table of the game's commands.
pub(crate) struct GameRow {
    /// Its documentation, in `description`.
    pub(crate) documentation: Schema,
    /// All arguments as one list, for a type that reads several of them.
    pub(crate) list: Vec<Schema>,
    /// The arguments one by one.
    pub(crate) named: Vec<NamedArguments>,
}

/// The arguments of a command in order, with a schema whose members they are.
pub(crate) struct NamedArguments {
    pub(crate) names: &'static [&'static str],
    pub(crate) schema: Schema,
}
