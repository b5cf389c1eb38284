//! Logging in, as a client does (session.md sections 3 to 5).

use std::io::{self, IsTerminal};

use clap::Args;
use faf_protocol::client_message::{AskSession, Auth, Hello};
use faf_protocol::{ClientMessage, Secret};
use sha2::{Digest, Sha256};

/// Who logs in, if anybody.
#[derive(Debug, Clone, Args)]
pub(crate) struct Credentials {
    /// Log in with this account and its password
    #[arg(long, value_name = "NAME", conflicts_with = "token")]
    user: Option<String>,
    /// The password; where it is missing, it is asked for on the terminal
    #[arg(long, value_name = "TEXT", requires = "user", env = "FAF_WIRE_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// Log in with this token
    #[arg(long, value_name = "TOKEN", env = "FAF_WIRE_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// What is told of the machine
    #[arg(long, value_name = "TEXT", default_value = "faf-wire")]
    unique_id: String,
}

impl Credentials {
    /// What a client sends to log in, one behind the other; nothing if nobody does.
    pub(crate) fn messages(&self) -> anyhow::Result<Vec<ClientMessage>> {
        let unique_id = self.unique_id.clone();
        let login = match (&self.user, &self.token) {
            (Some(user), _) => {
                let password = match &self.password {
                    Some(password) => password.clone(),
                    None if io::stdin().is_terminal() => {
                        rpassword::prompt_password(format!("Password of {user}: "))?
                    }
                    None => anyhow::bail!("a password is needed: --password or FAF_WIRE_PASSWORD"),
                };
                ClientMessage::Hello(Hello { login: user.clone(), password: digest(&password), unique_id })
            }
            (None, Some(token)) => ClientMessage::Auth(Auth { token: Secret::new(token.clone()), unique_id }),
            (None, None) => return Ok(Vec::new()),
        };
        let ask_session = AskSession {
            user_agent: Some("faf-wire".to_owned()),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        };
        Ok(vec![ClientMessage::AskSession(ask_session), login])
    }
}

/// Clients send the SHA-256 digest of a password in lower-case hexadecimal.
fn digest(password: &str) -> Secret {
    Secret::new(Sha256::digest(password).iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}
