//! `faf-lobby healthcheck`: asks the server of the same configuration whether it is ready, as
//! Docker does with `HEALTHCHECK`.

use std::time::Duration;

use super::print_line;
use crate::config::{ListenAddress, Settings};
use crate::exit_code::Failure;

/// Time limit for the reply.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Asks the server, at the first of its addresses.
///
/// # Errors
/// [`Failure`] if `/ready` does not respond with 200, or no listener has it.
pub(super) fn run(settings: &Settings) -> Result<(), Failure> {
    let listeners = settings.health.addresses().iter().chain(settings.http.addresses());
    let mut urls: Vec<_> = listeners.filter_map(url).collect();
    urls.dedup();
    let Some(url) = urls.first() else {
        let advice = "no listener with a fixed port has /ready: see the settings `health` and `http`";
        return Err(Failure::from(anyhow::anyhow!(advice)));
    };
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        // Variables for proxies are about other machines.
        .proxy(None)
        .build()
        .into();
    let reply = agent.get(url).call();
    reply.map_err(|error| Failure::from(anyhow::anyhow!("{url}: {error}")))?;
    print_line("ready");
    Ok(())
}

/// Returns the URL with which this machine reaches a listener; `None` if its port is a free one.
fn url(listen: &ListenAddress) -> Option<String> {
    let (host, port) = listen.address.rsplit_once(':')?;
    let host = match host {
        "*" | "0.0.0.0" => "127.0.0.1",
        "[::]" => "[::1]",
        host => host,
    };
    (port != "0").then(|| format!("http://{host}:{port}/ready"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_on_all_addresses_are_reached_on_this_machine() {
        let url = |address: &str| url(&address.parse().unwrap());
        assert_eq!(url("*:2000").as_deref(), Some("http://127.0.0.1:2000/ready"));
        assert_eq!(url("0.0.0.0:1").as_deref(), Some("http://127.0.0.1:1/ready"));
        assert_eq!(url("[::]:1").as_deref(), Some("http://[::1]:1/ready"));
        assert_eq!(url("10.0.0.1:1").as_deref(), Some("http://10.0.0.1:1/ready"));
        assert_eq!(url("127.0.0.1:0"), None);
    }
}
