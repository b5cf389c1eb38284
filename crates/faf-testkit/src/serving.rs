//! The server as a process of its own.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

/// The last line of what a server says when it is ready.
const READY: &str = "see all settings";

/// A server that has said that it is ready. It is killed when this is dropped.
#[derive(Debug)]
pub struct Serving {
    child: Child,
    /// What it has said.
    pub banner: String,
}

impl Serving {
    /// Starts a server and waits until it is ready.
    ///
    /// # Panics
    /// If it ends before that.
    #[must_use]
    pub fn start(command: &mut Command) -> Self {
        command.env("FAF_LOBBY_BANNER", "always");
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the server can be started");
        let mut banner = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("standard output is a pipe"));
        while !banner.contains(READY) {
            let read = output.read_line(&mut banner).expect("the server says something");
            assert_ne!(read, 0, "the server has ended before it was ready: {banner}");
        }
        Self { child, banner }
    }

    /// The address with this scheme, such as `tcp://`.
    ///
    /// # Panics
    /// If the server does not listen on one.
    #[must_use]
    pub fn address(&self, scheme: &str) -> String {
        let begin = self.banner.find(scheme).unwrap_or_else(|| panic!("no {scheme} in {}", self.banner));
        let rest = &self.banner[begin + scheme.len()..];
        rest.split(|c: char| c.is_whitespace() || c == '/').next().unwrap_or_default().to_owned()
    }

    /// The number of the process.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal, such as `-TERM`.
    ///
    /// # Panics
    /// If that fails.
    pub fn signal(&self, name: &str) {
        // Not every machine has it as a program, but every shell has it.
        let line = format!("kill {name} {}", self.process());
        let status = Command::new("sh").args(["-c", &line]).status();
        assert!(status.is_ok_and(|status| status.success()), "the signal cannot be sent");
    }

    /// Standard error, if it is a pipe, and exit code of a server that is about to end.
    ///
    /// # Panics
    /// If they cannot be read.
    #[must_use]
    pub fn wait(mut self) -> (String, Option<i32>) {
        let mut log = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            stderr.read_to_string(&mut log).expect("the log is text");
        }
        (log, self.child.wait().expect("the server ends").code())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
