//! Messages of other services: what they must look like (ops.md section 11.3).

use faf_protocol::{Limits, Message, PlayerId};
use lapin::types::{AMQPValue, FieldTable};
use serde_json::Value;

/// Longest body of a message, in bytes. A longer one is dropped.
pub const BODY_LIMIT: usize = 64 * 1024;

/// Deepest nesting of a message, as for those of clients.
const NESTING_LIMIT: usize = 128;

/// Header with the player whom a notification is for.
const USER_ID: &str = "user-id";

/// Header that is reserved for messages to a chat channel.
const CHANNEL: &str = "channel";

/// A message of another service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// A message for clients, `request.client.notify`.
    Notification {
        /// The receiver; `None` for every client that is logged in.
        to: Option<PlayerId>,
        /// The message, an object with a text `command`.
        message: Message,
    },
    /// A player's avatar was changed in the database, `success.player_avatar.update`.
    AvatarChanged(PlayerId),
}

/// Reads a notification.
///
/// # Errors
/// The reason why it is dropped.
pub(crate) fn notification(headers: Option<&FieldTable>, body: &[u8]) -> Result<Incoming, &'static str> {
    let message = object(body)?;
    if message.command().is_none() {
        return Err("it has no text `command`");
    }
    let header = |name: &str| headers.and_then(|headers| headers.inner().get(name));
    let to = match header(USER_ID) {
        Some(value) => Some(player(value).ok_or("its header `user-id` is not the number of a player")?),
        None if header(CHANNEL).is_some() => return Err("it is for a chat channel"),
        None => None,
    };
    Ok(Incoming::Notification { to, message })
}

/// Reads the message that an avatar was changed.
///
/// # Errors
/// The reason why it is dropped.
pub(crate) fn avatar_changed(body: &[u8]) -> Result<Incoming, &'static str> {
    let player = match object(body)?.field::<Value>("player_id") {
        Ok(Value::Number(number)) => number.as_u64().and_then(player_of_number),
        Ok(Value::String(text)) => player_of_text(&text),
        _ => None,
    };
    player.map(Incoming::AvatarChanged).ok_or("its `player_id` is not the number of a player")
}

fn object(body: &[u8]) -> Result<Message, &'static str> {
    if body.len() > BODY_LIMIT {
        return Err("it is too long");
    }
    let text = std::str::from_utf8(body).map_err(|_| "it is not UTF-8")?;
    if !text.trim_start().starts_with('{') {
        return Err("it is not a JSON object");
    }
    let limits = Limits { message: BODY_LIMIT, nesting: NESTING_LIMIT };
    Message::parse_text(text, &limits).map_err(|_| "it is not a JSON object")
}

fn player(value: &AMQPValue) -> Option<PlayerId> {
    let number = match value {
        AMQPValue::ShortShortInt(number) => i64::from(*number),
        AMQPValue::ShortShortUInt(number) => i64::from(*number),
        AMQPValue::ShortInt(number) => i64::from(*number),
        AMQPValue::ShortUInt(number) => i64::from(*number),
        AMQPValue::LongInt(number) => i64::from(*number),
        AMQPValue::LongUInt(number) => i64::from(*number),
        AMQPValue::LongLongInt(number) => *number,
        AMQPValue::ShortString(text) => return player_of_text(text.as_str()),
        AMQPValue::LongString(text) => return player_of_text(std::str::from_utf8(text.as_bytes()).ok()?),
        _ => return None,
    };
    player_of_number(u64::try_from(number).ok()?)
}

fn player_of_text(text: &str) -> Option<PlayerId> {
    let text = text.trim();
    let is_decimal = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    player_of_number(is_decimal.then(|| text.parse().ok())??)
}

/// Ids of players fit into a signed integer of 32 bits.
fn player_of_number(number: u64) -> Option<PlayerId> {
    i32::try_from(number).ok().map(|number| PlayerId(number.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &str, value: AMQPValue) -> FieldTable {
        let mut headers = FieldTable::default();
        headers.insert(name.into(), value);
        headers
    }

    fn to(headers: Option<&FieldTable>) -> Result<Option<PlayerId>, &'static str> {
        match notification(headers, br#"{"command":"notice"}"#)? {
            Incoming::Notification { to, .. } => Ok(to),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn receiver_is_named_by_a_header() {
        let with = |value| to(Some(&headers("user-id", value)));
        assert_eq!(to(None), Ok(None));
        assert_eq!(to(Some(&headers("x", AMQPValue::LongInt(1)))), Ok(None));
        for value in [
            AMQPValue::ShortShortInt(7),
            AMQPValue::ShortShortUInt(7),
            AMQPValue::ShortInt(7),
            AMQPValue::ShortUInt(7),
            AMQPValue::LongInt(7),
            AMQPValue::LongUInt(7),
            AMQPValue::LongLongInt(7),
            AMQPValue::LongString("7".into()),
            AMQPValue::ShortString("007".into()),
        ] {
            assert_eq!(with(value), Ok(Some(PlayerId(7))));
        }
        for value in [
            AMQPValue::LongInt(-7),
            AMQPValue::LongLongInt(1 << 31),
            AMQPValue::Double(7.0),
            AMQPValue::Boolean(true),
            AMQPValue::Void,
            AMQPValue::LongString("seven".into()),
            AMQPValue::LongString("".into()),
            AMQPValue::LongString("+7".into()),
            AMQPValue::LongString("99999999999999999999999".into()),
        ] {
            assert!(with(value.clone()).is_err(), "{value:?}");
        }
        assert!(to(Some(&headers("channel", AMQPValue::LongString("#aeolus".into())))).is_err());
        let mut both = headers("user-id", AMQPValue::LongInt(7));
        both.insert("channel".into(), AMQPValue::Void);
        assert_eq!(to(Some(&both)), Ok(Some(PlayerId(7))));
    }

    #[test]
    fn notification_is_an_object_with_a_command() {
        let read = |body: &[u8]| match notification(None, body) {
            Ok(Incoming::Notification { message, .. }) => Ok(message.as_str().to_owned()),
            Ok(other) => panic!("{other:?}"),
            Err(reason) => Err(reason),
        };
        let verbatim = r#"{"command":"x","n":1.50,"deep":[{"z":1,"a":2}]}"#;
        assert_eq!(read(verbatim.as_bytes()).unwrap(), verbatim);
        for (body, reason) in [
            (&b"\xff"[..], "it is not UTF-8"),
            (b"", "it is not a JSON object"),
            (b"{", "it is not a JSON object"),
            (b"PING", "it is not a JSON object"),
            (br#"["command"]"#, "it is not a JSON object"),
            (br#""command""#, "it is not a JSON object"),
            (b"{}", "it has no text `command`"),
            (br#"{"command":1}"#, "it has no text `command`"),
            (br#"{"command":null}"#, "it has no text `command`"),
        ] {
            assert_eq!(read(body), Err(reason), "{}", String::from_utf8_lossy(body));
        }
        let long = |length: usize| {
            let frame = r#"{"command":"x","t":""}"#;
            frame.replace(r#""""#, &format!("\"{}\"", "y".repeat(length - frame.len())))
        };
        assert!(read(long(BODY_LIMIT).as_bytes()).is_ok());
        assert_eq!(read(long(BODY_LIMIT + 1).as_bytes()), Err("it is too long"));
        let deep = format!(r#"{{"command":"x","d":{}{}}}"#, "[".repeat(200), "]".repeat(200));
        assert!(read(deep.as_bytes()).is_err());
    }

    #[test]
    fn avatar_message_names_a_player() {
        let read = |body: &str| avatar_changed(body.as_bytes());
        for body in [
            r#"{"player_id":7,"avatar_id":5}"#,
            r#"{"player_id":"7"}"#,
            r#"{"player_id":7,"avatar_id":null}"#,
        ] {
            assert_eq!(read(body), Ok(Incoming::AvatarChanged(PlayerId(7))));
        }
        for body in [
            r#"{"player_id":true}"#,
            r#"{"player_id":null}"#,
            r#"{"player_id":-7}"#,
            r#"{"player_id":7.5}"#,
            r#"{"player_id":"x"}"#,
            r#"{"player_id":4294967303}"#,
            r#"{"avatar_id":7}"#,
            "[7]",
        ] {
            assert!(read(body).is_err(), "{body}");
        }
    }
}
