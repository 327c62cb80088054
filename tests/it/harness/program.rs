//! The binary itself, as a child, with what it writes.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::ops::Deref;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Client, PATIENCE, TEST_HOST, eventually, holds_within};

/// Talks like a `Client`; ended when it goes out of scope.
pub struct Program {
    process: Process,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
    client: Client,
}

/// Never outlives its test, whatever panics.
struct Process(Child);

impl Program {
    /// Starts it with these arguments on a port of its own unless they name one, and waits until it says where it listens.
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_in(std::env::temp_dir().as_path(), arguments, &[])
    }

    /// The same, in this directory and with these variables in its environment.
    #[track_caller]
    pub fn start_in(directory: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = Self::command(arguments);
        command.current_dir(directory).envs(variables.iter().copied());
        Self::start_command(command)
    }

    /// The same, run by a program that becomes it, such as nohup.
    #[track_caller]
    pub fn start_by(program: &str, arguments: &[&str]) -> Self {
        Self::start_command(Self::by(program, &[], arguments))
    }

    /// The binary with these arguments, run by a program with words of its own that becomes it; not yet started.
    pub fn by(program: &str, words: &[&str], arguments: &[&str]) -> Command {
        let all = [words, &[env!("CARGO_BIN_EXE_ptg-store")], arguments].concat();
        Self::quiet(program, &all)
    }

    /// The same, granted so many open files: what it has, and what it may have.
    #[track_caller]
    pub fn start_with_open_files(soft: usize, hard: usize, arguments: &[&str]) -> Self {
        Self::start_command(Self::with_open_files(soft, hard, arguments))
    }

    /// The binary with these arguments and so many open files, not yet started.
    pub fn with_open_files(soft: usize, hard: usize, arguments: &[&str]) -> Command {
        let mut all = vec![
            "-c",
            r#"ulimit -Sn "$1" && ulimit -Hn "$2" && shift 2 && exec "$0" "$@""#,
        ];
        let (soft, hard) = (soft.to_string(), hard.to_string());
        all.extend([env!("CARGO_BIN_EXE_ptg-store"), &soft, &hard]);
        all.extend(arguments);
        Self::quiet("bash", &all)
    }

    /// Starts what was made ready, and waits until it says where it listens.
    #[track_caller]
    pub fn start_command(mut command: Command) -> Self {
        if !command.get_args().any(|argument| argument == "--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        command.args(TEST_HOST);
        let child = command
            .process_group(0)
            .stdout(Stdio::null())
            .spawn()
            .expect("to start ptg-store");
        let mut process = Process(child);
        let log = Arc::new(Mutex::new(String::new()));
        let stderr = process.0.stderr.take().expect("its standard error");
        let lines = Arc::clone(&log);
        let reader = std::thread::spawn(move || collect(stderr, &lines));
        let mut address = None;
        eventually(PATIENCE, || {
            let text = log.lock().expect("the log").clone();
            assert!(!process.ended(), "ptg-store ended: {text}");
            address = listening_address(&text);
            address.is_some()
        });
        Self {
            process,
            log,
            reader: Some(reader),
            client: Client::new(address.expect("the address it listens on")),
        }
    }

    /// Runs it to its end, in a directory of its own, with arguments with which it must not serve.
    #[track_caller]
    pub fn run(arguments: &[&str]) -> Output {
        Self::run_to_end(Self::command(arguments))
    }

    #[track_caller]
    pub fn run_to_end(mut command: Command) -> Output {
        let directory = tempfile::tempdir().expect("a directory");
        command.current_dir(directory.path());
        let mut process = Process(command.spawn().expect("to start ptg-store"));
        if !holds_within(PATIENCE, || process.ended()) {
            panic!("{command:?} did not end");
        }
        let mut output = Output {
            status: process.0.wait().expect("its status"),
            stdout: Vec::new(),
            stderr: Vec::new(),
        };
        let stdout = process.0.stdout.as_mut().expect("its standard output");
        stdout.read_to_end(&mut output.stdout).expect("its output");
        let stderr = process.0.stderr.as_mut().expect("its standard error");
        stderr.read_to_end(&mut output.stderr).expect("its log");
        output
    }

    /// The binary with these arguments, not yet started, in an environment that tells it nothing.
    pub fn command(arguments: &[&str]) -> Command {
        Self::quiet(env!("CARGO_BIN_EXE_ptg-store"), arguments)
    }

    fn quiet(program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments);
        for variable in ["REDIS_URL", "RUST_LOG", "COLUMNS", "PTG_STORE_URL", "PTG_STORE_TOKEN"] {
            command.env_remove(variable);
        }
        // Those of the flags, which a developer may have set.
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("PTG_STORE_") {
                command.env_remove(variable);
            }
        }
        command.env("XDG_CONFIG_HOME", "/nonexistent");
        command.stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn pid(&self) -> u32 {
        self.process.0.id()
    }

    /// What it has written to standard error so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("the log").clone()
    }

    /// Sends it a signal by name, such as TERM.
    pub fn signal(&self, name: &str) {
        signal(name, self.pid());
    }

    /// Sends a signal to it and all its children, as a terminal's Ctrl-C does.
    pub fn signal_group(&self, name: &str) {
        let status = Command::new("kill")
            .args([&format!("-{name}"), "--", &format!("-{}", self.pid())])
            .status();
        assert!(status.is_ok_and(|s| s.success()), "no signal {name}");
    }

    /// Waits until it ends of itself.
    #[track_caller]
    pub fn wait(&mut self, deadline: Duration) -> ExitStatus {
        eventually(deadline, || self.process.ended());
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the rest of its log");
        }
        self.process.0.wait().expect("its status")
    }
}

impl Process {
    fn ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended() {
            return;
        }
        // It may have started a Redis: a polite end first, so that nothing stays behind.
        signal("TERM", self.0.id());
        if !holds_within(PATIENCE, || self.ended()) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

impl Deref for Program {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

/// Sends a signal to one process, which must be a child of ours.
pub fn signal(name: &str, pid: u32) {
    let status = Command::new("kill")
        .args([&format!("-{name}"), &pid.to_string()])
        .stderr(Stdio::null())
        .status();
    assert!(status.is_ok_and(|s| s.success()), "no signal {name} to {pid}");
}

fn collect(stderr: impl Read, log: &Mutex<String>) {
    let mut lines = BufReader::new(stderr);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
        let text = String::from_utf8_lossy(&line).into_owned();
        log.lock().expect("the log").push_str(&text);
        line.clear();
    }
}

/// From the line `ptg-store 0.1.0 listens on http://127.0.0.1:41234`.
fn listening_address(log: &str) -> Option<SocketAddr> {
    let rest = log.split_once("listens on http://")?.1;
    let end = rest.find(char::is_whitespace)?;
    rest[..end].parse().ok()
}
