//! A client command that runs beside the test, and recordings as a test reads them.

use std::path::Path;
use std::process::{Child, Output};
use std::time::Duration;

use ptg_store::ids::StreamId;
use ptg_store::recording::{Recording, check};

use super::{Client, PATIENCE, Program, holds_within, signal};

/// Killed when it goes out of scope.
pub struct Running(Option<Child>);

impl Running {
    /// Starts a command against this store.
    #[track_caller]
    pub fn start(store: &Client, arguments: &[&str]) -> Self {
        let mut command = Program::command(arguments);
        command
            .env("PTG_STORE_URL", store.url(""))
            .env("PTG_STORE_TOKEN", &store.token);
        Self(Some(command.spawn().expect("to start the command")))
    }

    /// Runs one to its end; it must not take long.
    #[track_caller]
    pub fn run(store: &Client, arguments: &[&str]) -> Output {
        Self::start(store, arguments).end(PATIENCE)
    }

    /// Runs one that must do what it is asked; what it says on standard output and standard error.
    #[track_caller]
    pub fn run_well(store: &Client, arguments: &[&str]) -> (String, String) {
        let output = Self::run(store, arguments);
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{arguments:?}: {stdout}{stderr}");
        (stdout, stderr)
    }

    pub fn pid(&self) -> u32 {
        self.0.as_ref().expect("a child").id()
    }

    /// Nobody reads its standard output any more.
    pub fn close_stdout(&mut self) {
        drop(self.0.as_mut().expect("a child").stdout.take());
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.0.as_mut().expect("a child").try_wait(), Ok(None))
    }

    /// Waits until it ends of itself.
    #[track_caller]
    pub fn end(mut self, deadline: Duration) -> Output {
        if !holds_within(deadline, || self.has_ended()) {
            panic!("the command did not end in {deadline:?}");
        }
        let child = self.0.take().expect("a child");
        child.wait_with_output().expect("what it said")
    }

    /// Ctrl-C, and what it says then.
    #[track_caller]
    pub fn interrupt(self) -> Output {
        signal("INT", self.pid());
        self.end(PATIENCE)
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        let mut child = self.0.take().expect("a child");
        child.kill().expect("to kill it");
        child.wait().expect("its end");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What a command said.
#[track_caller]
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// The entries of a recorded stream, and that nothing about it is damaged.
#[track_caller]
pub fn recorded(folder: &Path, stream: &str) -> Vec<(String, Vec<u8>)> {
    let recording = Recording::open(folder).expect("a recording");
    let stream = StreamId::new(stream).expect("a stream's name");
    let report = check(&recording, &stream).expect("a stream of it");
    assert!(report.is_sound(), "{report:?}");
    let mut reader = recording.reader(&stream).expect("to read it");
    let mut entries = Vec::new();
    while let Some(record) = reader.next_record().expect("the next entry") {
        let mut bytes = Vec::new();
        reader.read(record, &mut bytes).expect("its bytes");
        entries.push((record.id.to_string(), bytes));
    }
    entries
}

/// How many entries of a stream are recorded by now; none before there is a recording.
pub fn count_recorded(folder: &Path, stream: &str) -> u64 {
    let Ok(recording) = Recording::open(folder) else {
        return 0;
    };
    let stream = StreamId::new(stream).expect("a stream's name");
    recording.reader(&stream).map_or(0, |reader| reader.tail().records)
}
