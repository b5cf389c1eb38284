//! Tests of FAF's configuration.

use std::io::Write;

use super::super::{CATALOGUE, DatabaseAddress, Effective, Settings, Sources};
use super::*;

/// All keys of ops.md section 2.2, to compare the table with.
const KEYS_OF_FAF: &str = "
    CONFIGURATION_REFRESH_TIME LISTEN WS_HOST WS_PORT WS_PATH WS_FORWARDED_IP_HEADER LOG_LEVEL USE_UVLOOP
    PROFILING_COUNT PROFILING_DURATION PROFILING_INTERVAL DIRTY_REPORT_INTERVAL PING_INTERVAL
    SHUTDOWN_GRACE_PERIOD SHUTDOWN_KICK_IDLE_PLAYERS CONTROL_SERVER_PORT HEALTH_SERVER_PORT METRICS_PORT
    ENABLE_METRICS DB_SERVER DB_PORT DB_LOGIN DB_PASSWORD DB_NAME DB_FLYWAY_TABLE API_CLIENT_ID
    API_CLIENT_SECRET API_TOKEN_URI API_BASE_URL HYDRA_JWKS_URI MQ_USER MQ_PASSWORD MQ_SERVER MQ_PORT
    MQ_VHOST MQ_EXCHANGE_NAME WWW_URL CONTENT_URL FAF_POLICY_SERVER_BASE_URL USE_POLICY_SERVER
    ALLOW_PASSWORD_LOGIN LOGIN_TIMEOUT NEWBIE_BASE_MEAN NEWBIE_MIN_GAMES START_RATING_MEAN START_RATING_DEV
    RATING_ADJUSTMENT_MAX_RATING HIGH_RATED_PLAYER_MIN_RATING TOP_PLAYER_MIN_RATING MINIMUM_GAME_QUALITY
    MAXIMUM_RATING_IMBALANCE MAXIMUM_RATING_DEVIATION TIME_BONUS MAXIMUM_TIME_BONUS NEWBIE_TIME_BONUS
    MAXIMUM_NEWBIE_TIME_BONUS MINORITY_BONUS MINORITY_BONUS_RATING_RANGE GEO_IP_DATABASE_PATH
    GEO_IP_DATABASE_URL GEO_IP_LICENSE_KEY GEO_IP_DATABASE_MAX_AGE_DAYS LADDER_1V1_OUTCOME_OVERRIDE
    LADDER_ANTI_REPETITION_LIMIT LADDER_ANTI_REPETITION_WEIGHT_BASE_THRESHOLDS
    LADDER_ANTI_REPETITION_REPEAT_COUNTS_FACTOR LADDER_SEARCH_EXPANSION_MAX LADDER_SEARCH_EXPANSION_STEP
    LADDER_TOP_PLAYER_SEARCH_EXPANSION_MAX LADDER_TOP_PLAYER_SEARCH_EXPANSION_STEP
    LADDER_NEWBIE_SEARCH_EXPANSION_MAX LADDER_NEWBIE_SEARCH_EXPANSION_STEP MAP_POOL_RATING_SELECTION
    QUEUE_POP_TIME_MAX QUEUE_POP_TIME_MIN QUEUE_POP_DESIRED_MATCHES QUEUE_POP_TIME_MOVING_AVG_SIZE
    LADDER_VIOLATIONS_ENABLED LADDER_VIOLATIONS_BAN_THRESHOLD LADDER_VIOLATIONS_FIRST_BAN_DURATION
    LADDER_VIOLATIONS_BAN_DURATION LADDER_VIOLATIONS_RESET_TIME";

/// The file of FAF's production and test servers, July 2026 (ops.md section 14.3).
const PRODUCTION: &str = include_str!("production.yaml");

struct Given {
    file: tempfile::NamedTempFile,
    environment: BTreeMap<String, String>,
}

fn given(yaml: Option<&str>, environment: &[(&str, &str)]) -> Given {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(yaml.unwrap_or_default().as_bytes()).unwrap();
    let pairs = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let mut environment: BTreeMap<_, _> = pairs.collect();
    if yaml.is_some() {
        environment.insert(FILE_VARIABLE.to_owned(), file.path().display().to_string());
    }
    Given { file, environment }
}

impl Given {
    /// Returns a text with `FILE` for the file.
    fn without_path(&self, text: &str) -> String {
        text.replace(&self.file.path().display().to_string(), "FILE")
    }

    fn load(&self) -> Result<Effective, String> {
        let sources = Sources { environment: self.environment.clone(), ..Sources::default() };
        Effective::load(&sources).map_err(|problems| {
            let text = self.without_path(&problems.to_string());
            text.strip_prefix("the configuration is invalid:\n  ").unwrap().to_owned()
        })
    }

    /// Returns the value of every setting that follows, and its origin.
    fn derived(&self) -> BTreeMap<&'static str, (Value, String)> {
        let mut read = FafConfiguration::read(&self.environment);
        let derived = read.settings();
        assert_eq!(read.problems, []);
        let pair = |derived: Derived| {
            (derived.setting, (derived.value, self.without_path(&derived.origin.to_string())))
        };
        derived.into_iter().map(pair).collect()
    }
}

fn load(yaml: Option<&str>, environment: &[(&str, &str)]) -> Result<Settings, String> {
    given(yaml, environment).load().map(|effective| effective.settings())
}

#[test]
fn every_key_of_faf_is_in_the_table() {
    let table: Vec<_> = KEYS.iter().map(|key| key.name).collect();
    assert_eq!(table, KEYS_OF_FAF.split_whitespace().collect::<Vec<_>>());
    for key in KEYS {
        // The default is a value of the key's type.
        let default = entries(&format!("x: {}", key.default)).unwrap().remove(0).1;
        default.typed(key.kind).unwrap_or_else(|problem| panic!("{}: {problem}", key.name));
        match key.meaning {
            Meaning::Setting(setting) => assert!(entry(setting).is_some(), "{}", key.name),
            Meaning::Part(setting, words) => {
                assert!(entry(setting).is_some() && !words.is_empty(), "{}", key.name);
            }
            Meaning::Always(value, reason) => {
                assert!(
                    entries(&format!("x: {value}")).unwrap()[0].1.typed(key.kind).is_ok(),
                    "{}",
                    key.name
                );
                assert!(reason.len() > 10);
            }
            Meaning::Nothing(reason) => assert!(reason.len() > 10),
        }
    }
}

/// Returns a valid value of a key that is not its default.
fn other_value(key: &Key) -> String {
    match (key.name, key.kind) {
        ("LOG_LEVEL", _) => "ERROR".to_owned(),
        ("MAP_POOL_RATING_SELECTION", _) => "max".to_owned(),
        ("WS_PATH", _) => "/ws".to_owned(),
        ("QUEUE_POP_TIME_MIN", _) => "14".to_owned(),
        ("QUEUE_POP_TIME_MAX", _) => "91".to_owned(),
        ("LISTEN", _) => "[{ADDRESS: '', PORT: 8001, PROTOCOL: SimpleJsonProtocol}]".to_owned(),
        (_, KeyKind::Switch) => (key.default != "true").to_string(),
        (_, KeyKind::Number) => match key.default.parse::<f64>().unwrap() {
            number if number.fract() == 0.0 => (number + 1.0).to_string(),
            number => (number * 0.5).to_string(),
        },
        (_, KeyKind::Numbers) => "[0.125]".to_owned(),
        (name, _) if name.contains("_URL") || name.contains("_URI") => "https://other.example".to_owned(),
        _ => "other".to_owned(),
    }
}

#[test]
fn each_key_sets_its_setting_and_no_other() {
    for key in KEYS {
        let other = other_value(key);
        let without = given(Some(""), &[]).derived();
        let with = given(Some(&format!("{}: {other}\n", key.name)), &[]).derived();
        let changed: Vec<_> = CATALOGUE
            .iter()
            .map(|entry| entry.name)
            .filter(|setting| {
                with.get(setting).map(|(value, _)| value) != without.get(setting).map(|(value, _)| value)
            })
            .collect();
        let expected: &[&str] = match key.meaning {
            // Without metrics, their port makes no difference.
            _ if key.name == "METRICS_PORT" => &[],
            Meaning::Setting(setting) | Meaning::Part(setting, _) => &[setting],
            Meaning::Always(..) | Meaning::Nothing(_) => &[],
        };
        assert_eq!(changed, expected, "{}: {other}", key.name);
    }
}

/// Keys that FAF's server reads only at its start, too (ops.md section 2.2).
const READ_AT_THE_START: &str =
    "LISTEN WS_HOST WS_PORT WS_PATH METRICS_PORT ENABLE_METRICS DB_SERVER DB_PORT DB_LOGIN
    DB_PASSWORD DB_NAME DB_FLYWAY_TABLE MQ_EXCHANGE_NAME";

/// After a change of what can change at run time: copy the list that this prints into the guide.
#[test]
fn the_guide_names_the_keys_that_only_here_need_a_restart() {
    let guide = include_str!("../../../../../docs/src/guide/faf-configuration.md");
    let lobby = |yaml: &str| load(Some(yaml), &[]).unwrap_or_else(|problem| panic!("{problem}")).lobby();
    let default = lobby("");
    let changes_at_once = |key: &&Key| {
        matches!(
            key.meaning,
            Meaning::Setting("log" | "configuration_refresh_time") | Meaning::Part("log", _)
        ) || lobby(&format!("{}: {}\n", key.name, other_value(key))) != default
    };
    let read_again = KEYS
        .iter()
        .filter(|key| matches!(key.meaning, Meaning::Setting(_) | Meaning::Part(..)))
        .filter(|key| !READ_AT_THE_START.split_whitespace().any(|name| name == key.name));
    let names: Vec<String> =
        read_again.filter(|key| !changes_at_once(key)).map(|key| format!("`{}`", key.name)).collect();
    assert!(names.len() > 5 && guide.replace('\n', " ").contains(&names.join(", ")), "{}", names.join(", "));
}

/// After a change of the table: copy the one that this prints into the guide.
#[test]
fn the_guide_has_the_table() {
    let guide = include_str!("../../../../../docs/src/guide/faf-configuration.md");
    let mut table = "| key | default of FAF | here |\n| --- | --- | --- |\n".to_owned();
    for key in KEYS {
        let default = key.default.trim_matches('"');
        let default = if default.is_empty() { String::new() } else { format!("`{default}`") };
        let here = match key.meaning {
            Meaning::Setting(setting) => format!("`{setting}`"),
            Meaning::Part(setting, words) => format!("`{setting}`: {words}"),
            Meaning::Always(value, reason) => format!("always `{value}`: {reason}"),
            Meaning::Nothing(reason) => format!("no effect: {reason}"),
        };
        table += &format!("| {} | {default} | {here} |\n", key.name);
    }
    assert!(guide.contains(&table), "{table}");
}

#[test]
fn the_file_of_production_is_accepted() {
    let secrets = [("DB_PASSWORD", "hunter2"), ("MQ_PASSWORD", "hunter3")];
    let given = given(Some(PRODUCTION), &secrets);
    let effective = given.load().unwrap_or_else(|problems| panic!("{problems}"));
    let settings = effective.settings();
    assert_eq!(settings.websocket.addresses()[0].address, "*:8003");
    assert_eq!(
        (settings.websocket_path.as_str(), settings.forwarded_header.as_str()),
        ("/", "CF-Connecting-IP")
    );
    assert!(settings.trusted_proxies.iter().any(|proxy| proxy.includes("10.42.0.7".parse().unwrap())));
    assert!(!settings.trusted_proxies.iter().any(|proxy| proxy.includes("203.0.113.1".parse().unwrap())));
    assert_eq!(
        [&settings.qdatastream, &settings.simple_json, &settings.http].map(|l| l.addresses().len()),
        [0; 3]
    );
    let ports = [&settings.health, &settings.control, &settings.metrics];
    assert_eq!(ports.map(|listen| listen.addresses()[0].address.as_str()), ["*:2000", "*:4000", "*:8011"]);
    assert_eq!((settings.newbie_time_bonus, settings.configuration_refresh_time), (0.25, 60.0));
    assert_eq!(settings.ladder_top_player_search_expansion_max, 0.5);
    assert!(!settings.allow_password_login && !settings.ladder_violations_enabled);
    assert_eq!(
        (settings.policy_server.as_str(), settings.log.as_str()),
        ("http://faf-policy-server:8097", "info")
    );
    assert_eq!((settings.login_timeout, settings.geoip_max_age_days), (300.0, 22));
    let DatabaseAddress::MariaDb(database) = &settings.database else { panic!("{:?}", settings.database) };
    assert_eq!((database.host.as_str(), settings.database_password.reveal()), ("mariadb", "hunter2"));
    let derived = given.derived();
    let value = |setting: &str| derived[setting].0.as_str().unwrap().to_owned();
    assert_eq!(value("database"), "mysql://faf-python-server@mariadb:3306/faf_lobby");
    assert_eq!(value("database_history_table"), "flyway_schema_history");
    let broker =
        [&settings.broker_host, &settings.broker_user, &settings.broker_vhost, &settings.broker_exchange];
    assert_eq!(broker, ["rabbitmq", "faf-lobby-server", "/faf-core", "faf-lobby"]);
    assert_eq!((settings.broker_port, settings.broker_password.reveal()), (5672, "hunter3"));
    // Keys without effect are named, each once.
    let unused: Vec<_> = effective.unused().iter().map(|unused| unused.key.as_str()).collect();
    for key in ["FORCE_STEAM_LINK", "FORCE_STEAM_LINK_AFTER_DATE", "USE_API", "PROFILING_INTERVAL"] {
        assert_eq!(unused.iter().filter(|name| **name == key).count(), 1, "{key} in {unused:?}");
    }
    assert!(!unused.contains(&"LADDER_1V1_OUTCOME_OVERRIDE"), "production wants what the server does");
}

#[test]
fn the_file_wins_over_the_environment_and_both_over_the_defaults() {
    let environment = [("PING_INTERVAL", "30"), ("LOGIN_TIMEOUT", "100"), ("FAF_LOBBY_TIME_BONUS", "0.5")];
    let settings = load(Some("PING_INTERVAL: 20\nTIME_BONUS: 0.25\n"), &environment).unwrap();
    assert_eq!((settings.ping_interval, settings.login_timeout), (20.0, 100.0));
    assert_eq!((settings.time_bonus, settings.configuration_refresh_time), (0.5, 300.0));
    // Without a file, defaults of FAF apply only to what belongs together.
    let settings = load(None, &environment).unwrap();
    assert_eq!(
        Settings { ping_interval: 45.0, login_timeout: 30.0, time_bonus: 0.01, ..settings },
        Settings::default()
    );
    let derived = given(None, &[("DB_NAME", "test")]).derived();
    assert_eq!(derived["database"].0.as_str(), Some("mysql://root@127.0.0.1:3306/test"));
    assert_eq!(
        derived.keys().copied().collect::<Vec<_>>(),
        ["database", "database_history_table", "database_password"]
    );
    let settings = load(None, &[("MQ_SERVER", "mq")]).unwrap();
    assert_eq!((settings.broker_host.as_str(), settings.broker_user.as_str()), ("mq", "faf-python-server"));
    assert_eq!(settings.broker_exchange, "faf-rabbitmq");
}

#[test]
fn variables_have_the_type_of_their_key() {
    for (no, yes) in [("false", "true"), ("0", "1"), ("False", "TRUE")] {
        let metrics = |value| load(None, &[("ENABLE_METRICS", value)]).unwrap().metrics.addresses().len();
        assert_eq!((metrics(no), metrics(yes)), (0, 1));
    }
    let listen = "[{ADDRESS: 127.0.0.1, PORT: 1, PROTOCOL: QDataStreamProtocol, PROXY: true}]";
    let settings = load(None, &[("LISTEN", listen), ("QUEUE_POP_TIME_MAX", "60")]).unwrap();
    let address = &settings.qdatastream.addresses()[0];
    assert_eq!((address.address.as_str(), address.proxy), ("127.0.0.1:1", true));
    assert!(settings.simple_json.addresses().is_empty() && settings.queue_pop_time_max == 60.0);
    // Empty variables, and those that Kubernetes makes for services, are no values.
    let variables =
        [("LOGIN_TIMEOUT", ""), ("DB_PORT", "tcp://10.0.0.1:3306"), ("METRICS_PORT", "tcp://10.0.0.2:1")];
    assert_eq!(load(None, &variables), Ok(Settings::default()));
}

#[test]
fn problems_name_file_line_key_and_what_is_expected() {
    let problem = |yaml: &str| load(Some(yaml), &[]).unwrap_err();
    assert_eq!(
        problem("# x\nPING_INTERVAL: often\n"),
        "FILE, line 2: PING_INTERVAL: `often` is not a number"
    );
    assert_eq!(
        problem("USE_POLICY_SERVER: maybe\n"),
        "FILE, line 1: USE_POLICY_SERVER: `maybe` is not true or false"
    );
    assert_eq!(
        problem("\nPING_INTERVAL: 0\n"),
        "FILE, line 2: PING_INTERVAL: 0 is not between 0.01 and 3600"
    );
    assert_eq!(
        problem("NEWBIE_MIN_GAMES: 1.5\n"),
        "FILE, line 1: NEWBIE_MIN_GAMES: `1.5` is not a whole number"
    );
    assert!(problem("LOG_LEVEL: LOUD\n").starts_with("FILE, line 1: LOG_LEVEL: `LOUD` is not a level; "));
    assert!(
        problem("LISTEN:\n  - {PORT: 1, PROTOCOL: Carrier}\n").contains("`Carrier` is neither QDataStream")
    );
    assert!(problem("WS_PORT: 99999\n").contains("WS_PORT: `*:99999` is not an address"));
    assert!(problem("A: [1\nB: 2\n").contains(": syntax: "));
    assert_eq!(
        load(None, &[("PING_INTERVAL", "often")]).unwrap_err(),
        "environment variable PING_INTERVAL: PING_INTERVAL: `often` is not a number"
    );
    let missing = load(None, &[(FILE_VARIABLE, "no/such.yaml")]).unwrap_err();
    assert!(missing.starts_with("no/such.yaml: CONFIGURATION_FILE: the file cannot be read: "), "{missing}");
}

#[test]
fn origins_name_every_key() {
    let given = given(Some("DB_SERVER: db\nMQ_SERVER: mq\n"), &[("DB_LOGIN", "me")]);
    let derived = given.derived();
    assert_eq!(derived["database"].1, "FILE, line 1: DB_SERVER; environment variable DB_LOGIN");
    assert_eq!(derived["broker_host"].1, "FILE, line 2: MQ_SERVER");
    assert_eq!(derived["database_password"].1, "FAF's default of DB_PASSWORD");
    assert_eq!(derived["http"].1, "environment variable CONFIGURATION_FILE");
}

#[test]
fn secrets_are_hidden() {
    let effective = given(Some("GEO_IP_LICENSE_KEY: hunter2\n"), &[]).load().unwrap();
    assert_eq!(effective.settings().geoip_licence_key.reveal(), "hunter2");
    assert_eq!(effective.shown("geoip_licence_key"), "***");
    assert!(effective.set().all(|(_, value, _)| !value.contains("hunter2")));
    for key in ["DB_PASSWORD", "MQ_PASSWORD", "GEO_IP_LICENSE_KEY"] {
        // Whatever is wrong, the value is not in the text.
        let problem = load(Some(&format!("{key}: [hunter2]\n")), &[]).unwrap_err();
        assert_eq!(problem, format!("FILE, line 1: {key}: a list is not a text"));
    }
}

#[test]
fn keys_without_effect_are_named() {
    let yaml =
        "LADDER_1V1_OUTCOME_OVERRIDE: true\nUSE_UVLOOP: false\nPING_INTERVALL: 3\nSTART_RATING_MEAN: 1500\n";
    let unused = given(Some(yaml), &[]).load().unwrap().unused().to_vec();
    let reason =
        |key: &str| unused.iter().find(|unused| unused.key == key).map(|unused| unused.reason.as_str());
    assert!(
        reason("LADDER_1V1_OUTCOME_OVERRIDE").unwrap().starts_with("the server always behaves as with false")
    );
    assert!(reason("USE_UVLOOP").is_some());
    assert!(reason("PING_INTERVALL").unwrap().ends_with("did you mean `PING_INTERVAL`?"));
    assert_eq!(reason("START_RATING_MEAN"), None);
    assert_eq!(given(Some(""), &[]).load().unwrap().unused(), []);
}
