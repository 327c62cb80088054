//! How long a body is, and what has no length that can be believed (docs/protocol.md, section 2).

use crate::harness::{Store, expect_end, read_answer, send};

const KIND: &str = "Content-Type: image/png";
const CHUNKED: &str = "Transfer-Encoding: chunked";

#[test]
fn a_chunked_body_is_one_body() {
    let store = Store::start();
    let mut stream = store.raw();
    let bodies = [
        ("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world"),
        ("0\r\n\r\n", ""),
        (
            "b;name=value\r\nhello world\r\n0\r\nX-Trailer: yes\r\n\r\n",
            "hello world",
        ),
        ("00B\r\nhello world\r\n0;last\r\n\r\n", "hello world"),
        (
            "A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n",
            "01234567890123456789",
        ),
    ];
    for (sent, stored) in bodies {
        send(
            &mut stream,
            store.head("POST", "/data/one", &[KIND, "transfer-encoding: Chunked"]),
        );
        send(&mut stream, sent);
        read_answer(&mut stream).expect(200);
        send(&mut stream, store.head("GET", "/data/one", &[]));
        assert_eq!(read_answer(&mut stream).expect(200).text(), stored);
    }
}

#[test]
fn a_chunked_body_may_arrive_in_pieces_of_any_size() {
    let store = Store::start();
    let mut stream = store.raw();
    send(&mut stream, store.head("POST", "/data/one", &[KIND, CHUNKED]));
    for byte in b"5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nT: x\r\n\r\n" {
        send(&mut stream, [*byte]);
    }
    read_answer(&mut stream).expect(200);
    assert_eq!(store.get("/data/one").expect(200).body, b"hello!");
}

#[test]
fn a_form_may_be_chunked_too() {
    let store = Store::start();
    let lines = ["Content-Type: application/x-www-form-urlencoded", CHUNKED];
    let body = "d\r\nusername=test\r\ne\r\n&password=test\r\n0\r\n\r\n";
    store.exchange(store.head("POST", "/token", &lines) + body).expect(200);
}

#[test]
fn chunks_that_do_not_parse_are_400_and_closed_and_nothing_is_stored() {
    let store = Store::start();
    let bodies = [
        "x\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "5\r\nhelloworld\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
    ];
    for body in bodies {
        let mut stream = store.raw();
        send(&mut stream, store.head("POST", "/data/one", &[KIND, CHUNKED]) + body);
        let answer = read_answer(&mut stream);
        assert_eq!(answer.status, 400, "{body:?}: {answer:?}");
        expect_end(&mut stream);
    }
    assert_nothing_stored(&store);
}

#[test]
fn a_chunked_body_over_the_limit_is_413_before_it_ends() {
    let store = Store::with(&["--max-body", "1KiB"]);
    let one_chunk = format!("401\r\n{}", "x".repeat(0x401));
    let many_chunks = "10\r\n0123456789abcdef\r\n".repeat(65);
    let only_announced = "7fffffff\r\n".to_owned();
    for body in [one_chunk, many_chunks, only_announced] {
        let mut stream = store.raw();
        send(&mut stream, store.head("POST", "/data/one", &[KIND, CHUNKED]) + &body);
        read_answer(&mut stream).expect(413);
        expect_end(&mut stream);
    }
    assert_nothing_stored(&store);
    let just_fits = format!("400\r\n{}\r\n0\r\n\r\n", "x".repeat(0x400));
    store
        .exchange(store.head("POST", "/data/one", &[KIND, CHUNKED]) + &just_fits)
        .expect(200);
}

#[test]
fn endless_chunk_extensions_and_trailers_are_refused() {
    let store = Store::start();
    let extension = format!("5;{}", "x".repeat(100_000));
    let trailers = format!("0\r\n{}", "X: y\r\n".repeat(20_000));
    for body in [extension, trailers] {
        let mut stream = store.raw();
        send(&mut stream, store.head("POST", "/data/one", &[KIND, CHUNKED]));
        // The store may refuse before all of it is sent.
        let _ = std::io::Write::write_all(&mut stream, body.as_bytes());
        let answer = read_answer(&mut stream);
        assert!([400, 413, 431].contains(&answer.status), "{answer:?}");
        expect_end(&mut stream);
    }
    assert_nothing_stored(&store);
}

#[test]
fn a_post_without_a_length_is_411_and_closed() {
    let store = Store::start();
    for path in ["/data/one", "/token"] {
        let mut stream = store.raw();
        send(&mut stream, store.head("POST", path, &[KIND]));
        read_answer(&mut stream).expect(411).detail();
        expect_end(&mut stream);
    }
}

#[test]
fn lengths_that_cannot_be_believed_are_400_and_closed() {
    let store = Store::start();
    let lines: &[&[&str]] = &[
        &["Content-Length: -1"],
        &["Content-Length: NaN"],
        &["Content-Length: 5x"],
        &["Content-Length: +5"],
        &["Content-Length: 0x5"],
        &["Content-Length: 5 5"],
        &["Content-Length: 5, 5"],
        &["Content-Length:"],
        &["Content-Length: 5", "Content-Length: 5"],
        &["Content-Length: 5", "Content-Length: 6"],
        &["Content-Length: 5", CHUNKED],
        &[CHUNKED, "Content-Length: 5"],
        &["Transfer-Encoding: gzip"],
        &["Transfer-Encoding: xchunked"],
        &["Transfer-Encoding: chunked, identity"],
        &["Transfer-Encoding: gzip, chunked"],
        &["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
        &["Transfer-Encoding:"],
    ];
    for lines in lines {
        let mut with_kind = vec![KIND];
        with_kind.extend_from_slice(lines);
        let mut stream = store.raw();
        send(&mut stream, store.head("POST", "/data/one", &with_kind) + "hello");
        let answer = read_answer(&mut stream);
        assert_eq!(answer.status, 400, "{lines:?}: {answer:?}");
        expect_end(&mut stream);
    }
    assert_nothing_stored(&store);
}

#[test]
fn a_length_over_the_limit_is_413_naming_the_limit() {
    let store = Store::start();
    for length in ["67108865", "1000000000000000", "18446744073709551615"] {
        let mut stream = store.raw();
        send(
            &mut stream,
            store.head("POST", "/data/one", &[KIND, &format!("Content-Length: {length}")]),
        );
        let detail = read_answer(&mut stream).expect(413).detail();
        assert!(detail.contains("64") || detail.contains("67108864"), "{detail}");
        expect_end(&mut stream);
    }
    // More than any integer holds: too large or not a length, but refused.
    let answer = store.exchange(store.head(
        "POST",
        "/data/one",
        &[KIND, &format!("Content-Length: {}", "9".repeat(40))],
    ));
    assert!([400, 413].contains(&answer.status), "{answer:?}");
    store.assert_serves();
}

#[test]
fn a_body_that_ends_too_early_is_not_stored() {
    let store = Store::start();
    let requests = [
        store.head("POST", "/data/one", &[KIND, "Content-Length: 10"]) + "hello",
        store.head("POST", "/data/one", &[KIND, CHUNKED]) + "5\r\nhello\r\n",
        store.head("POST", "/data/one", &[KIND, CHUNKED]) + "a\r\nhello",
    ];
    for request in requests {
        let mut stream = store.raw();
        send(&mut stream, request);
        stream.shutdown(std::net::Shutdown::Write).expect("to end the body");
        let mut reply = Vec::new();
        // A reply is not promised to one who left, an end is.
        let _ = std::io::Read::read_to_end(&mut stream, &mut reply);
        assert!(!reply.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&reply));
    }
    assert_nothing_stored(&store);
}

fn assert_nothing_stored(store: &Store) {
    let keys: usize = store.redis.command(&["DBSIZE"]);
    assert_eq!(keys, 0);
    store.assert_serves();
}
