//! Removes secrets from recordings.

use std::borrow::Cow;

use faf_lobby_core::{Event, World};
use faf_protocol::{ClientMessage, Secret};
use faf_sessions::secrets::Digests;

/// Replaces secrets by digests, with a random key that is stored nowhere else.
#[derive(Debug)]
pub(super) struct Scrubber {
    digests: Digests,
}

impl Scrubber {
    pub(super) fn new() -> Result<Self, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        Ok(Self { digests: Digests::new(&key) })
    }

    /// Returns the replacement of a secret.
    pub(super) fn replace(&self, secret: &Secret) -> Secret {
        Secret::new(self.digests.replace(secret.reveal()))
    }

    /// Returns the event as it is recorded.
    pub(super) fn event<'a>(&self, event: &'a Event) -> Cow<'a, Event> {
        match event {
            Event::Received { message: Ok(message), .. } if may_have_secrets(message) => {
                let mut event = event.clone();
                if let Event::Received { message: Ok(message), .. } = &mut event {
                    message.replace_secrets(&|secret| self.replace(secret));
                }
                Cow::Owned(event)
            }
            // Replies say whether a secret was right, but do not contain it.
            event => Cow::Borrowed(event),
        }
    }

    /// Returns the world as it is recorded.
    pub(super) fn world(&self, world: &World) -> World {
        world.without_secrets(&|secret| self.replace(secret))
    }
}

/// Lists the messages without secrets instead of those with, so that a new command is safe by
/// default. Messages between games may hold passwords of their connections, which end with
/// the game.
fn may_have_secrets(message: &ClientMessage) -> bool {
    !matches!(message, ClientMessage::Ping | ClientMessage::Pong | ClientMessage::Game(_))
}

#[cfg(test)]
mod tests {
    use faf_lobby_core::ConnId;

    use faf_sessions::secrets::LENGTH_SHOWS;

    use super::*;

    fn scrubber() -> Scrubber {
        Scrubber::new().unwrap()
    }

    fn scrubbed(scrubber: &Scrubber, text: &str) -> String {
        let message = ClientMessage::read(text.parse().unwrap());
        let event = Event::Received { conn: ConnId(1), message };
        serde_json::to_string(&scrubber.event(&event)).unwrap()
    }

    #[test]
    fn equal_secrets_stay_equal_and_others_differ() {
        let (scrubber, other) = (scrubber(), scrubber());
        let replace = |secret: &str| scrubber.replace(&Secret::new(secret)).reveal().to_owned();
        assert_eq!(replace("hunter2"), replace("hunter2"));
        assert_ne!(replace("hunter2"), replace("hunter3"));
        assert_ne!(replace("hunter2"), other.replace(&Secret::new("hunter2")).reveal());
        assert_eq!(replace(""), "");
        assert_eq!(replace("x").len(), replace(&"x".repeat(LENGTH_SHOWS)).len());
        for length in [LENGTH_SHOWS + 1, 1000, 1001, 16 * 1024 + 1] {
            assert_eq!(replace(&"x".repeat(length)).len(), length);
        }
    }

    #[test]
    fn no_secret_of_a_client_is_left() {
        let scrubber = scrubber();
        for message in [
            r#"{"command":"hello","login":"Ada","password":"hunter2","unique_id":"machine"}"#,
            r#"{"command":"auth","token":"hunter2","unique_id":"machine"}"#,
            r#"{"command":"game_host","visibility":"public","password":"hunter2"}"#,
            r#"{"command":"game_join","uid":1,"password":"hunter2"}"#,
            r#"{"command":"of_tomorrow","password":"hunter2"}"#,
            r#"{"command":"of_tomorrow","token":{"deep":["hunter2"]}}"#,
            r#"{"command":"of_tomorrow","password":"hunter2","passw\u006frd":"hunter2"}"#,
            r#"{"command":"hello","login":"Ada","password":["hunter2"],"unique_id":"machine"}"#,
        ] {
            let text = scrubbed(&scrubber, message);
            assert!(!text.contains("hunter2"), "{text}");
            assert!(text.contains("secret:") || text.contains("Err"), "{text}");
        }
        let text = scrubbed(&scrubber, r#"{"command":"game_join","uid":1,"password":""}"#);
        assert!(text.contains(r#""password":"""#), "{text}");
    }

    #[test]
    fn events_without_secrets_are_not_copied() {
        let event = Event::Received { conn: ConnId(1), message: Ok(ClientMessage::Ping) };
        assert!(matches!(scrubber().event(&event), Cow::Borrowed(_)));
    }
}
