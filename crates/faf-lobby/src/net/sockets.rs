//! The sockets on which the server listens.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use faf_connection::tcp;
use faf_protocol::WireFormat;
use tokio::net::{TcpListener, lookup_host};

use super::listener::Listener;
use crate::config::{Listen, ListenAddress, Settings};
use crate::exit_code::{self, Failure};

/// An address the server listens on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listening {
    /// Service at this address.
    pub service: Service,
    /// The address, with the port that was picked if it was 0.
    pub address: SocketAddr,
}

/// A service of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// The lobby protocol, in this format.
    Lobby(WireFormat),
    /// The HTTP interface for operators.
    Http,
    /// `/ready` alone, for probes.
    Health,
    /// `/players` and `/games` alone.
    Control,
    /// Metrics in reply to every path.
    Metrics,
}

impl Service {
    /// Returns its name in the settings; that of a format for clients has a hyphen.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Lobby(format) => format.name(),
            Self::Http => "http",
            Self::Health => "health",
            Self::Control => "control",
            Self::Metrics => "metrics",
        }
    }
}

/// Open sockets.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    /// Sockets for clients.
    pub(crate) clients: Vec<Listener>,
    /// Sockets for requests over HTTP, apart from those for probes.
    pub(crate) http: Vec<(Service, TcpListener)>,
    /// Sockets for probes, which get a reply before the server is ready.
    pub(crate) probes: Vec<TcpListener>,
    /// Addresses of all of them, in the order of the settings.
    pub(crate) listening: Vec<Listening>,
}

impl Sockets {
    /// Listens for clients.
    ///
    /// # Errors
    /// [`Failure`] with the problem of an address.
    pub(crate) async fn listen_for_clients(&mut self, settings: &Settings) -> Result<(), Failure> {
        for format in WireFormat::ALL {
            for (socket, address, proxy) in listen_on(settings.listen(format)).await? {
                self.listening.push(Listening { service: Service::Lobby(format), address });
                self.clients.push(Listener { socket, format, proxy });
            }
        }
        Ok(())
    }

    /// Listens for requests over HTTP to these services, other than probes.
    ///
    /// # Errors
    /// [`Failure`] with the problem of an address.
    pub(crate) async fn listen_for_requests(
        &mut self,
        settings: &Settings,
        services: &[Service],
    ) -> Result<(), Failure> {
        for (service, listen) in [
            (Service::Http, &settings.http),
            (Service::Control, &settings.control),
            (Service::Metrics, &settings.metrics),
        ] {
            if !services.contains(&service) {
                continue;
            }
            for (socket, address, _) in listen_on(listen).await? {
                self.listening.push(Listening { service, address });
                self.http.push((service, socket));
            }
        }
        Ok(())
    }

    /// Listens for probes.
    ///
    /// # Errors
    /// [`Failure`] with the problem of an address.
    pub(crate) async fn listen_for_probes(&mut self, settings: &Settings) -> Result<(), Failure> {
        for (socket, address, _) in listen_on(&settings.health).await? {
            self.listening.push(Listening { service: Service::Health, address });
            self.probes.push(socket);
        }
        Ok(())
    }

    /// Returns the address of the first socket for WebSocket that clients reach without a proxy.
    pub(crate) fn direct_websocket(&self, settings: &Settings) -> Option<SocketAddr> {
        let is_direct = settings.websocket.addresses().iter().map(|address| !address.proxy);
        let addresses =
            self.listening.iter().filter(|one| one.service == Service::Lobby(WireFormat::WebSocket));
        addresses.zip(is_direct).find(|(_, is_direct)| *is_direct).map(|(listening, _)| listening.address)
    }
}

/// Returns the addresses of which the first that works is meant.
async fn resolve(listen: &ListenAddress) -> io::Result<Vec<SocketAddr>> {
    match listen.port_of_all() {
        // A socket of IPv6 serves both families, if the machine has IPv6.
        Some(port) => Ok(vec![(Ipv6Addr::UNSPECIFIED, port).into(), (Ipv4Addr::UNSPECIFIED, port).into()]),
        None => Ok(lookup_host(&listen.address).await?.collect()),
    }
}

/// Listens on all addresses of a setting.
///
/// # Errors
/// [`Failure`] with the problem of the address.
pub(crate) async fn listen_on(listen: &Listen) -> Result<Vec<(TcpListener, SocketAddr, bool)>, Failure> {
    let mut sockets = Vec::new();
    for listen in listen.addresses() {
        let ListenAddress { address, proxy } = listen;
        let failure = |error: io::Error| {
            let advice = match error.kind() {
                io::ErrorKind::AddrInUse => "; is another server running? Port 0 picks a free one",
                io::ErrorKind::PermissionDenied => "; ports below 1024 need a permission",
                io::ErrorKind::AddrNotAvailable => "; this machine does not have this address",
                _ => "",
            };
            Failure::new(exit_code::LISTEN, anyhow::anyhow!("cannot listen on {address}: {error}{advice}"))
        };
        // A name may stand for several addresses: the first that works is used.
        let mut last_error = io::Error::new(io::ErrorKind::NotFound, "no such host");
        let mut socket = None;
        for resolved in resolve(listen).await.map_err(failure)? {
            match tcp::listen(resolved) {
                Ok(listener) => {
                    socket = Some(listener);
                    break;
                }
                Err(error) => last_error = error,
            }
        }
        let socket = socket.ok_or_else(|| failure(last_error))?;
        let bound = socket.local_addr().map_err(failure)?;
        sockets.push((socket, bound, *proxy));
    }
    Ok(sockets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_addresses_of_the_machine_are_those_of_both_families() {
        let resolved = resolve(&"*:8003".parse().unwrap()).await.unwrap();
        assert_eq!(resolved, ["[::]:8003".parse().unwrap(), "0.0.0.0:8003".parse().unwrap()]);
        let resolved = resolve(&"127.0.0.1:1".parse().unwrap()).await.unwrap();
        assert_eq!(resolved, ["127.0.0.1:1".parse().unwrap()]);
    }
}
