//! A private `mariadbd` with databases in the shape of FAF's.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Account that the databases are used with, and its password. It may do everything in the
/// databases of tests, and nothing else.
pub const USER: &str = "lobby";

/// Password of the account.
pub const PASSWORD: &str = "p@ss:word/1";

/// Memory-backed folder, in which databases are created many times faster.
const FAST_FOLDER: &str = "/dev/shm";

/// Number of lines of the server's log that are kept for error messages.
const LOG_LINES: usize = 40;

/// Starts a program, passes its process id on, and kills it when standard input ends: that is when
/// the test process ends, however it ends. Then removes the folder, unless it reads a line before.
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

/// A database server.
#[derive(Debug)]
pub struct MariaServer {
    /// Removed when the server is dropped.
    folder: TempDir,
    port: u16,
    arguments: Mutex<Vec<String>>,
    running: Mutex<Option<Running>>,
    databases: AtomicU32,
}

#[derive(Debug)]
struct Running {
    guard: Child,
    /// The server ends when this is closed.
    input: Option<ChildStdin>,
    process: u32,
}

/// A database in the shape of FAF's; [`MariaServer`] keeps it until the server ends.
#[derive(Debug, Clone)]
pub struct Database {
    /// Server of the database.
    pub server: Arc<MariaServer>,
    /// Name of the database.
    pub name: String,
}

impl MariaServer {
    /// Returns the server that all tests of a process share; the first test starts it.
    ///
    /// # Panics
    /// If MariaDB is not installed or does not start.
    #[must_use]
    pub fn shared() -> Arc<Self> {
        static SHARED: OnceLock<Arc<MariaServer>> = OnceLock::new();
        Arc::clone(SHARED.get_or_init(|| Arc::new(Self::start(&[]))))
    }

    /// Starts a server, with arguments in addition to those that every server of tests has.
    ///
    /// # Panics
    /// If MariaDB is not installed or does not start.
    #[must_use]
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_in(new_folder(), arguments)
    }

    /// Starts a server whose commits survive a crash of the machine, as those of FAF's do: for
    /// measurements, since tests do without.
    ///
    /// # Panics
    /// If MariaDB is not installed or does not start.
    #[must_use]
    pub fn start_durable() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be created");
        let arguments = [
            "--innodb-flush-method=fsync",
            "--innodb-doublewrite=ON",
            "--sync-frm=1",
            "--innodb-buffer-pool-size=512M",
        ];
        Self::start_in(folder, &arguments)
    }

    fn start_in(folder: TempDir, arguments: &[&str]) -> Self {
        install(folder.path());
        let port = free_port();
        let server = Self {
            folder,
            port,
            arguments: Mutex::default(),
            running: Mutex::new(None),
            databases: AtomicU32::new(0),
        };
        server.restart_with(arguments);
        server.sql(
            "",
            &format!("CREATE USER {USER} IDENTIFIED BY '{PASSWORD}'; GRANT ALL ON `test\\_%`.* TO {USER}"),
        );
        server
    }

    /// Returns the TCP port, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends the process at once, as a crash of the machine would.
    pub fn kill(&self) {
        let mut running = self.running().take().expect("it runs");
        let input = running.input.as_mut().expect("it is open");
        writeln!(input, "kept").expect("the guard runs");
    }

    /// Ends the process in order, as an operator does, and waits for its end.
    ///
    /// # Panics
    /// If it does not end within a minute.
    pub fn shut_down(&self) {
        self.sql("", "SHUTDOWN");
        let began = Instant::now();
        // It removes this file in the end.
        while self.folder.path().join("pid").exists() {
            assert!(began.elapsed() < Duration::from_secs(60), "mariadbd does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
        self.kill();
    }

    /// Starts the process, which must not be running, and waits until it accepts connections.
    ///
    /// # Panics
    /// If it does not start.
    pub fn restart(&self) {
        *self.running() = Some(self.run());
    }

    /// Like [`restart`](Self::restart), with other arguments in addition to those that every server
    /// of tests has.
    ///
    /// # Panics
    /// If it does not start.
    pub fn restart_with(&self, arguments: &[&str]) {
        *self.arguments() = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        self.restart();
    }

    /// Freezes the process: connections stay open, and nothing is replied.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Ends [`freeze`](Self::freeze).
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// Executes statements as the server's administrator, and returns the rows of the results, one
    /// line each, with tabs between the columns. An empty `database` selects none.
    ///
    /// # Panics
    /// If a statement fails.
    pub fn sql(&self, database: &str, statements: &str) -> String {
        let arguments = ["--default-character-set=utf8mb4"];
        let mut client = self.client(database, &arguments, Stdio::piped());
        let mut input = client.stdin.take().expect("it is piped");
        let text = statements.to_owned();
        let writing = std::thread::spawn(move || drop(input.write_all(text.as_bytes())));
        let output = client.wait_with_output().expect("it was started");
        let _ = writing.join();
        let problem = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{problem}");
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Creates a database with a version of FAF's schema: 146, 144, 143, 135 or 133. It has no rows
    /// but the history of the schema, and addresses of avatars are the names of their files.
    ///
    /// # Panics
    /// If there is no such version.
    #[must_use]
    pub fn database(self: &Arc<Self>, version: u32) -> Database {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{number}");
        self.sql("", &format!("CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"));
        let database = Database { server: Arc::clone(self), name };
        database.sql(&schema(version));
        database.avatar_prefix("");
        database
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn arguments(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.arguments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the client of the server's administrator, which executes what it reads from standard
    /// input, and writes rows without their headings to standard output.
    fn client(&self, database: &str, arguments: &[&str], errors: Stdio) -> Child {
        program("mariadb")
            .args(["--no-defaults", "--user=root", "--batch", "--skip-column-names"])
            .args(arguments)
            .arg(format!("--socket={}", self.socket().display()))
            .arg(database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| missing("mariadb", &error))
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    fn signal(&self, signal: &str) {
        let process = self.running().as_ref().map(|running| running.process).expect("it runs");
        let status = Command::new("kill").args([format!("-{signal}"), process.to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()), "it cannot be signalled");
    }

    fn run(&self) -> Running {
        let folder = self.folder.path();
        let mut command = Command::new("sh");
        // The folder of the shared server is never dropped.
        command.args(["-c", GUARD, "guard"]).arg(folder).arg("mariadbd").args([
            "--no-defaults",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            // Nothing here must survive a crash of the machine.
            "--innodb-flush-method=nosync",
            "--skip-innodb-doublewrite",
            "--sync-frm=0",
            "--performance-schema=off",
            "--innodb-buffer-pool-size=64M",
            "--max-connections=500",
        ]);
        command.arg(format!("--datadir={}", folder.join("data").display()));
        command.arg(format!("--socket={}", self.socket().display()));
        command.arg(format!("--pid-file={}", folder.join("pid").display()));
        command.arg(format!("--port={}", self.port));
        command.args(user_argument()).args(self.arguments().iter());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut guard = command.spawn().expect("there is a shell");
        let input = guard.stdin.take();
        let mut lines =
            BufReader::new(guard.stdout.take().expect("it is piped")).lines().map_while(Result::ok);
        let mut log = VecDeque::new();
        let mut process = None;
        let is_ready = lines.by_ref().any(|line| {
            if let Some(number) = line.strip_prefix("guard: ") {
                process = number.parse().ok();
            }
            let is_ready = line.contains("ready for connections");
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
        assert!(
            is_ready,
            "mariadbd does not start; this test needs Debian's package mariadb-server or MariaDB 10.11 or later:\n{log}"
        );
        // Otherwise, the server would block once the pipe is full.
        std::thread::spawn(move || lines.for_each(drop));
        Running { guard, input, process: process.expect("the guard prints it") }
    }
}

/// A connection of another program, whose transaction may stay open between statements.
#[derive(Debug)]
pub struct OtherProgram {
    client: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    markers: u32,
}

impl OtherProgram {
    /// Executes statements, and waits until they are complete or have failed.
    ///
    /// # Panics
    /// If the connection has ended.
    pub fn run(&mut self, statements: &str) {
        self.markers += 1;
        let marker = format!("complete {}", self.markers);
        let input = self.input.as_mut().expect("it is open");
        let sent = writeln!(input, "{statements};\nSELECT '{marker}';").and_then(|()| input.flush());
        sent.expect("the client runs");
        let mut line = String::new();
        while line.trim_end() != marker {
            line.clear();
            let read = self.output.read_line(&mut line).expect("the client runs");
            assert!(read > 0, "the client has ended");
        }
    }
}

impl Drop for OtherProgram {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.client.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.guard.wait();
    }
}

impl Database {
    /// Executes statements as the server's administrator: see [`MariaServer::sql`].
    pub fn sql(&self, statements: &str) -> String {
        self.server.sql(&self.name, statements)
    }

    /// Returns the rows of a query, with a space between the columns.
    #[must_use]
    pub fn rows(&self, query: &str) -> Vec<String> {
        self.sql(query).lines().map(|line| line.replace('\t', " ")).collect()
    }

    /// Connects another program to the database. Its statements may fail.
    ///
    /// # Panics
    /// If the client cannot be started.
    #[must_use]
    pub fn other_program(&self) -> OtherProgram {
        let mut client = self.server.client(&self.name, &["--unbuffered", "--force"], Stdio::null());
        let (input, output) = (client.stdin.take(), client.stdout.take().expect("it is piped"));
        OtherProgram { client, input, output: BufReader::new(output), markers: 0 }
    }

    /// Sets the text that the database puts before the file names of avatars.
    pub fn avatar_prefix(&self, prefix: &str) {
        self.sql(&format!(
            "ALTER TABLE avatars_list MODIFY COLUMN url VARCHAR(255)
             GENERATED ALWAYS AS (CONCAT('{prefix}', filename)) VIRTUAL"
        ));
    }
}

/// Returns the statements that create the tables of a version.
fn schema(version: u32) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden/faf-schema");
    let file = |name: &str| crate::golden::text(&folder.join(name));
    let mut schema = file("schema.sql");
    let steps = [(143, "to-v143.sql"), (135, "to-v135.sql"), (133, "to-v133.sql")];
    let last = match version {
        146 => 0,
        143 | 144 => 1,
        135 => 2,
        133 => 3,
        other => panic!("there is no schema {other} here"),
    };
    for (step, name) in &steps[..last] {
        let mut script = file(&format!("downgrade/{name}"));
        if version == 144 && *step == 143 {
            // Its second part leads from v144 to v143.
            script.truncate(script.find("-- v144").expect("it is marked"));
        }
        schema += &script;
    }
    schema
}

/// Creates the tables of the server itself. They are created once, and copied afterwards.
fn install(folder: &Path) {
    static TEMPLATE: OnceLock<Template> = OnceLock::new();
    let template = TEMPLATE.get_or_init(|| {
        let folder = new_folder();
        let data = folder.path().join("data");
        let output = program("mariadb-install-db")
            .args(["--no-defaults", "--skip-test-db", "--auth-root-authentication-method=normal"])
            .arg(format!("--datadir={}", data.display()))
            .args(user_argument())
            .output()
            .unwrap_or_else(|error| missing("mariadb-install-db", &error));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        // Removes the folder when this process ends.
        let mut guard = Command::new("sh")
            .args(["-c", r#"trap '' HUP INT TERM; read -r ignored; rm -rf "$1""#, "guard"])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .spawn()
            .expect("there is a shell");
        let input = guard.stdin.take();
        Template { data, _folder: folder, _guard: guard, _input: input }
    });
    let status = Command::new("cp").arg("-r").arg(&template.data).arg(folder.join("data")).status();
    assert!(status.is_ok_and(|status| status.success()), "the template cannot be copied");
}

struct Template {
    data: PathBuf,
    _folder: TempDir,
    _guard: Child,
    _input: Option<ChildStdin>,
}

fn new_folder() -> TempDir {
    let fast = tempfile::Builder::new().prefix("faf-mariadb-").tempdir_in(FAST_FOLDER);
    fast.or_else(|_| tempfile::tempdir()).expect("a temporary folder")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("there is a free port");
    listener.local_addr().expect("it is bound").port()
}

/// Returns what MariaDB demands of an administrator who runs it.
fn user_argument() -> Option<&'static str> {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout == b"0\n").then_some("--user=root")
}

fn program(name: &str) -> Command {
    Command::new(name)
}

fn missing(name: &str, error: &std::io::Error) -> ! {
    panic!("{name}: {error}; this test needs Debian's package mariadb-server, or MariaDB 10.11 or later")
}
