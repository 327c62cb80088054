//! docs/pulling.md, replies that stay open: what `follow=true` sends, how it is framed and how it ends.

use std::io::{Read, Write};
use std::net::Shutdown;

use crate::harness::wire::{OPEN_FOLLOWERS, add, numbers};
use crate::harness::{Answer, End, Followed, PATIENCE, Store, eventually, read_answer, read_answer_to_head, send};

/// What a path and these header lines are answered with, at once and whole.
#[track_caller]
fn answer(store: &Store, path: &str, lines: &[&str]) -> Answer {
    store.exchange(store.head("GET", path, lines))
}

#[test]
fn entries_follow_as_they_come_raw_unless_told_otherwise() {
    let store = Store::start();
    for (stream, query) in [
        ("a", "follow=true"),
        ("b", "follow=1&format=raw"),
        ("c", "follow=yes&last_entry_id=$&count=10"),
    ] {
        let mut follow = store.follow(&format!("/data/{stream}?{query}"), &[]);
        assert_eq!(follow.head.header("content-type"), Some("application/octet-stream"));
        for entry in [&b"one"[..], b"\xff\xd8\0\r\n", &[7; 100_000], b"last"] {
            store.add(stream, &[b"", entry]);
            assert!(follow.bytes(entry.len()) == entry, "{query}");
        }
    }
}

#[test]
fn lines_of_json_follow_as_they_come() {
    let store = Store::start();
    let mut follow = store.follow("/data/s?follow=true&format=json", &[]);
    assert_eq!(follow.head.header("content-type"), Some("application/x-ndjson"));
    for n in 0..20 {
        let ids = store.add("s", &[n.to_string().as_bytes()]);
        let line = follow.json();
        assert_eq!((&line["data"], &line["id"]), (&n.into(), &ids[0].clone().into()));
    }
}

#[test]
fn where_it_begins_is_the_same_as_for_any_get() {
    let store = Store::start();
    let added = add(&store.redis, "s", &numbers(0..10));
    for (from, expected) in [
        ("", "9"),
        ("&last_entry_id=*&count=3", "789"),
        ("&last_entry_id=latest&count=3", "9"),
        ("&last_entry_id=first", "0123456789"),
        (&format!("&last_entry_id={}", added[6].0), "789"),
        ("&last_entry_id=-1h&max_rate=1000", "0123456789"),
        ("&last_entry_id=$", ""),
    ] {
        let path = format!("/data/s?follow=true&until=latest{from}");
        let (body, end) = store.follow(&path, &[]).rest();
        assert_eq!(
            (String::from_utf8_lossy(&body).as_ref(), end),
            (expected, End::Whole),
            "{from}"
        );
    }
}

#[test]
fn several_streams_can_be_followed() {
    let store = Store::start();
    let mut follow = store.follow("/data/a+b%2Bc/?follow=true&format=json", &[]);
    for stream in ["a", "b+c", "a"] {
        store.add(stream, &[b"entry"]);
        assert_eq!(follow.json()["stream"], stream);
    }
}

#[test]
fn with_http_1_1_it_comes_in_chunks_and_the_connection_is_for_it_alone() {
    let store = Store::start();
    let follow = store.follow("/data/s?follow=true&timeout=200", &[]);
    for (name, value) in [
        ("transfer-encoding", Some("chunked")),
        ("connection", Some("close")),
        ("content-length", None),
        ("cache-control", Some("no-store")),
        ("x-accel-buffering", Some("no")),
        ("access-control-allow-origin", None),
    ] {
        assert_eq!(follow.head.header(name), value, "{name}");
    }
    follow.ends(End::Whole);
}

#[test]
fn with_http_1_0_it_comes_without_chunks_until_the_connection_closes() {
    let store = Store::start();
    add(&store.redis, "s", &numbers(0..10));
    let path = "/data/s?follow=true&last_entry_id=first&timeout=200";
    let mut stream = store.raw();
    send(
        &mut stream,
        store
            .head("GET", path, &["Connection: keep-alive"])
            .replace("HTTP/1.1", "HTTP/1.0"),
    );
    let follow = Followed::begin(stream);
    assert_eq!(follow.head.header("transfer-encoding"), None);
    assert_eq!(follow.head.header("content-length"), None);
    let (body, end) = follow.rest();
    assert_eq!((body.as_slice(), end), (&b"0123456789"[..], End::Whole));
}

#[test]
fn it_ends_whole_at_its_end_after_silence_and_at_a_gap() {
    let store = Store::start();
    let added = add(&store.redis, "s", &numbers(0..10));
    let _: usize = store.redis.command(&["XTRIM", "s", "MAXLEN", "=", "4"]);
    for (query, expected) in [
        (format!("last_entry_id=first&until={}", added[8].0), "678"),
        ("last_entry_id=first&timeout=200".into(), "6789"),
        (format!("last_entry_id={}&on_gap=close", added[1].0), ""),
        ("last_entry_id=first&until=1970-01-01".into(), ""),
    ] {
        let (body, end) = store.follow(&format!("/data/s?follow=true&{query}"), &[]).rest();
        assert_eq!(
            (String::from_utf8_lossy(&body).as_ref(), end),
            (expected, End::Whole),
            "{query}"
        );
    }
}

#[test]
fn when_the_store_stops_it_is_broken_off() {
    let mut store = Store::start();
    let mut follow = store.follow("/data/s?follow=true&format=json", &[]);
    store.add("s", &[b"entry"]);
    assert_eq!(follow.json()["data"], "entry");
    store.stop();
    follow.ends(End::BrokenOff);
}

#[test]
fn when_the_key_becomes_another_type_it_is_broken_off() {
    let store = Store::start();
    let mut follow = store.follow("/data/s?follow=true&format=json", &[]);
    store.add("s", &[b"entry"]);
    assert_eq!(follow.json()["data"], "entry");
    let _: usize = store.redis.command(&["DEL", "s"]);
    let _: () = store.redis.command(&["SET", "s", "text"]);
    follow.ends(End::BrokenOff);
}

#[test]
fn pairs_cannot_follow() {
    let store = Store::start();
    let answer = answer(&store, "/data/s?follow=true&format=pairs", &[]);
    assert_eq!(answer.faults(), [("format".to_owned(), "value_error.const".to_owned())]);
    assert!(answer.text().contains("raw or json"), "{}", answer.text());
}

#[test]
fn without_follow_nothing_stays_open() {
    let store = Store::start();
    add(&store.redis, "s", &numbers(0..3));
    for query in [
        "follow=false",
        "follow=0&format=json",
        "timeout=100000",
        "newest=true&max_rate=1",
    ] {
        answer(&store, &format!("/data/s?{query}"), &[]).expect(200);
    }
    assert_eq!(answer(&store, "/data/s?follow=maybe", &[]).faults()[0].0, "follow");
}

#[test]
fn what_can_refuse_it_does_so_before_it_begins() {
    let store = Store::start();
    let _: () = store.redis.command(&["SET", "text", "no stream"]);
    let token = format!("token={}", store.token);
    for (path, status) in [
        ("/data/s?follow=true".to_owned(), 401),
        (format!("/data/s?follow=true&count=0&{token}"), 422),
        (format!("/data/XMETA:s?follow=true&{token}"), 422),
        (format!("/data/text?follow=true&{token}"), 400),
        (format!("/mjpeg/text?{token}"), 400),
        (format!("/mjpeg/s?max_rate=x&{token}"), 422),
        ("/mjpeg/s".to_owned(), 401),
    ] {
        let answer = store.ask("GET", &path, &[], None).expect(status);
        assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
        assert!(answer.header("content-length").is_some(), "{path}");
    }
    store
        .ask("POST", &format!("/mjpeg/s?{token}"), &[], Some(b""))
        .expect(405);
    assert_eq!(store.metric("ptg_sockets_total{kind=\"follow\"}"), 0.0);
}

#[test]
fn a_request_with_a_body_is_400() {
    let store = Store::start();
    for lines in [&["Content-Length: 4"][..], &["Transfer-Encoding: chunked"]] {
        let mut stream = store.raw();
        send(
            &mut stream,
            store.head("GET", "/data/s?follow=true", lines) + "4\r\nbody\r\n0\r\n\r\n",
        );
        read_answer(&mut stream).expect(400);
    }
    // A body of nothing is none.
    store
        .follow("/data/s?follow=true&timeout=100", &["Content-Length: 0"])
        .ends(End::Whole);
}

#[test]
fn head_gives_only_the_head() {
    let store = Store::start();
    for (path, lines, kind) in [
        ("/data/s?follow=true", &[][..], "application/octet-stream"),
        ("/data/s?follow=true&format=json", &[], "application/x-ndjson"),
        ("/data/s", &["Accept: text/event-stream"], "text/event-stream"),
        ("/mjpeg/s", &[], "multipart/x-mixed-replace"),
    ] {
        let mut stream = store.raw();
        send(&mut stream, store.head("HEAD", path, lines));
        let head = read_answer_to_head(&mut stream).expect(200);
        let given = head.header("content-type").and_then(|given| given.split(';').next());
        assert_eq!(given, Some(kind), "{path}");
        // No length: the reply to GET has none.
        assert_eq!(head.header("content-length"), None, "{path}");
        let mut rest = Vec::new();
        stream.shutdown(Shutdown::Write).expect("to end");
        stream.read_to_end(&mut rest).expect("the end");
        assert_eq!(rest, b"", "{path}");
    }
    eventually(PATIENCE, || store.metric(OPEN_FOLLOWERS) == 0.0);
}

#[test]
fn what_a_client_sends_behind_its_request_is_ignored() {
    let store = Store::start();
    let mut stream = store.raw();
    let path = "/data/s?follow=true&format=json&last_entry_id=first";
    // Another request behind it, and much more later.
    send(
        &mut stream,
        store.head("GET", path, &[]) + &store.head("GET", "/ping", &[]),
    );
    let mut writer = stream.try_clone().expect("a second handle");
    let mut follow = Followed::begin(stream);
    for n in 0..20 {
        writer.write_all(&[b'x'; 100_000]).expect("to send");
        store.add("s", &[n.to_string().as_bytes()]);
        assert_eq!(follow.json()["data"], n);
    }
}

#[test]
fn entries_that_lie_there_come_in_order_without_loss_or_repeat() {
    let store = Store::with(&["--max-len", "10000"]);
    add(&store.redis, "s", &numbers(0..5000));
    let raw: Vec<u8> = numbers(0..5000).concat();
    for count in [1, 7, 100_000] {
        let path = format!("/data/s?follow=true&last_entry_id=first&until=latest&count={count}");
        let (body, end) = store.follow(&path, &[]).rest();
        assert!(body == raw && end == End::Whole, "{count}: {} bytes", body.len());
        let (body, end) = store.follow(&format!("{path}&format=json"), &[]).rest();
        let lines = String::from_utf8(body).expect("text");
        let data = lines.lines().map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).expect("a line");
            line["data"].as_u64().expect("a number")
        });
        assert!(data.eq(0..5000) && end == End::Whole, "{count}");
    }
}

#[test]
fn entries_of_any_size_come_whole() {
    let store = Store::start();
    let sizes = [0, 1, 16_383, 16_384, 16_385, 65_535, 65_536, 1 << 20, 9 << 20, 0, 3];
    let entries: Vec<Vec<u8>> = sizes.iter().enumerate().map(|(n, size)| vec![n as u8; *size]).collect();
    add(&store.redis, "s", &entries);
    let (body, end) = store
        .follow("/data/s?follow=true&last_entry_id=first&until=latest&count=5", &[])
        .rest();
    assert!(body == entries.concat() && end == End::Whole, "{} bytes", body.len());
}

#[test]
fn a_gap_is_a_line_among_lines_of_json() {
    let store = Store::start();
    let added = add(&store.redis, "s", &numbers(0..10));
    let _: usize = store.redis.command(&["XTRIM", "s", "MAXLEN", "=", "4"]);
    let path = format!(
        "/data/s?follow=true&format=json&until=latest&last_entry_id={}",
        added[1].0
    );
    let mut follow = store.follow(&path, &[]);
    let expected = serde_json::json!({"after": added[1].0, "before": added[6].0, "missed": null});
    assert_eq!(follow.json()["gap"], expected);
    for n in 6..10 {
        assert_eq!(follow.json()["data"], n);
    }
    follow.ends(End::Whole);
}

#[test]
fn the_newest_can_be_followed() {
    let store = Store::start();
    add(&store.redis, "s", &numbers(0..10));
    let mut follow = store.follow(
        "/data/s?follow=true&newest=true&format=json&last_entry_id=first&timeout=500",
        &[],
    );
    let line = follow.json();
    assert_eq!((&line["data"], &line["skipped"]), (&9.into(), &9.into()));
    follow.ends(End::Whole);
}
