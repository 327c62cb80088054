//! docs/protocol.md, section 7, before the upgrade: who may, what is refused, and all of it as plain HTTP.

use std::io::Write;

use tungstenite::WebSocket;
use tungstenite::protocol::Role;

use crate::harness::wire::{add, numbers};
use crate::harness::{Store, read_answer, receive_reply};

/// Either kind of socket on the stream `s`.
const PATHS: [&str; 2] = ["/data/s/push", "/data/s/pull"];

/// Answers to the handshake of `socket_answer`, from RFC 6455 section 1.3.
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

#[test]
fn a_token_may_come_by_header_query_or_cookie() {
    let store = Store::start();
    let token = &store.token;
    let headers = [
        ("Authorization", format!("Bearer {token}")),
        ("Authorization", format!("bearer {token}")),
        ("Authorization", format!("BEARER {token}")),
        ("Cookie", format!("authorization=Bearer {token}")),
        ("Cookie", format!("authorization=\"Bearer {token}\"")),
        ("Cookie", format!("a=b; authorization=\"Bearer {token}\"; c=d")),
    ];
    for path in PATHS {
        for (name, value) in &headers {
            let answer = store.socket_answer(path, &[(name, value)]).expect(101);
            assert_eq!(answer.header("sec-websocket-accept"), Some(ACCEPT));
        }
        let by_query = format!("{path}?token={token}");
        store.socket_answer(&by_query, &[]).expect(101);
    }
}

#[test]
fn unknown_parameters_and_a_trailing_slash_change_nothing() {
    let store = Store::start();
    let bearer = store.bearer();
    for path in [
        "/data/s/push/",
        "/data/s/pull/",
        "/data/s/push?colour=red&batch=YES&ack=t",
        "/data/s/pull/?x",
    ] {
        store.socket_answer(path, &[("Authorization", &bearer)]).expect(101);
    }
}

#[test]
fn a_bad_handshake_is_400() {
    let store = Store::start();
    let bearer = store.bearer();
    let key = "dGhlIHNhbXBsZSBub25jZQ==";
    let bad: [&[(&str, &str)]; 10] = [
        &[("Sec-WebSocket-Key", key), ("sec-websocket-key", key)],
        &[("Sec-WebSocket-Key", "")],
        &[("Sec-WebSocket-Key", "short")],
        &[("Sec-WebSocket-Key", "not base64 at all!!!!!!!")],
        &[("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==x")],
        &[("Connection", "")],
        &[("Connection", "keep-alive")],
        &[("Upgrade", "")],
        &[("Upgrade", "h2c")],
        &[
            ("Connection", ""),
            ("Upgrade", ""),
            ("Sec-WebSocket-Key", ""),
            ("Sec-WebSocket-Version", ""),
        ],
    ];
    for path in PATHS {
        for case in bad {
            let headers = [case, &[("Authorization", bearer.as_str())]].concat();
            let answer = store.socket_answer(path, &headers);
            assert_eq!(answer.status, 400, "{path} {case:?}");
            assert!(!answer.detail().is_empty(), "{path} {case:?}");
        }
    }
    store.assert_serves();
}

#[test]
fn a_key_is_any_22_letters_of_base64_and_its_padding() {
    let store = Store::start();
    let bearer = store.bearer();
    for path in PATHS {
        // The second has bits behind those of 16 bytes, as small clients make them.
        for (key, accept) in [
            ("dGhlIHNhbXBsZSBub25jZQ==", ACCEPT),
            ("dGhlIHNhbXBsZSBub25jZR==", "Zgw8jYXtqX5qJr7MJ1Q/MqzeSRI="),
        ] {
            let headers = [("Sec-WebSocket-Key", key), ("Authorization", &bearer)];
            let answer = store.socket_answer(path, &headers).expect(101);
            assert_eq!(answer.header("sec-websocket-accept"), Some(accept), "{key}");
        }
    }
}

#[test]
fn another_websocket_version_is_426_and_names_13() {
    let store = Store::start();
    let bearer = store.bearer();
    for path in PATHS {
        for version in ["8", "0", "12", "14", "130"] {
            let headers = [("Sec-WebSocket-Version", version), ("Authorization", &bearer)];
            let answer = store.socket_answer(path, &headers).expect(426);
            assert_eq!(answer.header("sec-websocket-version"), Some("13"));
            assert!(!answer.detail().is_empty());
        }
    }
}

#[test]
fn only_get_opens_a_socket() {
    let store = Store::start();
    for path in PATHS {
        for method in ["POST", "PUT", "DELETE"] {
            let body: Option<&[u8]> = (method != "DELETE").then_some(b"");
            let answer = store.ask(method, path, &[], body).expect(405);
            let allow = answer.header("allow").expect("Allow");
            assert!(allow.split(',').any(|word| word.trim() == "GET"), "{allow}");
        }
    }
}

#[test]
fn headers_as_browsers_and_proxies_write_them_are_understood() {
    let store = Store::with(&["--allow-origin", "http://elsewhere.example"]);
    let bearer = store.bearer();
    let cases: [&[(&str, &str)]; 4] = [
        &[("Connection", "keep-alive, Upgrade")],
        &[("connection", "upgrade"), ("UPGRADE", "WebSocket")],
        &[("Origin", "http://elsewhere.example")],
        &[("Sec-WebSocket-Protocol", "chat, superchat")],
    ];
    for case in cases {
        let headers = [case, &[("Authorization", bearer.as_str())]].concat();
        let answer = store.socket_answer("/data/s/pull", &headers).expect(101);
        assert_eq!(answer.header("sec-websocket-accept"), Some(ACCEPT));
        assert_eq!(answer.header("sec-websocket-protocol"), None, "{case:?}");
    }
}

#[test]
fn no_compression_is_negotiated_when_it_is_offered() {
    let store = Store::start();
    let bearer = store.bearer();
    for path in PATHS {
        let headers = [
            ("Authorization", bearer.as_str()),
            ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),
        ];
        let answer = store.socket_answer(path, &headers).expect(101);
        assert_eq!(answer.header("sec-websocket-extensions"), None);
    }
}

#[test]
fn a_handshake_may_come_byte_by_byte() {
    let store = Store::start();
    let mut stream = store.raw();
    let request = format!(
        "GET /data/s/push?token={} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        store.token
    );
    for byte in request.bytes() {
        stream.write_all(&[byte]).expect("to send a byte");
    }
    let answer = read_answer(&mut stream).expect(101);
    assert_eq!(answer.header("sec-websocket-accept"), Some(ACCEPT));
}

#[test]
fn a_handshake_after_other_requests_on_the_connection_works() {
    let store = Store::start();
    add(&store.redis, "s", &numbers(0..1));
    let mut stream = store.raw();
    stream
        .write_all(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
        .expect("to send a request");
    read_answer(&mut stream).expect(200);
    let request = format!(
        "GET /data/s/pull?last_entry_id=0&token={} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        store.token
    );
    stream.write_all(request.as_bytes()).expect("to send a handshake");
    read_answer(&mut stream).expect(101);
    let mut pull = WebSocket::from_raw_socket(stream, Role::Client, None);
    assert_eq!(receive_reply(&mut pull)[0].1, b"0");
}

#[test]
fn half_a_handshake_is_given_up_after_the_head_timeout() {
    let store = Store::with(&["--head-timeout", "500ms"]);
    let mut stream = store.raw();
    stream
        .write_all(b"GET /data/s/pull HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n")
        .expect("to send half a head");
    let answer = read_answer(&mut stream).expect(408);
    assert!(!answer.detail().is_empty());
    store.assert_serves();
}
