//! `GET /data/{id}`: entries out over REST (docs/protocol.md, section 4).

use serde_json::json;

use crate::harness::{Answer, Store, slice};

#[test]
fn without_parameters_it_is_the_newest_entry() {
    let store = Store::start();
    let ids = store.add("x", &[b"old", b"newest"]);
    let answer = store.get("/data/x").expect(200);
    assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
    assert_eq!(entries(&answer), [(ids[1].clone(), b"newest".to_vec())]);
}

#[test]
fn the_header_gives_the_id_and_offset_of_each_entry() {
    let store = Store::start();
    for (id, data) in [("5-0", "abc"), ("5-1", ""), ("6-0", "defgh")] {
        let _: String = store.redis.command(&["XADD", "x", id, "d", data]);
    }
    let answer = store.get("/data/x?count=3").expect(200);
    assert_eq!(answer.body, b"abcdefgh");
    let header = answer.header("entry-offset").expect("an entry-offset header");
    let header: serde_json::Value = serde_json::from_str(header).expect("JSON");
    assert_eq!(header, json!([["5-0", 0], ["5-1", 3], ["6-0", 3]]));
}

#[test]
fn nothing_there_is_an_empty_body_and_an_empty_list() {
    let store = Store::start();
    let id = store.add("full", &[b"a"])[0].clone();
    store.put("/streams/created").expect(200);
    let after_the_last = format!("/data/full?last_entry_id={id}");
    for path in [
        "/data/none",
        "/data/created",
        "/data/none?last_entry_id=0",
        "/data/full?last_entry_id=$",
        &after_the_last,
    ] {
        let answer = store.get(path).expect(200);
        assert_eq!(answer.body, b"", "{path}");
        assert_eq!(answer.header("entry-offset"), Some("[]"), "{path}");
        assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
    }
}

#[test]
fn a_star_gives_the_newest_oldest_first() {
    let store = numbered(5);
    assert_eq!(found(&store, "count=3&last_entry_id=*"), ["3-0", "4-0", "5-0"]);
    assert_eq!(found(&store, "count=3"), ["3-0", "4-0", "5-0"]);
    assert_eq!(found(&store, "count=99"), ["1-0", "2-0", "3-0", "4-0", "5-0"]);
    assert_eq!(found(&store, "count=3&last_entry_id=%2A"), ["3-0", "4-0", "5-0"]);
}

#[test]
fn an_id_gives_the_entries_after_it() {
    let store = numbered(5);
    assert_eq!(found(&store, "last_entry_id=2-0"), ["3-0"]);
    assert_eq!(found(&store, "count=2&last_entry_id=2-0"), ["3-0", "4-0"]);
    assert_eq!(found(&store, "count=99&last_entry_id=2-0"), ["3-0", "4-0", "5-0"]);
    // The id need not be there.
    assert_eq!(found(&store, "count=99&last_entry_id=2-7"), ["3-0", "4-0", "5-0"]);
    assert_eq!(found(&store, "count=99&last_entry_id=9-9"), [""; 0]);
}

#[test]
fn an_id_without_a_sequence_is_the_first_of_its_millisecond() {
    let store = Store::start();
    for id in ["5-0", "5-1", "6-0"] {
        let _: String = store.redis.command(&["XADD", "x", id, "d", "a"]);
    }
    assert_eq!(found(&store, "count=9&last_entry_id=5"), ["5-1", "6-0"]);
}

#[test]
fn zero_is_the_start_and_a_dollar_the_end() {
    let store = numbered(3);
    for zero in ["0", "0-0"] {
        assert_eq!(found(&store, &format!("count=2&last_entry_id={zero}")), ["1-0", "2-0"]);
    }
    assert_eq!(found(&store, "count=2&last_entry_id=$"), [""; 0]);
    assert_eq!(found(&store, "count=2&last_entry_id=%24"), [""; 0]);
}

#[test]
fn ids_reach_up_to_the_largest() {
    let store = Store::start();
    let largest = "18446744073709551615-18446744073709551615";
    let _: String = store.redis.command(&["XADD", "x", largest, "d", "a"]);
    assert_eq!(found(&store, "last_entry_id=0"), [largest]);
    assert_eq!(found(&store, "last_entry_id=18446744073709551615"), [largest]);
    assert_eq!(
        found(&store, "last_entry_id=18446744073709551615-18446744073709551614"),
        [largest]
    );
    assert_eq!(found(&store, &format!("last_entry_id={largest}")), [""; 0]);
    assert_eq!(found(&store, "last_entry_id=*"), [largest]);
}

#[test]
fn a_bad_id_is_422() {
    let store = numbered(1);
    let bad = [
        "18446744073709551616",
        "1-18446744073709551616",
        "99999999999999999999999999",
        "-1",
        "1-",
        "-",
        "1--1",
        "a",
        "1-a",
        "1-2-3",
        "1.5",
        "",
        "(1",
        "%3E",
        "%2B",
        "%2B1",
        "1%20",
        "0x1",
        "*1",
        "$$",
        "1-*",
        "%00",
        "1%0A",
        "%FF",
        "\u{661}",
    ];
    for id in bad {
        let id = if id.is_ascii() {
            id.to_owned()
        } else {
            crate::harness::encode(id)
        };
        let answer = store.get(&format!("/data/x?last_entry_id={id}"));
        assert_eq!(
            answer.faults(),
            [("last_entry_id".to_owned(), "value_error.entry_id".to_owned())],
            "{id:?}"
        );
        assert_eq!(answer.json()["detail"][0]["loc"], json!(["query", "last_entry_id"]));
    }
}

#[test]
fn a_count_below_one_is_422() {
    let store = numbered(1);
    for count in ["0", "-1", "-99999999999"] {
        let answer = store.get(&format!("/data/x?count={count}"));
        let expected = json!({"detail": [{
            "loc": ["query", "count"],
            "msg": "ensure this value is greater than or equal to 1",
            "type": "value_error.number.not_ge",
        }]});
        assert_eq!(answer.expect(422).json(), expected);
    }
}

#[test]
fn complaints_come_in_the_order_of_the_seed() {
    let store = numbered(1);
    let answer = store.get("/data/XMETA:x?newest=x&last_entry_id=x&count=x");
    let names: Vec<String> = answer.faults().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["stream_id", "count", "last_entry_id", "newest"]);
}

#[test]
fn an_entry_without_the_field_d_is_the_json_object_of_its_fields() {
    let store = Store::start();
    let _: String = store
        .redis
        .command(&["XADD", "x", "1-0", "temperature", "21.5", "unit", "°C"]);
    let _: String = store
        .redis
        .command(&["XADD", "x", "2-0", "other", "1", "d", "bytes", "more", "2"]);
    let answer = store.get("/data/x?count=2").expect(200);
    let entries = entries(&answer);
    let object: serde_json::Value = serde_json::from_slice(&entries[0].1).expect("a JSON object");
    assert_eq!(object, json!({"temperature": "21.5", "unit": "°C"}));
    assert_eq!(entries[1].1, b"bytes");
}

#[test]
fn entries_are_the_bytes_that_were_posted() {
    let store = Store::start();
    let every_byte: Vec<u8> = (0..=255).collect();
    let ids = store.add("x", &[&every_byte, b"", b"\r\n\r\n", b"{\"json\": true}"]);
    let answer = store.get("/data/x?count=9&last_entry_id=0").expect(200);
    let expected = [every_byte, vec![], b"\r\n\r\n".to_vec(), b"{\"json\": true}".to_vec()];
    let expected: Vec<_> = ids.into_iter().zip(expected).collect();
    assert_eq!(entries(&answer), expected);
}

/// A stream `x` with entries 1-0, 2-0 and so on.
fn numbered(count: usize) -> Store {
    let store = Store::start();
    for number in 1..=count {
        let _: String = store.redis.command(&["XADD", "x", &format!("{number}-0"), "d", "data"]);
    }
    store
}

/// The ids that a query of `/data/x` returns.
#[track_caller]
fn found(store: &Store, query: &str) -> Vec<String> {
    let answer = store.get(&format!("/data/x?{query}")).expect(200);
    entries(&answer).into_iter().map(|(id, _)| id).collect()
}

#[track_caller]
fn entries(answer: &Answer) -> Vec<(String, Vec<u8>)> {
    let header = answer.header("entry-offset").expect("an entry-offset header");
    let offsets: Vec<(String, usize)> = serde_json::from_str(header).expect("the header's JSON");
    if offsets.is_empty() {
        assert!(answer.body.is_empty());
        return Vec::new();
    }
    slice(&offsets, &answer.body)
}
