//! What other programs wrote into Redis in a form of their own comes out with every byte.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::harness::{Store, receive_binary, receive_json, receive_text};

fn xadd(store: &Store, stream: &[u8], fields: &[&[u8]]) {
    let mut command = redis::cmd("XADD");
    command.arg(stream).arg("*");
    fields.iter().for_each(|field| {
        command.arg(*field);
    });
    command.exec(&mut store.redis.connection()).expect("XADD");
}

#[test]
fn fields_that_are_not_utf_8_come_as_base64_and_fields_that_occur_twice_as_lists() {
    let store = Store::start();
    let image = b"\xff\xd8\xff\0";
    let base64 = json!({ "base64": STANDARD.encode(image) });
    let entries: [(&[&[u8]], Value); 5] = [
        (&[b"image", image], json!({ "image": base64 })),
        (
            &[b"a", b"1", b"b", "ä\0\"".as_bytes(), b"a", b"2"],
            json!({ "a": ["1", "2"], "b": "ä\0\"" }),
        ),
        (
            &[b"a", image, b"a", b"", b"a", image],
            json!({ "a": [base64, "", base64] }),
        ),
        // A name that is no text cannot be one in JSON.
        (
            &[b"a", b"1", b"\xe4", image, b"a", b"2"],
            json!({ "fields": [["a", "1"], [{ "base64": "5A==" }, base64], ["a", "2"]] }),
        ),
        (&[b"D", b"1", b"dd", b"2"], json!({ "D": "1", "dd": "2" })),
    ];
    let mut raw = store.pull("x", "last_entry_id=0&format=raw");
    let mut lines = store.pull("x", "last_entry_id=0&format=json");
    for (fields, expected) in entries {
        xadd(&store, b"x", fields);
        let bytes = store.get("/data/x").expect(200).body;
        assert_eq!(serde_json::from_slice::<Value>(&bytes).expect("JSON"), expected);
        assert_eq!(receive_binary(&mut raw), bytes);
        let line: Value = serde_json::from_str(&receive_text(&mut lines)).expect("a line");
        assert_eq!((&line["data"], &line["size"]), (&expected, &json!(bytes.len())));
    }
}

#[test]
fn fields_keep_their_order() {
    let store = Store::start();
    xadd(&store, b"x", &[b"z", b"1", b"a", b"2", b"m", b"3"]);
    assert_eq!(store.get("/data/x").expect(200).text(), r#"{"z":"1","a":"2","m":"3"}"#);
}

#[test]
fn an_entry_with_a_field_d_is_that_field_whatever_else_is_there() {
    let store = Store::start();
    xadd(&store, b"x", &[b"\xff", b"1", b"d", b"\xfe\xff", b"a", b"2"]);
    assert_eq!(store.get("/data/x").expect(200).body, b"\xfe\xff");
    let mut pull = store.pull("x", "last_entry_id=0");
    receive_json(&mut pull);
    assert_eq!(receive_binary(&mut pull), b"\xfe\xff");
}

#[test]
fn keys_that_no_request_could_name_are_left_out_of_the_lists_and_cost_nobody_else() {
    let store = Store::start();
    for key in [&b"\xff\xfe"[..], b"a/b", b"a\nb", &[b'x'; 257], "good ☕".as_bytes()] {
        xadd(&store, key, &[b"d", b"x"]);
    }
    let _: () = redis::cmd("SET")
        .arg(b"XMETA:\xff")
        .arg("{}")
        .query(&mut store.redis.connection())
        .expect("SET");
    assert_eq!(store.get("/streams/").expect(200).json(), json!(["good ☕"]));
    let activity = store.get("/activity").expect(200).json();
    assert_eq!(activity["streams"].as_array().map(Vec::len), Some(1), "{activity}");
    // U+FFFD is a name of its own, and not the one that could not be told.
    assert_eq!(
        store.get("/streams/%EF%BF%BD%EF%BF%BD").expect(200).json()["info"],
        "no such key"
    );
    store.get("/streams/%FF%FE").expect(422);
}
