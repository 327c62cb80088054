//! Many requests on one connection, and what the head of a request decides alone (docs/protocol.md, section 2).

use crate::harness::{Store, expect_end, multipart, read_answer, send};

#[test]
fn keep_alive_serves_many_requests_on_one_connection() {
    let store = Store::start();
    let mut stream = store.raw();
    for round in 0..5 {
        let body = format!("entry {round}");
        let length = format!("Content-Length: {}", body.len());
        send(
            &mut stream,
            store.head("POST", "/data/one", &["Content-Type: text/plain", &length]),
        );
        send(&mut stream, &body);
        read_answer(&mut stream).expect(200);
        send(&mut stream, store.head("GET", "/data/one", &[]));
        assert_eq!(read_answer(&mut stream).expect(200).text(), body);
        // Refusals of requests without a body do not cost the connection.
        send(&mut stream, store.head("GET", "/nope", &[]));
        read_answer(&mut stream).expect(404);
        send(&mut stream, "GET /streams/ HTTP/1.1\r\nHost: x\r\n\r\n");
        read_answer(&mut stream).expect(401);
        send(&mut stream, store.head("GET", "/data/one?count=0", &[]));
        read_answer(&mut stream).expect(422);
    }
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let store = Store::start();
    let mut all = String::new();
    for number in 0..20 {
        let body = format!("entry {number}");
        let length = format!("Content-Length: {}", body.len());
        all += &store.head("POST", "/data/one", &["Content-Type: text/plain", &length]);
        all += &body;
        all += &store.head("GET", "/data/one", &[]);
    }
    let mut stream = store.raw();
    send(&mut stream, all);
    for number in 0..20 {
        read_answer(&mut stream).expect(200);
        assert_eq!(read_answer(&mut stream).expect(200).text(), format!("entry {number}"));
    }
}

#[test]
fn connection_close_is_honoured() {
    let store = Store::start();
    let mut stream = store.raw();
    send(&mut stream, store.head("GET", "/ping", &["Connection: close"]));
    read_answer(&mut stream).expect(200);
    expect_end(&mut stream);
}

#[test]
fn http_1_0_is_accepted_and_closed_after_the_reply() {
    let store = Store::start();
    store.add("one", &[b"entry"]);
    let mut stream = store.raw();
    send(
        &mut stream,
        format!("GET /data/one HTTP/1.0\r\nAuthorization: {}\r\n\r\n", store.bearer()),
    );
    let answer = read_answer(&mut stream).expect(200);
    assert_eq!(answer.body, b"entry");
    assert_eq!(answer.header("transfer-encoding"), None);
    expect_end(&mut stream);
}

#[test]
fn a_client_that_ends_its_side_after_the_request_still_gets_the_reply() {
    let store = Store::start();
    let requests = [
        store.head("GET", "/ping", &[]),
        store.head("POST", "/data/one", &["Content-Type: image/png", "Content-Length: 5"]) + "entry",
    ];
    for request in requests {
        let mut stream = store.raw();
        send(&mut stream, request);
        stream.shutdown(std::net::Shutdown::Write).expect("to end our side");
        read_answer(&mut stream).expect(200);
        expect_end(&mut stream);
    }
}

#[test]
fn a_head_may_arrive_in_pieces_of_any_size() {
    let store = Store::start();
    let mut stream = store.raw();
    for byte in store.head("GET", "/ping", &[]).as_bytes() {
        send(&mut stream, [*byte]);
    }
    read_answer(&mut stream).expect(200);
}

#[test]
fn header_names_have_any_letter_case() {
    let store = Store::start();
    let request = format!(
        "POST /data/one HTTP/1.1\r\nHost: x\r\nauthorization: {}\r\nCONTENT-LENGTH: 2\r\ncontent-TYPE: image/png\r\n\r\nhi",
        store.bearer()
    );
    store.exchange(request).expect(200);
    assert_eq!(store.get("/data/one").expect(200).body, b"hi");
}

#[test]
fn a_client_that_waits_for_100_continue_is_told_to() {
    let store = Store::start();
    let mut stream = store.raw();
    let lines = ["Content-Type: image/png", "Content-Length: 5", "Expect: 100-continue"];
    send(&mut stream, store.head("POST", "/data/one", &lines));
    assert_eq!(read_answer(&mut stream).status, 100);
    send(&mut stream, "entry");
    read_answer(&mut stream).expect(200);
    assert_eq!(store.get("/data/one").expect(200).body, b"entry");
}

#[test]
fn a_client_that_waits_for_100_continue_is_refused_by_its_head() {
    let store = Store::start();
    let expect = "Expect: 100-continue";
    let large = "Content-Length: 999999999";
    let refused = [
        (store.head("POST", "/data/one", &[large, expect]), 413),
        (store.head("POST", "/data/XMETA:x", &["Content-Length: 5", expect]), 422),
        (
            format!("POST /data/one HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n{expect}\r\n\r\n"),
            401,
        ),
    ];
    for (request, status) in refused {
        store.exchange(request).expect(status);
    }
}

#[test]
fn what_the_head_decides_is_answered_without_waiting_for_the_body() {
    let store = Store::start();
    let length = "Content-Length: 60000000";
    let kind = "Content-Type: image/png";
    let cases = [
        (store.head("POST", "/nope", &[length, kind]), 404),
        (store.head("PUT", "/data/one", &[length, kind]), 405),
        (format!("POST /data/one HTTP/1.1\r\nHost: x\r\n{length}\r\n\r\n"), 401),
        (
            format!("POST /data/one HTTP/1.1\r\nHost: x\r\n{length}\r\nAuthorization: Bearer x\r\n\r\n"),
            401,
        ),
        (store.head("POST", "/data/XMETA:x", &[length, kind]), 422),
        (store.head("POST", "/data/a%2Fb", &[length, kind]), 422),
        (store.head("PUT", "/streams/one?max_len=0", &[length]), 422),
        (
            store.head("POST", "/data/one", &["Content-Length: 67108865", kind]),
            413,
        ),
        (
            "POST /data/one HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
            401,
        ),
    ];
    for (request, status) in cases {
        let answer = store.exchange(&request);
        assert_eq!(answer.status, status, "{request}");
    }
}

#[test]
fn a_refusal_reaches_a_client_that_sends_its_whole_body_first() {
    let store = Store::start();
    let body = vec![b'x'; 4 << 20];
    let kind = ("Content-Type", "image/png");
    for _ in 0..5 {
        store.ask("POST", "/data/one", &[kind], Some(&body)).expect(401);
        store.ask("POST", "/nope", &[kind], Some(&body)).expect(404);
    }
}

#[test]
fn a_refused_body_is_not_read_as_the_next_request() {
    let store = Store::start();
    let smuggled = store.head("PUT", "/streams/smuggled", &[]);
    let length = format!("Content-Length: {}", smuggled.len());
    let mut stream = store.raw();
    send(
        &mut stream,
        format!("POST /data/one HTTP/1.1\r\nHost: x\r\n{length}\r\n\r\n{smuggled}"),
    );
    read_answer(&mut stream).expect(401);
    // Whether the store keeps the connection or closes it, the body is a body.
    let mut rest = Vec::new();
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let _ = std::io::Read::read_to_end(&mut stream, &mut rest);
    assert!(rest.is_empty(), "{:?}", String::from_utf8_lossy(&rest));
    assert_eq!(store.get("/streams/").expect(200).json(), serde_json::json!([]));
}

#[test]
fn a_body_where_none_is_needed_is_passed_over() {
    let store = Store::start();
    let mut stream = store.raw();
    for (method, path) in [
        ("GET", "/ping"),
        ("DELETE", "/streams/one?force=true"),
        ("OPTIONS", "/ping"),
    ] {
        send(&mut stream, store.head(method, path, &["Content-Length: 18"]));
        send(&mut stream, "GET /nope HTTP/1.1");
        let answer = read_answer(&mut stream);
        assert!([200, 204].contains(&answer.status), "{method} {path}: {answer:?}");
    }
}

#[test]
fn a_reply_larger_than_any_buffer_arrives_whole() {
    let store = Store::start();
    let entry: Vec<u8> = (0..10_000_000u32).map(|i| (i % 251) as u8).collect();
    let (kind, body) = multipart(&[("entries", &entry)]);
    store.post("/data/one", &kind, &body).expect(200);
    let mut stream = store.raw();
    for _ in 0..3 {
        send(&mut stream, store.head("GET", "/data/one", &[]));
        assert!(read_answer(&mut stream).expect(200).body == entry, "other bytes");
    }
}
