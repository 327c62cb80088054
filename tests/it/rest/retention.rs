//! How many entries a stream keeps: a new `max_len` holds for every push of this store before `PUT` is answered, and for other
//! stores on the same Redis within two seconds (docs/protocol.md, section 7).

use std::time::Duration;

use crate::harness::wire::{add, length, numbers, ping};
use crate::harness::{Answer, Proxy, Redis, Socket, Store, receive_text, send_binary, send_text};

/// Redis trims whole nodes of this many entries.
const NODE: usize = 100;
const FEW: &str = "max_len=10&override=true";
const MANY: &str = "max_len=100000&override=true";
const FLOOD: usize = 1500;

/// A push that writes to `s`, and what it sends: the header of a batch, and bytes.
type Push = (Socket, &'static str, &'static [u8]);

/// One of each kind.
const KINDS: usize = 4;

fn open(store: &Store, kind: usize) -> Push {
    let any = || store.socket("/data/*/push?batch=true&ack=true");
    match kind {
        0 => (store.push("s", "ack=true"), "", b"x"),
        1 => (store.push("s", "batch=true&ack=true"), "0,1", b"xy"),
        2 => (any(), r#"[["s","*",0],["t","*",1]]"#, b"xy"),
        _ => (any(), r#"[["s",0]]"#, b"x"),
    }
}

fn pushes(store: &Store) -> Vec<Push> {
    (0..KINDS).map(|kind| open(store, kind)).collect()
}

fn send((socket, header, bytes): &mut Push) {
    if !header.is_empty() {
        send_text(socket, header);
    }
    send_binary(socket, bytes);
}

fn push(push: &mut Push) {
    send(push);
    receive_text(&mut push.0);
}

fn put(store: &Store, query: &str) {
    store.put(&format!("/streams/s?{query}")).expect(200);
}

#[test]
fn a_raised_max_len_holds_for_every_open_push_once_put_is_answered() {
    let store = Store::start();
    put(&store, FEW);
    let mut pushes = pushes(&store);
    for number in 0..pushes.len() {
        put(&store, FEW);
        pushes.iter_mut().for_each(push);
        put(&store, MANY);
        add(&store.redis, "s", &numbers(0..FLOOD));
        push(&mut pushes[number]);
        assert!(
            length(&store.redis, "s") > FLOOD,
            "{number}: {}",
            length(&store.redis, "s")
        );
        let _: () = store.redis.command(&["XTRIM", "s", "MAXLEN", "0"]);
    }
}

#[test]
fn a_lowered_max_len_and_delete_hold_at_once_too() {
    let store = Store::with(&["--max-len", "10"]);
    let mut pushes = pushes(&store);
    for end in [Some(FEW), None] {
        for number in 0..pushes.len() {
            put(&store, MANY);
            pushes.iter_mut().for_each(push);
            match end {
                Some(few) => put(&store, few),
                None => drop(store.delete("/streams/s").expect(200)),
            }
            add(&store.redis, "s", &numbers(0..FLOOD));
            push(&mut pushes[number]);
            assert!(
                length(&store.redis, "s") < 3 * NODE,
                "{number}: {}",
                length(&store.redis, "s")
            );
        }
    }
}

#[test]
fn a_put_that_is_refused_changes_nothing() {
    let store = Store::start();
    put(&store, MANY);
    let mut pushes = pushes(&store);
    pushes.iter_mut().for_each(push);
    store.put("/streams/s?max_len=10").expect(400);
    add(&store.redis, "s", &numbers(0..FLOOD));
    pushes.iter_mut().for_each(push);
    assert!(length(&store.redis, "s") > FLOOD);
}

#[test]
fn put_and_delete_are_answered_once_entries_on_their_way_with_the_old_max_len_have_arrived() {
    let redis = Redis::start();
    let requests: [fn(&Store) -> Answer; 2] = [
        |store| store.put(&format!("/streams/s?{MANY}")),
        |store| store.delete("/streams/s"),
    ];
    for (request, kind) in requests
        .into_iter()
        .flat_map(|request| (0..KINDS).map(move |kind| (request, kind)))
    {
        let proxy = Proxy::to(&redis);
        let store = Store::through(&proxy, &redis, &[]);
        redis.command::<()>(&["SET", "XMETA:s", r#"{"max_len":10}"#]);
        let mut push_to = open(&store, kind);
        push(&mut push_to);
        proxy.hold_newest();
        send(&mut push_to);
        // The store has read it, and has said it to nobody.
        ping(&mut push_to.0);
        std::thread::scope(|scope| {
            let asked = scope.spawn(|| request(&store).expect(200));
            std::thread::sleep(Duration::from_millis(300));
            assert!(!asked.is_finished(), "{kind}: answered before the entry has arrived");
            proxy.release();
            asked.join().expect("an answer");
        });
        receive_text(&mut push_to.0);
    }
}

#[test]
fn other_stores_on_the_same_redis_heed_it_within_two_seconds() {
    let redis = Redis::start();
    let (here, there) = (Store::on(&redis, &[]), Store::on(&redis, &[]));
    put(&here, FEW);
    let mut pushes = pushes(&there);
    pushes.iter_mut().for_each(push);
    put(&here, MANY);
    std::thread::sleep(Duration::from_millis(2050));
    add(&redis, "s", &numbers(0..FLOOD));
    pushes.iter_mut().for_each(push);
    assert!(length(&redis, "s") > FLOOD, "{}", length(&redis, "s"));
}
