//! Carries out what operators have ordered through the database: see `store/orders.rs`.

use std::time::Duration;

use faf_lobby_core::{Event, World};
use faf_protocol::PlayerId;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use crate::lobby::Input;
use crate::store::{Action, Order, Store};

/// Time between two looks at the database.
const PERIOD: Duration = Duration::from_secs(1);

/// Carries out orders forever.
pub(crate) async fn carry_out(store: Store, inbox: mpsc::Sender<Input>) {
    loop {
        // While the database does not answer, `health.rs` says so.
        for order in store.orders().await.unwrap_or_default() {
            let Some(was_online) = is_online(order.player, &inbox).await else { return };
            let Order { id, player, action } = order;
            let event = match action {
                Action::Ban(ban) => ban.map(|ban| Event::Banned { player, ban }),
                Action::Kick(reason) => Some(Event::Kicked { player, reason }),
            };
            if let Some(event) = event
                && inbox.send(Input::Event(event)).await.is_err()
            {
                return;
            }
            // It is carried out again if this cannot be written, and does no harm.
            let _ = store.order_carried_out(id, was_online).await;
        }
        sleep(PERIOD).await;
    }
}

/// Whether a player is online; none if the lobby has ended.
async fn is_online(player: PlayerId, inbox: &mpsc::Sender<Input>) -> Option<bool> {
    let (reply, seen) = oneshot::channel();
    let look = move |world: &World| {
        // This side waits for it as long as the server runs.
        let _ = reply.send(world.is_online(player));
    };
    inbox.send(Input::Inspect(Box::new(look))).await.ok()?;
    seen.await.ok()
}
