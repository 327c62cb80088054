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
