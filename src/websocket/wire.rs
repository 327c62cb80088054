//! The TCP stream under a WebSocket, shared by the thread that reads it and the one that writes it.
//! It keeps the time: how long the peer has been silent, and how long it has taken nothing.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::net::{RecvFlags, recv};

use crate::context::Context;

/// One handle on the stream. All handles of a stream share what they know.
pub struct Wire {
    shared: Arc<Shared>,
    /// Whether reading waits for a tick, or takes only what is there.
    pub waits: bool,
}

struct Shared {
    stream: Arc<TcpStream>,
    /// Held for a whole write, so that frames of two threads never mix.
    writing: Mutex<()>,
    stall: Duration,
    begun: Instant,
    /// When the peer was last heard, in milliseconds since `begun`.
    heard: AtomicU64,
    context: Arc<Context>,
}

/// How long a write may go on after the order to stop.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

impl Wire {
    /// Takes a stream whose timeouts are one tick.
    pub fn new(stream: Arc<TcpStream>, context: &Arc<Context>) -> Wire {
        let shared = Shared {
            stream,
            writing: Mutex::new(()),
            stall: context.config.limits.stall_timeout,
            begun: Instant::now(),
            heard: AtomicU64::new(0),
            context: context.clone(),
        };
        Wire {
            shared: Arc::new(shared),
            waits: true,
        }
    }

    /// Another handle on the same stream.
    pub fn share(&self) -> Wire {
        Wire {
            shared: self.shared.clone(),
            waits: true,
        }
    }

    /// How long the peer has been silent.
    pub fn silent_for(&self) -> Duration {
        let heard = Duration::from_millis(self.shared.heard.load(Relaxed));
        self.shared.begun.elapsed().saturating_sub(heard)
    }

    /// The stream itself.
    pub fn stream(&self) -> &TcpStream {
        &self.shared.stream
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match self.waits {
            true => (&*self.shared.stream).read(buffer)?,
            // The count, and not the bytes at hand, says how many there were before they were cut to the buffer.
            false => recv(&*self.shared.stream, buffer, RecvFlags::DONTWAIT)?.0,
        };
        self.shared
            .heard
            .store(self.shared.begun.elapsed().as_millis() as u64, Relaxed);
        Ok(count)
    }
}

impl Write for Wire {
    /// Writes all of it, because what tungstenite gives is whole frames. A peer that takes nothing for too long is lost.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let shared = &*self.shared;
        let _alone = shared.writing.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut written = 0;
        let mut moved = Instant::now();
        while written < bytes.len() {
            match (&*shared.stream).write(&bytes[written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    written += count;
                    moved = Instant::now();
                }
                Err(error) if is_quiet(&error) => {}
                Err(error) => return Err(error),
            }
            let stopping = shared.context.stopping_for().is_some_and(|since| since > STOP_PATIENCE);
            if moved.elapsed() >= shared.stall || (stopping && written < bytes.len()) {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the peer takes nothing"));
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether an error only says that a tick passed.
pub fn is_quiet(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted)
}
