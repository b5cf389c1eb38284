//! The tool as a child process.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use super::in_time;

const PROGRAM: &str = env!("CARGO_BIN_EXE_faf-wire");

/// The running tool; killed when dropped.
pub(crate) struct Tool {
    child: Child,
    input: Option<ChildStdin>,
    output: Option<BufReader<ChildStdout>>,
    errors: BufReader<ChildStderr>,
}

/// Exit code and remaining output of the tool.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Exit code; `None` after a signal.
    pub(crate) code: Option<i32>,
    /// Unread bytes of standard output.
    pub(crate) output: Vec<u8>,
    /// Unread text of standard error.
    pub(crate) errors: String,
}

impl Tool {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, &[])
    }

    /// Starts the tool with these environment variables.
    pub(crate) fn start_with(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(arguments);
        Self::spawn(command, variables)
    }

    /// Starts the tool with a limit of its memory.
    #[cfg(unix)]
    pub(crate) fn start_within(kibibytes: u32, arguments: &[&str]) -> Self {
        let mut command = Command::new("sh");
        command
            .args(["-c", r#"ulimit -v "$0" && exec "$@""#, &kibibytes.to_string(), PROGRAM])
            .args(arguments);
        Self::spawn(command, &[])
    }

    fn spawn(mut command: Command, variables: &[(&str, &str)]) -> Self {
        let mut child = command
            .env_remove("FAF_WIRE_PASSWORD")
            .env_remove("FAF_WIRE_TOKEN")
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let output = child.stdout.take().map(BufReader::new);
        let errors = BufReader::new(child.stderr.take().unwrap());
        Self { input: child.stdin.take(), output, errors, child }
    }

    /// Runs the tool on this input, to its end.
    pub(crate) async fn run(arguments: &[&str], input: &[u8]) -> Ended {
        let mut tool = Self::start(arguments);
        let mut stdin = tool.input.take().unwrap();
        let feed = async move {
            // The tool may end before it has read all of it.
            let _ = stdin.write_all(input).await;
        };
        tokio::join!(feed, tool.end()).1
    }

    /// Writes to standard input.
    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        let input = self.input.as_mut().unwrap();
        in_time(input.write_all(bytes.as_ref())).await.unwrap();
        in_time(input.flush()).await.unwrap();
    }

    /// Ends standard input.
    pub(crate) fn end_input(&mut self) {
        self.input = None;
    }

    /// Stops reading standard output.
    pub(crate) fn close_output(&mut self) {
        self.output = None;
    }

    /// Reads the next line of standard output, without its end.
    pub(crate) async fn line(&mut self) -> String {
        in_time(self.output.as_mut().unwrap().lines().next_line()).await.unwrap().expect("a line")
    }

    /// Reads the next line of standard error, without its end.
    pub(crate) async fn error_line(&mut self) -> String {
        in_time((&mut self.errors).lines().next_line()).await.unwrap().expect("a line")
    }

    /// Waits until the tool ends by itself. Its standard input stays open if it was.
    pub(crate) async fn end(mut self) -> Ended {
        let (mut output, mut errors) = (Vec::new(), String::new());
        let read_output = async {
            match &mut self.output {
                Some(open) => open.read_to_end(&mut output).await,
                None => Ok(0),
            }
        };
        in_time(async { tokio::try_join!(read_output, self.errors.read_to_string(&mut errors)) })
            .await
            .unwrap();
        let status = in_time(self.child.wait()).await.unwrap();
        Ended { code: status.code(), output, errors }
    }

    /// Interrupts the tool, as Ctrl-C does.
    #[cfg(unix)]
    pub(crate) async fn interrupt(&self) {
        self.signal("INT").await;
    }

    /// Terminates the tool, as service managers do.
    #[cfg(unix)]
    pub(crate) async fn terminate(&self) {
        self.signal("TERM").await;
    }

    /// Kills the tool at once, and waits until it is gone.
    pub(crate) async fn kill(mut self) {
        in_time(self.child.kill()).await.unwrap();
    }

    #[cfg(unix)]
    async fn signal(&self, name: &str) {
        // Not every machine has `kill` as a program, but every shell has it.
        let line = format!("kill -{name} {}", self.child.id().unwrap());
        assert!(in_time(Command::new("sh").args(["-c", &line]).status()).await.unwrap().success());
    }

    /// Returns the peak memory of the tool so far, in KiB.
    #[cfg(target_os = "linux")]
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id().unwrap())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Ended {
    /// Returns the lines of standard output.
    pub(crate) fn lines(&self) -> Vec<&str> {
        std::str::from_utf8(&self.output).unwrap().lines().collect()
    }

    /// Checks that the tool succeeded without messages on standard error.
    #[track_caller]
    pub(crate) fn assert_clean(&self) {
        assert_eq!((self.code, self.errors.as_str()), (Some(0), ""));
    }

    /// Checks the exit code, and that standard error contains this text.
    #[track_caller]
    pub(crate) fn assert_failed(&self, code: i32, text: &str) {
        assert_eq!(self.code, Some(code), "{}", self.errors);
        assert!(self.errors.contains(text), "{:?} is not in {:?}", text, self.errors);
    }
}
