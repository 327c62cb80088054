//! What a careless or evil client may send: refused with the right status, and the store serves on.

use std::io::{Read, Write};
use std::net::Shutdown;

use crate::harness::{Store, expect_end, read_answer, send};

#[test]
fn what_is_not_http_is_400_and_closed() {
    let store = Store::start();
    let client_hello = [0x16, 3, 1, 0, 0xf1, 1, 0, 0, 0xed, 3, 3, 0, 1, 2, 3, 4];
    let garbage: &[&[u8]] = &[
        &client_hello,
        b"PING\r\n\r\n",
        b"*1\r\n$4\r\nPING\r\n",
        b"GET /ping\r\n\r\n",
        b"GET /ping HTTP/1.1 more\r\n\r\n",
        b"GET /pi\0ng HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /pi\x7fng HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /ping HTTP/1.1\r\nHost: x\r\nA: \0\r\n\r\n",
        b"GET /ping HTTP/1.1\r\nHost: x\r\nA B: c\r\n\r\n",
        b"GET /ping HTTP/1.1\r\nHost: x\r\nA : c\r\n\r\n",
        b"GET /ping HTTP/1.1\r\nHost: x\r\n: c\r\n\r\n",
        b"GET /ping HTTP/1.1\r\nHost: x\r\nnocolon\r\n\r\n",
        b"GET /ping HTTP/1.1\r\nHost: x\r\nA: b\r\n folded\r\n\r\n",
        b"G\xc3\x84T /ping HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\0\0\0\0\0\0\0\0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
    ];
    for bytes in garbage {
        let mut stream = store.raw();
        send(&mut stream, bytes);
        let answer = read_answer(&mut stream);
        assert_eq!(answer.status, 400, "{:?}: {answer:?}", String::from_utf8_lossy(bytes));
        answer.detail();
        expect_end(&mut stream);
    }
    store.assert_serves();
}

#[test]
fn another_http_version_is_505_and_closed() {
    let store = Store::start();
    for version in ["HTTP/2.0", "HTTP/3.0", "HTTP/1.2", "HTTP/0.9", "HTTP/9.9"] {
        let mut stream = store.raw();
        send(&mut stream, format!("GET /ping {version}\r\n\r\n"));
        let answer = read_answer(&mut stream);
        assert!([400, 505].contains(&answer.status), "{version}: {answer:?}");
        expect_end(&mut stream);
    }
    let mut stream = store.raw();
    send(&mut stream, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    read_answer(&mut stream).expect(505);
    store.exchange("GET / HTTP/2.0\r\n\r\n").expect(505);
    store.assert_serves();
}

#[test]
fn an_upgrade_to_http_2_is_passed_over_and_the_request_served() {
    let store = Store::start();
    let lines = [
        "Connection: Upgrade, HTTP2-Settings",
        "Upgrade: h2c",
        "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA",
    ];
    let answer = store.exchange(store.head("GET", "/ping", &lines)).expect(200);
    assert_eq!(answer.text(), "true\n");
}

#[test]
fn odd_targets_get_an_answer() {
    let store = Store::start();
    let host = store.addr();
    let requests = [
        "GET ping HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET * HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        format!("CONNECT {host} HTTP/1.1\r\nHost: x\r\n\r\n"),
        format!("GET http://{host}/ping HTTP/1.1\r\nHost: x\r\n\r\n"),
        "GET //ping HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET /streams/%zz HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET /streams/% HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET /ping?%zz=%&=&&& HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET /ping#fragment HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET /streams/ä HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
    ];
    for request in requests {
        let answer = store.exchange(&request);
        let harmless = (200..300).contains(&answer.status) || (400..500).contains(&answer.status);
        assert!(harmless, "{request}: {answer:?}");
        assert!(!answer.body.starts_with(b"root:"));
    }
    store.assert_serves();
}

#[test]
fn a_head_of_16_kib_is_served_and_one_byte_more_is_431() {
    let store = Store::start();
    let empty = store.head("GET", "/ping", &["Padding: "]).len();
    let padding = "x".repeat(16 * 1024 - empty);
    store
        .exchange(store.head("GET", "/ping", &[&format!("Padding: {padding}")]))
        .expect(200);
    let mut stream = store.raw();
    send(
        &mut stream,
        store.head("GET", "/ping", &[&format!("Padding: {padding}x")]),
    );
    let detail = read_answer(&mut stream).expect(431).detail();
    assert!(detail.contains("16"), "{detail}");
    expect_end(&mut stream);
}

#[test]
fn the_head_limit_is_a_flag() {
    let store = Store::with(&["--max-head", "1KiB"]);
    let line = format!("Padding: {}", "x".repeat(1024));
    store.exchange(store.head("GET", "/ping", &[&line])).expect(431);
    store.exchange(store.head("GET", "/ping", &[])).expect(200);
}

#[test]
fn an_endless_head_is_431_while_it_is_sent() {
    let store = Store::start();
    let endless = [
        "GET /ping HTTP/1.1\r\nHost: x\r\n".to_owned() + &"X: y\r\n".repeat(200_000),
        format!("GET /ping HTTP/1.1\r\nHost: x\r\nX: {}", "y".repeat(1 << 20)),
        format!("GET /{}", "y".repeat(1 << 20)),
        "y".repeat(1 << 20),
    ];
    for head in endless {
        let mut stream = store.raw();
        // It may be refused, and the connection closed, before all is sent.
        let _ = stream.write_all(head.as_bytes());
        let answer = read_answer(&mut stream);
        assert_eq!(answer.status, 431, "{}: {answer:?}", &head[..30]);
    }
    store.assert_serves();
}

#[test]
fn up_to_64_headers_are_served_and_65_are_431() {
    let store = Store::start();
    // The head has two of its own: Host and Authorization.
    let lines = vec!["X: y"; 62];
    store.exchange(store.head("GET", "/ping", &lines)).expect(200);
    let lines = vec!["X: y"; 63];
    let mut stream = store.raw();
    send(&mut stream, store.head("GET", "/ping", &lines));
    let detail = read_answer(&mut stream).expect(431).detail();
    assert!(detail.contains("64"), "{detail}");
    expect_end(&mut stream);
}

#[test]
fn ten_thousand_headers_are_431_however_large_a_head_may_be() {
    let store = Store::with(&["--max-head", "10MiB"]);
    let lines: Vec<String> = (0..10_000).map(|number| format!("X-{number}: y")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let mut stream = store.raw();
    // It may be refused, and the connection closed, before all is sent.
    let _ = stream.write_all(store.head("GET", "/ping", &lines).as_bytes());
    let detail = read_answer(&mut stream).expect(431).detail();
    assert!(detail.contains("64"), "{detail}");
    store.assert_serves();
}

#[test]
fn random_and_damaged_requests_get_an_answer_or_an_end() {
    let store = Store::with(&["--max-body", "1MiB"]);
    let whole = store.head(
        "POST",
        "/data/x?a=b",
        &["Content-Type: multipart/form-data; boundary=b", "Content-Length: 70"],
    ) + "--b\r\nContent-Disposition: form-data; name=\"entries\"\r\n\r\nhello\r\n--b--\r\n\r\n";
    // A fixed sequence, so that a failure comes again.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).expect("a small number")
    };
    for round in 0..300 {
        let mut bytes = whole.clone().into_bytes();
        if round % 3 == 0 {
            bytes.iter_mut().for_each(|byte| *byte = random(256) as u8);
        }
        for _ in 0..random(4) {
            let place = random(bytes.len());
            bytes[place] = random(256) as u8;
        }
        bytes.truncate(random(bytes.len()) + 1);
        let mut stream = store.raw();
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(Shutdown::Write);
        let mut reply = Vec::new();
        if let Err(error) = stream.read_to_end(&mut reply) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "round {round}");
        }
    }
    store.assert_serves();
}
