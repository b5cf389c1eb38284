//! A message as bytes: encoded at most once for every wire format, and shared by all who get it.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use faf_protocol::server_message::Merging;
use faf_protocol::{ServerMessage, WireFormat};

/// A message, and its bytes in the formats that were asked for so far.
#[derive(Debug)]
pub(crate) struct Frames {
    message: ServerMessage,
    /// None inside for a format that cannot express the message.
    encoded: [OnceLock<Option<Bytes>>; WireFormat::ALL.len()],
    is_list: bool,
}

impl Frames {
    pub(crate) fn new(message: ServerMessage) -> Arc<Self> {
        Arc::new(Self { message, encoded: Default::default(), is_list: false })
    }

    /// Part of a list that everybody gets who logs in. It is not merged with what comes later, since its bytes are shared.
    pub(crate) fn of_list(message: ServerMessage) -> Arc<Self> {
        Arc::new(Self { message, encoded: Default::default(), is_list: true })
    }

    /// None if the message cannot be expressed, which would be a mistake of the lobby.
    pub(crate) fn get(&self, format: WireFormat) -> Option<&Bytes> {
        let encoded = self.encoded[format as usize].get_or_init(|| {
            let encoded = format.encode(&self.message);
            encoded
                .inspect_err(
                    |error| tracing::error!(%error, %format, "a message cannot be encoded and is not sent"),
                )
                .ok()
        });
        encoded.as_ref()
    }

    pub(crate) fn message(&self) -> &ServerMessage {
        &self.message
    }

    pub(crate) fn is_list(&self) -> bool {
        self.is_list
    }

    /// What becomes of it while it waits and something newer comes.
    pub(crate) fn merging(&self) -> Merging {
        if self.is_list { Merging::Never } else { self.message.merging() }
    }
}
