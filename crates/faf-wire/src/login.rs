//! Logging in, as a client does (session.md sections 3 to 5).

use std::env;
use std::io::{self, IsTerminal};

use clap::Args;
use faf_protocol::client_message::{AskSession, Auth, Hello};
use faf_protocol::{ClientMessage, Secret};
use sha2::{Digest, Sha256};

use crate::exit::{self, Failure};

/// Who logs in, if anybody.
#[derive(Debug, Clone, Args)]
pub(crate) struct Credentials {
    /// Log in with this account and its password
    #[arg(long, value_name = "NAME", conflicts_with = "token")]
    user: Option<String>,
    /// The password; where it is missing, FAF_WIRE_PASSWORD counts, and then it is asked for on the terminal
    #[arg(long, value_name = "TEXT", requires = "user")]
    password: Option<String>,
    /// Log in with this token; without --user, FAF_WIRE_TOKEN counts where it is missing
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// What is told of the machine
    #[arg(long, value_name = "TEXT", default_value = "faf-wire")]
    unique_id: String,
}

impl Credentials {
    /// What a client sends to log in, one behind the other; nothing if nobody does.
    pub(crate) fn messages(&self) -> Result<Vec<ClientMessage>, Failure> {
        let unique_id = self.unique_id.clone();
        let token = self.token.clone().or_else(|| variable("FAF_WIRE_TOKEN"));
        let login = match (&self.user, token) {
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
                ClientMessage::Hello(Hello { login: user.clone(), password: digest(&password), unique_id })
            }
            (None, Some(token)) => ClientMessage::Auth(Auth { token: Secret::new(token), unique_id }),
            (None, None) => return Ok(Vec::new()),
        };
        let ask_session = AskSession {
            user_agent: Some("faf-wire".to_owned()),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        };
        Ok(vec![ClientMessage::AskSession(ask_session), login])
    }
}

/// What the environment says, where the command line is silent: a flag must not clash with a variable.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// Clients send the SHA-256 digest of a password in lower-case hexadecimal.
fn digest(password: &str) -> Secret {
    Secret::new(Sha256::digest(password).iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}
