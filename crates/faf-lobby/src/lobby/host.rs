//! Executes the effects of a world that are not for its clients.

use std::sync::Arc;

use faf_lobby_core::{Effect, LogLine, World};

use crate::auth::failed_logins::FailedLogins;
use crate::auth::policy::PolicyServer;
use crate::config::Settings;
use crate::ops::activity::ActivityLog;
use crate::ops::log;
use crate::ops::metrics::Metrics;
use crate::publish::Publisher;

/// Everything around a world that is told of its effects.
pub(crate) struct Host {
    policy: PolicyServer,
    pub(crate) metrics: Arc<Metrics>,
    failed_logins: FailedLogins,
    /// Recent activity, for the status page.
    pub(crate) activity: Arc<ActivityLog>,
    /// Sends publications to other services.
    pub(crate) publisher: Publisher,
}

impl Host {
    pub(crate) fn new(
        settings: &Settings,
        metrics: &Arc<Metrics>,
        activity: &Arc<ActivityLog>,
        publisher: Publisher,
    ) -> Self {
        Self {
            policy: PolicyServer::new(&settings.policy_server),
            metrics: Arc::clone(metrics),
            failed_logins: FailedLogins::new(settings.log_addresses, Arc::clone(metrics)),
            activity: Arc::clone(activity),
            publisher,
        }
    }

    /// Executes an effect that the activity log has [observed](ActivityLog::observe). Effects for
    /// clients, requests and [`Effect::Stop`] are left to the caller.
    pub(crate) fn execute(&mut self, effect: Effect, world: &World) {
        match effect {
            Effect::ReportLogin { player, unique_id, session } => {
                self.policy.report(player, &unique_id, session);
            }
            Effect::Publish(publication) => self.publisher.report(&publication),
            Effect::Queue(event) => self.metrics.count_queue_event(&event, world),
            Effect::Count(count) => self.metrics.count(count),
            Effect::Log(line) => {
                if let LogLine::LoginFailed { .. } = line {
                    self.failed_logins.tell_line(&line);
                }
                log::write(&line);
            }
            _ => {}
        }
    }

    /// Shows figures of the world after some inputs.
    pub(crate) fn show(&self, world: &World) {
        self.metrics.set_online(world.player_count());
        self.metrics.set_logins_waiting(world.waiting_logins());
    }
}
