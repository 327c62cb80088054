//! docs/pulling.md: a reply that is opened while Redis is away waits, as those do that are open. A browser's `EventSource` would
//! give up for good after any status but 200.

use std::thread;
use std::time::{Duration, Instant};

use crate::harness::wire::OPEN_FOLLOWERS;
use crate::harness::{End, Followed, PATIENCE, Redis, Store, eventually, read_answer_to_head, send};

const EVENTS: &str = "Accept: text/event-stream";

/// Fewer than there are places for.
const MOST_OPENED: usize = 100;

/// Opened well before anybody would look for the time-out of a Redis that hangs.
const AT_ONCE: Duration = Duration::from_secs(1);

/// A store whose Redis has gone.
fn bereaved() -> Store {
    let redis = Redis::start_durable();
    let store = Store::on(&redis, &[]);
    redis.command::<String>(&["XADD", "s", "5-1", "d", "\"before\""]);
    redis.command::<String>(&["XADD", "cam", "5-1", "d", "\u{fffd}"]);
    redis.command::<String>(&["SET", "text", "no stream"]);
    redis.kill();
    eventually(PATIENCE, || store.get("/ping").status == 503);
    store
}

/// Opened at once, with the head that it has otherwise.
#[track_caller]
fn open(store: &Store, path: &str, lines: &[&str]) -> Followed {
    let begun = Instant::now();
    let reply = store.follow(path, lines);
    assert!(begun.elapsed() < AT_ONCE, "{path}: {:?}", begun.elapsed());
    reply
}

#[track_caller]
fn data(events: &mut Followed) -> String {
    loop {
        if let Some(data) = events.line().strip_prefix("data: ") {
            let line: serde_json::Value = serde_json::from_str(data).expect("a line");
            return line["data"].as_str().expect("text").to_owned();
        }
    }
}

#[test]
fn a_reply_of_every_kind_that_is_opened_while_redis_is_away_delivers_when_it_is_back() {
    let store = bereaved();
    let mut raw = open(&store, "/data/s?follow=true&last_entry_id=first", &[]);
    let mut json = open(&store, "/data/s?follow=true&format=json&last_entry_id=first", &[]);
    let mut events = open(&store, "/data/s?last_entry_id=first", &[EVENTS]);
    let mut many = open(&store, "/data/none+s?last_entry_id=first", &[EVENTS]);
    let mut pictures = open(&store, "/mjpeg/cam?last_entry_id=first", &[]);
    assert_eq!(events.head.header("content-type"), Some("text/event-stream"));
    assert_eq!(events.line(), "retry: 1000");
    assert!(pictures.line().starts_with("--ptg-store-"));
    store.redis.restart();
    assert_eq!(raw.bytes(8), b"\"before\"");
    assert_eq!(json.json()["data"], "before");
    assert_eq!(data(&mut events), "before");
    assert_eq!(data(&mut many), "before");
    eventually(PATIENCE, || {
        store.post("/data/s", "text/plain", b"\"after\"").status == 200
    });
    store.add("cam", &[b"\xff\xd8\xff"]);
    assert_eq!(raw.bytes(7), b"\"after\"");
    assert_eq!(json.json()["data"], "after");
    assert_eq!(data(&mut events), "after");
    assert_eq!(data(&mut many), "after");
    assert_eq!(pictures.line(), "Content-Type: image/jpeg\r");
}

#[test]
fn a_browser_that_comes_back_while_redis_is_away_misses_nothing_and_gets_nothing_twice() {
    let redis = Redis::start_durable();
    let store = Store::on(&redis, &[]);
    for id in ["5-1", "6-1", "7-1"] {
        redis.command::<String>(&["XADD", "s", id, "d", &format!("\"{id}\"")]);
    }
    redis.kill();
    let mut by_header = open(&store, "/data/s?last_entry_id=first", &[EVENTS, "Last-Event-ID: 5-1"]);
    let mut by_query = open(&store, "/data/s?lastEventId=6-1", &[EVENTS]);
    redis.restart();
    assert_eq!(
        (data(&mut by_header), data(&mut by_header)),
        ("6-1".into(), "7-1".into())
    );
    assert_eq!(data(&mut by_query), "7-1");
}

#[test]
fn one_that_hangs_is_as_one_that_is_away() {
    let redis = Redis::start();
    let store = Store::on(&redis, &[]);
    store.add("s", &[b"\"before\""]);
    redis.pause();
    let mut events = store.follow("/data/s", &[EVENTS]);
    redis.resume();
    assert_eq!(data(&mut events), "before");
}

#[test]
fn what_is_found_wrong_when_redis_is_back_breaks_the_reply_off_and_the_next_try_is_told() {
    let store = bereaved();
    for (path, lines, begins) in [
        ("/data/text", &[EVENTS][..], "retry: 1000\n\n"),
        ("/data/text?follow=true", &[], ""),
    ] {
        let reply = open(&store, path, lines);
        store.redis.restart();
        let (body, end) = reply.rest();
        assert_eq!(
            (std::str::from_utf8(&body), end),
            (Ok(begins), End::BrokenOff),
            "{path}"
        );
        let detail = store.exchange(store.head("GET", path, lines)).expect(400).detail();
        assert!(detail.contains("text"), "{detail}");
        store.redis.kill();
    }
}

#[test]
fn whoever_has_had_everything_is_told_so_when_redis_is_back() {
    let store = bereaved();
    let path = "/data/s?until=5-1";
    let reply = open(&store, path, &[EVENTS, "Last-Event-ID: 5-1"]);
    store.redis.restart();
    let (body, end) = reply.rest();
    assert_eq!((body.as_slice(), end), (&b"retry: 1000\n\n"[..], End::Whole));
    store
        .exchange(store.head("GET", path, &[EVENTS, "Last-Event-ID: 5-1"]))
        .expect(204);
}

#[test]
fn whoever_leaves_while_redis_is_away_is_noticed_and_a_stop_ends_the_others() {
    let mut store = bereaved();
    let left = open(&store, "/data/s", &[EVENTS]);
    let stays = open(&store, "/data/s?follow=true", &[]);
    assert_eq!(store.metric(OPEN_FOLLOWERS), 2.0);
    drop(left);
    eventually(PATIENCE, || store.metric(OPEN_FOLLOWERS) == 1.0);
    let begun = Instant::now();
    store.stop();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    stays.ends(End::BrokenOff);
}

#[test]
fn what_is_wrong_with_the_request_itself_is_told_at_once_and_head_is_answered() {
    let store = bereaved();
    for (path, status) in [
        ("/data/s?max_rate=x", 422),
        ("/data/s?lastEventId=x", 422),
        ("/data/a%2Fb", 422),
    ] {
        store.exchange(store.head("GET", path, &[EVENTS])).expect(status);
    }
    store
        .ask("GET", "/data/s", &[("Accept", "text/event-stream")], None)
        .expect(401);
    // What does not stay open cannot wait.
    store.get("/data/s").expect(503);
    let mut stream = store.raw();
    send(&mut stream, store.head("HEAD", "/data/s", &[EVENTS]));
    let head = read_answer_to_head(&mut stream).expect(200);
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
}

#[test]
fn while_redis_reads_its_data_whoever_opens_a_reply_waits_like_those_who_wait_already() {
    let redis = Redis::start_durable();
    let store = Store::on(&redis, &[]);
    redis.command::<String>(&["XADD", "s", "5-1", "d", "\"before\""]);
    let mut waiting = thread::scope(|scope| {
        let restart = scope.spawn(|| redis.restart_slowly());
        let mut waiting = Vec::new();
        eventually(PATIENCE, || store.get("/ping").status == 503);
        while !restart.is_finished() && waiting.len() < MOST_OPENED {
            waiting.push(store.follow("/data/s?last_entry_id=first", &[EVENTS]));
            store.get("/ping");
        }
        waiting
    });
    assert!(!waiting.is_empty());
    for events in &mut waiting {
        assert_eq!(data(events), "before");
    }
}
