//! Writes a session in the format of `golden/sessions`.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use faf_protocol::WireFormat;
use serde_json::{Map, Value, json};

use super::{Connect, Http, Publication, Record, Sent, Transcript};

impl Transcript {
    /// Returns the text of a file with this session; [`read`](Self::read) reads the same records
    /// from it, with their times in whole milliseconds.
    #[must_use]
    pub fn write(&self, scenario: &str, description: &str) -> String {
        let mut connections = Map::new();
        for record in &self.records {
            if let Record::Connect(Connect { conn, format, .. }) = record {
                connections.insert(conn.clone(), json!({"protocol": protocol(*format)}));
            }
        }
        let mut meta = json!({
            "scenario": scenario, "description": description, "connections": connections,
        });
        if self.overrides.is_object() {
            meta["config_overrides"] = self.overrides.clone();
        }
        let mut text = format!("{}\n", json!({"meta": meta}));
        for (record, at) in self.records.iter().zip(&self.times) {
            text.push_str(&line(record, *at));
            text.push('\n');
        }
        text
    }
}

/// Returns the name of a wire format. Sessions know two; the third has the messages of the first.
fn protocol(format: WireFormat) -> &'static str {
    if format == WireFormat::QDataStream { "qds" } else { "json" }
}

fn line(record: &Record, at: Duration) -> String {
    let event = |conn: &str, event: &str| json!({"conn": conn, "event": event});
    let mut line = match record {
        Record::Barrier => json!({"barrier": "settled"}),
        Record::Step(step) => json!({"step": step}),
        Record::Connect(Connect { conn, format, proxy, source }) => {
            let mut line = event(conn, "connect");
            line["protocol"] = protocol(*format).into();
            if *proxy {
                line["listener"] = "proxy".into();
            }
            if let Some(source) = source {
                line["proxy_v1_source"] = source.as_str().into();
            }
            line
        }
        Record::Send(conn, Sent::Message(message)) => {
            // The text itself, so that members keep their order.
            let conn = Value::from(conn.as_str());
            return format!(
                r#"{{"t_ms":{},"conn":{conn},"dir":"c2s","msg":{}}}"#,
                at.as_millis(),
                message.as_str()
            );
        }
        Record::Send(conn, Sent::Raw(bytes)) => match str::from_utf8(bytes) {
            Ok(text) => json!({"conn": conn, "dir": "c2s", "raw": text}),
            Err(_) => json!({"conn": conn, "dir": "c2s", "raw_b64": STANDARD.encode(bytes)}),
        },
        Record::Receive(conn, message) => json!({"conn": conn, "dir": "s2c", "msg": message}),
        Record::ClosedByServer(conn) => event(conn, "closed_by_server"),
        Record::ClosedByClient(conn) => event(conn, "closed_by_client"),
        Record::Http(Http { path, status, content_type, body }) => {
            json!({"http": {"path": path, "status": status, "content_type": content_type, "body": body}})
        }
        Record::Database(tables) => json!({"db": tables}),
        Record::Publication(Publication { routing_key, delivery_mode, body }) => {
            json!({"mq": {"routing_key": routing_key, "delivery_mode": delivery_mode, "body": body}})
        }
        Record::Keys(keys) => json!({"jwks": keys}),
        Record::PolicyRequest(request) => json!({"policy_request": request}),
        Record::Metrics => json!({"metrics": {}}),
    };
    line["t_ms"] = u64::try_from(at.as_millis()).unwrap_or(u64::MAX).into();
    line.to_string()
}

#[test]
fn a_written_session_is_read_again() {
    let text = r#"{"meta":{"scenario":"x","config_overrides":{"PING_INTERVAL":2}}}
{"t_ms":0,"conn":"A","event":"connect","protocol":"qds","listener":"proxy","proxy_v1_source":"1.1.1.1"}
{"t_ms":1,"conn":"A","dir":"c2s","msg":{"b":1,"command":"ask_session","a":1.50}}
{"t_ms":2,"conn":"A","dir":"s2c","msg":{"command":"session","session":7}}
{"t_ms":2,"conn":"A","dir":"c2s","raw_b64":"/w=="}
{"t_ms":3,"conn":"A","dir":"c2s","raw":"x\n"}
{"t_ms":4,"barrier":"settled"}
{"t_ms":5,"step":"next"}
{"t_ms":6,"mq":{"routing_key":"success.x","delivery_mode":2,"body":{"b":1}}}
{"t_ms":7,"db":{"login":{"added_or_changed":[]}}}
{"t_ms":8,"http":{"path":"/x","status":200,"content_type":"text/plain","body":"y"}}
{"t_ms":9,"jwks":{"keys":[]}}
{"t_ms":9,"policy_request":{"session":7}}
{"t_ms":9,"metrics":{}}
{"t_ms":10,"conn":"A","event":"closed_by_server"}
{"t_ms":11,"conn":"A","event":"closed_by_client"}"#;
    let session = Transcript::read(text).unwrap();
    let again = Transcript::read(&session.write("x", "y")).unwrap();
    assert_eq!(format!("{:?}", session.records), format!("{:?}", again.records));
    assert_eq!((session.times, session.overrides), (again.times, again.overrides));
}
