//! The TCP connections that are open: how many there may be, of all clients and of one, and which one is closed for a newcomer
//! when there are as many. The door enters each and says when a request begins and ends; stopping waits for them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::limits::lock;
use crate::limits::metrics::Metrics;
use crate::state::config::Limits;
use crate::words::error::Error;

/// How many connections of one address there may be, unless `--max-connections-per-address` says another number: a fraction of all,
/// so that nobody can take them all, and more than a machine of a lab ever opens.
const PER_ADDRESS: usize = 512;

/// The bits of an IPv6 address that tell networks apart: whoever has one address of a network has all of them (RFC 4291, 2.5.4).
const NETWORK: u128 = !0 << 64;

/// How many connections may be closed for newcomers and not have ended yet. Each still has a thread and a descriptor, beyond those
/// that the caps count, and a flood of newcomers comes faster than threads end.
const MOST_LEAVING: usize = 32;

/// The open connections.
pub struct Connections {
    open: Mutex<Open>,
    closed: Condvar,
    limit: usize,
    per_address: Option<usize>,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct Open {
    /// The number of the one that came last.
    last: u64,
    all: HashMap<u64, Connection>,
    /// How many are not leaving.
    count: usize,
}

struct Connection {
    stream: Arc<TcpStream>,
    address: IpAddr,
    state: State,
}

/// What a connection is at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    /// It waits for the next request, or for the rest of its head, since then.
    Idle(Instant),
    /// A request is under way, or a WebSocket, or a reply that stays open.
    Busy,
    /// It was closed for a newcomer, and its thread is about to see that.
    Leaving,
}

/// Whether a request may begin.
#[derive(Debug, PartialEq, Eq)]
pub enum Begun {
    /// It may, and others behind it.
    One,
    /// It may, but the connection takes no other.
    Last,
    /// There is no place for it any more.
    None,
}

impl Connections {
    /// None yet, and so many at most.
    pub fn new(limits: &Limits, metrics: Arc<Metrics>) -> Connections {
        Connections {
            open: Mutex::default(),
            closed: Condvar::new(),
            limit: limits.max_connections,
            per_address: limits.max_connections_per_address,
            metrics,
        }
    }

    /// Enters a connection and returns its number. If there are as many as may be, the one that has been idle the longest is
    /// closed for it; if none is idle, the error says so.
    pub fn add(&self, stream: Arc<TcpStream>, peer: SocketAddr) -> Result<u64, Error> {
        let mut open = lock(&self.open);
        let address = client_of(peer.ip());
        let most = self.most_of(address);
        if open.all.len() >= most && open.of(address) >= most {
            return Err(Error::Busy(format!(
                "{most} connections of {} are open (--max-connections-per-address).",
                peer.ip().to_canonical()
            )));
        }
        if !self.make_room(&mut open) {
            return Err(self.full());
        }
        open.last += 1;
        let number = open.last;
        let state = State::Idle(Instant::now());
        open.all.insert(number, Connection { stream, address, state });
        self.counted(&mut open, 1);
        Ok(number)
    }

    /// A request begins on a connection, which from now on is not closed for others. One that arrived while its connection was
    /// closed for a newcomer is not lost: there may be another place for it.
    pub fn begin(&self, number: u64) -> Begun {
        let mut open = lock(&self.open);
        let begun = match open.all.get(&number).map(|connection| connection.state) {
            Some(State::Leaving) if !self.make_room(&mut open) => return Begun::None,
            Some(State::Leaving) => {
                self.counted(&mut open, 1);
                Begun::Last
            }
            _ => Begun::One,
        };
        if let Some(connection) = open.all.get_mut(&number) {
            connection.state = State::Busy;
        }
        begun
    }

    /// The request has ended, and the connection waits for the next, or for its client to go.
    pub fn rest(&self, number: u64) {
        let mut open = lock(&self.open);
        // One that is leaving goes on doing that.
        if let Some(connection) = open.all.get_mut(&number).filter(|one| one.state == State::Busy) {
            connection.state = State::Idle(Instant::now());
        }
    }

    /// Forgets a connection that has ended.
    pub fn remove(&self, number: u64) {
        let mut open = lock(&self.open);
        if open
            .all
            .remove(&number)
            .is_some_and(|gone| gone.state != State::Leaving)
        {
            self.counted(&mut open, -1);
        }
        self.closed.notify_all();
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        lock(&self.open).all.len()
    }

    /// Waits until none is open; false if that takes longer than `patience`.
    pub fn wait_for_none(&self, patience: Duration) -> bool {
        let open = lock(&self.open);
        let waited = self
            .closed
            .wait_timeout_while(open, patience, |open| !open.all.is_empty());
        waited.map(|(open, _)| open.all.is_empty()).unwrap_or(false)
    }

    /// Ends what is open, whatever it is doing.
    pub fn break_all(&self) {
        for connection in lock(&self.open).all.values() {
            let _ = connection.stream.shutdown(Shutdown::Both);
        }
    }

    /// The refusal of a connection, or of a request on it, when all places are taken.
    pub fn full(&self) -> Error {
        Error::Busy(format!("{} connections are open (--max-connections).", self.limit))
    }

    /// Sees that there is place for one more; false if there is none.
    fn make_room(&self, open: &mut MutexGuard<'_, Open>) -> bool {
        if open.count < self.limit {
            return true;
        }
        if open.all.len() - open.count >= MOST_LEAVING {
            return false;
        }
        let Some(connection) = open.longest_idle() else {
            return false;
        };
        // Only its reading side: that ends the wait of its thread, which still gets what has arrived before, and can answer it.
        let _ = connection.stream.shutdown(Shutdown::Read);
        connection.state = State::Leaving;
        self.metrics.connections_evicted.add(1);
        self.counted(open, -1);
        true
    }

    fn counted(&self, open: &mut MutexGuard<'_, Open>, change: isize) {
        open.count = open.count.saturating_add_signed(change);
        self.metrics.connections_open.set(open.count as u64);
    }

    /// How many connections an address may have. Unless a number was asked for, this machine may have any: a proxy on it speaks
    /// for many clients.
    fn most_of(&self, address: IpAddr) -> usize {
        match self.per_address {
            Some(0) => usize::MAX,
            Some(most) => most,
            None if address.is_loopback() => usize::MAX,
            None => PER_ADDRESS,
        }
    }
}

impl Open {
    fn of(&self, address: IpAddr) -> usize {
        let theirs = |one: &&Connection| one.address == address && one.state != State::Leaving;
        self.all.values().filter(theirs).count()
    }

    fn longest_idle(&mut self) -> Option<&mut Connection> {
        let idle = |one: &&mut Connection| matches!(one.state, State::Idle(_));
        self.all.values_mut().filter(idle).min_by_key(|one| one.state)
    }
}

/// What is counted as one client.
fn client_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => Ipv6Addr::from_bits(address.to_bits() & NETWORK).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests;
