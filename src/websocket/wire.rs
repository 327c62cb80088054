//! The TCP stream under a WebSocket, shared by the thread that reads it and the one that writes it.
//! It keeps the time: how long the peer has been silent, and how long it has taken nothing.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::net::{RecvFlags, recv};

use crate::context::Context;
use crate::limits::lock;
use crate::wait::is_quiet;

/// One handle on the stream. All handles of a stream share what they know.
pub struct Wire {
    shared: Arc<Shared>,
    /// Whether reading waits for a tick, or takes only what is there.
    waits: bool,
    /// When reading ends at the latest, however much still comes.
    until: Instant,
}

struct Shared {
    stream: Arc<TcpStream>,
    /// Held for a whole write, so that frames of two threads never mix.
    writing: Mutex<()>,
    stall: Duration,
    begun: Instant,
    /// When the peer last sent or took something, in milliseconds since `begun`.
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
        Wire::on(Arc::new(shared))
    }

    /// Another handle on the same stream.
    pub fn share(&self) -> Wire {
        Wire::on(self.shared.clone())
    }

    fn on(shared: Arc<Shared>) -> Wire {
        Wire {
            shared,
            waits: true,
            until: Instant::now(),
        }
    }

    /// From now on reading waits for what comes, for so long in all.
    pub fn wait_for(&mut self, time: Duration) {
        (self.waits, self.until) = (true, Instant::now() + time);
    }

    /// From now on reading takes what is there already, and stops after so long even if more keeps coming.
    pub fn take_for(&mut self, time: Duration) {
        (self.waits, self.until) = (false, Instant::now() + time);
    }

    /// How long the peer has neither sent nor taken a byte.
    pub fn silent_for(&self) -> Duration {
        let heard = Duration::from_millis(self.shared.heard.load(Relaxed));
        self.shared.begun.elapsed().saturating_sub(heard)
    }

    /// The stream itself.
    pub fn stream(&self) -> &TcpStream {
        &self.shared.stream
    }
}

impl Shared {
    fn hear(&self) {
        self.heard.store(self.begun.elapsed().as_millis() as u64, Relaxed);
    }
}

impl Read for Wire {
    /// tungstenite reads until a message is whole, so the end of a wait is kept here: a message may trickle in for ever.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if Instant::now() >= self.until {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = match self.waits {
            true => (&*self.shared.stream).read(buffer)?,
            false => recv(&*self.shared.stream, buffer, RecvFlags::DONTWAIT)?.0,
        };
        self.shared.hear();
        Ok(count)
    }
}

impl Write for Wire {
    /// Writes all of it, because what tungstenite gives is whole frames. A peer that takes nothing for too long is lost.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let shared = &*self.shared;
        let _alone = lock(&shared.writing);
        let mut written = 0;
        let mut moved = Instant::now();
        while written < bytes.len() {
            match (&*shared.stream).write(&bytes[written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    // What the system takes at once says nothing of the peer, but room that it makes later does.
                    if written > 0 {
                        shared.hear();
                    }
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
