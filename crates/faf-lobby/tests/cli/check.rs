//! `faf-lobby check` and `faf-lobby config`.

use std::net::TcpListener;

use super::support::{Operator, text};

const FREE: &str =
    "--qdatastream 127.0.0.1:0 --simple-json 127.0.0.1:0 --websocket 127.0.0.1:0 --http 127.0.0.1:0";

#[test]
fn check_tries_everything_that_the_settings_name() {
    let operator = Operator::new();
    let fail = |flags: &str| operator.fail(&format!("check {FREE} {flags}"), 3);
    operator.write(
        "file",
        "this is neither a folder nor a database, but long enough to be taken for one".repeat(9).as_str(),
    );
    for (flags, problem) in [
        ("--database no/folder.sqlite", "nothing can be written to no"),
        ("--database file", "database: file: this is not an SQLite database"),
        ("--recording file/below", "recording: file/below: nothing can be written"),
        ("--geoip-database none.mmdb", "geoip_database: none.mmdb"),
        ("--www-url nonsense", "www_url: `nonsense` is not a URL"),
        ("--policy-server ftp://x", "policy_server: `ftp://x` is not a URL"),
        ("--http no-such-host.invalid:80", "http: cannot listen on no-such-host.invalid:80"),
        (
            "--http 127.0.0.1:8002 --simple-json 127.0.0.1:8002",
            "127.0.0.1:8002 is already used by simple_json",
        ),
        ("--http 127.0.0.1:8002 --simple-json 0.0.0.0:8002", "is already used by simple_json"),
        ("--log warning", "`warning` is not a level"),
        ("--log info,debg", "`debg` is not a level"),
    ] {
        let output = fail(flags);
        assert!(output.contains(problem), "{flags}: {problem} is missing in {output}");
    }
    let warn = |flags: &str| {
        let output = operator.run(&format!("check {FREE} {flags}"));
        assert!(output.status.success(), "{flags}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!(warn("--log info,faf_lobby::store=debug,hyper=off"), "");
    assert!(warn("--log info,my_crate=debug").contains("there is no log target `my_crate`"));
    assert!(warn("--jwks none.json").contains("jwks: the keys cannot be read now"));
    let occupied = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = occupied.local_addr().unwrap();
    assert!(warn(&format!("--http {address}")).contains("already running"));
    drop(occupied);
    // Another server of these tests may get a port that was free, but not this one.
    assert!(warn("--policy-server http://127.0.0.1:1/").contains("cannot be reached now"));
    // Nothing was created or left behind.
    assert_eq!(std::fs::read_dir(operator.path("")).unwrap().count(), 1);
}

#[test]
fn the_effective_configuration_shows_the_origin_of_values() {
    let operator = Operator::new();
    operator.write("lobby.toml", "# mine\nping_interval = \"1m\"\nmessage_limit = \"1MiB\"\n");
    let output = operator
        .command("config --effective --config lobby.toml --login-rate 7")
        .env("FAF_LOBBY_REPORT_INTERVAL", "500ms")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let has = |setting: &str, origin: &str| {
        text.lines().any(|line| line.starts_with(setting) && line.ends_with(origin))
    };
    assert!(has("ping_interval = 60.0", "# lobby.toml, line 2"), "{text}");
    assert!(has("message_limit = 1048576", "# lobby.toml, line 3"), "{text}");
    assert!(has("report_interval = 0.5", "# environment variable FAF_LOBBY_REPORT_INTERVAL"), "{text}");
    assert!(has("login_rate = 7", "# flag --login-rate"), "{text}");
    assert!(has("nesting_limit = 128", "128"), "{text}");
    operator.write("effective.toml", &text);
    operator.succeed("check --http off --config effective.toml");
}

#[test]
fn error_texts_name_the_wrong_value() {
    let operator = Operator::new();
    let output = operator.fail("check --ping-interval never --login-rate 1.5 --message-limit big", 3);
    for part in ["`never` is not a time", "`1.5` is not a whole number", "`big` is not a size"] {
        assert!(output.contains(part), "{part} is missing in {output}");
    }
    for line in ["explain game x", "game list --limit 0", "user token Ada --days 1.5"] {
        let output = operator.fail(line, 2);
        assert!(output.contains("it is not a whole number from"), "{output}");
    }
    for origin in ["example.org", "https://example.org/", "https://example.org/page"] {
        let output = operator.fail(&format!("check --websocket-origins {origin}"), 3);
        assert!(output.contains(&format!("`{origin}` is not an origin")), "{output}");
    }
    operator.succeed("check --http off --websocket-origins *,null,file://,http://localhost:8080");
    std::fs::create_dir(operator.path("folder")).unwrap();
    assert!(operator.fail("serve --database folder", 3).contains("it is a folder"));
    assert!(!operator.path("folder.lock").exists());
}

#[test]
fn the_configuration_of_faf_is_shown_with_its_origins() {
    let operator = Operator::new();
    let ports = "WS_HOST: localhost\nWS_PORT: 0\n# ports of probes\n";
    operator.write(
        "faf.yaml",
        &format!("{ports}PING_INTERVAL: 30\nUSE_API: false\nGEO_IP_LICENSE_KEY: hunter2\n"),
    );
    let output = operator
        .command("check --configuration-file faf.yaml --health off --control off --database lobby.sqlite --geoip-database= --policy-server= --jwks=")
        .env("LOGIN_TIMEOUT", "100")
        .output()
        .unwrap();
    let [shown, warnings] = [&output.stdout, &output.stderr].map(|bytes| text(bytes));
    assert!(output.status.success(), "{warnings}");
    for line in [
        "ping_interval = 30.0  # faf.yaml, line 4: PING_INTERVAL",
        "login_timeout = 100.0  # environment variable LOGIN_TIMEOUT",
        "geoip_licence_key = ***  # faf.yaml, line 6: GEO_IP_LICENSE_KEY",
        "websocket = localhost:0  # faf.yaml, line 1: WS_HOST; faf.yaml, line 2: WS_PORT",
        "content_url = http://content.faforever.com  # FAF's default of CONTENT_URL",
        "configuration OK",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line} is missing in\n{shown}");
    }
    let warning = "USE_API: FAF's server does not know it either; it has no effect (faf.yaml, line 5)";
    assert_eq!(warnings.matches(warning).count(), 1, "{warnings}");
    assert!(!format!("{shown}{warnings}").contains("hunter2"));
    let effective = operator.succeed("config --effective --configuration-file faf.yaml");
    assert!(
        !effective.contains("hunter2") && effective.contains("# faf.yaml, line 4: PING_INTERVAL"),
        "{effective}"
    );
    operator.write("faf.yaml", "PING_INTERVAL: often\n");
    let problem = operator.fail("check --configuration-file faf.yaml", 3);
    assert!(problem.contains("faf.yaml, line 1: PING_INTERVAL: `often` is not a number"), "{problem}");
}

#[test]
fn gateway_says_what_it_needs() {
    let operator = Operator::new();
    let problem = operator.fail("gateway", 3);
    assert!(problem.contains("--nats nats://HOST:4222"), "{problem}");
    let problem = operator.fail("gateway --nats nats://lobby:secret@127.0.0.1 --cluster a.b", 3);
    assert!(problem.contains("nats_password") && problem.contains("cluster: it must be"), "{problem}");
    assert!(!problem.contains("secret@"), "{problem}");
}
