//! docs/pulling.md, pace: a display gets the newest whenever it is ready, and hears what it did not get.

use serde_json::Value;
use tungstenite::Message;

use crate::harness::wire::{add, numbers, ping, wait_for_larger_ids};
use crate::harness::{
    PATIENCE, Socket, Store, eventually, receive_binary, receive_json, receive_reply, receive_triples, send_binary,
    send_text,
};

const SKIPPED: &str = "ptg_pull_entries_skipped_total";

/// Every message that comes while the server reads so far, as JSON.
#[track_caller]
fn lines(pull: &mut Socket) -> Vec<Value> {
    let messages = ping(pull).into_iter();
    let parse = |message: Message| serde_json::from_str(message.to_text().expect("text")).expect("a line");
    messages.map(parse).collect()
}

#[test]
fn the_newest_is_given_whenever_the_client_is_ready_and_what_was_skipped_is_told() {
    let store = Store::start();
    add(&store.redis, "s", &numbers(0..10));
    let mut pull = store.pull("s", "newest=true&format=json&ack=true&last_entry_id=first");
    let mut next = 0;
    for round in 0..20 {
        if round > 0 {
            send_binary(&mut pull, b"");
        }
        let line = receive_json(&mut pull);
        let newest = 9 + round * 5;
        assert_eq!(line["data"], newest, "{line}");
        assert_eq!(line["skipped"], newest - next, "{line}");
        next = newest + 1;
        add(&store.redis, "s", &numbers(newest + 1..newest + 6));
        assert_eq!(lines(&mut pull), [Value::Null; 0]);
    }
    assert_eq!(store.metric(SKIPPED), 9.0 + 19.0 * 4.0);
}

#[test]
fn the_newest_of_a_slow_stream_are_all_its_entries() {
    let store = Store::start();
    for query in ["", "&max_rate=1000", "&format=raw", "&count=50"] {
        let mut pull = store.pull("s", &format!("newest=true{query}"));
        for n in 0..20 {
            let added = add(&store.redis, "s", &[n.to_string()]);
            match query {
                "&format=raw" => assert_eq!(receive_binary(&mut pull), added[0].1),
                _ => assert_eq!(receive_reply(&mut pull), added),
            }
        }
        assert_eq!(ping(&mut pull), []);
    }
    assert_eq!(store.metric(SKIPPED), 0.0);
}

#[test]
fn where_the_newest_begin_is_for_the_client_to_say() {
    let store = Store::start();
    let added = add(&store.redis, "s", &numbers(0..10));
    let first = |from: &str| lines(&mut store.pull("s", &format!("newest=true&format=json&last_entry_id={from}")));
    for (from, skipped) in [
        ("first", Some(9)),
        ("0", Some(9)),
        ("-1h", Some(9)),
        ("latest", Some(0)),
        ("*", Some(0)),
        (&added[4].0, None),
    ] {
        let line = eventually_some(|| first(from).pop());
        assert_eq!(line["data"], 9, "{from}");
        // From the middle of the stream nobody knows.
        assert_eq!(line["skipped"].as_u64(), skipped, "{from}: {line}");
    }
    assert_eq!(first("$"), [Value::Null; 0]);
    assert_eq!(first(&added[9].0), [Value::Null; 0]);
}

#[test]
fn after_the_largest_id_there_is_nothing_newer() {
    let store = Store::start();
    let largest = "18446744073709551615-18446744073709551615";
    let mut pull = store.pull("s", "newest=true&format=json");
    let _: String = store.redis.command(&["XADD", "s", largest, "d", "entry"]);
    assert_eq!(receive_json(&mut pull)["id"], largest);
    let mut last = store.pull("s", &format!("newest=true&last_entry_id={largest}"));
    for pull in [&mut pull, &mut last] {
        assert_eq!(ping(pull), []);
        assert_eq!(ping(pull), []);
    }
}

/// What comes at last.
#[track_caller]
fn eventually_some<T>(mut try_it: impl FnMut() -> Option<T>) -> T {
    let mut found = None;
    eventually(PATIENCE, || {
        found = try_it();
        found.is_some()
    });
    found.expect("something")
}

#[test]
fn entries_that_were_trimmed_count_as_skipped_and_a_deleted_stream_begins_anew() {
    let store = Store::start();
    let mut pull = store.pull("s", "newest=true&format=json&ack=true&last_entry_id=first");
    add(&store.redis, "s", &numbers(0..1));
    assert_eq!(receive_json(&mut pull)["skipped"], 0);
    add(&store.redis, "s", &numbers(1..100));
    let _: usize = store.redis.command(&["XTRIM", "s", "MAXLEN", "=", "1"]);
    send_text(&mut pull, "");
    let line = receive_json(&mut pull);
    assert_eq!((&line["data"], &line["skipped"]), (&99.into(), &98.into()));
    let _: usize = store.redis.command(&["DEL", "s"]);
    wait_for_larger_ids(&store.redis);
    add(&store.redis, "s", &numbers(0..3));
    send_text(&mut pull, "");
    assert_eq!(receive_json(&mut pull)["gap"]["missed"], 0);
    let line = receive_json(&mut pull);
    assert_eq!((&line["data"], &line["skipped"]), (&2.into(), &2.into()));
}

#[test]
fn a_reply_of_the_newest_has_one_entry_of_each_stream_at_most() {
    let store = Store::start();
    for stream in ["a", "b"] {
        add(&store.redis, stream, &numbers(0..10));
    }
    let mut pull = store.socket("/data/a+none+b/pull?newest=true&ack=true&last_entry_id=first&count=100");
    let newest = |reply: Vec<(String, String, Vec<u8>)>| -> Vec<String> {
        let entries = reply.into_iter();
        entries
            .map(|(stream, _, data)| stream + &String::from_utf8_lossy(&data))
            .collect()
    };
    assert_eq!(newest(receive_triples(&mut pull)), ["a9", "b9"]);
    add(&store.redis, "b", &numbers(10..20));
    send_text(&mut pull, "");
    assert_eq!(newest(receive_triples(&mut pull)), ["b19"]);
    send_text(&mut pull, "");
    add(&store.redis, "none", &numbers(0..1));
    assert_eq!(newest(receive_triples(&mut pull)), ["none0"]);
    assert_eq!(ping(&mut pull), []);
}

#[test]
fn a_client_that_reads_late_gets_something_new_and_not_what_lay_in_between() {
    let store = Store::start();
    let mut pull = store.pull("s", "newest=true&format=json&last_entry_id=first");
    let entry = |n: usize| format!("\"{n:08}{}\"", "x".repeat(100_000));
    // 40 MB, far more than the network takes ahead.
    for n in 0..400 {
        store.add("s", &[entry(n).as_bytes()]);
    }
    let (mut seen, mut skipped, mut last) = (0, 0, String::new());
    while !last.starts_with("00000399") {
        let line = receive_json(&mut pull);
        let data = line["data"].as_str().expect("text").to_owned();
        assert!(data > last, "not newer");
        (seen, skipped, last) = (seen + 1, skipped + line["skipped"].as_u64().expect("a count"), data);
    }
    assert_eq!(seen + skipped, 400);
    assert!(seen < 200, "{seen} of 400 lay in the network");
}

#[test]
fn what_a_display_skips_is_counted_in_every_shape() {
    let store = Store::start();
    let mut pull = store.pull("s", "newest=true&format=raw&last_entry_id=first&ack=true");
    let mut shown = 0.0;
    // It is not counted at each of them, but every second or so.
    eventually(PATIENCE, || {
        add(&store.redis, "s", &numbers(0..5));
        receive_binary(&mut pull);
        send_text(&mut pull, "");
        shown += 1.0;
        shown > 5.0 && (shown - 5.0..=shown).contains(&(store.metric(SKIPPED) / 4.0))
    });
}

#[test]
fn a_display_of_the_newest_at_a_rate_skips_the_rest() {
    let store = Store::start();
    let mut pull = store.pull("s", "newest=true&max_rate=20&format=json&last_entry_id=first");
    let (mut added, mut lines) = (0, Vec::new());
    eventually(PATIENCE, || {
        add(&store.redis, "s", &[added.to_string()]);
        added += 1;
        lines.extend(self::lines(&mut pull));
        lines.len() > 10
    });
    let last = lines.last().expect("a line")["data"].as_u64().expect("a number");
    let skipped: u64 = lines
        .iter()
        .map(|line| line["skipped"].as_u64().expect("a count"))
        .sum();
    assert_eq!(last + 1, lines.len() as u64 + skipped);
    assert!(skipped > 0, "nothing was skipped of {added}");
}
