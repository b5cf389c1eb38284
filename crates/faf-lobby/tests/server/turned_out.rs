//! Messages to clients that must not reconnect by themselves: a notice, `authentication_failed`
//! with the same text, and the end of the connection, in every wire format. After any other end,
//! real clients log in again at once, forever.

use faf_protocol::WireFormat;
use faf_protocol::server_message::{NoticeStyle, ServerMessage};

use super::support::{Client, TestServer, soon};

/// Reads to the end of the connection; returns the style and the text of the notice.
async fn receive_closing_notice(client: &mut Client) -> (NoticeStyle, String) {
    let mut last = Vec::new();
    soon("the end of a connection", async {
        while let Ok(message) = client.reader.read().await {
            last.push(ServerMessage::read(message).unwrap());
        }
    })
    .await;
    let [.., ServerMessage::Notice(notice), ServerMessage::AuthenticationFailed(failed)] = &last[..] else {
        panic!("no notice followed by a failed login: {last:?}")
    };
    assert_eq!(notice.text.as_ref(), Some(&failed.text));
    (notice.style.clone(), failed.text.clone())
}

const HOST: &str = r#"{"command":"game_host","visibility":"public"}"#;

#[tokio::test]
async fn second_login_ends_the_first_for_good() {
    let server = TestServer::start().await;
    let mut before = server.log_in(WireFormat::WebSocket, "Ada").await;
    for format in WireFormat::ALL {
        let new = server.log_in(format, "Ada").await;
        let (style, text) = receive_closing_notice(&mut before).await;
        assert_eq!(style, NoticeStyle::Kick);
        assert!(text.contains("signed in elsewhere"), "{text}");
        before = new;
    }
    check_is_not_closed(&mut before).await;
}

#[tokio::test]
async fn administrator_ends_a_connection_for_good() {
    let server = TestServer::start().await;
    let mut ada = server.log_in(WireFormat::SimpleJson, "Ada").await;
    server.make_administrator("Ada").await;
    for format in WireFormat::ALL {
        let mut bob = server.connect(format).await;
        let welcome: serde_json::Value = serde_json::from_str(bob.log_in("Bob").await.as_str()).unwrap();
        ada.send(&format!(r#"{{"command":"admin","action":"closelobby","user_id":{}}}"#, welcome["id"]))
            .await;
        let (style, text) = receive_closing_notice(&mut bob).await;
        assert_eq!(style, NoticeStyle::Kick);
        assert!(text.contains("administrator"), "{text}");
    }
    check_is_not_closed(&mut ada).await;
}

#[tokio::test]
async fn ban_ends_a_connection_for_good_wherever_it_is_found() {
    let server = TestServer::start().await;
    let mut host = server.log_in(WireFormat::SimpleJson, "Host").await;
    let game = host.host(r#""visibility":"public""#).await;
    for (number, format) in WireFormat::ALL.into_iter().enumerate() {
        let name = format!("Bad{number}");
        let join = format!(r#"{{"command":"game_join","uid":{game}}}"#);
        for wish in [HOST, &join] {
            let mut banned = server.log_in(format, &name).await;
            server.ban(&name, "Cheating").await;
            banned.send(wish).await;
            assert_banned(receive_closing_notice(&mut banned).await);
            server.unban(&name).await;
        }
        server.ban(&name, "Cheating").await;
        let mut banned = server.connect(format).await;
        banned.send_hello(&name).await;
        assert_banned(receive_closing_notice(&mut banned).await);
    }
    check_is_not_closed(&mut host).await;
}

#[tokio::test]
async fn hopeless_logins_are_not_retried() {
    let server = TestServer::start_with(|settings| settings.allow_password_login = false).await;
    for format in WireFormat::ALL {
        let mut client = server.connect(format).await;
        client.send_hello("Ada").await;
        let (style, text) = receive_closing_notice(&mut client).await;
        assert_eq!(style, NoticeStyle::Error);
        assert!(text.contains("disabled"), "{text}");
    }
}

fn assert_banned((style, text): (NoticeStyle, String)) {
    assert_eq!(style, NoticeStyle::Error);
    assert!(text.contains("banned from FAF") && text.contains("Cheating"), "{text}");
}

/// Checks that the server neither sends a client a closing notice nor disconnects it.
async fn check_is_not_closed(client: &mut Client) {
    client.send(r#"{"command":"ping"}"#).await;
    loop {
        let message = client.receive().await;
        match message.command().as_deref() {
            Some("pong") => return,
            Some("notice" | "authentication_failed") => panic!("{message}"),
            _ => {}
        }
    }
}
