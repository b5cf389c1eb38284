//! Gateways over real sockets, with a stream in memory.

mod rig;

use faf_protocol::WireFormat;

use rig::Cluster;

#[tokio::test]
async fn client_logs_in_through_a_gateway() {
    let cluster = Cluster::start(&["Ada"], |_| {}).await;
    let gateway = cluster.gateway().await;
    let mut ada = gateway.log_in(WireFormat::SimpleJson, "Ada").await;
    ada.check_is_served().await;
}
