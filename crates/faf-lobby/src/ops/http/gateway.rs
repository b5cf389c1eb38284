//! The HTTP interface of a gateway: probes, health and metrics. The pages and lists about players
//! and games need the world, which cores have.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;

use super::{Phase, REPLY_TIMEOUT, encoded, is_ready, serve, status_page};
use crate::ops::metrics::{GatewayFigures, Metrics};
use crate::server::{Pulse, Service};

/// State shared by the request handlers of a gateway.
#[derive(Debug, Clone)]
pub(crate) struct GatewayInterface {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) figures: Arc<GatewayFigures>,
    pub(crate) pulse: Pulse,
    pub(crate) phase: watch::Receiver<Phase>,
    /// See [`CONNECTIONS`](super::CONNECTIONS).
    pub(crate) connection_limit: usize,
}

impl GatewayInterface {
    /// Serves requests to a listener of this service until the gateway has stopped.
    pub(crate) async fn serve(self, service: Service, socket: TcpListener) {
        let (phase, limit) = (self.phase.clone(), self.connection_limit);
        let router = match service {
            Service::Metrics => Router::new().route("/health", get(health)).fallback(metrics),
            _ => Router::new()
                .route("/ready", get(ready))
                .route("/health", get(health))
                .route("/metrics", get(metrics)),
        };
        let router = router.layer(map_response(status_page::restrict)).with_state(self);
        serve(router, socket, phase, limit).await;
    }
}

async fn ready(State(interface): State<GatewayInterface>) -> Response {
    let phase = *interface.phase.borrow();
    is_ready(if interface.figures.problem().is_none() { phase } else { Phase::Starting })
}

/// Returns whether the gateway runs. The state of the cluster is shown, but does not count: a
/// supervisor that restarts the gateway would gain nothing, and end the connections of its players.
async fn health(State(interface): State<GatewayInterface>) -> (StatusCode, Json<Value>) {
    let runs = timeout(REPLY_TIMEOUT, interface.pulse.beats()).await == Ok(true);
    let status = if runs { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let cluster = interface.figures.problem().unwrap_or_else(|| "ok".to_owned());
    (status, Json(json!({"gateway": if runs { "ok" } else { "no answer" }, "cluster": cluster})))
}

async fn metrics(State(interface): State<GatewayInterface>) -> Response {
    encoded(&interface.metrics)
}
