//! What every thread shares, in one `Arc`: configuration, store, sign-in, counters, and the order to stop.

use std::collections::HashMap;
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use crate::auth::Auth;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::store::Store;

/// How often a thread that waits looks up: for the order to stop, for pings that are due, for a lost partner.
pub const TICK: Duration = Duration::from_millis(500);

/// Requests that may be with tiny_http at once, for each worker: one at work and some in line.
/// Each costs a thread and three descriptors there, so the others wait outside.
const HAND_OVERS_PER_WORKER: usize = 4;

/// What every thread shares.
#[allow(missing_docs)]
pub struct Context {
    pub config: Config,
    pub store: Arc<Store>,
    pub auth: Auth,
    pub metrics: Arc<Metrics>,
    pub connections: Connections,
    pub sockets: AtomicUsize,
    pub bodies: Budget,
    pub hand_overs: Gate,
    pub activity: Mutex<Option<Snapshot>>,
    /// The private socket on which tiny_http listens.
    pub rest_socket: PathBuf,
    stopping: OnceLock<Instant>,
}

impl Context {
    /// Everything shared, nothing started.
    pub fn new(config: Config, store: Arc<Store>, metrics: Arc<Metrics>, rest_socket: PathBuf) -> Context {
        Context {
            auth: Auth::development(config.token_life),
            connections: Connections::default(),
            sockets: AtomicUsize::new(0),
            bodies: Budget {
                limit: config.limits.max_bodies.0,
                used: Mutex::new(0),
            },
            hand_overs: Gate {
                free: Mutex::new(config.rest_workers * HAND_OVERS_PER_WORKER),
                freed: Condvar::new(),
            },
            activity: Mutex::new(None),
            stopping: OnceLock::new(),
            config,
            store,
            metrics,
            rest_socket,
        }
    }

    /// Orders everything to stop.
    pub fn stop(&self) {
        let _ = self.stopping.set(Instant::now());
    }

    /// Whether everything is to stop.
    pub fn stopping(&self) -> bool {
        self.stopping.get().is_some()
    }

    /// How long ago the order to stop was given, if it was.
    pub fn stopping_for(&self) -> Option<Duration> {
        self.stopping.get().map(Instant::elapsed)
    }

    /// Takes one of the places for WebSockets; none if all are taken.
    pub fn take_socket(&self) -> Option<Place<'_>> {
        Place::take(&self.sockets, self.config.limits.max_sockets)
    }
}

/// What all streams did lately, as JSON, kept for all the pages that ask.
pub struct Snapshot {
    /// The reply's body.
    pub body: Vec<u8>,
    /// When it is to be made anew.
    pub stale: Instant,
}

/// One of a limited number of places, given back when dropped.
pub struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(taken: &'a AtomicUsize, limit: usize) -> Option<Place<'a>> {
        let one_more = |count| (count < limit).then_some(count + 1);
        taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more).ok()?;
        Some(Place(taken))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The TCP connections that are open, so that stopping can wait for them and end those that linger.
#[derive(Default)]
pub struct Connections {
    open: Mutex<(u64, HashMap<u64, Arc<TcpStream>>)>,
    closed: Condvar,
}

impl Connections {
    /// Adds a connection and returns its number; none if there are `limit` already.
    pub fn add(&self, stream: Arc<TcpStream>, limit: usize) -> Option<u64> {
        let mut open = lock(&self.open);
        if open.1.len() >= limit {
            return None;
        }
        open.0 += 1;
        let number = open.0;
        open.1.insert(number, stream);
        Some(number)
    }

    /// Forgets a connection that has ended.
    pub fn remove(&self, number: u64) {
        lock(&self.open).1.remove(&number);
        self.closed.notify_all();
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        lock(&self.open).1.len()
    }

    /// Waits until none is open; false if that takes longer than `patience`.
    pub fn wait_for_none(&self, patience: Duration) -> bool {
        let open = lock(&self.open);
        let waited = self
            .closed
            .wait_timeout_while(open, patience, |open| !open.1.is_empty());
        waited.map(|(open, _)| open.1.is_empty()).unwrap_or(false)
    }

    /// Ends what is open, whatever it is doing.
    pub fn break_all(&self) {
        for stream in lock(&self.open).1.values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Lets a limited number in; the others wait.
pub struct Gate {
    free: Mutex<usize>,
    freed: Condvar,
}

/// A way through a gate, given back when dropped.
pub struct Pass<'a>(&'a Gate);

impl Gate {
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

/// Memory that all REST bodies and replies share.
pub struct Budget {
    limit: usize,
    used: Mutex<usize>,
}

/// A part of the budget, given back when dropped.
pub struct Reservation {
    context: Arc<Context>,
    bytes: usize,
}

impl Reservation {
    /// A part of nothing yet.
    pub fn none(context: &Arc<Context>) -> Reservation {
        Reservation {
            context: context.clone(),
            bytes: 0,
        }
    }

    /// Takes more; false, and nothing is taken, if the budget does not have it.
    pub fn grow(&mut self, bytes: usize) -> bool {
        let budget = &self.context.bodies;
        let mut used = lock(&budget.used);
        if *used + bytes > budget.limit {
            return false;
        }
        *used += bytes;
        self.bytes += bytes;
        self.context.metrics.body_bytes.set(*used as u64);
        true
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut used = lock(&self.context.bodies.used);
        *used -= self.bytes;
        self.context.metrics.body_bytes.set(*used as u64);
    }
}

/// No invariant of ours can be broken half-way by a panic, so a poisoned lock is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
