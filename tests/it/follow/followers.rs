//! Replies that stay open are bounded: none holds a REST worker, each has a place of `--max-sockets`, leaves when its
//! client does, and waits for a slow client in little memory.

use std::io::Read;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use crate::harness::wire::{OPEN_FOLLOWERS, OPEN_PULLS, add, numbers};
use crate::harness::{End, Followed, PATIENCE, Program, Redis, Store, eventually, resident, send};

/// A reply of each kind.
const KINDS: [(&str, &str); 4] = [
    ("/data/s?follow=true", ""),
    ("/data/s+t?follow=true&format=json", ""),
    ("/data/s", "Accept: text/event-stream"),
    ("/mjpeg/s", ""),
];

#[track_caller]
fn open(store: &crate::harness::Client, (path, line): (&str, &str)) -> Followed {
    let lines: &[&str] = if line.is_empty() { &[] } else { &[line] };
    store.follow(path, lines)
}

#[test]
fn more_followers_than_workers_leave_every_worker_free() {
    let store = Store::with(&["--rest-workers", "2"]);
    let followers: Vec<Followed> = (0..5).flat_map(|_| KINDS).map(|kind| open(&store, kind)).collect();
    assert_eq!(store.metric(OPEN_FOLLOWERS), 20.0);
    store.assert_serves();
    std::thread::scope(|scope| {
        let asked: Vec<_> = (0..20).map(|_| scope.spawn(|| store.get("/streams/"))).collect();
        for answer in asked {
            answer.join().expect("an answer").expect(200);
        }
    });
    drop(followers);
}

#[test]
fn each_takes_a_place_of_the_sockets_and_one_too_many_is_503() {
    let store = Store::with(&["--max-sockets", "3"]);
    let places = (store.pull("s", ""), open(&store, KINDS[0]), open(&store, KINDS[3]));
    for (path, line) in KINDS {
        let lines: &[&str] = if line.is_empty() { &[] } else { &[line] };
        let answer = store.exchange(store.head("GET", path, lines)).expect(503);
        assert!(answer.detail().contains("--max-sockets"), "{}", answer.detail());
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    let path = format!("/data/s/pull?token={}", store.token);
    store.socket_answer(&path, &[]).expect(503);
    store.assert_serves();
    drop(places.1);
    eventually(PATIENCE, || store.metric(OPEN_FOLLOWERS) == 1.0);
    let mut again = open(&store, ("/data/s?follow=true&format=json&last_entry_id=first", ""));
    store.add("s", &[b"entry"]);
    assert_eq!(again.json()["data"], "entry");
}

#[test]
fn a_client_that_goes_gives_its_place_back_at_once() {
    let store = Store::start();
    add(&store.redis, "s", &numbers(0..10));
    for round in 0..3 {
        let followers: Vec<Followed> = KINDS.map(|kind| open(&store, kind)).into();
        assert_eq!(store.metric(OPEN_FOLLOWERS), 4.0, "round {round}");
        for follower in &followers {
            let how = if round == 0 { Shutdown::Write } else { Shutdown::Both };
            follower.stream().shutdown(how).expect("to leave");
        }
        // Nothing comes to the stream, and yet it is seen.
        eventually(Duration::from_secs(2), || store.metric(OPEN_FOLLOWERS) == 0.0);
    }
    eventually(PATIENCE, || store.metric("ptg_sockets_total{kind=\"follow\"}") == 12.0);
    eventually(PATIENCE, || store.metric("ptg_connections_open") <= 1.0);
}

#[test]
fn a_client_that_goes_while_much_is_due_to_it_gives_its_place_back() {
    let store = Store::start();
    add(&store.redis, "s", &vec![vec![7; 1 << 20]; 60]);
    let follower = store.follow("/data/s?follow=true&last_entry_id=first", &[]);
    drop(follower);
    eventually(PATIENCE, || store.metric(OPEN_FOLLOWERS) == 0.0);
}

#[test]
fn a_client_that_takes_nothing_is_given_up_after_the_stall_timeout() {
    let store = Store::with(&["--stall-timeout", "1s"]);
    add(&store.redis, "s", &vec![vec![7; 1 << 20]; 60]);
    let begun = Instant::now();
    let follower = store.follow("/data/s?follow=true&last_entry_id=first", &[]);
    eventually(PATIENCE, || store.metric(OPEN_FOLLOWERS) == 0.0);
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!(follower.rest().1, End::BrokenOff);
}

#[test]
fn a_slow_client_is_waited_for_in_little_memory() {
    const MIB: usize = 1 << 20;
    let redis = Redis::start();
    let store = Program::start(&["--redis", &redis.url()]);
    store.assert_serves();
    add(&redis, "s", &vec![vec![b'x'; MIB]; 200]);
    let before = resident(store.pid());
    let mut followers: Vec<Followed> = ["follow=true", "follow=true&format=json&count=100"]
        .map(|query| store.follow(&format!("/data/s?last_entry_id=first&until=latest&{query}"), &[]))
        .into();
    let mut most = 0;
    for _ in 0..200 {
        for follower in &mut followers {
            follower.bytes(MIB);
        }
        most = most.max(resident(store.pid()));
    }
    for follower in followers {
        assert_eq!(follower.rest().1, End::Whole);
    }
    // A reply of 8 MiB, the read that fills it, and a line of the same each; not the 200 MiB that wait.
    assert!(most < before + 80 * MIB, "{before} became {most}");
}

#[test]
fn the_store_stops_in_time_whatever_its_followers_do() {
    let redis = Redis::start();
    let mut store = Program::start(&["--redis", &redis.url()]);
    add(&redis, "big", &vec![vec![7; 1 << 20]; 60]);
    let silent: Vec<Followed> = KINDS.map(|kind| open(&store, kind)).into();
    let stuck = store.follow("/data/big?follow=true&last_entry_id=first", &[]);
    let waiting = store.follow("/data/big?follow=true&last_entry_id=first&max_rate=0.001", &[]);
    redis.pause();
    store.signal("TERM");
    let ended = store.wait(PATIENCE);
    redis.resume();
    assert_eq!(ended.code(), Some(0), "{}", store.log());
    for follower in silent.into_iter().chain([stuck, waiting]) {
        assert_eq!(follower.rest().1, End::BrokenOff);
    }
}

#[test]
fn what_is_opened_and_closed_a_thousand_times_leaves_nothing_behind() {
    let redis = Redis::start();
    let store = Program::start(&["--redis", &redis.url()]);
    store.assert_serves();
    let before = crate::harness::Footprint::of(&store);
    for round in 0..250 {
        for (path, line) in KINDS {
            let mut stream = store.raw();
            let lines: &[&str] = if line.is_empty() { &[] } else { &[line] };
            send(&mut stream, store.head("GET", path, lines));
            if round % 2 == 0 {
                let mut some = [0; 10];
                stream.read_exact(&mut some).expect("the beginning");
            }
        }
    }
    eventually(PATIENCE, || {
        store.metric(OPEN_FOLLOWERS) == 0.0 && store.metric(OPEN_PULLS) == 0.0
    });
    before.is_back(&store, 32 << 20);
    eventually(PATIENCE, || redis.clients() < 30);
}

#[test]
fn the_log_tells_of_each_once_it_opens_and_once_it_ends() {
    let redis = Redis::start();
    let store = Program::start(&["--redis", &redis.url()]);
    store.add("s", &[b"12345"]);
    let (_, end) = store
        .follow("/data/s+t?follow=true&format=json&timeout=100&token=secret", &[])
        .rest();
    assert_eq!(end, End::Whole);
    eventually(PATIENCE, || store.log().contains("follow closed"));
    let log = store.log();
    let line = |word: &str| {
        log.lines()
            .find(|line| line.contains(word))
            .unwrap_or_else(|| panic!("no {word}: {log}"))
    };
    assert!(line("follow open").contains("stream=s+t"), "{log}");
    let closed = line("follow closed");
    for part in ["stream=s+t", "entries=1", "bytes=5", "code=1000", "timeout"] {
        assert!(closed.contains(part), "{part}: {closed}");
    }
    assert!(!log.contains("secret") && !log.contains(&store.token), "{log}");
}
