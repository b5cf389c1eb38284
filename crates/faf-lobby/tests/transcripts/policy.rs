//! A policy service that keeps its requests.

use axum::http::header::CONNECTION;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

#[derive(Debug)]
pub(crate) struct PolicyService {
    pub(crate) base_url: String,
    requests: mpsc::UnboundedReceiver<Value>,
    serving: JoinHandle<()>,
}

impl PolicyService {
    /// Starts the service. The server ignores verdicts, so it always gives the same one.
    pub(crate) async fn start() -> Self {
        let (sender, requests) = mpsc::unbounded_channel();
        let verify = async move |Json(request): Json<Value>| {
            sender.send(request).unwrap();
            ([(CONNECTION, "close")], Json(json!({"result": "fraudulent"})))
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/verify", post(verify));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { base_url, requests, serving }
    }

    /// Waits for the next request.
    pub(crate) async fn next_request(&mut self) -> Option<Value> {
        self.requests.recv().await
    }

    /// Stops the service.
    pub(crate) fn stop(&self) {
        self.serving.abort();
    }
}
