//! `faf-lobby demo`: a lobby with life in it, for whoever writes a client or wants to see what a lobby is.
//!
//! ```text
//!   demo-seed.json --> database in a folder that is removed    Battles: what games tell each other
//!                         |                                       ^   ^
//!   Server, as ever  <----'          live -- Bot ... live -- Bot -'---'
//!      ^  ^  ^                        |               |
//!      |  |  '----- QDataStream ------'               |
//!      |  '-------- WebSocket, SimpleJson ------------'
//!      '----------- people
//! ```
//!
//! The server is the one that `faf-lobby serve` runs. Bots know nothing of it that a client would not: they connect over
//! real sockets in all wire formats, log in, look around, host, join, play and report. Only what real games tell each other
//! peer to peer, who wins, goes through memory (`battle.rs`).
//!
//! | file | is about |
//! | --- | --- |
//! | `seed.rs`, `demo-seed.json` | who plays, and what there is to play |
//! | `behaviour.rs` | what a bot does next |
//! | `bot/` | one bot as a state machine: client and game process |
//! | `hosting.rs`, `battle.rs`, `process.rs` | a lobby from its host's view, a game as it is played, what processes say of it |
//! | `view.rs` | what a bot knows of the lobby |
//! | `connection.rs` | sockets |
//!
//! **Rates**, at speed 1, in which everything happens so many times faster: a bot in the lobby does something every 4 to 15
//! seconds, usually nothing, otherwise one message. Whoever hosts sends about 20 messages when the lobby opens, 6 for each
//! player who joins, one for each army that falls, and four at the end. Whoever joins sends 2, and one for every other
//! player. So 40 bots send some ten messages a second together, and less as a rule. A lobby stays open for seconds to a minute
//! and is played for one to three.
//!
//! **Weight**: with 40 bots at speed 1, the whole process takes less than 1 % of one core behind the first half minute, in
//! which everybody logs in (measured over four minutes with a release build: 0.25 %), and 95 MB of memory. Most of that is
//! what the hashes of passwords take, 19 MiB each while one is computed, and what the allocator keeps of it.

mod battle;
mod behaviour;
mod bot;
mod connection;
mod hosting;
mod process;
mod seed;
mod tempo;
mod view;

use std::io;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use faf_client::Url;
use faf_protocol::WireFormat;
use fastrand::Rng;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::exit_code::{self, Failure};
use crate::lobby::utc_now;
use crate::server::{Listening, Server, Service};
use crate::settings::{OpenRegistration, Settings};
use crate::store::{SeedFile, Store};
use crate::tokens::mint;
use battle::Battles;
use bot::{Bot, World};
use seed::Stage;
use tempo::Tempo;

pub use behaviour::GAME_PASSWORD;

/// The database in the folder of a demo.
const DATABASE: &str = "demo.sqlite";

/// In seconds.
const DAY: i64 = 24 * 60 * 60;

/// How long bots may take to leave at the end.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(3);

/// Bots come one after the other, in seconds of their life: a login costs the server some work.
const ARRIVAL: f64 = 0.25;

/// How a demo is.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// How many bots there are, at most [`Options::MOST_BOTS`].
    pub bots: usize,
    /// How many times faster than the clock they live, one of [`Options::SPEEDS`].
    pub speed: f64,
    /// Where their behaviour comes from. The same seed makes the same decisions in the same situations; but situations
    /// depend on the timing of a real network.
    pub seed: u64,
}

impl Options {
    /// There are so many accounts for bots.
    pub const MOST_BOTS: usize = 40;

    /// How fast they can be told to live. Faster, they would wait for the server most of the time.
    pub const SPEEDS: RangeInclusive<f64> = 0.1..=60.0;
}

/// A lobby with bots that is running.
#[derive(Debug)]
pub struct Demo {
    server: Server,
    bots: JoinSet<()>,
    end: watch::Sender<bool>,
    folder: TempDir,
}

impl Demo {
    /// Starts a server with a database of its own, and bots who will soon log in. Everybody may register. What the settings
    /// say of the world around a real server, such as its database, is left alone, but for a recording.
    ///
    /// # Errors
    /// [`Failure`] as of [`Server::start`], if there is no place for the database, or if others than this machine could
    /// connect: everybody knows the passwords.
    pub async fn start(mut settings: Settings, options: &Options) -> Result<Self, Failure> {
        if !settings.is_private() {
            let problem = "a demo listens on this machine only, as everybody knows its passwords; use addresses such as \
                           127.0.0.1:8003";
            return Err(Failure::new(exit_code::CONFIGURATION, anyhow::anyhow!(problem)));
        }
        let Settings { jwks, token_issuer, token_audience, policy_server, .. } = Settings::default();
        settings = Settings { jwks, token_issuer, token_audience, policy_server, ..settings };
        let folder = tempfile::Builder::new().prefix("faf-lobby-demo-").tempdir().map_err(no_folder)?;
        settings.database = folder.path().join(DATABASE);
        settings.open_registration = OpenRegistration::OnLoopback;
        // A few bots play against each other all the time, and up to sixty times as fast as people.
        settings.rated_games_per_pair = 10_000;
        plant(&settings).await?;
        let path = settings.websocket_path.clone();
        // Bots have no proxy in front of them.
        let is_direct = |format| {
            let listen = match format {
                WireFormat::QDataStream => &settings.qdatastream,
                WireFormat::SimpleJson => &settings.simple_json,
                WireFormat::WebSocket => &settings.websocket,
            };
            listen.addresses().iter().all(|address| !address.proxy)
        };
        let direct = WireFormat::ALL.map(is_direct);
        let server = Server::start(settings).await?;
        let mut servers = Vec::new();
        for &Listening { service, address } in server.listening() {
            if let Service::Lobby(format) = service
                && direct[format as usize]
            {
                let url = Url::new(format, connection::reachable(address));
                let url = if format.has_upgrade() { url.with_path(&path) } else { Ok(url) };
                servers.push(url.map_err(anyhow::Error::from)?);
            }
        }
        let (end, ends) = watch::channel(false);
        let demo = Self { server, bots: JoinSet::new(), end, folder };
        Ok(demo.with_bots(options, &servers, &ends))
    }

    fn with_bots(mut self, options: &Options, servers: &[Url], ends: &watch::Receiver<bool>) -> Self {
        let tempo = Tempo(options.speed);
        let world = Arc::new(World { stage: Stage::read(), tempo, battles: Battles::default() });
        let mut rng = Rng::with_seed(options.seed);
        let began = Instant::now();
        if servers.is_empty() {
            tracing::warn!("bots cannot connect: every listener expects a PROXY header");
        }
        let cast: Vec<_> = world.stage.cast().take(options.bots).cloned().collect();
        for ((number, account), url) in (0_u32..).zip(cast).zip(servers.iter().cycle()) {
            let bot = Bot::new(account, Arc::clone(&world), rng.fork());
            let first = tempo.seconds(ARRIVAL * f64::from(number));
            self.bots.spawn(connection::live(bot, url.clone(), began, first, ends.clone()));
        }
        self
    }

    /// The server.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Where the database is, as long as the demo runs.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.folder.path().join(DATABASE)
    }

    /// Logins and tokens of the accounts that are free for people. They hold for a day.
    ///
    /// # Errors
    /// [`Failure`] if the database cannot be used.
    pub async fn tokens(&self) -> Result<Vec<(String, String)>, Failure> {
        let now = utc_now().0.div_euclid(1_000_000);
        let mut tokens = Vec::new();
        for (login, _) in free_accounts() {
            let account = self.server.store().account_by_login(&login).await;
            let Some(account) = account.map_err(anyhow::Error::from)? else { continue };
            let token = mint(self.server.store(), account.id, &account.login, now, now + DAY);
            tokens.push((login, token.await.map_err(anyhow::Error::from)?));
        }
        Ok(tokens)
    }

    /// Goes on until the signal comes, then ends: bots leave, the server shuts down at once, nothing is left behind.
    ///
    /// # Errors
    /// [`Failure`] as of [`Server::wait`], or if the database cannot be removed.
    pub async fn run_until(self, signal: impl Future<Output = ()>) -> Result<(), Failure> {
        let Self { server, mut bots, end, folder } = self;
        let shutdown = server.shutdown();
        let ending = async {
            signal.await;
            end.send_replace(true);
            let _ = timeout(LEAVE_TIMEOUT, async { while bots.join_next().await.is_some() {} }).await;
            // Nobody plays for real: the second request does not wait for the games.
            shutdown.request().await;
            shutdown.request().await;
            std::future::pending().await
        };
        let ended = tokio::select! {
            ended = server.wait() => ended,
            never = ending => never,
        };
        bots.shutdown().await;
        folder.close().map_err(no_folder)?;
        ended
    }
}

/// Logins and passwords of the accounts that are free for people.
#[must_use]
pub fn free_accounts() -> Vec<(String, String)> {
    Stage::read().people().map(|account| (account.login.clone(), account.password.clone())).collect()
}

async fn plant(settings: &Settings) -> Result<(), Failure> {
    let database_failure = |error| Failure::new(exit_code::DATABASE, error);
    let file =
        SeedFile::parse(seed::SEED).map_err(|problem| anyhow::anyhow!("the demo's seed: {problem}"))?;
    let store = Store::open(&settings.database).map_err(database_failure)?;
    store.seed(file).await.map_err(anyhow::Error::from)?;
    Ok(())
}

fn no_folder(error: io::Error) -> Failure {
    Failure::new(exit_code::DATABASE, anyhow::Error::new(error).context("a folder for the demo's database"))
}
