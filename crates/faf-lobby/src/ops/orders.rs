//! Executes the orders of operators, which come through the database: see `store/orders.rs`.

use std::time::Duration;

use faf_lobby_core::{Event, World};
use faf_protocol::PlayerId;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use crate::lobby::input::Input;
use crate::store::{Action, Order, Store};

/// Time between two reads of the database.
const PERIOD: Duration = Duration::from_secs(1);

/// Executes orders until the lobby has ended, or does not lead any more.
pub(crate) async fn run(store: Store, inbox: mpsc::Sender<Input>) {
    loop {
        // While the database is unavailable, `health.rs` reports it.
        for order in store.orders().await.unwrap_or_default() {
            let Some(was_online) = is_online(order.player, &inbox).await else { return };
            let Order { id, player, action } = order;
            let event = match action {
                Action::Ban(ban) => ban.map(|ban| Event::Banned { player, ban }),
                Action::Kick(reason) => Some(Event::Kicked { player, reason }),
            };
            if let Some(event) = event {
                if inbox.send(Input::Event(event)).await.is_err() {
                    return;
                }
                // The server that leads next executes an order that is lost with this one.
                let (tell, settled) = oneshot::channel();
                if inbox.send(Input::Settled(tell)).await.is_err() || settled.await.is_err() {
                    return;
                }
            }
            // An order that is not marked as executed would be executed again every second, and a
            // kicked player could not reconnect. While nothing can be written, no new orders arrive
            // either.
            while store.order_carried_out(id, was_online).await.is_err() {
                sleep(PERIOD).await;
            }
        }
        sleep(PERIOD).await;
    }
}

/// Returns whether a player is online, or `None` if the lobby has ended.
async fn is_online(player: PlayerId, inbox: &mpsc::Sender<Input>) -> Option<bool> {
    let (reply, seen) = oneshot::channel();
    let look = move |world: &World| {
        // The receiver waits for it as long as the server runs.
        let _ = reply.send(world.is_online(player));
    };
    inbox.send(Input::Inspect(Box::new(look))).await.ok()?;
    seen.await.ok()
}

#[cfg(test)]
mod tests {
    use faf_lobby_core::{InitialState, Moment, Settings, Timestamp};

    use super::*;
    use crate::store::sqlite::testing::{new_sqlite, refuse_writes};

    #[tokio::test]
    async fn kicked_player_can_reconnect_though_nothing_can_be_written() {
        let (sqlite, _folder) = new_sqlite();
        let store = Store::Sqlite(sqlite.clone());
        let ada = store.create_account("Ada", String::new()).await.unwrap();
        store.kick("Ada", String::new()).await.unwrap();
        refuse_writes(&sqlite, true).await;
        let now = Moment { elapsed: Duration::ZERO, utc: Timestamp(0) };
        let world = World::new(Settings::default(), now, InitialState::default());
        let (inbox, mut inputs) = mpsc::channel(1);
        let running = tokio::spawn(run(store.clone(), inbox));
        let Some(Input::Inspect(look)) = inputs.recv().await else {
            panic!("it checks whether the player is online")
        };
        look(&world);
        let kicked = inputs.recv().await;
        assert!(matches!(kicked, Some(Input::Event(Event::Kicked { player, .. })) if player == ada));
        let Some(Input::Settled(tell)) = inputs.recv().await else { panic!("it waits for the world") };
        tell.send(()).unwrap();
        tokio::time::pause();
        assert!(tokio::time::timeout(PERIOD * 10, inputs.recv()).await.is_err(), "it is not executed again");
        running.abort();
    }
}
