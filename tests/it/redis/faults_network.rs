//! The way to Redis is bad: it is slow, falls silent, or breaks in the middle of a reply. docs/protocol.md, section 7 holds all the same.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::harness::wire::{
    Entry, add, close, closes_with, length, numbers, ping, pulled, redis_is_seen_again, stored,
};
use crate::harness::{
    Answer, Manner, PATIENCE, Proxy, Redis, Socket, Store, eventually, receive_text, send_binary, send_text,
};

const KEEP_ALL: [&str; 2] = ["--max-len", "10000000"];

/// Longer than any answer to a ping may take.
const STALL: Duration = Duration::from_secs(3);

fn start(flags: &[&str]) -> (Redis, Proxy, Store) {
    let redis = Redis::start();
    let proxy = Proxy::to(&redis);
    let store = Store::through(&proxy, &redis, flags);
    (redis, proxy, store)
}

fn assert_unavailable(answer: &Answer) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.header("retry-after"), Some("1"));
}

/// Pings by turns for as long as a stall lasts; every pong must be prompt.
fn answer_pings(sockets: &mut [Socket]) {
    let start = Instant::now();
    while start.elapsed() < STALL {
        for socket in &mut *sockets {
            assert_eq!(ping(socket), []);
        }
    }
}

/// The entries without their repeats, which may only come after their first time.
fn first_times(found: &[Entry]) -> Vec<Vec<u8>> {
    let mut seen = HashSet::new();
    let first = found.iter().filter(|entry| seen.insert(&entry.1));
    first.map(|entry| entry.1.clone()).collect()
}

#[test]
fn replies_that_break_off_at_any_byte_lose_no_entry_and_change_none() {
    let (redis, proxy, store) = start(&KEEP_ALL);
    let mut pull = store.pull("s", "count=3");
    let mut push = store.push("s", "ack=true");
    let mut batches = store.push("s", "batch=true&ack=true");
    let mut acked: Vec<Entry> = Vec::new();
    // As long as what a batch is told: no description, OK, QUEUED, ids. The step falls on every part of it.
    let bytes = || (0..100).step_by(3);
    for byte in bytes() {
        let broken = proxy.broken();
        proxy.cut_and(Manner::CutAfter(byte));
        let entry = format!("entry {byte}");
        send_text(&mut push, &entry);
        let parts = [format!("a{byte} "), format!("b{byte} "), format!("c{byte} ")];
        let second = parts[0].len();
        send_text(&mut batches, &format!("0,{second},{}", 2 * second));
        send_binary(&mut batches, parts.concat().as_bytes());
        eventually(PATIENCE, || proxy.broken() > broken);
        proxy.set(Manner::Pass);
        acked.push((receive_text(&mut push), entry.into()));
        let ids = receive_text(&mut batches);
        assert_eq!(ids.split(',').count(), 3, "{ids}");
        acked.extend(ids.split(',').map(str::to_owned).zip(parts.map(String::into_bytes)));
    }
    close(&mut push);
    close(&mut batches);
    let there = stored(&redis, "s");
    assert!(
        pulled(&mut pull, there.len(), 3) == there,
        "the pull brought something else"
    );
    let known: HashSet<_> = there.iter().collect();
    let lost: Vec<_> = acked.iter().filter(|entry| !known.contains(entry)).collect();
    assert!(lost.is_empty(), "acknowledged but not there: {lost:?}");
    let (singles, parts): (Vec<_>, Vec<_>) = there.into_iter().partition(|entry| entry.1.starts_with(b"entry"));
    let expected: Vec<_> = bytes().map(|n| format!("entry {n}").into_bytes()).collect();
    assert!(first_times(&singles) == expected, "out of order");
    for batch in parts.chunks(3) {
        let letters: Vec<_> = batch.iter().map(|entry| entry.1[0]).collect();
        assert_eq!(letters, b"abc", "a batch in pieces");
    }
}

#[test]
fn requests_whose_replies_break_off_are_answered_and_what_is_200_is_stored() {
    let (redis, proxy, store) = start(&KEEP_ALL);
    let added = add(&redis, "out", &numbers(0..3));
    for byte in (0..80).step_by(7) {
        redis_is_seen_again(&store);
        proxy.cut_and(Manner::CutAfter(byte));
        let entry = format!("entry {byte}");
        let posted = store.post_entries("in", &[entry.as_bytes(), b"second"]);
        let got = store.get("/data/out?count=3&last_entry_id=0");
        match posted.status {
            200 => {
                let ids: Vec<String> = serde_json::from_value(posted.json()).expect("ids");
                let there = stored(&redis, "in");
                assert!(
                    there.contains(&(ids[0].clone(), entry.into())),
                    "acknowledged but not there"
                );
                assert!(there.contains(&(ids[1].clone(), b"second".to_vec())));
            }
            _ => assert_unavailable(&posted),
        }
        match got.status {
            200 => assert_eq!(got.body, b"012"),
            _ => assert_unavailable(&got),
        }
        proxy.cut_and(Manner::Pass);
    }
    redis_is_seen_again(&store);
    assert_eq!(store.get("/data/out?count=3").expect(200).body, b"012");
    // Each POST whole or not at all.
    for pair in stored(&redis, "in").chunks(2) {
        assert!(pair[0].1.starts_with(b"entry") && pair[1].1 == b"second", "{pair:?}");
    }
    assert_eq!(stored(&redis, "out"), added);
}

#[test]
fn while_nothing_passes_pings_are_answered_and_then_all_goes_on() {
    let (redis, proxy, store) = start(&KEEP_ALL);
    let mut sockets = [
        store.pull("s", "count=100"),
        store.push("s", "ack=true"),
        store.push("s", ""),
        store.push("s", "batch=true"),
        store.pull("other", ""),
    ];
    send_text(&mut sockets[1], "before");
    receive_text(&mut sockets[1]);
    let before = pulled(&mut sockets[0], 1, 100);
    proxy.set(Manner::Hold);
    send_text(&mut sockets[1], "acked");
    send_text(&mut sockets[2], "plain");
    send_text(&mut sockets[3], "0");
    send_binary(&mut sockets[3], b"batch");
    answer_pings(&mut sockets);
    assert_unavailable(&store.get("/data/s"));
    assert_unavailable(&store.post("/data/s", "image/png", b"lost"));
    proxy.set(Manner::Pass);
    let id = receive_text(&mut sockets[1]);
    sockets[1..4].iter_mut().for_each(|push| drop(close(push)));
    redis_is_seen_again(&store);
    let there = stored(&redis, "s");
    assert_eq!(there[..1], before);
    assert!(there.contains(&(id, b"acked".to_vec())));
    for data in [&b"plain"[..], b"batch"] {
        assert!(there.iter().any(|entry| entry.1 == data));
    }
    assert_eq!(pulled(&mut sockets[0], there.len() - 1, 100), there[1..]);
    store.assert_serves();
}

#[test]
fn entries_whose_replies_are_swallowed_are_stored_again_and_acknowledged_once() {
    let (redis, proxy, store) = start(&["--max-len", "10000000", "--redis-patience", "60s"]);
    let mut push = store.push("s", "ack=true");
    send_text(&mut push, "0");
    receive_text(&mut push);
    proxy.set(Manner::Swallow);
    for n in 1..5 {
        send_text(&mut push, &n.to_string());
    }
    // Redis has it, and the store cannot know.
    eventually(PATIENCE, || length(&redis, "s") > 1);
    assert_eq!(ping(&mut push), []);
    proxy.set(Manner::Pass);
    let acked: Vec<_> = (1..5).map(|_| receive_text(&mut push)).collect();
    assert_eq!(close(&mut push), Vec::<String>::new(), "acknowledged twice");
    let there = stored(&redis, "s");
    assert!(there.len() > 5, "nothing was stored again");
    assert_eq!(first_times(&there), numbers(0..5));
    for (n, id) in acked.into_iter().enumerate() {
        assert!(there.contains(&(id, (n + 1).to_string().into_bytes())));
    }
}

#[test]
fn a_push_whose_redis_accepts_and_says_nothing_is_given_up_with_1013() {
    let (_redis, proxy, store) = start(&["--redis-patience", "500ms"]);
    let mut pushes = ["", "ack=true", "batch=true"].map(|query| store.push("s", query));
    for manner in [Manner::Hold, Manner::Swallow] {
        proxy.set(manner);
        send_text(&mut pushes[2], "0");
        for push in &mut pushes {
            send_binary(push, b"refused");
        }
        for push in &mut pushes {
            closes_with(push, 1013);
        }
        proxy.cut_and(Manner::Pass);
        redis_is_seen_again(&store);
        pushes = ["", "ack=true", "batch=true"].map(|query| store.push("s", query));
    }
}

#[test]
fn a_slow_redis_slows_everybody_and_loses_nothing() {
    let (redis, proxy, store) = start(&KEEP_ALL);
    let large = vec![7; 100_000];
    let mut acked = store.push("large", "ack=true");
    let mut plain = store.push("small", "");
    let mut pulls = ["large", "small"].map(|stream| store.pull(stream, "count=100"));
    let slow = [Manner::Delay(Duration::from_millis(150)), Manner::Throttle(300_000)];
    for (round, manner) in slow.into_iter().enumerate() {
        proxy.set(manner);
        send_binary(&mut acked, &large);
        numbers(0..20).iter().for_each(|entry| send_binary(&mut plain, entry));
        receive_text(&mut acked);
        for socket in [&mut acked, &mut plain] {
            assert_eq!(ping(socket), []);
        }
        assert!(store.get("/data/large").expect(200).body == large);
        store.post("/data/other", "image/png", b"x").expect(200);
        eventually(PATIENCE, || length(&redis, "small") == 20 * (round + 1));
        proxy.set(Manner::Pass);
        let (large, small) = (stored(&redis, "large"), stored(&redis, "small"));
        assert!(pulled(&mut pulls[0], 1, 100) == large[round..]);
        assert!(pulled(&mut pulls[1], 20, 100) == small[20 * round..]);
    }
    store.assert_serves();
}
#[test]
fn a_pull_answers_pings_in_time_when_its_connection_breaks_and_the_next_one_says_nothing() {
    let (redis, proxy, store) = start(&KEEP_ALL);
    let mut pull = store.pull("s", "");
    for _ in 0..3 {
        // Silent for long enough, so that Redis is asked to wait for as long as it ever is.
        let start = Instant::now();
        eventually(PATIENCE, || start.elapsed() > Duration::from_millis(1700));
        std::thread::scope(|scope| {
            let pinged = scope.spawn(|| ping(&mut pull));
            let start = Instant::now();
            eventually(PATIENCE, || start.elapsed() > Duration::from_millis(300));
            proxy.cut_and(Manner::Hold);
            assert_eq!(pinged.join().expect("a pong"), []);
        });
        proxy.set(Manner::Pass);
        redis_is_seen_again(&store);
        let added = add(&redis, "s", &[b"new"]);
        assert_eq!(pulled(&mut pull, 1, 1), added);
    }
}

#[test]
fn a_pull_that_is_behind_on_a_slow_redis_answers_pings_in_time() {
    let (redis, proxy, store) = start(&KEEP_ALL);
    add(&redis, "s", &numbers(0..20_000));
    let mut pull = store.pull("s", "last_entry_id=0&count=100000");
    proxy.set(Manner::Delay(Duration::from_millis(400)));
    let start = Instant::now();
    while start.elapsed() < STALL {
        // What comes before the pong are entries.
        ping(&mut pull);
    }
}
