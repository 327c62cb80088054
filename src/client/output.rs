//! Standard output: gathered, and written so that a slow reader does not keep Ctrl-C from being seen. In a pipe or a file what
//! is written is there to the byte; on a terminal it is made visible, but for `write`.

use std::fs::File;
use std::io::{ErrorKind, IsTerminal, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use ptg_store::net::wait::poll;
use ptg_store::words::visible;
use rustix::event::{PollFd, PollFlags};

use super::{Failure, Interrupted, TICK};

/// Bytes that are gathered for one write.
const GATHERED: usize = 64 << 10;

/// What a pipe that is ready takes without waiting: `PIPE_BUF` (pipe(7)).
const READY: usize = 4 << 10;

/// Where a command's result goes. That its reader has gone is `Failure::Unread`.
pub struct Output {
    file: File,
    /// Whether writing to it never waits for somebody, because it is a file on a disk.
    patient: bool,
    terminal: bool,
    gathered: Vec<u8>,
    interrupted: Interrupted,
}

impl Output {
    /// Standard output.
    pub fn stdout(interrupted: &Interrupted) -> Result<Output, Failure> {
        let file = std::io::stdout().as_fd().try_clone_to_owned().map(File::from);
        let file = file.map_err(|error| unwritable(&error))?;
        let patient = file.metadata().is_ok_and(|about| about.is_file());
        Ok(Output {
            file,
            patient,
            terminal: std::io::stdout().is_terminal(),
            gathered: Vec::new(),
            interrupted: interrupted.clone(),
        })
    }

    /// Writes bytes as they are, at the latest with the next `flush`.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if self.gathered.len() + bytes.len() > GATHERED {
            self.flush()?;
        }
        if bytes.len() > GATHERED {
            return self.write_through(bytes);
        }
        self.gathered.extend_from_slice(bytes);
        Ok(())
    }

    /// Writes a text that may have several lines.
    pub fn text(&mut self, text: &str) -> Result<(), Failure> {
        match self.terminal {
            true => self.write(visible::lines(text).as_bytes()),
            false => self.write(text.as_bytes()),
        }
    }

    /// Writes a line.
    pub fn line(&mut self, line: &str) -> Result<(), Failure> {
        match self.terminal {
            true => self.write(visible::line(line).as_bytes())?,
            false => self.write(line.as_bytes())?,
        }
        self.write(b"\n")
    }

    /// Writes a line of JSON.
    pub fn json(&mut self, line: &[u8]) -> Result<(), Failure> {
        match str::from_utf8(line) {
            Ok(text) if self.terminal => self.write(visible::json(text).as_bytes())?,
            _ => self.write(line)?,
        }
        self.write(b"\n")
    }

    /// Writes what was gathered.
    pub fn flush(&mut self) -> Result<(), Failure> {
        let gathered = std::mem::take(&mut self.gathered);
        let written = self.write_through(&gathered);
        self.gathered = gathered;
        self.gathered.clear();
        written
    }

    /// `Failure::Unread` if the reader has gone, although there is nothing to write.
    pub fn check_read(&self) -> Result<(), Failure> {
        let mut fds = [PollFd::new(&self.file, PollFlags::empty())];
        match poll(&mut fds, Duration::ZERO) {
            Ok(()) if fds[0].revents().contains(PollFlags::ERR) => Err(Failure::Unread),
            _ => Ok(()),
        }
    }

    fn write_through(&mut self, mut bytes: &[u8]) -> Result<(), Failure> {
        while !bytes.is_empty() {
            let piece = match self.patient {
                true => bytes,
                false => {
                    self.wait()?;
                    &bytes[..bytes.len().min(READY)]
                }
            };
            match self.file.write(piece) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Err(Failure::Unread),
                Err(error) => return Err(unwritable(&error)),
            }
        }
        Ok(())
    }

    /// Waits until the reader takes something, or is gone.
    fn wait(&self) -> Result<(), Failure> {
        loop {
            let mut fds = [PollFd::new(&self.file, PollFlags::OUT)];
            poll(&mut fds, TICK).map_err(|error| unwritable(&error))?;
            if !fds[0].revents().is_empty() {
                return Ok(());
            }
            self.interrupted.check()?;
        }
    }
}

/// The failure of a command whose result cannot be written.
pub fn unwritable(error: &std::io::Error) -> Failure {
    Failure::Here(format!("cannot write to standard output: {error}"))
}
