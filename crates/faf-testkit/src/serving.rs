//! A server in a process of its own.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use serde::Deserialize;

/// A server that has reported that it is ready. It is killed when this value is dropped.
#[derive(Debug)]
pub struct Serving {
    child: Child,
    ready: Ready,
}

/// The line of JSON that a server prints on request when it is ready.
#[derive(Debug, Deserialize)]
struct Ready {
    /// URLs by the name of the service.
    listening: BTreeMap<String, String>,
    text: String,
}

impl Serving {
    /// Starts a server and waits until it is ready.
    ///
    /// # Panics
    /// If the process ends before that.
    #[must_use]
    pub fn start(command: &mut Command) -> Self {
        command.env("FAF_LOBBY_BANNER", "json");
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the server can be started");
        let output = BufReader::new(child.stdout.take().expect("standard output is a pipe"));
        let mut lines = output.lines().map_while(Result::ok);
        match lines.find_map(|line| serde_json::from_str(&line).ok()) {
            Some(ready) => Self { child, ready },
            None => panic!("the server ended before it was ready: {:?}", child.wait()),
        }
    }

    /// Returns the text that the server prints when it is ready.
    #[must_use]
    pub fn banner(&self) -> &str {
        &self.ready.text
    }

    /// Returns the URLs of the server.
    pub fn urls(&self) -> impl Iterator<Item = &str> {
        self.ready.listening.values().map(String::as_str)
    }

    /// Returns the URL of a service, by its name in the settings.
    #[must_use]
    pub fn url(&self, service: &str) -> Option<&str> {
        self.ready.listening.get(service).map(String::as_str)
    }

    /// Returns host and port of the URL with this scheme, such as `tcp://`.
    ///
    /// # Panics
    /// If the server has no such URL.
    #[must_use]
    pub fn address(&self, scheme: &str) -> String {
        let rest = self.urls().find_map(|url| url.strip_prefix(scheme));
        let rest = rest.unwrap_or_else(|| panic!("no {scheme} in {:?}", self.ready.listening));
        rest.split('/').next().unwrap_or_default().to_owned()
    }

    /// Returns the number of the process.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to the process, such as `-TERM`.
    ///
    /// # Panics
    /// If the signal cannot be sent.
    pub fn signal(&self, name: &str) {
        // Not every machine has `kill` as a program, but every shell has it built in.
        let line = format!("kill {name} {}", self.process());
        let status = Command::new("sh").args(["-c", &line]).status();
        assert!(status.is_ok_and(|status| status.success()), "the signal cannot be sent");
    }

    /// Waits for the end of the server; returns standard error, if it is a pipe, and the exit code.
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
        // The process may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
