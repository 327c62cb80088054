//! Things that there are only so many of, shared by all threads: ways through a gate, bytes of a budget.
//! Each is given back when dropped.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use crate::metrics::{Counter, Metrics};

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
            metrics,
            gauge,
        })
    }

    /// All of it, in bytes.
    pub fn limit(&self) -> usize {
        self.limit
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
    /// How much it is.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes more; false, and nothing is taken, if the budget does not have it.
    pub fn grow(&mut self, bytes: usize) -> bool {
        let budget = &self.budget;
        let mut used = lock(&budget.used);
        if bytes > budget.limit - *used {
            return false;
        }
        *used += bytes;
        self.bytes += bytes;
        (budget.gauge)(&budget.metrics).set(*used as u64);
        true
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut used = lock(&self.budget.used);
        *used -= self.bytes;
        (self.budget.gauge)(&self.budget.metrics).set(*used as u64);
    }
}

/// No invariant of ours can be broken half-way by a panic, so a poisoned lock is as good as any.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
