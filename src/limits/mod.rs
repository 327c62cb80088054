//! Things that there are only so many of, shared by all threads: ways through a gate, bytes of a budget, each given back when
//! dropped; and how often something may be done.

pub mod metrics;
mod rate_limit;

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use self::metrics::{Counter, Metrics};
pub use self::rate_limit::RateLimit;

/// How long a REST body or reply waits for others to give back what they hold of their common memory. Without waiting, all
/// who come together would refuse each other; the first to give up makes room for the rest.
pub const ROOM_PATIENCE: Duration = Duration::from_secs(1);

/// What is not larger than this, in bytes, is not counted: of messages and replies so small there are never many in memory.
pub const UNCOUNTED: usize = 64 << 10;

/// Lets a limited number in at once.
pub struct Gate {
    free: Mutex<usize>,
    freed: Condvar,
}

/// A way through a gate, given back when dropped.
pub struct Pass<'a>(&'a Gate);

impl Gate {
    /// A gate for `limit` at once.
    pub fn new(limit: usize) -> Gate {
        Gate {
            free: Mutex::new(limit),
            freed: Condvar::new(),
        }
    }

    /// Waits for a way through; none if that takes longer than `patience`.
    pub fn enter(&self, patience: Duration) -> Option<Pass<'_>> {
        let waited = self
            .freed
            .wait_timeout_while(lock(&self.free), patience, |free| *free == 0);
        let (mut free, _) = waited.unwrap_or_else(|poisoned| poisoned.into_inner());
        *free = free.checked_sub(1)?;
        Some(Pass(self))
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        *lock(&self.0.free) += 1;
        self.0.freed.notify_one();
    }
}

/// Memory that many share: all REST bodies and replies, or all messages of WebSockets.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    used: Mutex<usize>,
    freed: Condvar,
    /// How many wait for room. Waking nobody would cost a call of the system each time.
    waiting: AtomicUsize,
    metrics: Arc<Metrics>,
    /// Where its use shows.
    gauge: fn(&Metrics) -> &Counter,
}

/// A part of the budget, given back when dropped.
#[derive(Debug)]
pub struct Reservation {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    /// A budget of `limit` bytes, whose use shows in the metrics.
    pub fn new(limit: usize, metrics: Arc<Metrics>, gauge: fn(&Metrics) -> &Counter) -> Arc<Budget> {
        Arc::new(Budget {
            limit,
            used: Mutex::new(0),
            freed: Condvar::new(),
            waiting: AtomicUsize::new(0),
            metrics,
            gauge,
        })
    }

    /// All of it, in bytes.
    pub fn limit(&self) -> usize {
        self.limit
    }

    fn fits(&self, used: usize, more: usize) -> bool {
        more <= self.limit.saturating_sub(used)
    }

    fn show(&self, used: usize) {
        (self.gauge)(&self.metrics).set(used as u64);
    }

    /// A part of nothing yet.
    pub fn reserve_nothing(self: &Arc<Self>) -> Reservation {
        Reservation {
            budget: self.clone(),
            bytes: 0,
        }
    }
}

impl Reservation {
    /// All of the budget, in bytes.
    pub fn limit(&self) -> usize {
        self.budget.limit
    }

    /// How much it is.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes more; false, and nothing is taken, if the budget does not have it.
    pub fn grow(&mut self, bytes: usize) -> bool {
        let budget = self.budget.clone();
        let used = lock(&budget.used);
        let fits = budget.fits(*used, bytes);
        if fits {
            self.add(used, bytes);
        }
        fits
    }

    /// The same, but waits for others to give back what they have.
    pub fn grow_within(&mut self, bytes: usize, patience: Duration) -> bool {
        if self.grow(bytes) {
            return true;
        }
        let budget = self.budget.clone();
        budget.waiting.fetch_add(1, SeqCst);
        let full = |used: &mut usize| !budget.fits(*used, bytes);
        let waited = budget.freed.wait_timeout_while(lock(&budget.used), patience, full);
        let (used, _) = waited.unwrap_or_else(|poisoned| poisoned.into_inner());
        budget.waiting.fetch_sub(1, SeqCst);
        let fits = budget.fits(*used, bytes);
        if fits {
            self.add(used, bytes);
        }
        fits
    }

    /// Takes more even if the budget does not have it: for what is in memory already.
    pub fn take(&mut self, bytes: usize) {
        let budget = self.budget.clone();
        self.add(lock(&budget.used), bytes);
    }

    fn add(&mut self, mut used: MutexGuard<'_, usize>, bytes: usize) {
        *used += bytes;
        self.bytes += bytes;
        self.budget.show(*used);
    }

    /// Gives back all but so much.
    pub fn shrink_to(&mut self, bytes: usize) {
        let surplus = self.bytes.saturating_sub(bytes);
        let mut used = lock(&self.budget.used);
        *used -= surplus;
        self.bytes -= surplus;
        self.budget.show(*used);
        if self.budget.waiting.load(SeqCst) > 0 {
            self.budget.freed.notify_all();
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

/// No invariant of ours can be broken half-way by a panic, so a poisoned lock is as good as any.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
