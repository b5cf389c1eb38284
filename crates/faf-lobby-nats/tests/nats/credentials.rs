//! Accounts with keys, as `nsc` makes them.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use faf_lobby_nats::{Connection, OpenError, Settings};
use faf_testkit::services::nats::{NatsServer, Options};
use nkeys::KeyPair;
use serde_json::{Value, json};

use crate::support::{append_all, in_time, limits, settings};

/// Returns a token that `issuer` gives to `subject`.
fn token(issuer: &KeyPair, subject: &KeyPair, nats: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = encode(&json!({"typ": "JWT", "alg": "ed25519-nkey"}));
    let claims = json!({
        "jti": "test", "iat": 1_700_000_000, "iss": issuer.public_key(), "sub": subject.public_key(),
        "name": "test", "nats": nats,
    });
    let signed = format!("{header}.{}", encode(&claims));
    let signature = URL_SAFE_NO_PAD.encode(issuer.sign(signed.as_bytes()).unwrap());
    format!("{signed}.{signature}")
}

fn account(operator: &KeyPair, account: &KeyPair, storage: i64) -> String {
    let limits = json!({
        "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1,
        "mem_storage": storage, "disk_storage": storage, "streams": storage, "consumer": storage,
    });
    token(operator, account, &json!({"limits": limits, "type": "account", "version": 2}))
}

fn credentials(account: &KeyPair, user: &KeyPair, seed: &KeyPair) -> String {
    let nats =
        json!({"pub": {}, "sub": {}, "subs": -1, "data": -1, "payload": -1, "type": "user", "version": 2});
    format!(
        "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\n\
         ************************* IMPORTANT *************************\n\n\
         -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
        token(account, user, &nats),
        seed.seed().unwrap()
    )
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server; .ci/run runs it"]
async fn account_with_credentials_is_used_and_a_wrong_one_is_named() {
    let (operator, system) = (KeyPair::new_operator(), KeyPair::new_account());
    let (with_storage, without) = (KeyPair::new_account(), KeyPair::new_account());
    let operator_token = token(&operator, &operator, &json!({"type": "operator", "version": 2}));
    let mut configuration = format!("operator: {operator_token}\nsystem_account: {}\n", system.public_key());
    configuration += "resolver: MEMORY\nresolver_preload {\n";
    for (key, storage) in [(&system, 0), (&with_storage, -1), (&without, 0)] {
        writeln!(configuration, " {}: {}", key.public_key(), account(&operator, key, storage)).unwrap();
    }
    configuration += "}\n";
    let server = NatsServer::start_with(Options { configuration, ..Options::default() });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("user.creds");
    let (user, other) = (KeyPair::new_user(), KeyPair::new_user());
    let settings = Settings { credentials: Some(file.clone()), ..settings(&server) };
    let write =
        |account: &KeyPair, seed: &KeyPair| std::fs::write(&file, credentials(account, &user, seed)).unwrap();
    let open = async || in_time(Connection::open(settings.clone(), limits())).await;

    write(&with_storage, &user);
    let connection = open().await.unwrap();
    let (log, _) = faf_lobby_nats::Log::open_or_create(&connection, faf_lobby_nats::LogOptions::default())
        .await
        .unwrap();
    append_all(&log, "g", 0..10).await;
    server.kill();
    server.restart();
    append_all(&log, "g", 10..20).await;
    // The key of somebody else does not sign for this user, nor does an unknown account.
    for (account, seed) in [(&with_storage, &other), (&KeyPair::new_account(), &user)] {
        write(account, seed);
        assert!(matches!(open().await.unwrap_err(), OpenError::Unauthorized { .. }));
    }
    write(&without, &user);
    assert!(matches!(open().await.unwrap_err(), OpenError::NoJetStream { .. }));
}
