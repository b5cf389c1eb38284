//! The status of a core, for operators.

use std::time::Duration;

use super::CoreLoop;
use crate::cluster::questions::{CoreStatus, FollowerStatus, GatewayStatus};
use crate::ops::metrics::role_name;

impl CoreLoop {
    /// Returns the part of this core in the cluster, and what it knows of the others.
    pub(super) fn status(&self) -> CoreStatus {
        let (core, replica) = (&self.core, self.core.replica());
        let followers = replica.followers().iter().map(|(name, follower)| FollowerStatus {
            name: name.clone(),
            version: follower.version.clone(),
            position: follower.position,
        });
        let gateways = replica.gateways().map(|(id, gateway)| GatewayStatus {
            number: id.0,
            name: gateway.name,
            connections: gateway.connections,
            silent_seconds: gateway.silent.as_secs_f64(),
            kept_effects: gateway.kept.0,
            kept_bytes: gateway.kept.1,
        });
        CoreStatus {
            name: core.name().clone(),
            version: self.options.version.clone(),
            world: replica.id(),
            role: role_name(core.role()).to_owned(),
            is_ready: core.is_ready(),
            epoch: replica.epoch(),
            leader: replica.leader().cloned(),
            position: replica.position(),
            behind_seconds: core.behind().as_ref().map(Duration::as_secs_f64),
            leader_silent_seconds: core.leader_silent().as_secs_f64(),
            followers: followers.collect(),
            gateways: gateways.collect(),
            players: replica.world().player_count(),
            open_requests: replica.open_requests().len(),
            snapshot: self.snapshots.newest(),
        }
    }
}
