//! docs/pulling.md, gaps: what retention trimmed before it was read is told exactly.

use serde_json::{Value, json};

use crate::harness::wire::{Entry, add, closes_with, numbers, ping, wait_longer};
use crate::harness::{
    End, PATIENCE, Redis, Socket, Store, eventually, receive_binary, receive_json, receive_text, send_text,
};

/// The next line, which must not be a gap; its number.
#[track_caller]
pub fn number(pull: &mut Socket) -> u64 {
    let line = receive_json(pull);
    line["data"].as_u64().unwrap_or_else(|| panic!("no entry: {line}"))
}

pub fn trim(redis: &Redis, stream: &str, left: usize) {
    let _: usize = redis.command(&["XTRIM", stream, "MAXLEN", "=", &left.to_string()]);
}

fn gap(stream: &str, after: &Entry, before: &Entry, missed: Option<u64>) -> Value {
    json!({"stream": stream, "gap": {"after": after.0, "before": before.0, "missed": missed}})
}

/// How many gaps and how many entries in them have been counted.
pub fn counted(store: &Store) -> [f64; 2] {
    ["ptg_pull_gaps_total", "ptg_pull_entries_missed_total"].map(|name| store.metric(name))
}

/// A pull that has read only so far, because it waits for the client's next message.
pub fn behind(store: &Store, query: &str) -> Socket {
    store.pull("s", &format!("format=json&ack=true&{query}"))
}

#[test]
fn a_gap_is_a_line_of_its_own_before_the_entry_that_follows_it() {
    let store = Store::start();
    let added = add(&store.redis, "s", &numbers(0..100));
    let mut pull = behind(&store, "last_entry_id=first");
    assert_eq!(number(&mut pull), 0);
    trim(&store.redis, "s", 10);
    // One reply may have been read ahead.
    send_text(&mut pull, "go on");
    let mut line = receive_json(&mut pull);
    let ahead = line["data"] == 1;
    if ahead {
        send_text(&mut pull, "go on");
        line = receive_json(&mut pull);
    }
    let last = usize::from(ahead);
    let missed = 89 - last as u64;
    assert_eq!(line, gap("s", &added[last], &added[90], Some(missed)));
    for n in 90..100 {
        assert_eq!(number(&mut pull), n);
        send_text(&mut pull, "go on");
    }
    assert_eq!(counted(&store), [1.0, missed as f64]);
}

#[test]
fn counts_are_exact_over_many_gaps_whatever_the_count() {
    let store = Store::start();
    for count in [1, 3, 50] {
        let _: usize = store.redis.command(&["DEL", "s"]);
        let mut pull = behind(&store, &format!("last_entry_id=first&count={count}"));
        let (mut seen, mut missed, mut next, mut lines) = (0, 0, 0, 0);
        for round in 0..30 {
            add(&store.redis, "s", &numbers(round * 40..(round + 1) * 40));
            trim(&store.redis, "s", 1 + round % 7 * 5);
            send_text(&mut pull, "go on");
            // Whatever there is to read now is read.
            for message in ping(&mut pull) {
                let line: Value = serde_json::from_str(&message.into_text().expect("text")).expect("a line");
                lines += 1;
                match &line["gap"] {
                    Value::Null => {
                        let n = line["data"].as_u64().expect("a number");
                        assert_eq!(n, next, "{line}");
                        (seen, next) = (seen + 1, n + 1);
                    }
                    gap => {
                        let n = gap["missed"].as_u64().expect("how many");
                        (missed, next) = (missed + n, next + n);
                    }
                }
            }
        }
        assert!(seen > 0 && missed > 0 && lines > 30, "{seen} {missed} {lines}");
        assert_eq!(seen + missed, next);
    }
}

#[test]
fn what_was_trimmed_until_nothing_was_left_is_a_gap_before_the_next_entry() {
    let store = Store::start();
    let mut added = add(&store.redis, "s", &numbers(0..10));
    let mut pull = behind(&store, "last_entry_id=first");
    assert_eq!(number(&mut pull), 0);
    trim(&store.redis, "s", 0);
    // Two may have been read before.
    for _ in 0..3 {
        send_text(&mut pull, "go on");
    }
    eventually(PATIENCE, || {
        let clients: String = store.redis.command(&["INFO", "clients"]);
        clients.contains("blocked_clients:1")
    });
    added.extend(add(&store.redis, "s", &numbers(10..11)));
    let mut last = 0;
    let line = loop {
        let line = receive_json(&mut pull);
        match line["data"].as_u64() {
            Some(number) => last = number as usize,
            None => break line,
        }
    };
    assert_eq!(line, gap("s", &added[last], &added[10], Some(9 - last as u64)));
    assert_eq!(number(&mut pull), 10);
}

#[test]
fn coming_back_with_an_entry_whose_successors_are_gone_is_a_gap_of_unknown_size() {
    let store = Store::start();
    let added = add(&store.redis, "s", &numbers(0..50));
    trim(&store.redis, "s", 10);
    let from = &added[7];
    let mut pull = store.pull("s", &format!("format=json&last_entry_id={}", from.0));
    assert_eq!(receive_json(&mut pull), gap("s", from, &added[40], None));
    for n in 40..50 {
        assert_eq!(number(&mut pull), n);
    }
    // Also when nothing at all is left, as soon as something comes.
    trim(&store.redis, "s", 0);
    let mut pull = store.pull("s", &format!("format=json&last_entry_id={}", from.0));
    assert_eq!(ping(&mut pull), []);
    let later = add(&store.redis, "s", &["50"]);
    assert_eq!(receive_json(&mut pull), gap("s", from, &later[0], None));
    assert_eq!(number(&mut pull), 50);
    assert_eq!(counted(&store), [2.0, 0.0]);
}

#[test]
fn on_gap_close_ends_with_4001_and_both_ids() {
    let store = Store::start();
    for format in ["pairs", "raw", "json"] {
        let _: usize = store.redis.command(&["DEL", "s"]);
        let added = add(&store.redis, "s", &numbers(0..50));
        trim(&store.redis, "s", 10);
        let mut pull = store.pull(
            "s",
            &format!("format={format}&on_gap=close&last_entry_id={}", added[7].0),
        );
        if format == "json" {
            assert_eq!(receive_json(&mut pull), gap("s", &added[7], &added[40], None));
        }
        let reason = closes_with(&mut pull, 4001);
        let start = format!("gap after={} before={}: ", added[7].0, added[40].0);
        assert!(reason.starts_with(&start), "{reason}");
        let path = format!("/data/s?follow=true&on_gap=close&last_entry_id={}", added[7].0);
        store.follow(&path, &[]).ends(End::Whole);
    }
}

#[test]
fn whoever_goes_on_right_before_the_oldest_after_4001_misses_nothing_more() {
    let store = Store::start();
    let added = add(&store.redis, "s", &numbers(0..50));
    trim(&store.redis, "s", 10);
    let mut pull = store.pull("s", &format!("on_gap=close&last_entry_id={}", added[7].0));
    let reason = closes_with(&mut pull, 4001);
    let before = reason
        .split("before=")
        .nth(1)
        .and_then(|rest| rest.split(':').next())
        .expect("an id");
    let (ms, seq) = before.split_once('-').expect("an id");
    let place = match seq.parse::<u64>().expect("a number") {
        0 => format!("{}-{}", ms.parse::<u64>().expect("a number") - 1, u64::MAX),
        seq => format!("{ms}-{}", seq - 1),
    };
    let mut pull = store.pull("s", &format!("on_gap=close&format=raw&last_entry_id={place}"));
    for n in 40..50 {
        assert_eq!(receive_binary(&mut pull), n.to_string().into_bytes());
    }
    assert_eq!(ping(&mut pull), []);
}

#[test]
fn a_reason_of_the_largest_ids_is_still_a_close_frame() {
    let store = Store::start();
    let largest = "18446744073709551615-18446744073709551615";
    for id in [
        "18446744073709551614-18446744073709551613",
        "18446744073709551614-18446744073709551614",
        largest,
    ] {
        let _: String = store.redis.command(&["XADD", "s", id, "d", "entry"]);
    }
    trim(&store.redis, "s", 1);
    let mut pull = store.pull(
        "s",
        "on_gap=close&last_entry_id=18446744073709551614-18446744073709551613",
    );
    let reason = closes_with(&mut pull, 4001);
    let ids = format!("gap after=18446744073709551614-18446744073709551613 before={largest}: ");
    assert!(reason.starts_with(&ids), "{reason}");
}

#[test]
fn gaps_of_several_streams_name_their_stream() {
    let store = Store::start();
    let streams: Vec<(&str, Vec<Entry>)> = ["a", "b"]
        .map(|name| (name, add(&store.redis, name, &numbers(0..50))))
        .into();
    trim(&store.redis, "b", 10);
    let places = format!("{}+{}", streams[0].1[48].0, streams[1].1[7].0);
    let mut pull = store.socket(&format!("/data/a+b/pull?format=json&last_entry_id={places}"));
    let mut lines: Vec<Value> = (0..3).map(|_| receive_json(&mut pull)).collect();
    let expected = gap("b", &streams[1].1[7], &streams[1].1[40], None);
    let place = lines.iter().position(|line| *line == expected).expect("the gap");
    lines.remove(place);
    assert_eq!((&lines[0]["stream"], &lines[0]["data"]), (&json!("a"), &json!(49)));
    assert_eq!((&lines[1]["stream"], &lines[1]["data"]), (&json!("b"), &json!(40)));
}

#[test]
fn without_json_and_on_gap_a_gap_is_passed_over_and_counted() {
    let store = Store::start();
    let mut missed = 0.0;
    for format in ["raw", "pairs"] {
        let entries: Vec<Vec<u8>> = (0..60).map(|n| vec![n; 1 << 20]).collect();
        let added = add(&store.redis, format, &entries);
        let mut pull = store.pull(format, &format!("format={format}&last_entry_id=first"));
        wait_longer(&pull);
        let mut seen = Vec::new();
        while seen.last() != Some(&59) {
            if format == "pairs" {
                assert!(receive_text(&mut pull).starts_with("[[\""));
            }
            seen.push(receive_binary(&mut pull)[0]);
            // The sockets' buffers hold far less than 60 MiB, so the puller must miss some.
            trim(&store.redis, format, 1);
        }
        assert_eq!(ping(&mut pull), []);
        assert!(seen.is_sorted() && seen.len() < added.len(), "{seen:?}");
        missed += (added.len() - seen.len()) as f64;
        eventually(PATIENCE, || counted(&store)[1] == missed);
    }
}
