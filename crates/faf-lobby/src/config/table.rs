//! The table of all settings: name, type, default, kind of value with its range, and description.
//!
//! Everything else about a setting follows from its row: the field of [`Settings`], the text of
//! `default.toml`, its flag and its environment variable, `--help`, and the checks of its range.

use std::path::PathBuf;

use faf_lobby_core::matchmaking::map_pool::RatingSelection;
use faf_protocol::Secret;
use serde::Deserialize;

use super::catalogue::{Bound, Entry, Kind, Range};
use super::{Banner, DatabaseAddress, Exposure, Listen, LogAddresses, LogFormat, TrustedProxy};

/// Declares the settings, section by section. A bound of a range is a number, another setting, or a
/// multiple of another setting.
macro_rules! settings {
    ($(
        section $title:literal $(about $intro:literal)? {
            $( $(#[doc = $help:literal])+ $name:ident: $type:ty = $default:expr, $kind:ident $(($least:tt..=$most:tt))?; )+
        }
    )+) => {
        /// All settings. Fields have the names of the settings; times are in seconds, sizes
        /// in bytes.
        #[derive(Debug, Clone, PartialEq, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Settings {
            $($( $(#[doc = $help])+ pub $name: $type, )+)+
        }

        /// All settings, in the order of the file.
        pub(crate) static CATALOGUE: &[Entry] = &[$($(
            Entry {
                name: stringify!($name),
                default: stringify!($default),
                kind: Kind::$kind,
                range: settings!(@range $($least $most)?),
                words: concat!($($help),+),
                section: $title,
            },
        )+)+];

        /// The sections with the text below their titles in the file.
        pub(super) static SECTIONS: &[(&str, &str)] = &[$( ($title, concat!($($intro)?)) ),+];
    };
    (@range) => { None };
    (@range $least:tt $most:tt) => {
        Some(Range { least: settings!(@bound $least), most: settings!(@bound $most) })
    };
    (@bound $setting:ident) => { Bound::Setting(1.0, stringify!($setting)) };
    (@bound ($times:literal * $setting:ident)) => { Bound::Setting($times, stringify!($setting)) };
    (@bound $number:literal) => { Bound::Number($number) };
}

settings! {
    section "Where clients connect" about
        "An address is \"host:port\"; port 0 picks a free one, and \"off\" disables the listener. Several \
         addresses: [\"a:1\", \"b:2\"]. The host \"*\" means all addresses of this machine. A listener written \"host:port proxy\" expects a PROXY header, version \
         1 or 2, from one of the trusted_proxies."
    {
        /// Addresses for QDataStream, the length-prefixed format of old clients.
        qdatastream: Listen = "127.0.0.1:8001", Addresses;

        /// Addresses for SimpleJson: one line of JSON per message.
        simple_json: Listen = "127.0.0.1:8002", Addresses;

        /// Addresses for WebSocket, which today's clients use. On the internet, put a proxy with
        /// TLS in front of it.
        websocket: Listen = "127.0.0.1:8003", Addresses;

        /// The only path that upgrades to WebSocket. A query after it is ignored.
        websocket_path: String = "/", Text;

        /// Origins of web pages that may connect to WebSocket: `["https://example.org"]`, or
        /// `["*"]` for all. A page can make the browser of every visitor connect, from the
        /// visitor's address. Clients other than browsers send no origin and may always connect.
        websocket_origins: Vec<String> = [], List;

        /// Address for health, metrics and status. It shows who is online: keep it off public
        /// networks. The public status page needs `/`, `/overview` and `/events`; a proxy can offer
        /// these to the public.
        http: Listen = "127.0.0.1:8011", Addresses;

        /// Address for probes of Kubernetes, with nothing but `/ready`, as FAF's server has it. See
        /// docs/src/guide/faf-configuration.md for this and the next two.
        health: Listen = "off", Addresses;

        /// Address for `/players` and `/games` alone. It shows games that are only for friends:
        /// keep it off public networks.
        control: Listen = "off", Addresses;

        /// Address for metrics alone, in reply to every path.
        metrics: Listen = "off", Addresses;

        /// Addresses or networks of proxies that are trusted to report clients' addresses:
        /// `["10.0.0.0/8", "::1"]`.
        trusted_proxies: Vec<TrustedProxy> = [], List;

        /// HTTP header in which trusted proxies put the address of a WebSocket client, such as
        /// "X-Real-IP". The proxy must set this header, not append to it, since the first element
        /// counts. Empty for none.
        forwarded_header: String = "", Text;

        /// Time limit for the PROXY header or the upgrade to WebSocket.
        handshake_timeout: f64 = 3, Seconds(0.1..=60.0);
    }
    section "Accounts and logins" {
        /// The database: a file for SQLite, or FAF's MariaDB as "mysql://USER@HOST:PORT/DATABASE".
        /// A file that does not exist is created, readable only by its owner. One server uses a
        /// database at a time: for a file, it locks the file of the same name with `.lock` added
        /// until it has ended.
        database: DatabaseAddress = "faf-lobby.sqlite", Text;

        /// Password for MariaDB. Empty for none.
        database_password: Secret = "", Secret;

        /// Table of MariaDB with the version of FAF's schema, which must be 133 or newer; those up
        /// to 146 were tested. Empty to use the schema as it is.
        database_history_table: String = "flyway_schema_history", Text;

        /// Number of connections to MariaDB for everything but games that are being played, which
        /// have one of their own.
        database_connections: usize = 8, Count(1.0..=100.0);

        /// Time limit for a query to MariaDB. A write about a game is repeated until it is stored.
        database_timeout: f64 = 10, Seconds(1.0..=300.0);

        /// How long a starting server waits while another server, such as one that drains, uses the
        /// database, or while MariaDB cannot be used. With 0 the start fails at once, with an exit
        /// code for each.
        wait_for_database: f64 = 0, Seconds(0.0..=86_400.0);

        /// Create an account at the first login with a new name and password. This is meant
        /// for a LAN or for tests, and works only while every listener is on loopback, unless
        /// it is "anywhere".
        open_registration: Exposure = false, Switch;

        /// Pages with which today's clients log in without FAF's identity service, on the address
        /// of `http`: `/oauth2/auth`, `/oauth2/token`, `/.well-known/jwks.json`, `/lobby/access`
        /// and `/me`. They are meant for authors of clients and for a LAN, and work only while
        /// every listener is on loopback, unless it is "anywhere"; then put a proxy with TLS in
        /// front of them. They accept passwords even without allow_password_login.
        login_pages: Exposure = false, Switch;

        /// URL that `/lobby/access` gives to clients, such as "wss://ws.example.org/". Empty for
        /// the address of the listener for WebSocket.
        access_url: String = "", Text;

        /// Accept logins with a password.
        allow_password_login: bool = true, Switch;

        /// Keys for logins with a token: a file or an http(s) URL with a JSON Web Key Set, read
        /// again every ten minutes. A token must be signed with RS256, with a key of 2048 to 8192
        /// bits that it names (`kid`). Its `sub` is the number of the account, its `scp` contains
        /// `lobby`, and its `exp` is the time at which it expires, give or take 30 seconds for
        /// clocks that differ. Empty to refuse such logins.
        jwks: String = "", Text;

        /// Tokens must name this issuer, if it is not empty.
        token_issuer: String = "", Text;

        /// Tokens must name this audience, if it is not empty.
        token_audience: String = "", Text;

        /// Time limit for logging in after connecting. Clients log in within seconds, and idle
        /// connections without a login are the cheapest way to keep others out.
        login_timeout: f64 = 30, Seconds(0.1..=86_400.0);

        /// Number of logins that may fail on one connection before it is closed.
        login_attempts: u32 = 20, Count(1.0..=1000.0);

        /// Number of password logins that may fail from one address within ten minutes; further
        /// ones are refused without a check, and their connections are closed. An IPv6 /64 network
        /// counts as one address; a /56 may fail four times as often, and a /48 sixteen times. All
        /// clients of a proxy that does not forward their addresses count as one address.
        login_attempts_per_address: u32 = 100, Count(1.0..=1_000_000.0);

        /// Maximum number of players signed in per second, when thousands return at once; further
        /// ones wait, and addresses take turns. A fiftieth may come at once. Logins with
        /// a password are slower: each takes a processor for tens of milliseconds, and when 500 are
        /// queued, further ones are told to come back later.
        login_rate: u32 = 2500, Count(1.0..=1_000_000.0);

        /// Base URL of a policy service that receives every login, with a POST to its `/verify`.
        /// Its response makes no difference, and when a thousand reports are queued, further ones
        /// are dropped. Empty for none.
        policy_server: String = "", Text;

        /// A MaxMind country database, to look up players' countries by address. Empty for none. It
        /// is read again when it changes.
        geoip_database: PathBuf = "", Text;

        /// Address from which the server downloads that database, if there is a licence key.
        geoip_url: String = "https://download.maxmind.com/app/geoip_download", Text;

        /// Licence key for downloads. Without one, the server downloads nothing.
        geoip_licence_key: Secret = "", Secret;

        /// Age of the database, in days, from which the server downloads it again.
        geoip_max_age_days: u32 = 22, Count(1.0..=3650.0);
    }
    section "Timing" {
        /// How often the configuration is read again, as on SIGHUP. Use 0 for never.
        configuration_refresh_time: f64 = 0, Seconds(0.0..=86_400.0);

        /// How often every client gets a ping.
        ping_interval: f64 = 45, Seconds(0.01..=3600.0);

        /// Close logged-in connections that have been silent for this long, checked at every ping,
        /// to which clients respond. At least twice the ping interval, and long enough to download
        /// the list of players: a client that only responds to pings reads them after that list.
        /// Use 0 for never.
        idle_timeout: f64 = 0, Seconds(0.0..=86_400.0);

        /// How often changes of players and games are sent.
        report_interval: f64 = 1, Seconds(0.01..=3600.0);

        /// Longest time that a shutdown waits for running games.
        shutdown_grace_period: f64 = 1800, Seconds(0.0..=86_400.0);

        /// While a shutdown waits for running games, disconnect all players who are not in a game,
        /// and refuse logins, except those of players who have lost the connection to a running
        /// game. Their clients reconnect after the server has started again.
        shutdown_kick_idle_players: bool = false, Switch;

        /// Time limit for a game process to start after its player has hosted or joined a game; it
        /// is doubled for co-op games and for matches. The host of a match must launch it within
        /// the same time and 10 s for each guest.
        game_setup_timeout: f64 = 30, Seconds(0.1..=3600.0);

        /// How long a live game waits for players who have lost their connection. Clients reconnect
        /// within seconds, a restarted machine or router within two minutes. Meanwhile the result
        /// of the game may have to wait for them. With 0, a game ends as soon as its last player
        /// has disconnected, with the results reported so far.
        reconnect_grace_period: f64 = 120, Seconds(0.0..=86_400.0);

        /// How long a live game waits for players who neither end it nor report a result, once all
        /// others agree on the result. After that, a loser who keeps watching, or whose process
        /// hangs, no longer delays the ratings of the others.
        game_end_timeout: f64 = 300, Seconds(1.0..=86_400.0);

        /// How long games that were live when the server ended wait for their players to reconnect.
        /// Parties and searches wait as long for all their players to come back, and are forgotten
        /// if they were last saved longer ago.
        restart_grace_period: f64 = 300, Seconds(0.0..=86_400.0);

        /// Number of rated games that two opponents may play against each other within an
        /// hour; further games are not rated. With its lobby and loading, a game takes at
        /// least four minutes.
        rated_games_per_pair: u32 = 15, Count(1.0..=10_000.0);
    }
    section "The matchmaker" about
        "Settings with the names of FAF's server. A queue plays rounds: in each, it makes matches of those who \
         search, and the searches that are left over have failed once more. Ratings are in rating points, and \
         qualities are numbers of which 1 is the best that two teams of equal players can have without a bonus."
    {
        /// Longest time between two rounds of a queue. The first round after the start comes after
        /// half of it.
        queue_pop_time_max: f64 = 90, Seconds(1.0..=3600.0);

        /// Shortest time between two rounds of a queue.
        queue_pop_time_min: f64 = 15, Seconds(1.0..=queue_pop_time_max);

        /// Number of matches that the players of a round should be enough for. The more players
        /// search, the sooner the next round comes.
        queue_pop_desired_matches: f64 = 2.5, Number(0.1..=1000.0);

        /// Number of past rounds from which the time to the next one is computed.
        queue_pop_time_moving_avg_size: usize = 5, Count(1.0..=1000.0);

        /// Number of games on the leaderboard of a queue up to which a player is a newbie there.
        newbie_min_games: u32 = 10, Count(0.0..=10_000.0);

        /// Mean rating that a player without games counts with in pairs of single players. With
        /// each game it comes closer to the player's own.
        newbie_base_mean: f64 = 500, Number(0.0..=10_000.0);

        /// Displayed rating from which a player is high-rated: games with such a player gain
        /// nothing from newbies who wait.
        high_rated_player_min_rating: f64 = 1400, Number(0.0..=10_000.0);

        /// Displayed rating from which a player is a top player, whose searches expand in their
        /// own steps.
        top_player_min_rating: f64 = 2000, Number(0.0..=10_000.0);

        /// How much each failed round lowers the quality that a search in a queue of single players
        /// needs. In its first round it needs eight tenths of the quality against an equal.
        ladder_search_expansion_step: f64 = 0.05, Number(0.0..=1.0);

        /// How much all failed rounds together lower it at most.
        ladder_search_expansion_max: f64 = 0.25, Number(0.0..=1.0);

        /// The same step for searches with a top player.
        ladder_top_player_search_expansion_step: f64 = 0.15, Number(0.0..=1.0);

        /// The same maximum for searches with a top player.
        ladder_top_player_search_expansion_max: f64 = 0.3, Number(0.0..=1.0);

        /// The same step for searches with a newbie and without a top player.
        ladder_newbie_search_expansion_step: f64 = 0.1, Number(0.0..=1.0);

        /// The same maximum for searches with a newbie and without a top player.
        ladder_newbie_search_expansion_max: f64 = 0.6, Number(0.0..=1.0);

        /// Quality that a game of teams needs, with its bonuses.
        minimum_game_quality: f64 = 0.4, Number(0.0..=1.0);

        /// Difference between the summed ratings of two teams that costs a quality of 1. It is a
        /// scale, not a limit.
        maximum_rating_imbalance: f64 = 250, Number(1.0..=100_000.0);

        /// Standard deviation between the ratings of the parties of a game that costs a quality
        /// of 1. It is a scale, not a limit.
        maximum_rating_deviation: f64 = 250, Number(1.0..=100_000.0);

        /// Quality that a game of teams gains for each failed round of all players of one team.
        time_bonus: f64 = 0.01, Number(0.0..=10.0);

        /// Maximum of that gain for each team.
        maximum_time_bonus: f64 = 0.2, Number(0.0..=10.0);

        /// Quality that a game of teams gains in addition for each failed round if all players of
        /// one team are newbies.
        newbie_time_bonus: f64 = 0.25, Number(0.0..=10.0);

        /// Maximum of that gain for each team.
        maximum_newbie_time_bonus: f64 = 3, Number(0.0..=10.0);

        /// Quality that a game of teams gains if its players are far from most others of the queue.
        /// It is also the maximum of that gain for a game.
        minority_bonus: f64 = 1, Number(0.0..=10.0);

        /// Distance from the most frequent rating of the queue at which the players of one team
        /// bring the whole of that gain.
        minority_bonus_rating_range: f64 = 1250, Number(1.0..=100_000.0);

        /// Rating of a match by which the pool of its maps is chosen: "mean", "min" or "max" of the
        /// displayed ratings of its players.
        map_pool_rating_selection: RatingSelection = "mean", Text;

        /// Number of games of each player, the latest ones in the queue, whose maps are avoided.
        /// With 0, none is.
        ladder_anti_repetition_limit: u32 = 1, Count(0.0..=100.0);

        /// The weight of a map that was played lately goes to unplayed maps that have at least
        /// this share of it in the pool. If there is none, the next share counts; at most ten.
        ladder_anti_repetition_weight_base_thresholds: Vec<f64> = [0.75, 0.5], Numbers(0.0..=10.0);

        /// Factor by which these shares fall with each further time that the map was played.
        ladder_anti_repetition_repeat_counts_factor: f64 = 0.8, Number(0.0..=1.0);

        /// Count the matches that fail because of a player, and make players with several wait
        /// before they search again.
        ladder_violations_enabled: bool = true, Switch;

        /// Number of failed matches from which a player must wait.
        ladder_violations_ban_threshold: u32 = 2, Count(1.0..=1000.0);

        /// How long a player must wait the first time.
        ladder_violations_first_ban_duration: f64 = 600, Seconds(0.0..=604_800.0);

        /// How long a player must wait each further time.
        ladder_violations_ban_duration: f64 = 1800, Seconds(0.0..=604_800.0);

        /// Time after the last failed match at which all failed matches of a player are forgotten.
        /// It also ends a wait that is longer.
        ladder_violations_reset_time: f64 = 3600, Seconds(0.0..=604_800.0);

        /// Share of all players: when more than these, and more than ten players, lose their
        /// connection within a minute, the cause is probably not theirs, and matches that fail are
        /// not held against anybody. FAF's server has no such setting.
        ladder_violations_common_losses_share: f64 = 0.1, Number(0.0..=1.0);
    }
    section "Limits" about
        "With these, the memory of the process is at most about the sum of: for each connection 3 KiB when \
         idle, 32 KiB while a message of up to 16 KiB arrives, and outbox_limit while it has a backlog; twice \
         large_message_memory, and an eighth of that for clients that have not logged in; for each worker \
         thread, of which there is one for each processor, three times message_limit to decode a message; \
         outbox_memory; for each processor but one 19 MiB to hash a password; 64 MiB for a recording. In \
         addition, the system buffers up to 128 KiB of unsent data, and as much of unread data, for each connection."
    {
        /// Largest message of a client.
        message_limit: usize = 10485760, Bytes(65_536.0..=268_435_456.0);

        /// Largest message of a client that has not logged in.
        login_message_limit: usize = 65536, Bytes(4096.0..=message_limit);

        /// Memory that players share for incoming messages above 16 KiB; smaller messages need none
        /// of it. A message takes memory as it arrives: 32 KiB, then 128 KiB, and so on, each time
        /// four times as much. Half of the memory is reserved for messages of up to 512 KiB, which
        /// is more than honest clients and games send, so that these never wait for larger ones.
        /// One address gets at most a quarter of the memory for each size. When none is left, the
        /// server stops reading from a client until its turn comes.
        large_message_memory: usize = 268435456, Bytes((4.0 * message_limit)..=68_719_476_736.0);

        /// Least rate at which such a message must arrive, in bytes per second, measured
        /// every two seconds. At this rate a message may take as long as it needs. A slower
        /// sender is disconnected at once if another client waits for the memory, and
        /// otherwise after six seconds.
        large_message_rate: usize = 1024, Bytes(1.0..=1_048_576.0);

        /// Deepest nesting of a message.
        nesting_limit: usize = 128, Count(8.0..=512.0);

        /// Number of bytes that the server offers a client at once. Further messages wait until the
        /// client has read them; a newer state of a game, player or queue then replaces the older.
        outbox_limit: usize = 65536, Bytes(65_536.0..=1_073_741_824.0);

        /// Maximum number of bytes queued for all clients together. Beyond it, the server
        /// disconnects slow clients, the ones with the largest backlogs first. A client is slow if
        /// it reads less than 16 KiB per second of what it is offered, or nothing for a sixth of
        /// stall_timeout. If no client is slow, the lobby pauses until there is room.
        outbox_memory: usize = 268435456, Bytes(1_048_576.0..=1_099_511_627_776.0);

        /// A client is disconnected if it reads nothing of what it is offered for this long, or
        /// less than 512 bytes per second for four times as long. Bytes that it has not been
        /// offered yet never count against it, nor do messages from the games of other players.
        stall_timeout: f64 = 30, Seconds(0.1..=3600.0);

        /// Maximum number of connections at the same time. A further one takes the place of one
        /// that has not tried to log in for a second, or else is rejected. The limit is lower if
        /// the process may not open as many files (`ulimit -n`, less some two hundred for
        /// everything else), which is logged at the start.
        connection_limit: usize = 50000, Count(1.0..=1_000_000.0);

        /// Maximum number of connections without a login at the same time: ten thousand players who
        /// return at once fit. When the limit is reached, a new connection takes the place of one
        /// that has not tried to log in for a second: the oldest of the network that has the most,
        /// where an IPv6 /48 and an IPv4 /24 count as one network. If there is none, the new
        /// connection is rejected.
        unauthenticated_limit: usize = 12000, Count(1.0..=1_000_000.0);

        /// The same limit for one address or IPv6 /64 network; a /56 may have four times as many,
        /// and a /48 sixteen times. Further connections are rejected. Name a proxy through which
        /// many players connect in trusted_proxies, and let it forward their addresses. Connections
        /// through a trusted proxy that does not are not counted here.
        unauthenticated_limit_per_address: usize = 64, Count(1.0..=1_000_000.0);
    }
    section "The broker" about
        "Results, ratings, achievements and reports go to other services of FAF through RabbitMQ, and messages for \
         players come back: see the guide. The server runs without it, and while it is away. An environment \
         variable is the best place for the password, since everybody on the machine can read flags."
    {
        /// Host name or address of RabbitMQ. Empty for none. It needs a build with the feature
        /// `rabbitmq`, which releases have.
        broker_host: String = "", Text;

        /// TCP port of RabbitMQ.
        broker_port: u16 = 5672, Count(1.0..=65_535.0);

        /// Account at RabbitMQ.
        broker_user: String = "faf-lobby-server", Text;

        /// Password of that account. It is never shown.
        broker_password: Secret = "", Secret;

        /// Virtual host at RabbitMQ. The slash at the beginning is part of the name.
        broker_vhost: String = "/faf-core", Text;

        /// Exchange for all messages, which is declared as a durable topic exchange. Its name is
        /// also part of the names of the server's queues.
        broker_exchange: String = "faf-lobby", Text;
    }
    section "The cluster" about
        "Settings of `faf-lobby gateway` and `faf-lobby core`, which make one lobby of several processes with NATS \
         between them: see the guide. `faf-lobby serve` is a whole lobby, and uses none of them."
    {
        /// URLs of the servers of NATS: `["nats://10.0.0.1:4222"]`, or with the scheme `tls`. They
        /// need JetStream. This needs a build with the feature `nats`, which releases have.
        nats: Vec<String> = [], List;

        /// File with the credentials of an account at NATS, as `nsc` writes it. Empty for none.
        nats_credentials: PathBuf = "", Text;

        /// Password at NATS of the user in the URLs, such as `nats://lobby@10.0.0.1`. It is never
        /// shown. Empty for none.
        nats_password: Secret = "", Secret;

        /// File with the certificates, in PEM, of the authorities that the certificate of NATS may
        /// be from. Empty for those of this machine.
        nats_certificate_authority: PathBuf = "", Text;

        /// Name of the cluster. Processes that use the same NATS and the same name are one lobby.
        cluster: String = "faf-lobby", Text;

        /// Number of servers of NATS that keep each message of the stream of inputs.
        stream_replicas: usize = 1, Count(1.0..=5.0);

        /// Maximum size of that stream. Cores write snapshots, and remove what is older. While the
        /// stream is full, gateways do not read from their clients.
        stream_bytes: u64 = 4294967296, Bytes(16_777_216.0..=1_099_511_627_776.0);

        /// Number of messages in the stream after which a core writes a snapshot. It also writes
        /// one every five minutes. Fewer make the start of a core shorter and the stream smaller.
        snapshot_messages: u64 = 50000, Count(100.0..=10_000_000.0);
    }
    section "Links for players" {
        /// Address of the web site, for notices.
        www_url: String = "https://www.faforever.com", Text;

        /// Address of the file server, for links to mods.
        content_url: String = "https://content.faforever.com", Text;
    }
    section "The log" {
        /// The log on standard error: error, warn, info, debug or trace; or a filter such as
        /// "info,faf_lobby::store=debug". Addresses of clients appear from debug on, and with
        /// log_addresses; passwords and tokens never do.
        log: String = "info", Text;

        /// The part of a client's address in the log line of a failed login: "none", "network" (the
        /// first 24 bits of an IPv4 address, the first 48 of an IPv6 address), or "full", which
        /// programs that block addresses need.
        log_addresses: LogAddresses = "network", Text;

        /// The format of log lines: "text" for people, or "json" for programs, one object per line.
        log_format: LogFormat = "text", Text;

        /// When `faf-lobby serve` prints the addresses of its listeners and the next steps to
        /// standard output: "terminal" (only if standard output is one), "always", "never", or
        /// "json": one line of JSON for programs that start the server and wait until it is ready.
        banner: Banner = "terminal", Text;
    }
    section "The recording" {
        /// Folder for recordings of every input of the lobby, to find out later what happened: see
        /// `faf-lobby replay`. Each server needs its own folder. Recordings contain no passwords or
        /// tokens, but addresses, names and texts of players. Empty for none.
        recording: PathBuf = "", Text;

        /// Size after which a new file begins.
        recording_size: u64 = 67108864, Bytes(65_536.0..=68_719_476_736.0);

        /// Number of files that are kept; the oldest are removed.
        recording_files: usize = 8, Count(1.0..=10_000.0);
    }
}
