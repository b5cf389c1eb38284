//! The policy service receives every login; its reply makes no difference (ops.md section 8).

use std::sync::Arc;
use std::time::Duration;

use faf_protocol::{PlayerId, SessionNumber};
use serde_json::json;
use tokio::sync::{Mutex, mpsc};

/// Number of reports that may wait; further ones are dropped. One has a few kilobytes, at most
/// some 30.
const QUEUE_LIMIT: usize = 1000;

/// Number of reports in flight at the same time.
const WORKERS: usize = 4;

/// Time limit for one report.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Sends reports to the policy service.
#[derive(Debug)]
pub(crate) struct PolicyServer(Option<mpsc::Sender<String>>);

impl PolicyServer {
    /// Reports to the service with this base URL; without one, reports nowhere.
    pub(crate) fn new(base_url: &str) -> Self {
        if base_url.is_empty() {
            return Self(None);
        }
        let url = format!("{}/verify", base_url.trim_end_matches('/'));
        let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).build().into();
        let (sender, receiver) = mpsc::channel(QUEUE_LIMIT);
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..WORKERS {
            tokio::spawn(work(agent.clone(), url.clone(), Arc::clone(&receiver)));
        }
        Self(Some(sender))
    }

    /// Reports a player's login from a machine. Never waits.
    pub(crate) fn report(&self, player: PlayerId, unique_id: &str, session: SessionNumber) {
        let Some(sender) = &self.0 else { return };
        let body = json!({"player_id": player.0, "uid_hash": unique_id, "session": session.0}).to_string();
        if sender.try_send(body).is_err() {
            tracing::warn!(player = player.0, "the policy service is too slow; a login was not reported");
        }
    }
}

async fn work(agent: ureq::Agent, url: String, waiting: Arc<Mutex<mpsc::Receiver<String>>>) {
    loop {
        let next = waiting.lock().await.recv().await;
        let Some(body) = next else { return };
        let (agent, url) = (agent.clone(), url.clone());
        let sent = tokio::task::spawn_blocking(move || {
            let request = agent
                .post(&url)
                .header("content-type", "application/json")
                .header("cache-control", "no-cache");
            request.send(body).map(|response| response.status())
        });
        match sent.await {
            Ok(Ok(status)) => tracing::debug!(%status, "a login was reported to the policy service"),
            Ok(Err(error)) => {
                tracing::warn!(%error, "the policy service does not respond; a login was not reported");
            }
            Err(_) => return,
        }
    }
}
