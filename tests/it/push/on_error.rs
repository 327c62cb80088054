//! docs/protocol.md, section 9, `on_error=report`: a refusal in place of the ids, and a socket that lives on.

use serde_json::{Value, json};

use crate::harness::wire::{close, closes_with, frame, length, limit_memory, ping, send_raw, stored, stored_data};
use crate::harness::{Manner, PATIENCE, Proxy, Redis, Socket, Store, eventually, receive_text, send_binary, send_text};

const REPORTED: &str = "batch=true&ack=true&on_error=report";

fn send(socket: &mut Socket, header: &str, blob: &[u8]) {
    send_text(socket, header);
    send_binary(socket, blob);
}

/// The refusal that comes next, one line of JSON.
#[track_caller]
fn refusal(socket: &mut Socket) -> Value {
    let text = receive_text(socket);
    assert!(text.starts_with("{\"error\":\"") && !text.contains('\n'), "{text}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_refused_id_is_reported_and_the_socket_lives_on() {
    let store = Store::start();
    let mut push = store.push("s", REPORTED);
    send(&mut push, r#"[["s","7-0",0]]"#, b"kept");
    assert_eq!(receive_text(&mut push), "7-0");
    send(&mut push, r#"[["s","8-0",0],["s","5-1",1]]"#, b"xy");
    let expected = json!({
        "error": "id 5-1 is not larger than 8-0, the newest of 's'", "code": 1007,
        "stream": "s", "id": "5-1", "newest": "8-0",
    });
    assert_eq!(refusal(&mut push), expected);
    send(&mut push, r#"[["s","7-0",0]]"#, b"x");
    assert_eq!(
        refusal(&mut push)["error"],
        "id 7-0 is not larger than 7-0, the newest of 's'"
    );
    send(&mut push, r#"[["s","7-1",0]]"#, b"after");
    assert_eq!(receive_text(&mut push), "7-1");
    assert_eq!(stored_data(&store.redis, "s"), [&b"kept"[..], b"after"]);
}

#[test]
fn a_refused_header_is_reported_once_its_blob_has_been_read_and_dropped() {
    let store = Store::start();
    let mut push = store.push("s", REPORTED);
    for header in [
        "",
        "0,x",
        "1",
        "0,5,3",
        "[",
        "[]",
        "[0,null]",
        r#"[["t",0]]"#,
        r#"[["s","0-0",0]]"#,
    ] {
        send_text(&mut push, header);
        // The refusal belongs to the batch, so it waits for all of it.
        assert_eq!(ping(&mut push), [], "{header}");
        send_binary(&mut push, b"dropped");
        let refused = refusal(&mut push);
        assert_eq!(refused["code"], 1007, "{header}: {refused}");
    }
    send(&mut push, "0,9", b"short");
    assert_eq!(
        refusal(&mut push)["error"],
        "offset 9 is past the end of the blob of 5 bytes"
    );
    send(&mut push, "0", b"kept");
    receive_text(&mut push);
    assert_eq!(stored_data(&store.redis, "s"), [b"kept"]);
}

#[test]
fn refusals_come_in_the_order_of_the_acks() {
    let store = Store::start();
    let mut push = store.push("s", REPORTED);
    let rounds = 100;
    let mut bytes = Vec::new();
    for n in 1..=rounds {
        let headers = [
            "0".to_owned(),
            "0,x".to_owned(),
            format!(r#"[["s","9999999999999{n:03}-1",0]]"#),
            r#"[["s","1-1",0]]"#.to_owned(),
            "[0,99]".to_owned(),
        ];
        for header in headers {
            bytes.extend(frame(0x81, header.as_bytes()));
            bytes.extend(frame(0x82, n.to_string().as_bytes()));
        }
    }
    send_raw(&mut push, &bytes);
    let mut acked = Vec::new();
    for _ in 0..rounds {
        acked.push(receive_text(&mut push));
        refusal(&mut push);
        acked.push(receive_text(&mut push));
        assert_eq!(refusal(&mut push)["id"], "1-1");
        refusal(&mut push);
    }
    assert!(close(&mut push).is_empty());
    let found: Vec<String> = stored(&store.redis, "s").into_iter().map(|entry| entry.0).collect();
    assert_eq!(found, acked);
}

#[test]
fn a_key_that_is_no_stream_is_reported_in_every_mode() {
    let store = Store::start();
    let mut any = store.socket(&format!("/data/*/push?{REPORTED}"));
    let mut batches = store.push("s", REPORTED);
    let mut plain = store.push("s", "ack=true&on_error=report");
    let _: () = store.redis.command(&["SET", "s", "text"]);
    let expected = json!({ "error": "The key 's' in Redis is not a stream.", "code": 1011, "stream": "s" });
    send(&mut any, r#"[["other",0],["s",1]]"#, b"ab");
    assert_eq!(refusal(&mut any), expected);
    send(&mut batches, "0,1", b"ab");
    assert_eq!(refusal(&mut batches), expected);
    for entry in [b"a", b"b", b"c"] {
        send_binary(&mut plain, entry);
    }
    for _ in 0..3 {
        assert_eq!(refusal(&mut plain), expected);
    }
    assert_eq!(length(&store.redis, "other"), 0);
    let _: usize = store.redis.command(&["DEL", "s"]);
    send_binary(&mut plain, b"kept");
    receive_text(&mut plain);
    send(&mut batches, "0,1", b"cd");
    receive_text(&mut batches);
    send(&mut any, r#"[["other",0],["s",1]]"#, b"ef");
    receive_text(&mut any);
    assert_eq!(stored_data(&store.redis, "s"), [&b"kept"[..], b"c", b"d", b"f"]);
}

#[test]
fn what_is_pipelined_behind_a_key_that_was_no_stream_is_answered_one_by_one() {
    let store = Store::start();
    let mut push = store.push("s", "ack=true&on_error=report");
    let _: () = store.redis.command(&["SET", "s", "text"]);
    let entries: Vec<u8> = (0..500)
        .flat_map(|n: u32| frame(0x82, n.to_string().as_bytes()))
        .collect();
    send_raw(&mut push, &entries);
    for _ in 0..500 {
        assert_eq!(refusal(&mut push)["code"], 1011);
    }
    assert!(close(&mut push).is_empty());
}

#[test]
fn wrong_kinds_and_too_much_still_close() {
    let store = Store::with(&["--max-batch", "10", "--max-message", "1000"]);
    let mut push = store.push("s", REPORTED);
    send_binary(&mut push, b"no header");
    closes_with(&mut push, 1003);
    for header in ["0", "bad"] {
        let mut push = store.push("s", REPORTED);
        send_text(&mut push, header);
        send_text(&mut push, "no blob");
        closes_with(&mut push, 1003);
    }
    for header in [["0"; 11].join(","), format!("[{}]", ["0"; 11].join(","))] {
        let mut push = store.push("s", REPORTED);
        send_text(&mut push, &header);
        assert!(closes_with(&mut push, 1009).contains("--max-batch"));
    }
    let mut push = store.push("s", REPORTED);
    send_text(&mut push, "bad");
    send_raw(&mut push, &frame(0x82, &[b'x'; 1001]));
    assert!(closes_with(&mut push, 1009).contains("--max-message"));
    assert_eq!(length(&store.redis, "s"), 0);
}

#[test]
fn a_full_redis_still_closes_with_1013_and_no_batch_is_begun() {
    let store = Store::with(&["--max-len", "1000000"]);
    limit_memory(&store.redis, 8 << 20);
    let mut push = store.socket(&format!("/data/*/push?{REPORTED}"));
    let mut acked = 0;
    let closed = loop {
        send_raw(&mut push, &frame(0x81, br#"[["a",0],["b",100000]]"#));
        send_raw(&mut push, &frame(0x82, &vec![1; 200_000]));
        match push.read().expect("an ack or a close") {
            tungstenite::Message::Text(_) => acked += 1,
            tungstenite::Message::Close(Some(frame)) => break u16::from(frame.code),
            _ => {}
        }
        assert!(acked < 1000, "more acks than there is memory");
    };
    assert_eq!(closed, 1013);
    assert!(acked > 0, "not even one batch fits");
    assert_eq!((length(&store.redis, "a"), length(&store.redis, "b")), (acked, acked));
}

#[test]
fn a_lost_redis_still_closes_with_1013() {
    let redis = Redis::start();
    let proxy = Proxy::to(&redis);
    let store = Store::through(&proxy, &redis, &["--redis-patience", "500ms"]);
    let mut push = store.socket(&format!("/data/*/push?{REPORTED}"));
    proxy.set(Manner::Hold);
    send(&mut push, "bad", b"x");
    assert_eq!(refusal(&mut push)["code"], 1007);
    send(&mut push, r#"[["a","1-1",0],["b","1-1",1]]"#, b"xy");
    closes_with(&mut push, 1013);
    proxy.set(Manner::Pass);
}

#[test]
fn without_on_error_a_refusal_closes_as_ever() {
    let store = Store::start();
    for query in [
        "batch=true&ack=true",
        "batch=true&ack=true&on_error=close",
        "batch=true",
    ] {
        let mut push = store.push("s", query);
        send_raw(&mut push, &[frame(0x81, b"0,x"), frame(0x82, b"xy")].concat());
        closes_with(&mut push, 1007);
    }
}

#[test]
fn on_error_is_checked_before_the_upgrade() {
    let store = Store::start();
    let token = ("Authorization", &*store.bearer());
    for (query, kind) in [
        ("ack=true&on_error=ignore", "type_error.enum"),
        ("ack=true&on_error=", "type_error.enum"),
        ("on_error=report", "value_error.on_error"),
        ("ack=false&on_error=report", "value_error.on_error"),
    ] {
        let answer = store
            .socket_answer(&format!("/data/s/push?{query}"), &[token])
            .expect(422);
        assert_eq!(answer.faults(), [("on_error".to_owned(), kind.to_owned())], "{query}");
    }
    let answer = store
        .socket_answer("/data/s/push?on_error=x", &[token])
        .expect(422)
        .json();
    let message = "value is not a valid enumeration member; permitted: 'close', 'report'";
    assert_eq!(answer["detail"][0]["msg"], message);
}

#[test]
fn thousands_of_refusals_are_told_and_keep_no_memory() {
    let store = Store::start();
    let mut push = store.push("s", REPORTED);
    let batch = [frame(0x81, b"x"), frame(0x82, b"y")].concat();
    send_raw(&mut push, &batch.repeat(5000));
    for _ in 0..5000 {
        assert_eq!(refusal(&mut push)["code"], 1007);
    }
    send(&mut push, "0", b"kept");
    receive_text(&mut push);
    eventually(PATIENCE, || store.metric("ptg_message_bytes") == 0.0);
}
