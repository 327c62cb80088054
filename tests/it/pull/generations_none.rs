//! docs/pulling.md, streams that begin anew: nothing else is taken for that, and finding out costs Redis little.

use std::time::{Duration, Instant};

use crate::harness::wire::{add, numbers, ping};
use crate::harness::{PATIENCE, Redis, Socket, Store, eventually, receive_json, receive_reply};
use crate::pull::gaps::{counted, number, trim};
use crate::pull::generation_readers::names;

/// How often a command was called.
fn calls(redis: &Redis, command: &str) -> u64 {
    let stats: String = redis.command(&["INFO", "commandstats"]);
    let line = stats
        .lines()
        .find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.map_or(0, |line| {
        line.split(',')
            .next()
            .and_then(|calls| calls.parse().ok())
            .expect("a number")
    })
}

/// Waits until the store has looked at what is there now.
#[track_caller]
pub fn await_looks(redis: &Redis, count: u64) {
    let before = calls(redis, "eval");
    eventually(PATIENCE, || calls(redis, "eval") >= before + count);
}

fn pulls(store: &Store) -> Vec<Socket> {
    ["", "&on_gap=close", "&newest=true", "&ack=true"]
        .map(|query| store.pull("s", &format!("format=json&last_entry_id=first{query}")))
        .into()
}

#[test]
fn trimming_to_nothing_and_deleting_entries_is_not_beginning_anew() {
    let store = Store::start();
    let mut pulls = pulls(&store);
    let mut plain = store.pull("s", "last_entry_id=first");
    for n in 0..4 {
        let added = add(&store.redis, "s", &numbers(2 * n..2 * n + 1));
        for pull in &mut pulls {
            assert_eq!(number(pull), 2 * n as u64);
            crate::harness::send_text(pull, "");
        }
        receive_reply(&mut plain);
        match n {
            0 => trim(&store.redis, "s", 0),
            1 => drop(store.redis.command::<usize>(&["XDEL", "s", &added[0].0])),
            2 => drop(
                store
                    .redis
                    .command::<String>(&["XSETID", "s", &added[0].0.replace('-', "0-")]),
            ),
            _ => {}
        }
        await_looks(&store.redis, 2);
        for pull in pulls.iter_mut().chain([&mut plain]) {
            assert_eq!(ping(pull), []);
        }
    }
    assert_eq!(counted(&store), [0.0, 0.0]);
}

#[test]
fn a_stream_that_does_not_exist_yet_is_waited_for() {
    let store = Store::start();
    let mut pulls = pulls(&store);
    await_looks(&store.redis, 2);
    let _: String = store.redis.command(&["XADD", "s", "0-1", "d", "7"]);
    for pull in &mut pulls {
        assert_eq!(number(pull), 7);
    }
    assert_eq!(counted(&store), [0.0, 0.0]);
}

#[test]
fn a_place_that_was_given_ahead_is_waited_for_until_an_entry_has_come() {
    let store = Store::start();
    crate::pull::generation_readers::number(&store.redis, "s", 1, &names("old", 1..=3));
    let mut pulls: Vec<Socket> = ["", "&on_gap=close", "&newest=true"]
        .map(|query| store.pull("s", &format!("format=json&last_entry_id=30-0{query}")))
        .into();
    store.delete("/streams/s").expect(200);
    crate::pull::generation_readers::number(&store.redis, "s", 1, &names("new", 1..=2));
    await_looks(&store.redis, 2);
    for pull in &mut pulls {
        assert_eq!(ping(pull), []);
    }
    crate::pull::generation_readers::number(&store.redis, "s", 31, &names("new", 3..=3));
    for pull in &mut pulls {
        assert_eq!(receive_json(pull)["id"], "31-0");
    }
    assert_eq!(counted(&store), [0.0, 0.0]);
    // From now on it is as good as any.
    store.delete("/streams/s").expect(200);
    assert_eq!(receive_json(&mut pulls[0])["gap"]["after"], "31-0");
}

#[test]
fn a_hundred_idle_pulls_cost_redis_one_look_in_two_seconds() {
    let store = Store::start();
    add(&store.redis, "s", &numbers(0..5));
    let mut pulls: Vec<Socket> = (0..100)
        .map(|n| store.pull("s", ["", "format=json", "newest=true", "on_gap=close"][n % 4]))
        .collect();
    await_looks(&store.redis, 1);
    let (begun, evals, infos) = (
        Instant::now(),
        calls(&store.redis, "eval"),
        calls(&store.redis, "xinfo|stream"),
    );
    // As long as an XREAD waits, and longer.
    await_looks(&store.redis, 4);
    let looks = calls(&store.redis, "eval") - evals;
    assert!(
        begun.elapsed() > Duration::from_secs(2) * (looks as u32 - 1),
        "{looks} looks"
    );
    assert!(
        calls(&store.redis, "xinfo|stream") - infos <= looks,
        "more than the looks"
    );
    for pull in &mut pulls {
        assert_eq!(ping(pull), []);
    }
}
