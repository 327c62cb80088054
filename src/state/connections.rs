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
mod tests {
    use std::io::Read;
    use std::net::TcpListener;

    use super::*;
    use crate::state::config::Config;

    /// Connections with these flags, and a way to make one from any address with the client's end of it.
    struct Place {
        connections: Connections,
        listener: TcpListener,
    }

    impl Place {
        fn new(flags: &[&str]) -> Place {
            let limits = Config::from_args(flags).unwrap().limits;
            Place {
                connections: Connections::new(&limits, Arc::new(Metrics::default())),
                listener: TcpListener::bind("127.0.0.1:0").unwrap(),
            }
        }

        fn add_from(&self, address: &str) -> Result<(u64, TcpStream), String> {
            let client = TcpStream::connect(self.listener.local_addr().unwrap()).unwrap();
            let (stream, _) = self.listener.accept().unwrap();
            let peer = SocketAddr::new(address.parse().unwrap(), 1);
            let added = self.connections.add(Arc::new(stream), peer);
            added.map(|number| (number, client)).map_err(|error| error.to_string())
        }

        fn add(&self) -> (u64, TcpStream) {
            self.add_from("127.0.0.1").unwrap()
        }

        fn is_leaving(&self, number: u64) -> bool {
            lock(&self.connections.open).all[&number].state == State::Leaving
        }
    }

    #[test]
    fn the_longest_idle_makes_room_and_never_one_that_is_busy() {
        let place = Place::new(&["--max-connections", "3"]);
        let all = [place.add(), place.add(), place.add()];
        let [first, second, third] = [0, 1, 2].map(|index: usize| all[index].0);
        assert_eq!(place.connections.begin(first), Begun::One);
        // Busy since then, idle the longest, idle.
        let (fourth, _) = place.add();
        assert!(place.is_leaving(second) && !place.is_leaving(first) && !place.is_leaving(third));
        place.connections.rest(first);
        assert_eq!(place.connections.begin(third), Begun::One);
        let (fifth, _) = place.add();
        assert!(place.is_leaving(fourth) && !place.is_leaving(first));
        assert_eq!(place.connections.begin(first), Begun::One);
        assert_eq!(place.connections.begin(fifth), Begun::One);
        let refusal = place.add_from("127.0.0.1").unwrap_err();
        assert!(
            refusal.contains("3 connections") && refusal.contains("--max-connections"),
            "{refusal}"
        );
        assert_eq!(place.connections.metrics.connections_evicted.get(), 2);
        assert_eq!(place.connections.metrics.connections_open.get(), 3);
        for number in [first, second, third, fourth, fifth] {
            place.connections.remove(number);
        }
        assert_eq!(
            (
                place.connections.count(),
                place.connections.metrics.connections_open.get()
            ),
            (0, 0)
        );
    }

    #[test]
    fn a_request_that_came_while_its_connection_was_closed_is_served_if_there_is_another_place() {
        let place = Place::new(&["--max-connections", "2"]);
        let (first, (second, _kept)) = (place.add(), place.add());
        let (third, _kept_too) = place.add();
        assert!(place.is_leaving(first.0));
        assert_eq!(place.connections.begin(first.0), Begun::Last);
        assert!(place.is_leaving(second));
        assert_eq!(place.connections.begin(third), Begun::One);
        assert_eq!(place.connections.begin(second), Begun::None);
    }

    #[test]
    fn newcomers_do_not_come_faster_than_others_end() {
        let place = Place::new(&["--max-connections", "1"]);
        let (first, _kept) = place.add();
        let stream = lock(&place.connections.open).all[&first].stream.clone();
        let peer = stream.peer_addr().unwrap();
        for _ in 0..MOST_LEAVING {
            place.connections.add(stream.clone(), peer).unwrap();
        }
        assert!(place.connections.add(stream.clone(), peer).is_err());
        place.connections.remove(first);
        assert!(place.connections.add(stream, peer).is_ok());
    }

    #[test]
    fn what_had_arrived_before_is_still_read() {
        let place = Place::new(&["--max-connections", "1"]);
        let client = TcpStream::connect(place.listener.local_addr().unwrap()).unwrap();
        let (stream, peer) = place.listener.accept().unwrap();
        let stream = Arc::new(stream);
        place.connections.add(stream.clone(), peer).unwrap();
        std::io::Write::write_all(&mut &client, b"request").unwrap();
        // Peeking waits until it is there.
        assert_eq!(stream.peek(&mut [0; 1]).unwrap(), 1);
        let _newcomer = place.add();
        let mut found = Vec::new();
        (&*stream).read_to_end(&mut found).unwrap();
        assert_eq!(found, b"request");
    }

    #[test]
    fn an_address_has_its_share_and_others_have_theirs() {
        let place = Place::new(&["--max-connections-per-address", "2"]);
        let mut held = Vec::new();
        for address in ["127.0.0.1", "10.0.0.1", "10.0.0.2", "2001:db8::1"] {
            held.extend([place.add_from(address).unwrap(), place.add_from(address).unwrap()]);
            let refusal = place.add_from(address).unwrap_err();
            assert!(
                refusal.contains("2 connections of") && refusal.contains("--max-connections-per-address"),
                "{refusal}"
            );
        }
        // The same client by another name: an address that IPv6 wraps, and another of one network.
        assert!(place.add_from("::ffff:10.0.0.1").is_err());
        assert!(place.add_from("2001:db8::2").is_err());
        assert!(place.add_from("2001:db8:0:1::1").is_ok());
        place.connections.remove(held[2].0);
        assert!(place.add_from("10.0.0.1").is_ok());
    }

    #[test]
    fn unless_told_otherwise_only_other_machines_have_a_share() {
        for (flags, address, limited) in [
            (&[][..], "10.0.0.1", true),
            (&[], "127.0.0.1", false),
            (&[], "::1", false),
            (&["--max-connections-per-address", "0"], "10.0.0.1", false),
        ] {
            let place = Place::new(flags);
            let stream = Arc::new(TcpStream::connect(place.listener.local_addr().unwrap()).unwrap());
            let peer = SocketAddr::new(address.parse().unwrap(), 1);
            for _ in 0..PER_ADDRESS {
                place.connections.add(stream.clone(), peer).unwrap();
            }
            assert_eq!(
                place.connections.add(stream, peer).is_err(),
                limited,
                "{flags:?} {address}"
            );
        }
    }
}
