mod rig;

use self::rig::{LONG, MemoryBackend, Running, SHORT, TestGateway, options};
use crate::store::Store;

#[tokio::test]
async fn leader_answers_a_login_and_a_follower_takes_over() {
    let (backend, store) = (MemoryBackend::default(), Store::in_memory());
    let one = Running::start(options("one", SHORT), &backend, &store);
    one.leads().await;
    let two = Running::start(options("two", SHORT), &backend, &store);
    two.until(|status| status.is_ready).await;
    let mut gateway = TestGateway::join(&backend).await;
    let ada = gateway.log_in("Ada").await;
    // One of the two leads; a slow machine may have made it the other one.
    let (leader, other) = if one.status().await.role == "leads" { (one, two) } else { (two, one) };
    leader.kill().await;
    gateway.send(ada, r#"{"command":"ping"}"#);
    gateway.run_until(|gateway| gateway.count(ada, "pong") == 1).await;
    let status = other.leads().await;
    assert_eq!((status.players, status.open_requests), (1, 0));
    gateway.log_in("Bob").await;
}
