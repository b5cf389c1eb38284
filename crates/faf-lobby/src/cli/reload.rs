//! The server reads its configuration again, on SIGHUP and periodically, and applies the settings
//! that can change while it runs.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::sleep;
use toml::Value;

use super::serve::log_unused;
use crate::config::faf::Unused;
use crate::config::{Effective, Problems, seconds};
use crate::ops::log::Log;
use crate::server::Reconfigure;

/// Everything needed to read the configuration again.
pub(super) struct Reload {
    read: Box<dyn Fn() -> Result<Effective, Problems> + Send>,
    /// The effective configuration.
    current: Effective,
    /// Values that take effect after a restart, which the log has named already.
    named: BTreeMap<String, Value>,
    /// Problems and keys without effect that the log has named already.
    problems: Option<Problems>,
    unused: Vec<Unused>,
    log: Log,
}

/// The reason for reading the configuration again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// An operator has asked for it, so the log says what has come of it in any case.
    Signal,
    /// `configuration_refresh_time`: the log names only what is new.
    Timer,
}

impl Reload {
    pub(super) fn new(
        read: impl Fn() -> Result<Effective, Problems> + Send + 'static,
        current: Effective,
        log: Log,
    ) -> Self {
        let unused = current.unused().to_vec();
        Self { read: Box::new(read), current, named: BTreeMap::new(), problems: None, unused, log }
    }

    /// Waits until the configuration is to be read again; forever if it never is.
    pub(super) fn next(&self) -> impl Future<Output = ()> + Send + use<> {
        let period = seconds(self.current.settings().configuration_refresh_time);
        async move {
            match period {
                Duration::ZERO => std::future::pending().await,
                period => sleep(period).await,
            }
        }
    }

    /// Reads the configuration, and passes changes to the server. An invalid one changes nothing.
    pub(super) async fn apply(&mut self, cause: Cause, server: &Reconfigure) {
        let new = match (self.read)() {
            Ok(new) => new,
            Err(problems) => return self.log_problems(cause, problems),
        };
        if self.problems.take().is_some() {
            tracing::info!("the configuration is valid again");
        }
        if self.unused != new.unused() {
            let is_new = |unused: &&Unused| !self.unused.contains(unused);
            log_unused(new.unused().iter().filter(is_new));
            self.unused = new.unused().to_vec();
        }
        let changes = self.current.changes(&new);
        if changes.is_empty() && cause == Cause::Signal {
            tracing::info!("the configuration was read again, without changes");
        }
        self.named.retain(|setting, _| changes.contains(setting));
        for setting in changes {
            self.apply_setting(cause, &setting, &new);
        }
        server.reconfigure(&self.current.settings()).await;
    }

    fn apply_setting(&mut self, cause: Cause, setting: &str, new: &Effective) {
        let now = new.shown(setting);
        let changed = self.current.with(setting, new);
        let settings = changed.settings();
        let counts = match setting {
            "log" => self.log.filter(&settings).is_ok(),
            "configuration_refresh_time" => true,
            _ => settings.lobby() != self.current.settings().lobby(),
        };
        if counts {
            tracing::info!(setting, now, "a setting has changed and takes effect now");
            self.current = changed;
            return;
        }
        let value = new.value(setting).cloned().unwrap_or_else(|| Value::from(""));
        let before = self.named.insert(setting.to_owned(), value.clone());
        if before != Some(value) || cause == Cause::Signal {
            tracing::warn!(setting, now, "a setting has changed and takes effect after a restart");
        }
    }

    fn log_problems(&mut self, cause: Cause, problems: Problems) {
        if cause == Cause::Timer && self.problems.as_ref() == Some(&problems) {
            return;
        }
        for problem in &problems.0 {
            tracing::error!(origin = %problem.origin, setting = problem.setting, problem = problem.problem, "the configuration is invalid");
        }
        tracing::error!("the server keeps its previous configuration");
        self.problems = Some(problems);
    }
}
