//! Requests whose reply has not come, and the state that is kept for each until then.
//!
//! There is one table for each kind of request, so a [`Ticket`] finds nothing but what was
//! remembered for its own kind.

use std::collections::BTreeMap;
use std::fmt::Debug;

use faf_protocol::Secret;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::io::{ConnId, ReplyTo, RequestId, RequestKind, Ticket, request, request_table};
use crate::refusal::Refusal;
use crate::state::Lobby;

/// Progress of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    Done,
    /// It continues when the reply to its request comes.
    Pending,
}

/// The result of a command, or of the part of it that has run.
pub(crate) type CommandResult = Result<Progress, Refusal>;

/// A request that a command makes. The command's own file implements it.
pub(crate) trait Resume: HasTable<Entry = PendingCommand<<Self as Resume>::Memo>> {
    /// The state that the command keeps until the reply comes. It is part of recordings.
    type Memo: Debug + Clone + Serialize + DeserializeOwned;

    /// Continues the command. Anything in the lobby but the connection may have changed since the
    /// request was made.
    fn resume(memo: Self::Memo, lobby: &mut Lobby, conn: ConnId, reply: ReplyTo<Self>) -> CommandResult;

    /// The secret in the memo, if there is one. It is replaced in recordings.
    fn secret(_memo: &mut Self::Memo) -> Option<&mut Secret> {
        None
    }
}

/// A request that the lobby makes on its own behalf.
pub(crate) trait ResumeLobby: HasTable<Entry = <Self as ResumeLobby>::Memo> {
    /// The state that the lobby keeps until the reply comes.
    type Memo: Debug + Clone + Serialize + DeserializeOwned;

    /// Continues the work of the lobby.
    fn resume(memo: Self::Memo, lobby: &mut Lobby, reply: ReplyTo<Self>);
}

/// A command that waits for the reply to its request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PendingCommand<M> {
    pub(crate) conn: ConnId,
    pub(crate) memo: M,
}

/// A request that has a table in [`Pending`].
pub(crate) trait HasTable: RequestKind {
    /// The state that is kept for a request.
    type Entry;

    /// Returns the table of this kind of request.
    fn table(pending: &mut Pending) -> &mut BTreeMap<RequestId, Self::Entry>;
}

macro_rules! declare_pending {
    (
        commands { $(
            $(#[$doc:meta])* $table:ident: $name:ident { $($members:tt)* } -> $reply:ty;
        )* }
        lobby { $(
            $(#[$lobby_doc:meta])* $lobby_table:ident: $lobby_name:ident { $($lobby_members:tt)* } -> $lobby_reply:ty;
        )* }
    ) => {
        /// All requests whose reply has not come.
        ///
        /// A recording may have been made before there were requests of some kind.
        #[derive(Debug, Clone, Default, Serialize, Deserialize)]
        #[serde(default)]
        pub(crate) struct Pending {
            last: u64,
            $( pub(crate) $table: BTreeMap<RequestId, PendingCommand<<request::$name as Resume>::Memo>>, )*
            $( $lobby_table: BTreeMap<RequestId, <request::$lobby_name as ResumeLobby>::Memo>, )*
        }

        $(
            impl HasTable for request::$name {
                type Entry = PendingCommand<<Self as Resume>::Memo>;

                fn table(pending: &mut Pending) -> &mut BTreeMap<RequestId, Self::Entry> {
                    &mut pending.$table
                }
            }
        )*

        $(
            impl HasTable for request::$lobby_name {
                type Entry = <Self as ResumeLobby>::Memo;

                fn table(pending: &mut Pending) -> &mut BTreeMap<RequestId, Self::Entry> {
                    &mut pending.$lobby_table
                }
            }
        )*

        impl Pending {
            /// Returns every request with the command that waits for it, in the order in which they
            /// were made.
            pub(crate) fn list(&self) -> Vec<(RequestId, String)> {
                let mut list = Vec::new();
                $( list.extend(self.$table.iter().map(|(id, entry)| describe(*id, stringify!($name), entry))); )*
                $( list.extend(self.$lobby_table.iter().map(|(id, memo)| describe(*id, stringify!($lobby_name), memo))); )*
                list.sort_unstable();
                list
            }

            pub(crate) fn is_empty(&self) -> bool {
                $( self.$table.is_empty() && )* $( self.$lobby_table.is_empty() && )* true
            }

            /// Returns the secrets of clients in the memos.
            pub(crate) fn secrets(&mut self) -> Vec<&mut Secret> {
                let mut secrets = Vec::new();
                $(
                    let memos = self.$table.values_mut().map(|entry| &mut entry.memo);
                    secrets.extend(memos.filter_map(<request::$name as Resume>::secret));
                )*
                secrets
            }
        }
    };
}

request_table!(declare_pending);

impl Pending {
    /// Stores the memo of a new request until its reply comes.
    pub(crate) fn insert<R: HasTable>(&mut self, entry: R::Entry) -> Ticket<R> {
        self.last += 1;
        let id = RequestId(self.last);
        R::table(self).insert(id, entry);
        Ticket::new(id)
    }

    /// Removes a request and returns its memo; `None` if it already had its reply.
    pub(crate) fn take<R: HasTable>(&mut self, ticket: Ticket<R>) -> Option<R::Entry> {
        R::table(self).remove(&ticket.id())
    }
}

fn describe(id: RequestId, name: &str, memo: &impl Debug) -> (RequestId, String) {
    (id, format!("{name}: {memo:?}"))
}
