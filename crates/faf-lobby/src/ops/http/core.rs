//! The HTTP interface of a core: that of a server, and its part in the cluster.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use faf_lobby_core::escaped;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::{Interface, REPLY_TIMEOUT};
use crate::cluster::questions::CoreStatus;
use crate::ops::metrics::{CoreFigures, role_name};

/// The part of a core in its cluster.
#[derive(Debug, Clone)]
pub(crate) struct CoreInterface {
    pub(crate) figures: Arc<CoreFigures>,
    /// Asks the loop of the core.
    pub(crate) status: mpsc::Sender<oneshot::Sender<CoreStatus>>,
}

/// The part of a core in its cluster, as the status page and `/health` show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct ShownCore {
    role: &'static str,
    epoch: u64,
    /// The core that leads, as far as this one knows.
    leader: Option<String>,
    /// Age of the oldest message that it may not have applied, in seconds.
    behind_seconds: Option<f64>,
}

impl CoreInterface {
    /// Returns what the status page shows; nothing until the core has a world.
    pub(super) fn shown(&self) -> Option<ShownCore> {
        self.figures.state().map(|state| ShownCore {
            role: role_name(state.role),
            epoch: state.epoch.0,
            leader: state.leader.map(|leader| escaped(&leader.0).to_string()),
            behind_seconds: state.behind.map(|behind| behind.as_secs_f64()),
        })
    }

    pub(super) fn health(&self) -> Value {
        self.shown().map_or_else(|| json!("waiting for a world"), |core| json!(core))
    }
}

/// Handles `GET /cluster`: what this core knows of its cluster.
pub(super) async fn cluster(State(interface): State<Interface>) -> Result<Json<CoreStatus>, StatusCode> {
    let answer = async {
        let (reply, status) = oneshot::channel();
        interface.core?.status.send(reply).await.ok()?;
        status.await.ok()
    };
    let status = timeout(REPLY_TIMEOUT, answer).await.ok().flatten();
    status.map(Json).ok_or(StatusCode::SERVICE_UNAVAILABLE)
}
