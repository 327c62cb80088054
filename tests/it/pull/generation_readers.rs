//! Every kind of reader of a stream, each as its client sees it, and what becomes of them where the stream begins anew.

use std::sync::Barrier;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::follow::events;
use crate::follow::mjpeg;
use crate::harness::wire::{Entry, stored};
use crate::harness::{
    PATIENCE, Redis, Socket, Store, eventually, receive_binary, receive_json, receive_reply, send_text,
};

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
pub fn begins_anew(store: &Store, go_back: impl FnOnce(&Store)) {
    number(&store.redis, "s", 11, &names("old", 11..=20));
    let readers = readers(store);
    let all_read = Barrier::new(readers.len() + 1);
    let count = readers.len();
    let mut found: Vec<_> = std::thread::scope(|scope| {
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
    for (kind, read) in &mut found {
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
    // Once everybody knows, what comes is what is new, and nothing else.
    store.add("s", &[&entry("end01")]);
    for (kind, read) in &mut found {
        let Ok((_, _, next)) = read else { continue };
        let told = next();
        assert!(
            matches!(&told, Told::Entry(name) if name == "end01"),
            "{kind}: {told:?}"
        );
    }
}
