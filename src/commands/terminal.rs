//! The terminal that the user sits at: questions, and answers that are not shown where they are secret.

use std::fs::{File, OpenOptions};
use std::io::Write;

use ptg_store::words::visible;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::client::{Arrival, Failure, Input, Interrupted, TICK};

/// The longest answer, in bytes. Of user names and passwords, stores take 16 KiB for both.
const MAX_ANSWER: usize = 4 << 10;

/// Reads until it ends or is enough.
pub fn read(input: &mut Input, interrupted: &Interrupted, is_enough: fn(&[u8]) -> bool) -> Result<String, Failure> {
    let failed = |error: std::io::Error| Failure::Here(format!("cannot read the answer: {error}"));
    let mut answer = Vec::new();
    while !is_enough(&answer) {
        interrupted.check()?;
        match input.read(&mut answer).map_err(failed)? {
            Arrival::Bytes(_) if answer.len() > MAX_ANSWER => {
                return Err(Failure::Usage(format!("the answer is longer than {MAX_ANSWER} bytes")));
            }
            Arrival::Bytes(_) => {}
            Arrival::NotYet => input.wait(TICK).map_err(failed)?,
            Arrival::End => break,
        }
    }
    String::from_utf8(answer).map_err(|_| Failure::Usage("the answer is not UTF-8".into()))
}

/// The terminal that the user sits at, whatever standard input is.
pub struct Terminal(Input);

/// Whether what is typed is shown.
#[derive(PartialEq)]
pub enum Echo {
    On,
    Off,
}

impl Terminal {
    /// Opens it; without one there is nobody to ask, which is the command line's fault.
    pub fn open() -> Result<Terminal, Failure> {
        let file = OpenOptions::new().read(true).write(true).open("/dev/tty");
        file.map(|file| Terminal(Input::from(file))).map_err(no_terminal)
    }

    /// Asks a question; the answer without its line end, or none if the input ended (Ctrl-D).
    pub fn ask(&mut self, question: &str, echo: Echo, interrupted: &Interrupted) -> Result<Option<String>, Failure> {
        let hidden = match echo {
            Echo::On => None,
            Echo::Off => Some(Hidden::begin(self.0.file()).map_err(no_terminal)?),
        };
        let question = visible::line(question);
        self.0.file().write_all(question.as_bytes()).map_err(no_terminal)?;
        // A terminal gives a line at a time.
        let answer = read(&mut self.0, interrupted, |answer| answer.ends_with(b"\n"));
        let ended = answer.as_ref().is_ok_and(|answer| answer.is_empty());
        if hidden.is_some() || ended {
            // The line end was not shown, or there was none.
            self.0.file().write_all(b"\n").map_err(no_terminal)?;
        }
        let answer = answer?;
        Ok((!answer.is_empty()).then(|| answer.trim_end_matches(['\r', '\n']).to_owned()))
    }
}

fn no_terminal(error: std::io::Error) -> Failure {
    Failure::Usage(format!("there is no terminal to ask at ({error})"))
}

/// A terminal that does not show what is typed, until this goes.
struct Hidden {
    file: File,
    before: Termios,
}

impl Hidden {
    fn begin(terminal: &File) -> std::io::Result<Hidden> {
        let before = tcgetattr(terminal)?;
        let mut quiet = before.clone();
        quiet.local_modes -= LocalModes::ECHO;
        let file = terminal.try_clone()?;
        tcsetattr(&file, OptionalActions::Flush, &quiet)?;
        Ok(Hidden { file, before })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.file, OptionalActions::Now, &self.before);
    }
}
