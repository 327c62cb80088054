//! Standard error as a user sees it: sentences, and on a terminal one line of progress below them. Whatever a store, a file's
//! name or an argument put into a sentence, it stays one line of plain characters.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use ptg_store::words::visible;
use rustix::termios::tcgetwinsize;

/// How often the progress line changes.
const REFRESH: Duration = Duration::from_millis(250);

/// Goes back to the beginning of the line and clears it (ECMA-48).
const CLEAR_LINE: &str = "\r\x1b[K";

/// Where a command talks to its user. It ends with a clean line.
pub struct Console {
    command: &'static str,
    quiet: bool,
    terminal: bool,
    /// When the progress line was last written, if it is there.
    shown: Option<Instant>,
}

impl Console {
    /// For this command; a quiet one says nothing but why it failed.
    pub fn new(command: &'static str, quiet: bool) -> Console {
        Console {
            command,
            quiet,
            // A dumb one cannot clear its line.
            terminal: std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb"),
            shown: None,
        }
    }

    /// Says something, unless it is to be quiet.
    pub fn say(&mut self, sentence: &str) {
        if !self.quiet {
            self.complain(sentence);
        }
    }

    /// Says what must be said.
    pub fn complain(&mut self, sentence: &str) {
        self.write(&visible::line(sentence));
    }

    /// The same of several lines.
    pub fn complain_in_lines(&mut self, lines: &str) {
        self.write(&visible::lines(lines));
    }

    fn write(&mut self, text: &str) {
        self.clear();
        // Where nobody listens, nothing can be said.
        let _ = writeln!(std::io::stderr(), "ptg-store {}: {text}", self.command);
    }

    /// Whether it says only what must be said.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Whether somebody sits there who wants to know how it goes.
    pub fn is_watched(&self) -> bool {
        self.terminal && !self.quiet
    }

    /// Shows the progress, now and then, if there is a terminal.
    pub fn progress(&mut self, line: impl FnOnce() -> String) {
        let due = self.shown.is_none_or(|shown| shown.elapsed() >= REFRESH);
        if self.is_watched() && due {
            self.shown = Some(Instant::now());
            let mut stderr = std::io::stderr();
            let _ = write!(stderr, "{CLEAR_LINE}{}", fitting(&visible::line(&line()))).and_then(|()| stderr.flush());
        }
    }

    /// Takes the progress line away.
    pub fn clear(&mut self) {
        if self.shown.take().is_some() {
            let _ = write!(std::io::stderr(), "{CLEAR_LINE}");
        }
    }
}

/// As much of a line as the terminal shows in one: of a longer one, the rest would stay when it is cleared.
fn fitting(line: &str) -> String {
    match tcgetwinsize(std::io::stderr()) {
        Ok(size) if size.ws_col > 0 => line.chars().take(usize::from(size.ws_col) - 1).collect(),
        _ => line.to_owned(),
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        self.clear();
    }
}
