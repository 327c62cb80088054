//! What every thread shares, in one `Arc`: configuration, store, sign-in, counters, and the order to stop.

use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::value::RawValue;

use crate::limits::metrics::{Counter, Metrics};
use crate::limits::{Budget, Gate, RateLimit, lock};
use crate::net::stop_order::StopOrder;
use crate::net::wire::Wire;
use crate::request::auth::Auth;
use crate::state::config::Config;
use crate::state::connections::Connections;
use crate::store::{Looks, Storage, Store};

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
    pub lines: Lines,
    pub activity: Activity,
    /// The private socket on which tiny_http listens.
    pub rest_socket: PathBuf,
    stop_order: Arc<StopOrder>,
}

impl Context {
    /// Everything shared, nothing started.
    pub fn new(config: Config, store: Arc<Store>, metrics: Arc<Metrics>, rest_socket: PathBuf) -> Context {
        Context {
            auth: Auth::development(config.token_life),
            connections: Connections::new(&config.limits, metrics.clone()),
            sockets: Gate::new(config.limits.max_sockets),
            bodies: Budget::new(config.limits.max_bodies.0, metrics.clone(), |metrics| {
                &metrics.body_bytes
            }),
            messages: Budget::new(config.limits.max_messages.0, metrics.clone(), |metrics| {
                &metrics.message_bytes
            }),
            lines: Lines::new(config.rest_workers),
            activity: Activity::default(),
            stop_order: Arc::default(),
            config,
            store,
            metrics,
            rest_socket,
        }
    }

    /// A client's stream, which gives up sooner once everything is to stop.
    pub fn wire(&self, stream: Arc<TcpStream>) -> Wire {
        Wire::new(stream, self.config.limits.stall_timeout, self.stop_order.clone())
    }

    /// Orders everything to stop.
    pub fn stop(&self) {
        self.stop_order.give();
    }

    /// What was done through this store so far.
    pub fn done(&self) -> Done {
        let entries = &self.metrics.entries_in;
        Done {
            changes: self.activity.changes.get(),
            entries: entries.socket.get() + entries.rest.get(),
        }
    }

    /// Whether everything is to stop.
    pub fn stopping(&self) -> bool {
        self.stopping_for().is_some()
    }

    /// How long ago the order to stop was given, if it was.
    pub fn stopping_for(&self) -> Option<Duration> {
        self.stop_order.given_for()
    }
}

/// The latest snapshot of all streams, and the right to make the next, with what the looks before remember.
#[derive(Default)]
#[allow(missing_docs)]
pub struct Activity {
    pub snapshot: Mutex<Option<Arc<Snapshot>>>,
    pub looking: Mutex<Looking>,
    /// How often a stream was described or deleted through this store.
    pub changes: Counter,
}

/// What belongs to whoever looks.
#[derive(Default)]
#[allow(missing_docs)]
pub struct Looking {
    pub looks: Looks,
    /// How often there may be looks before their time, because streams were described or deleted, and because entries came.
    pub for_changes: RateLimit,
    pub for_entries: RateLimit,
}

/// What was done through this store so far.
#[derive(Clone, Copy, PartialEq)]
pub struct Done {
    /// `Activity::changes`.
    pub changes: u64,
    /// Entries stored.
    pub entries: u64,
}

/// What all streams did lately, kept for all the pages that ask.
pub struct Snapshot {
    /// The streams, as JSON.
    pub streams: Box<RawValue>,
    /// What Redis said of itself.
    pub storage: Storage,
    /// When it was made.
    pub time: Timestamp,
    /// How long it serves.
    pub max_age: Duration,
    /// When it is to be made anew.
    pub stale: Instant,
    /// What was done through this store when it was begun.
    pub done: Done,
}

/// Lines from the door to tiny_http, as many as there are workers. They are kept; one that failed is opened anew.
pub struct Lines {
    free: Mutex<Vec<Option<UnixStream>>>,
    freed: Condvar,
    /// Held while a line is opened.
    pub opening: Mutex<()>,
}

/// The right to use a line until it is dropped. Without a line in it, one is to be opened.
#[allow(missing_docs)]
pub struct Lease<'a> {
    pub line: Option<UnixStream>,
    lines: &'a Lines,
}

impl Lines {
    fn new(count: usize) -> Lines {
        Lines {
            free: Mutex::new((0..count).map(|_| None).collect()),
            freed: Condvar::new(),
            opening: Mutex::default(),
        }
    }

    /// Waits for a line that nobody uses; none if that takes longer than `patience`.
    pub fn lease(&self, patience: Duration) -> Option<Lease<'_>> {
        let waited = self
            .freed
            .wait_timeout_while(lock(&self.free), patience, |free| free.is_empty());
        let (mut free, _) = waited.unwrap_or_else(|poisoned| poisoned.into_inner());
        let line = free.pop()?;
        Some(Lease { line, lines: self })
    }

    /// Ends the lines that nobody uses.
    pub fn clear(&self) {
        lock(&self.free).iter_mut().for_each(|line| *line = None);
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut free = lock(&self.lines.free);
        match self.line.take() {
            Some(line) => free.push(Some(line)),
            // Below all that are open, which come first.
            None => free.insert(0, None),
        }
        self.lines.freed.notify_one();
    }
}
