use std::fmt;

use faf_protocol::client_message::{AskSession, Auth, Hello};
use faf_protocol::{ClientMessage, Secret, password_digest};

/// Proof of owning an account.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credentials {
    /// The name of an account and the digest of its password.
    Password {
        /// Name of the account.
        login: String,
        /// Digest of the password; see [`password_digest`].
        digest: Secret,
    },
    /// An OAuth access token, a JWT.
    Token(Secret),
}

/// Description of the client program for the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Name of the program; default `faf-client`.
    pub user_agent: String,
    /// Version of the program; default that of this crate.
    pub version: String,
    /// Id of the machine, from a client's id tool; default `faf-client`. This server only
    /// stores it.
    pub unique_id: String,
}

impl Default for Identity {
    fn default() -> Self {
        Self::of_program("faf-client", env!("CARGO_PKG_VERSION"))
    }
}

impl Identity {
    /// Creates the identity of a program without an id tool, which uses its name instead.
    pub fn of_program(user_agent: impl Into<String>, version: impl Into<String>) -> Self {
        let user_agent = user_agent.into();
        Self { unique_id: user_agent.clone(), user_agent, version: version.into() }
    }
}

impl Credentials {
    /// Creates credentials from a login and its password, of which only the digest is kept.
    pub fn password(login: impl Into<String>, password: &str) -> Self {
        Self::Password { login: login.into(), digest: Secret::new(password_digest(password)) }
    }

    /// Creates credentials from an OAuth access token.
    pub fn token(token: impl Into<String>) -> Self {
        Self::Token(Secret::new(token))
    }

    /// Returns the messages that log a client in, in this order. The second message may be sent
    /// without waiting for a reply.
    #[must_use]
    pub fn messages(&self, identity: &Identity) -> [ClientMessage; 2] {
        let unique_id = identity.unique_id.clone();
        let login = match self {
            Self::Password { login, digest } => {
                ClientMessage::Hello(Hello { login: login.clone(), password: digest.clone(), unique_id })
            }
            Self::Token(token) => ClientMessage::Auth(Auth { token: token.clone(), unique_id }),
        };
        let ask_session = AskSession {
            user_agent: Some(identity.user_agent.clone()),
            version: Some(identity.version.clone()),
        };
        [ClientMessage::AskSession(ask_session), login]
    }
}

/// Omits the secret.
impl fmt::Display for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password { login, .. } => write!(f, "the password of {login}"),
            Self::Token(_) => f.write_str("a token"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_sent_as_its_digest() {
        let [ask, hello] =
            Credentials::password("Ada", "secret").messages(&Identity::of_program("test", "1"));
        let ClientMessage::AskSession(ask) = ask else { panic!("{ask:?}") };
        assert_eq!((ask.user_agent.as_deref(), ask.version.as_deref()), (Some("test"), Some("1")));
        let ClientMessage::Hello(hello) = hello else { panic!("{hello:?}") };
        assert_eq!(
            (hello.login.as_str(), hello.password.reveal(), hello.unique_id.as_str()),
            ("Ada", "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b", "test")
        );
    }

    #[test]
    fn secrets_are_not_shown() {
        for credentials in [Credentials::password("Ada", "secret"), Credentials::token("2bb80")] {
            let shown = format!("{credentials} {credentials:?}");
            assert!(!shown.contains("2bb80"), "{shown}");
        }
    }
}
