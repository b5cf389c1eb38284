//! A separate server for a benchmark: its folder and database, and the way to start it.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use faf_testkit::serving::Serving;
use faf_testkit::token::JWKS;

pub(crate) struct Installation {
    folder: tempfile::TempDir,
}

impl Installation {
    /// Creates an empty folder.
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// Creates a folder with accounts numbered from 1, which log in with tokens: hashing a password
    /// would take longer than everything else.
    #[allow(dead_code, reason = "not every benchmark logs in")]
    pub(crate) fn with_accounts(count: u32) -> Self {
        let installation = Self::new();
        std::fs::write(installation.path("keys.json"), JWKS).unwrap();
        for id in 1..=count {
            let mut add = installation.program();
            add.args(["user", "add", &format!("player{id}"), "--password", "secret"]);
            assert!(add.output().unwrap().status.success());
        }
        installation
    }

    /// Returns the command to run the program in the folder.
    pub(crate) fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_faf-lobby"));
        command.current_dir(&self.folder).stderr(Stdio::null());
        command
    }

    /// Starts the server on free ports, and waits until it is ready.
    pub(crate) fn serve(&self, flags: &[&str]) -> Serving {
        let mut command = self.program();
        command.arg("serve").args(flags);
        for listener in ["qdatastream", "simple-json", "websocket", "http"] {
            command.arg(format!("--{listener}=127.0.0.1:0"));
        }
        if self.path("keys.json").exists() {
            command.arg("--jwks=keys.json");
        }
        Serving::start(&mut command)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
