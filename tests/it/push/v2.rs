//! docs/protocol.md, section 10, what goes in under `/v2`: headers with ends, and descriptions in the body of a PUT.

use serde_json::{Value, json};

use crate::harness::wire::{close, closes_with, frame, length, send_raw, stored, stored_data};
use crate::harness::{Answer, Socket, Store, receive_text, send_binary, send_text};

/// As the Python client spells it.
const BATCHES: &str = "batch=True&ack=True";

fn open(store: &Store, path: &str, query: &str) -> Socket {
    store.socket(&format!("/v2/data/{path}/push?{query}"))
}

#[track_caller]
fn ask(socket: &mut Socket, header: &str, blob: &[u8]) -> String {
    send_text(socket, header);
    send_binary(socket, blob);
    receive_text(socket)
}

/// What the stream holds, as texts; it is emptied.
#[track_caller]
fn taken(store: &Store, stream: &str) -> Vec<String> {
    let data = stored_data(&store.redis, stream);
    let _: usize = store.redis.command(&["DEL", stream]);
    let text = |data| String::from_utf8(data).expect("text");
    data.into_iter().map(text).collect()
}

fn put(store: &Store, path: &str, body: &[u8]) -> Answer {
    let headers = [
        ("Authorization", &*store.bearer()),
        ("Content-Type", "application/json"),
    ];
    store.ask("PUT", path, &headers, Some(body))
}

#[test]
fn without_batches_a_message_is_an_entry_as_ever() {
    let store = Store::start();
    let mut push = open(&store, "a+b", "ack=True");
    send_binary(&mut push, b"entry");
    let id = receive_text(&mut push);
    assert_eq!(stored(&store.redis, "a+b"), [(id, b"entry".to_vec())]);
}

#[test]
fn a_header_whose_last_offset_is_the_length_of_the_blob_has_ends() {
    let store = Store::start();
    let mut push = open(&store, "s", BATCHES);
    for (header, entries) in [
        ("[2, 5]", vec!["ab", "cde"]),
        ("[0, 2, 5]", vec!["ab", "cde"]),
        ("[5]", vec!["abcde"]),
        ("[0, 5]", vec!["abcde"]),
        ("0,5", vec!["abcde"]),
        ("0,0,5", vec!["", "abcde"]),
        ("[2, 2, 5, 5]", vec!["ab", "", "cde", ""]),
        (r#"[["s", 0], ["s", 5]]"#, vec!["", "abcde"]),
        (r#"[["s", 2], ["s", 5]]"#, vec!["ab", "cde"]),
    ] {
        let ids = ask(&mut push, header, b"abcde");
        assert_eq!(ids.split(',').count(), entries.len(), "{header}");
        assert_eq!(taken(&store, "s"), entries, "{header}");
    }
}

#[test]
fn any_other_header_has_starts() {
    let store = Store::start();
    let mut push = open(&store, "s", BATCHES);
    for (header, entries) in [
        ("[0, 2]", vec!["ab", "cde"]),
        ("[0]", vec!["abcde"]),
        ("0,2", vec!["ab", "cde"]),
        ("[0, 0, 2]", vec!["", "ab", "cde"]),
        (r#"[["s", 0], ["s", 2]]"#, vec!["ab", "cde"]),
    ] {
        ask(&mut push, header, b"abcde");
        assert_eq!(taken(&store, "s"), entries, "{header}");
    }
}

#[test]
fn what_is_neither_ends_nor_starts_closes_with_1007() {
    let store = Store::start();
    for header in [
        "[3, 4]",
        "[2, 9]",
        "[0, 9]",
        "[5, 2]",
        "[1]",
        "[]",
        "2",
        r#"[["s", 1]]"#,
        "[[]]",
        "{}",
    ] {
        let mut push = open(&store, "s", BATCHES);
        send_raw(
            &mut push,
            &[frame(0x81, header.as_bytes()), frame(0x82, b"abcde")].concat(),
        );
        let reason = closes_with(&mut push, 1007);
        assert_eq!(length(&store.redis, "s"), 0, "{header}: {reason}");
    }
}

#[test]
fn an_empty_blob_is_one_empty_entry_or_none() {
    let store = Store::start();
    let mut push = open(&store, "s", BATCHES);
    for header in ["[0]", "[0, 0]", "0", r#"[["s", 0]]"#] {
        ask(&mut push, header, b"");
        assert_eq!(taken(&store, "s"), [""], "{header}");
    }
    // A client that has nothing to send still waits for its ack.
    assert_eq!(ask(&mut push, "[]", b""), "");
    assert_eq!(length(&store.redis, "s"), 0);
    assert_eq!(ask(&mut push, "[1]", b"x").split(',').count(), 1);
    assert_eq!(ask(&mut open(&store, "*", BATCHES), "[]", b""), "");
    assert!(close(&mut push).is_empty());
}

#[test]
fn the_python_clients_batches_go_where_they_are_to_go() {
    let store = Store::start();
    for path in ["*", "cam+mic"] {
        let mut push = open(&store, path, BATCHES);
        ask(&mut push, r#"[["cam", 3], ["mic", 5]]"#, b"camim");
        assert_eq!(
            (taken(&store, "cam"), taken(&store, "mic")),
            (vec!["cam".into()], vec!["im".into()])
        );
        let header = r#"[["cam", "1650000000123-0", 3], ["mic", "1650000000100-0", 5], ["cam", "1650000000124-1", 6]]"#;
        let ids = ask(&mut push, header, b"camimx");
        assert_eq!(ids, "1650000000123-0,1650000000100-0,1650000000124-1");
        assert_eq!(taken(&store, "cam"), ["cam", "x"]);
        let _ = taken(&store, "mic");
    }
    // By place, one for each stream of the path.
    let mut push = open(&store, "cam+mic", BATCHES);
    ask(&mut push, "[3, 5]", b"camim");
    assert_eq!(
        (taken(&store, "cam"), taken(&store, "mic")),
        (vec!["cam".into()], vec!["im".into()])
    );
}

#[test]
fn without_names_there_must_be_an_entry_for_each_stream_of_the_path() {
    let store = Store::start();
    for (path, header) in [("a+b", "[5]"), ("a+b", "[1, 2, 5]"), ("a+b", "[0, 5]"), ("*", "[5]")] {
        let mut push = open(&store, path, BATCHES);
        send_raw(
            &mut push,
            &[frame(0x81, header.as_bytes()), frame(0x82, b"abcde")].concat(),
        );
        let reason = closes_with(&mut push, 1007);
        assert!(reason.contains("name each entry's: [["), "{reason}");
    }
    let keys: usize = store.redis.command(&["DBSIZE"]);
    assert_eq!(keys, 0);
}

#[test]
fn ids_may_be_bare_milliseconds_or_nothing() {
    let store = Store::start();
    let mut push = open(&store, "s", BATCHES);
    let header = r#"[["s", "5", 1], ["s", 5, 2], ["s", "6-*", 3], ["s", 7, 4], ["s", "7-9", 5]]"#;
    assert_eq!(ask(&mut push, header, b"abcde"), "5-0,5-1,6-0,7-0,7-9");
    let ids = ask(
        &mut push,
        r#"[["s", null, 1], ["s", "", 2], ["s", 0, 3], ["s", "*", 4]]"#,
        b"abcd",
    );
    let ids: Vec<&str> = ids.split(',').collect();
    assert!(ids.iter().all(|id| id.len() > 13), "{ids:?}");
    assert_eq!(taken(&store, "s").len(), 9);
}

#[test]
fn errors_are_reported_here_too() {
    let store = Store::start();
    let mut push = open(&store, "*", "batch=True&ack=True&on_error=report");
    let refused: Value = serde_json::from_str(&ask(&mut push, "[3]", b"abc")).expect("JSON");
    assert_eq!(refused["code"], 1007);
    ask(&mut push, r#"[["s", 7, 1]]"#, b"x");
    let refused: Value = serde_json::from_str(&ask(&mut push, r#"[["s", 6, 1]]"#, b"x")).expect("JSON");
    assert_eq!(refused["error"], "id 6-* is not larger than 7-0, the newest of 's'");
}

#[test]
fn the_seeds_dialect_knows_no_ends_and_no_bare_milliseconds() {
    let store = Store::start();
    for header in ["[2,5]", r#"[["s",5,0]]"#, r#"[["s","5",0]]"#, "[]"] {
        let mut push = store.push("s", "batch=true&ack=true");
        send_raw(
            &mut push,
            &[frame(0x81, header.as_bytes()), frame(0x82, b"abcde")].concat(),
        );
        closes_with(&mut push, 1007);
    }
    let mut push = store.push("s", "batch=true&ack=true");
    ask(&mut push, "[0,5]", b"abcde");
    assert_eq!(taken(&store, "s"), ["abcde", ""]);
}

#[test]
fn a_description_may_come_in_the_body_of_a_put() {
    let store = Store::with(&["--max-len", "7"]);
    let told = put(
        &store,
        "/v2/streams/cam",
        br#"{"desc": "front", "fps": 30, "meta": {"x": 1}}"#,
    );
    let expected = json!({
        "id": "cam", "description": "front", "max_len": 7,
        "metadata": { "fps": 30, "meta": { "x": 1 } },
    });
    assert_eq!(told.expect(200).json(), expected);
    assert_eq!(store.get("/streams/cam").expect(200).json()["meta"], expected);
    put(&store, "/v2/streams/cam?override=false", br#"{"desc": "again"}"#).expect(400);
    let told = put(
        &store,
        "/v2/streams/cam",
        br#"{"override": true, "max_len": 50, "desc": null, "fps": 60}"#,
    );
    let expected = json!({ "id": "cam", "description": "front", "max_len": 50, "metadata": { "fps": 60 } });
    assert_eq!(told.expect(200).json(), expected);
    let told = put(
        &store,
        "/v2/streams/cam?override=true&desc=query&max_len=9",
        br#"{"desc": "body", "max_len": 50}"#,
    );
    let expected = json!({ "id": "cam", "description": "query", "max_len": 9, "metadata": { "fps": 60 } });
    assert_eq!(told.expect(200).json(), expected);
    put(&store, "/v2/streams/other", b"").expect(200);
}

#[test]
fn a_body_that_is_no_description_is_422_and_changes_nothing() {
    let store = Store::start();
    for body in [
        &b"[]"[..],
        b"{",
        b"x",
        b"\xff",
        b"{\"desc\": 5}",
        b"{\"override\": 2}",
        b"{\"max_len\": 0}",
    ] {
        put(&store, "/v2/streams/cam", body).expect(422);
    }
    put(&store, "/v2/streams/cam", "[".repeat(10_000).as_bytes()).expect(422);
    put(&store, "/v2/streams/cam", &[b' '; 20_000]).expect(413);
    assert_eq!(store.get("/streams/").expect(200).json(), json!([]));
}
