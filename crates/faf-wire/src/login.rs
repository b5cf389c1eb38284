//! Logging in, as a client does (session.md sections 3 to 5).

use std::env;
use std::io::{self, IsTerminal};

use clap::Args;
use faf_client::{Credentials, Identity};
use faf_protocol::ClientMessage;

use crate::exit::{self, Failure};

/// The account for the login, if any.
#[derive(Debug, Clone, Args)]
pub(crate) struct Login {
    /// Log in with this account and its password
    #[arg(long, value_name = "NAME", conflicts_with = "token")]
    user: Option<String>,
    /// The password; without it, the value of FAF_WIRE_PASSWORD, or a prompt on the terminal
    #[arg(long, value_name = "TEXT", requires = "user")]
    password: Option<String>,
    /// Log in with this token; without --user and --token, FAF_WIRE_TOKEN is used if it is set
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// The machine's id, as sent at login
    #[arg(long, value_name = "TEXT", default_value = "faf-wire")]
    unique_id: String,
}

impl Login {
    /// Returns the messages of the login, in this order; none without an account.
    pub(crate) fn messages(&self) -> Result<Vec<ClientMessage>, Failure> {
        let token = self.token.clone().or_else(|| variable("FAF_WIRE_TOKEN"));
        let credentials = match (&self.user, token) {
            (Some(user), _) => {
                let password = match self.password.clone().or_else(|| variable("FAF_WIRE_PASSWORD")) {
                    Some(password) => password,
                    None if io::stdin().is_terminal() => {
                        rpassword::prompt_password(format!("Password of {user}: "))?
                    }
                    None => {
                        let error = anyhow::anyhow!("a password is needed: --password or FAF_WIRE_PASSWORD");
                        return Err(Failure::new(exit::USAGE, error));
                    }
                };
                Credentials::password(user, &password)
            }
            (None, Some(token)) => Credentials::token(token),
            (None, None) => return Ok(Vec::new()),
        };
        let identity = Identity {
            unique_id: self.unique_id.clone(),
            ..Identity::of_program("faf-wire", env!("CARGO_PKG_VERSION"))
        };
        Ok(credentials.messages(&identity).into())
    }
}

/// Returns an environment variable, if it is set and not empty. It is not a default of the flag: a
/// flag must not conflict with a variable.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
