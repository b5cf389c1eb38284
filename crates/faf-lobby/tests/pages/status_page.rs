//! The status page.

use std::net::SocketAddr;

use faf_lobby::config::Listen;
use faf_lobby::server::Service;
use faf_protocol::WireFormat;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::check_fits;
use super::support::{Client, TestServer, soon};
use super::webdriver::Browser;

fn address(server: &TestServer) -> SocketAddr {
    server.addresses_of(Service::Http)[0]
}

fn open(browser: &Browser, server: &TestServer) {
    browser.open(&format!("http://{}/", address(server)));
    browser.wait_for("state", "Live");
}

/// Checks that the page caused no errors and loaded nothing from other hosts.
fn check_is_clean(browser: &Browser) {
    assert_eq!(browser.log(), Vec::<String>::new());
    let elsewhere = "performance.getEntriesByType('resource')
        .map(entry => entry.name)
        .filter(name => !name.startsWith(location.origin + '/') && !name.startsWith('data:'))";
    assert_eq!(browser.value(elsewhere), json!([]));
}

/// Joins a game and connects to its host.
async fn join(client: &mut Client, uid: u64) {
    client.send(&format!(r#"{{"command":"game_join","uid":{uid}}}"#)).await;
    client.receive_command("game_launch").await;
    client.send_as_game("GameState", r#"["Idle"]"#).await;
    client.send_as_game("GameState", r#"["Lobby"]"#).await;
    client.receive_command("JoinGame").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Chromium; .ci/run runs it"]
async fn page_follows_events() {
    let browser = Browser::start();
    let server = TestServer::start().await;
    open(&browser, &server);
    // A reload of the page would reset this.
    browser.value("window.isTheSame = true");
    browser.wait_for("players-none", "Nobody is online");
    browser.wait_for("open-none", "Nobody is hosting");

    let mut ada = server.log_in(WireFormat::WebSocket, "Ada").await;
    let mut bob = server.log_in(WireFormat::SimpleJson, "Bob").await;
    browser.wait_for("players", "Bob");
    browser.wait_for("activity", "Ada came online");
    browser.wait_for("count-players", "2");

    let request =
        r#""visibility":"public","title":"All welcome","mapname":"theta_passage_5.v0001","rating_min":300"#;
    let uid = ada.host(request).await;
    browser.wait_for("open", "All welcome");
    browser.wait_for("open", "Ada hosts faf on theta passage 5");
    browser.wait_for("open", "rating from 300");
    browser.wait_for("activity", "Ada opened All welcome");
    browser.wait_for("count-open", "1");

    join(&mut bob, uid).await;
    ada.seat(1, 1, 2).await;
    ada.seat(2, 2, 3).await;
    ada.send_as_game("GameState", r#"["Launching"]"#).await;
    browser.wait_for("live", "All welcome");
    browser.wait_for("live", "Team 1\nAda");
    browser.wait_for("live", "Team 2\nBob");
    browser.wait_for("activity", "All welcome was launched with 2 players");
    browser.wait_until("document.getElementById('open').children.length === 0");
    check_is_clean(&browser);

    for client in [&ada, &bob] {
        client.send_as_game("GameEnded", "[]").await;
        client.send_as_game("GameState", r#"["Ended"]"#).await;
    }
    browser.wait_for("activity", "All welcome ended, not rated: bad map");
    browser.wait_for("count-live", "0");
    drop(bob);
    browser.wait_for("activity", "Bob left");
    browser.wait_until("document.getElementById('players').children.length === 1");
    // A hidden page receives nothing, and everything once it is visible again.
    let hide = |is_hidden: bool| {
        browser.value(&format!(
            "void Object.defineProperty(document, 'hidden', {{ configurable: true, value: {is_hidden} }})
             ?? document.dispatchEvent(new Event('visibilitychange'))"
        ))
    };
    hide(true);
    let _cem = server.log_in(WireFormat::QDataStream, "Cem").await;
    hide(false);
    browser.wait_for("players", "Cem");
    assert_eq!(browser.value("window.isTheSame"), json!(true));
    // The newest entry is the first.
    browser.wait_until(
        "document.getElementById('activity').firstElementChild.innerText.includes('Cem came online')",
    );
    check_is_clean(&browser);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Chromium; .ci/run runs it"]
async fn page_shows_queues_and_matches() {
    let browser = Browser::start();
    let server = TestServer::start_with_queues().await;
    open(&browser, &server);
    browser.wait_for("queues", "1 against 1: 0 players wait");
    browser.wait_for("queues", "next round within a minute");
    let mut ada = server.log_in(WireFormat::WebSocket, "Ada").await;
    let mut bob = server.log_in(WireFormat::SimpleJson, "Bob").await;
    let cem = server.log_in(WireFormat::QDataStream, "Cem").await;
    cem.search("tmm2v2").await;
    browser.wait_for("queues", "2 against 2: 1 player waits");
    browser.wait_for("queues", "1 search without a match: too few players");
    ada.search("ladder1v1").await;
    bob.search("ladder1v1").await;
    browser.wait_for("matches", "ladder1v1");
    for text in ["being set up, quality 0.", "waited < 1 min", "Ada", "Bob"] {
        browser.wait_for("matches", text);
    }
    let host = tokio::select! {
        _ = ada.receive_command("game_launch") => ada,
        _ = bob.receive_command("game_launch") => bob,
    };
    host.send_as_game("GameState", r#"["Ended"]"#).await;
    browser.wait_for("matches", "a player left, quality");
    for width in [320, 768, 1280] {
        check_fits(&browser, width);
    }
    browser.resize(1280, 1400);
    browser.picture("matchmaker");
    check_is_clean(&browser);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Chromium; .ci/run runs it"]
async fn text_of_players_is_not_html() {
    let browser = Browser::start();
    let server = TestServer::start().await;
    let mut hostile = server.log_in(WireFormat::SimpleJson, "<svg/onload=hit()>").await;
    open(&browser, &server);
    browser.value("window.hit = () => { window.isHit = true }");
    let title = r"</h3><script>hit()</script><img src=x onerror=hit()>";
    // The name of a map cannot be HTML; the page shows it with spaces.
    let (map, shown_map) = ("ada's_[odd],_(map)!", "ada's [odd], (map)!");
    hostile.host(&format!(r#""visibility":"public","title":"{title}","mapname":"{map}""#)).await;
    for (id, text) in [
        ("players", "<svg/onload=hit()>"),
        ("open", title),
        ("open", shown_map),
        ("activity", "<svg/onload=hit()> opened </h3><script>"),
    ] {
        browser.wait_for(id, text);
    }
    assert_eq!(
        browser.value("document.querySelectorAll('.page img, .page script, .page svg').length"),
        json!(0)
    );

    let mut ada = server.log_in(WireFormat::WebSocket, "Ada").await;
    ada.host(r#""visibility":"friends","title":"Between us","password":"s3cret""#).await;
    browser.wait_for("open-friends", "and 1 game that is not public");
    browser.wait_for("count-open", "2");
    let page = browser.value("document.documentElement.outerHTML").to_string();
    assert!(!page.contains("Between us") && !page.contains("s3cret"));
    assert_eq!(browser.value("window.isHit ?? false"), json!(false));
    check_is_clean(&browser);
    // Scripts that are added in another way do not run, either.
    browser
        .value("void document.body.append(Object.assign(document.createElement('script'), {text: 'hit()'}))");
    assert_eq!(browser.value("window.isHit ?? false"), json!(false));
    assert!(browser.log().iter().any(|line| line.contains("Content Security Policy")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Chromium; .ci/run runs it"]
async fn lost_connection_is_shown_and_restored() {
    let browser = Browser::start();
    let server = TestServer::start().await;
    let client = server.log_in(WireFormat::WebSocket, "Ada").await;
    open(&browser, &server);
    browser.value("window.isTheSame = true");
    browser.wait_for("players", "Ada");
    let address = address(&server);
    server.request_shutdown().await;
    drop(client);
    server.wait().await;
    browser.wait_for("state", "Connection lost, trying again");

    // The only test that uses a port twice: the page must find the restarted server at the same
    // address.
    let http = Listen::one(&address.to_string()).unwrap();
    let server = TestServer::start_with(|settings| settings.http = http).await;
    browser.wait_for("state", "Live");
    browser.wait_for("players-none", "Nobody is online");
    browser.wait_until("document.getElementById('activity').children.length === 0");
    let _bob = server.log_in(WireFormat::WebSocket, "Bob").await;
    browser.wait_for("players", "Bob");
    assert_eq!(browser.value("window.isTheSame"), json!(true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Chromium; .ci/run runs it"]
async fn page_polls_without_a_free_stream() {
    let browser = Browser::start();
    let server = TestServer::start().await;
    let mut watchers = Vec::new();
    for _ in 0..32 {
        let mut watcher = TcpStream::connect(address(&server)).await.unwrap();
        watcher.write_all(b"GET /events HTTP/1.1\r\nHost: test\r\n\r\n").await.unwrap();
        soon("a stream", watcher.read_u8()).await.unwrap();
        watchers.push(watcher);
    }
    browser.open(&format!("http://{}/", address(&server)));
    browser.wait_for("state", "Updated every 5 seconds");
    let _ada = server.log_in(WireFormat::WebSocket, "Ada").await;
    browser.wait_for("players", "Ada");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Chromium; .ci/run runs it"]
async fn page_fits_narrow_and_wide_screens() {
    let browser = Browser::start();
    let server = TestServer::start().await;
    let mut clients = Vec::new();
    let long = "WWWWWWWWWWWWWWWWWWWW";
    for name in
        ["Ada", "Bob", "Cem", "Émile", "Łukasz", "Zoë", "Ana", "Ben", "Eve", "Ida", "Kai", "Lea", "Mio", long]
    {
        clients.push(server.log_in(WireFormat::WebSocket, name).await);
    }
    let titles = [
        r#""title":"4v4 Seton's Clutch, all welcome","mapname":"scmp_009","password":"x""#,
        r#""title":"Dual Gap 1k+ no rush 5 min","mapname":"dual_gap_adaptive.v0012","rating_min":1000,"rating_max":1800"#,
    ];
    let (first, rest) = clients.split_at_mut(2);
    first[0].host(&format!(r#""visibility":"public",{}"#, titles[0])).await;
    first[0].seat(1, 1, 2).await;
    rest[0].host(&format!(r#""visibility":"public",{}"#, titles[1])).await;
    rest[1].host(r#""visibility":"friends","title":"x""#).await;
    let uid = rest[11].host(&format!(r#""visibility":"public","title":"{}""#, "W".repeat(128))).await;
    join(&mut rest[2], uid).await;
    rest[11].seat(14, 1, 2).await;
    rest[11].seat(5, 2, 3).await;
    rest[11].send_as_game("GameState", r#"["Launching"]"#).await;
    open(&browser, &server);
    browser.wait_for("live", "WWWW");
    browser.wait_for("open", "Dual Gap");
    // Filters the list of players.
    browser.value(
        "(() => { const field = document.querySelector('input'); field.value = 'łuk'; \
                        field.dispatchEvent(new Event('input', { bubbles: true })) })()",
    );
    browser
        .wait_until("[...document.querySelectorAll('#players tr')].filter(row => !row.hidden).length === 1");
    browser.value(
        "(() => { const field = document.querySelector('input'); field.value = ''; \
                        field.dispatchEvent(new Event('input', { bubbles: true })) })()",
    );
    for scheme in ["light", "dark"] {
        browser.prefer(scheme);
        for width in [320, 360, 768, 1280, 1920] {
            check_fits(&browser, width);
            browser.resize(width, if width < 700 { 1700 } else { 900 });
            browser.picture(&format!("{scheme}-{width}"));
        }
    }
    check_is_clean(&browser);
}
