//! Credentials of clients.

use faf_client::Identity;
use faf_protocol::{Secret, password_digest};
use faf_testkit::token::token_of;

/// The login of each client.
#[derive(Debug)]
pub(crate) enum Credentials {
    /// No login: the server is the one of `floor`, which speaks no protocol.
    None,
    /// Tokens, by number of the client.
    Tokens(Vec<String>),
    /// Names made from the number, and one password.
    Password { pattern: String, digest: Secret },
}

impl Credentials {
    /// Signs tokens for the accounts 1 to `clients`, on all processors: each takes about
    /// a millisecond.
    pub(crate) fn sign(clients: u32) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u32);
        let share = clients.div_ceil(threads).max(1);
        let tokens = std::thread::scope(|scope| {
            let shares: Vec<_> = (0..threads)
                .map(|thread| {
                    let numbers = thread * share..clients.min((thread + 1) * share);
                    scope.spawn(move || numbers.map(|number| token_of(number + 1)).collect::<Vec<_>>())
                })
                .collect();
            shares.into_iter().flat_map(|share| share.join().expect("signing does not fail")).collect()
        });
        Self::Tokens(tokens)
    }

    /// Uses the same password for all; `{}` in the pattern stands for the number of the client,
    /// which begins at 1.
    pub(crate) fn password(pattern: &str, password: &str) -> Self {
        Self::Password { pattern: pattern.to_owned(), digest: Secret::new(password_digest(password)) }
    }

    /// Returns the messages of a login, in order, as JSON.
    pub(crate) fn messages(&self, client: u32) -> Option<[String; 2]> {
        let credentials = match self {
            Self::None => return None,
            Self::Tokens(tokens) => faf_client::Credentials::token(&tokens[client as usize]),
            Self::Password { pattern, digest } => faf_client::Credentials::Password {
                login: pattern.replace("{}", &(client + 1).to_string()),
                digest: digest.clone(),
            },
        };
        let identity = Identity::of_program("downlords-faf-client", "loadtest");
        let json = |message| serde_json::to_string(&message).expect("texts and numbers are JSON");
        Some(credentials.messages(&identity).map(json))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_a_token_of_their_own() {
        let Credentials::Tokens(tokens) = Credentials::sign(5) else { panic!() };
        assert_eq!(tokens, (1..=5).map(token_of).collect::<Vec<_>>());
    }

    #[test]
    fn passwords_are_sent_as_digest() {
        let [_, login] = Credentials::password("player{}", "secret").messages(6).unwrap();
        assert!(login.contains(r#""login":"player7""#), "{login}");
        assert!(
            login.contains("2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"),
            "{login}"
        );
    }
}
