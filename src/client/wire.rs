//! A TCP connection to a store. It never waits by itself: what waits looks for Ctrl-C and keeps its deadline.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, unbounded};
use ptg_store::net::wait::{Pace, is_quiet, poll};
use rustix::event::{PollFd, PollFlags};

use super::{Failure, Interrupted, Store, TICK};

/// How much is read at once.
const STEP: usize = 64 << 10;

/// A connection.
pub struct Wire {
    stream: TcpStream,
    interrupted: Interrupted,
    pace: Pace,
    patience: Duration,
    /// Bytes that came and were not used yet.
    pub buffer: Vec<u8>,
}

impl Wire {
    /// Connects, with whichever address of the host answers first.
    pub fn connect(store: &Store) -> Result<Wire, Failure> {
        let unreachable =
            |cause: String| Failure::Lost(format!("the store at {} cannot be reached: {cause}", store.host()));
        let stream = connect(store.host(), store.patience, &store.interrupted)?
            .and_then(|stream| {
                stream.set_nodelay(true)?;
                stream.set_nonblocking(true)?;
                Ok(stream)
            })
            .map_err(|error| unreachable(error.to_string()))?;
        Ok(Wire {
            stream,
            interrupted: store.interrupted.clone(),
            pace: Pace::new(store.patience),
            patience: store.patience,
            buffer: Vec::new(),
        })
    }

    /// Sends all of it.
    pub fn send(&mut self, mut bytes: &[u8]) -> Result<(), Failure> {
        self.pace = Pace::new(self.patience);
        while !bytes.is_empty() {
            match (&self.stream).write(bytes) {
                Ok(count) => {
                    self.pace.moved(count);
                    bytes = &bytes[count..];
                }
                Err(error) if is_quiet(&error) => self.wait(PollFlags::OUT)?,
                Err(error) => return Err(broke(&error)),
            }
        }
        self.pace = Pace::new(self.patience);
        Ok(())
    }

    /// Reads something more into the buffer; false if nothing more comes.
    pub fn read(&mut self) -> Result<bool, Failure> {
        loop {
            let length = self.buffer.len();
            self.buffer.resize(length + STEP, 0);
            let read = (&self.stream).read(&mut self.buffer[length..]);
            self.buffer.truncate(length + *read.as_ref().unwrap_or(&0));
            match read {
                Ok(count) => {
                    self.pace.moved(count);
                    return Ok(count > 0);
                }
                Err(error) if is_quiet(&error) => self.wait(PollFlags::IN)?,
                Err(error) => return Err(broke(&error)),
            }
        }
    }

    /// The stream, and what was read from it and not used.
    pub fn into_parts(self) -> (TcpStream, Vec<u8>) {
        (self.stream, self.buffer)
    }

    /// Waits for a tick at most; an error once the store is hopelessly slow.
    fn wait(&self, what: PollFlags) -> Result<(), Failure> {
        self.interrupted.check()?;
        if self.pace.is_lost() {
            return Err(Failure::Lost(format!(
                "the store does not answer: it took or sent nothing for {:?}, or hardly anything",
                self.patience
            )));
        }
        poll(&mut [PollFd::new(&self.stream, what)], TICK).map_err(|error| broke(&error))
    }
}

/// The failure of a connection that broke.
pub fn broke(error: &io::Error) -> Failure {
    Failure::Lost(format!("the connection to the store broke: {error}"))
}

/// Neither looking up a name nor connecting can be interrupted, so a thread does both. It ends by itself, in time.
fn connect(host: &str, patience: Duration, interrupted: &Interrupted) -> Result<io::Result<TcpStream>, Failure> {
    let (sender, receiver) = unbounded();
    let name = host.to_string();
    thread::Builder::new()
        .name("connect".into())
        // Nobody may be there any more to take it.
        .spawn(move || drop(sender.send(first_that_answers(&name, patience))))
        .map_err(|error| Failure::Here(format!("cannot start a thread: {error}")))?;
    let until = Instant::now() + patience;
    loop {
        interrupted.check()?;
        match receiver.recv_timeout(TICK) {
            Ok(connected) => return Ok(connected),
            Err(RecvTimeoutError::Timeout) if Instant::now() < until => {}
            Err(_) => return Ok(Err(io::ErrorKind::TimedOut.into())),
        }
    }
}

fn first_that_answers(host: &str, patience: Duration) -> io::Result<TcpStream> {
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "its name has no address");
    for address in host.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, patience) {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}
