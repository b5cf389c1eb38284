//! Connections that cannot be opened, and identities.

use std::time::Duration;

use faf_lobby_nats::{Connection, Limits, OpenError, Settings, State};
use faf_testkit::services::nats::{Accepts, NatsServer, Options};
use tokio::net::TcpListener;

use crate::support::{append_all, in_time, limits, new_log, settings, wait_for};

async fn error(settings: Settings) -> OpenError {
    in_time(Connection::open(settings, limits())).await.unwrap_err()
}

#[tokio::test]
async fn server_that_is_away_or_silent_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let settings = Settings { url: format!("nats://user:hunter2@{address}"), ..Settings::default() };
    let limits = Limits { open: Duration::from_millis(100), ..limits() };
    let silent = in_time(Connection::open(settings.clone(), limits)).await.unwrap_err();
    drop(listener);
    let away = in_time(Connection::open(settings, limits)).await.unwrap_err();
    for error in [silent, away] {
        let OpenError::Unreachable { server, .. } = &error else { panic!("{error:?}") };
        assert_eq!(*server, address.to_string());
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
    let wrong = error(Settings { cluster: "a.b".to_owned(), ..Settings::default() }).await;
    assert!(matches!(wrong, OpenError::Settings(_)), "{wrong:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server; .ci/run runs it"]
async fn wrong_user_and_token_are_named_without_secrets() {
    let right = "p@ss:word/1";
    for accepts in [Accepts::User("lobby".to_owned(), right.to_owned()), Accepts::Token(right.to_owned())] {
        let server = NatsServer::start_with(Options { accepts: accepts.clone(), ..Options::default() });
        let address = format!("127.0.0.1:{}", server.port());
        let with =
            |identity: &str| Settings { url: format!("nats://{identity}{address}"), ..settings(&server) };
        let (good, bad) = match accepts {
            Accepts::User(..) => ("lobby:p%40ss%3Aword%2F1@", "lobby:hunter2@"),
            _ => ("p%40ss%3Aword%2F1@", "hunter2@"),
        };
        in_time(Connection::open(with(good), limits())).await.unwrap();
        for identity in [bad, ""] {
            let error = error(with(identity)).await;
            assert_eq!(error, OpenError::Unauthorized { server: address.clone() });
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
        // Several servers: one that refuses tells more than one that is away.
        let several = format!("nats://{bad}{address},nats://127.0.0.1:1");
        let error = error(Settings { url: several, ..settings(&server) }).await;
        assert_eq!(error, OpenError::Unauthorized { server: address.clone() });
        let several = format!("nats://127.0.0.1:1,nats://{good}{address}");
        let connection = Connection::open(Settings { url: several, ..settings(&server) }, limits());
        let state = in_time(connection).await.unwrap().state().borrow().clone();
        assert!(matches!(&state, State::Connected { server, .. } if *server == address), "{state:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server; .ci/run runs it"]
async fn server_without_jetstream_is_named() {
    let server = NatsServer::start_with(Options { has_no_jetstream: true, ..Options::default() });
    let error = error(settings(&server)).await;
    assert!(matches!(error, OpenError::NoJetStream { .. }), "{error:?}");
    assert!(error.to_string().contains("-js"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server; .ci/run runs it"]
async fn tls_needs_the_authority_of_the_server() {
    let server = NatsServer::start_with(Options { has_tls: true, ..Options::default() });
    let (connection, log, _) = new_log(&server).await;
    append_all(&log, "g", 0..10).await;
    // Over TLS, the connection is opened again as well.
    server.kill();
    wait_for(&connection, |state| !state.is_connected()).await;
    server.restart();
    append_all(&log, "g", 10..20).await;
    let right = settings(&server);
    let unknown = Settings { certificate_authority: None, ..right.clone() };
    let other = NatsServer::start_with(Options { has_tls: true, ..Options::default() });
    let foreign = Settings { certificate_authority: other.certificate_authority(), ..right.clone() };
    let plain = NatsServer::shared();
    let without = Settings { url: plain.url().replace("nats:", "tls:"), ..right.clone() };
    for settings in [unknown, foreign, without] {
        let error = error(settings).await;
        assert!(matches!(error, OpenError::Tls { .. }), "{error:?}");
    }
    // The server asks for TLS by itself.
    let asked = Settings { url: right.url.replace("tls:", "nats:"), ..right.clone() };
    in_time(Connection::open(asked, limits())).await.unwrap();
    for file in ["/nowhere/authority.pem", "/dev/null"] {
        let error = error(Settings { certificate_authority: Some(file.into()), ..right.clone() }).await;
        assert!(matches!(&error, OpenError::File(problem) if problem.contains(file)), "{error:?}");
    }
    let error = error(Settings { credentials: Some("/nowhere/user.creds".into()), ..right }).await;
    assert!(
        matches!(&error, OpenError::File(problem) if problem.contains("/nowhere/user.creds")),
        "{error:?}"
    );
}
