//! `faf-lobby gateway`.

use crate::config::{Effective, Problems};
use crate::exit_code::Failure;

#[cfg(feature = "nats")]
pub(super) use with_nats::run;

/// Says that this build has no gateway.
#[cfg(not(feature = "nats"))]
pub(super) fn run(
    _: Effective,
    _: impl Fn() -> Result<Effective, Problems> + Send + 'static,
) -> Result<(), Failure> {
    Err(Failure::from(anyhow::anyhow!(crate::config::NO_NATS)))
}

#[cfg(feature = "nats")]
mod with_nats {
    use anyhow::anyhow;

    use super::{Effective, Failure, Problems};
    use crate::cli::reload::Reload;
    use crate::cli::serve::{
        Handles, attend, log_listening, log_settings, print_banner, run_to_the_end, urls,
    };
    use crate::cli::signals::Signals;
    use crate::cluster::{nats::Nats, server::GatewayServer};
    use crate::config::Settings;
    use crate::exit_code;
    use crate::ops::log::Log;
    use crate::version::{self, PARTS};

    /// Runs a gateway until it has shut down.
    ///
    /// # Errors
    /// [`Failure`] with [`exit_code::CONFIGURATION`] without a NATS, with [`exit_code::LISTEN`], or
    /// if the cluster is lost for good.
    pub(in crate::cli) fn run(
        configuration: Effective,
        read: impl Fn() -> Result<Effective, Problems> + Send + 'static,
    ) -> Result<(), Failure> {
        let settings = configuration.settings();
        if settings.nats.is_empty() {
            let problem = anyhow!("a gateway needs the address of NATS: --nats nats://HOST:4222");
            return Err(Failure::new(exit_code::CONFIGURATION, problem));
        }
        let log = Log::start(&settings)?;
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            parts = PARTS,
            image = version::of_image(),
            process = std::process::id(),
            cluster = settings.cluster,
            "starting a gateway"
        );
        log_settings(&configuration);
        run_to_the_end(serve(settings, Reload::new(read, configuration, log)))
    }

    async fn serve(settings: Settings, reload: Reload) -> Result<(), Failure> {
        let mut signals = Signals::new()?;
        let (shown, path, cluster) =
            (settings.banner, settings.websocket_path.clone(), settings.cluster.clone());
        let started = async {
            let nats = Nats::connect(&settings, "faf-lobby gateway").await?;
            let bus = nats.gateway_bus().await?;
            Ok::<_, Failure>((nats, GatewayServer::start(settings, bus).await?))
        };
        let (nats, gateway) = tokio::select! {
            started = started => started?,
            // It may be waiting for the cluster.
            () = signals.end() => return Ok(()),
        };
        log_listening(gateway.listening());
        tracing::info!("ready");
        let text = format!(
            "faf-lobby {} is ready, as a gateway of the cluster {cluster}.\n\n{}",
            env!("CARGO_PKG_VERSION"),
            urls(gateway.listening(), &path, ", also /ready, /health, /metrics")
        );
        print_banner(shown, gateway.listening(), &path, &text);
        let handles = Handles {
            shutdown: gateway.shutdown(),
            reconfigure: gateway.reconfigure(),
            pulse: gateway.pulse(),
            ends_after: "waiting for clients to leave",
        };
        let ended = attend(handles, gateway.wait(), signals, reload).await;
        nats.close().await;
        ended
    }
}
