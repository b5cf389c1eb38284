//! Where to connect or listen, and in which format.

use std::fmt;
use std::str::FromStr;

use faf_protocol::WireFormat;
use hyper::Uri;

/// An address with a wire format: `tcp://`, `qdatastream://`, `ws://` or `wss://`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) format: WireFormat,
    pub(crate) is_encrypted: bool,
    /// Name or address, an IPv6 one without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// As it was written; the part behind the host matters only to WebSocket.
    pub(crate) uri: Uri,
}

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let uri: Uri = text.parse().map_err(|error| format!("{error}"))?;
        let (format, is_encrypted, default_port) = match uri.scheme_str() {
            Some("tcp") => (WireFormat::SimpleJson, false, 8002),
            Some("qdatastream") => (WireFormat::QDataStream, false, 8001),
            Some("ws") => (WireFormat::WebSocket, false, 80),
            Some("wss") => (WireFormat::WebSocket, true, 443),
            _ => return Err("it must begin with tcp://, qdatastream://, ws:// or wss://".to_owned()),
        };
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        if host.is_empty() {
            return Err("there is no host in it".to_owned());
        }
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err("there must be no user in it".to_owned());
        }
        let written = uri.authority().and_then(|authority| authority.as_str().rsplit_once(':'));
        if written.is_some_and(|(_, port)| !port.ends_with(']')) && uri.port_u16().is_none() {
            return Err("the port is no number up to 65535".to_owned());
        }
        let behind = uri.path_and_query().map_or("", |behind| behind.as_str());
        if format != WireFormat::WebSocket && !matches!(behind, "" | "/") {
            return Err("only ws:// and wss:// can have a path or a query".to_owned());
        }
        let port = uri.port_u16().unwrap_or(default_port);
        Ok(Self { format, is_encrypted, host, port, uri })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Queries may hold secrets.
        let scheme = self.uri.scheme_str().unwrap_or_default();
        let path = if self.format == WireFormat::WebSocket { self.uri.path() } else { "" };
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
    fn urls_name_format_host_and_port() {
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
        for wrong in [
            "http://x",
            "localhost:8001",
            "tcp://",
            "tcp://x:99999",
            "tcp://x:y",
            "tcp://x/path",
            "ws://user:password@x",
            "tcp://x?query",
            "tcp://:1",
            "",
        ] {
            assert!(shown(wrong).is_err(), "{wrong}");
        }
    }
}
