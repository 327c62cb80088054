//! Somebody who sits at a terminal: what the binary shows there, and what is typed.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::{ChildStdin, Stdio};

use super::{PATIENCE, Running, Shell, eventually};

/// What ends a terminal's input, and what interrupts a command there.
pub const CTRL_D: u8 = 4;
pub const CTRL_C: u8 = 3;

/// A command that runs at a terminal of its own.
pub struct Terminal {
    command: Running,
    keys: ChildStdin,
    /// A file with what was shown.
    screen: PathBuf,
}

impl Terminal {
    /// Starts the binary with these words, which are not quoted.
    #[track_caller]
    pub fn run(shell: &Shell, words: &str) -> Self {
        let screen = shell.home().join("screen");
        // `script` gives it a terminal, and types what it reads.
        let script = format!("exec script -qec '\"$P\" {words}' /dev/null");
        let mut command = shell.script(&script);
        command.stdin(Stdio::piped());
        command.stdout(File::create(&screen).expect("a file"));
        command.env("TERM", "xterm");
        let mut command = Running::start(command);
        let keys = command.stdin();
        Self { command, keys, screen }
    }

    pub fn screen(&self) -> String {
        let screen = std::fs::read(&self.screen).expect("the screen");
        String::from_utf8_lossy(&screen).replace('\r', "")
    }

    /// Waits until this is on the screen.
    #[track_caller]
    pub fn shows(&self, text: &str) {
        eventually(PATIENCE, || self.screen().contains(text));
    }

    #[track_caller]
    pub fn type_in(&mut self, keys: &[u8]) {
        self.keys.write_all(keys).expect("to type");
    }

    /// Waits for its end with this code; all that it showed.
    #[track_caller]
    pub fn ends_with(mut self, code: i32) -> String {
        let ended = self.command.code();
        assert_eq!(ended, Some(code), "{}", self.screen());
        self.screen()
    }
}
