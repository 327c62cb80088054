//! docs/protocol.md, section 7, last two rows: Redis is killed and comes back, and nothing that was promised is lost.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::harness::wire::{Entry, add, close, length, numbers, pulled, stored, wait_longer};
use crate::harness::{PATIENCE, Redis, Store, eventually, receive_reply, receive_text, send_binary, send_text};

const KEEP_ALL: [&str; 2] = ["--max-len", "10000000"];

/// Runs a client until `fault` has returned; what the client returns.
fn while_it_happens<T: Send>(client: impl FnOnce(&dyn Fn() -> bool) -> T + Send, fault: impl FnOnce()) -> T {
    let over = AtomicBool::new(false);
    let go_on = || !over.load(Ordering::Relaxed);
    std::thread::scope(|scope| {
        let client = scope.spawn(|| client(&go_on));
        // A fault that panics must end the client too, or the scope would wait for it for ever.
        let guard = Over(&over);
        fault();
        drop(guard);
        client.join().expect("the client")
    })
}

struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Kills and restarts Redis three times, with entries coming in before, between and after.
fn kill_three_times_under_load(redis: &Redis, stream: &str) {
    for _ in 0..3 {
        more_entries_come(redis, stream);
        redis.kill();
        redis.restart();
    }
    more_entries_come(redis, stream);
}

#[track_caller]
fn more_entries_come(redis: &Redis, stream: &str) {
    let before = length(redis, stream);
    eventually(PATIENCE, || length(redis, stream) > before + 50);
}

/// What was sent is there, in order but for repeats; nothing else is.
#[track_caller]
fn assert_all_there_in_order(found: &[Entry], sent: usize) {
    let mut seen = HashSet::new();
    let first_times = found.iter().filter(|entry| seen.insert(&entry.1));
    let first_times: Vec<_> = first_times.map(|entry| entry.1.clone()).collect();
    assert!(first_times == numbers(0..sent), "lost or out of order");
}

#[test]
fn every_acked_entry_is_in_redis_after_it_was_killed_and_restarted() {
    let redis = Redis::start_durable();
    let store = Store::on(&redis, &KEEP_ALL);
    let mut push = store.push("s", "ack=true");
    let acked = while_it_happens(
        |go_on| {
            let mut acked: Vec<Entry> = Vec::new();
            while go_on() {
                let entry = acked.len().to_string().into_bytes();
                send_binary(&mut push, &entry);
                acked.push((receive_text(&mut push), entry));
            }
            acked
        },
        || kill_three_times_under_load(&redis, "s"),
    );
    close(&mut push);
    let found = stored(&redis, "s");
    let there: HashSet<_> = found.iter().collect();
    let lost: Vec<_> = acked.iter().filter(|e| !there.contains(e)).collect();
    assert!(lost.is_empty(), "acked but not there: {lost:?}");
    assert_all_there_in_order(&found, acked.len());
}

#[test]
fn every_entry_pushed_without_ack_is_in_redis_after_it_was_killed_and_restarted() {
    let redis = Redis::start_durable();
    let store = Store::on(&redis, &KEEP_ALL);
    let mut push = store.push("s", "");
    let sent = while_it_happens(
        |go_on| {
            let mut sent = 0;
            while go_on() {
                send_text(&mut push, &sent.to_string());
                sent += 1;
            }
            sent
        },
        || kill_three_times_under_load(&redis, "s"),
    );
    // What is still under way may be much.
    wait_longer(&push);
    close(&mut push);
    assert_all_there_in_order(&stored(&redis, "s"), sent);
}

#[test]
fn batches_are_whole_after_redis_was_killed_and_restarted() {
    let redis = Redis::start_durable();
    let store = Store::on(&redis, &KEEP_ALL);
    let mut push = store.push("s", "batch=true&ack=true");
    let acked = while_it_happens(
        |go_on| {
            let mut acked = Vec::new();
            while go_on() {
                send_text(&mut push, "0,1,2,3,4,5,6,7,8,9");
                send_binary(&mut push, b"0123456789");
                let ids = receive_text(&mut push);
                acked.extend(ids.split(',').map(str::to_owned));
            }
            acked
        },
        || kill_three_times_under_load(&redis, "s"),
    );
    let found = stored(&redis, "s");
    for batch in found.chunks(10) {
        let data: Vec<_> = batch.iter().flat_map(|entry| entry.1.clone()).collect();
        assert_eq!(data, b"0123456789");
    }
    let there: HashSet<_> = found.iter().map(|entry| &entry.0).collect();
    assert!(acked.iter().all(|id| there.contains(id)));
}

#[test]
fn a_pull_that_is_behind_goes_on_from_its_last_id_after_a_restart() {
    let redis = Redis::start_durable();
    let store = Store::on(&redis, &KEEP_ALL);
    // More than the buffers between it and the client hold.
    let entries: Vec<_> = (0..2000_u32).map(|n| n.to_le_bytes().repeat(5000)).collect();
    let added = add(&redis, "s", &entries);
    let mut pull = store.pull("s", "last_entry_id=0&count=7");
    let mut found = pulled(&mut pull, 500, 7);
    redis.kill();
    redis.restart();
    found.extend(pulled(&mut pull, 1000 - found.len(), 7));
    redis.kill();
    redis.restart();
    found.extend(pulled(&mut pull, 2000 - found.len(), 7));
    assert!(found == added, "lost, repeated or out of order");
    let later = add(&redis, "s", &numbers(0..20));
    assert_eq!(pulled(&mut pull, 20, 7), later);
}

#[test]
fn a_live_pull_misses_and_repeats_nothing_over_restarts() {
    let redis = Redis::start_durable();
    let store = Store::on(&redis, &KEEP_ALL);
    let mut pull = store.pull("s", "count=3");
    let mut push = store.push("s", "ack=true");
    std::thread::scope(|scope| {
        let puller = scope.spawn(|| {
            let mut found = Vec::new();
            while found.last().is_none_or(|entry: &Entry| entry.1 != b"last") {
                found.extend(receive_reply(&mut pull));
            }
            found
        });
        while_it_happens(
            |go_on| {
                while go_on() {
                    send_binary(&mut push, b"entry");
                    receive_text(&mut push);
                }
                send_binary(&mut push, b"last");
                receive_text(&mut push);
            },
            || kill_three_times_under_load(&redis, "s"),
        );
        let found = puller.join().expect("the puller");
        assert!(found == stored(&redis, "s"));
    });
}

#[test]
fn connections_that_redis_cuts_cost_nothing() {
    let redis = Redis::start();
    let store = Store::on(&redis, &KEEP_ALL);
    let mut pull = store.pull("s", "count=5");
    let mut push = store.push("s", "ack=true");
    let acked = while_it_happens(
        |go_on| {
            let mut acked = Vec::new();
            while go_on() {
                let entry = acked.len().to_string().into_bytes();
                send_binary(&mut push, &entry);
                acked.push((receive_text(&mut push), entry));
            }
            acked
        },
        || {
            for _ in 0..20 {
                more_entries_come(&redis, "s");
                redis.command::<i64>(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
            }
            more_entries_come(&redis, "s");
        },
    );
    let found = stored(&redis, "s");
    assert_all_there_in_order(&found, acked.len());
    assert!(pulled(&mut pull, found.len(), 5) == found);
}
