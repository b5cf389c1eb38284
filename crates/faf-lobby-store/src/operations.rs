//! The list of operations.
//!
//! It stands in a macro, because three things follow from it: the traits that a database
//! implements, their implementation by [`SharedMemory`](crate::memory::SharedMemory), and the
//! server's choice between databases.

/// Passes all operations, family by family, to a macro.
///
/// An entry is a documented trait with documented operations: `name(argument: type, ...) ->
/// result;`. Each operation is one transaction. Its future may be dropped: what was handed to the
/// database is carried out all the same.
#[macro_export]
macro_rules! operations {
    ($($use:tt)+) => { $($use)+ ! {
        /// Accounts: who may log in.
        Accounts {
            /// The account of this name, whatever its case and accents.
            account_by_login(login: &str) -> Result<Option<$crate::StoredAccount>, $crate::StoreError>;
            /// The account of this number.
            account_by_id(id: ::faf_protocol::PlayerId) -> Result<Option<$crate::StoredAccount>, $crate::StoreError>;
            /// Notes a login, at this moment.
            record_login(
                player: ::faf_protocol::PlayerId,
                address: Option<::std::net::IpAddr>,
                user_agent: Option<String>
            ) -> Result<(), $crate::StoreError>;
            /// Makes an account; `password` is a hash of what clients send.
            create_account(login: &str, password: String)
                -> Result<::faf_protocol::PlayerId, $crate::AccountError>;
            /// Changes the password of an account; `password` is a hash of what clients send.
            set_password(login: &str, password: String) -> Result<(), $crate::AccountError>;
            /// Gives an account a role, in place of the one it has.
            set_role(login: &str, role: $crate::Role) -> Result<(), $crate::AccountError>;
            /// All accounts, by their names.
            list_accounts() -> Result<Vec<$crate::ListedAccount>, $crate::StoreError>;
            /// How many accounts there are.
            count_accounts() -> Result<u32, $crate::StoreError>;
        }

        /// Bans from the lobby.
        Bans {
            /// The ban of a player that ends last, in force or not.
            find_ban(player: ::faf_protocol::PlayerId)
                -> Result<Option<::faf_lobby_core::Ban>, $crate::StoreError>;
            /// Bans an account; without `expires_at`, in Unix seconds, forever. Returns the number
            /// of the order that a running server gets by that: see `outcome_of_order`.
            ban(login: &str, reason: String, expires_at: Option<i64>) -> Result<i64, $crate::AccountError>;
            /// Revokes all bans of an account that are in force; returns how many there were.
            unban(login: &str) -> Result<usize, $crate::AccountError>;
        }

        /// Orders of operators about players who may be online: a command writes one, the running
        /// server carries it out. Whatever makes or changes a ban in the database gives an order,
        /// too.
        Orders {
            /// Asks the running server to end the connection of an account; returns the number of
            /// the order.
            kick(login: &str, reason: String) -> Result<i64, $crate::AccountError>;
            /// Orders that wait, in the order they were given; the first hundred.
            orders() -> Result<Vec<$crate::Order>, $crate::StoreError>;
            /// Notes that a server has carried out an order, and whether the player was online.
            /// Orders that were carried out more than an hour ago are forgotten.
            order_carried_out(id: i64, was_online: bool) -> Result<(), $crate::StoreError>;
            /// Whether the player was online when a server has carried out an order; none if no
            /// server has yet.
            outcome_of_order(id: i64) -> Result<Option<bool>, $crate::StoreError>;
            /// Forgets all orders: nobody is online when a server starts.
            forget_orders() -> Result<(), $crate::StoreError>;
        }

        /// Everything about a player that is read at login.
        Profiles {
            /// Reads the profile of a player.
            profile(player: ::faf_protocol::PlayerId)
                -> Result<::faf_lobby_core::Profile, $crate::StoreError>;
        }

        /// Friends and foes.
        Social {
            /// Makes somebody a friend or a foe, in place of the opposite; returns whether there is
            /// such a player.
            set_relation(
                player: ::faf_protocol::PlayerId,
                subject: ::faf_protocol::PlayerId,
                relation: ::faf_lobby_core::Relation
            ) -> Result<bool, $crate::StoreError>;
            /// Ends a relation, if it is this one.
            end_relation(
                player: ::faf_protocol::PlayerId,
                subject: ::faf_protocol::PlayerId,
                relation: ::faf_lobby_core::Relation
            ) -> Result<(), $crate::StoreError>;
        }

        /// Avatars: which are granted, and which is selected.
        Avatars {
            /// The avatars granted to a player.
            avatars(player: ::faf_protocol::PlayerId)
                -> Result<Vec<::faf_protocol::server_message::Avatar>, $crate::StoreError>;
            /// Selects an avatar by its URL, or none; returns nothing if it is not granted,
            /// otherwise what is selected now.
            select_avatar(player: ::faf_protocol::PlayerId, url: Option<String>)
                -> Result<Option<Option<::faf_protocol::server_message::Avatar>>, $crate::StoreError>;
        }

        /// What administrators and moderators may do.
        Permissions {
            /// Whether one of a player's own groups has a permission.
            has_permission(player: ::faf_protocol::PlayerId, permission: ::faf_lobby_core::Permission)
                -> Result<bool, $crate::StoreError>;
        }

        /// The vault of mods.
        ModVault {
            /// The mods that are liked most, most liked first.
            liked_mods(limit: u32) -> Result<Vec<::faf_lobby_core::VaultMod>, $crate::StoreError>;
            /// Lets a player like a mod, once.
            like_mod(player: ::faf_protocol::PlayerId, uid: String)
                -> Result<Result<::faf_lobby_core::Like, ::faf_lobby_core::UnknownMod>, $crate::StoreError>;
            /// Counts a download of a mod; returns whether there is such a mod.
            count_download(uid: String) -> Result<bool, $crate::StoreError>;
            /// The names of mods, of those that are in the vault, by their uids as they are spelled
            /// here.
            mod_names(uids: Vec<String>)
                -> Result<::std::collections::BTreeMap<String, String>, $crate::StoreError>;
        }

        /// Maps and missions.
        Maps {
            /// The map in a folder, whatever the case of its name.
            find_map(folder: String) -> Result<Option<::faf_lobby_core::MapVersion>, $crate::StoreError>;
            /// All co-op missions of known campaigns, in the order of their numbers.
            coop_missions()
                -> Result<Vec<::faf_protocol::server_message::CoopMission>, $crate::StoreError>;
        }

        /// What a lobby begins with.
        Startup {
            /// What the database says about games in general.
            game_data() -> Result<::faf_lobby_core::GameData, $crate::StoreError>;
            /// What a lobby begins with. A saved game that cannot be read is left out, and stays in
            /// the database.
            beginning() -> Result<::faf_lobby_core::InitialState, $crate::StoreError>;
        }

        /// Who wants to play what.
        Joins {
            /// Notes that a player wants to join a game.
            record_join(player: ::faf_protocol::PlayerId, attempt: ::faf_lobby_core::JoinAttempt)
                -> Result<(), $crate::StoreError>;
            /// Notes that a player hosts a game, as the first who comes into it. From then on its
            /// number counts as given out, whether the game is ever launched or not.
            record_host(host: ::faf_protocol::PlayerId, game: ::faf_protocol::GameId)
                -> Result<(), $crate::StoreError>;
        }

        /// Games that were launched, for operators.
        History {
            /// Everything that is stored of a game; nothing if it was never launched.
            game_record(id: ::faf_protocol::GameId)
                -> Result<Option<$crate::GameRecord>, $crate::StoreError>;
            /// The newest games that were launched, the newest first.
            list_games(filter: $crate::GameFilter)
                -> Result<Vec<$crate::ListedGame>, $crate::StoreError>;
        }

        /// Messages for other services: written in the transaction that has caused them, and kept
        /// until they are delivered.
        Outbox {
            /// Messages that wait, and the oldest of them, at most so many.
            waiting_messages(limit: u32) -> Result<$crate::Waiting, $crate::StoreError>;
            /// Forgets messages that were delivered, by their numbers.
            messages_delivered(numbers: Vec<i64>) -> Result<(), $crate::StoreError>;
        }

        /// The database as such.
        Upkeep {
            /// The key with which this server signs tokens of its own, if one was made.
            own_key() -> Result<Option<Vec<u8>>, $crate::StoreError>;
            /// The key; the one that is given if none was made before.
            own_key_or(new: Vec<u8>) -> Result<Vec<u8>, $crate::StoreError>;
            /// Fills a database that has no accounts: with all of the file, or with nothing. The
            /// hashes of passwords are in it.
            plant(file: $crate::seed::SeedFile) -> Result<$crate::seed::Planted, $crate::SeedError>;
            /// Writes something that nobody needs, to find out whether anything can be written.
            beat() -> Result<(), $crate::StoreError>;
            /// Waits until everything is written that was asked for before this.
            finish_writing() -> Result<(), $crate::StoreError>;
            /// What is stored; for tests. Reads whole tables.
            facts() -> Result<$crate::facts::Facts, $crate::StoreError>;
        }
    } };
}
