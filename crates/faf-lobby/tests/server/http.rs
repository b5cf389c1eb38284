//! The HTTP interface for operators.

use faf_lobby::server::Service;
use faf_protocol::WireFormat;
use serde_json::{Value, json};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::support::{TestServer, soon};

fn parse(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"))
}

#[tokio::test]
async fn health_and_status_are_served() {
    let server = TestServer::start().await;
    assert_eq!(server.get("/ready").await, (200, String::new()));
    let (status, health) = server.get("/health").await;
    assert_eq!((status, parse(&health)), (200, json!({"lobby": "ok", "database": "ok"})));
    for path in ["/nothing", "/metrics/x"] {
        assert_eq!(server.get(path).await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn players_are_listed() {
    let server = TestServer::start().await;
    assert_eq!(server.get("/players").await, (200, "[]".to_owned()));
    let _ada = server.log_in(WireFormat::WebSocket, "Ada").await;
    let _visitor = server.connect(WireFormat::QDataStream).await;
    let players = parse(&server.get("/players").await.1);
    assert_eq!(players[0]["login"], "Ada");
    assert_eq!(players[0]["global_rating"], json!([1500.0, 500.0]));
    assert_eq!(server.get("/games").await, (200, "[]".to_owned()));
    server.wait_for_metric("server_user_connections{user_agent=\"None\",version=\"None\"} 1").await;
    let status = parse(&server.get("/status").await.1);
    assert_eq!((&status["players"], &status["connections"]), (&json!(1), &json!(2)));
    assert!(status["uptime_seconds"].is_u64() && status["version"].is_string());
}

#[tokio::test]
async fn it_counts() {
    let server = TestServer::start().await;
    let mut client = server.log_in(WireFormat::SimpleJson, "Ada").await;
    client.send(r#"{"command":"ping"}"#).await;
    client.receive_command("pong").await;
    for line in [
        "server_lobbyconnections_total 1",
        "server_user_online 1",
        "server_user_logins_total{status=\"success\",method=\"password\"} 1",
        "server_user_connections{user_agent=\"downlords-faf-client\",version=\"test\"} 1",
        "server_user_agent_version_checks_total{version=\"test\"} 1",
        "server_messages_total{protocol=\"WebSocketProtocol\"} 0",
        "server_on_message_received_seconds_count 3",
    ] {
        server.wait_for_metric(line).await;
    }
    let mut visitor = server.connect(WireFormat::WebSocket).await;
    visitor.send(r#"{"command":"game_host"}"#).await;
    visitor.wait_for_end().await;
    server.wait_for_metric("server_messages_unauthenticated_total{command=\"game_host\"} 1").await;
}

#[tokio::test]
async fn it_counts_what_is_sent_in_each_format() {
    let server = TestServer::start().await;
    for (format, label, name) in [
        (WireFormat::QDataStream, "QDataStreamProtocol", "Ada"),
        (WireFormat::SimpleJson, "SimpleJsonProtocol", "Bob"),
        (WireFormat::WebSocket, "WebSocketProtocol", "Cem"),
    ] {
        let counted = async || {
            let (_, text) = server.get("/metrics").await;
            let line = format!("server_messages_total{{protocol=\"{label}\"}} ");
            let count = text.lines().find_map(|found| found.strip_prefix(&line)).expect(label);
            count.parse::<u64>().unwrap()
        };
        assert_eq!(counted().await, 0, "{label}");
        let _client = server.log_in(format, name).await;
        soon(label, async {
            while counted().await == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

/// A subscriber of the event stream.
struct Watcher {
    stream: TcpStream,
    bytes: Vec<u8>,
}

impl Watcher {
    async fn come(server: &TestServer) -> Self {
        let mut stream = TcpStream::connect(server.addresses_of(Service::Http)[0]).await.unwrap();
        stream.write_all(b"GET /events HTTP/1.1\r\nHost: test\r\n\r\n").await.unwrap();
        Self { stream, bytes: Vec::new() }
    }

    /// Waits for a text, and drops everything received so far.
    async fn wait_for(&mut self, text: &str) {
        soon(text, async {
            while !self.bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
                let read = self.stream.read_buf(&mut self.bytes).await.unwrap();
                assert!(read > 0, "{text}: {}", String::from_utf8_lossy(&self.bytes));
            }
        })
        .await;
        self.bytes.clear();
    }

    async fn wait_for_end(mut self) {
        soon("the end of a stream", self.stream.read_to_end(&mut self.bytes)).await.unwrap();
        assert!(self.bytes.ends_with(b"0\r\n\r\n"), "{}", String::from_utf8_lossy(&self.bytes));
    }
}

#[tokio::test]
async fn status_page_is_served() {
    let server = TestServer::start().await;
    let (status, page) = server.get("/").await;
    assert_eq!(status, 200);
    assert!(page.starts_with("<!DOCTYPE html>"));
    let mut stream = TcpStream::connect(server.addresses_of(Service::Http)[0]).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    soon("the page", stream.read_to_string(&mut answer)).await.unwrap();
    for header in [
        "content-security-policy: default-src 'none'; script-src 'sha256-",
        "content-type: text/html; charset=utf-8\r\n",
        "x-content-type-options: nosniff\r\n",
        "referrer-policy: no-referrer\r\n",
        "connection: close\r\n",
    ] {
        assert!(answer.contains(header), "{header} is missing in\n{answer}");
    }
}

#[tokio::test]
async fn overview_has_only_public_data() {
    let server = TestServer::start().await;
    let mut ada = server.log_in(WireFormat::WebSocket, "Ada").await;
    let mut bob = server.log_in(WireFormat::SimpleJson, "Bob").await;
    let mut cem = server.log_in(WireFormat::QDataStream, "Cem").await;
    let (title, map) =
        (r#""title":"For all","mapname":"SCMP_009""#, r#""password":"s3cret","rating_max":900"#);
    let uid = ada.host(&format!(r#""visibility":"public",{title},{map}"#)).await;
    bob.host(r#""visibility":"friends","title":"For few""#).await;
    // An overview is at most a second old: a subscriber receives the newest.
    let mut watcher = Watcher::come(&server).await;
    watcher.wait_for(r#""restricted":{"open":1,"live":0}"#).await;
    let (status, body) = server.get("/overview").await;
    let overview = parse(&body);
    assert_eq!(status, 200);
    let logins: Vec<_> = overview["players"].as_array().unwrap().iter().map(|one| &one["login"]).collect();
    assert_eq!(logins, ["Ada", "Bob", "Cem"]);
    assert_eq!(overview["players"][0], json!({"login": "Ada", "clan": null, "country": "", "rating": 0}));
    let open = &overview["open"][0];
    for (member, value) in [
        ("id", json!(uid)),
        ("title", json!("For all")),
        ("host", json!("Ada")),
        ("map", json!("scmp_009")),
        ("featured_mod", json!("faf")),
        ("players", json!(0)),
        ("password_protected", json!(true)),
        ("rating_min", json!(null)),
        ("rating_max", json!(900.0)),
    ] {
        assert_eq!(open[member], value, "{member}");
    }
    assert_eq!(overview["open"].as_array().unwrap().len(), 1);
    let happened: Vec<_> =
        overview["activity"].as_array().unwrap().iter().map(|one| one["what"].as_str().unwrap()).collect();
    assert_eq!(happened, ["came_online", "came_online", "came_online", "game_opened"]);
    assert!(overview["activity"][3]["id"].is_u64());
    for secret in ["s3cret", "For few"] {
        assert!(!body.contains(secret), "{secret} is in\n{body}");
    }

    ada.seat(1, 1, 2).await;
    ada.send_as_game("GameState", r#"["Launching"]"#).await;
    watcher.wait_for(r#""what":"game_launched","title":"For all","players":1"#).await;
    bob.send_as_game("GameState", r#"["Launching"]"#).await;
    watcher.wait_for(r#""restricted":{"open":0,"live":1}"#).await;
    ada.send_as_game("GameState", r#"["Ended"]"#).await;
    watcher.wait_for(r#""what":"game_ended","title":"For all","validity":""#).await;
    // The overview includes the reason.
    let overview = server.get("/overview").await.1;
    assert!(overview.contains(r#""why":[" hit  "#), "{overview}");
    drop(bob);
    watcher.wait_for(r#""what":"left","login":"Bob""#).await;
    cem.check_is_served().await;
    server.request_shutdown().await;
    watcher.wait_for_end().await;
}

#[tokio::test]
async fn queues_and_matches_are_shown_without_ratings() {
    let server = TestServer::start_with_queues().await;
    let mut ada = server.log_in(WireFormat::WebSocket, "Ada").await;
    let mut bob = server.log_in(WireFormat::SimpleJson, "Bob").await;
    let cem = server.log_in(WireFormat::QDataStream, "Cem").await;
    let mut watcher = Watcher::come(&server).await;
    cem.search("tmm2v2").await;
    watcher.wait_for(r#""unmatched":[{"reason":"too few players","searches":1}]"#).await;
    let overview = parse(&server.get("/overview").await.1);
    let queues = overview["queues"].as_array().unwrap();
    let names: Vec<_> = queues.iter().map(|queue| &queue["name"]).collect();
    assert_eq!(names, ["ladder1v1", "tmm2v2"]);
    assert_eq!((&queues[1]["players"], &queues[1]["team_size"]), (&json!(1), &json!(2)));
    assert!(queues[1]["next_round"].is_string());
    assert_eq!((&queues[0]["unmatched"], &overview["matches"]), (&json!([]), &json!([])));

    ada.search("ladder1v1").await;
    bob.search("ladder1v1").await;
    watcher.wait_for(r#""outcome":null"#).await;
    // The host's game ends before it is ready.
    let host = tokio::select! {
        _ = ada.receive_command("game_launch") => ada,
        _ = bob.receive_command("game_launch") => bob,
    };
    host.send_as_game("GameState", r#"["Ended"]"#).await;
    watcher.wait_for(r#""outcome":"player_left""#).await;
    let (_, body) = server.get("/overview").await;
    let found = &parse(&body)["matches"][0];
    let mut names: Vec<_> = [0, 1].map(|team: usize| found["teams"][team][0].as_str().unwrap()).into();
    names.sort_unstable();
    assert_eq!((names, &found["queue"]), (vec!["Ada", "Bob"], &json!("ladder1v1")));
    assert_eq!(found["waited_seconds"].as_array().unwrap().len(), 2);
    assert!(found["quality"].is_f64() && found["game"].is_u64());
    for private in ["boundary", "1500"] {
        assert!(!body.contains(private), "{private} is in\n{body}");
    }
    server
        .wait_for_metric(
            r#"server_matchmaker_queue_matches_total{queue="ladder1v1",status="aborted by player"} 1"#,
        )
        .await;
}

#[tokio::test]
async fn event_streams_are_limited_and_leave_room_for_operators() {
    let server = TestServer::start().await;
    let mut watchers = Vec::new();
    for _ in 0..32 {
        let mut watcher = Watcher::come(&server).await;
        watcher.wait_for("data: {").await;
        watchers.push(watcher);
    }
    assert_eq!(server.get("/events").await.0, 503);
    assert_eq!(server.get("/overview").await.0, 200);
    assert_eq!(server.get("/ready").await.0, 200);
    // Subscribers that never read block no others, and a place is free as soon as one leaves.
    let mut last = watchers.pop().unwrap();
    let _ada = server.log_in(WireFormat::WebSocket, "Ada").await;
    last.wait_for(r#""login":"Ada""#).await;
    drop(last);
    soon("a free place", async {
        loop {
            let mut next = Watcher::come(&server).await;
            let mut answer = [0; 12];
            next.stream.read_exact(&mut answer).await.unwrap();
            if &answer == b"HTTP/1.1 200" {
                break;
            }
        }
    })
    .await;
}

/// A probe gets a place at once, even if many others connect and send nothing, poll all the time,
/// or do not read.
#[tokio::test]
async fn probe_is_answered_at_once_despite_other_clients() {
    let server = TestServer::start().await;
    let address = server.addresses_of(Service::Http)[0];
    let from = async |source: &str| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{source}:0").parse().unwrap()).unwrap();
        socket.connect(address).await.unwrap()
    };
    // The same number of clients, also from the probe's own address.
    for source in ["127.0.0.9", "127.0.0.1"] {
        for sent in [
            "",
            "GET /",
            "GET /players HTTP/1.1\r\nHost: test\r\n\r\n",
            "GET /events HTTP/1.1\r\nHost: test\r\n\r\n",
        ] {
            let mut others = Vec::new();
            for number in 0..150 {
                let mut stream = from(source).await;
                // The server may have closed the connection already.
                let _ = stream.write_all(sent.as_bytes()).await;
                others.push(stream);
                if number % 10 == 9 {
                    assert_eq!(server.get("/ready").await.0, 200, "{sent}");
                }
            }
        }
    }
    // A subscriber keeps its place when others only connect.
    let mut watcher = Watcher::come(&server).await;
    watcher.wait_for("data: {").await;
    let mut silent = Vec::new();
    for _ in 0..150 {
        silent.push(from("127.0.0.9").await);
    }
    assert_eq!(server.get("/ready").await.0, 200);
    let _ada = server.log_in(WireFormat::WebSocket, "Ada").await;
    watcher.wait_for(r#""login":"Ada""#).await;
}

/// Clients that do not read their replies, or send no request, do not block probes.
#[tokio::test]
async fn probe_soon_finds_a_place_among_idle_connections() {
    let server = TestServer::start().await;
    let mut idle = Vec::new();
    for _ in 0..32 {
        let mut watcher = Watcher::come(&server).await;
        watcher.wait_for("data: {").await;
        idle.push(watcher.stream);
    }
    for _ in 0..40 {
        idle.push(TcpStream::connect(server.addresses_of(Service::Http)[0]).await.unwrap());
    }
    soon("an answer to a probe", async {
        loop {
            let mut probe = TcpStream::connect(server.addresses_of(Service::Http)[0]).await.unwrap();
            let mut answer = [0; 12];
            // The server may close the connection before the request.
            let _ = probe.write_all(b"GET /health HTTP/1.1\r\nHost: test\r\n\r\n").await;
            if probe.read_exact(&mut answer).await.is_ok() && &answer == b"HTTP/1.1 200" {
                break;
            }
        }
    })
    .await;
}
