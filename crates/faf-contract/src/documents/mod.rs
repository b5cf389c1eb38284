//! The documents that are made from the contract.

#[cfg(feature = "generate")]
mod asyncapi;
#[cfg(feature = "generate")]
pub mod examples;
#[cfg(feature = "generate")]
mod generate;
#[cfg(feature = "generate")]
mod json_schema;

/// A document that is made from the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Document {
    /// JSON Schema 2020-12 of all messages.
    JsonSchema,
    /// AsyncAPI 3.0: servers, channel, operations, messages with examples.
    AsyncApi,
    /// A page for people, in Markdown.
    Reference,
}

impl Document {
    /// All documents.
    pub const ALL: [Self; 3] = [Self::JsonSchema, Self::AsyncApi, Self::Reference];

    /// Returns the name on command lines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::JsonSchema => "json-schema",
            Self::AsyncApi => "asyncapi",
            Self::Reference => "reference",
        }
    }

    /// Returns the path of the file in the folder `docs` of the repository.
    #[must_use]
    pub const fn file(self) -> &'static str {
        match self {
            Self::JsonSchema => "protocol/faf-lobby.schema.json",
            Self::AsyncApi => "protocol/asyncapi.json",
            Self::Reference => "src/reference.md",
        }
    }

    /// Returns the document as it is in the repository; it ends with a line feed.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::JsonSchema => include_str!("../../../../docs/protocol/faf-lobby.schema.json"),
            Self::AsyncApi => include_str!("../../../../docs/protocol/asyncapi.json"),
            Self::Reference => include_str!("../../../../docs/src/reference.md"),
        }
    }
}
