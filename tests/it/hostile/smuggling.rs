//! Requests that two readers could cut in two ways (RFC 9112, section 11.2): nothing hidden in a body is ever carried out.

use std::io::{Read, Write};
use std::net::Shutdown;

use serde_json::json;

use crate::harness::{Replies, Store};

const HIDDEN: &str = "PUT /streams/smuggled HTTP/1.1";

/// A POST with these lines of framing, its body, and the replies to all of it.
fn send_with(store: &Store, version: &str, framing: &str, body: &str) -> Replies {
    let bearer = store.bearer();
    let head = format!(
        "POST /data/one HTTP/{version}\r\nHost: x\r\nAuthorization: {bearer}\r\nContent-Type: a/b\r\n{framing}\r\n\r\n"
    );
    let mut stream = store.raw();
    // The store may have refused it before all of it is sent.
    let _ = stream.write_all((head + body).as_bytes());
    let _ = stream.shutdown(Shutdown::Write);
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("an end");
    Replies::parse(&bytes).unwrap_or_else(|error| panic!("{error} after {framing:?}"))
}

fn hidden(store: &Store) -> String {
    format!("{HIDDEN}\r\nHost: x\r\nAuthorization: {}\r\n\r\n", store.bearer())
}

#[track_caller]
fn assert_not_smuggled(store: &Store, what: &str) {
    let streams = store.get("/streams/").expect(200).json();
    let streams = streams.as_array().expect("a list");
    assert!(!streams.contains(&json!("smuggled")), "{what:?}");
}

#[test]
fn two_ways_to_frame_a_body_are_400_and_what_follows_is_not_read() {
    let store = Store::start();
    let request = hidden(&store);
    let whole = format!("0\r\n\r\n{request}");
    let length = format!("Content-Length: {}", whole.len());
    let coding = "Transfer-Encoding: chunked";
    let framings = [
        format!("{length}\r\n{coding}"),
        format!("{coding}\r\n{length}"),
        format!("{coding}\r\n{coding}"),
        format!("{length}\r\nContent-Length: 0"),
        format!("Content-Length: 0\r\n{length}"),
        format!("Content-Length: 0, {}", whole.len()),
        format!("Content-Length: 0\r\n {}", whole.len()),
        format!("{length}\r\nTransfer-Encoding: identity"),
        format!("{length}\r\nTransfer-Encoding: xchunked"),
        format!("{length}\r\nTransfer-Encoding: \"chunked\""),
        format!("{length}\r\nTransfer-Encoding: chunked;q=1"),
        format!("{length}\r\nTransfer-Encoding: chunked, chunked"),
        format!("{length}\r\nTransfer-Encoding:"),
        format!("{length}\r\nTransfer-Encoding:\tchunked"),
        format!("{length}\r\nTransfer-Encoding:\r\n chunked"),
        format!("{length}\r\nTransfer-Encoding: \x0bchunked"),
        format!("{length}\r\nTransfer-Encoding : chunked"),
        format!("{length}\r\n Transfer-Encoding: chunked"),
        format!("{length}\r\nTransfer-Encoding: chunked\0"),
        format!("{length}\r\nX: y\rTransfer-Encoding: chunked"),
        format!("{length}\r\ntRANSFER-eNCODING: CHUNKED"),
        "Transfer-Encoding: gzip, chunked".to_owned(),
        "Transfer-Encoding: chunked, gzip".to_owned(),
        "Content-Length : 5".to_owned(),
        "Content-Length: 0x5".to_owned(),
        "Content-Length: 1_0".to_owned(),
        "Content-Length: \u{0661}".to_owned(),
    ];
    for framing in framings {
        let replies = send_with(&store, "1.1", &framing, &whole);
        assert_eq!(replies.statuses(), [400], "{framing:?}: {replies:?}");
        assert_not_smuggled(&store, &framing);
    }
    let replies = send_with(&store, "1.0", coding, &whole);
    assert_eq!(replies.statuses(), [400], "chunked in HTTP/1.0: {replies:?}");
    assert_not_smuggled(&store, "chunked in HTTP/1.0");
    store.assert_serves();
}

#[test]
fn header_names_that_only_look_like_framing_are_no_framing() {
    let store = Store::start();
    let request = hidden(&store);
    let length = format!("Content-Length: {}", request.len());
    for alike in [
        "Transfer_Encoding: chunked",
        "X-Transfer-Encoding: chunked",
        "Content_Length: 0",
        "TE: chunked",
    ] {
        let replies = send_with(&store, "1.1", &format!("{alike}\r\n{length}"), &request);
        assert_eq!(replies.statuses(), [200], "{alike}: {replies:?}");
        assert_not_smuggled(&store, alike);
        assert_eq!(store.get("/data/one").expect(200).body, request.as_bytes());
    }
}

#[test]
fn chunks_whose_size_can_be_read_in_two_ways_are_400_and_what_follows_is_not_read() {
    let store = Store::start();
    let request = hidden(&store);
    let bodies = [
        format!("00000000000000000\r\nx{request}"),
        format!("10000000000000000\r\n\r\n{request}"),
        format!("0x0\r\n\r\n{request}"),
        format!("-0\r\n\r\n{request}"),
        format!(" 0\r\n\r\n{request}"),
        format!("0_0\r\n\r\n{request}"),
        format!("1\rx\r\n0\r\n\r\n{request}"),
        format!("1\r\nxx\r\n0\r\n\r\n{request}"),
        format!("1\r\nx\n0\r\n\r\n{request}"),
        format!("1\r\nx\r0\r\n\r\n{request}"),
        format!("1;\nx\r\n0\r\n\r\n{request}\r\n"),
        format!("1\nx\r\n0\r\n\r\n{request}"),
        format!("1;\rx\r\n0\r\n\r\n{request}"),
        format!("\r\n1\r\nx\r\n0\r\n\r\n{request}"),
    ];
    for body in bodies {
        let replies = send_with(&store, "1.1", "Transfer-Encoding: chunked", &body);
        assert_eq!(replies.statuses(), [400], "{body:?}: {replies:?}");
        assert_not_smuggled(&store, &body);
    }
}

#[test]
fn a_line_end_within_a_chunk_extension_is_400() {
    let store = Store::start();
    // One reader ends the size line at the bare LF, another at the CR LF.
    for extension in [";a\n", ";a\nb", ";a=\"\n\""] {
        let body = format!("1{extension}\r\nx\r\n0\r\n\r\n{}", hidden(&store));
        let replies = send_with(&store, "1.1", "Transfer-Encoding: chunked", &body);
        assert_eq!(replies.statuses(), [400], "{extension:?}: {replies:?}");
        assert_not_smuggled(&store, extension);
    }
}

#[test]
fn trailers_are_neither_headers_nor_framing() {
    let store = Store::start();
    for trailer in [
        "Content-Length: 50",
        "Transfer-Encoding: chunked",
        "Authorization: Bearer x",
        "Host: y",
    ] {
        let body = format!("1\r\nx\r\n0\r\n{trailer}\r\n\r\nGET /ping HTTP/1.1\r\nHost: x\r\n\r\n");
        let replies = send_with(&store, "1.1", "Transfer-Encoding: chunked", &body);
        assert_eq!(replies.statuses(), [200, 200], "{trailer}: {replies:?}");
        assert_eq!(replies.answers[1].text(), "true\n");
    }
}

#[test]
fn trailers_end_with_cr_lf_only() {
    let store = Store::start();
    let request = hidden(&store);
    // To one who ends a line at LF alone, each of these ends the body; to one who does not, the request is a trailer.
    for trailers in [
        "X: y\n\n",
        "X: y\n\r\n",
        "X: y\r\n\n",
        "\n",
        "X: y\r\r\n\r\n",
        "X: y\rZ: a\r\n\r\n",
        "X\r\n\r\n",
        " X: y\r\n\r\n",
        "X : y\r\n\r\n",
        ": y\r\n\r\n",
        "X: y\r\n folded\r\n\r\n",
    ] {
        let replies = send_with(
            &store,
            "1.1",
            "Transfer-Encoding: chunked",
            &format!("0\r\n{trailers}{request}"),
        );
        assert_eq!(replies.statuses(), [400], "{trailers:?}: {replies:?}");
        assert_not_smuggled(&store, trailers);
    }
}

#[test]
fn what_follows_a_body_that_is_longer_than_announced_is_the_next_request() {
    let store = Store::start();
    let replies = send_with(&store, "1.1", "Content-Length: 5", "hello world");
    assert_eq!(replies.statuses(), [200, 400], "{replies:?}");
    assert_eq!(store.get("/data/one").expect(200).body, b"hello");
    let replies = send_with(
        &store,
        "1.1",
        "Content-Length: 5",
        "helloGET /health HTTP/1.1\r\nHost: x\r\n\r\n",
    );
    assert_eq!(replies.statuses(), [200, 200], "{replies:?}");
}

#[test]
fn a_handshake_with_a_body_is_400_and_the_body_is_not_read_as_frames() {
    let store = Store::start();
    for framing in ["Content-Length: 7", "Transfer-Encoding: chunked"] {
        let lines = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
        let lines = [&lines[..], &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", framing]].concat();
        store.exchange(store.head("GET", "/data/one/push", &lines)).expect(400);
    }
    store.assert_serves();
}
