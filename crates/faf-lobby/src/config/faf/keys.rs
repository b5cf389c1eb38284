//! The table of the keys of FAF's server, and what each means here.
//!
//! Reading, `faf-lobby check`, and the table in `docs/src/guide/faf-configuration.md` follow from
//! it.

/// A key of FAF's configuration (ops.md section 2.2).
#[derive(Debug)]
pub(crate) struct Key {
    /// Its name in FAF's file and in the environment.
    pub(crate) name: &'static str,
    /// FAF's default, as YAML.
    pub(crate) default: &'static str,
    /// Type of its value.
    pub(crate) kind: KeyKind,
    /// Its meaning here.
    pub(crate) meaning: Meaning,
}

/// Type of a key's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyKind {
    /// `true` or `false`, also in quotes; 1 and 0.
    Switch,
    /// A number, also in quotes.
    Number,
    /// A text; numbers count as text.
    Text,
    /// A list of numbers.
    Numbers,
    /// A list of listeners.
    Listeners,
}

/// The meaning of a key here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The setting with this name takes its value.
    Setting(&'static str),
    /// The setting with this name follows from this key and others, as the text describes.
    Part(&'static str, &'static str),
    /// The server always behaves as with this value, for the reason that the text gives.
    Always(&'static str, &'static str),
    /// It has no effect, for the reason that the text gives.
    Nothing(&'static str),
}

/// Declares the keys: name, type and default, and meaning.
macro_rules! keys {
    ($( $name:ident: $kind:ident = $default:literal => $meaning:ident($($argument:literal),+); )+) => {
        /// All keys of FAF's server, 2024 and 2026, in the order of ops.md section 2.2.
        pub(crate) static KEYS: &[Key] = &[$(
            Key {
                name: stringify!($name),
                default: $default,
                kind: KeyKind::$kind,
                meaning: Meaning::$meaning($($argument),+),
            },
        )+];
    };
}

keys! {
    CONFIGURATION_REFRESH_TIME: Number = "300" => Setting("configuration_refresh_time");
    LISTEN: Listeners = "[]" => Part("simple_json", "listeners of both TCP formats (`qdatastream`, `simple_json`); FAF's server has had none since 2026, so the default is none");
    WS_HOST: Text = "\"\"" => Part("websocket", "the host; empty for all addresses (`*`)");
    WS_PORT: Number = "8003" => Part("websocket", "the port");
    WS_PATH: Text = "/" => Setting("websocket_path");
    WS_FORWARDED_IP_HEADER: Text = "X-Real-IP" => Part("forwarded_header", "trusted only from private networks (`trusted_proxies`), where FAF's server trusts everybody");
    LOG_LEVEL: Text = "DEBUG" => Part("log", "a level of Python, or its number; other crates than those of this server stay at `info`");
    USE_UVLOOP: Switch = "true" => Nothing("it chooses an event loop of Python");
    PROFILING_COUNT: Number = "300" => Nothing("there is no built-in profiler; use `perf`");
    PROFILING_DURATION: Number = "2" => Nothing("there is no built-in profiler; use `perf`");
    PROFILING_INTERVAL: Number = "-1" => Nothing("there is no built-in profiler; use `perf`");
    DIRTY_REPORT_INTERVAL: Number = "1" => Setting("report_interval");
    PING_INTERVAL: Number = "45" => Setting("ping_interval");
    SHUTDOWN_GRACE_PERIOD: Number = "1800" => Setting("shutdown_grace_period");
    SHUTDOWN_KICK_IDLE_PLAYERS: Switch = "false" => Setting("shutdown_kick_idle_players");
    CONTROL_SERVER_PORT: Number = "4000" => Part("control", "on all addresses");
    HEALTH_SERVER_PORT: Number = "2000" => Part("health", "on all addresses");
    METRICS_PORT: Number = "8011" => Part("metrics", "on all addresses");
    ENABLE_METRICS: Switch = "false" => Part("metrics", "`false` for \"off\"");
    DB_SERVER: Text = "127.0.0.1" => Part("database", "the host");
    DB_PORT: Number = "3306" => Part("database", "the port");
    DB_LOGIN: Text = "root" => Part("database", "the user");
    DB_PASSWORD: Text = "banana" => Part("database_password", "never shown");
    DB_NAME: Text = "faf" => Part("database", "the name of the database");
    DB_FLYWAY_TABLE: Text = "flyway_schema_history" => Part("database_history_table", "empty for no check of the schema's version");
    API_CLIENT_ID: Text = "client_id" => Nothing("FAF's server does not use it either");
    API_CLIENT_SECRET: Text = "banana" => Nothing("FAF's server does not use it either");
    API_TOKEN_URI: Text = "" => Nothing("FAF's server does not use it either");
    API_BASE_URL: Text = "" => Nothing("FAF's server does not use it either");
    HYDRA_JWKS_URI: Text = "https://hydra.faforever.com/.well-known/jwks.json" => Setting("jwks");
    MQ_USER: Text = "faf-python-server" => Part("broker_user", "with the other MQ_ keys");
    MQ_PASSWORD: Text = "banana" => Part("broker_password", "never shown");
    MQ_SERVER: Text = "127.0.0.1" => Part("broker_host", "with the other MQ_ keys");
    MQ_PORT: Number = "5672" => Part("broker_port", "with the other MQ_ keys");
    MQ_VHOST: Text = "/faf-core" => Part("broker_vhost", "the slash is part of its name");
    MQ_EXCHANGE_NAME: Text = "faf-rabbitmq" => Part("broker_exchange", "with the other MQ_ keys");
    WWW_URL: Text = "https://www.faforever.com" => Setting("www_url");
    CONTENT_URL: Text = "http://content.faforever.com" => Setting("content_url");
    FAF_POLICY_SERVER_BASE_URL: Text = "http://faf-policy-server" => Part("policy_server", "the URL");
    USE_POLICY_SERVER: Switch = "true" => Part("policy_server", "`false` for none");
    ALLOW_PASSWORD_LOGIN: Switch = "true" => Setting("allow_password_login");
    LOGIN_TIMEOUT: Number = "300" => Setting("login_timeout");
    NEWBIE_BASE_MEAN: Number = "500" => Setting("newbie_base_mean");
    NEWBIE_MIN_GAMES: Number = "10" => Setting("newbie_min_games");
    START_RATING_MEAN: Number = "1500" => Always("1500", "ratings of games that were stored depend on it");
    START_RATING_DEV: Number = "500" => Always("500", "ratings of games that were stored depend on it");
    RATING_ADJUSTMENT_MAX_RATING: Number = "1400" => Always("1400", "it is a constant of the rating rules");
    HIGH_RATED_PLAYER_MIN_RATING: Number = "1400" => Setting("high_rated_player_min_rating");
    TOP_PLAYER_MIN_RATING: Number = "2000" => Setting("top_player_min_rating");
    MINIMUM_GAME_QUALITY: Number = "0.4" => Setting("minimum_game_quality");
    MAXIMUM_RATING_IMBALANCE: Number = "250" => Setting("maximum_rating_imbalance");
    MAXIMUM_RATING_DEVIATION: Number = "250" => Setting("maximum_rating_deviation");
    TIME_BONUS: Number = "0.01" => Setting("time_bonus");
    MAXIMUM_TIME_BONUS: Number = "0.2" => Setting("maximum_time_bonus");
    NEWBIE_TIME_BONUS: Number = "0.25" => Setting("newbie_time_bonus");
    MAXIMUM_NEWBIE_TIME_BONUS: Number = "3.0" => Setting("maximum_newbie_time_bonus");
    MINORITY_BONUS: Number = "1" => Setting("minority_bonus");
    MINORITY_BONUS_RATING_RANGE: Number = "1250" => Setting("minority_bonus_rating_range");
    GEO_IP_DATABASE_PATH: Text = "GeoLite2-Country.mmdb" => Setting("geoip_database");
    GEO_IP_DATABASE_URL: Text = "https://download.maxmind.com/app/geoip_download" => Setting("geoip_url");
    GEO_IP_LICENSE_KEY: Text = "\"\"" => Setting("geoip_licence_key");
    GEO_IP_DATABASE_MAX_AGE_DAYS: Number = "22" => Setting("geoip_max_age_days");
    LADDER_1V1_OUTCOME_OVERRIDE: Switch = "true" => Always("false", "the players' reports decide, as in FAF's production: the score of a 1v1 does not override them");
    LADDER_ANTI_REPETITION_LIMIT: Number = "1" => Setting("ladder_anti_repetition_limit");
    LADDER_ANTI_REPETITION_WEIGHT_BASE_THRESHOLDS: Numbers = "[0.75, 0.5]" => Setting("ladder_anti_repetition_weight_base_thresholds");
    LADDER_ANTI_REPETITION_REPEAT_COUNTS_FACTOR: Number = "0.8" => Setting("ladder_anti_repetition_repeat_counts_factor");
    LADDER_SEARCH_EXPANSION_MAX: Number = "0.25" => Setting("ladder_search_expansion_max");
    LADDER_SEARCH_EXPANSION_STEP: Number = "0.05" => Setting("ladder_search_expansion_step");
    LADDER_TOP_PLAYER_SEARCH_EXPANSION_MAX: Number = "0.3" => Setting("ladder_top_player_search_expansion_max");
    LADDER_TOP_PLAYER_SEARCH_EXPANSION_STEP: Number = "0.15" => Setting("ladder_top_player_search_expansion_step");
    LADDER_NEWBIE_SEARCH_EXPANSION_MAX: Number = "0.6" => Setting("ladder_newbie_search_expansion_max");
    LADDER_NEWBIE_SEARCH_EXPANSION_STEP: Number = "0.1" => Setting("ladder_newbie_search_expansion_step");
    MAP_POOL_RATING_SELECTION: Text = "mean" => Setting("map_pool_rating_selection");
    QUEUE_POP_TIME_MAX: Number = "90" => Setting("queue_pop_time_max");
    QUEUE_POP_TIME_MIN: Number = "15" => Setting("queue_pop_time_min");
    QUEUE_POP_DESIRED_MATCHES: Number = "2.5" => Setting("queue_pop_desired_matches");
    QUEUE_POP_TIME_MOVING_AVG_SIZE: Number = "5" => Setting("queue_pop_time_moving_avg_size");
    LADDER_VIOLATIONS_ENABLED: Switch = "true" => Setting("ladder_violations_enabled");
    LADDER_VIOLATIONS_BAN_THRESHOLD: Number = "2" => Setting("ladder_violations_ban_threshold");
    LADDER_VIOLATIONS_FIRST_BAN_DURATION: Number = "600" => Setting("ladder_violations_first_ban_duration");
    LADDER_VIOLATIONS_BAN_DURATION: Number = "1800" => Setting("ladder_violations_ban_duration");
    LADDER_VIOLATIONS_RESET_TIME: Number = "3600" => Setting("ladder_violations_reset_time");
}

/// Returns the key with this name.
pub(super) fn key(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}
