//! The log of a server that runs as a separate process.

use std::net::TcpStream;

use faf_testkit::serving::Serving;

use super::support::{Operator, SERVE, converse, hello, serve, text};

/// Stops a server and returns its log.
fn end(server: Serving) -> String {
    server.signal("-TERM");
    server.signal("-TERM");
    server.wait().0
}

#[test]
fn the_log_begins_with_the_version_and_the_configuration() {
    let operator = Operator::new();
    operator.write("lobby.toml", "policy_server = \"http://me:secret@127.0.0.1:1/\"\n");
    let log = end(serve(&operator, "--config lobby.toml --database a.sqlite"));
    let first = log.lines().next().unwrap();
    let database = operator.path("a.sqlite").canonicalize().unwrap();
    for part in [
        &format!("version={}", env!("CARGO_PKG_VERSION")),
        "parts=\"mariadb, nats, rabbitmq\"",
        "process=",
        database.to_str().unwrap(),
    ] {
        assert!(first.contains(part), "{part} is missing in {first}");
    }
    assert!(log.contains("configured setting=database value=a.sqlite origin=\"flag --database\""), "{log}");
    assert!(log.contains("origin=\"lobby.toml, line 1\"") && !log.contains("secret"), "{log}");
}

#[test]
fn the_log_can_be_json() {
    let operator = Operator::new();
    let server = serve(&operator, "--log-format json --log debug --open-registration");
    let stream = TcpStream::connect(server.address("tcp://")).unwrap();
    converse(&stream, &hello("Ada", "secret"), "welcome");
    let log = end(server);
    assert!(log.lines().count() > 5);
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        let parts = ["time", "level", "target", "message"];
        assert!(parts.iter().all(|part| line[part].is_string()), "{line}");
    }
    // The fields of an event are beside them.
    let ready = log.lines().find(|line| line.contains("\"message\":\"ready\"")).unwrap();
    assert!(ready.contains("\"accounts\":0"), "{ready}");
    assert!(operator.fail("serve --log-format xml", 3).contains("not one of \"text\", \"json\""));
    let problem = operator.fail("serve --log-addresses all", 3);
    assert!(problem.contains("not one of \"none\", \"network\", \"full\""), "{problem}");
}

#[test]
fn clients_cannot_forge_lines() {
    let operator = Operator::new();
    for format in ["text", "json"] {
        let server = serve(&operator, &format!("--log trace --log-format {format} --open-registration"));
        let stream = TcpStream::connect(server.address("tcp://")).unwrap();
        let evil = r"x\n2000-01-01 ERROR forged \u001b[31m\r\u2028\u202e";
        converse(&stream, &format!(r#"{{"command":"ask_session","user_agent":"{evil}"}}"#), "session");
        converse(&stream, &hello("Ada", "secret"), "welcome");
        for message in [
            format!(r#"{{"command":"{evil}","target":"game","args":["{evil}"]}}"#),
            format!(r#"{{"command":"GameState","target":"game","args":["{evil}"]}}"#),
            format!(r#"{{"command":"avatar","action":"{evil}"}}"#),
        ] {
            converse(&stream, &format!("{message}\n{}", r#"{"command":"ping"}"#), "\n");
        }
        let log = end(server);
        let forged = log.lines().any(|line| line.starts_with("2000-01-01"));
        assert!(!forged && !log.contains(['\x1b', '\u{2028}', '\u{202e}']), "{log}");
    }
}

#[test]
fn the_banner_goes_to_standard_error() {
    let operator = Operator::new();
    let mut server = operator.command(&format!("{SERVE} --open-registration")).spawn().unwrap();
    let mut log = std::io::BufReader::new(server.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("ready") {
        line.clear();
        assert!(std::io::BufRead::read_line(&mut log, &mut line).unwrap() > 0, "it has ended");
    }
    server.kill().unwrap();
    assert_eq!(text(&server.wait_with_output().unwrap().stdout), "");
}

#[test]
fn logs_and_recordings_have_no_secrets_of_the_login_page() {
    let operator = Operator::new();
    let flags = "--log trace --login-pages --open-registration --recording recording";
    let server = serve(&operator, flags);
    let (url, password) = (format!("http://{}/oauth2", server.address("http://")), "correct horse");
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().into();
    // The example of RFC 7636 appendix B.
    let (verifier, challenge) =
        ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    let request = [
        ("response_type", "code"),
        ("client_id", "test"),
        ("redirect_uri", "http://127.0.0.1:1/"),
        ("scope", "lobby offline"),
        ("code_challenge", challenge),
        ("code_challenge_method", "S256"),
    ];
    let log_in = |password: &str| {
        let mut page = agent.get(format!("{url}/auth")).query_pairs(request).call().unwrap();
        let cookie = page.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let html = page.body_mut().read_to_string().unwrap();
        let (_, rest) = html.split_once(r#"name="form" value=""#).unwrap();
        let proof = rest.split('"').next().unwrap();
        let form = [&request[..], &[("form", proof), ("login", "Ada"), ("password", password)]].concat();
        agent.post(format!("{url}/auth")).header("cookie", cookie).send_form(form).unwrap()
    };
    let back = log_in(password);
    let location = back.headers()["location"].to_str().unwrap();
    let code = location.split_once("code=").unwrap().1.split('&').next().unwrap();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("client_id", "test"),
        ("redirect_uri", "http://127.0.0.1:1/"),
        ("code_verifier", verifier),
    ];
    let issued =
        agent.post(format!("{url}/token")).send_form(form).unwrap().body_mut().read_to_string().unwrap();
    let issued: serde_json::Value = serde_json::from_str(&issued).unwrap();
    let [token, refresh] = ["access_token", "refresh_token"].map(|name| issued[name].as_str().unwrap());
    let stream = TcpStream::connect(server.address("tcp://")).unwrap();
    converse(&stream, &format!(r#"{{"command":"auth","token":"{token}","unique_id":""}}"#), "welcome");
    assert_eq!(log_in("wrong horse").status(), 403);
    drop(stream);
    let log = end(server);
    assert!(log.contains("a login has failed") && log.contains("method=page"), "{log}");
    let mut written = vec![log];
    for file in std::fs::read_dir(operator.path("recording")).unwrap() {
        written.push(text(&std::fs::read(file.unwrap().path()).unwrap()));
    }
    assert!(written.len() > 1 && written[1].contains("Ada"), "{written:?}");
    let digest = faf_lobby::passwords::digest(password);
    for secret in [password, "wrong horse", &digest, code, verifier, token, refresh] {
        assert!(!written.iter().any(|text| text.contains(secret)), "{secret}");
    }
}
