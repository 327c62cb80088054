//! Standard output: gathered, and written so that a slow reader does not keep Ctrl-C from being seen.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::fd::AsFd;

use ptg_store::wait::poll;
use rustix::event::{PollFd, PollFlags};

use super::{Failure, Interrupted, TICK};
use std::time::Duration;

/// Bytes that are gathered for one write.
const GATHERED: usize = 64 << 10;

/// What a pipe that is ready takes without waiting: `PIPE_BUF` (pipe(7)).
const READY: usize = 4 << 10;

/// Where a command's result goes. That its reader has gone is `Failure::Unread`.
pub struct Output {
    file: File,
    /// Whether writing to it never waits for somebody, because it is a file on a disk.
    patient: bool,
    gathered: Vec<u8>,
    /// Whether something that was to be written never was.
    torn: bool,
    interrupted: Interrupted,
}

impl Output {
    /// Standard output.
    pub fn stdout(interrupted: &Interrupted) -> Result<Output, Failure> {
        let file = std::io::stdout().as_fd().try_clone_to_owned().map(File::from);
        let file = file.map_err(|error| failed(&error))?;
        let patient = file.metadata().is_ok_and(|about| about.is_file());
        Ok(Output {
            file,
            patient,
            gathered: Vec::new(),
            torn: false,
            interrupted: interrupted.clone(),
        })
    }

    /// Writes something, at the latest with the next `flush`.
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

    /// Writes a line.
    pub fn line(&mut self, line: &(impl AsRef<[u8]> + ?Sized)) -> Result<(), Failure> {
        self.write(line.as_ref())?;
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

    /// Whether something that was to be written never was, so that the end of it is missing.
    pub fn is_torn(&self) -> bool {
        self.torn
    }

    /// `Failure::Unread` if the reader has gone, although there is nothing to write.
    pub fn check_read(&self) -> Result<(), Failure> {
        let mut fds = [PollFd::new(&self.file, PollFlags::empty())];
        match poll(&mut fds, Duration::ZERO) {
            Ok(()) if fds[0].revents().contains(PollFlags::ERR) => Err(Failure::Unread),
            _ => Ok(()),
        }
    }

    fn write_through(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written = self.write_pieces(bytes);
        self.torn |= written.is_err();
        written
    }

    fn write_pieces(&mut self, mut bytes: &[u8]) -> Result<(), Failure> {
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
                Err(error) => return Err(failed(&error)),
            }
        }
        Ok(())
    }

    /// Waits until the reader takes something, or is gone.
    fn wait(&self) -> Result<(), Failure> {
        loop {
            let mut fds = [PollFd::new(&self.file, PollFlags::OUT)];
            poll(&mut fds, TICK).map_err(|error| failed(&error))?;
            if !fds[0].revents().is_empty() {
                return Ok(());
            }
            self.interrupted.check()?;
        }
    }
}

fn failed(error: &std::io::Error) -> Failure {
    Failure::Here(format!("cannot write to standard output: {error}"))
}
