//! The table of the commands of one direction: each row has the name of a command on the wire and
//! its arguments in order, and everything else follows from it.

use crate::ids::PlayerId;
use crate::json::Json;

use super::arguments::{ArgumentError, Arguments};

/// Declares the commands of one direction, with reading and writing.
///
/// A row is `Name { argument: Type, } = "WireName";`, or `Name(argument: Type)` for a type that
/// reads several arguments. `argument: bool => flag` reads the argument with that method of
/// [`Arguments`]. After `as` comes the type that describes an argument in the contract if it is
/// narrower than what is read. The second enum has the names alone.
macro_rules! commands {
    (
        $(#[$enum_doc:meta])*
        pub enum $enum:ident;

        $(#[$names_doc:meta])*
        pub enum $names:ident;

        $($table:tt)*
    ) => {
        command_names! { $(#[$names_doc])* pub enum $names; $($table)* }
        #[cfg(feature = "schemas")]
        command_rows! { pub enum $names; $($table)* }
        commands! { $(#[$enum_doc])* pub enum $enum; $($table)* }
    };
    (
        $(#[$enum_doc:meta])*
        pub enum $enum:ident;

        $(
            $(#[$doc:meta])*
            $name:ident $(($inner:ident: $inner_type:ty))? $({
                $( $(#[$argument_doc:meta])* $argument:ident: $type:ty $(=> $reader:ident)? $(as $described:ty)?, )*
            })? = $wire:literal;
        )*
    ) => {
        $(#[$enum_doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $enum {
            $(
                $(#[$doc])*
                $name $(($inner_type))? $({ $( $(#[$argument_doc])* $argument: $type, )* })?,
            )*
            /// A command that is not in this list; all its arguments are surplus.
            Unknown {
                /// Name of the command.
                command: String,
            },
        }

        impl $enum {
            /// Returns the name of the command on the wire.
            #[must_use]
            pub fn name(&self) -> &str {
                match self {
                    $( Self::$name { .. } => $wire, )*
                    Self::Unknown { command } => command,
                }
            }

            /// Reads a command, and the arguments after those that it needs.
            ///
            /// # Errors
            /// [`ArgumentError`] for the first argument that is missing or of the wrong type.
            pub fn read(message: &GpgNetMessage) -> Result<$crate::gpgnet::WithSurplus<Self>, ArgumentError> {
                let mut args = Arguments::new(message);
                let command = match message.command.as_str() {
                    $(
                        $wire => Self::$name
                            $((<$inner_type as Argument>::read(&mut args, stringify!($inner))?))?
                            $({ $( $argument: commands!(read args $argument $($reader)?), )* })?,
                    )*
                    unknown => Self::Unknown { command: unknown.to_owned() },
                };
                Ok($crate::gpgnet::WithSurplus { command, surplus: args.surplus() })
            }

            fn args(self) -> Vec<Json> {
                let mut args = Vec::new();
                match self {
                    $(
                        Self::$name $(($inner))? $({ $( $argument, )* })? => {
                            $( $inner.write(&mut args); )?
                            $( $( $argument.write(&mut args); )* )?
                        }
                    )*
                    Self::Unknown { .. } => {}
                }
                args
            }
        }

        impl From<$enum> for GpgNetMessage {
            fn from(command: $enum) -> Self {
                Self { command: command.name().to_owned(), args: command.args().into_iter().collect() }
            }
        }
    };
    (read $args:ident $argument:ident) => { Argument::read(&mut $args, stringify!($argument))? };
    (read $args:ident $argument:ident $reader:ident) => { $args.$reader(stringify!($argument))? };
}

/// Declares the names in a table of commands.
macro_rules! command_names {
    (
        $(#[$names_doc:meta])*
        pub enum $names:ident;

        $( $(#[$doc:meta])* $name:ident $(($($inner:tt)*))? $({ $($arguments:tt)* })? = $wire:literal; )*
    ) => {
        $(#[$names_doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $names {
            $( $(#[$doc])* $name, )*
        }

        impl $names {
            /// All commands.
            pub const ALL: &[Self] = &[ $( Self::$name, )* ];

            /// Returns the name of the command on the wire.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $( Self::$name => $wire, )*
                }
            }

            /// Returns the command with this name on the wire.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $( $wire => Some(Self::$name), )*
                    _ => None,
                }
            }
        }
    };
}

/// Describes a table of commands for the contract.
#[cfg(feature = "schemas")]
macro_rules! command_rows {
    (
        pub enum $names:ident;

        $(
            $(#[$doc:meta])*
            $name:ident $(($inner:ident: $inner_type:ty))? $({
                $( $(#[$argument_doc:meta])* $argument:ident: $type:ty $(=> $reader:ident)? $(as $described:ty)?, )*
            })? = $wire:literal;
        )*
    ) => {
        #[allow(dead_code, reason = "only the descriptions of these types are used")]
        pub(crate) mod rows {
            use schemars::{JsonSchema, SchemaGenerator};

            use super::$names;
            use super::described::*;
            use crate::contract::rows::{GameRow, NamedArguments, described};

            mod documented {
                use schemars::JsonSchema;
                $( $(#[$doc])* #[derive(JsonSchema)] pub(super) struct $name; )*
            }

            /// Returns what the row of a command says.
            pub(crate) fn describe(command: $names, generator: &mut SchemaGenerator) -> GameRow {
                match command {
                    $( $names::$name => GameRow {
                        documentation: documented::$name::json_schema(generator),
                        list: vec![$( <$inner_type as JsonSchema>::json_schema(generator) )?],
                        named: vec![$( {
                            #[derive(JsonSchema)]
                            struct Arguments {
                                $( $(#[$argument_doc])* $argument: described!($type $(, $described)?), )*
                            }
                            NamedArguments {
                                names: &[ $( stringify!($argument), )* ],
                                schema: Arguments::json_schema(generator),
                            }
                        } )?],
                    }, )*
                }
            }
        }
    };
}

#[cfg(feature = "schemas")]
pub(super) use command_rows;
pub(super) use {command_names, commands};

/// One argument of a command or several that belong together.
pub(super) trait Argument: Sized {
    /// Reads the argument; `name` is for errors.
    fn read(args: &mut Arguments<'_>, name: &'static str) -> Result<Self, ArgumentError>;

    /// Appends the argument.
    fn write(self, args: &mut Vec<Json>);
}

impl Argument for String {
    fn read(args: &mut Arguments<'_>, name: &'static str) -> Result<Self, ArgumentError> {
        args.text(name)
    }

    fn write(self, args: &mut Vec<Json>) {
        args.push(self.as_str().into());
    }
}

impl Argument for Json {
    fn read(args: &mut Arguments<'_>, name: &'static str) -> Result<Self, ArgumentError> {
        args.json(name)
    }

    fn write(self, args: &mut Vec<Json>) {
        args.push(self);
    }
}

impl Argument for i64 {
    fn read(args: &mut Arguments<'_>, name: &'static str) -> Result<Self, ArgumentError> {
        args.integer(name)
    }

    fn write(self, args: &mut Vec<Json>) {
        args.push(self.into());
    }
}

impl Argument for bool {
    fn read(args: &mut Arguments<'_>, name: &'static str) -> Result<Self, ArgumentError> {
        args.parse(name)
    }

    fn write(self, args: &mut Vec<Json>) {
        args.push(self.into());
    }
}

impl Argument for PlayerId {
    fn read(args: &mut Arguments<'_>, name: &'static str) -> Result<Self, ArgumentError> {
        args.parse(name)
    }

    fn write(self, args: &mut Vec<Json>) {
        args.push(i64::from(self.0).into());
    }
}
