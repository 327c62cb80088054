//! The TCP stream under a WebSocket, or under a reply that stays open. Reading takes what is there; writing waits, and knows when it is hopeless.

use std::io::{self, IoSlice, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::net::sockopt;

use super::stop_order::StopOrder;
use super::wait::{TICK, is_quiet, poll};

/// How long a write may go on after the order to stop.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

/// Bytes that the system takes ahead of a client that only wants the newest entries.
const LITTLE_AHEAD: usize = 128 << 10;

/// A stream that never waits by itself. It belongs to one thread.
pub struct Wire {
    stream: Arc<TcpStream>,
    /// How long the peer may take nothing.
    stall: Duration,
    /// When the peer last sent or took something.
    heard: Instant,
    stop_order: Arc<StopOrder>,
}

impl Wire {
    /// Takes a stream whose peer may take nothing for `stall`, and for less once the order to stop was given.
    pub fn new(stream: Arc<TcpStream>, stall: Duration, stop_order: Arc<StopOrder>) -> Wire {
        Wire {
            stream,
            stall,
            heard: Instant::now(),
            stop_order,
        }
    }

    /// From now on nothing waits but what is asked to.
    pub fn stop_blocking(&self) -> io::Result<()> {
        self.stream.set_nonblocking(true)
    }

    /// How long the peer has neither sent nor taken a byte.
    pub fn silent_for(&self) -> Duration {
        self.heard.elapsed()
    }

    /// The peer sent something.
    pub fn hear(&mut self) {
        self.heard = Instant::now();
    }

    /// The stream itself.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Waits until the stream is ready, for so long at most.
    pub fn wait(&self, what: PollFlags, time: Duration) -> io::Result<()> {
        poll(&mut [PollFd::new(&*self.stream, what)], time)
    }

    /// Writes as much as the peer takes at once.
    pub fn write_now(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match (&*self.stream).write(bytes) {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            Err(error) if is_quiet(&error) => Ok(0),
            other => other,
        }
    }

    /// Writes all of it, however slowly the peer takes it. A peer that takes nothing for so long is lost.
    pub fn write_all(&mut self, mut pieces: &mut [IoSlice<'_>], patience: Duration) -> io::Result<()> {
        let mut moved = Instant::now();
        while pieces.iter().any(|piece| !piece.is_empty()) {
            match (&*self.stream).write_vectored(pieces) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    IoSlice::advance_slices(&mut pieces, count);
                    moved = Instant::now();
                }
                Err(error) if is_quiet(&error) => {
                    if moved.elapsed() >= patience || self.is_stopping_for_long() {
                        return Err(takes_nothing());
                    }
                    self.wait(PollFlags::OUT, TICK.min(patience))?;
                    // What the system takes at once says nothing of the peer, but room that it makes later does.
                    self.heard = self.heard.max(moved);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether writing to a peer that takes nothing has to end.
    pub fn is_stopping_for_long(&self) -> bool {
        self.stop_order.given_for().is_some_and(|since| since > STOP_PATIENCE)
    }

    /// How long the peer may take nothing.
    pub fn stall(&self) -> Duration {
        self.stall
    }

    /// Ends the stream, or only our side of it.
    pub fn end(&self, how: Shutdown) {
        let _ = self.stream.shutdown(how);
    }
}

/// Lets the system take little ahead of the client: what lies there is no longer the newest when the client gets it.
pub fn send_little_ahead(stream: &TcpStream) {
    // Where the system cannot, older entries come now and then.
    let _ = sockopt::set_socket_send_buffer_size(stream, LITTLE_AHEAD);
}

/// The error for a peer that does not read.
pub fn takes_nothing() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the peer takes nothing")
}
