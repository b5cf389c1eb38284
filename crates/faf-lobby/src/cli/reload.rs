//! SIGHUP: the server reads its configuration again, and applies the settings that can change while
//! it runs.

use crate::config::{Effective, Problems, shown};
use crate::ops::log::Log;
use crate::server::Reconfigure;

/// Everything needed to read the configuration again.
pub(super) struct Reload {
    read: Box<dyn Fn() -> Result<Effective, Problems> + Send>,
    /// The effective configuration.
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

    /// Reads the configuration, and passes changes to the server. An invalid one changes nothing.
    pub(super) async fn apply(&mut self, server: &Reconfigure) {
        let new = match (self.read)() {
            Ok(new) => new,
            Err(Problems(problems)) => {
                for problem in problems {
                    tracing::error!(origin = %problem.origin, setting = problem.setting, problem = problem.problem, "the configuration is invalid");
                }
                tracing::error!("the server keeps its previous configuration");
                return;
            }
        };
        let changes = self.current.changes(&new);
        if changes.is_empty() {
            tracing::info!("the configuration was read again, without changes");
        }
        for setting in changes {
            let value = new.value(&setting).map(|value| shown(&setting, value));
            let changed = self.current.with(&setting, &new);
            let settings = changed.settings();
            let counts = match setting.as_str() {
                "log" => self.log.filter(&settings).is_ok(),
                _ => settings.lobby() != self.current.settings().lobby(),
            };
            if counts {
                tracing::info!(setting, now = value, "a setting has changed and takes effect now");
                self.current = changed;
            } else {
                tracing::warn!(
                    setting,
                    now = value,
                    "a setting has changed and takes effect after a restart"
                );
            }
        }
        server.reconfigure(&self.current.settings()).await;
    }
}
