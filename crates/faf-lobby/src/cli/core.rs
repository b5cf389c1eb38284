//! `faf-lobby core`.

use crate::config::{Effective, Problems};
use crate::exit_code::Failure;

#[cfg(feature = "nats")]
pub(super) use with_nats::run;

/// Says that this build has no core.
#[cfg(not(feature = "nats"))]
pub(super) fn run(
    _: Effective,
    _: impl Fn() -> Result<Effective, Problems> + Send + 'static,
    _: bool,
) -> Result<(), Failure> {
    Err(Failure::from(anyhow::anyhow!(crate::config::NO_NATS)))
}

#[cfg(feature = "nats")]
mod with_nats {
    use std::sync::Arc;

    use anyhow::anyhow;

    use super::{Effective, Failure, Problems};
    use crate::cli::reload::Reload;
    use crate::cli::serve::{
        Handles, attend, log_configuration, log_listening, print_banner, run_to_the_end, urls,
    };
    use crate::cli::signals::Signals;
    use crate::cluster::core::server::CoreServer;
    use crate::cluster::nats::Nats;
    use crate::config::Settings;
    use crate::exit_code;
    use crate::ops::log::Log;

    /// Runs a core until it has ended. `takes_over`: it asks the leader to hand over to it.
    ///
    /// # Errors
    /// [`Failure`] with [`exit_code::CONFIGURATION`] without a NATS, or as [`CoreServer::start`]
    /// and [`CoreServer::wait`] say.
    pub(in crate::cli) fn run(
        configuration: Effective,
        read: impl Fn() -> Result<Effective, Problems> + Send + 'static,
        takes_over: bool,
    ) -> Result<(), Failure> {
        let settings = configuration.settings();
        if settings.nats.is_empty() {
            let problem = anyhow!("a core needs the address of NATS: --nats nats://HOST:4222");
            return Err(Failure::new(exit_code::CONFIGURATION, problem));
        }
        let log = Log::start(&settings)?;
        tracing::info!(cluster = settings.cluster, "starting a core");
        log_configuration(&configuration);
        run_to_the_end(serve(settings, Reload::new(read, configuration, log), takes_over))
    }

    async fn serve(settings: Settings, reload: Reload, takes_over: bool) -> Result<(), Failure> {
        let mut signals = Signals::new()?;
        let (shown, path, cluster) =
            (settings.banner, settings.websocket_path.clone(), settings.cluster.clone());
        let started = async {
            let nats = Nats::connect(&settings, "faf-lobby core").await?;
            let backend = Arc::new(nats.clone());
            Ok::<_, Failure>((nats, CoreServer::start(settings, backend, takes_over).await?))
        };
        let (nats, core) = tokio::select! {
            started = started => started?,
            // It may be waiting for the cluster or the database.
            () = signals.end() => return Ok(()),
        };
        log_listening(core.listening());
        tracing::info!("ready");
        let text = format!(
            "faf-lobby {} is ready, as a core of the cluster {cluster}.\n\n{}",
            env!("CARGO_PKG_VERSION"),
            urls(
                core.listening(),
                &path,
                ", also /ready, /health, /metrics, /cluster, /status, /players, /games"
            )
        );
        print_banner(shown, core.listening(), &path, &text);
        let handles = Handles {
            shutdown: core.shutdown(),
            reconfigure: core.reconfigure(),
            pulse: core.pulse(),
            ends_after: "handing over to another core",
        };
        let ended = attend(handles, core.wait(), signals, reload).await;
        nats.close().await;
        ended
    }
}
