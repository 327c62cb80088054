//! docs/pulling.md, streams that begin anew: every kind of reader notices, is told, and reads the new generation from its
//! start, whichever way the stream went back.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::follow::events;
use crate::harness::wire::closes_with;
use crate::harness::{PATIENCE, Redis, Store, eventually, receive_json, receive_reply, receive_triples, send_text};
use crate::pull::generation_readers::{Told, begins_anew, entry, gap_in, line, names, number};

/// Within this time a reader is to know.
const PROMISE: Duration = Duration::from_secs(6);

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
    let before = &gap_in(&reason)["before"];
    assert!(*before == "0-1" || *before == "1-0", "{reason}");
}
