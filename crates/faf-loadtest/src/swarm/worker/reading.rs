//! Reads sockets: counts bytes, and decodes them for the few clients that have an actor.

use std::time::Instant;

use mio::Token;
use mio::event::Event;

use super::Worker;
use crate::actors::{Actor, Context};
use crate::messages;
use crate::swarm::connection::{Phase, Reading};
use crate::swarm::login::{Patterns, Progress};
use crate::swarm::marker;
use crate::swarm::timers::{Task, Timer};

/// Longest read that is searched for a ping completely, in bytes. In longer reads only the ends are
/// searched: servers ignore a missing answer to one of many pings, and a complete search would cost
/// time at every broadcast.
const SHORT_READ: usize = 256;

impl Worker {
    pub(super) fn handle(&mut self, event: &Event) {
        let Token(index) = event.token();
        let Some(connection) = self.clients.get_mut(index).and_then(|client| client.connection.as_mut())
        else {
            return;
        };
        if let Phase::Connecting(began) = connection.phase {
            match connection.socket.stream.take_error() {
                Ok(None) if event.is_error() => return self.lose(index, "unknown error"),
                Ok(None) if !event.is_writable() => return,
                Ok(None) => self.open(index, began),
                Ok(Some(error)) | Err(error) => return self.lose(index, &error.to_string()),
            }
        } else if event.is_writable() {
            connection.socket.flush();
        }
        if event.is_readable() || event.is_error() {
            self.read(index, event.is_read_closed() || event.is_error());
        }
    }

    fn read(&mut self, index: usize, to_the_end: bool) {
        let mut buffer = std::mem::take(&mut self.buffer);
        while let Some(connection) = &mut self.clients[index].connection {
            if connection.reading != Reading::Everything && !to_the_end {
                break;
            }
            match connection.socket.read(&mut buffer) {
                Ok(Some(0)) => self.lose(index, "the end of the stream"),
                Ok(Some(size)) => {
                    self.receive(index, &buffer[..size]);
                    // The socket is empty, and the next bytes are a new event. The end of the
                    // stream is not, if it was reported with this one.
                    if size < buffer.len() && !to_the_end {
                        break;
                    }
                }
                Ok(None) => break,
                Err(error) => self.lose(index, &error.to_string()),
            }
        }
        self.buffer = buffer;
    }

    /// Handles received bytes.
    fn receive(&mut self, index: usize, bytes: &[u8]) {
        let Some(connection) = &mut self.clients[index].connection else { return };
        self.sample.bytes += bytes.len() as u64;
        let format = &self.formats[connection.format as usize];
        match &mut connection.phase {
            Phase::Connecting(_) => {}
            Phase::Upgrading(began, head) => {
                // The head may arrive in parts, and the first messages with its end.
                head.extend_from_slice(bytes);
                let Some(end) = memchr::memmem::find(head, b"\r\n\r\n") else { return };
                if !head.starts_with(b"HTTP/1.1 101") {
                    let line: Vec<u8> = head.iter().copied().take_while(|byte| *byte != b'\r').collect();
                    return self.lose(index, &String::from_utf8_lossy(&line));
                }
                let (began, rest) = (*began, head.split_off(end + 4));
                self.log_in(index, began);
                if !rest.is_empty() {
                    self.receive(index, &rest);
                }
            }
            Phase::LoggingIn(login) => {
                // One read may hold the welcome and the end of the login: both are measured.
                let was_welcome = login.is_welcome();
                let progress = login.receive(
                    &format.patterns,
                    &mut connection.counter,
                    bytes,
                    &mut self.sample.messages,
                );
                let began = login.began;
                if login.is_welcome() && !was_welcome {
                    self.sample.welcome.record(began.elapsed());
                }
                match progress {
                    Progress::None => {}
                    Progress::Done => {
                        connection.phase = Phase::LoggedIn;
                        self.complete(index, began);
                    }
                    Progress::Refused => {
                        let reply = readable(bytes);
                        return self.lose(index, &format!("the server refuses the login: {reply}"));
                    }
                }
                self.listen(index, bytes);
            }
            Phase::LoggedIn => {
                // Thousands of clients receive each broadcast, so most of them only count messages
                // and look for markers; those with a decoder read every message.
                self.sample.messages += connection.counter.count(bytes);
                if let Some(tail) = &mut connection.markers {
                    let now = marker::now();
                    let delivery = &mut self.sample.delivery;
                    format.markers.find(tail, bytes, |sent| delivery.record_micros(now.saturating_sub(sent)));
                }
                if connection.decoder.is_some() {
                    self.listen(index, bytes);
                } else if asks_for_pong(&format.patterns, bytes) {
                    let mut pong = Vec::with_capacity(32);
                    messages::encode(connection.format, messages::PONG, &mut pong);
                    connection.socket.send(&pong);
                }
            }
        }
    }

    /// Passes received messages to the actor of a client, if there is one.
    fn listen(&mut self, index: usize, bytes: &[u8]) {
        let Some(connection) = &mut self.clients[index].connection else { return };
        let Some(decoder) = &mut connection.decoder else { return };
        let messages = decoder.receive(bytes);
        if messages.is_empty() {
            return;
        }
        self.act(index, |actor, context| {
            for message in &messages {
                if message.command().as_deref() == Some("ping") {
                    context.send.push(messages::PONG.to_owned());
                }
                actor.receive(message, context);
            }
        });
    }

    /// Calls the actor of a client, if it has one and is logged in.
    pub(in crate::swarm) fn act(&mut self, index: usize, what: impl FnOnce(&mut dyn Actor, &mut Context)) {
        let client = &mut self.clients[index];
        let Some(actor) = &mut client.role.actor else { return };
        let Some(connection) = client.connection.as_mut().filter(|connection| connection.is_logged_in())
        else {
            return;
        };
        let mut context = Context {
            now: Instant::now(),
            sample: &mut self.sample,
            send: Vec::new(),
            wake: None,
            leave: None,
            rng: &mut self.rng,
        };
        what(actor.as_mut(), &mut context);
        let Context { send, wake, leave, .. } = context;
        let mut bytes = Vec::new();
        for message in &send {
            messages::encode(connection.format, message, &mut bytes);
        }
        if !bytes.is_empty() {
            connection.socket.send(&bytes);
        }
        if let Some(at) = wake {
            let connection = client.connections;
            self.timers.add(Timer { at, client: index, connection, task: Task::Wake });
        }
        if let Some(away) = leave {
            self.close(index);
            self.later(index, away, Task::Return);
        }
    }
}

/// Returns whether the server has sent a ping.
fn asks_for_pong(patterns: &Patterns, bytes: &[u8]) -> bool {
    let length = patterns.ping.needle().len() + 12;
    if bytes.len() <= SHORT_READ {
        return patterns.ping.find(bytes).is_some();
    }
    patterns
        .ping
        .find(&bytes[..length])
        .or_else(|| patterns.ping.find(&bytes[bytes.len() - length..]))
        .is_some()
}

/// Returns received bytes as readable text; of UTF-16 only the ASCII characters.
fn readable(bytes: &[u8]) -> String {
    const LONGEST: usize = 300;

    let ascii = bytes.iter().filter(|byte| matches!(byte, b' '..=b'~')).take(LONGEST);
    ascii.map(|byte| char::from(*byte)).collect()
}

#[cfg(test)]
mod tests {
    use faf_protocol::{Message, WireFormat};

    use super::*;

    #[test]
    fn a_ping_is_seen_alone_and_at_the_ends() {
        let other: Message =
            format!(r#"{{"command":"notice","text":"{}"}}"#, "x".repeat(500)).parse().unwrap();
        for format in WireFormat::ALL {
            let patterns = Patterns::new(format);
            let bytes = |messages: &[&Message]| -> Vec<u8> {
                messages.iter().flat_map(|message| format.encode(*message).unwrap()).collect()
            };
            assert!(asks_for_pong(&patterns, &bytes(&[&Message::PING])));
            assert!(asks_for_pong(&patterns, &bytes(&[&Message::PING, &other])));
            assert!(asks_for_pong(&patterns, &bytes(&[&other, &Message::PING])));
            assert!(!asks_for_pong(&patterns, &bytes(&[&other])));
            assert!(!asks_for_pong(&patterns, &bytes(&[&Message::PONG])));
        }
    }
}
