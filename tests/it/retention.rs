//! How many entries a stream keeps: a new `max_len` holds for every push of this store before `PUT` is answered, and for other
//! stores on the same Redis within two seconds (README, "Retention").

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::harness::{Redis, Socket, Store, receive_text, send_binary, send_text};
use crate::wire::{add, length, numbers};

/// Redis trims whole nodes of this many entries.
const NODE: usize = 100;
const FEW: &str = "max_len=10&override=true";
const MANY: &str = "max_len=100000&override=true";
const FLOOD: usize = 1500;

/// Pushes of every kind that write to `s`, and a batch for each.
fn pushes(store: &Store) -> Vec<(Socket, &'static str, &'static [u8])> {
    let any = || store.socket("/data/*/push?batch=true&ack=true");
    vec![
        (store.push("s", "ack=true"), "", b"x"),
        (store.push("s", "batch=true&ack=true"), "0,1", b"xy"),
        (any(), r#"[["s","*",0],["t","*",1]]"#, b"xy"),
        (any(), r#"[["s",0]]"#, b"x"),
    ]
}

fn push((socket, header, bytes): &mut (Socket, &'static str, &'static [u8])) {
    if !header.is_empty() {
        send_text(socket, header);
    }
    send_binary(socket, bytes);
    receive_text(socket);
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
fn no_entry_on_its_way_with_the_old_max_len_trims_after_put_is_answered() {
    let store = Store::start();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut socket = store.push("s", "ack=true");
                while !over.load(Ordering::Relaxed) {
                    send_binary(&mut socket, b"x");
                    receive_text(&mut socket);
                }
            });
        }
        let mut trimmed = Vec::<usize>::new();
        for _ in 0..40 {
            put(&store, FEW);
            store.add("s", &[b"x", b"y"]);
            put(&store, MANY);
            add(&store.redis, "s", &numbers(0..FLOOD));
            // Whatever was on its way has arrived: the pushes are beyond it.
            let mut probe = store.push("s", "ack=true");
            push(&mut (probe, "", b"x"));
            probe = store.push("s", "ack=true");
            push(&mut (probe, "", b"x"));
            if length(&store.redis, "s") < FLOOD {
                trimmed.push(length(&store.redis, "s"));
            }
        }
        over.store(true, Ordering::Relaxed);
        assert!(trimmed.is_empty(), "{trimmed:?}");
    });
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
