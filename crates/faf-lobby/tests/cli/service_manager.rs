//! Reports to a service manager, and the check for Docker.

use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use faf_testkit::serving::Serving;

use super::support::{Operator, SERVE, serve};

/// A deadline against mistakes, not a measurement: the test harness would wait forever.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// A socket as systemd has it.
struct ServiceManager(UnixDatagram);

impl ServiceManager {
    fn listen(operator: &Operator) -> Self {
        let socket = UnixDatagram::bind(operator.path("notify")).unwrap();
        socket.set_read_timeout(Some(TIME_LIMIT)).unwrap();
        Self(socket)
    }

    /// Returns the next message that is not about the watchdog.
    fn next(&self) -> String {
        self.read_until(|message| message != "WATCHDOG=1")
    }

    fn read_until(&self, is_wanted: impl Fn(&str) -> bool) -> String {
        let (mut buffer, began) = ([0; 1024], Instant::now());
        loop {
            assert!(began.elapsed() < TIME_LIMIT, "the message does not arrive");
            let length = self.0.recv(&mut buffer).unwrap();
            let message = String::from_utf8_lossy(&buffer[..length]).trim_end().to_owned();
            if is_wanted(&message) {
                return message;
            }
        }
    }
}

#[test]
fn the_service_manager_is_told_of_every_change() {
    let operator = Operator::new();
    let manager = ServiceManager::listen(&operator);
    let mut command = operator.command(&format!("{SERVE} --ping-interval 1"));
    command.env("NOTIFY_SOCKET", operator.path("notify")).env("WATCHDOG_USEC", "30000");
    let server = Serving::start(&mut command);
    // Only now, when its listeners are open.
    assert_eq!(manager.next(), "READY=1");
    for _ in 0..3 {
        manager.read_until(|message| message == "WATCHDOG=1");
    }
    server.signal("-HUP");
    let reloading = manager.next();
    let time = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
    assert!(time.parse::<u64>().is_ok(), "{time}");
    assert_eq!(manager.next(), "READY=1");
    server.signal("-TERM");
    assert!(manager.next().starts_with("STOPPING=1"));
    // Although nobody reads the socket from here on, and it takes only a few messages.
    assert_eq!(server.wait().1, Some(0));
}

#[test]
fn without_a_watchdog_the_server_says_only_what_is_new() {
    let operator = Operator::new();
    let manager = ServiceManager::listen(&operator);
    let mut command = operator.command(SERVE);
    command.env("NOTIFY_SOCKET", operator.path("notify")).env_remove("WATCHDOG_USEC");
    let server = Serving::start(&mut command);
    server.signal("-TERM");
    let any = || manager.read_until(|_| true);
    assert_eq!(any(), "READY=1");
    assert!(any().starts_with("STOPPING=1"));
    assert_eq!(server.wait().1, Some(0));
}

#[test]
fn a_server_is_checked_at_the_address_of_its_settings() {
    let operator = Operator::new();
    let server = serve(&operator, "--health 127.0.0.1:0");
    let [health, http] = ["health", "http"].map(|service| {
        let url = server.url(service).unwrap();
        url.strip_prefix("http://").unwrap().split('/').next().unwrap().to_owned()
    });
    for flags in
        [format!("--health {health}"), format!("--http {http}"), format!("--http {http} --health off")]
    {
        assert_eq!(operator.succeed(&format!("healthcheck {flags}")), "ready\n", "{flags}");
    }
    // Port 0 is not one to connect to.
    let problem = operator.fail("healthcheck --http 127.0.0.1:0", 1);
    assert!(problem.contains("see the settings `health` and `http`"), "{problem}");
    server.signal("-TERM");
    assert_eq!(server.wait().1, Some(0));
    assert!(operator.fail(&format!("healthcheck --http {http}"), 1).contains("/ready"));
}
