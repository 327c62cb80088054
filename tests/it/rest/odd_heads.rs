//! What a request head must and may be: hosts, targets, line ends, expectations and codings (RFC 9110 and 9112).

use std::io::{Read, Write};
use std::net::Shutdown;

use crate::harness::{Replies, Store, expect_end, read_answer, send};

/// The statuses of all replies to these bytes, which end the connection.
fn statuses(store: &Store, bytes: &str) -> Vec<u16> {
    let mut stream = store.raw();
    // The store may have refused them before all of them are sent.
    let _ = stream.write_all(bytes.as_bytes());
    let _ = stream.shutdown(Shutdown::Write);
    let mut replies = Vec::new();
    stream.read_to_end(&mut replies).expect("an end");
    let replies = Replies::parse(&replies).unwrap_or_else(|error| panic!("{error} after {bytes:?}"));
    replies.statuses()
}

#[test]
fn a_request_of_http_1_1_has_one_valid_host() {
    let store = Store::with(&["--allow-host", "*"]);
    for bad in [
        "",
        "Host: a\r\nHost: b\r\n",
        "Host: a\r\nhost: a\r\n",
        "Host: a b\r\n",
        "Host: a, b\r\n",
        "Host: a/b\r\n",
        "Host: u@a\r\n",
        "Host: a:b\r\n",
        "Host: ::1\r\n",
        "Host: [x]\r\n",
        "Host: ä\r\n",
    ] {
        let mut stream = store.raw();
        send(&mut stream, format!("GET /health HTTP/1.1\r\n{bad}\r\n"));
        let detail = read_answer(&mut stream).expect(400).detail();
        assert!(detail.contains("Host"), "{bad:?}: {detail}");
        expect_end(&mut stream);
    }
    for good in [
        "Host: a",
        "hOsT:a:7890",
        "Host: 127.0.0.1:1",
        "Host: [::1]:7890",
        "Host: a_b.example.",
    ] {
        store
            .exchange(format!("GET /health HTTP/1.1\r\n{good}\r\n\r\n"))
            .expect(200);
    }
}

#[test]
fn http_1_0_needs_no_host_but_has_no_two() {
    let store = Store::with(&["--allow-host", "*"]);
    store.exchange("GET /health HTTP/1.0\r\n\r\n").expect(200);
    store.exchange("GET /health HTTP/1.0\r\nHost: a\r\n\r\n").expect(200);
    store
        .exchange("GET /health HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n")
        .expect(400);
}

#[test]
fn a_handshake_has_one_host_too() {
    let store = Store::start();
    let bearer = store.bearer();
    for host in [&[("Host", "")][..], &[("Host", "a"), ("host", "b")]] {
        let headers = [host, &[("Authorization", bearer.as_str())]].concat();
        store.socket_answer("/data/s/pull", &headers).expect(400);
    }
}

#[test]
fn a_target_may_be_a_url_in_any_letter_case_and_without_a_path() {
    let store = Store::start();
    for target in [
        "http://x/health",
        "HTTP://X:1/health",
        "https://x/health/",
        "http://x",
        "http://x?a=b",
        "http://[::1]/health",
    ] {
        store
            .exchange(format!("GET {target} HTTP/1.1\r\nHost: y\r\n\r\n"))
            .expect(200);
    }
    let listed = format!("GET http://x/streams?token={} HTTP/1.0\r\n\r\n", store.token);
    assert_eq!(store.exchange(listed).expect(200).json(), serde_json::json!([]));
    // The Host beside it does not count, but has to be sane.
    store.exchange("GET http://x/health HTTP/1.1\r\n\r\n").expect(400);
    store
        .exchange("GET http://x/health HTTP/1.1\r\nHost: a b\r\n\r\n")
        .expect(400);
}

#[test]
fn the_host_of_the_target_counts_and_not_that_of_the_header() {
    let store = Store::with(&["--allow-host", "*"]);
    // A cookie is taken for changes from pages of the store's own origin only.
    let put = |target: &str, host: &str| {
        let request = format!(
            "PUT {target} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://x\r\nCookie: authorization={}\r\nContent-Length: 0\r\n\r\n",
            store.bearer()
        );
        store.exchange(request).status
    };
    assert_eq!(put("http://x/streams/a", "y"), 200);
    assert_eq!(put("http://y/streams/b", "x"), 403);
}

#[test]
fn a_target_of_no_form_is_400() {
    let store = Store::start();
    for target in [
        "ping",
        "*",
        "ftp://x/",
        "http:///ping",
        "http://u@x/ping",
        "/ping#a",
        "/ping?a#b",
        "#",
        "/a b",
        "/ping\u{7f}",
    ] {
        assert_eq!(
            statuses(&store, &format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n")),
            [400],
            "{target}"
        );
    }
    assert_eq!(statuses(&store, "CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n"), [400]);
    // What browsers and curl leave in place where RFC 3986 does not allow it is no fault here.
    for target in ["/ping?meta={\"a\":[1|2]}", "/ping?x=^`<>\\", "/ping?ä"] {
        store
            .exchange(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n"))
            .expect(200);
    }
}

#[test]
fn options_of_the_whole_server_names_every_method() {
    let store = Store::start();
    for target in ["*", "http://x"] {
        let answer = store
            .exchange(format!("OPTIONS {target} HTTP/1.1\r\nHost: x\r\n\r\n"))
            .expect(200);
        let allow = answer.header("allow").expect("Allow");
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"] {
            assert_eq!(
                allow.split(", ").filter(|word| *word == method).count(),
                1,
                "{method} in {allow}"
            );
        }
    }
}

#[test]
fn lines_of_a_head_end_with_cr_lf_only() {
    let store = Store::start();
    let hidden = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    for head in [
        "GET /ping HTTP/1.1\nHost: x\r\n\r\n",
        "GET /ping HTTP/1.1\r\nHost: x\n\r\n",
        "GET /ping HTTP/1.1\r\nHost: x\r\n\n",
        "GET /ping HTTP/1.1\nHost: x\n\n",
        "\nGET /ping HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /ping HTTP/1.1\r\nHost: x\r\nA: b\nContent-Length: 5\r\n\r\n",
        "GET /ping HTTP/1.1\r\nHost: x\r\nA: b\rC: d\r\n\r\n",
        "GET /ping HTTP/1.1\r\rHost: x\r\n\r\n",
        "GET /ping HTTP/1.1\r\nHost: x\r\n\r\r\n",
    ] {
        assert_eq!(statuses(&store, &format!("{head}{hidden}")), [400], "{head:?}");
    }
    // Empty lines before a request are left behind by old clients (RFC 9112, 2.2).
    assert_eq!(statuses(&store, &format!("\r\n\r\n{hidden}\r\n{hidden}")), [200, 200]);
}

#[test]
fn http_1_0_expects_nothing_and_other_expectations_are_417() {
    let store = Store::start();
    let post = |version: &str, expect: &str| {
        let head = format!(
            "POST /data/one HTTP/{version}\r\nHost: x\r\nAuthorization: {}\r\nContent-Type: image/png\r\nContent-Length: 5\r\nExpect: {expect}\r\n\r\n",
            store.bearer()
        );
        let mut stream = store.raw();
        send(&mut stream, head);
        stream
    };
    for expect in ["100-continue", "something"] {
        let mut old = post("1.0", expect);
        send(&mut old, "entry");
        read_answer(&mut old).expect(200);
    }
    for expect in ["something", "100-continue, something", "100-continue;a=b"] {
        let mut refused = post("1.1", expect);
        read_answer(&mut refused).expect(417).detail();
        expect_end(&mut refused);
    }
    for expect in ["100-Continue", "", ",", "100-continue,"] {
        let mut served = post("1.1", expect);
        send(&mut served, "entry");
        let first = read_answer(&mut served);
        let last = if first.status == 100 {
            read_answer(&mut served)
        } else {
            first
        };
        last.expect(200);
    }
}

#[test]
fn close_among_the_words_of_connection_closes() {
    let store = Store::start();
    for (version, words) in [
        ("1.1", "keep-alive, Close"),
        ("1.0", "keep-alive, close"),
        ("1.0", "x"),
        ("1.1", "x,close"),
    ] {
        let mut stream = store.raw();
        send(
            &mut stream,
            format!("GET /health HTTP/{version}\r\nHost: x\r\nConnection: {words}\r\n\r\n"),
        );
        assert_eq!(
            read_answer(&mut stream).expect(200).header("connection"),
            Some("close"),
            "{words}"
        );
        expect_end(&mut stream);
    }
}

#[test]
fn gzip_is_sent_to_those_who_ask_for_it_and_to_nobody_else() {
    let store = Store::start();
    let get = |accept: &[&str]| {
        let headers: Vec<(&str, &str)> = accept.iter().map(|value| ("Accept-Encoding", *value)).collect();
        let answer = store.ask("GET", "/docs/swagger-ui.css", &headers, None).expect(200);
        assert_eq!(answer.header("vary"), Some("Accept-Encoding"), "{accept:?}");
        let is_gzip = answer.body.starts_with(&[0x1f, 0x8b]);
        assert_eq!(
            answer.header("content-encoding"),
            is_gzip.then_some("gzip"),
            "{accept:?}"
        );
        assert!(is_gzip || answer.text().contains(".swagger-ui"), "{accept:?}");
        is_gzip
    };
    for yes in [
        &["gzip"][..],
        &["gzip, deflate, br, zstd"],
        &["br", "GZIP;q=0.1"],
        &["*"],
    ] {
        assert!(get(yes), "{yes:?}");
    }
    for no in [
        &[][..],
        &["identity"],
        &["gzip;q=0"],
        &["*;q=0, identity"],
        &["br"],
        &["gzip;q=0", "*"],
    ] {
        assert!(!get(no), "{no:?}");
    }
}

#[test]
fn a_stale_cookie_does_not_shut_out_a_good_one() {
    let store = Store::start();
    // The more specific path comes first (RFC 6265, 5.4), and need not be the newer one.
    let good = format!("authorization=\"{}\"", store.bearer());
    for cookies in [
        format!("authorization=\"Bearer a.b.c\"; {good}"),
        format!("{good}; authorization=x"),
    ] {
        store.ask("GET", "/streams/", &[("Cookie", &cookies)], None).expect(200);
        store.socket_answer("/data/s/pull", &[("Cookie", &cookies)]).expect(101);
    }
    let stale = [("Cookie", "authorization=Bearer a.b.c; authorization=Bearer d.e.f")];
    store.ask("GET", "/streams/", &stale, None).expect(401);
}
