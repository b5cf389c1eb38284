use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use faf_protocol::{Scheme, WireFormat};
use hyper::Uri;

/// Address and wire format of a server: `tcp://`, `qdatastream://`, `ws://` or `wss://`, a host, a
/// port, and for the last two a path.
///
/// The schemes and the ports of URLs without one are those of
/// [`Properties`](faf_protocol::Properties).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    format: WireFormat,
    is_encrypted: bool,
    host: String,
    port: u16,
    uri: Uri,
}

/// The text is not a [`Url`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidUrl {
    /// The text is not a URL.
    #[error("{0}")]
    Syntax(String),
    /// No wire format has this scheme.
    #[error("it must begin with {}", schemes())]
    Scheme,
    /// The URL has no host.
    #[error("it has no host")]
    NoHost,
    /// The URL has a user or a password, which would not be sent.
    #[error("it must not have a user")]
    User,
    /// The port is not a number up to 65535.
    #[error("the port is not a number up to 65535")]
    Port,
    /// The scheme's wire format has no paths.
    #[error("only ws:// and wss:// can have a path or a query")]
    Path,
}

/// Returns all schemes, for people.
fn schemes() -> String {
    let names: Vec<_> = known().map(|(_, _, scheme)| format!("{}://", scheme.name)).collect();
    match names.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => names.concat(),
    }
}

/// Returns each scheme with its wire format, and whether it means TLS.
fn known() -> impl Iterator<Item = (WireFormat, bool, Scheme)> {
    WireFormat::ALL.into_iter().flat_map(|format| {
        let properties = format.properties();
        let plain = [(format, false, properties.scheme)].into_iter();
        plain.chain(properties.tls_scheme.map(|scheme| (format, true, scheme)))
    })
}

impl Url {
    /// Creates the URL of a server at an address, without TLS, with the path `/`.
    #[must_use]
    pub fn new(format: WireFormat, address: SocketAddr) -> Self {
        let url = format!("{}://{address}/", format.scheme());
        url.parse().expect("a scheme and an address make a URL")
    }

    /// Returns the same URL with another path, which begins with `/`.
    ///
    /// # Errors
    /// [`InvalidUrl::Path`] in a format without paths, and [`InvalidUrl::Syntax`].
    pub fn with_path(&self, path: &str) -> Result<Self, InvalidUrl> {
        let scheme = self.uri.scheme_str().unwrap_or_default();
        let authority = self.uri.authority().map_or("", |authority| authority.as_str());
        format!("{scheme}://{authority}{path}").parse()
    }

    /// Returns the same URL with another port, such as the one that the system has chosen for
    /// port 0.
    #[must_use]
    pub fn with_port(&self, port: u16) -> Self {
        Self { port, ..self.clone() }
    }

    /// Returns the wire format that the server expects.
    #[must_use]
    pub fn format(&self) -> WireFormat {
        self.format
    }

    /// Returns whether the connection uses TLS.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }

    /// Returns the host: a name or an address, IPv6 without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port, or that of the scheme if the URL has none.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the path, without the query; `/` in a format without paths.
    #[must_use]
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// Returns host and port as they were written, for the `Host` header of an upgrade.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.uri.authority().map_or("", |authority| authority.as_str())
    }

    /// Returns the URL as it was written.
    pub(crate) fn uri(&self) -> &Uri {
        &self.uri
    }
}

impl FromStr for Url {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        let uri: Uri = text.parse().map_err(|error| InvalidUrl::Syntax(format!("{error}")))?;
        let scheme = known().find(|(_, _, scheme)| Some(scheme.name) == uri.scheme_str());
        let (format, is_encrypted, scheme) = scheme.ok_or(InvalidUrl::Scheme)?;
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        if host.is_empty() {
            return Err(InvalidUrl::NoHost);
        }
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        if authority.contains('@') {
            return Err(InvalidUrl::User);
        }
        // The last colon of an IPv6 address without a port is inside the brackets.
        let written = authority.rsplit_once(':').filter(|(_, port)| !port.ends_with(']'));
        if written.is_some() && uri.port_u16().is_none() {
            return Err(InvalidUrl::Port);
        }
        let path = uri.path_and_query().map_or("", |path| path.as_str());
        if !format.has_upgrade() && !matches!(path, "" | "/") {
            return Err(InvalidUrl::Path);
        }
        let port = uri.port_u16().unwrap_or(scheme.default_port);
        Ok(Self { format, is_encrypted, host, port, uri })
    }
}

/// Omits the query, which may contain secrets.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.uri.scheme_str().unwrap_or_default();
        let path = if self.format.has_upgrade() { self.path() } else { "" };
        match self.host.contains(':') {
            true => write!(f, "{scheme}://[{}]:{}{path}", self.host, self.port),
            false => write!(f, "{scheme}://{}:{}{path}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_format_host_and_port() {
        let shown = |text: &str| text.parse::<Url>().map(|url| (url.format, url.to_string()));
        assert_eq!(shown("tcp://localhost"), Ok((WireFormat::SimpleJson, "tcp://localhost:8002".to_owned())));
        assert_eq!(
            shown("qdatastream://[::1]:1"),
            Ok((WireFormat::QDataStream, "qdatastream://[::1]:1".to_owned()))
        );
        assert_eq!(
            shown("wss://ws.example.org/path?verify=secret"),
            Ok((WireFormat::WebSocket, "wss://ws.example.org:443/path".to_owned()))
        );
        for (wrong, why) in [
            ("http://x", InvalidUrl::Scheme),
            ("localhost:8001", InvalidUrl::Scheme),
            ("tcp://:1", InvalidUrl::NoHost),
            ("tcp://x:99999", InvalidUrl::Port),
            ("tcp://x:y", InvalidUrl::Port),
            ("tcp://x/path", InvalidUrl::Path),
            ("tcp://x?query", InvalidUrl::Path),
            ("ws://user:password@x", InvalidUrl::User),
        ] {
            assert_eq!(wrong.parse::<Url>(), Err(why), "{wrong}");
        }
        for wrong in ["tcp://", ""] {
            assert!(matches!(wrong.parse::<Url>(), Err(InvalidUrl::Syntax(_))), "{wrong}");
        }
        let known = "it must begin with qdatastream://, tcp://, ws:// or wss://";
        assert_eq!(InvalidUrl::Scheme.to_string(), known);
    }

    #[test]
    fn an_address_gives_the_same_url_as_a_text() {
        for (format, text) in [
            (WireFormat::QDataStream, "qdatastream://127.0.0.1:12"),
            (WireFormat::SimpleJson, "tcp://[::1]:12"),
            (WireFormat::WebSocket, "ws://127.0.0.1:12/"),
        ] {
            let written: Url = text.parse().unwrap();
            let address = format!("{}:12", if written.host == "::1" { "[::1]" } else { &written.host });
            let url = Url::new(format, address.parse().unwrap());
            assert_eq!((url.to_string(), url.authority()), (text.to_owned(), written.authority()));
            assert_eq!(url.with_port(13).to_string(), text.replace(":12", ":13"));
            let lobby = url.with_path("/lobby").map(|url| url.to_string());
            match format.has_upgrade() {
                true => assert_eq!(lobby, Ok(format!("{text}lobby"))),
                false => assert_eq!(lobby, Err(InvalidUrl::Path)),
            }
        }
    }
}
