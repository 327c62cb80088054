//! docs/pulling.md, places: where reading ends, and how long a pull may be silent.

use crate::harness::wire::{add, clock, closes_with, ping};
use crate::harness::{End, Store, receive_binary, receive_json, receive_reply, receive_text};
use crate::pull::cursors::{TEN, around_ten, got, pulled, timed};

#[test]
fn reading_ends_with_an_id_a_word_a_time_or_a_date() {
    let store = Store::start();
    let ids = around_ten();
    timed(&store, "s", &ids);
    let number = TEN.to_string();
    for (until, count) in [
        (number.as_str(), 4),
        (&format!("{TEN}-0"), 2),
        (&format!("{TEN}-9"), 4),
        ("0", 0),
        ("0-0", 0),
        ("first", 1),
        ("latest", 6),
        ("*", 6),
        ("$", 6),
        ("2025-11-25T10:00:00Z", 4),
        ("2025-11-25T11:00:00+01:00", 4),
        ("2025-11-25T10:59:59%2B00:00", 5),
        ("2025-11-25T10:00:00.0005Z", 4),
        ("2025-11-25", 0),
        ("1969-07-20", 0),
    ] {
        let query = format!("last_entry_id=first&until={until}");
        let expected: Vec<usize> = (0..count).collect();
        assert_eq!(got(&store, &ids, &query), expected, "{query}");
        assert_eq!(pulled(&store, &ids, &query), expected, "{query}");
    }
}

#[test]
fn the_newest_are_those_up_to_the_end() {
    let store = Store::start();
    let ids = around_ten();
    timed(&store, "s", &ids);
    let newest = |query: &str| {
        let answer = store
            .get(&format!("/data/s?format=raw&{query}&until={TEN}"))
            .expect(200);
        answer.text().to_owned()
    };
    assert_eq!(newest(""), ids[3]);
    assert_eq!(newest("count=2"), ids[2..4].concat());
    assert_eq!(newest("last_entry_id=latest&count=9"), ids[3]);
    assert_eq!(newest("last_entry_id=$"), "");
    let pull = |query: &str| pulled(&store, &ids, &format!("{query}&until={TEN}"));
    assert_eq!(pull("last_entry_id=latest"), [3]);
    assert_eq!(pull("last_entry_id=*"), [0, 1, 2, 3]);
    assert_eq!(pull("last_entry_id=*&count=2"), [2, 3]);
    assert_eq!(pull("last_entry_id=latest&newest=true"), [3]);
    assert_eq!(pull("last_entry_id=first&newest=true"), [3]);
    assert_eq!(pull("last_entry_id=$"), [0; 0]);
}

#[test]
fn an_end_that_was_reached_closes_with_1000_and_says_so() {
    let store = Store::start();
    let added = add(&store.redis, "s", &["one", "two", "three"]);
    for format in ["pairs", "raw", "json"] {
        for count in [1, 2, 100] {
            let mut pull = store.pull(
                "s",
                &format!("last_entry_id=0&until={}&format={format}&count={count}", added[1].0),
            );
            let mut entries = Vec::new();
            while entries.len() < 2 {
                match format {
                    "pairs" => entries.extend(receive_reply(&mut pull).into_iter().map(|entry| entry.1)),
                    "raw" => entries.push(receive_binary(&mut pull)),
                    _ => entries.push(receive_json(&mut pull)["data"].as_str().expect("text").into()),
                }
            }
            assert_eq!(entries, [b"one", b"two"]);
            let reason = closes_with(&mut pull, 1000);
            assert!(reason.contains("until"), "{reason}");
        }
    }
}

#[test]
fn an_end_among_entries_to_come_waits_for_them() {
    let store = Store::start();
    let _: String = store.redis.command(&["XADD", "s", &format!("{TEN}-0"), "d", "old"]);
    // Far ahead of any clock, so that only the entries themselves can end it.
    let ahead = |n: u64| format!("{}-0", 9_000_000_000_000 + n);
    for query in ["", "format=json", "newest=true", "count=100"] {
        let mut pull = store.pull("s", &format!("{query}&until={}", ahead(2)));
        assert_eq!(ping(&mut pull), []);
        for (id, wanted) in [(ahead(1), true), (ahead(3), false)] {
            let _: String = store.redis.command(&["XADD", "s", &id, "d", "new"]);
            if wanted {
                assert!(receive_text(&mut pull).contains(&id), "{query}");
                if !query.contains("json") {
                    receive_binary(&mut pull);
                }
                assert_eq!(ping(&mut pull), []);
            }
        }
        closes_with(&mut pull, 1000);
        let _: usize = store.redis.command(&["DEL", "s"]);
    }
}

#[test]
fn an_end_that_lies_ahead_waits_until_redis_clock_has_passed_it() {
    let store = Store::start();
    for query in ["", "format=json", "newest=true"] {
        let now = || clock(&store.redis);
        let end = now() + 700;
        let time = jiff::Timestamp::from_millisecond(end as i64).expect("a time");
        let mut pull = store.pull("s", &format!("until={time}&{query}"));
        // What is added before that moment is delivered, whenever it comes.
        let mut added = Vec::new();
        while now() < end - 300 {
            added.extend(store.add("s", &[b"entry"]));
            let text = receive_text(&mut pull);
            assert!(text.contains(added.last().expect("an id")), "{text}");
            if !query.contains("json") {
                receive_binary(&mut pull);
            }
        }
        closes_with(&mut pull, 1000);
        assert!(now() > end, "{query}: closed too early");
        assert!(!added.is_empty());
    }
}

#[test]
fn an_end_before_the_beginning_ends_at_once() {
    let store = Store::start();
    let ids = around_ten();
    timed(&store, "s", &ids);
    for (from, until) in [
        (ids[4].as_str(), ids[1].as_str()),
        (&ids[4], "first"),
        ("2025-11-25T10:00:01Z", "2025-11-25T10:00:00Z"),
        ("$", "latest"),
        ("$", "-1h"),
        ("latest", "1970-01-01"),
    ] {
        let query = format!("last_entry_id={from}&until={until}");
        assert_eq!(got(&store, &ids, &query), [0; 0], "{query}");
        for more in ["", "&newest=true"] {
            assert_eq!(pulled(&store, &ids, &format!("{query}{more}")), [0; 0], "{query}{more}");
        }
    }
}

#[test]
fn a_stream_that_is_not_there_has_nothing_up_to_its_newest_entry() {
    let store = Store::start();
    for until in ["latest", "first", "$", "-1h", "2026-01-01", "5-5"] {
        for from in ["first", "latest", "*", "$"] {
            let query = format!("last_entry_id={from}&until={until}");
            assert_eq!(pulled(&store, &[], &query), [0; 0], "{query}");
            assert_eq!(got(&store, &[], &query), [0; 0], "{query}");
        }
    }
}

#[test]
fn the_end_of_a_stream_whose_newest_entry_was_deleted_is_reached() {
    let store = Store::start();
    // One of them with ids ahead of the clock: nobody should wait for a moment that is years away.
    for ms in [5, 9_000_000_000_000_u64] {
        for seq in 0..3 {
            let _: String = store
                .redis
                .command(&["XADD", "s", &format!("{ms}-{seq}"), "d", "entry"]);
        }
        let _: usize = store.redis.command(&["XDEL", "s", &format!("{ms}-2")]);
        for query in ["format=json", "newest=true&format=json", "format=json&count=100", ""] {
            let mut pull = store.pull("s", &format!("last_entry_id=first&until=latest&{query}"));
            let skipped = query.starts_with("newest");
            for _ in usize::from(skipped)..2 {
                receive_text(&mut pull);
                if query.is_empty() {
                    receive_binary(&mut pull);
                }
            }
            closes_with(&mut pull, 1000);
        }
        let _: usize = store.redis.command(&["DEL", "s"]);
    }
}

#[test]
fn each_stream_has_its_own_end() {
    let store = Store::start();
    for (stream, seqs) in [("a", 3), ("b", 1), ("c", 0)] {
        for seq in 0..seqs {
            let _: String = store.redis.command(&["XADD", stream, &format!("5-{seq}"), "d", stream]);
        }
    }
    for (until, expected) in [("latest", "aaab"), ("first", "ab"), ("5-1", "aab"), ("5", "aaab")] {
        let answer = store.get(&format!("/data/a+b+c?format=raw&count=9&last_entry_id=0&until={until}"));
        assert_eq!(answer.expect(200).text(), expected, "{until}");
        let mut follow = store.follow(&format!("/data/a+b+c?follow=true&last_entry_id=0&until={until}"), &[]);
        let mut entries = follow.bytes(expected.len());
        entries.sort_unstable();
        assert_eq!(entries, expected.as_bytes(), "{until}");
        follow.ends(End::Whole);
    }
}

#[test]
fn a_pull_that_was_silent_for_its_timeout_closes_with_1000_and_says_so() {
    let store = Store::start();
    add(&store.redis, "s", &["old"]);
    for query in [
        "",
        "format=json",
        "newest=true",
        "format=raw&max_rate=1000",
        "ack=true",
        "until=2100-01-01",
    ] {
        let mut pull = store.pull("s", &format!("timeout=300&{query}"));
        let reason = closes_with(&mut pull, 1000);
        assert!(reason.contains("300 ms") && reason.contains("timeout"), "{reason}");
    }
    let mut pull = store.socket("/data/s+none/pull?timeout=300&last_entry_id=first&format=json");
    assert_eq!(receive_json(&mut pull)["data"], "old");
    closes_with(&mut pull, 1000);
}

#[test]
fn a_pull_that_is_not_silent_outlives_its_timeout() {
    let store = Store::start();
    let mut pull = store.pull("s", "timeout=600");
    let begun = std::time::Instant::now();
    while begun.elapsed().as_millis() < 1500 {
        let ids = store.add("s", &[b"entry"]);
        assert_eq!(receive_reply(&mut pull)[0].0, ids[0]);
    }
    closes_with(&mut pull, 1000);
}
