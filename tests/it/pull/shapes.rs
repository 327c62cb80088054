//! docs/pulling.md, shapes: what `format=` makes of entries, on the WebSocket and on GET.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tungstenite::Message;

use crate::harness::wire::{add, ping, wait_longer};
use crate::harness::{Answer, Socket, Store, receive_binary, receive_json, receive_text, send_text};

/// Entries of every kind, and what `data` says of each.
fn kinds() -> Vec<(Vec<u8>, Value)> {
    let base64 = |bytes: &[u8]| json!({ "base64": STANDARD.encode(bytes) });
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    let text = |text: &str| (text.as_bytes().to_vec(), json!(text));
    let binary = |bytes: &[u8]| (bytes.to_vec(), base64(bytes));
    vec![
        (b"{\"celsius\": 21.5}".to_vec(), json!({"celsius": 21.5})),
        (b" [1, \"two\",\r\n null]\n".to_vec(), json!([1, "two", null])),
        (b"null".to_vec(), Value::Null),
        (b"-0.5e3".to_vec(), json!(-500.0)),
        (b"\"quoted\"".to_vec(), json!("quoted")),
        text("21.5 C"),
        text(""),
        text(" "),
        text("{broken"),
        text("{\"a\":1} {\"b\":2}"),
        text("{\"a\":1,}"),
        text("NaN"),
        text("tab\there\r\nand there"),
        text("größe 流 😀 \u{2028} \u{feff}"),
        text("\"\\ud83d\" half a pair"),
        text(&deep),
        binary(b"\xff\xd8\xff\xe0 a jpeg"),
        binary(b"nul\0"),
        binary(b"\x1b[31mred\x1b[0m"),
        binary(b"delete\x7f"),
        binary("next line\u{85}".as_bytes()),
        binary(b"cut off: \xe6\xb5"),
        binary("\u{0}\u{1}\u{2}".as_bytes()),
    ]
}

/// What every line must be, `data` aside.
#[track_caller]
fn assert_line(line: &Value, stream: &str, id: &str, entry: &[u8]) {
    let keys: Vec<&String> = line.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["data", "id", "size", "stream", "time"], "{line}");
    assert_eq!((&line["stream"], &line["id"]), (&json!(stream), &json!(id)));
    assert_eq!(line["size"], entry.len());
    let time: jiff::Timestamp = line["time"].as_str().expect("a time").parse().expect("RFC 3339");
    let ms = id.split('-').next().expect("milliseconds");
    assert_eq!(time.as_millisecond().to_string(), ms);
}

#[test]
fn a_line_of_json_has_json_parsed_text_as_a_string_and_anything_else_in_base64() {
    let store = Store::start();
    let (entries, expected): (Vec<_>, Vec<_>) = kinds().into_iter().unzip();
    let added = add(&store.redis, "s", &entries);
    let answer = store.get("/data/s?format=json&count=100").expect(200);
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
    assert_eq!(answer.header("entry-offset"), None);
    assert!(answer.body.ends_with(b"\n"), "the last line has no end");
    let lines: Vec<&str> = answer.text().strip_suffix('\n').expect("an end").split('\n').collect();
    let mut pull = store.pull("s", "format=json&last_entry_id=first&count=7");
    assert_eq!(lines.len(), entries.len());
    for ((line, (id, entry)), data) in lines.into_iter().zip(&added).zip(&expected) {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
        assert_line(&value, "s", id, entry);
        assert_eq!(&value["data"], data, "{line}");
        assert_eq!(receive_text(&mut pull), line, "the WebSocket says it otherwise");
    }
    assert_eq!(ping(&mut pull), []);
}

#[test]
fn json_loses_its_white_space_but_no_digit_and_no_key() {
    let store = Store::start();
    let odd = "{\n\t\"b\" : 1.0 ,\r\n \"a\": 12345678901234567890123, \"a\":[ ], \"e\": \"\\u0041 \\\" b \\\\\" }";
    add(&store.redis, "s", &[odd]);
    let mut pull = store.pull("s", "format=json&last_entry_id=latest");
    let compact = "\"data\":{\"b\":1.0,\"a\":12345678901234567890123,\"a\":[],\"e\":\"\\u0041 \\\" b \\\\\"}}";
    let line = receive_text(&mut pull);
    assert!(line.ends_with(compact), "{line}");
}

#[test]
fn json_that_strict_parsers_refuse_does_not_spoil_the_line() {
    let store = Store::start();
    // Well-formed by the grammar, but half a surrogate pair and a number that no double holds.
    for odd in [
        "\"\\ud800\"",
        "[\"\\udc00\\ud800\"]",
        "1e999",
        "{\"a\":-1e400}",
        "{\"\\ud800\":1}",
    ] {
        add(&store.redis, "s", &[odd]);
        let mut pull = store.pull("s", "format=json&last_entry_id=latest");
        assert_eq!(receive_json(&mut pull)["data"], odd);
    }
}

#[test]
fn json_may_nest_a_hundred_deep_and_is_text_beyond() {
    let store = Store::start();
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nested = |depth: usize| format!("{}1{}", open.repeat(depth), close.repeat(depth));
        for depth in [99, 100, 101, 127, 128, 100_000] {
            let entry = nested(depth);
            add(&store.redis, "s", &[&entry]);
            let mut pull = store.pull("s", "format=json&last_entry_id=latest");
            let line = receive_text(&mut pull);
            let expected = if depth <= 100 { entry } else { json!(entry).to_string() };
            assert!(line.ends_with(&format!("\"data\":{expected}}}")), "{depth}");
        }
    }
}

#[test]
fn a_line_names_any_stream_and_any_id() {
    let store = Store::start();
    for name in ["größe-流-😀", "a\"b\\c", "a+b", "\u{2028}"] {
        let ids = store.add(name, &[b"text"]);
        let mut pull = store.pull(name, "format=json&last_entry_id=first");
        assert_line(&receive_json(&mut pull), name, &ids[0], b"text");
    }
    let largest = "18446744073709551615-18446744073709551615";
    let _: String = store.redis.command(&["XADD", "far", largest, "d", "text"]);
    let mut pull = store.pull("far", "format=json&last_entry_id=first");
    let line = receive_json(&mut pull);
    assert_eq!((&line["id"], &line["time"]), (&json!(largest), &Value::Null));
}

#[test]
fn an_entry_of_several_fields_is_their_object_in_json_too() {
    let store = Store::start();
    let _: String = store.redis.command(&["XADD", "s", "*", "x", "1", "y", "two"]);
    let answer = store.get("/data/s?format=json").expect(200);
    let line: Value = serde_json::from_str(answer.text()).expect("a line");
    assert_eq!(line["data"], json!({"x": "1", "y": "two"}));
}

#[test]
fn raw_is_a_binary_message_an_entry_and_nothing_else() {
    let store = Store::start();
    let entries: [&[u8]; 6] = [b"one", b"", b"{\"a\": 1}", &[0xff; 100_000], b"", b"last"];
    add(&store.redis, "s", &entries);
    for count in ["1", "3", "100"] {
        let mut pull = store.pull("s", &format!("format=raw&last_entry_id=first&count={count}"));
        for entry in entries {
            assert!(receive_binary(&mut pull) == entry, "count {count}");
        }
        add(&store.redis, "empty", &[b""]);
        assert_eq!(ping(&mut pull), []);
    }
}

#[test]
fn raw_of_a_get_is_the_bytes_without_a_list_of_offsets() {
    let store = Store::start();
    add(&store.redis, "s", &[&b"\xff\xd8"[..], b"", b"three"]);
    let raw = |query: &str| store.get(&format!("/data/s?format=raw{query}")).expect(200);
    for (query, body) in [
        ("", &b"three"[..]),
        ("&count=9", b"\xff\xd8three"),
        ("&last_entry_id=$", b""),
        ("&last_entry_id=first&count=2", b"\xff\xd8"),
    ] {
        let answer = raw(query);
        assert_eq!(answer.body, body, "{query}");
        assert_eq!(answer.header("entry-offset"), None);
        assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
    }
}

#[test]
fn nothing_there_is_an_empty_reply_in_every_shape() {
    let store = Store::start();
    for format in ["raw", "json"] {
        let answer = store.get(&format!("/data/none?format={format}")).expect(200);
        assert_eq!(answer.body, b"", "{format}");
    }
}

/// The bytes of a reply that are not the date.
fn undated(answer: &Answer) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let headers = answer.headers.iter().filter(|(name, _)| name != "date").cloned();
    (answer.status, headers.collect(), answer.body.clone())
}

#[test]
fn pairs_is_the_default_and_changes_nothing() {
    let store = Store::start();
    let _: String = store.redis.command(&["XADD", "s", "5-1", "d", "one"]);
    let _: String = store.redis.command(&["XADD", "s", "7-0", "d", "two"]);
    let get = |query: &str| undated(&store.get(&format!("/data/s?count=2{query}")));
    assert_eq!(get("&format=pairs"), get(""));
    let (_, headers, body) = get("");
    assert!(headers.contains(&("entry-offset".into(), "[[\"5-1\",0],[\"7-0\",3]]".into())));
    assert_eq!(body, b"onetwo");
    for query in ["", "&format=pairs"] {
        let mut pull = store.pull("s", &format!("last_entry_id=0&count=2{query}"));
        let whole = (receive_text(&mut pull), receive_binary(&mut pull));
        assert_eq!(whole, ("[[\"5-1\",0],[\"7-0\",3]]".into(), b"onetwo".to_vec()));
    }
}

#[test]
fn head_says_what_get_would_be_of_in_every_shape() {
    let store = Store::start();
    add(&store.redis, "s", &[b"entry"]);
    for query in ["", "?format=raw", "?format=json"] {
        let path = format!("/data/s{query}");
        let bearer = store.bearer();
        let of = |method| {
            store
                .ask(method, &path, &[("Authorization", &bearer)], None)
                .expect(200)
        };
        let (head, get) = (of("HEAD"), of("GET"));
        let told = |answer: &Answer, name| answer.header(name).map(str::to_owned);
        for name in ["content-type", "content-length", "entry-offset"] {
            assert_eq!(told(&head, name), told(&get, name), "{query} {name}");
        }
        assert_eq!(head.body, b"");
    }
    // HEAD takes nothing out.
    assert_eq!(store.metric("ptg_entries_out_total{via=\"rest\"}"), 3.0);
}

#[test]
fn a_format_that_is_none_of_the_three_is_422_on_both() {
    let store = Store::start();
    for bad in ["xml", "", "JSON", "raw,json", "pairs%20"] {
        let expected = [("format".to_owned(), "type_error.enum".to_owned())];
        assert_eq!(store.get(&format!("/data/s?format={bad}")).faults(), expected, "{bad}");
        let path = format!("/data/s/pull?format={bad}&token={}", store.token);
        assert_eq!(store.socket_answer(&path, &[]).faults(), expected, "{bad}");
    }
}

#[test]
fn a_get_of_json_has_at_most_16384_lines() {
    let store = Store::with(&["--max-len", "20000"]);
    let entries: Vec<String> = (0..17_000).map(|n| n.to_string()).collect();
    let added = add(&store.redis, "s", &entries);
    let lines_after = |id: &str| {
        let answer = store.get(&format!("/data/s?format=json&count=100000&last_entry_id={id}"));
        answer.expect(200).text().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let first = lines_after("first");
    assert_eq!(first.len(), 16_384);
    let rest = lines_after(&added[16_383].0);
    assert_eq!(first.len() + rest.len(), 17_000);
    let last: Value = serde_json::from_str(rest.last().expect("a line")).expect("JSON");
    assert_eq!(last["data"], 16_999);
}

/// Reads one message and drops it, whatever its size.
fn receive_length(pull: &mut Socket) -> usize {
    loop {
        match pull.read().expect("a message") {
            Message::Text(text) => return text.len(),
            Message::Binary(bytes) => return bytes.len(),
            _ => {}
        }
    }
}

#[test]
fn a_line_is_at_most_twice_as_long_as_its_entry_and_a_little() {
    let store = Store::start();
    let size = 20 << 20;
    for (kind, byte) in [
        ("text", b'x'),
        ("quotes", b'"'),
        ("line ends", b'\n'),
        ("control", 1),
        ("binary", 0xff),
    ] {
        add(&store.redis, kind, &[vec![byte; size]]);
        let mut pull = store.socket(&format!(
            "/data/{}/pull?format=json&last_entry_id=first",
            kind.replace(' ', "%20")
        ));
        wait_longer(&pull);
        let length = receive_length(&mut pull);
        assert!((size..=2 * size + 1000).contains(&length), "{kind}: {length}");
        let _: usize = store.redis.command(&["DEL", kind]);
    }
}

#[test]
fn what_the_client_sends_is_ignored_in_every_shape() {
    let store = Store::start();
    for format in ["raw", "json"] {
        let mut pull = store.pull("s", &format!("format={format}"));
        for round in 0..20 {
            send_text(&mut pull, "chatter");
            add(&store.redis, "s", &[format!("round {round}")]);
            receive_length(&mut pull);
        }
        assert_eq!(ping(&mut pull), []);
    }
}
