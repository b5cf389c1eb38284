//! A private RabbitMQ, and a small client for tests.

#[cfg(feature = "rabbitmq")]
mod client;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;

#[cfg(feature = "rabbitmq")]
pub use client::{Client, Messages, Received, integer, text};

/// Name of the account that tests use.
pub const USER: &str = "faf-lobby-server";

/// Its password.
pub const PASSWORD: &str = "hunter2-of-the-broker";

/// Number of virtual hosts, one for each test.
const VHOSTS: usize = 64;

/// Time limit for the broker to start: its virtual machine takes seconds even on an idle machine.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// Places of the script that starts the broker without changing the user, unlike the wrapper on the
/// `PATH` of Debian.
const PROGRAMS: [&str; 2] = ["/usr/lib/rabbitmq/bin/rabbitmq-server", "/opt/rabbitmq/sbin/rabbitmq-server"];

/// A running broker.
#[derive(Debug)]
pub struct RabbitMq {
    port: u16,
    next_vhost: AtomicUsize,
    control: Mutex<Control>,
}

/// The shell that runs the broker.
#[derive(Debug)]
struct Control {
    shell: Child,
    orders: Option<ChildStdin>,
    done: BufReader<ChildStdout>,
}

impl RabbitMq {
    /// Returns a broker that all tests of this process share.
    ///
    /// # Panics
    /// If it does not start.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<RabbitMq> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Starts a broker of the test's own, which it may kill. It ends when this is dropped.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start() -> Self {
        let program = PROGRAMS.into_iter().find(|program| Path::new(program).exists());
        let program = program.expect("rabbitmq-server is installed");
        let [port, mapper_port, erlang_port] = free_ports();
        let folder = new_folder(port);
        let write = |name: &str, text: &str| fs::write(folder.join(name), text).expect("it can be written");
        let path = |name: &str| folder.join(name).display().to_string();
        write(
            "rabbitmq.conf",
            &format!(
                "listeners.tcp.1 = 127.0.0.1:{port}\nload_definitions = {}\nlog.console = false\nlog.file.level = warning\n\
             disk_free_limit.absolute = 1MB\n",
                path("definitions.json")
            ),
        );
        write("definitions.json", &definitions().to_string());
        write("advanced.config", "[].\n");
        write("enabled_plugins", "[].\n");
        let mut shell = Command::new("sh")
            .args(["-c", include_str!("control.sh"), "control.sh", &path(""), program])
            .env("HOME", &folder)
            .env("ERL_EPMD_PORT", mapper_port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODENAME", format!("faf-{port}@localhost"))
            .env("RABBITMQ_DIST_PORT", erlang_port.to_string())
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}")
            .env("RABBITMQ_MNESIA_BASE", path("mnesia"))
            .env("RABBITMQ_LOG_BASE", path("log"))
            .env("RABBITMQ_CONFIG_FILE", path("rabbitmq.conf"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", path("advanced.config"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", path("enabled_plugins"))
            .env("RABBITMQ_GENERATED_CONFIG_DIR", path("generated"))
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            .env("RABBITMQ_PID_FILE", path("pid"))
            // Otherwise a shell stays between the control and the virtual machine.
            .env("RUNNING_UNDER_SYSTEMD", "yes")
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("there is a shell");
        let orders = shell.stdin.take();
        let done = BufReader::new(shell.stdout.take().expect("its output is a pipe"));
        let control = Mutex::new(Control { shell, orders, done });
        let broker = Self { port, next_vhost: AtomicUsize::new(0), control };
        broker.control().wait_until_done();
        broker.wait_until_it_listens();
        broker
    }

    /// The port for AMQP, on loopback.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the name of an empty virtual host that no other test uses.
    ///
    /// # Panics
    /// If there are more tests than virtual hosts.
    #[must_use]
    pub fn vhost(&self) -> String {
        let number = self.next_vhost.fetch_add(1, Ordering::SeqCst);
        assert!(number < VHOSTS, "there are only {VHOSTS} virtual hosts");
        vhost(number)
    }

    /// Kills the broker at once, as `kill -9` does.
    pub fn kill(&self) {
        self.control().order("kill");
    }

    /// Starts the broker again after [`kill`](Self::kill), with the same port and files.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_again(&self) {
        self.control().order("start");
        self.wait_until_it_listens();
    }

    /// Stops all threads of the broker without ending it.
    pub fn pause(&self) {
        self.control().order("pause");
    }

    /// Lets the broker go on after [`pause`](Self::pause).
    pub fn resume(&self) {
        self.control().order("resume");
    }

    /// Makes the broker short of memory: it no longer reads from connections that publish.
    pub fn block(&self) {
        self.control().order("block");
    }

    /// Gives the broker memory again after [`block`](Self::block).
    pub fn unblock(&self) {
        self.control().order("unblock");
    }

    fn control(&self) -> std::sync::MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The broker listens when all virtual hosts are there.
    fn wait_until_it_listens(&self) {
        let begin = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            assert!(begin.elapsed() < START_TIMEOUT, "rabbitmq-server does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Control {
    fn order(&mut self, order: &str) {
        let orders = self.orders.as_mut().expect("the shell takes orders until it is dropped");
        writeln!(orders, "{order}").expect("the shell takes orders");
        self.wait_until_done();
    }

    fn wait_until_done(&mut self) {
        let mut line = String::new();
        self.done.read_line(&mut line).expect("the shell says when it is done");
        assert_eq!(line, "done\n", "the shell has failed");
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // The shell ends everything, and removes the folder.
        drop(self.orders.take());
        let _ = self.shell.wait();
    }
}

/// Returns free ports. The broker does not start if another process takes one of them first.
fn free_ports() -> [u16; 3] {
    let sockets =
        [(); 3].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port"));
    sockets.map(|socket| socket.local_addr().expect("it has an address").port())
}

fn new_folder(port: u16) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("faf-rabbitmq-{}-{port}", std::process::id()));
    fs::create_dir_all(&folder).expect("the temporary folder can be written");
    folder
}

fn vhost(number: usize) -> String {
    // Like that of FAF, they begin with a slash.
    format!("/faf-test-{number}")
}

/// The account and the virtual hosts, which the broker makes when it starts: its tools take seconds
/// for each.
fn definitions() -> serde_json::Value {
    let vhosts: Vec<_> = (0..VHOSTS).map(|number| json!({"name": vhost(number)})).collect();
    let permissions: Vec<_> = (0..VHOSTS)
        .map(|number| {
            json!({"user": USER, "vhost": vhost(number), "configure": ".*", "write": ".*", "read": ".*"})
        })
        .collect();
    json!({
        "users": [{"name": USER, "password": PASSWORD, "tags": "", "limits": {}}],
        "vhosts": vhosts,
        "permissions": permissions,
        "exchanges": [], "queues": [], "bindings": [], "policies": [],
    })
}
