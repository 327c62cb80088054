//! docs/pages.md: pages of the origins that `--allow-origin` names may use the store (<https://fetch.spec.whatwg.org/#http-cors-protocol>).

use std::collections::BTreeSet;

use crate::harness::{Answer, Followed, Store, send};

const LAB: &str = "http://lab.example:8000";

/// The same origin, as somebody may write it.
const FLAG: [&str; 2] = ["--allow-origin", "HTTP://Lab.example:8000"];

/// One reply of every kind that there is, to a page of this origin, with the status that it must have.
fn answers(store: &Store, origin: &str) -> Vec<Answer> {
    store.add("one", &[b"entry"]);
    let (line, bearer) = (format!("Origin: {origin}"), store.bearer());
    let raw = |method: &str, path: &str, more: &[&str]| {
        store.exchange(store.head(method, path, &[&[line.as_str()], more].concat()))
    };
    let open = |path: &str, more: &[&str]| store.follow(path, &[&[line.as_str()], more].concat()).head;
    let page = ("Origin", origin);
    let other_version = [page, ("Authorization", &bearer), ("Sec-WebSocket-Version", "8")];
    vec![
        raw("GET", "/ping", &[]).expect(200),
        raw("GET", "/streams/", &[]).expect(200),
        raw("GET", "/data/one", &[]).expect(200),
        raw("GET", "/data/one?format=json", &[]).expect(200),
        raw("GET", "/nope", &[]).expect(404),
        raw("PUT", "/ping", &["Content-Length: 0"]).expect(405),
        raw("GET", "/data/one?count=0", &[]).expect(422),
        raw("GET", "/streams/none?report_error=1", &[]).expect(400),
        raw("OPTIONS", "/streams/", &[]).expect(200),
        raw("POST", "/data/one", &[]).expect(411),
        raw("POST", "/data/one", &["Content-Length: 999999999999"]).expect(413),
        store.ask("GET", "/streams/", &[page], None).expect(401),
        store.socket_answer("/data/one/push", &[page]).expect(401),
        store.socket_answer("/data/one/push", &other_version).expect(426),
        store
            .socket_answer("/data/one/pull?count=x", &[page, ("Authorization", &bearer)])
            .expect(422),
        open("/data/one?follow=true", &[]),
        open("/data/one?follow=true&format=json", &[]),
        open("/data/one", &["Accept: text/event-stream"]),
        open("/mjpeg/one", &[]),
    ]
}

#[test]
fn every_reply_to_a_page_of_an_allowed_origin_names_it() {
    let store = Store::with(&[&FLAG[..], &["--allow-origin", "null"]].concat());
    for origin in [LAB, "null"] {
        for answer in answers(&store, origin) {
            assert_eq!(answer.header("access-control-allow-origin"), Some(origin), "{answer:?}");
            let exposed = answer.header("access-control-expose-headers").unwrap_or_default();
            assert!(words(exposed).contains("entry-offset"), "{answer:?}");
            // Whoever keeps replies must not give this one to a page of another origin.
            assert_eq!(answer.header("vary"), Some("Origin"), "{answer:?}");
            assert_eq!(answer.header("access-control-allow-credentials"), None, "{answer:?}");
        }
    }
}

#[test]
fn with_an_asterisk_every_origin_is_allowed_and_named() {
    let store = Store::with(&["--allow-origin", "*"]);
    for origin in [LAB, "https://other.example", "null", "moz-extension://0b1c"] {
        for answer in answers(&store, origin) {
            assert_eq!(answer.header("access-control-allow-origin"), Some(origin), "{answer:?}");
        }
    }
    // What is no origin cannot be named, and nothing of it comes back in a header.
    for odd in ["x y", "http://a/b", "http://a\tb", "", "http://a, http://b"] {
        let answer = store
            .exchange(store.head("GET", "/ping", &[&format!("Origin: {odd}")]))
            .expect(200);
        assert_eq!(answer.header("access-control-allow-origin"), None, "{odd:?}");
    }
}

#[test]
fn without_the_flag_and_without_a_page_no_reply_has_cors_headers() {
    for flags in [&[][..], &FLAG] {
        let store = Store::with(flags);
        for path in ["/ping", "/data/s", "/nope", "/data/s?count=x"] {
            let answer = store.get(path);
            let named: Vec<_> = answer
                .headers
                .iter()
                .filter(|(name, _)| name.starts_with("access-control"))
                .collect();
            assert!(named.is_empty(), "{path}: {named:?}");
        }
    }
}

#[test]
fn origins_beside_the_allowed_one_stay_refused() {
    let store = Store::with(&FLAG);
    for origin in [
        "http://lab.example",
        "https://lab.example:8000",
        "http://lab.example:80",
        "http://x.lab.example:8000",
        "http://evil-lab.example:8000",
        "http://lab.example:8000.evil.example",
        "null",
    ] {
        let answer = store
            .exchange(store.head("GET", "/ping", &[&format!("Origin: {origin}")]))
            .expect(403);
        assert_eq!(answer.header("access-control-allow-origin"), None, "{origin}");
        store
            .socket_answer(
                "/data/s/pull",
                &[("Origin", origin), ("Authorization", &store.bearer())],
            )
            .expect(403);
    }
}

#[test]
fn a_preflight_needs_no_token_and_allows_the_paths_methods_and_what_pages_send() {
    let store = Store::with(&FLAG);
    for (path, methods) in [
        ("/streams/one", &["DELETE", "GET", "HEAD", "PUT"][..]),
        ("/data/one", &["GET", "HEAD", "POST"]),
        ("/token", &["POST"]),
    ] {
        let preflight = [
            ("Origin", LAB),
            ("Access-Control-Request-Method", methods[0]),
            (
                "Access-Control-Request-Headers",
                "authorization,cache-control,last-event-id",
            ),
        ];
        let answer = store.ask("OPTIONS", path, &preflight, None).expect(200);
        let allowed = words(answer.header("access-control-allow-methods").unwrap_or_default());
        for method in methods {
            assert!(
                allowed.contains(&method.to_ascii_lowercase()),
                "{method} of {path}: {answer:?}"
            );
        }
        let headers = words(answer.header("access-control-allow-headers").unwrap_or_default());
        // Never X-Forwarded-Host: by it a page could pass for one of the store's own behind a proxy.
        let expected = words("authorization, content-type, last-event-id, cache-control");
        assert_eq!(headers, expected, "{path}");
    }
    store.ask("OPTIONS", "/nope", &[("Origin", LAB)], None).expect(404);
    // Who is no page learns the methods.
    let answer = store.ask("OPTIONS", "/data/one", &[], None).expect(200);
    assert!(
        words(answer.header("allow").unwrap_or_default()).contains("post"),
        "{answer:?}"
    );
}

#[test]
fn a_cookie_alone_changes_nothing_and_opens_no_websocket_for_pages_of_an_allowed_origin() {
    let store = Store::with(&["--allow-origin", LAB, "--allow-origin", "*"]);
    store.add("s", &[b"entry"]);
    let (bearer, cookie) = (store.bearer(), format!("authorization=\"{}\"", store.bearer()));
    let page = [("Origin", LAB), ("Cookie", cookie.as_str())];
    for (method, path, body) in [
        ("PUT", "/streams/x", None),
        ("DELETE", "/streams/s", None),
        ("POST", "/data/s", Some(&b"entry"[..])),
    ] {
        let detail = store.ask(method, path, &page, body).expect(403).detail();
        assert!(detail.contains("cookie"), "{detail}");
    }
    for path in ["/data/s/push", "/data/s/pull"] {
        store.socket_answer(path, &page).expect(403);
        // With the token itself it is not the browser that vouches, but whoever has the token.
        store
            .socket_answer(path, &[("Origin", LAB), ("Authorization", &bearer)])
            .expect(101);
    }
    assert_eq!(store.redis.command::<usize>(&["XLEN", "s"]), 1);
}

#[test]
fn events_are_read_from_another_origin_with_a_token_in_the_query() {
    let store = Store::with(&FLAG);
    store.add("s", &[b"\"entry\""]);
    let request = format!(
        "GET /data/s?token={} HTTP/1.1\r\nHost: {}\r\nOrigin: {LAB}\r\nAccept: text/event-stream\r\n\r\n",
        store.token,
        store.addr()
    );
    let mut stream = store.raw();
    send(&mut stream, request);
    let mut events = Followed::begin(stream);
    assert_eq!(events.head.header("access-control-allow-origin"), Some(LAB));
    assert_eq!(events.line(), "retry: 1000");
}

fn words(list: &str) -> BTreeSet<String> {
    list.to_ascii_lowercase()
        .split(',')
        .map(|word| word.trim().to_owned())
        .collect()
}
