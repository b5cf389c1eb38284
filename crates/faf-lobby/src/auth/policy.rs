//! The policy service receives every login; its reply makes no difference (ops.md section 8).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use faf_lobby_core::escaped;
use faf_protocol::{PlayerId, SessionNumber};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{Mutex, mpsc};

/// Number of reports that may wait; further ones are dropped. One has a few kilobytes, at most
/// some 30.
const QUEUE_LIMIT: usize = 1000;

/// Number of reports in flight at the same time.
const WORKERS: usize = 4;

/// Time limit for one report.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Size of a reply, at most.
const REPLY_BYTES: u64 = 4096;

/// The result for a player about whom there is nothing to say.
const HONEST: &str = "honest";

/// Sends reports to the policy service.
#[derive(Debug)]
pub(crate) struct PolicyServer(Option<mpsc::Sender<Report>>);

/// A login.
#[derive(Debug)]
struct Report {
    player: PlayerId,
    body: String,
}

/// A reply of the service.
#[derive(Debug, Deserialize)]
struct Reply {
    result: String,
}

/// The service, which all workers share.
#[derive(Debug)]
struct Service {
    agent: ureq::Agent,
    url: String,
    /// Whether the last report failed. Each change is logged once, not every login.
    is_failing: AtomicBool,
}

impl PolicyServer {
    /// Reports to the service with this base URL; without one, reports nowhere.
    pub(crate) fn new(base_url: &str) -> Self {
        Self::with_timeout(base_url, TIMEOUT)
    }

    fn with_timeout(base_url: &str, timeout: Duration) -> Self {
        if base_url.is_empty() {
            return Self(None);
        }
        let service = Arc::new(Service {
            agent: ureq::Agent::config_builder().timeout_global(Some(timeout)).build().into(),
            url: format!("{}/verify", base_url.trim_end_matches('/')),
            is_failing: AtomicBool::new(false),
        });
        let (sender, receiver) = mpsc::channel(QUEUE_LIMIT);
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..WORKERS {
            tokio::spawn(work(Arc::clone(&service), Arc::clone(&receiver)));
        }
        Self(Some(sender))
    }

    /// Reports a player's login from a machine. Never waits.
    pub(crate) fn report(&self, player: PlayerId, unique_id: &str, session: SessionNumber) {
        let Some(sender) = &self.0 else { return };
        let body = json!({"player_id": player.0, "uid_hash": unique_id, "session": session.0}).to_string();
        if sender.try_send(Report { player, body }).is_err() {
            tracing::debug!(player = player.0, "the policy service is too slow; a login was not reported");
        }
    }
}

async fn work(service: Arc<Service>, waiting: Arc<Mutex<mpsc::Receiver<Report>>>) {
    loop {
        let next = waiting.lock().await.recv().await;
        let Some(Report { player, body }) = next else { return };
        let asked = Arc::clone(&service);
        match tokio::task::spawn_blocking(move || asked.ask(body)).await {
            Ok(Ok(result)) => {
                service.worked();
                if result == HONEST {
                    tracing::debug!(player = player.0, "a login was reported to the policy service");
                } else {
                    let result = escaped(&result).to_string();
                    tracing::info!(
                        player = player.0,
                        result,
                        "the policy service has a finding; it has no effect"
                    );
                }
            }
            Ok(Err(error)) => service.failed(player, &error),
            Err(_) => return,
        }
    }
}

impl Service {
    /// Sends a report, and returns the result. Blocks the thread.
    fn ask(&self, body: String) -> Result<String, ureq::Error> {
        let request = self
            .agent
            .post(&self.url)
            .header("content-type", "application/json")
            .header("cache-control", "no-cache");
        let reply = request.send(body)?.body_mut().with_config().limit(REPLY_BYTES).read_to_string()?;
        // Only the status counts: a reply with another text is no failure.
        Ok(serde_json::from_str(&reply).map_or_else(|_| HONEST.to_owned(), |reply: Reply| reply.result))
    }

    fn worked(&self) {
        if self.is_failing.swap(false, Ordering::Relaxed) {
            tracing::info!("the policy service responds again");
        }
    }

    fn failed(&self, player: PlayerId, error: &ureq::Error) {
        if !self.is_failing.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "the policy service does not respond; logins go on without reports");
        }
        tracing::debug!(player = player.0, %error, "a login was not reported to the policy service");
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// Starts a service that gives these replies in turn, each on a connection of its own; an empty
    /// one is none. Returns its URL, and the heads and bodies of requests.
    fn serve(replies: &'static [&'static str]) -> (String, std::sync::mpsc::Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let (sender, requests) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut silent = Vec::new();
            for reply in replies {
                let (stream, _) = listener.accept().unwrap();
                let mut reader = BufReader::new(&stream);
                let mut request = String::new();
                while !request.ends_with("\r\n\r\n") {
                    reader.read_line(&mut request).unwrap();
                }
                let length = request.to_lowercase().split_once("content-length: ").unwrap().1.to_owned();
                let length = length.split_whitespace().next().unwrap().parse().unwrap();
                reader.take(length).read_to_string(&mut request).unwrap();
                sender.send(request).unwrap();
                match reply.is_empty() {
                    true => silent.push(stream),
                    false => (&stream).write_all(reply.as_bytes()).unwrap(),
                }
            }
            // The silent connections stay open.
            while !silent.is_empty() {
                std::thread::park();
            }
        });
        (url, requests)
    }

    fn service(url: &str, timeout: Duration) -> Service {
        let agent = ureq::Agent::config_builder().timeout_global(Some(timeout)).build().into();
        Service { agent, url: format!("{url}verify"), is_failing: AtomicBool::new(false) }
    }

    #[tokio::test]
    async fn a_login_is_reported_as_the_service_expects_it() {
        let (url, requests) = serve(&["HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"]);
        let policy = PolicyServer::new(&url);
        policy.report(PlayerId(42), "abc", SessionNumber(7));
        let request = tokio::task::spawn_blocking(move || requests.recv().unwrap()).await.unwrap();
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /verify HTTP/1.1\r\n"), "{head}");
        for header in ["content-type: application/json", "cache-control: no-cache"] {
            assert!(head.to_lowercase().contains(header), "{header} is missing in {head}");
        }
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body, json!({"player_id": 42, "uid_hash": "abc", "session": 7}));
        // Without a service there is nobody to report to.
        PolicyServer::new("").report(PlayerId(42), "abc", SessionNumber(7));
    }

    #[test]
    fn results_and_failures_are_told_apart() {
        let (url, requests) = serve(&[
            "HTTP/1.1 200 OK\r\ncontent-length: 23\r\nconnection: close\r\n\r\n{\"result\":\"fraudulent\"}",
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok",
            "HTTP/1.1 500 x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            "",
        ]);
        let impatient = service(&url, Duration::from_millis(50));
        let service = service(&url, Duration::from_secs(60));
        assert_eq!(service.ask("{}".to_owned()).unwrap(), "fraudulent");
        assert_eq!(service.ask("{}".to_owned()).unwrap(), HONEST);
        assert!(service.ask("{}".to_owned()).unwrap_err().to_string().contains("500"));
        // A service that says nothing takes no longer than the time limit.
        let error = impatient.ask("{}".to_owned()).unwrap_err();
        assert!(error.to_string().contains("timeout"), "{error}");
        assert_eq!(requests.iter().take(4).count(), 4);
    }

    #[test]
    fn an_outage_is_logged_once() {
        let service = service("http://127.0.0.1:1/", TIMEOUT);
        let error = service.ask("{}".to_owned()).unwrap_err();
        service.failed(PlayerId(1), &error);
        assert!(service.is_failing.load(Ordering::Relaxed));
        service.worked();
        assert!(!service.is_failing.load(Ordering::Relaxed));
    }
}
