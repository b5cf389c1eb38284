//! `faf-lobby cluster`: which processes a cluster has, and which core leads.

use clap::Subcommand;

use crate::config::Settings;
use crate::exit_code::Failure;

/// Commands about a running cluster.
#[derive(Debug, Clone, Subcommand)]
pub(super) enum Commands {
    /// Show the cores and gateways, and who leads
    Status,
    /// Let another core lead, without a pause
    HandOver {
        /// Name of the core; without it, the one that has read most
        #[arg(value_name = "NAME")]
        to: Option<String>,
    },
}

/// Says that this build knows no clusters.
#[cfg(not(feature = "nats"))]
pub(super) fn run(_: Option<Commands>, _: &Settings) -> Result<(), Failure> {
    Err(Failure::from(anyhow::anyhow!(crate::config::NO_NATS)))
}

#[cfg(feature = "nats")]
pub(super) use with_nats::run;

#[cfg(feature = "nats")]
mod with_nats {
    use std::fmt::Write as _;
    use std::time::Duration;

    use anyhow::anyhow;
    use faf_lobby_cluster::{CoreName, Nonce};
    use tokio::time::{Instant, timeout_at};

    use super::{Commands, Failure, Settings};
    use crate::cli::print_line;
    use crate::cluster::bus::{Bus, BusCommand, BusEvent};
    use crate::cluster::nats::Nats;
    use crate::cluster::questions::{Answer, AnswerContent, CoreStatus, Question, QuestionContent};
    use crate::exit_code;

    /// Time for which answers are collected: a core answers within milliseconds.
    const COLLECT: Duration = Duration::from_secs(1);

    /// Time limit for the answer of the leader.
    const LIMIT: Duration = Duration::from_secs(5);

    /// Carries out a command; without one, shows the status.
    ///
    /// # Errors
    /// [`Failure`] with [`exit_code::CONFIGURATION`] without a NATS; if no core answers, or the
    /// leader does not hand over.
    pub(in crate::cli) fn run(command: Option<Commands>, settings: &Settings) -> Result<(), Failure> {
        if settings.nats.is_empty() {
            let problem = anyhow!("a cluster has an address of NATS: --nats nats://HOST:4222");
            return Err(Failure::new(exit_code::CONFIGURATION, problem));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let nats = Nats::connect(settings, "faf-lobby cluster").await?;
            let bus = nats.gateway_bus().await?;
            match command.unwrap_or(Commands::Status) {
                Commands::Status => status(bus).await,
                Commands::HandOver { to } => transfer_leadership(bus, to.map(CoreName)).await,
            }
        })
    }

    /// Asks all cores, and returns the answers that come in time, at most this many.
    async fn ask(
        bus: &mut Bus,
        content: QuestionContent,
        limit: Duration,
        most: usize,
    ) -> Result<Vec<AnswerContent>, Failure> {
        let nonce =
            getrandom::u64().map_err(|error| anyhow!("the system provides no random numbers: {error}"))?;
        let question = Question::new(Nonce(nonce), content);
        // Without a bus, there is no event either.
        let _ = bus.commands.send(BusCommand::ToCores(question.encode()));
        let (until, mut answers) = (Instant::now() + limit, Vec::new());
        while answers.len() < most {
            let Ok(event) = timeout_at(until, bus.events.recv()).await else { break };
            match event {
                Some(BusEvent::Message(message)) => answers.extend(Answer::decode(&message, question.nonce)),
                Some(BusEvent::Failed(problem)) => return Err(Failure::from(anyhow!(problem))),
                Some(_) => {}
                None => return Err(Failure::from(anyhow!("the connection to NATS has ended"))),
            }
        }
        Ok(answers)
    }

    async fn status(mut bus: Bus) -> Result<(), Failure> {
        let answers = ask(&mut bus, QuestionContent::Status, COLLECT, usize::MAX).await?;
        let cores: Vec<CoreStatus> = answers
            .into_iter()
            .filter_map(|answer| match answer {
                AnswerContent::Status(status) => Some(*status),
                _ => None,
            })
            .collect();
        if cores.is_empty() {
            return Err(Failure::from(anyhow!("no core answers")));
        }
        print_line(shown(cores).trim_end());
        Ok(())
    }

    async fn transfer_leadership(mut bus: Bus, to: Option<CoreName>) -> Result<(), Failure> {
        let answers = ask(&mut bus, QuestionContent::HandOver { to }, LIMIT, 1).await?;
        match answers.into_iter().next() {
            Some(AnswerContent::HandingOver { to }) => {
                print_line(&format!("{to} leads from now on"));
                Ok(())
            }
            Some(AnswerContent::Refused(reason)) => {
                Err(Failure::from(anyhow!("the leader does not hand over: {reason}")))
            }
            Some(AnswerContent::Status(_)) | None => {
                Err(Failure::from(anyhow!("no core leads: none answers within {} s", LIMIT.as_secs())))
            }
        }
    }

    /// Returns the cores, each as it sees itself, and the gateways as the leader sees them.
    fn shown(mut cores: Vec<CoreStatus>) -> String {
        cores.sort_by(|one, other| {
            (one.role != "leads", &one.name).cmp(&(other.role != "leads", &other.name))
        });
        let mut text =
            String::from("CORE                      ROLE        EPOCH  BEHIND     POSITION    VERSION\n");
        for core in &cores {
            let behind = core.behind_seconds.map_or("unknown".to_owned(), |behind| format!("{behind:.3} s"));
            let role = if core.is_ready || core.role == "suspended" { &core.role } else { "catching-up" };
            let (name, epoch, position) = (&core.name.0, core.epoch.0, core.position);
            let _ = writeln!(
                text,
                "{name:<25} {role:<11} {epoch:<6} {behind:<10} {position:<11} {}",
                core.version
            );
        }
        let Some(leader) = cores.first() else { return text };
        if leader.role != "leads" {
            text += "\nNo core leads.\n";
        }
        let _ = writeln!(
            text,
            "\n{} players, {} open requests to the database, newest snapshot at message {}",
            leader.players, leader.open_requests, leader.snapshot
        );
        text += "\nGATEWAY                   NUMBER CLIENTS  SILENT     UNCONFIRMED EFFECTS\n";
        for gateway in &leader.gateways {
            let _ = writeln!(
                text,
                "{:<25} {:<6} {:<8} {:<10} {} ({} bytes)",
                gateway.name,
                gateway.number,
                gateway.connections,
                format!("{:.1} s", gateway.silent_seconds),
                gateway.kept_effects,
                gateway.kept_bytes
            );
        }
        text
    }

    #[cfg(test)]
    mod tests {
        use faf_lobby_cluster::{Epoch, WorldId};

        use super::*;
        use crate::cluster::questions::GatewayStatus;

        #[test]
        fn leader_comes_first_and_shows_the_gateways() {
            let core = |name: &str, role: &str| CoreStatus {
                name: CoreName(name.to_owned()),
                version: "0.1.0".to_owned(),
                world: WorldId(1),
                role: role.to_owned(),
                is_ready: true,
                epoch: Epoch(3),
                leader: None,
                position: 7,
                behind_seconds: Some(0.25),
                leader_silent_seconds: 0.25,
                followers: Vec::new(),
                gateways: Vec::new(),
                players: 0,
                open_requests: 0,
                snapshot: 5,
            };
            let gateway = GatewayStatus {
                number: 2,
                name: "edge".to_owned(),
                connections: 30,
                silent_seconds: 0.5,
                kept_effects: 4,
                kept_bytes: 900,
            };
            let leader = CoreStatus { players: 12, gateways: vec![gateway], ..core("b", "leads") };
            let text = shown(vec![core("a", "follows"), leader.clone()]);
            let lines: Vec<&str> = text.lines().collect();
            assert!(lines[1].starts_with("b ") && lines[2].starts_with("a "), "{text}");
            assert!(text.contains("12 players") && text.contains("edge"), "{text}");
            assert!(!text.contains("No core leads"));
            assert!(shown(vec![core("a", "follows")]).contains("No core leads"));
            let behind = CoreStatus { is_ready: false, ..core("c", "follows") };
            assert!(shown(vec![leader, behind]).contains("catching-up"));
        }
    }
}
