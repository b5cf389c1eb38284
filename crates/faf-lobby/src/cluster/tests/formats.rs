//! A client receives through a gateway what the single process sends it.

use std::net::SocketAddr;
use std::sync::Arc;

use faf_protocol::WireFormat;

use super::rig::{Cluster, Performer, connect, settings};
use crate::auth::passwords::{PasswordThreads, digest};
use crate::auth::tokens::{OwnTokens, Tokens};
use crate::lobby::requests::RequestExecutor;
use crate::server::{Server, Service};
use crate::store::Store;

/// Returns the messages to a client that follows a script: the `session` without its number, and
/// the bytes of all others without the time of day.
async fn sent(address: SocketAddr, format: WireFormat) -> (String, Vec<u8>) {
    let mut client = connect(address, format).await;
    client.send(r#"{"command":"ask_session","user_agent":"downlords-faf-client","version":"test"}"#).await;
    let session = client.receive("session").await.to_string();
    let before = client.raw().len();
    let password = digest("secret");
    let login = format!("player-{}", format.name());
    client
        .send(&format!(
            r#"{{"command":"hello","login":"{login}","password":"{password}","unique_id":"machine"}}"#
        ))
        .await;
    let welcome: serde_json::Value = serde_json::from_str(client.receive("welcome").await.as_str()).unwrap();
    for (command, reply) in [
        (r#"{"command":"ping"}"#, "pong"),
        (r#"{"command":"matchmaker_info"}"#, "matchmaker_info"),
        (r#"{"command":"avatar","action":"list_avatar"}"#, "avatarlist"),
        (r#"{"command":"game_join","uid":4711}"#, "notice"),
        (r#"{"command":"game_host","mod":"faf","visibility":"public","title":"A game"}"#, "game_launch"),
        (r#"{"command":"GameState","target":"game","args":["Idle"]}"#, ""),
        (r#"{"command":"GameState","target":"game","args":["Lobby"]}"#, "HostGame"),
        // The last one is refused, and the connection closed.
        (r#"{"command":"social_add","friend":"nobody"}"#, ""),
    ] {
        client.send(command).await;
        if !reply.is_empty() {
            client.receive(reply).await;
        }
    }
    client.wait_for_end().await;
    let session = session.chars().filter(|c| !c.is_ascii_digit()).collect();
    let time = welcome["current_time"].as_str().unwrap();
    let time = match format {
        WireFormat::QDataStream => time.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        WireFormat::SimpleJson | WireFormat::WebSocket => time.as_bytes().to_vec(),
    };
    let mut bytes = client.raw().split_off(before);
    let place = bytes.windows(time.len()).position(|part| part == time).unwrap();
    bytes.splice(place..place + time.len(), []);
    (session, bytes)
}

fn executor(store: &Store) -> Performer {
    let requests = RequestExecutor {
        store: store.clone(),
        tokens: Arc::new(Tokens::new(&settings())),
        own_tokens: Arc::new(OwnTokens::new(store.clone())),
        passwords: PasswordThreads::new(),
        outbox: Arc::default(),
        registers: true,
        fails_to_store: Arc::default(),
    };
    Arc::new(move |request| {
        let requests = requests.clone();
        Box::pin(async move { requests.perform(request).await })
    })
}

#[tokio::test]
async fn gateway_sends_the_bytes_that_the_single_process_sends() {
    let folder = tempfile::tempdir().unwrap();
    let mut single = settings();
    single.database = folder.path().join("single.sqlite").into();
    let server = Server::start(single).await.unwrap();
    let store = Store::open_file(&folder.path().join("cluster.sqlite")).unwrap();
    let initial = store.beginning().await.unwrap();
    let cluster = Cluster::start_with(initial, executor(&store), |_| {}).await;
    let gateway = cluster.gateway().await;
    for format in WireFormat::ALL {
        let of_server = server.listening().iter().find(|one| one.service == Service::Lobby(format)).unwrap();
        let expected = sent(of_server.address, format).await;
        let found = sent(gateway.address(Service::Lobby(format)), format).await;
        let texts = |(session, bytes): &(String, Vec<u8>)| {
            (session.clone(), bytes.len(), String::from_utf8_lossy(bytes).into_owned())
        };
        assert_eq!(texts(&found), texts(&expected), "{format}");
        assert_eq!(found, expected);
        assert!(found.1.len() > 1000, "{}", found.1.len());
    }
}
