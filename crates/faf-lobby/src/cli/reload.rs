//! SIGHUP: the configuration is read again, and what can be changed while the server runs is.

use crate::config::{Effective, Problems, shown};
use crate::ops::log::Log;
use crate::server::Reconfigure;

/// What is needed to read the configuration again.
pub(super) struct Reload {
    read: Box<dyn Fn() -> Result<Effective, Problems> + Send>,
    /// As it counts now.
    current: Effective,
    log: Log,
}

impl Reload {
    pub(super) fn new(
        read: impl Fn() -> Result<Effective, Problems> + Send + 'static,
        current: Effective,
        log: Log,
    ) -> Self {
        Self { read: Box::new(read), current, log }
    }

    /// Reads the configuration, and tells the server what has changed. One that is wrong changes nothing.
    pub(super) async fn apply(&mut self, server: &Reconfigure) {
        let new = match (self.read)() {
            Ok(new) => new,
            Err(Problems(problems)) => {
                for problem in problems {
                    tracing::error!(origin = %problem.origin, setting = problem.setting, problem = problem.problem, "the configuration is wrong");
                }
                tracing::error!("the server goes on with the configuration as it was");
                return;
            }
        };
        let changes = self.current.changes(&new);
        if changes.is_empty() {
            tracing::info!("the configuration was read again: nothing has changed");
        }
        for setting in changes {
            let value = new.value(&setting).map(shown);
            let changed = self.current.with(&setting, &new);
            let settings = changed.settings();
            let counts = match setting.as_str() {
                "log" => self.log.filter(&settings).is_ok(),
                _ => settings.lobby() != self.current.settings().lobby(),
            };
            if counts {
                tracing::info!(setting, now = value, "a setting has changed, and counts from now on");
                self.current = changed;
            } else {
                tracing::warn!(setting, now = value, "a setting has changed, and counts after a restart");
            }
        }
        server.reconfigure(&self.current.settings()).await;
    }
}
