//! Bytes that arrived on a connection and were not used yet.

use std::io::{self, Read};
use std::net::TcpStream;
use std::sync::Arc;

/// How much is read at once: enough for any head, and a fair piece of a body.
const CHUNK: usize = 64 << 10;

/// The receiving side of a connection, with what it received ahead.
pub struct Inbox {
    stream: Arc<TcpStream>,
    buffer: Vec<u8>,
}

/// What came of waiting for bytes.
pub enum More {
    /// Some arrived.
    Some,
    /// None arrived within a tick.
    Quiet,
    /// None will arrive any more.
    End,
}

impl Inbox {
    /// An empty inbox of a stream whose read timeout is one tick.
    pub fn new(stream: Arc<TcpStream>) -> Inbox {
        Inbox {
            stream,
            buffer: Vec::new(),
        }
    }

    /// What is there.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// Takes the first bytes away.
    pub fn take(&mut self, count: usize) -> Vec<u8> {
        let rest = self.buffer.split_off(count);
        std::mem::replace(&mut self.buffer, rest)
    }

    /// Forgets the first bytes.
    pub fn skip(&mut self, count: usize) {
        self.buffer.drain(..count);
        // An idle connection keeps no buffer.
        if self.buffer.is_empty() {
            self.buffer = Vec::new();
        }
    }

    /// Takes everything away.
    pub fn take_all(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.buffer)
    }

    /// Waits at most a tick for at most `most` more bytes.
    pub fn more(&mut self, most: usize) -> More {
        let length = self.buffer.len();
        self.buffer.resize(length + most.min(CHUNK), 0);
        let read = (&*self.stream).read(&mut self.buffer[length..]);
        self.buffer.truncate(length + read.as_ref().copied().unwrap_or(0));
        match read {
            Ok(0) => More::End,
            Ok(_) => More::Some,
            Err(error) if is_quiet(&error) => More::Quiet,
            Err(_) => More::End,
        }
    }
}

/// Whether an error only says that a timeout passed.
pub fn is_quiet(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted)
}
