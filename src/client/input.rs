//! Files and pipes to read from, without waiting: what waits has the store to see to meanwhile.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use ptg_store::net::wait::poll;
use rustix::event::{PollFd, PollFlags};
use rustix::fs::OFlags;

/// How much is read at once.
const STEP: usize = 64 << 10;

/// An open file, pipe or terminal.
pub struct Input(File);

/// What reading brought.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Arrival {
    /// So many bytes.
    Bytes(usize),
    /// Nothing for now.
    NotYet,
    /// Nothing any more.
    End,
}

impl Input {
    /// Standard input.
    pub fn stdin() -> io::Result<Input> {
        Ok(Input(File::from(io::stdin().as_fd().try_clone_to_owned()?)))
    }

    /// A file. A pipe that has no writer yet has nothing for now, until there was one.
    pub fn open(path: &Path) -> io::Result<Input> {
        // Without this, opening such a pipe would wait for its writer, and see to nothing else.
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        if file.metadata()?.is_dir() {
            return Err(io::Error::new(ErrorKind::IsADirectory, "it is a folder"));
        }
        Ok(Input(file))
    }

    /// Appends what is there, but no more than one step of it.
    pub fn read(&mut self, buffer: &mut Vec<u8>) -> io::Result<Arrival> {
        let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
        poll(&mut fds, Duration::ZERO)?;
        if fds[0].revents().is_empty() {
            return Ok(Arrival::NotYet);
        }
        let length = buffer.len();
        buffer.resize(length + STEP, 0);
        let read = self.0.read(&mut buffer[length..]);
        buffer.truncate(length + *read.as_ref().unwrap_or(&0));
        match read {
            Ok(0) => Ok(Arrival::End),
            Ok(count) => Ok(Arrival::Bytes(count)),
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => Ok(Arrival::NotYet),
            Err(error) => Err(error),
        }
    }

    /// Waits for something to read, for so long at most.
    pub fn wait(&self, time: Duration) -> io::Result<()> {
        poll(&mut [PollFd::new(&self.0, PollFlags::IN)], time)
    }

    /// The file itself.
    pub fn file(&self) -> &File {
        &self.0
    }
}

impl From<File> for Input {
    fn from(file: File) -> Input {
        Input(file)
    }
}

impl AsFd for Input {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
