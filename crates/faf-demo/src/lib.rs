//! A lobby with bots, for everyone who writes a client or wants to see a lobby in use.
//!
//! ```text
//!   demo-seed.json --> database in a temporary folder          Battles: game process messages
//!                         |                                       ^   ^
//!   the server     <------'             Bot ............. Bot ----'---'
//!      ^  ^  ^                            |                |
//!      |  |  |                        Connections of the crate of bots
//!      |  |  '----- QDataStream ----------'                |
//!      |  '-------- WebSocket, SimpleJson -----------------'
//!      '----------- people
//! ```
//!
//! The server is the library of `faf-lobby` in this process. [Bots](faf_bots) know no more about it
//! than any client: they connect over real sockets in all wire formats.
//!
//! | file | is about |
//! | --- | --- |
//! | `seed.rs`, `demo-seed.json` | accounts, maps, missions and mods |
//! | `main.rs` | the command line |
//!
//! At speed 1, 40 bots together send about ten messages a second, and the process takes less than 1
//! % of one core after the first half minute, in which all of them log in. Most of its 95 MB of
//! memory goes to password hashing.

mod seed;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use faf_bots::{Bot, Connections, Rng, Shared, Sociable};
use faf_client::{Connector, Credentials, Identity, InvalidUrl, Url};
use faf_lobby::cli::embedding::mint_token;
use faf_lobby::config::{Exposure, Settings};
use faf_lobby::exit_code::{self, Failure};
use faf_lobby::server::{Listening, Server, Service};
use faf_lobby::store::{SeedFile, Store};
use faf_protocol::WireFormat;
use rand::{RngExt, SeedableRng};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use seed::Seed;

/// The database in the folder of a demo.
const DATABASE: &str = "demo.sqlite";

/// How long tokens for people are valid.
const TOKEN_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Time limit for bots to leave at the end.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(3);

/// Time between the connections of two bots, in seconds of their life: a login costs the server
/// some work.
const ARRIVAL_INTERVAL: f64 = 0.25;

/// Longest time between two rounds of a queue, in seconds of the bots' life.
const POP_TIME: f64 = 30.0;

/// Number of bots, and how they live.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Number of bots, at most [`Options::MOST_BOTS`].
    pub bots: usize,
    /// Factor by which they live faster than the clock, within [`Options::SPEEDS`].
    pub speed: f64,
    /// Seed of their random decisions. The same seed makes the same decisions in the same
    /// situations; but situations depend on the timing of a real network.
    pub seed: u64,
}

impl Options {
    /// The number of accounts for bots.
    pub const MOST_BOTS: usize = 40;

    /// Range of speeds. Faster bots would wait for the server most of the time.
    pub const SPEEDS: RangeInclusive<f64> = 0.1..=60.0;
}

/// A running lobby with bots.
#[derive(Debug)]
pub struct Demo {
    server: Server,
    bots: JoinSet<()>,
    end: watch::Sender<bool>,
    folder: TempDir,
}

impl Demo {
    /// Starts a server with a database of its own, and bots that log in soon. Everyone may
    /// register. The settings for the environment of a real server, such as its database, are
    /// ignored, except for a recording.
    ///
    /// # Errors
    /// [`Failure`] as of [`Server::start`], if no folder for the database can be created, or if
    /// other machines could connect, since the passwords are public.
    pub async fn start(mut settings: Settings, options: &Options) -> Result<Self, Failure> {
        if !settings.is_private() {
            let problem = "a demo listens on this machine only, as its passwords are public; use addresses such as \
                           127.0.0.1:8003";
            return Err(Failure::new(exit_code::CONFIGURATION, anyhow::anyhow!(problem)));
        }
        let Settings { jwks, token_issuer, token_audience, policy_server, .. } = Settings::default();
        settings = Settings { jwks, token_issuer, token_audience, policy_server, ..settings };
        let folder = tempfile::Builder::new().prefix("faf-lobby-demo-").tempdir().map_err(no_folder)?;
        settings.database = folder.path().join(DATABASE).into();
        settings.open_registration = Exposure::OnLoopback;
        settings.login_pages = Exposure::OnLoopback;
        // A few bots play against each other all the time, and up to sixty times as fast as people.
        settings.rated_games_per_pair = 10_000;
        // Nobody who looks at a demo waits for a minute and a half; fast bots still less.
        settings.queue_pop_time_max = (POP_TIME / options.speed).max(1.0);
        settings.queue_pop_time_min = (settings.queue_pop_time_max / 4.0).max(1.0);
        // Forty players are too few for even teams.
        settings.minimum_game_quality = -1.0;
        plant(&settings).await?;
        let path = settings.websocket_path.clone();
        // Bots have no proxy in front of them.
        let is_direct = |format| settings.listen(format).addresses().iter().all(|address| !address.proxy);
        let direct = WireFormat::ALL.map(is_direct);
        let server = Server::start(settings).await?;
        let urls = server.listening().iter().filter_map(|listening| match *listening {
            Listening { service: Service::Lobby(format), address } if direct[format as usize] => {
                Some(bots_url(format, address, &path))
            }
            _ => None,
        });
        let urls = urls.collect::<Result<Vec<_>, _>>().map_err(anyhow::Error::from)?;
        let (end, ends) = watch::channel(false);
        let demo = Self { server, bots: JoinSet::new(), end, folder };
        Ok(demo.with_bots(options, &urls, &ends))
    }

    fn with_bots(mut self, options: &Options, urls: &[Url], ends: &watch::Receiver<bool>) -> Self {
        if urls.is_empty() {
            tracing::warn!("bots cannot connect: every listener expects a PROXY header");
        }
        let seed = Seed::read();
        let settings = faf_bots::Settings { speed: options.speed, ..faf_bots::Settings::default() };
        let arrival = settings.time(ARRIVAL_INTERVAL);
        let logins = Some(seed.bots().map(|account| account.login.clone()).collect());
        let shared = Arc::new(Shared { settings, content: seed.content(), logins, ..Shared::default() });
        let mut rng = Rng::seed_from_u64(options.seed);
        let identity = Identity::of_program("faf-demo", env!("CARGO_PKG_VERSION"));
        let places = Options::MOST_BOTS;
        let connections = Arc::new(Connections::new(Connector::default(), identity, arrival, places));
        for (account, url) in seed.bots().take(options.bots).cloned().zip(urls.iter().cloned().cycle()) {
            let rng = Rng::seed_from_u64(rng.random());
            let bot = Bot::new(account.login.clone(), Arc::clone(&shared), Box::new(Sociable), rng);
            let credentials = Credentials::password(account.login, &account.password);
            let (connections, ends) = (Arc::clone(&connections), ends.clone());
            self.bots.spawn(async move { connections.live(bot, &credentials, &url, ends).await });
        }
        self
    }

    /// Returns the server.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Returns the path of the database, which exists while the demo runs.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.folder.path().join(DATABASE)
    }

    /// Returns logins and tokens of the accounts that are free for people. Tokens are valid for
    /// a day.
    ///
    /// # Errors
    /// [`Failure`] if the database cannot be used.
    pub async fn tokens(&self) -> Result<Vec<(String, String)>, Failure> {
        let mut tokens = Vec::new();
        for (login, _) in free_accounts() {
            let token = mint_token(self.server.store(), &login, TOKEN_LIFETIME).await?;
            tokens.extend(token.map(|token| (login, token)));
        }
        Ok(tokens)
    }

    /// Runs until the signal arrives, then ends: bots leave, the server shuts down at once, and no
    /// files are left.
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
            // No game is real: the second request does not wait for them.
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

/// Returns logins and passwords of the accounts that are free for people.
#[must_use]
pub fn free_accounts() -> Vec<(String, String)> {
    Seed::read().people().map(|account| (account.login.clone(), account.password.clone())).collect()
}

/// Returns the URL of a listener for bots, which reach a listener on all interfaces over loopback.
fn bots_url(format: WireFormat, mut address: SocketAddr, websocket_path: &str) -> Result<Url, InvalidUrl> {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        });
    }
    let url = Url::new(format, address);
    if format.has_upgrade() { url.with_path(websocket_path) } else { Ok(url) }
}

async fn plant(settings: &Settings) -> Result<(), Failure> {
    let database_failure = |error| Failure::new(exit_code::DATABASE, error);
    let file =
        SeedFile::parse(seed::SEED).map_err(|problem| anyhow::anyhow!("the demo's seed: {problem}"))?;
    let store = Store::open(&settings.database()).map_err(database_failure)?;
    store.seed(file).await.map_err(anyhow::Error::from)?;
    Ok(())
}

fn no_folder(error: io::Error) -> Failure {
    Failure::new(exit_code::DATABASE, anyhow::Error::new(error).context("a folder for the demo's database"))
}
