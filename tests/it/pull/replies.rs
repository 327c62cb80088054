//! docs/protocol.md, section 6: where a pull begins, what its replies look like, and what it waits for.

use std::collections::BTreeMap;

use tungstenite::Message;

use crate::harness::wire::{add, close_promptly, closes_with, frame, numbers, ping, pulled, send_raw};
use crate::harness::{Store, receive_binary, receive_reply, receive_text, send_binary, send_text};

#[test]
fn by_default_a_pull_gives_what_comes_after_it_one_entry_at_a_time() {
    let store = Store::start();
    add(&store.redis, "s", &numbers(0..5));
    let mut pull = store.pull("s", "");
    let later = add(&store.redis, "s", &numbers(5..10));
    assert_eq!(pulled(&mut pull, 5, 1), later);
    assert_eq!(ping(&mut pull), []);
}

#[test]
fn a_reply_is_a_text_of_ids_and_offsets_and_a_binary_of_the_entries_joined() {
    let store = Store::start();
    let entries: [&[u8]; 5] = [b"", b"ab", b"", b"cde", b""];
    let ids: Vec<_> = add(&store.redis, "s", &entries);
    let ids: Vec<_> = ids.into_iter().map(|entry| entry.0).collect();
    let mut pull = store.pull("s", "last_entry_id=0&count=10");
    let text: serde_json::Value = serde_json::from_str(&receive_text(&mut pull)).expect("a text of JSON");
    let expected = serde_json::json!([[ids[0], 0], [ids[1], 0], [ids[2], 2], [ids[3], 2], [ids[4], 5]]);
    assert_eq!(text, expected);
    assert_eq!(receive_binary(&mut pull), b"abcde");
}

#[test]
fn an_entry_that_is_empty_is_a_reply_all_the_same() {
    let store = Store::start();
    let mut pull = store.pull("s", "");
    let added = add(&store.redis, "s", &[b"", b""]);
    assert_eq!(pulled(&mut pull, 2, 1), added);
}

#[test]
fn dollar_delivers_whatever_is_added_after_the_client_sees_101() {
    let store = Store::start();
    for round in 0..200 {
        // Every other round the stream does not exist yet.
        let fresh = format!("fresh-{round}");
        let stream = if round % 2 == 0 { "s" } else { &fresh };
        let query = ["", "last_entry_id=$", "last_entry_id=%24&count=5"][round % 3];
        let mut pull = store.pull(stream, query);
        let added = add(&store.redis, stream, &[round.to_string()]);
        assert_eq!(receive_reply(&mut pull), added, "round {round}");
    }
}

#[test]
fn from_zero_a_pull_gives_everything_and_then_what_follows() {
    let store = Store::start();
    let mut expected = add(&store.redis, "s", &numbers(0..25));
    for zero in ["0", "0-0"] {
        let mut pull = store.pull("s", &format!("last_entry_id={zero}&count=10"));
        assert_eq!(pulled(&mut pull, expected.len(), 10), expected);
        let later = add(&store.redis, "s", &[b"later"]);
        assert_eq!(pulled(&mut pull, 1, 10), later);
        expected.extend(later);
    }
}

#[test]
fn from_an_id_a_pull_gives_what_comes_after_it() {
    let store = Store::start();
    let add_as = |id: &str| store.redis.command::<String>(&["XADD", "s", id, "d", id]);
    for id in ["5-0", "5-1", "5-2", "7-0", "7-18446744073709551615"] {
        add_as(id);
    }
    let cases = [
        ("5-1", vec!["5-2", "7-0", "7-18446744073709551615"]),
        // Without a sequence an id is its first one.
        ("5", vec!["5-1", "5-2", "7-0", "7-18446744073709551615"]),
        ("6-9", vec!["7-0", "7-18446744073709551615"]),
        ("7-18446744073709551614", vec!["7-18446744073709551615"]),
    ];
    for (id, expected) in cases {
        let mut pull = store.pull("s", &format!("last_entry_id={id}&count=100"));
        let ids: Vec<_> = receive_reply(&mut pull).into_iter().map(|e| e.0).collect();
        assert_eq!(ids, expected, "after {id}");
    }
    let mut pull = store.pull("s", "last_entry_id=7-18446744073709551615");
    let mut last = store.pull("s", "last_entry_id=18446744073709551615-18446744073709551615");
    assert_eq!(ping(&mut pull), []);
    add_as("8-0");
    assert_eq!(receive_reply(&mut pull)[0].0, "8-0");
    assert_eq!(ping(&mut last), []);
}

#[test]
fn from_star_a_pull_gives_the_newest_oldest_first_and_then_what_follows() {
    let store = Store::start();
    let entries = add(&store.redis, "s", &numbers(0..10));
    for (query, newest) in [("", 1), ("&count=3", 3), ("&count=10", 10), ("&count=50", 10)] {
        let mut pull = store.pull("s", &format!("last_entry_id=*{query}"));
        assert_eq!(receive_reply(&mut pull), entries[10 - newest..], "{query}");
        assert_eq!(ping(&mut pull), []);
    }
    let mut pull = store.pull("s", "last_entry_id=*&count=2");
    assert_eq!(receive_reply(&mut pull), entries[8..]);
    let later = add(&store.redis, "s", &numbers(10..15));
    assert_eq!(pulled(&mut pull, 5, 2), later);
}

#[test]
fn from_star_of_a_stream_that_is_not_there_a_pull_waits_for_it() {
    let store = Store::start();
    let mut pull = store.pull("s", "last_entry_id=*&count=3");
    assert_eq!(ping(&mut pull), []);
    let added = add(&store.redis, "s", &numbers(0..3));
    assert_eq!(pulled(&mut pull, 3, 3), added);
}

#[test]
fn a_stream_that_is_not_there_yet_is_waited_for() {
    let store = Store::start();
    let mut pulls = ["", "last_entry_id=0", "last_entry_id=*", "last_entry_id=1-1"].map(|query| store.pull("s", query));
    for pull in &mut pulls {
        assert_eq!(ping(pull), []);
    }
    let ids = store.add("s", &[b"first"]);
    for pull in &mut pulls {
        let expected = [(ids[0].clone(), b"first".to_vec())];
        assert_eq!(receive_reply(pull), expected);
    }
}

#[test]
fn a_count_far_over_what_is_there_gives_what_is_there() {
    let store = Store::start();
    let entries = add(&store.redis, "s", &numbers(0..50));
    for count in ["51", "1000000", "2147483647", "4294967296"] {
        let mut pull = store.pull("s", &format!("last_entry_id=0&count={count}"));
        assert_eq!(receive_reply(&mut pull), entries, "{count}");
    }
}

#[test]
fn a_silent_stream_gives_no_reply_at_all() {
    let store = Store::with(&["--ping-interval", "300ms"]);
    add(&store.redis, "full", &numbers(0..3));
    for stream in ["emptied-0", "emptied-*"] {
        let added = add(&store.redis, stream, &[b"gone"]);
        store.redis.command::<()>(&["XDEL", stream, &added[0].0]);
    }
    let cases = [
        ("full", "$"),
        ("none-0", "0"),
        ("none-*", "*"),
        ("emptied-0", "0"),
        ("emptied-*", "*"),
    ];
    let open = |(stream, from)| (stream, store.pull(stream, &format!("last_entry_id={from}")));
    for (stream, mut pull) in cases.map(open) {
        // The server's own pings are the clock: 1.5 s of silence, longer than a wait inside it is likely to be.
        for _ in 0..5 {
            let message = pull.read().expect("a ping");
            assert!(matches!(message, Message::Ping(_)), "{stream} {message:?}");
        }
        let added = add(&store.redis, stream, &[b"at last"]);
        assert_eq!(receive_reply(&mut pull), added);
    }
}

#[test]
fn an_entry_without_a_field_d_is_the_json_object_of_its_fields() {
    let store = Store::start();
    let mut pull = store.pull("s", "count=10");
    let words = ["XADD", "s", "*", "größe", "1", "name", "a \"b\"", "empty", ""];
    store.redis.command::<String>(&words);
    let (_, data) = receive_reply(&mut pull).remove(0);
    let object: BTreeMap<String, String> = serde_json::from_slice(&data).expect("an object");
    let expected = [("größe", "1"), ("name", "a \"b\""), ("empty", "")];
    let expected = expected.map(|(field, value)| (field.to_owned(), value.to_owned()));
    assert_eq!(object, BTreeMap::from(expected));
}

#[test]
fn an_entry_with_other_fields_beside_d_is_its_field_d() {
    let store = Store::start();
    let words = ["XADD", "s", "*", "a", "1", "d", "data", "z", "2"];
    store.redis.command::<String>(&words);
    let mut pull = store.pull("s", "last_entry_id=0");
    assert_eq!(receive_reply(&mut pull)[0].1, b"data");
}

#[test]
fn a_pull_of_any_name_gives_what_was_pushed_to_it() {
    let store = Store::start();
    for name in ["größe-流-😀", "a+b:c", "with space", "100%", "?&=#"] {
        let mut pull = store.pull(name, "");
        let mut push = store.push(name, "ack=true");
        send_binary(&mut push, name.as_bytes());
        let id = receive_text(&mut push);
        assert_eq!(receive_reply(&mut pull), [(id, name.as_bytes().to_vec())]);
    }
}

#[test]
fn what_the_client_of_a_pull_sends_is_ignored() {
    let store = Store::start();
    let mut pull = store.pull("s", "");
    for round in 0..20 {
        send_text(&mut pull, "0,100");
        send_text(&mut pull, "");
        send_binary(&mut pull, &[round; 100_000]);
        send_raw(&mut pull, &frame(0x01, b"a first fragment"));
        send_raw(&mut pull, &frame(0x8a, b"a pong nobody asked for"));
        send_raw(&mut pull, &frame(0x80, b"and its last"));
        let added = add(&store.redis, "s", &[[round]]);
        assert_eq!(receive_reply(&mut pull), added);
    }
}

#[test]
fn what_the_client_of_a_pull_sends_delays_no_ping_and_no_close() {
    let store = Store::start();
    let mut pull = store.pull("s", "");
    for _ in 0..3 {
        for _ in 0..200 {
            send_text(&mut pull, "chatter");
        }
        assert_eq!(ping(&mut pull), []);
    }
    for _ in 0..200 {
        send_text(&mut pull, "chatter");
    }
    close_promptly(&mut pull);
}

#[test]
fn every_puller_of_a_stream_gets_every_entry() {
    let store = Store::start();
    let mut pulls: Vec<_> = (1..=8_usize)
        .map(|count| (count, store.pull("s", &format!("count={count}"))))
        .collect();
    let added = add(&store.redis, "s", &numbers(0..100));
    for (count, pull) in &mut pulls {
        assert_eq!(pulled(pull, 100, *count), added);
    }
}

#[test]
fn a_key_that_becomes_another_type_closes_with_1011() {
    let store = Store::start();
    add(&store.redis, "s", &[b"entry"]);
    let mut pull = store.pull("s", "");
    assert_eq!(ping(&mut pull), []);
    store.redis.command::<()>(&["DEL", "s"]);
    store.redis.command::<()>(&["SET", "s", "text"]);
    closes_with(&mut pull, 1011);
}
