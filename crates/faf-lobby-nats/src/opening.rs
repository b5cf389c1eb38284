//! Opens one connection, and names what keeps it from being opened.

use std::fs::File;
use std::future::ready;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_nats::connection::State;
use async_nats::jetstream::{ErrorCode, response::Response};
use async_nats::{
    Auth, AuthError, ConnectErrorKind, ConnectOptions, Event, RequestErrorKind, ServerAddr, rustls,
};
use bytes::Bytes;
use nkeys::KeyPair;
use tokio::sync::watch;

use crate::link::{JETSTREAM, Link, QUEUE_MESSAGES};
use crate::settings::{Limits, Settings, address};

/// Longest file with credentials, in bytes.
const CREDENTIALS_LIMIT: u64 = 65_536;

/// Reason why there is no connection. The texts say what an operator can do, and show no secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The settings are wrong.
    #[error("the settings of NATS are wrong: {0}")]
    Settings(String),
    /// A file of the settings cannot be used.
    #[error("{0}; check the file and who may read it")]
    File(String),
    /// No server could be reached.
    #[error(
        "NATS cannot be reached at {server}: {problem}; check that it runs and that the address is right"
    )]
    Unreachable {
        /// Host and port.
        server: String,
        /// Problem in the words of the operating system.
        problem: String,
    },
    /// The server does not accept the account.
    #[error(
        "NATS at {server} does not accept the user, the token or the credentials; check them in the address or in the \
         file with credentials"
    )]
    Unauthorized {
        /// Host and port.
        server: String,
    },
    /// The connection cannot be encrypted as it must be.
    #[error(
        "TLS with NATS at {server} fails: {problem}; check that the server has TLS, that its certificate is for this \
         host, and that the file with certificate authorities has the one that signed it"
    )]
    Tls {
        /// Host and port.
        server: String,
        /// Problem in the words of the library.
        problem: String,
    },
    /// The server or the account has no JetStream.
    #[error(
        "NATS at {server} has no JetStream for this account; start nats-server with -js or a jetstream section in its \
         configuration, and enable it for the account"
    )]
    NoJetStream {
        /// Host and port.
        server: String,
    },
}

/// How a connection identifies itself.
enum Identity {
    Nobody,
    User(String, String),
    Token(String),
    Account { jwt: String, key: Box<KeyPair> },
}

/// Opens a connection to one of the servers, beginning with the one with this index.
///
/// # Errors
/// The problem of the last server, if none can be used.
pub(crate) async fn open(
    settings: &Settings,
    limits: &Limits,
    number: u64,
    first: usize,
) -> Result<Link, OpenError> {
    let mut servers = settings.servers().map_err(OpenError::Settings)?;
    let first = first % servers.len().max(1);
    servers.rotate_left(first);
    let mut problem = None;
    for server in servers {
        match open_at(settings, limits, number, &server).await {
            Ok(link) => return Ok(link),
            // A server that refuses tells more than one that is away.
            Err(OpenError::Unreachable { .. }) if problem.is_some() => {}
            Err(error) => problem = Some(error),
        }
    }
    Err(problem.unwrap_or_else(|| OpenError::Settings("there is no address".to_owned())))
}

async fn open_at(
    settings: &Settings,
    limits: &Limits,
    number: u64,
    server: &ServerAddr,
) -> Result<Link, OpenError> {
    let identity = Identity::new(settings, server).map_err(OpenError::File)?;
    let name = address(server);
    let (over, _) = watch::channel(false);
    let (events, is_open) = (over.clone(), Arc::new(AtomicBool::new(false)));
    let is_open_again = Arc::clone(&is_open);
    // The library would reconnect. It asks for the identity first, and then is refused: it gives up
    // after one failure.
    let mut options = ConnectOptions::with_auth_callback(move |nonce| {
        ready(if is_open_again.load(Ordering::SeqCst) {
            Err(AuthError::new("this connection is over"))
        } else {
            identity.auth(&nonce)
        })
    })
    .max_reconnects(1)
    .ignore_discovered_servers()
    .event_callback(move |event| {
        match event {
            Event::Disconnected | Event::Closed => drop(events.send_replace(true)),
            // The account may not publish or subscribe, for example.
            Event::ServerError(error) => tracing::error!(%error, "NATS reports an error"),
            _ => {}
        }
        ready(())
    })
    .connection_timeout(limits.open)
    .request_timeout(Some(limits.respond))
    .ping_interval(limits.check)
    // Requests and subscriptions find a place even while the queue is full of payloads.
    .client_capacity(2 * QUEUE_MESSAGES)
    .subscription_capacity(limits.subscription_messages)
    .name(&settings.client_name);
    if let Some(file) = &settings.certificate_authority {
        check_certificates(file).map_err(OpenError::File)?;
        options = options.add_root_certificates(file.clone());
    }
    let client = options.connect(server.clone()).await.map_err(|error| {
        let problem = describe(&error);
        match error.kind() {
            ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                OpenError::Unauthorized { server: name.clone() }
            }
            ConnectErrorKind::Tls => OpenError::Tls { server: name.clone(), problem },
            _ if is_tls(&error) => OpenError::Tls { server: name.clone(), problem },
            _ => OpenError::Unreachable { server: name.clone(), problem },
        }
    })?;
    is_open.store(true, Ordering::SeqCst);
    // It may have ended, and begun again, before it could be refused.
    let connects = client.statistics().connects.load(Ordering::SeqCst);
    let unreachable =
        |problem: &str| OpenError::Unreachable { server: name.clone(), problem: problem.to_owned() };
    if connects > 1 || client.connection_state() != State::Connected {
        return Err(unreachable("it has closed the connection"));
    }
    match client.request(JETSTREAM, Bytes::new()).await {
        Ok(reply) => match serde_json::from_slice::<Response<serde::de::IgnoredAny>>(&reply.payload) {
            Ok(Response::Ok(_)) => {}
            Ok(Response::Err { error }) if is_without_jetstream(error.error_code()) => {
                return Err(OpenError::NoJetStream { server: name });
            }
            Ok(Response::Err { error }) => return Err(unreachable(&error.to_string())),
            Err(_) => return Err(unreachable("its reply cannot be read")),
        },
        Err(error) if error.kind() == RequestErrorKind::NoResponders => {
            return Err(OpenError::NoJetStream { server: name });
        }
        Err(error) => return Err(unreachable(&error.to_string())),
    }
    Ok(Link::new(number, client, name, over, limits))
}

fn is_without_jetstream(code: ErrorCode) -> bool {
    [ErrorCode::JETSTREAM_NOT_ENABLED, ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT].contains(&code)
}

/// Returns whether an error is one of TLS, which the library passes on as one of the socket.
fn is_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        // An error of the socket is no source of itself, but holds one.
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let inner = inner.and_then(<dyn std::error::Error + Send + Sync>::downcast_ref::<rustls::Error>);
        if error.is::<rustls::Error>() || inner.is_some() {
            return true;
        }
        next = error.source();
    }
    false
}

/// Returns the innermost description of an error.
fn describe(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

fn check_certificates(file: &Path) -> Result<(), String> {
    let text = std::fs::read(file)
        .map_err(|error| format!("the file with certificate authorities {}: {error}", file.display()))?;
    let marker = b"-----BEGIN CERTIFICATE-----";
    if !text.windows(marker.len()).any(|window| window == marker) {
        return Err(format!("the file with certificate authorities {} has none", file.display()));
    }
    Ok(())
}

impl Identity {
    fn new(settings: &Settings, server: &ServerAddr) -> Result<Self, String> {
        if let Some(file) = &settings.credentials {
            return Self::read(file)
                .map_err(|problem| format!("the credentials {}: {problem}", file.display()));
        }
        Ok(match (server.username().map(decode), server.password().map(decode)) {
            (Some(user), Some(password)) => Self::User(user, password),
            (Some(token), None) => Self::Token(token),
            (None, _) => Self::Nobody,
        })
    }

    /// Reads a `.creds` file: a token between lines of dashes, and a key between other such lines.
    fn read(file: &Path) -> Result<Self, String> {
        let mut text = String::new();
        let opened = File::open(file).map_err(|error| error.to_string())?;
        opened.take(CREDENTIALS_LIMIT).read_to_string(&mut text).map_err(|error| error.to_string())?;
        let section = |name: &str| {
            let mut lines = text.lines().map(str::trim);
            lines.find(|line| line.contains("BEGIN") && line.contains(name))?;
            lines.find(|line| !line.is_empty()).map(str::to_owned)
        };
        let jwt = section("USER JWT").ok_or("there is no user JWT in it")?;
        let seed = section("USER NKEY SEED").ok_or("there is no seed of a user in it")?;
        let key = KeyPair::from_seed(&seed).map_err(|_| "the seed in it cannot be read")?;
        Ok(Self::Account { jwt, key: Box::new(key) })
    }

    fn auth(&self, nonce: &[u8]) -> Result<Auth, AuthError> {
        let mut auth = Auth::new();
        match self {
            Self::Nobody => {}
            Self::User(user, password) => {
                auth.username = Some(user.clone());
                auth.password = Some(password.clone());
            }
            Self::Token(token) => auth.token = Some(token.clone()),
            Self::Account { jwt, key } => {
                auth.jwt = Some(jwt.clone());
                auth.signature = Some(key.sign(nonce).map_err(|_| AuthError::new("the key cannot sign"))?);
            }
        }
        Ok(auth)
    }
}

/// Decodes percent-encoding. Sequences that are none stay as they are.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while index < bytes.len() {
        let digit = |offset: usize| bytes.get(index + offset).and_then(|byte| char::from(*byte).to_digit(16));
        match (bytes[index], digit(1), digit(2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                index += 3;
            }
            (byte, ..) => {
                decoded.push(byte);
                index += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_encoding_is_decoded() {
        for (text, decoded) in
            [("p%40ss%3Aw", "p@ss:w"), ("100%", "100%"), ("%zz%4", "%zz%4"), ("%C3%A4", "ä")]
        {
            assert_eq!(decode(text), decoded);
        }
    }

    #[test]
    fn user_and_token_come_from_the_address() {
        let auth = |url: &str| {
            let settings = Settings { url: url.to_owned(), ..Settings::default() };
            let server = settings.servers().unwrap().remove(0);
            Identity::new(&settings, &server).unwrap().auth(b"").unwrap()
        };
        let user = auth("nats://a%40b:c%2Fd@host");
        assert_eq!((user.username.as_deref(), user.password.as_deref()), (Some("a@b"), Some("c/d")));
        assert_eq!(auth("nats://token@host").token.as_deref(), Some("token"));
        let nobody = auth("nats://host");
        assert!(nobody.username.is_none() && nobody.token.is_none());
    }

    #[test]
    fn credentials_sign_the_nonce() {
        let key = KeyPair::new_user();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("user.creds");
        let text = format!(
            "-----BEGIN NATS USER JWT-----\nabc.def\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
            key.seed().unwrap()
        );
        std::fs::write(&file, text).unwrap();
        let auth = Identity::read(&file).unwrap().auth(b"nonce").unwrap();
        assert_eq!(auth.jwt.as_deref(), Some("abc.def"));
        key.verify(b"nonce", &auth.signature.unwrap()).unwrap();
        std::fs::write(&file, "nothing").unwrap();
        assert!(Identity::read(&file).is_err_and(|problem| problem.contains("no user JWT")));
    }
}
