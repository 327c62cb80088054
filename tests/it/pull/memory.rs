//! What a pull costs in memory: a line of JSON little more than itself and its entry, and a silent pull next to nothing.

use tungstenite::Message;

use crate::harness::wire::{add, ping, wait_longer};
use crate::harness::{Client, Program, Redis, peak_of, resident};

const MIB: usize = 1 << 20;

/// What the allocator and the buffers of a connection may take besides.
const SLACK: usize = 16 * MIB;

#[test]
fn a_line_of_a_large_entry_takes_memory_for_both_and_no_further_copy() {
    let redis = Redis::start();
    let store = Program::start(&["--redis", &redis.url()]);
    store.assert_serves();
    // A test's client takes messages of 100 MiB.
    let size = 45 * MIB;
    for (kind, byte) in [("text", b'x'), ("line-ends", b'\n'), ("control", 1), ("binary", 0xff)] {
        add(&redis, kind, &[vec![byte; size]]);
        let before = resident(store.pid());
        let (length, peak) = peak_of(&store, || {
            let mut pull = store.pull(kind, "format=json&last_entry_id=first");
            wait_longer(&pull);
            loop {
                if let Message::Text(line) = pull.read().expect("a line") {
                    break line.len();
                }
            }
        });
        assert!(length <= 2 * size + 1000, "{kind}: {length}");
        assert!(peak <= before + size + length + SLACK, "{kind}: {before} became {peak}");
        let _: usize = redis.command(&["DEL", kind]);
    }
}

#[test]
fn a_get_of_lines_takes_memory_for_them_and_the_entries_and_no_further_copy() {
    let redis = Redis::start();
    let store = Program::start(&["--redis", &redis.url()]);
    store.assert_serves();
    add(&redis, "s", &[vec![b'\n'; 15 * MIB], vec![b'x'; 15 * MIB]]);
    let before = resident(store.pid());
    let (answer, peak) = peak_of(&store, || store.get("/data/s?format=json&count=2"));
    let length = answer.expect(200).body.len();
    assert!((45 * MIB..46 * MIB).contains(&length), "{length}");
    // The entries, the lines, and the lines once more on their way from the worker to the door.
    assert!(peak <= before + 30 * MIB + 2 * length + SLACK, "{before} became {peak}");
}

#[test]
fn silent_pulls_of_every_kind_cost_about_as_little_as_the_plain_one() {
    let socket = |path: &'static str| {
        cost_of(move |store| {
            let mut pull = store.socket(path);
            ping(&mut pull);
            pull
        })
    };
    let plain = socket("/data/s/pull");
    let little = plain + plain / 2 + (16 << 10);
    for path in [
        "/data/s/pull?format=json",
        "/data/s/pull?newest=true&max_rate=1",
        "/data/s+t/pull?ack=true&count=100&until=2100-01-01",
        "/v2/data/s/pull",
    ] {
        let cost = socket(path);
        assert!(cost <= little, "{path}: {cost} bytes, the plain one {plain}");
    }
    for path in ["/data/s?follow=true", "/data/s+t?follow=true&format=json", "/mjpeg/s"] {
        let cost = cost_of(|store| store.follow(path, &[]));
        assert!(cost <= little, "{path}: {cost} bytes, the plain one {plain}");
    }
}

/// What one of many costs, in bytes, in a store of their own: another would have memory left from those before.
fn cost_of<T>(open: impl Fn(&Client) -> T) -> usize {
    const MANY: usize = 200;
    let redis = Redis::start();
    let store = Program::start(&["--redis", &redis.url()]);
    store.assert_serves();
    let before = resident(store.pid());
    let all: Vec<T> = (0..MANY).map(|_| open(&store)).collect();
    store.assert_serves();
    let cost = resident(store.pid()).saturating_sub(before) / MANY;
    drop(all);
    cost
}
