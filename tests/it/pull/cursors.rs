//! docs/pulling.md, places: where reading begins and ends, in every form that people type.

use crate::harness::wire::{add, clock, ping};
use crate::harness::{Client, Store, receive_reply};

/// 2025-11-25T10:00:00Z, in milliseconds.
pub const TEN: u64 = 1_764_064_800_000;

/// A stream with entries of known times: their ids, and the ids themselves as data.
pub fn timed(store: &Store, stream: &str, ids: &[String]) {
    for id in ids {
        let _: String = store.redis.command(&["XADD", stream, id, "d", id]);
    }
}

/// The ids around ten o'clock: the millisecond before, three of its own, the one after, an hour later.
pub fn around_ten() -> Vec<String> {
    let ids = [
        (TEN - 1, 7),
        (TEN, 0),
        (TEN, 1),
        (TEN, 2),
        (TEN + 1, 0),
        (TEN + 3_600_000, 0),
    ];
    ids.map(|(ms, seq)| format!("{ms}-{seq}")).to_vec()
}

/// Which of the ids a GET brings, as their places in the list.
#[track_caller]
pub fn got(client: &Client, ids: &[String], query: &str) -> Vec<usize> {
    let answer = client.get(&format!("/data/s?count=100&{query}")).expect(200);
    let offsets = answer.header("entry-offset").expect("offsets");
    let found: Vec<(String, usize)> = serde_json::from_str(offsets).expect("pairs");
    let place = |id: &String| ids.iter().position(|known| known == id).expect("one of the ids");
    found.iter().map(|(id, _)| place(id)).collect()
}

/// The same of a pull that ends at `until`.
#[track_caller]
pub fn pulled(client: &Client, ids: &[String], query: &str) -> Vec<usize> {
    let mut pull = client.pull("s", &format!("count=100&format=json&{query}"));
    let mut found = Vec::new();
    loop {
        match pull.read().expect("a message") {
            tungstenite::Message::Text(text) => {
                let line: serde_json::Value = serde_json::from_str(&text).expect("a line");
                assert!(line["gap"].is_null(), "{query}: {line}");
                let place = ids.iter().position(|id| *id == line["id"]);
                found.push(place.expect("one of the ids"));
            }
            tungstenite::Message::Close(Some(frame)) => {
                assert_eq!(u16::from(frame.code), 1000, "{query}: {}", frame.reason);
                return found;
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn reading_begins_at_an_id_a_word_a_time_or_a_date() {
    let store = Store::start();
    let ids = around_ten();
    timed(&store, "s", &ids);
    let after = |first: usize| (first..ids.len()).collect::<Vec<_>>();
    let number = TEN.to_string();
    for (from, first) in [
        ("0", 0),
        ("first", 0),
        (number.as_str(), 2),
        (&format!("{TEN}-1"), 3),
        ("latest", 5),
        ("$", 6),
        ("2025-11-25T10:00:00Z", 1),
        ("2025-11-25t10:00:00z", 1),
        ("2025-11-25T10:00Z", 1),
        ("2025-11-25T10:00:00.001Z", 4),
        ("2025-11-25T09:59:59.999Z", 0),
        ("2025-11-25T10:00:00.0019Z", 4),
        ("2025-11-25T11:00:00%2B01:00", 1),
        ("2025-11-25T11:00:00+01:00", 1),
        ("2025-11-25T11:00:00%2001:00", 1),
        ("2025-11-25T15:30:00+05:30", 1),
        ("2025-11-25T05:00:00-05:00", 1),
        ("2025-11-25", 0),
        ("2025-11-26", 6),
        ("1969-07-20", 0),
        ("1969-12-31T23:59:59Z", 0),
        ("9999-12-30T00:00:00Z", 6),
    ] {
        assert_eq!(
            got(&store, &ids, &format!("last_entry_id={from}")),
            after(first),
            "{from}"
        );
        if from != "$" && first < 6 {
            let query = format!("last_entry_id={from}&until={}", ids[5]);
            assert_eq!(pulled(&store, &ids, &query), after(first), "{query}");
        }
    }
    assert_eq!(got(&store, &ids, "last_entry_id=*"), after(0));
}

#[test]
fn a_span_goes_back_from_redis_own_now() {
    let store = Store::start();
    let now = clock(&store.redis);
    let ages = [7_200_000, 3_000_000, 200_000, 20_000];
    let ids = ages.map(|age| format!("{}-0", now - age)).to_vec();
    timed(&store, "s", &ids);
    for (from, first) in [
        ("-1d", 0),
        ("-3h", 0),
        ("-1h", 1),
        ("-1.5h", 1),
        ("-5m", 2),
        ("-100s", 3),
        ("-1s", 4),
        ("-250ms", 4),
    ] {
        let expected: Vec<usize> = (first..4).collect();
        assert_eq!(got(&store, &ids, &format!("last_entry_id={from}")), expected, "{from}");
        let before: Vec<usize> = (0..first).collect();
        let until = format!("last_entry_id=first&until={from}");
        assert_eq!(got(&store, &ids, &until), before, "until {from}");
        assert_eq!(pulled(&store, &ids, &until), before, "until {from}");
        let both = format!("last_entry_id={from}&until=latest");
        assert_eq!(pulled(&store, &ids, &both), expected, "from {from}");
    }
    assert_eq!(got(&store, &ids, "last_entry_id=-1h&until=-1m"), [1, 2]);
}

#[test]
fn from_latest_a_pull_gives_the_newest_and_then_what_follows() {
    let store = Store::start();
    for stream in ["none", "s"] {
        let added = add(&store.redis, "s", &["old", "newest"]);
        let mut pull = store.pull(stream, "last_entry_id=latest&count=10");
        if stream == "s" {
            assert_eq!(receive_reply(&mut pull), added[1..]);
        }
        assert_eq!(ping(&mut pull), []);
        let added = add(&store.redis, stream, &["next"]);
        assert_eq!(receive_reply(&mut pull), added);
    }
}

#[test]
fn a_place_that_does_not_parse_is_422_and_told_what_would() {
    let store = Store::start();
    for bad in [
        "",
        "-",
        "-1",
        "-30",
        "--30s",
        "30s",
        "-30x",
        "-30S",
        "Latest",
        "FIRST",
        "now",
        "yesterday",
        "*-1",
        "1-*",
        "2026-13-01",
        "2026-02-30",
        "2025-11-25T10:00:00",
        "2025-11-25T25:00:00Z",
        "2025-11-25%2010:00:00Z",
        "1e3",
        "0x10",
        "1.5",
        "18446744073709551616",
        "-99999999999h",
        "-infs",
        "-NaNs",
        "%00",
        "%FF",
        "٣",
    ] {
        for name in ["last_entry_id", "until"] {
            let expected = [(name.to_owned(), "value_error.entry_id".to_owned())];
            let answer = store.get(&format!("/data/s?{name}={bad}"));
            assert_eq!(answer.status, 422, "{name}={bad}");
            assert_eq!(answer.faults(), expected, "{name}={bad}");
            let path = format!("/data/s/pull?{name}={bad}&token={}", store.token);
            assert_eq!(store.socket_answer(&path, &[]).faults(), expected, "{name}={bad}");
        }
    }
    let answer = store.get("/data/s?last_entry_id=yesterday");
    for word in ["latest", "-30s", "2026-"] {
        assert!(answer.text().contains(word), "{}", answer.text());
    }
    for bad in ["0", "-1", "", "5s", "1.5", "x", "99999999999999999999"] {
        let path = format!("/data/s/pull?timeout={bad}&token={}", store.token);
        let faults = store.socket_answer(&path, &[]).faults();
        assert_eq!(faults[0].0, "timeout", "{bad}");
    }
}

#[test]
fn every_place_that_does_not_parse_is_told_at_once() {
    let store = Store::start();
    let query = "last_entry_id=x&until=y&timeout=z&count=0&format=xml&max_rate=fast&ack=maybe&newest=2&on_gap=cry&resume=perhaps";
    let path = format!("/data/s/pull?{query}&token={}", store.token);
    let mut faults: Vec<String> = store
        .socket_answer(&path, &[])
        .faults()
        .into_iter()
        .map(|fault| fault.0)
        .collect();
    faults.sort();
    let expected = [
        "ack",
        "count",
        "format",
        "last_entry_id",
        "max_rate",
        "newest",
        "on_gap",
        "resume",
        "timeout",
        "until",
    ];
    assert_eq!(faults, expected);
}
