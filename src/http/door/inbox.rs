//! Bytes that arrived on a connection and were not used yet.

use std::io::Read;
use std::net::TcpStream;
use std::sync::Arc;

use log::warn;

use crate::net::wait::is_quiet;

/// How much is read at once: enough for any head, and a fair piece of a body.
const CHUNK: usize = 64 << 10;

/// The receiving side of a connection, with what it received ahead.
pub struct Inbox {
    stream: Arc<TcpStream>,
    buffer: Vec<u8>,
    /// How much of the buffer was used already.
    used: usize,
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
            used: 0,
        }
    }

    /// What is there.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.used..]
    }

    /// Forgets the first bytes.
    pub fn skip(&mut self, count: usize) {
        self.used += count;
        // An idle connection keeps no buffer.
        if self.used == self.buffer.len() {
            self.take_all();
        }
    }

    /// Takes everything away.
    pub fn take_all(&mut self) -> Vec<u8> {
        let mut all = std::mem::take(&mut self.buffer);
        all.drain(..std::mem::take(&mut self.used));
        all
    }

    /// Waits at most a tick for at most `most` more bytes.
    pub fn more(&mut self, most: usize) -> More {
        // What was used is dropped here and not in `skip`, because a body may be used in very small pieces.
        self.buffer.drain(..std::mem::take(&mut self.used));
        let length = self.buffer.len();
        let most = most.min(CHUNK);
        if let Err(error) = self.buffer.try_reserve(most) {
            warn!("a connection is given up: {error}");
            return More::End;
        }
        self.buffer.resize(length + most, 0);
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
