//! Takes secrets out of what is recorded.
//!
//! Every other byte of a message stays as it was.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use bytes::BytesMut;
use faf_protocol::limits::{MESSAGE_LIMIT_MAX, NESTING_LIMIT_MAX};
use faf_protocol::{DecodeError, Decoder, Limits, Message, WireFormat};
use memchr::memmem::Finder;

use super::Keep;
use faf_sessions::secrets::Digests;

/// Endings of the names of members that are secret, in every message: `password`, `token`,
/// `access_token`... in any case.
const SECRETS: [&str; 4] = ["password", "token", "secret", "credential"];

/// The member that names a client's machine.
const UNIQUE_ID: &str = "unique_id";

/// Texts of which one is in every message with such a member, as far as this can be said quickly.
const SIGNS: [&str; 5] = ["assword\"", "oken\"", "ecret\"", "redential\"", "nique_id\""];

/// The member of messages of a game. They hold addresses, and texts that are JSON.
const OF_GAME: &str = r#""target":"game""#;

/// JSON in a text in JSON: games send one level of it.
const DEPTH_LIMIT: u32 = 3;

/// Replaces secrets by digests.
pub(crate) struct Scrubber {
    digests: Digests,
    keep: Keep,
    signs: Vec<Finder<'static>>,
    of_game: Finder<'static>,
}

/// Addresses that are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Addresses {
    None,
    /// The client's own.
    Own(IpAddr),
    All,
}

impl Scrubber {
    pub(crate) fn new(key: &[u8; 32], keep: Keep) -> Self {
        Self {
            digests: Digests::new(key),
            keep,
            signs: SIGNS.map(Finder::new).into(),
            of_game: Finder::new(OF_GAME),
        }
    }

    /// Returns the address of a client, if it is kept.
    pub(super) fn kept_address(&self, client: IpAddr) -> Option<IpAddr> {
        self.keep.addresses.then_some(client)
    }

    /// Returns a message as it is recorded.
    ///
    /// # Errors
    /// If nothing could be made of it, which has not been seen.
    pub(crate) fn message(&self, message: Message, client: IpAddr) -> Result<Message, DecodeError> {
        let text = message.as_str();
        let is_of_game = self.of_game.find(text.as_bytes()).is_some();
        let addresses = match (self.keep.addresses, is_of_game) {
            (true, _) => Addresses::None,
            (false, true) => Addresses::All,
            // Loopback is not replaced anyway.
            (false, false) if client.is_loopback() => Addresses::None,
            (false, false) if text.contains(&client.to_string()) => Addresses::Own(client),
            (false, false) => Addresses::None,
        };
        // Most messages have nothing to replace, and are not walked through.
        let has_sign = || self.signs.iter().any(|sign| sign.find(text.as_bytes()).is_some());
        if !is_of_game && addresses == Addresses::None && !has_sign() {
            return Ok(message);
        }
        let depth = if is_of_game { DEPTH_LIMIT } else { 0 };
        match self.json(text, addresses, depth) {
            None => Ok(message),
            Some(text) => {
                let limits = Limits { message: MESSAGE_LIMIT_MAX, nesting: NESTING_LIMIT_MAX };
                Message::parse_text(&text, &limits)
            }
        }
    }

    /// Replaces secrets in JSON; `None` if there are none. The text may be anything.
    fn json(&self, text: &str, addresses: Addresses, depth: u32) -> Option<String> {
        let mut out = Replaced::new(text);
        let mut position = 0;
        while let Some(found) = memchr::memchr(b'"', &text.as_bytes()[position..]) {
            let (start, end) = (position + found, end_of_string(text, position + found));
            let after = after_space(text, end);
            if text[after..].starts_with(':') {
                let value = after_space(text, after + 1);
                if !self.is_secret(&text[start..end]) {
                    position = value;
                    continue;
                }
                position = end_of_value(text, value);
                let secret = &text[value..position];
                if !matches!(secret, "null" | "true" | "false") {
                    out.replace(value..position, &quoted(&self.digests.replace(&unquoted(secret))));
                }
            } else {
                position = end;
                if let Some(string) = self.string(&text[start..end], addresses, depth) {
                    out.replace(start..end, &string);
                }
            }
        }
        out.finish()
    }

    /// Replaces secrets in a string with its quotation marks.
    fn string(&self, string: &str, addresses: Addresses, depth: u32) -> Option<String> {
        let is_json = depth > 0 && string[1..].trim_start().starts_with(['{', '[']);
        let json = if is_json { self.json(&unquoted(string), addresses, depth - 1) } else { None };
        // An IPv6 address with a port begins with a bracket, too.
        json.map(|json| quoted(&json)).or_else(|| self.addresses(string, addresses))
    }

    fn is_secret(&self, key: &str) -> bool {
        let key = unquoted(key);
        let ends_with = |ending: &&str| {
            let start = key.len().checked_sub(ending.len()).and_then(|start| key.get(start..));
            start.is_some_and(|end| end.eq_ignore_ascii_case(ending))
        };
        SECRETS.iter().any(ends_with) || (!self.keep.unique_ids && key.eq_ignore_ascii_case(UNIQUE_ID))
    }

    /// Returns whether a path such as `list[3].password` leads to a secret, or into one.
    pub(crate) fn is_secret_path(&self, path: &str) -> bool {
        path.split(['.', '[', ']']).any(|member| self.is_secret(member))
    }

    /// Replaces addresses in a text.
    fn addresses(&self, text: &str, which: Addresses) -> Option<String> {
        if which == Addresses::None {
            return None;
        }
        let is_part = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
        let (bytes, mut out) = (text.as_bytes(), Replaced::new(text));
        let mut position = 0;
        while let Some(found) = bytes[position..].iter().position(|byte| is_part(*byte)) {
            let start = position + found;
            let length = bytes[start..].iter().position(|byte| !is_part(*byte));
            position = length.map_or(bytes.len(), |length| start + length);
            // A part of a word is no address.
            let is_word = start > 0 && bytes[start - 1].is_ascii_alphanumeric()
                || bytes.get(position).is_some_and(u8::is_ascii_alphanumeric);
            let Some((address, length)) = address(&text[start..position]).filter(|_| !is_word) else {
                continue;
            };
            let is_wanted = match which {
                Addresses::None => false,
                Addresses::Own(own) => address == own,
                Addresses::All => true,
            };
            let replaced = self.digests.replace_address(address);
            if is_wanted && replaced != address {
                out.replace(start..start + length, &replaced.to_string());
            }
        }
        out.finish()
    }
}

/// Reads the address at the beginning of such a text, with or without a port; returns its length.
fn address(text: &str) -> Option<(IpAddr, usize)> {
    let trimmed = text.trim_end_matches(['.', ':']);
    if let Ok(address) = trimmed.parse::<IpAddr>() {
        return Some((address, trimmed.len()));
    }
    let with_port: SocketAddr = trimmed.parse().ok()?;
    Some((with_port.ip(), trimmed.rfind(':')?))
}

/// A text of which parts are replaced, from the front to the back.
struct Replaced<'a> {
    text: &'a str,
    out: String,
    /// Position after the part of the text that is in `out`.
    done: usize,
}

impl<'a> Replaced<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, out: String::new(), done: 0 }
    }

    fn replace(&mut self, range: std::ops::Range<usize>, by: &str) {
        self.out.push_str(&self.text[self.done..range.start]);
        self.out.push_str(by);
        self.done = range.end;
    }

    /// Returns the text, if anything was replaced.
    fn finish(mut self) -> Option<String> {
        if self.done == 0 {
            return None;
        }
        self.out.push_str(&self.text[self.done..]);
        Some(self.out)
    }
}

/// Returns the position after the string that begins at `at`.
fn end_of_string(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    let mut position = at + 1;
    while let Some(found) = memchr::memchr2(b'"', b'\\', bytes.get(position..).unwrap_or_default()) {
        position += found + 1;
        if bytes[position - 1] == b'"' {
            return position;
        }
        // The escaped character may be a long one only in text that is not JSON.
        position += text[position..].chars().next().map_or(0, char::len_utf8);
    }
    bytes.len()
}

fn after_space(text: &str, at: usize) -> usize {
    text.len() - text[at..].trim_start_matches([' ', '\t', '\r', '\n']).len()
}

/// Returns the position after the value that begins at `at`.
fn end_of_value(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    let (mut position, mut depth) = (at, 0_usize);
    while let Some(byte) = bytes.get(position) {
        match byte {
            b'"' => position = end_of_string(text, position),
            b'{' | b'[' => {
                depth += 1;
                position += 1;
            }
            b'}' | b']' | b',' if depth == 0 => break,
            b'}' | b']' => {
                depth -= 1;
                position += 1;
            }
            _ => position += 1,
        }
        let is_whole = matches!(byte, b'"' | b'}' | b']') && depth == 0;
        if is_whole {
            break;
        }
    }
    position
}

/// Returns the text of a string; any other value, or a damaged string, as it is.
fn unquoted(value: &str) -> Cow<'_, str> {
    match serde_json::from_str::<String>(value) {
        Ok(text) => Cow::Owned(text),
        Err(_) => Cow::Borrowed(value),
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Returns bytes that are no message as they are recorded. A secret could be anywhere in them, so
/// letters become `x`, digits `0`, and bytes beyond ASCII `FF`. Over WebSocket, where bytes are
/// masked, a short message that is wrong stands for all.
pub(super) fn shape(format: WireFormat, bytes: &[u8]) -> Vec<u8> {
    if format.has_upgrade() {
        return b"\x81\x81\0\0\0\0x".to_vec();
    }
    let shape = bytes.iter().map(|byte| match byte {
        b'0'..=b'9' => b'0',
        b'a'..=b'z' | b'A'..=b'Z' => b'x',
        0x80.. => 0xFF,
        other => *other,
    });
    let shape: Vec<u8> = shape.collect();
    // It must not have become a message.
    let mut decoder = Decoder::new(format, Limits::default());
    let mut buffer = BytesMut::from(&shape[..]);
    let is_message = matches!(decoder.decode(&mut buffer), Ok(Some(_)))
        || matches!(decoder.finish(&mut buffer), Ok(Some(_)));
    if is_message { b"x\n".to_vec() } else { shape }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: &str = "203.0.113.7";

    fn scrubber(keep: Keep) -> Scrubber {
        Scrubber::new(&[7; 32], keep)
    }

    fn scrubbed(text: &str) -> String {
        let message = scrubber(Keep::default()).message(text.parse().unwrap(), CLIENT.parse().unwrap());
        message.unwrap().as_str().to_owned()
    }

    #[test]
    fn no_secret_is_left() {
        for message in [
            r#"{"command":"hello","login":"Ada","password":"hunter2","unique_id":"id"}"#,
            r#"{"command":"auth","token":"hunter2","unique_id":"hunter2"}"#,
            r#"{"command":"auth","token":"id","unique_id":"hunter2"}"#,
            r#"{"command":"game_host","visibility":"public","password":"hunter2"}"#,
            r#"{"command":"game_join","uid":1,"password":"hunter2"}"#,
            r#"{"command":"irc_password","password":"hunter2"}"#,
            r#"{"command":"ice_servers","ice_servers":[{"username":"u","credential":"hunter2"}]}"#,
            r#"{"command":"of_tomorrow","password":"hunter2"}"#,
            r#"{"command":"of_tomorrow","Password":"hunter2","access_token":"hunter2"}"#,
            r#"{"command":"of_tomorrow","token":{"deep":["hunter2","}"]}}"#,
            r#"{"command":"of_tomorrow","deep":[{"token":["hunter2"]}]}"#,
            r#"{"command":"of_tomorrow","passw\u006frd":"hunter2"}"#,
            r#"{"command":"of_tomorrow","password":"\"hunter2"}"#,
            r#"{"command":"hello","login":"Ada","password":["hunter2"],"unique_id":"machine"}"#,
            r#"{"command":"IceMsg","target":"game","args":[2,"{\"ufrag\":\"u\",\"password\" : \"hunter2\"}"]}"#,
            r#"{"command":"IceMsg","target":"game","args":[2,"[{\"passw\\u006frd\":\"\\\"hunter2\"}]"]}"#,
        ] {
            let text = scrubbed(message);
            assert!(!text.contains("hunter2") && text.contains("secret:"), "{text}");
        }
    }

    #[test]
    fn everything_else_stays_as_it_was() {
        for message in [
            r#"{"command":"ping"}"#,
            r#"{"command":"game_info","password_protected":true,"title":"my \"password\":1"}"#,
            r#"{"command":"game_join","uid":1,"password":""}"#,
            r#"{"command":"game_join","uid":1,"password":null}"#,
            r#"{"command":"IceMsg","target":"game","args":[2,"{\"a\" : 1, \"version\":\"1.2.3\"}","x:1","::","0.0.0.0:1"]}"#,
            r#"{"command":"notice","text":"from 203.0.113.71 to 1203.0.113.7 and 198.51.100.4"}"#,
            r#"{"command":"of_tomorrow","number":1.50,"text":"é\n"}"#,
        ] {
            assert_eq!(scrubbed(message), message);
        }
        let kept = Keep { unique_ids: true, addresses: true };
        let message: Message = r#"{"command":"auth","unique_id":"id","text":"203.0.113.7"}"#.parse().unwrap();
        let scrubbed = scrubber(kept).message(message.clone(), CLIENT.parse().unwrap());
        assert_eq!(scrubbed, Ok(message));
    }

    #[test]
    fn the_rest_of_a_message_stays_as_it_was() {
        let text =
            scrubbed(r#"{"x":1.50,"password":"a","list":[{},[]],"token":5,"y":"é\n","unique_id":"b"}"#);
        let digest = |secret: &str| Digests::new(&[7; 32]).replace(secret);
        let (a, five, b) = (digest("a"), digest("5"), digest("b"));
        let expected = format!(
            r#"{{"x":1.50,"password":"{a}","list":[{{}},[]],"token":"{five}","y":"é\n","unique_id":"{b}"}}"#
        );
        assert_eq!(text, expected);
    }

    /// A message of a game is the same whether its sender or its receiver is recorded.
    #[test]
    fn addresses_are_replaced_alike_everywhere() {
        let replaced =
            |address: &str| Digests::new(&[7; 32]).replace_address(address.parse().unwrap()).to_string();
        let (own, other, six) = (replaced(CLIENT), replaced("198.51.100.4"), replaced("2001:db8::1"));
        let game = r#"{"command":"ConnectToPeer","target":"game","args":["198.51.100.4:6112","Bob",2,"{\"ip\":\"203.0.113.7\",\"six\":\"[2001:db8::1]:5\"}"]}"#;
        let expected =
            game.replace("198.51.100.4", &other).replace(CLIENT, &own).replace("2001:db8::1", &six);
        assert_eq!(scrubbed(game), expected);
        let notice = r#"{"command":"notice","text":"You are 203.0.113.7, not 198.51.100.4."}"#;
        assert_eq!(scrubbed(notice), notice.replace(CLIENT, &own));
    }

    #[test]
    fn bytes_that_are_no_message_keep_their_shape() {
        let shaped = |bytes: &[u8]| shape(WireFormat::SimpleJson, bytes);
        assert_eq!(shaped(b"{\"password\":\"Hunter2\",}\n"), b"{\"xxxxxxxx\":\"xxxxxx0\",}\n");
        assert_eq!(shaped(b"{\"a\":\"\xC3\"}\n"), b"{\"x\":\"\xFF\"}\n");
        // This would be a message.
        assert_eq!(shaped(b"{\"x\":{}}\n"), b"x\n");
        assert_eq!(shaped(b"{\"x\":{}}"), b"x\n");
        for format in WireFormat::ALL {
            for bytes in
                [&b"hunter2"[..], b"", b"\0\0\0\x08\0\0\0\x04\0P\0I", b"\x81\x85\x01\x02\x03\x04hello"]
            {
                let shape = shape(format, bytes);
                assert!(!shape.windows(7).any(|seven| seven == b"hunter2"));
                let mut decoder = Decoder::new(format, Limits::default());
                let mut buffer = BytesMut::from(&shape[..]);
                let decoded = decoder.decode(&mut buffer);
                assert!(!matches!(decoded, Ok(Some(_))), "{decoded:?}");
            }
        }
    }
}
