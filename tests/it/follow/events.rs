//! docs/pulling.md: Server-Sent Events, as a browser's EventSource reads them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::wire::{add, numbers};
use crate::harness::{End, Followed, Store};

const ACCEPT: &str = "Accept: text/event-stream";

/// An event as a browser dispatches it.
#[derive(Debug, Default)]
pub struct Event {
    pub id: String,
    pub kind: String,
    pub data: String,
}

/// A reply of events whose head has come.
#[track_caller]
pub fn open(store: &Store, path: &str, lines: &[&str]) -> Followed {
    let lines: Vec<&str> = [ACCEPT].iter().chain(lines).copied().collect();
    let mut events = store.follow(path, &lines);
    assert_eq!(events.head.header("content-type"), Some("text/event-stream"));
    assert_eq!((events.line(), events.line()), ("retry: 1000".into(), String::new()));
    events
}

/// The next event; comments are passed over.
#[track_caller]
pub fn next(events: &mut Followed) -> Event {
    let mut event = Event::default();
    loop {
        let line = events.line();
        match line.split_once(": ") {
            Some(("id", id)) => event.id = id.to_owned(),
            Some(("event", kind)) => event.kind = kind.to_owned(),
            Some(("data", data)) => event.data += data,
            _ if line.is_empty() && !event.data.is_empty() => return event,
            _ if line.is_empty() || line == ":" => {}
            _ => panic!("no line of an event: {line:?}"),
        }
    }
}

#[track_caller]
fn data(event: &Event) -> Value {
    let line: Value = serde_json::from_str(&event.data).unwrap_or_else(|error| panic!("{error} in {:?}", event.data));
    line["data"].clone()
}

#[test]
fn each_entry_is_an_event_whose_id_is_the_entrys_and_whose_data_is_its_line() {
    let store = Store::start();
    let mut events = open(&store, "/data/s", &[]);
    for entry in [
        &b"text\nof lines\r\n"[..],
        b"{\"a\":\n1}",
        b"\xff\n",
        b"",
        "\u{2028}".as_bytes(),
    ] {
        let ids = store.add("s", &[entry]);
        let event = next(&mut events);
        assert_eq!((event.id.as_str(), event.kind.as_str()), (ids[0].as_str(), ""));
        let line: Value = serde_json::from_str(&event.data).expect("a line");
        assert_eq!((&line["id"], &line["size"]), (&json!(ids[0]), &json!(entry.len())));
    }
}

#[test]
fn whoever_asks_for_events_gets_them_however_it_is_said() {
    let store = Store::start();
    store.add("s", &[b"entry"]);
    for accept in [
        "text/event-stream",
        "TEXT/Event-Stream",
        "application/json, text/event-stream",
        "text/event-stream;q=0.9, */*",
    ] {
        let mut events = store.follow("/data/s?format=json", &[&format!("Accept: {accept}")]);
        assert_eq!(
            events.head.header("content-type"),
            Some("text/event-stream"),
            "{accept}"
        );
        assert_eq!(data(&next_after_preamble(&mut events)), "entry");
    }
    for accept in [
        "*/*",
        "text/*",
        "application/json",
        "text/event-streams",
        "text/event-stream;q=0",
    ] {
        let answer = store.exchange(store.head("GET", "/data/s", &[&format!("Accept: {accept}")]));
        assert_eq!(answer.expect(200).body, b"entry", "{accept}");
    }
}

#[track_caller]
fn next_after_preamble(events: &mut Followed) -> Event {
    assert_eq!(events.line(), "retry: 1000");
    next(events)
}

#[test]
fn events_are_json_and_no_other_format() {
    let store = Store::start();
    for format in ["raw", "pairs"] {
        let answer = store.exchange(store.head("GET", &format!("/data/s?format={format}"), &[ACCEPT]));
        assert_eq!(answer.faults(), [("format".to_owned(), "value_error.const".to_owned())]);
    }
}

#[test]
fn a_browser_that_comes_back_goes_on_behind_the_last_event_it_got() {
    let store = Store::start();
    let added = add(&store.redis, "s", &numbers(0..10));
    let header = format!("Last-Event-ID: {}", added[3].0);
    for query in [
        "",
        "?last_entry_id=first",
        "?last_entry_id=$",
        "?last_entry_id=latest&count=2",
    ] {
        let mut events = open(&store, &format!("/data/s{query}"), &[&header]);
        for n in 4..10 {
            assert_eq!(data(&next(&mut events)), n, "{query}");
        }
    }
    // An empty one is none.
    let mut events = open(&store, "/data/s?last_entry_id=first", &["Last-Event-ID:"]);
    assert_eq!(data(&next(&mut events)), 0);
}

#[test]
fn a_client_that_cannot_set_the_header_says_the_last_event_in_the_query() {
    let store = Store::start();
    let a = add(&store.redis, "a", &numbers(0..10));
    let b = add(&store.redis, "b+", &numbers(20..30));
    let (of_a, of_b) = (a[3].0.as_str(), b[8].0.as_str());
    for id in [of_a.to_owned(), of_a.replace('-', "%2D")] {
        for more in ["", "&last_entry_id=first", "&last_entry_id=$&count=2"] {
            let mut events = open(&store, &format!("/data/a?lastEventId={id}{more}"), &[]);
            assert_eq!(data(&next(&mut events)), 4, "{id}{more}");
        }
    }
    // Of several streams, and then the header comes first.
    for plus in ["+", "%2B"] {
        let path = format!("/data/a+b%2B?lastEventId={of_a}{plus}{of_b}");
        let mut events = open(&store, &path, &[]);
        assert_eq!(
            (data(&next(&mut events)), data(&next(&mut events))),
            (json!(4), json!(29))
        );
        let mut events = open(&store, &path, &[&format!("Last-Event-ID: {of_a}+{}", b[7].0)]);
        assert_eq!(
            (data(&next(&mut events)), data(&next(&mut events))),
            (json!(4), json!(28))
        );
    }
    // An empty one is none; one that does not parse is told as what it is; and only events have it.
    let mut events = open(&store, "/data/a?lastEventId=&last_entry_id=first", &[]);
    assert_eq!(data(&next(&mut events)), 0);
    let answer = store.exchange(store.head("GET", "/data/a?lastEventId=x", &[ACCEPT]));
    assert_eq!(
        answer.faults(),
        [("lastEventId".to_owned(), "value_error.entry_id".to_owned())]
    );
    assert_eq!(answer.json()["detail"][0]["loc"][0], "query");
    store.get("/data/a?lastEventId=x").expect(200);
}

#[test]
fn the_id_of_several_streams_is_where_each_of_them_has_got_to() {
    let store = Store::start();
    let names = ["a", "none", "b"];
    let path = "/data/a+none+b?last_entry_id=first";
    for n in 0..6 {
        store.add(if n % 2 == 0 { "a" } else { "b" }, &[n.to_string().as_bytes()]);
    }
    // Whatever event was the last, whoever comes back with its id misses nothing and gets nothing twice.
    for broken_after in 1..6 {
        let mut seen = Vec::new();
        let mut events = open(&store, path, &[]);
        let mut last = String::new();
        for _ in 0..broken_after {
            let event = next(&mut events);
            seen.push(data(&event).as_u64().expect("a number"));
            last = event.id;
        }
        assert_eq!(last.split('+').count(), names.len(), "{last}");
        drop(events);
        let mut events = open(&store, path, &[&format!("Last-Event-ID: {last}")]);
        while seen.len() < 6 {
            seen.push(data(&next(&mut events)).as_u64().expect("a number"));
        }
        seen.sort_unstable();
        assert_eq!(seen, [0, 1, 2, 3, 4, 5], "after {last}");
    }
}

#[test]
fn what_was_added_while_the_browser_was_away_is_delivered_also_of_a_stream_that_had_nothing() {
    let store = Store::start();
    store.add("a", &[b"old"]);
    store.add("b", &[b"old"]);
    let path = "/data/a+none+b?last_entry_id=$";
    let mut events = open(&store, path, &[]);
    store.add("a", &[b"\"seen\""]);
    let event = next(&mut events);
    assert_eq!(data(&event), "seen");
    drop(events);
    for stream in ["b", "none", "a"] {
        store.add(stream, &[stream.as_bytes()]);
    }
    let mut events = open(&store, path, &[&format!("Last-Event-ID: {}", event.id)]);
    let mut missed: Vec<Value> = (0..3).map(|_| data(&next(&mut events))).collect();
    missed.sort_by_key(Value::to_string);
    assert_eq!(missed, ["a", "b", "none"]);
}

#[test]
fn an_idle_stream_is_not_taken_for_read_by_a_browser_that_comes_back() {
    let store = Store::start();
    let add = |id: &str, n: &str| {
        let _: String = store.redis.command(&["XADD", "alarm", id, "d", n]);
    };
    for (id, n) in [("1-0", "1"), ("2-0", "2"), ("3-0", "3")] {
        add(id, n);
    }
    // A time, and a place that the stream has not come to.
    for from in ["-10s", "0+20-0"] {
        let path = format!("/data/cam+alarm?last_entry_id={from}");
        store.add("cam", &[b"10"]);
        let mut id = next(&mut open(&store, &path, &[])).id;
        for n in 11..14 {
            let (_, place) = id.split_once('+').expect("two places");
            assert!(place.starts_with('~'), "{id}");
            let mut events = open(&store, &path, &[&format!("Last-Event-ID: {id}")]);
            store.add("cam", &[n.to_string().as_bytes()]);
            let event = next(&mut events);
            assert_eq!((event.kind.as_str(), data(&event)), ("", json!(n)), "{from}");
            id = event.id;
        }
        // It keeps its place: what comes before that is not wanted, what comes behind it is.
        if from.starts_with('0') {
            add("20-0", "20");
            add("21-0", "21");
        } else {
            store.add("alarm", &[b"21"]);
        }
        let mut events = open(&store, &path, &[&format!("Last-Event-ID: {id}")]);
        let event = next(&mut events);
        assert_eq!((event.kind.as_str(), data(&event)), ("", json!(21)), "{from}");
        assert!(!event.id.contains('~'), "{}", event.id);
        let _: usize = store.redis.command(&["DEL", "cam", "alarm"]);
        add("3-0", "3");
    }
}

#[test]
fn a_last_event_id_that_does_not_parse_is_422() {
    let store = Store::start();
    store.add("s", &[b"entry"]);
    for bad in ["x", "1-2-3", "1-1+2-2+3-3", "-", "5 6 7", "1-1,2-2", "\u{e9}"] {
        for path in ["/data/s", "/data/s+t?last_entry_id=first"] {
            let answer = store.exchange(store.head("GET", path, &[ACCEPT, &format!("Last-Event-ID: {bad}")]));
            let expected = [("Last-Event-ID".to_owned(), "value_error.entry_id".to_owned())];
            assert_eq!(answer.status, 422, "{bad}");
            assert_eq!(answer.faults(), expected, "{bad}");
        }
    }
    // Where there are no events, nobody asks for it.
    let answer = store.exchange(store.head("GET", "/data/s", &["Last-Event-ID: x"]));
    assert_eq!(answer.expect(200).body, b"entry");
}

#[test]
fn whoever_has_got_everything_up_to_the_end_is_told_so_with_204() {
    let store = Store::start();
    let added = add(&store.redis, "s", &numbers(0..10));
    for until in [added[5].0.as_str(), "latest"] {
        let path = format!("/data/s?last_entry_id=first&until={until}");
        let mut events = open(&store, &path, &[]);
        let last = if until == "latest" { 9 } else { 5 };
        let mut id = String::new();
        for n in 0..=last {
            let event = next(&mut events);
            assert_eq!(data(&event), n);
            id = event.id;
        }
        events.ends(End::Whole);
        let again = store.exchange(store.head("GET", &path, &[ACCEPT, &format!("Last-Event-ID: {id}")]));
        assert_eq!((again.status, again.body.len()), (204, 0), "{until}");
        assert_eq!(again.header("content-length"), None, "{until}");
    }
}

#[test]
fn whoever_has_got_everything_before_a_moment_that_has_passed_is_told_so_with_204() {
    let store = Store::start();
    for (id, n) in [
        ("1700000000000-0", "0"),
        ("1700000001000-0", "1"),
        ("1700000009000-0", "2"),
    ] {
        let _: String = store.redis.command(&["XADD", "s", id, "d", n]);
    }
    for (until, wanted) in [
        ("2023-11-14T22:13:25Z", 2),
        ("1700000005000", 2),
        ("1700000005000-3", 2),
        ("2023-12-01", 3),
    ] {
        let path = format!("/data/s?last_entry_id=first&until={until}");
        let mut events = open(&store, &path, &[]);
        let mut id = String::new();
        for n in 0..wanted {
            let event = next(&mut events);
            assert_eq!(data(&event), n);
            id = event.id;
        }
        events.ends(End::Whole);
        let again = store.exchange(store.head("GET", &path, &[ACCEPT, &format!("Last-Event-ID: {id}")]));
        assert_eq!(again.status, 204, "{until}");
        // Whoever has not got everything goes on.
        let mut events = open(&store, &path, &["Last-Event-ID: 1700000000000-0"]);
        assert_eq!(data(&next(&mut events)), 1);
    }
}

#[test]
fn a_gap_is_an_event_of_its_own_kind_and_a_browser_that_comes_back_goes_on_behind_it() {
    let store = Store::start();
    let added = add(&store.redis, "s", &numbers(0..10));
    let _: usize = store.redis.command(&["XTRIM", "s", "MAXLEN", "=", "4"]);
    let back = |id: &str| open(&store, "/data/s?on_gap=close", &[&format!("Last-Event-ID: {id}")]);
    let mut events = back(&added[1].0);
    let gap = next(&mut events);
    assert_eq!(gap.kind, "gap");
    let line: Value = serde_json::from_str(&gap.data).expect("a line");
    assert_eq!(
        line["gap"],
        json!({"after": added[1].0, "before": added[6].0, "missed": null})
    );
    let event = next(&mut back(&gap.id));
    assert_eq!((event.id.as_str(), data(&event)), (added[6].0.as_str(), json!(6)));
}

#[test]
fn a_silent_reply_says_every_15_seconds_that_it_is_there() {
    let store = Store::start();
    let mut events = open(&store, "/data/s", &[]);
    let patience = Some(Duration::from_secs(20));
    events.stream().set_read_timeout(patience).expect("a read deadline");
    assert_eq!((events.line(), events.line()), (":".into(), String::new()));
    store.add("s", &[b"entry"]);
    assert_eq!(data(&next(&mut events)), "entry");
}
