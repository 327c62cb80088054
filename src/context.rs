//! What every thread shares, in one `Arc`: configuration, store, sign-in, counters, and the order to stop.

use std::collections::HashMap;
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::{Duration, Instant};

use crate::auth::Auth;
use crate::config::Config;
use crate::limits::{Budget, Gate, lock};
use crate::metrics::Metrics;
use crate::store::Store;

/// Requests that may be with tiny_http at once, for each worker: one at work and some in line.
/// Each costs a thread and three descriptors there, so the others wait outside.
pub const HAND_OVERS_PER_WORKER: usize = 4;

/// What every thread shares.
#[allow(missing_docs)]
pub struct Context {
    pub config: Config,
    pub store: Arc<Store>,
    pub auth: Auth,
    pub metrics: Arc<Metrics>,
    pub connections: Connections,
    pub sockets: Gate,
    pub bodies: Arc<Budget>,
    pub messages: Arc<Budget>,
    pub hand_overs: Gate,
    pub activity: Activity,
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
            sockets: Gate::new(config.limits.max_sockets),
            bodies: Budget::new(config.limits.max_bodies.0, metrics.clone(), |metrics| {
                &metrics.body_bytes
            }),
            messages: Budget::new(config.limits.max_messages.0, metrics.clone(), |metrics| {
                &metrics.message_bytes
            }),
            hand_overs: Gate::new(config.rest_workers * HAND_OVERS_PER_WORKER),
            activity: Activity::default(),
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
}

/// The latest snapshot of all streams, and the right to make the next.
#[derive(Default)]
#[allow(missing_docs)]
pub struct Activity {
    pub snapshot: Mutex<Option<Snapshot>>,
    pub looking: Mutex<()>,
}

/// What all streams did lately, as JSON, kept for all the pages that ask.
pub struct Snapshot {
    /// The reply's body.
    pub body: Vec<u8>,
    /// When it is to be made anew.
    pub stale: Instant,
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
