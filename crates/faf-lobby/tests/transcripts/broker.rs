//! Publications to other services, as subscribers within the process receive them.

use faf_lobby::store::Message;
use faf_sessions::compare::broker::record;
use serde_json::Value;
use tokio::sync::broadcast::Receiver;

/// Takes what has been published so far.
pub(crate) fn published(publications: &mut Receiver<Message>) -> Vec<Value> {
    let mut published = Vec::new();
    while let Ok(message) = publications.try_recv() {
        let body: Value = serde_json::from_str(&message.body).unwrap();
        published.push(record(&message.routing_key, &body));
    }
    published
}
