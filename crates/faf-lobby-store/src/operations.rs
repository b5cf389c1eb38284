//! The list of operations.
//!
//! The list is a macro, because three things are generated from it: the traits that a database
//! implements, their implementation by [`SharedMemory`](crate::memory::SharedMemory), and the
//! server's choice between databases.

/// Passes all operations, family by family, to a macro.
///
/// An entry is a documented trait with documented operations: `name(argument: type, ...) ->
/// result;`. Each operation is one transaction. Its future may be dropped: an operation that was
/// queued is carried out all the same.
#[macro_export]
macro_rules! operations {
    ($($use:tt)+) => { $($use)+ ! {
        /// Accounts, with their names, passwords and roles.
        Accounts {
            /// Returns the account with this name, regardless of case and accents.
            account_by_login(login: &str) -> Result<Option<$crate::StoredAccount>, $crate::StoreError>;
            /// Returns the account with this number.
            account_by_id(id: ::faf_protocol::PlayerId) -> Result<Option<$crate::StoredAccount>, $crate::StoreError>;
            /// Records a login at the current time.
            record_login(
                player: ::faf_protocol::PlayerId,
                address: Option<::std::net::IpAddr>,
                user_agent: Option<String>
            ) -> Result<(), $crate::StoreError>;
            /// Creates an account; `password` is a hash of the password that clients send.
            create_account(login: &str, password: String)
                -> Result<::faf_protocol::PlayerId, $crate::AccountError>;
            /// Changes the password of an account; `password` is a hash of the password that
            /// clients send.
            set_password(login: &str, password: String) -> Result<(), $crate::AccountError>;
            /// Gives an account a role, which replaces its previous one.
            set_role(login: &str, role: $crate::Role) -> Result<(), $crate::AccountError>;
            /// Returns all accounts, ordered by name.
            list_accounts() -> Result<Vec<$crate::ListedAccount>, $crate::StoreError>;
            /// Returns the number of accounts.
            count_accounts() -> Result<u32, $crate::StoreError>;
        }

        /// Bans from the lobby.
        Bans {
            /// Returns the ban of a player that ends last, in force or not.
            find_ban(player: ::faf_protocol::PlayerId)
                -> Result<Option<::faf_lobby_core::Ban>, $crate::StoreError>;
            /// Bans an account; without `expires_at`, in Unix seconds, forever. Returns the number
            /// of the order that a running server receives: see `outcome_of_order`.
            ban(login: &str, reason: String, expires_at: Option<i64>) -> Result<i64, $crate::AccountError>;
            /// Revokes all bans of an account that are in force, and returns their number.
            unban(login: &str) -> Result<usize, $crate::AccountError>;
        }

        /// Operators' orders about players who may be online: a command writes an order, and the
        /// running server carries it out. Every change of a ban in the database creates an
        /// order, too.
        Orders {
            /// Orders the running server to disconnect an account, and returns the number of
            /// the order.
            kick(login: &str, reason: String) -> Result<i64, $crate::AccountError>;
            /// Returns the waiting orders, oldest first; at most 100.
            orders() -> Result<Vec<$crate::Order>, $crate::StoreError>;
            /// Records that a server has carried out an order, and whether the player was online.
            /// Deletes orders that were carried out more than an hour ago.
            order_carried_out(id: i64, was_online: bool) -> Result<(), $crate::StoreError>;
            /// Returns whether the player was online when a server carried out the order; `None` if
            /// no server has done so yet.
            outcome_of_order(id: i64) -> Result<Option<bool>, $crate::StoreError>;
            /// Deletes all orders: no player is online when a server starts.
            forget_orders() -> Result<(), $crate::StoreError>;
        }

        /// Profiles of players, which are read at login.
        Profiles {
            /// Reads the profile of a player.
            profile(player: ::faf_protocol::PlayerId)
                -> Result<::faf_lobby_core::Profile, $crate::StoreError>;
        }

        /// Friends and foes.
        Social {
            /// Makes a player a friend or a foe, replacing the opposite; returns whether that
            /// player exists.
            set_relation(
                player: ::faf_protocol::PlayerId,
                subject: ::faf_protocol::PlayerId,
                relation: ::faf_lobby_core::Relation
            ) -> Result<bool, $crate::StoreError>;
            /// Ends a relation, if it is the given one.
            end_relation(
                player: ::faf_protocol::PlayerId,
                subject: ::faf_protocol::PlayerId,
                relation: ::faf_lobby_core::Relation
            ) -> Result<(), $crate::StoreError>;
        }

        /// Avatars that players were granted and have selected.
        Avatars {
            /// Returns the avatars granted to a player.
            avatars(player: ::faf_protocol::PlayerId)
                -> Result<Vec<::faf_protocol::server_message::Avatar>, $crate::StoreError>;
            /// Selects an avatar by its URL, or no avatar. Returns `None` if the avatar was not
            /// granted, otherwise the new selection.
            select_avatar(player: ::faf_protocol::PlayerId, url: Option<String>)
                -> Result<Option<Option<::faf_protocol::server_message::Avatar>>, $crate::StoreError>;
        }

        /// Permissions of administrators and moderators.
        Permissions {
            /// Returns whether one of the player's groups has a permission.
            has_permission(player: ::faf_protocol::PlayerId, permission: ::faf_lobby_core::Permission)
                -> Result<bool, $crate::StoreError>;
        }

        /// The vault of mods.
        ModVault {
            /// Returns the mods with the most likes, most liked first.
            liked_mods(limit: u32) -> Result<Vec<::faf_lobby_core::VaultMod>, $crate::StoreError>;
            /// Lets a player like a mod; a player counts once.
            like_mod(player: ::faf_protocol::PlayerId, uid: String)
                -> Result<Result<::faf_lobby_core::Like, ::faf_lobby_core::UnknownMod>, $crate::StoreError>;
            /// Counts a download of a mod; returns whether the mod exists.
            count_download(uid: String) -> Result<bool, $crate::StoreError>;
            /// Returns the names of those mods that are in the vault, by their uids as given here.
            mod_names(uids: Vec<String>)
                -> Result<::std::collections::BTreeMap<String, String>, $crate::StoreError>;
        }

        /// Maps and missions.
        Maps {
            /// Returns the map in a folder, regardless of the case of its name.
            find_map(folder: String) -> Result<Option<::faf_lobby_core::MapVersion>, $crate::StoreError>;
            /// Returns all co-op missions of known campaigns, ordered by their numbers.
            coop_missions()
                -> Result<Vec<::faf_protocol::server_message::CoopMission>, $crate::StoreError>;
        }

        /// Queues of the matchmaker; `game_data` returns the queues themselves.
        Queues {
            /// Returns the ids of the map versions that players have played in a queue within the
            /// last 24 hours by the database's clock: of each player the newest games, at most
            /// `limit`, newest first, one player after the other. Games without a map version count
            /// and add nothing.
            recent_maps(
                queue: ::faf_lobby_core::matchmaking::queue::QueueId,
                players: Vec<::faf_protocol::PlayerId>,
                limit: u32
            ) -> Result<Vec<u32>, $crate::StoreError>;
            /// Saves parties, searches and violations, in place of those that were saved before.
            save_queues(saved: Box<::faf_lobby_core::SavedQueues>) -> Result<(), $crate::StoreError>;
            /// Returns what was saved last; nothing if it cannot be read.
            saved_queues() -> Result<::faf_lobby_core::SavedQueues, $crate::StoreError>;
        }

        /// Initial state of a lobby.
        Startup {
            /// Returns the data about games in general, and the queues of the matchmaker.
            game_data() -> Result<::faf_lobby_core::GameData, $crate::StoreError>;
            /// Returns the initial state of a lobby. A saved game that cannot be read is skipped,
            /// and stays in the database.
            beginning() -> Result<::faf_lobby_core::InitialState, $crate::StoreError>;
        }

        /// Attempts of players to join or host games.
        Joins {
            /// Records that a player attempts to join a game.
            record_join(player: ::faf_protocol::PlayerId, attempt: ::faf_lobby_core::JoinAttempt)
                -> Result<(), $crate::StoreError>;
            /// Records that a player hosts a game and is its first member. From then on its number
            /// counts as assigned, whether the game is ever launched or not.
            record_host(host: ::faf_protocol::PlayerId, game: ::faf_protocol::GameId)
                -> Result<(), $crate::StoreError>;
        }

        /// Launched games, for operators.
        History {
            /// Returns everything that is stored about a game; `None` if it was never launched.
            game_record(id: ::faf_protocol::GameId)
                -> Result<Option<$crate::GameRecord>, $crate::StoreError>;
            /// Returns the newest launched games, newest first.
            list_games(filter: $crate::GameFilter)
                -> Result<Vec<$crate::ListedGame>, $crate::StoreError>;
        }

        /// Messages for other services: written in the transaction that caused them, and kept until
        /// they are delivered.
        Outbox {
            /// Returns the number of waiting messages and the oldest of them, at most `limit`.
            waiting_messages(limit: u32) -> Result<$crate::Waiting, $crate::StoreError>;
            /// Deletes delivered messages, by their numbers.
            messages_delivered(numbers: Vec<i64>) -> Result<(), $crate::StoreError>;
        }

        /// Operations on the database as a whole.
        Upkeep {
            /// Returns the key with which this server signs its own tokens, if it was created.
            own_key() -> Result<Option<Vec<u8>>, $crate::StoreError>;
            /// Returns that key, and stores the given one first if there is none.
            own_key_or(new: Vec<u8>) -> Result<Vec<u8>, $crate::StoreError>;
            /// Fills a database that has no accounts: with the whole file, or with nothing. The
            /// file contains the hashes of the passwords.
            plant(file: $crate::seed::SeedFile) -> Result<$crate::seed::Planted, $crate::SeedError>;
            /// Makes a write without effect, to find out whether the database can be written to.
            beat() -> Result<(), $crate::StoreError>;
            /// Waits until all writes are complete that were queued before this call.
            finish_writing() -> Result<(), $crate::StoreError>;
            /// Returns everything that is stored; for tests. Reads whole tables.
            facts() -> Result<$crate::facts::Facts, $crate::StoreError>;
        }
    } };
}
