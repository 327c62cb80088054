//! Somebody at a shell who uses the binary as a client of a store.

use std::io::Write;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::{Client, Program, eventually, holds_within, signal};

/// How long a command may take: a debug build on a busy machine takes its time.
const DEADLINE: Duration = Duration::from_secs(60);

/// A home folder of its own, and where the store is in the environment. Nobody is signed in elsewhere.
pub struct Shell {
    home: TempDir,
    pub url: String,
    pub token: Option<String>,
}

/// A command that runs; killed when it goes out of scope.
pub struct Running {
    child: Option<Child>,
}

impl Shell {
    /// Signed in by the environment.
    pub fn of(store: &Client) -> Self {
        Self {
            home: tempfile::tempdir().expect("a home folder"),
            url: store.url(""),
            token: Some(store.token.clone()),
        }
    }

    /// Somewhere else, not signed in.
    pub fn at(url: &str) -> Self {
        Self {
            home: tempfile::tempdir().expect("a home folder"),
            url: url.to_owned(),
            token: None,
        }
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// A command that reads nothing, not yet started. It works in the home folder.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.set_up(Program::command(arguments))
    }

    /// The same, but of `bash -c`; the binary is `"$P"` there.
    pub fn script(&self, script: &str) -> Command {
        let mut command = Command::new("bash");
        command.args(["-c", script]).env("P", env!("CARGO_BIN_EXE_ptg-store"));
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .stdin(Stdio::null());
        command.env_remove("PTG_STORE_TOKEN");
        self.set_up(command)
    }

    fn set_up(&self, mut command: Command) -> Command {
        command.current_dir(self.home.path());
        command.env("XDG_CONFIG_HOME", self.home.path().join("config"));
        command.env("PTG_STORE_URL", &self.url);
        // Berlin's, as POSIX writes it: not every machine knows the names of time zones.
        command.env("TZ", "CET-1CEST,M3.5.0,M10.5.0/3");
        command.envs(self.token.iter().map(|token| ("PTG_STORE_TOKEN", token)));
        command
    }

    /// Runs a command to its end.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Output {
        Running::start(self.command(arguments)).wait()
    }

    /// Runs a command to its end, with this on its standard input.
    #[track_caller]
    pub fn feed(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped());
        let mut running = Running::start(command);
        let mut stdin = running.stdin();
        std::thread::scope(|scope| {
            // A command that has seen enough ends without reading the rest.
            scope.spawn(move || drop(stdin.write_all(input)));
            running.wait()
        })
    }

    /// Starts a command.
    #[track_caller]
    pub fn start(&self, arguments: &[&str]) -> Running {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped());
        Running::start(command)
    }

    /// Runs a command that must do its work, and what it printed.
    #[track_caller]
    pub fn print(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// The same, and what it said on standard error.
    #[track_caller]
    pub fn do_well(&self, arguments: &[&str]) -> (String, String) {
        let output = self.run(arguments);
        let (printed, said) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {printed}{said}");
        (printed, said)
    }
}

/// What a command printed or said.
#[track_caller]
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

impl Running {
    #[track_caller]
    pub fn start(mut command: Command) -> Self {
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { child: Some(child) }
    }

    fn child(&mut self) -> &mut Child {
        self.child.as_mut().expect("a command that runs")
    }

    pub fn pid(&mut self) -> u32 {
        self.child().id()
    }

    /// Its standard input, which ends when this is dropped.
    pub fn stdin(&mut self) -> ChildStdin {
        self.child().stdin.take().expect("its standard input")
    }

    pub fn signal(&mut self, name: &str) {
        signal(name, self.pid());
    }

    /// Nobody reads its standard output any more.
    pub fn close_stdout(&mut self) {
        drop(self.child().stdout.take());
    }

    /// Ctrl-C, and all that it printed until then.
    #[track_caller]
    pub fn interrupt(mut self) -> Output {
        self.signal("INT");
        self.wait()
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child().try_wait(), Ok(None))
    }

    /// The code that it ended with.
    #[track_caller]
    pub fn code(&mut self) -> Option<i32> {
        eventually(DEADLINE, || self.has_ended());
        self.child().wait().expect("its status").code()
    }

    /// Waits for its end, with all that it printed.
    #[track_caller]
    pub fn wait(mut self) -> Output {
        let child = self.child.take().expect("a command that runs");
        let pid = child.id();
        let reader = std::thread::spawn(move || child.wait_with_output());
        let ended = holds_within(DEADLINE, || reader.is_finished());
        if !ended {
            signal("KILL", pid);
        }
        let output = reader.join().expect("its reader").expect("its output");
        assert!(ended, "it did not end within {DEADLINE:?}: {output:?}");
        output
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
