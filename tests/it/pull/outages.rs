//! Pulls of every kind while Redis is killed, restarted and cut off in the middle of its replies: nothing is lost, nothing
//! comes twice, and nothing is called a gap that is none.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use serde_json::Value;
use tungstenite::Message;

use crate::harness::wire::{Entry, add, clock, closes_with, ping, stored};
use crate::harness::{
    End, Followed, Manner, PATIENCE, Proxy, Redis, Socket, Store, eventually, receive_json, send_text,
};

/// The streams that are pulled, and the last entry of each.
const STREAMS: [&str; 2] = ["a", "b"];
const LAST: &[u8] = b"\"last\"";

/// What a client of one kind got of each stream.
type Books = [Vec<Vec<u8>>; 2];

/// Adds to both streams until told to stop, whatever becomes of Redis meanwhile, and at last the last entries.
fn keep_adding(redis: &Redis, stop: &AtomicBool) {
    let try_add = |stream: &str, data: &[u8]| -> redis::RedisResult<String> {
        let client = redis::Client::open(redis.url())?;
        let mut connection = client.get_connection_with_timeout(Duration::from_secs(1))?;
        redis::cmd("XADD")
            .arg(stream)
            .arg("*")
            .arg("d")
            .arg(data)
            .query(&mut connection)
    };
    let mut number = 0;
    while !stop.load(Relaxed) {
        // Whether it was stored although no answer came is seen in Redis at the end.
        let _ = try_add(STREAMS[number % 2], number.to_string().as_bytes());
        number += 1;
    }
    for stream in STREAMS {
        eventually(PATIENCE, || try_add(stream, LAST).is_ok());
    }
}

/// Kills and restarts a Redis that keeps every write, a few times, while entries are added and clients read.
fn with_restarts(redis: &Redis, clients: Vec<Box<dyn FnOnce() + Send + '_>>) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let adder = scope.spawn(|| keep_adding(redis, &stop));
        let clients: Vec<_> = clients.into_iter().map(|client| scope.spawn(client)).collect();
        for _ in 0..3 {
            let length = || -> usize { redis.command(&["XLEN", "a"]) };
            let before = length();
            eventually(PATIENCE, || length() > before + 50);
            redis.kill();
            redis.restart();
        }
        stop.store(true, Relaxed);
        adder.join().expect("the adder");
        for client in clients {
            client.join().expect("a client");
        }
    });
}

fn data_of(redis: &Redis) -> Books {
    STREAMS.map(|stream| stored(redis, stream).into_iter().map(|entry| entry.1).collect())
}

fn put(books: &mut Books, stream: &str, data: Vec<u8>) {
    let index = STREAMS
        .iter()
        .position(|name| *name == stream)
        .expect("one of the streams");
    books[index].push(data);
}

fn have_ended(books: &Books) -> bool {
    books.iter().all(|book| book.last().is_some_and(|data| data == LAST))
}

/// Notes an entry that a line of JSON tells of.
fn put_line(books: &mut Books, line: &Value) {
    assert!(line["gap"].is_null(), "{line}");
    put(
        books,
        line["stream"].as_str().expect("a stream"),
        line["data"].to_string().into_bytes(),
    );
}

fn pull_lines(store: &Store, query: &str) -> Books {
    let mut pull = store.socket(&format!("/data/a+b/pull?format=json&last_entry_id=first&{query}"));
    let mut books = Books::default();
    while !have_ended(&books) {
        put_line(&mut books, &receive_json(&mut pull));
        if query.contains("ack") {
            send_text(&mut pull, "");
        }
    }
    books
}

fn pull_triples(store: &Store, query: &str) -> Books {
    let mut pull = store.socket(&format!("/data/a+b/pull?last_entry_id=first&{query}"));
    let mut books = Books::default();
    while !have_ended(&books) {
        for (stream, _, data) in crate::harness::receive_triples(&mut pull) {
            put(&mut books, &stream, data);
        }
    }
    books
}

fn follow_lines(store: &Store) -> Books {
    let mut follow = store.follow("/data/a+b?follow=true&format=json&last_entry_id=first", &[]);
    let mut books = Books::default();
    while !have_ended(&books) {
        put_line(&mut books, &follow.json());
    }
    books
}

fn follow_raw(store: &Store) -> Vec<u8> {
    let mut follow = store.follow("/data/a?follow=true&last_entry_id=first", &[]);
    let mut bytes = Vec::new();
    while !bytes.ends_with(LAST) {
        bytes.extend(follow.bytes(1));
    }
    bytes
}

fn events(store: &Store) -> Books {
    let path = "/data/a+b?last_entry_id=first";
    let mut events = store.follow(path, &["Accept: text/event-stream"]);
    let mut books = Books::default();
    while !have_ended(&books) {
        if let Some(line) = events.line().strip_prefix("data: ") {
            put_line(&mut books, &serde_json::from_str(line).expect("a line"));
        }
    }
    books
}

#[test]
fn restarts_of_redis_cost_no_pull_an_entry_and_bring_none_twice() {
    let redis = Redis::start_durable();
    let store = Store::on(&redis, &["--max-len", "1000000"]);
    let found = std::sync::Mutex::new(Vec::new());
    let note = |kind: &'static str, books: Books| found.lock().expect("the books").push((kind, books));
    let raw = std::sync::Mutex::new(Vec::new());
    let (store_ref, note, raw_ref) = (&store, &note, &raw);
    with_restarts(
        &redis,
        vec![
            Box::new(move || note("json", pull_lines(store_ref, ""))),
            Box::new(move || note("json, count=50, ack", pull_lines(store_ref, "count=50&ack=true"))),
            Box::new(move || note("json, on_gap", pull_lines(store_ref, "on_gap=close"))),
            Box::new(move || note("pairs", pull_triples(store_ref, "count=7"))),
            Box::new(move || note("pairs, on_gap", pull_triples(store_ref, "on_gap=close"))),
            Box::new(move || note("followed lines", follow_lines(store_ref))),
            Box::new(move || note("events", events(store_ref))),
            Box::new(move || *raw_ref.lock().expect("the bytes") = follow_raw(store_ref)),
        ],
    );
    let expected = data_of(&redis);
    for (kind, books) in found.into_inner().expect("the books") {
        assert!(
            books == expected,
            "{kind}: {:?} of {:?}",
            books.map(|b| b.len()),
            expected.clone().map(|b| b.len())
        );
    }
    assert!(raw.into_inner().expect("the bytes") == expected[0].concat());
    assert_eq!(store.metric("ptg_pull_gaps_total"), 0.0);
}

#[test]
fn restarts_of_redis_cost_a_display_no_order_and_not_the_newest() {
    let redis = Redis::start_durable();
    let store = Store::on(&redis, &["--max-len", "1000000"]);
    let found = std::sync::Mutex::new(Vec::new());
    let display = || {
        let mut pull = store.socket("/data/a+b/pull?newest=true&format=json&last_entry_id=first");
        let mut lines: [Vec<Value>; 2] = Default::default();
        while !lines
            .iter()
            .all(|lines| lines.last().is_some_and(|line| line["data"] == "last"))
        {
            let line = receive_json(&mut pull);
            let index = STREAMS
                .iter()
                .position(|name| line["stream"] == *name)
                .expect("one of them");
            lines[index].push(line);
        }
        *found.lock().expect("the lines") = lines.into();
    };
    with_restarts(&redis, vec![Box::new(display)]);
    let lines: Vec<Vec<Value>> = found.into_inner().expect("the lines");
    for (stream, lines) in STREAMS.iter().zip(lines) {
        let all = stored(&redis, stream);
        let place = |line: &Value| {
            all.iter()
                .position(|entry| line["id"] == entry.0)
                .expect("an entry of it")
        };
        let places: Vec<usize> = lines.iter().map(place).collect();
        assert!(places.is_sorted_by(|a, b| a < b), "{stream}: not always newer");
        // The books of what was skipped are exact over all of it.
        let skipped: u64 = lines
            .iter()
            .map(|line| line["skipped"].as_u64().expect("a count"))
            .sum();
        assert_eq!(skipped as usize + lines.len(), all.len(), "{stream}");
    }
}

#[test]
fn an_end_that_comes_during_an_outage_is_reached_after_it() {
    let redis = Redis::start_durable();
    let store = Store::on(&redis, &[]);
    add(&redis, "a", &["1", "2"]);
    let end = jiff::Timestamp::from_millisecond(clock(&redis) as i64 + 1000).expect("a time");
    let mut pulls: Vec<Socket> = ["", "&format=json", "&newest=true"]
        .map(|query| store.pull("a", &format!("until={end}{query}")))
        .into();
    let follow = store.follow(&format!("/data/a?follow=true&last_entry_id=$&until={end}"), &[]);
    redis.kill();
    eventually(PATIENCE, || jiff::Timestamp::now() > end);
    for pull in &mut pulls {
        // What was added before the end could still be there, so they wait.
        assert_eq!(ping(pull), []);
    }
    redis.restart();
    for pull in &mut pulls {
        closes_with(pull, 1000);
    }
    follow.ends(End::Whole);
}

#[test]
fn a_redis_that_loses_everything_is_begun_anew_by_every_kind_of_pull() {
    let redis = Redis::start();
    let store = Store::on(&redis, &[]);
    add(&redis, "a", &["1", "2"]);
    let mut pulls: Vec<Socket> = ["format=json", "format=json&on_gap=close", "newest=true&format=json"]
        .map(|query| store.pull("a", query))
        .into();
    let mut follow: Followed = store.follow("/data/a+b?follow=true&format=json&last_entry_id=$", &[]);
    redis.kill();
    redis.restart();
    add(&redis, "a", &["3"]);
    for (n, pull) in pulls.iter_mut().enumerate() {
        assert_eq!(receive_json(pull)["gap"]["missed"], 0);
        match n {
            1 => drop(closes_with(pull, 4001)),
            _ => assert_eq!(receive_json(pull)["data"], 3),
        }
    }
    assert_eq!(follow.json()["gap"]["missed"], 0);
    assert_eq!(follow.json()["data"], 3);
}

/// Reads every line of a pull that waits for its client, and trims what has been read, whatever it is cut off from.
#[track_caller]
fn read_and_trim(redis: &Redis, pull: &mut Socket, all: &[Entry]) {
    for (n, entry) in all.iter().enumerate() {
        let line = loop {
            match pull.read().expect("a message") {
                Message::Text(text) => break serde_json::from_str::<Value>(&text).expect("a line"),
                Message::Close(frame) => panic!("entry {n}: {frame:?}"),
                _ => {}
            }
        };
        assert_eq!(line["id"], entry.0, "entry {n}: {line}");
        if let Some(next) = all.get(n + 1) {
            let _: usize = redis.command(&["XTRIM", "s", "MINID", "=", &next.0]);
        }
        send_text(pull, "");
    }
}

#[test]
fn cuts_in_the_middle_of_replies_lose_nothing_and_are_no_gap() {
    let redis = Redis::start();
    let proxy = Proxy::to(&redis);
    let store = Store::through(&proxy, &redis, &[]);
    // A read of many entries breaks off after some of them.
    for (cut, count) in [(150_000, 1), (150_000, 7), (333_333, 100), (80_000, 1000)] {
        proxy.set(Manner::Pass);
        let _: usize = redis.command(&["DEL", "s"]);
        let all = add(&redis, "s", &vec![vec![b'x'; 10_000]; 300]);
        let mut pull = store.pull(
            "s",
            &format!("format=json&ack=true&on_gap=close&last_entry_id=first&count={count}"),
        );
        proxy.set(Manner::CutAfter(cut));
        read_and_trim(&redis, &mut pull, &all);
    }
    proxy.set(Manner::Pass);
    assert!(proxy.broken() > 5, "{} replies were cut", proxy.broken());
    assert_eq!(store.metric("ptg_pull_gaps_total"), 0.0);
}

#[test]
fn what_is_trimmed_during_an_outage_is_counted_exactly() {
    let redis = Redis::start();
    let proxy = Proxy::to(&redis);
    let store = Store::through(&proxy, &redis, &[]);
    let mut pull = store.pull("s", "format=json");
    let (mut seen, mut missed, mut next) = (0, 0, 0);
    for round in 0..5 {
        add(
            &redis,
            "s",
            &(0..20).map(|n| (next + n).to_string()).collect::<Vec<_>>(),
        );
        while seen + missed < next + 20 {
            let line = receive_json(&mut pull);
            match line["gap"]["missed"].as_u64() {
                Some(n) => missed += n,
                None => {
                    assert_eq!(line["data"], seen + missed, "{line}");
                    seen += 1;
                }
            }
        }
        next += 20;
        proxy.cut_and(Manner::Hold);
        add(
            &redis,
            "s",
            &(0..30).map(|n| (next + n).to_string()).collect::<Vec<_>>(),
        );
        let _: usize = redis.command(&["XTRIM", "s", "MAXLEN", "=", &(round * 7).to_string()]);
        next += 30;
        proxy.set(Manner::Pass);
    }
    assert!(missed > 0 && seen > 0, "{seen} {missed}");
}
