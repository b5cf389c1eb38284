//! A private `nats-server` with JetStream.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tempfile::TempDir;

/// Number of lines of the server's log that are kept for error messages.
const LOG_LINES: usize = 40;

/// Bytes of all streams together.
const DEFAULT_STORE: u64 = 64 << 30;

/// Place of the program on Debian, which is not on the `PATH` of every account.
const PROGRAM: &str = "/usr/sbin/nats-server";

/// Starts a program, passes its process id on, and kills it when standard input ends or a line
/// comes: it ends with the process of the tests, however that ends. Then removes the folder, unless
/// a line came.
const GUARD: &str = r#"
folder=$1; shift
trap '' HUP INT TERM
"$@" 2>&1 &
child=$!
echo "guard: $child"
read -r kept
kill -9 $child
wait $child
[ -n "$kept" ] || rm -rf "$folder"
"#;

/// Differences from a server that anybody may use.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The clients that may connect; all by default.
    pub accepts: Accepts,
    /// With TLS, by a certificate for `localhost` and 127.0.0.1 of an authority of its own.
    pub has_tls: bool,
    /// Without JetStream.
    pub has_no_jetstream: bool,
    /// Most bytes of all streams together, of which each reserves its own bound; 64 GiB by default,
    /// whatever the disk has.
    pub max_store: Option<u64>,
    /// Further lines of the configuration.
    pub configuration: String,
}

/// The clients that may connect.
#[derive(Debug, Clone, Default)]
pub enum Accepts {
    /// All clients.
    #[default]
    Anybody,
    /// A user with this name and password.
    User(String, String),
    /// Clients with this token.
    Token(String),
}

/// A NATS server on a port of 127.0.0.1.
#[derive(Debug)]
pub struct NatsServer {
    /// Removed when the server is dropped.
    folder: TempDir,
    options: Options,
    port: u16,
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    guard: Child,
    /// The server ends when this is closed.
    input: Option<ChildStdin>,
    process: u32,
}

impl NatsServer {
    /// Returns a server that all tests of this process share.
    ///
    /// # Panics
    /// If it is not installed or does not start.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<NatsServer> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Starts a server of the test's own, which it may kill. It ends when this is dropped.
    ///
    /// # Panics
    /// If it is not installed or does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(Options::default())
    }

    /// Like [`start`](Self::start), with options.
    ///
    /// # Panics
    /// If it is not installed or does not start.
    #[must_use]
    pub fn start_with(options: Options) -> Self {
        let folder = tempfile::Builder::new().prefix("faf-nats-").tempdir().expect("a temporary folder");
        if options.has_tls {
            write_certificates(folder.path());
        }
        let mut server = Self { folder, options, port: 0, running: Mutex::new(None) };
        let (running, port) = server.run();
        server.port = port;
        *server.running() = Some(running);
        server
    }

    /// Returns the TCP port, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the address for clients, with the user or the token that the server accepts.
    #[must_use]
    pub fn url(&self) -> String {
        let (scheme, host) = if self.options.has_tls { ("tls", "localhost") } else { ("nats", "127.0.0.1") };
        let identity = match &self.options.accepts {
            Accepts::Anybody => String::new(),
            Accepts::User(user, password) => format!("{user}:{password}@"),
            Accepts::Token(token) => format!("{token}@"),
        };
        format!("{scheme}://{identity}{host}:{}", self.port)
    }

    /// Returns the file with the authority that signed the certificate, if the server has TLS.
    #[must_use]
    pub fn certificate_authority(&self) -> Option<PathBuf> {
        self.options.has_tls.then(|| self.folder.path().join("authority.pem"))
    }

    /// Kills the process at once, as `kill -9` does, and waits for its end. Files stay.
    ///
    /// # Panics
    /// If it does not run.
    pub fn kill(&self) {
        let mut running = self.running().take().expect("it runs");
        let input = running.input.as_mut().expect("it is open");
        writeln!(input, "kept").expect("the guard runs");
    }

    /// Starts the process again after [`kill`](Self::kill), on the same port and with the same
    /// files as before.
    ///
    /// # Panics
    /// If it does not start.
    pub fn restart(&self) {
        let (running, _) = self.run();
        *self.running() = Some(running);
    }

    /// Freezes the process: connections stay open, and nothing is replied.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// Ends [`pause`](Self::pause).
    pub fn resume(&self) {
        self.signal("CONT");
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn signal(&self, signal: &str) {
        let process = self.running().as_ref().map(|running| running.process).expect("it runs");
        let status = Command::new("kill").args([format!("-{signal}"), process.to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()), "it cannot be signalled");
    }

    /// Starts the process, and returns it with its port when it accepts connections.
    fn run(&self) -> (Running, u16) {
        let folder = self.folder.path();
        let file = folder.join("nats.conf");
        fs::write(&file, self.configuration()).expect("the temporary folder can be written");
        let program = if Path::new(PROGRAM).exists() { PROGRAM } else { "nats-server" };
        let mut command = Command::new("sh");
        // The folder of the shared server is never dropped.
        command.args(["-c", GUARD, "guard"]).arg(folder).arg(program).arg("-c").arg(&file);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut guard = command.spawn().expect("there is a shell");
        let input = guard.stdin.take();
        let mut lines =
            BufReader::new(guard.stdout.take().expect("it is piped")).lines().map_while(Result::ok);
        let mut log = VecDeque::new();
        let (mut process, mut port) = (None, None);
        let is_ready = lines.by_ref().any(|line| {
            if let Some(number) = line.strip_prefix("guard: ") {
                process = number.parse().ok();
            }
            if let Some((_, number)) = line.split_once("Listening for client connections on 127.0.0.1:") {
                port = number.trim().parse().ok();
            }
            let is_ready = line.contains("Server is ready");
            log.push_back(line);
            if log.len() > LOG_LINES {
                log.pop_front();
            }
            is_ready
        });
        let log = log.into_iter().fold(String::new(), |mut log, line| {
            let _ = writeln!(log, "{line}");
            log
        });
        assert!(is_ready, "nats-server does not start; this test needs Debian's package nats-server:\n{log}");
        // Otherwise, the server would block once the pipe is full.
        std::thread::spawn(move || lines.for_each(drop));
        let running = Running { guard, input, process: process.expect("the guard prints it") };
        (running, port.expect("the server prints it"))
    }

    fn configuration(&self) -> String {
        let Options { accepts, has_tls, has_no_jetstream, max_store, configuration } = &self.options;
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        // With -1, the system chooses a port, which is used again after that.
        let port = if self.port == 0 { -1 } else { i32::from(self.port) };
        let mut text = format!("host: 127.0.0.1\nport: {port}\n{configuration}\n");
        if !has_no_jetstream {
            let max = max_store.unwrap_or(DEFAULT_STORE);
            let _ =
                writeln!(text, "jetstream {{\n store_dir: \"{}\"\n max_file_store: {max}\n}}", path("store"));
        }
        let _ = match accepts {
            Accepts::Anybody => Ok(()),
            Accepts::User(user, password) => {
                writeln!(text, "authorization {{ user: \"{user}\", password: \"{password}\" }}")
            }
            Accepts::Token(token) => writeln!(text, "authorization {{ token: \"{token}\" }}"),
        };
        if *has_tls {
            let (certificate, key) = (path("server.pem"), path("server-key.pem"));
            let _ = writeln!(text, "tls {{ cert_file: \"{certificate}\", key_file: \"{key}\" }}");
        }
        text
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.guard.wait();
    }
}

/// Creates an authority, and the certificate of the server that it signs.
fn write_certificates(folder: &Path) {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    let key = || KeyPair::generate().expect("there is a generator of random numbers");
    let write = |name: &str, text: String| fs::write(folder.join(name), text).expect("it can be written");
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, key()).expect("it can be signed");
    let server_key = key();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let server = CertificateParams::new(names).expect("the names are valid");
    let server = server.signed_by(&server_key, &authority).expect("it can be signed");
    write("authority.pem", authority.pem());
    write("server.pem", server.pem());
    write("server-key.pem", server_key.serialize_pem());
}
