//! docs/pulling.md, streams that begin anew: every kind of reader notices, is told, and reads the new generation from its
//! start, whichever way the stream went back.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::harness::{
    PATIENCE, Redis, Socket, Store, eventually, receive_binary, receive_json, receive_reply, receive_triples, send_text,
};
use crate::wire::{Entry, closes_with, stored};
use crate::{events, mjpeg};

/// Within this time a reader is to know.
const PROMISE: Duration = Duration::from_secs(6);

/// What an entry has, so that it is a picture, too: four bytes before its name of five.
const JPEG: &[u8] = &[0xff, 0xd8, 0xff, 0xe0];
const SIZE: usize = JPEG.len() + "old01".len();

/// What a reader is given.
#[derive(Debug)]
pub enum Told {
    Entry(String),
    Gap(Value),
}

/// A reader, which waits for what it is given next.
pub type Next<'a> = Box<dyn FnMut() -> Told + Send + 'a>;

pub fn entry(name: &str) -> Vec<u8> {
    [JPEG, name.as_bytes()].concat()
}

fn name(entry: &[u8]) -> Told {
    let name = entry.strip_prefix(JPEG).expect("one of the entries");
    Told::Entry(String::from_utf8(name.to_vec()).expect("a name"))
}

/// What a line of JSON tells.
pub fn line(line: &Value) -> Told {
    match &line["gap"] {
        Value::Null => {
            let data = line["data"]["base64"].as_str().expect("bytes");
            name(&STANDARD.decode(data).expect("base64"))
        }
        gap => Told::Gap(gap.clone()),
    }
}

/// The id right before one that ends with `-0` or is `0-1`.
pub fn before(id: &str) -> String {
    let (ms, seq) = id.split_once('-').expect("an id");
    match seq.parse::<u64>().expect("a number") {
        0 => format!("{}-{}", ms.parse::<u64>().expect("ms") - 1, u64::MAX),
        seq => format!("{ms}-{}", seq - 1),
    }
}

/// The ids in the reason of a 4001, as a line tells them.
#[track_caller]
pub fn gap_in(reason: &str) -> Value {
    let (ids, why) = reason.split_once(": ").expect("ids and a sentence");
    assert_eq!(why, "the stream begins anew");
    let ids = ids.strip_prefix("gap after=").expect("the last that was read");
    let (after, before) = ids.split_once(" before=").expect("the first of the new ones");
    json!({"after": after, "before": before})
}

/// A pull that ends at each gap, and is opened again behind it.
fn reopened(store: &Store) -> Next<'_> {
    let query = "on_gap=close&resume=true&last_entry_id=";
    let mut pull = store.pull("s", &format!("{query}first"));
    Box::new(move || match pull.read().expect("a message") {
        tungstenite::Message::Text(_) => name(&receive_binary(&mut pull)),
        tungstenite::Message::Close(Some(frame)) => {
            assert_eq!(u16::from(frame.code), 4001);
            let gap = gap_in(frame.reason.as_str());
            pull = store.pull(
                "s",
                &format!("{query}{}", before(gap["before"].as_str().expect("an id"))),
            );
            Told::Gap(gap)
        }
        other => panic!("{other:?}"),
    })
}

fn of_lines<'a>(mut pull: Socket, ack: bool) -> Next<'a> {
    Box::new(move || {
        let told = line(&receive_json(&mut pull));
        if ack && matches!(told, Told::Entry(_)) {
            send_text(&mut pull, "");
        }
        told
    })
}

fn of_events(store: &Store) -> Next<'_> {
    let mut events = events::open(store, "/data/s?last_entry_id=first", &[]);
    Box::new(move || {
        let event = events::next(&mut events);
        let told = line(&serde_json::from_str(&event.data).expect("a line"));
        if let Told::Gap(gap) = &told {
            assert_eq!(event.kind, "gap");
            assert_eq!(event.id, before(gap["before"].as_str().expect("an id")), "{gap}");
        }
        told
    })
}

/// All kinds of reader, each from the start on.
fn readers(store: &Store) -> Vec<(&'static str, Next<'_>)> {
    let follow = |query: &str| store.follow(&format!("/data/s?follow=true&last_entry_id=first{query}"), &[]);
    let lines = |query: &str| store.pull("s", &format!("format=json&last_entry_id=first&{query}"));
    let (mut raw, mut pictures) = (follow(""), mjpeg::open(store, "/mjpeg/s"));
    let mut followed: Vec<_> = ["&format=json", "&format=json&newest=true"].map(follow).into();
    let (mut newest, mut each) = (followed.pop().expect("one"), followed.pop().expect("one"));
    let mut pull = store.pull("s", "format=raw&last_entry_id=first");
    let mut paced = store.pull("s", "last_entry_id=first&max_rate=100");
    let mut pairs = store.pull("s", "last_entry_id=first&count=7");
    let mut ready: Vec<Entry> = Vec::new();
    vec![
        (
            "pairs",
            Box::new(move || {
                if ready.is_empty() {
                    ready = receive_reply(&mut pairs);
                }
                name(&ready.remove(0).1)
            }),
        ),
        (
            "pairs, paced",
            Box::new(move || name(&receive_reply(&mut paced).remove(0).1)),
        ),
        ("pairs, on_gap", reopened(store)),
        ("raw", Box::new(move || name(&receive_binary(&mut pull)))),
        ("json", of_lines(lines(""), false)),
        ("json, ack", of_lines(lines("ack=true"), true)),
        ("json, paced", of_lines(lines("max_rate=100&count=5"), false)),
        ("json, newest", of_lines(lines("newest=true"), false)),
        ("followed", Box::new(move || name(&raw.bytes(SIZE)))),
        ("followed json", Box::new(move || line(&each.json()))),
        ("followed newest", Box::new(move || line(&newest.json()))),
        ("events", of_events(store)),
        ("pictures", Box::new(move || name(&mjpeg::next(&mut pictures)))),
    ]
}

/// Whether a kind has a way to tell a gap to its client, and whether it gives out each entry.
fn tells(kind: &str) -> bool {
    kind.contains("json") || kind.contains("on_gap") || matches!(kind, "events" | "followed newest")
}

fn gives_each(kind: &str) -> bool {
    !kind.contains("newest") && kind != "pictures"
}

/// Adds entries with these names and the ids `from`-0, `from + 1`-0, …
pub fn number(redis: &Redis, stream: &str, from: usize, names: &[String]) {
    let mut pipeline = redis::pipe();
    for (n, name) in names.iter().enumerate() {
        let id = format!("{}-0", from + n);
        pipeline.cmd("XADD").arg(stream).arg(id).arg("d").arg(entry(name));
    }
    let _: Vec<String> = pipeline.query(&mut redis.connection()).expect("to add entries");
}

pub fn names(kind: &str, range: std::ops::RangeInclusive<usize>) -> Vec<String> {
    range.map(|n| format!("{kind}{n:02}")).collect()
}

/// Twenty entries are read by every kind of reader; the stream goes back, and has ten new ones at its end. Everybody gets all
/// that it has then, once, and is told one gap.
#[track_caller]
fn begins_anew(store: &Store, go_back: impl FnOnce(&Store)) {
    number(&store.redis, "s", 11, &names("old", 11..=20));
    let readers = readers(store);
    let all_read = Barrier::new(readers.len() + 1);
    let count = readers.len();
    let found: Vec<_> = std::thread::scope(|scope| {
        let all_read = &all_read;
        let readers: Vec<_> = readers
            .into_iter()
            .map(|(kind, mut next)| {
                let read = scope.spawn(move || {
                    while !matches!(next(), Told::Entry(name) if name == "old20") {}
                    all_read.wait();
                    let (mut gaps, mut read) = (Vec::new(), Vec::<String>::new());
                    while read.last().is_none_or(|name| name != "new10") {
                        match next() {
                            Told::Entry(name) => read.push(name),
                            Told::Gap(gap) => gaps.push((read.len(), gap)),
                        }
                    }
                    // It stays until everybody has read all.
                    (gaps, read, next)
                });
                (kind, read)
            })
            .collect();
        all_read.wait();
        go_back(store);
        let ended = readers.into_iter().map(|(kind, read)| (kind, read.join()));
        ended.collect()
    });
    let there = stored(&store.redis, "s");
    let expected: Vec<String> = there
        .iter()
        .map(|(_, data)| String::from_utf8_lossy(&data[JPEG.len()..]).into_owned())
        .collect();
    assert_eq!(expected[expected.len() - 10..], names("new", 1..=10));
    for (kind, read) in &found {
        let kind = *kind;
        let Ok((gaps, read, _)) = read else {
            panic!("{kind}: nothing came")
        };
        if gives_each(kind) {
            assert_eq!(*read, expected, "{kind}");
        }
        if !tells(kind) {
            assert_eq!(gaps.len(), 0, "{kind}");
            continue;
        }
        let [(place, gap)] = gaps.as_slice() else {
            panic!("{kind}: {gaps:?}");
        };
        assert_eq!((*place, &gap["after"]), (0, &json!("20-0")), "{kind}: {gap}");
        // What is left may not have been there yet.
        let before = &gap["before"];
        assert!(*before == "0-1" || *before == there[0].0, "{kind}: {gap}");
        if kind != "pairs, on_gap" {
            // Everything had been read.
            assert_eq!(gap["missed"], 0, "{kind}: {gap}");
        }
    }
    eventually(PATIENCE, || store.metric("ptg_pull_gaps_total") == count as f64);
    assert_eq!(store.metric("ptg_pull_entries_missed_total"), 0.0);
}

/// A store whose stream has the first ten entries.
fn with_ten(redis: Redis) -> Store {
    let store = Store::on(&redis, &[]);
    number(&redis, "s", 1, &names("old", 1..=10));
    store
}

#[test]
fn a_stream_that_is_deleted_and_numbered_anew_is_read_from_its_start() {
    begins_anew(&with_ten(Redis::start()), |store| {
        store.delete("/streams/s").expect(200);
        number(&store.redis, "s", 1, &names("new", 1..=10));
    });
}

#[test]
fn so_is_one_whose_new_ids_pass_the_old_ones_at_once() {
    begins_anew(&with_ten(Redis::start()), |store| {
        store.delete("/streams/s").expect(200);
        number(
            &store.redis,
            "s",
            1,
            &[names("abc", 1..=30), names("new", 1..=10)].concat(),
        );
    });
}

#[test]
fn so_is_one_that_another_program_deleted() {
    begins_anew(&with_ten(Redis::start()), |store| {
        let _: usize = store.redis.command(&["DEL", "s"]);
        number(&store.redis, "s", 1, &names("new", 1..=10));
    });
}

#[test]
fn so_is_one_that_was_flushed_with_all_others() {
    begins_anew(&with_ten(Redis::start()), |store| {
        let _: String = store.redis.command(&["FLUSHALL"]);
        number(&store.redis, "s", 3, &names("new", 1..=10));
    });
}

#[test]
fn so_is_one_that_another_was_renamed_over() {
    begins_anew(&with_ten(Redis::start()), |store| {
        number(&store.redis, "other", 5, &names("new", 1..=10));
        let _: String = store.redis.command(&["RENAME", "other", "s"]);
    });
}

#[test]
fn so_is_one_whose_ids_go_on_upwards_by_the_clock() {
    begins_anew(&with_ten(Redis::start()), |store| {
        store.delete("/streams/s").expect(200);
        for name in names("new", 1..=10) {
            store.add("s", &[&entry(&name)]);
        }
    });
    // Also when nobody says that it was deleted.
    begins_anew(&with_ten(Redis::start()), |store| {
        let _: usize = store.redis.command(&["DEL", "s"]);
        for name in names("new", 1..=10) {
            store.add("s", &[&entry(&name)]);
        }
    });
}

#[test]
fn an_older_copy_that_is_restored_is_read_from_its_start() {
    let store = with_ten(Redis::start());
    let mut connection = store.redis.connection();
    let copy: Vec<u8> = redis::cmd("DUMP").arg("s").query(&mut connection).expect("a copy");
    begins_anew(&store, |store| {
        let mut restore = redis::cmd("RESTORE");
        restore.arg("s").arg(0).arg(copy).arg("REPLACE");
        restore.exec(&mut connection).expect("to restore");
        number(&store.redis, "s", 11, &names("new", 1..=10));
    });
}

#[test]
fn a_redis_that_comes_back_without_its_last_entries_is_read_from_the_start() {
    let store = with_ten(Redis::start());
    let _: String = store.redis.command(&["SAVE"]);
    begins_anew(&store, |store| {
        store.redis.kill();
        store.redis.restart();
        number(&store.redis, "s", 11, &names("new", 1..=10));
    });
}

#[test]
fn a_stream_that_is_gone_is_told_within_six_seconds_also_if_nothing_comes() {
    let store = with_ten(Redis::start());
    let mut lines = store.pull("s", "format=json");
    let mut closed = store.pull("s", "on_gap=close");
    let mut events = events::open(&store, "/data/s?last_entry_id=10-0", &[]);
    let begun = Instant::now();
    let _: usize = store.redis.command(&["DEL", "s"]);
    let gap = json!({"after": "10-0", "before": "0-1", "missed": 0});
    assert_eq!(receive_json(&mut lines), json!({"stream": "s", "gap": gap}));
    assert_eq!(gap_in(&closes_with(&mut closed, 4001))["before"], "0-1");
    let event = events::next(&mut events);
    assert_eq!((event.kind.as_str(), event.id.as_str()), ("gap", "0-0"));
    assert!(begun.elapsed() < PROMISE, "{:?}", begun.elapsed());
    // Whatever comes next is read, with the smallest ids that there can be.
    let _: String = store.redis.command(&["XADD", "s", "0-1", "d", "5"]);
    assert_eq!(receive_json(&mut lines)["data"], 5);
}

#[test]
fn what_was_not_read_of_the_old_generation_is_part_of_the_gap() {
    let store = with_ten(Redis::start());
    let mut lines = store.pull("s", "format=json&ack=true&last_entry_id=first");
    receive_json(&mut lines);
    send_text(&mut lines, "");
    receive_json(&mut lines);
    // What was read ahead of the client is delivered; the others are gone.
    store.delete("/streams/s").expect(200);
    for name in names("new", 1..=15) {
        store.add("s", &[&entry(&name)]);
    }
    let (mut read, mut gap) = (2, Value::Null);
    while gap.is_null() {
        send_text(&mut lines, "");
        match line(&receive_json(&mut lines)) {
            Told::Entry(_) => read += 1,
            Told::Gap(found) => gap = found,
        }
    }
    assert_eq!(
        (&gap["after"], &gap["missed"]),
        (&json!(format!("{read}-0")), &json!(10 - read))
    );
    for expected in names("new", 1..=15) {
        assert!(matches!(line(&receive_json(&mut lines)), Told::Entry(name) if name == expected));
        send_text(&mut lines, "");
    }
}

#[test]
fn of_joined_streams_only_the_one_that_begins_anew_has_a_gap() {
    let store = with_ten(Redis::start());
    number(&store.redis, "t", 1, &names("oth", 1..=2));
    let query = "/data/s+t/pull?last_entry_id=$";
    let mut lines = store.socket(&format!("{query}&format=json"));
    let mut triples = store.socket(query);
    let mut events = events::open(&store, "/data/s+t?last_entry_id=10-0+2-0", &[]);
    let _: usize = store.redis.command(&["DEL", "s"]);
    assert_eq!(receive_json(&mut lines)["stream"], "s");
    let event = events::next(&mut events);
    // A browser that comes back with it begins with the new generation, and goes on with the other stream.
    assert_eq!((event.kind.as_str(), event.id.as_str()), ("gap", "0-0+2-0"));
    number(&store.redis, "s", 1, &names("new", 1..=2));
    number(&store.redis, "t", 3, &names("oth", 3..=3));
    let mut found = Vec::new();
    while found.len() < 3 {
        found.extend(receive_triples(&mut triples));
    }
    found.sort();
    let ids: Vec<_> = found
        .iter()
        .map(|(stream, id, _)| (stream.as_str(), id.as_str()))
        .collect();
    assert_eq!(ids, [("s", "1-0"), ("s", "2-0"), ("t", "3-0")]);
    for _ in 0..3 {
        assert!(receive_json(&mut lines)["gap"].is_null());
        assert_eq!(events::next(&mut events).kind, "");
    }
    let mut back = events::open(&store, "/data/s+t", &["Last-Event-ID: 0-0+2-0"]);
    assert_eq!(
        (0..3).map(|_| events::next(&mut back).kind).collect::<Vec<_>>(),
        ["", "", ""]
    );
    eventually(PATIENCE, || store.metric("ptg_pull_gaps_total") == 3.0);
}

#[test]
fn a_stream_may_begin_anew_again_and_again() {
    let store = Store::start();
    let mut lines = store.pull("s", "format=json");
    let mut closed = false;
    for round in 1..=4 {
        number(&store.redis, "s", 10 - round, &names("new", 1..=5));
        let mut read = Vec::new();
        while read.len() < 5 {
            match line(&receive_json(&mut lines)) {
                Told::Entry(name) => read.push(name),
                Told::Gap(_) => assert!(closed && read.is_empty(), "round {round}"),
            }
        }
        assert_eq!(read, names("new", 1..=5));
        store.delete("/streams/s").expect(200);
        closed = true;
    }
}

#[test]
fn a_gap_that_ends_a_pull_is_told_where_its_client_is_slow_to_ask() {
    let store = with_ten(Redis::start());
    let mut pull = store.pull("s", "on_gap=close&last_entry_id=first&max_rate=5");
    receive_reply(&mut pull);
    let _: String = store.redis.command(&["FLUSHALL"]);
    number(&store.redis, "s", 1, &names("new", 1..=2));
    let begun = Instant::now();
    let reason = loop {
        match pull.read().expect("a message") {
            tungstenite::Message::Close(frame) => break frame.expect("a code").reason.as_str().to_owned(),
            _ => assert!(begun.elapsed() < PROMISE),
        }
    };
    assert_eq!(gap_in(&reason)["before"], "1-0");
}
