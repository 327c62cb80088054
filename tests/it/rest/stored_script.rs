//! What a client has stored is never a script of the store's own origin: it comes as what it is, and opened as a page it does nothing.
//! `tests/browser/test_entries.py` tries it in a browser.

use std::collections::BTreeSet;

use crate::harness::{Answer, Followed, Store, read_answer_to_head, send};

/// A picture that goes on as a page would, for a reader that believes in this boundary.
fn attack(boundary: &str) -> Vec<u8> {
    let page =
        format!("\r\n--{boundary}\r\nContent-Type: text/html\r\n\r\n<script>alert(1)</script>\r\n--{boundary}--\r\n");
    [&b"\xff\xd8\xff"[..], page.as_bytes()].concat()
}

fn boundary(pictures: &Followed) -> String {
    let kind = pictures.head.header("content-type").expect("a content type");
    kind.split_once("boundary=").expect("a boundary").1.to_owned()
}

#[test]
fn nobody_can_know_the_boundary_of_a_reply_of_pictures_beforehand() {
    let store = Store::start();
    let seen: BTreeSet<String> = (0..50).map(|_| boundary(&store.follow("/mjpeg/cam", &[]))).collect();
    assert_eq!(seen.len(), 50);
    // At least 64 bits of chance: no two share more than a few letters of what is not common to all.
    let common = seen
        .iter()
        .next()
        .expect("one")
        .chars()
        .zip(seen.iter().next_back().expect("one").chars());
    let common = common.take_while(|(a, b)| a == b).count();
    for one in &seen {
        assert!(one.len() - common >= 16 && one.len() <= 70, "{one}");
        let kept = one
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == '-');
        assert!(kept, "{one} needs quotes");
    }
}

#[test]
fn a_picture_that_holds_a_boundary_comes_whole_with_its_length() {
    let store = Store::start();
    let mut pictures = store.follow("/mjpeg/cam?last_entry_id=$", &[]);
    let boundary = boundary(&pictures);
    assert_eq!(pictures.line(), format!("--{boundary}\r"));
    // The last one is of another reply, as whoever watches as well would have it.
    let other = store.follow("/mjpeg/cam", &[]);
    for guess in ["ptg-store-frame", "ptg-store-", &self::boundary(&other)] {
        let entry = attack(guess);
        store.add("cam", &[&entry]);
        assert_eq!(pictures.line(), "Content-Type: image/jpeg\r");
        assert_eq!(pictures.line(), format!("Content-Length: {}\r", entry.len()));
        assert_eq!(pictures.line(), "\r");
        assert_eq!(pictures.bytes(entry.len()), entry);
        assert_eq!(
            (pictures.line(), pictures.line()),
            ("\r".into(), format!("--{boundary}\r"))
        );
    }
}

#[test]
fn every_reply_that_carries_entries_is_sandboxed_and_kept_by_nobody() {
    let store = Store::start();
    store.add("s", &[b"<script>alert(1)</script>"]);
    let head = |path: &str, lines: &[&str]| {
        let mut stream = store.raw();
        send(&mut stream, store.head("HEAD", path, lines));
        read_answer_to_head(&mut stream).expect(200)
    };
    let mut answers: Vec<(String, Answer)> = Vec::new();
    for path in [
        "/data/s",
        "/data/s?format=raw",
        "/data/s?format=json",
        "/data/s+t?count=9",
        "/v2/data/s",
        "/data/none",
        "/data/s?last_entry_id=$",
    ] {
        answers.push((path.into(), store.get(path).expect(200)));
        answers.push((format!("HEAD {path}"), head(path, &[])));
    }
    let events = "Accept: text/event-stream";
    for (path, lines) in [
        ("/data/s?follow=true", &[][..]),
        ("/data/s?follow=true&format=json", &[]),
        ("/v2/data/s?follow=true", &[]),
        ("/data/s", &[events]),
        ("/mjpeg/s", &[]),
        ("/v2/mjpeg/s", &[]),
    ] {
        answers.push((path.into(), store.follow(path, lines).head));
        answers.push((format!("HEAD {path}"), head(path, lines)));
    }
    for (what, answer) in answers {
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "sandbox; default-src 'none'"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{what}");
        }
        let kind = answer.header("content-type").unwrap_or_default();
        assert!(
            !kind.contains("html") && !kind.contains("xml") && !kind.contains("script"),
            "{what}: {kind}"
        );
    }
}

#[test]
fn no_reply_is_taken_for_what_its_content_type_does_not_say() {
    let store = Store::start();
    let script = "%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    store
        .put("/streams/s?desc=%3Cscript%3E&meta=%7B%22a%22%3A%22%3Cscript%3E%22%7D")
        .expect(200);
    let mut answers = Vec::new();
    for path in [
        "/",
        "/docs",
        "/docs/swagger-ui-bundle.js",
        "/docs/README.md",
        "/openapi.json",
        "/asyncapi.json",
        "/health",
        "/ping",
        "/metrics",
        "/redoc",
    ] {
        answers.push(store.get(path));
    }
    for path in [
        "/streams/",
        "/streams/s",
        "/activity",
        &format!("/{script}"),
        &format!("/streams/{script}?report_error=1"),
        &format!("/data/s?count={script}"),
    ] {
        let answer = store.get(path);
        // What clients said comes back in JSON only.
        answer.json();
        answers.push(answer);
    }
    answers.push(store.ask("GET", "/streams/", &[], None).expect(401));
    answers.push(store.put("/ping").expect(405));
    answers.push(store.exchange(store.head("POST", "/data/s", &[])).expect(411));
    answers.push(store.exchange("<script>alert(1)</script>\r\n\r\n").expect(400));
    answers.push(store.socket_answer("/data/s/push", &[]).expect(401));
    answers.push(
        store
            .exchange(store.head("GET", "/ping", &["Origin: http://<script>"]))
            .expect(403),
    );
    for answer in answers {
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{answer:?}");
    }
}
