//! Waiting, as every thread here does it: in ticks, with an eye on progress, never without an end.

use std::io;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, Timespec};

/// How often a thread that waits looks up: for the order to stop, for pings that are due, for a lost partner.
pub const TICK: Duration = Duration::from_millis(500);

/// Stack of a connection's threads, in bytes. Their deepest path is a JSON parse, far below this; only touched pages cost memory.
pub const STACK: usize = 512 << 10;

/// The slowest average pace at which a REST body may come or go, in bytes a second, once `--stall-timeout` has passed.
/// Slower than any network a lab has, and fast enough that nobody holds memory for long.
const SLOWEST_PACE: u64 = 128 << 10;

/// How often the end of a thread is looked for.
const POLL: Duration = Duration::from_millis(5);

/// Whether an error only says that a tick passed.
pub fn is_quiet(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted)
}

/// Waits until one of these is ready, or the time is over; which, they tell themselves.
pub fn poll(fds: &mut [PollFd<'_>], time: Duration) -> io::Result<()> {
    // A wait that is too long for the system to count is as good as endless.
    let time = Timespec::try_from(time).ok();
    match rustix::event::poll(fds, time.as_ref()) {
        Ok(_) => Ok(()),
        // Nothing of the list is filled in then, so nothing is ready.
        Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Tells a peer that is slow from one that has stalled, or only trickles.
pub struct Pace {
    stall: Duration,
    begun: Instant,
    moved: Instant,
    bytes: u64,
}

impl Pace {
    /// Begins now; without a byte for `stall` it is lost.
    pub fn new(stall: Duration) -> Pace {
        Pace {
            stall,
            begun: Instant::now(),
            moved: Instant::now(),
            bytes: 0,
        }
    }

    /// So many bytes came or went, perhaps none.
    pub fn moved(&mut self, bytes: usize) {
        if bytes > 0 {
            self.bytes += bytes as u64;
            self.moved = Instant::now();
        }
    }

    /// For so long it was our fault that nothing moved.
    pub fn excuse(&mut self, time: Duration) {
        self.begun += time;
        self.moved = Instant::now();
    }

    /// Whether there is no more hope.
    pub fn is_lost(&self) -> bool {
        let allowed = self.stall + Duration::from_secs(self.bytes / SLOWEST_PACE);
        self.moved.elapsed() >= self.stall || self.begun.elapsed() > allowed
    }

    /// The limits, for a message.
    pub fn limits(&self) -> String {
        format!(
            "{} without a byte (--stall-timeout), or {SLOWEST_PACE} bytes a second",
            crate::words::units::Span(self.stall)
        )
    }
}

/// Waits for a thread to end; one that has not by `deadline` is left behind, which only happens when the program ends.
pub fn join_by<T>(thread: JoinHandle<T>, deadline: Instant) {
    while !thread.is_finished() {
        if Instant::now() >= deadline {
            log::warn!("the thread {} does not end", thread.thread().name().unwrap_or("-"));
            return;
        }
        std::thread::sleep(POLL);
    }
    let _ = thread.join();
}
