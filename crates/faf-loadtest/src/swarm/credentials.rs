//! Credentials of clients.

use faf_client::Identity;
use faf_protocol::{Secret, password_digest};
use faf_testkit::token::token_of;

/// The credentials of each client, by its number; none if the server is the one of `floor`, which
/// speaks no protocol.
#[derive(Debug, Default)]
pub(crate) struct Credentials(Vec<faf_client::Credentials>);

impl Credentials {
    /// Signs tokens for the accounts 1 to `clients`, on all processors: each takes about
    /// a millisecond.
    pub(crate) fn sign(clients: u32) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u32);
        let share = clients.div_ceil(threads).max(1);
        let token = |number| faf_client::Credentials::token(token_of(number + 1));
        let tokens = std::thread::scope(|scope| {
            let shares: Vec<_> = (0..threads)
                .map(|thread| {
                    let numbers = thread * share..clients.min((thread + 1) * share);
                    scope.spawn(move || numbers.map(token).collect::<Vec<_>>())
                })
                .collect();
            shares.into_iter().flat_map(|share| share.join().expect("signing does not fail")).collect()
        });
        Self(tokens)
    }

    /// Uses the same password for all; `{}` in the pattern stands for the number of the client,
    /// which begins at 1.
    pub(crate) fn password(clients: u32, pattern: &str, password: &str) -> Self {
        let digest = Secret::new(password_digest(password));
        let login = |number: u32| pattern.replace("{}", &number.to_string());
        let of = |number| faf_client::Credentials::Password { login: login(number), digest: digest.clone() };
        Self((1..=clients).map(of).collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the messages of a login, in order, as JSON.
    pub(crate) fn messages(&self, client: u32) -> impl Iterator<Item = String> {
        let identity = Identity::of_program("downlords-faf-client", "loadtest");
        let messages = self.0.get(client as usize).map(|credentials| credentials.messages(&identity));
        let json = |message| serde_json::to_string(&message).expect("texts and numbers are JSON");
        messages.into_iter().flatten().map(json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_a_token_of_their_own() {
        let tokens = (1..=5).map(|number| faf_client::Credentials::token(token_of(number)));
        assert_eq!(Credentials::sign(5).0, tokens.collect::<Vec<_>>());
    }

    #[test]
    fn passwords_are_sent_as_digest() {
        let credentials = Credentials::password(7, "player{}", "secret");
        let login = credentials.messages(6).last().unwrap();
        assert!(login.contains(r#""login":"player7""#), "{login}");
        assert!(
            login.contains("2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"),
            "{login}"
        );
        assert_eq!(Credentials::default().messages(0).count(), 0);
    }
}
