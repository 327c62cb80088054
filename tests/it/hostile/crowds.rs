//! More connections than there may be: who makes room, who never does, and what one client alone may hold.

use std::io::Read;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::harness::{PATIENCE, Store, eventually, expect_end, read_answer, receive_text, send, send_binary};

/// Within this time a newcomer is served, on a busy machine too: far below any deadline of those that it displaces.
const AT_ONCE: Duration = Duration::from_secs(2);

const EVICTED: &str = "ptg_connections_evicted_total";

/// A connection that has had one reply and waits for its next request.
fn used(store: &Store) -> TcpStream {
    let mut stream = store.raw();
    send(&mut stream, store.head("GET", "/health", &[]));
    read_answer(&mut stream).expect(200);
    stream
}

/// Asks on a new connection, which must be answered at once and is closed then.
#[track_caller]
fn newcomer(store: &Store) {
    let begun = Instant::now();
    let mut stream = store.raw();
    send(&mut stream, store.head("GET", "/health", &["Connection: close"]));
    read_answer(&mut stream).expect(200);
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
}

/// Ends cleanly, and not by a reset, which could take a reply with it (RFC 9112, 9.6).
#[track_caller]
fn ends_cleanly(stream: &mut TcpStream) {
    assert_eq!(stream.read(&mut [0]).expect("a clean end"), 0);
}

#[test]
fn a_newcomer_is_served_although_one_client_holds_all_connections_idle() {
    let store = Store::with(&["--max-connections", "50"]);
    let mut held: Vec<TcpStream> = (0..50).map(|_| used(&store)).collect();
    newcomer(&store);
    // The one that has been idle the longest made room, and only that.
    ends_cleanly(&mut held[0]);
    for stream in &mut held[1..] {
        send(stream, store.head("GET", "/health", &[]));
        read_answer(stream).expect(200);
    }
    assert!(store.metric(EVICTED) >= 1.0);
    drop(held);
    store.assert_serves();
}

#[test]
fn half_a_head_and_silence_hold_no_place_against_a_newcomer() {
    let store = Store::with(&["--max-connections", "50"]);
    for beginning in ["", "G", "GET /health HTTP/1.1\r\nHost: x\r\nX: "] {
        let mut held: Vec<TcpStream> = (0..50)
            .map(|_| {
                let mut stream = store.raw();
                send(&mut stream, beginning);
                stream
            })
            .collect();
        for _ in 0..3 {
            newcomer(&store);
        }
        ends_cleanly(&mut held[0]);
        // The next fifty are not to meet those that are still leaving: only so many may be closed for others at once.
        drop(held);
        eventually(PATIENCE, || store.metric("ptg_connections_open") <= 1.0);
    }
    store.assert_serves();
}

#[test]
fn a_refused_client_that_stays_holds_no_place_against_a_newcomer() {
    let store = Store::with(&["--max-connections", "20"]);
    let _held: Vec<TcpStream> = (0..20)
        .map(|_| {
            let mut stream = store.raw();
            send(
                &mut stream,
                "POST /data/s HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n",
            );
            read_answer(&mut stream).expect(401);
            stream
        })
        .collect();
    newcomer(&store);
}

#[test]
fn whoever_is_at_work_is_never_closed_for_a_newcomer() {
    let store = Store::with(&["--max-connections", "5"]);
    let mut push = store.push("s", "ack=true");
    let mut pull = store.pull("s", "");
    let mut followed = store.raw();
    send(&mut followed, store.head("GET", "/data/s?follow=true&format=raw", &[]));
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        followed.read_exact(&mut byte).expect("a head");
        head.push(byte[0]);
    }
    let mut posting = store.raw();
    let lines = ["Content-Type: image/png", "Content-Length: 5", "Expect: 100-continue"];
    send(&mut posting, store.head("POST", "/data/posted", &lines));
    assert_eq!(read_answer(&mut posting).status, 100);
    send(&mut posting, "ent");
    // The newcomers share the fifth place. The one before may not have left it yet.
    for _ in 0..20 {
        eventually(AT_ONCE, || {
            let mut stream = store.raw();
            send(&mut stream, store.head("GET", "/health", &["Connection: close"]));
            read_answer(&mut stream).status == 200
        });
    }
    // Then somebody stays there.
    let mut fifth = None;
    eventually(AT_ONCE, || {
        fifth = store.try_socket(&format!("/data/s/pull?token={}", store.token)).ok();
        fifth.is_some()
    });
    let mut fifth = fifth.expect("a socket");
    let mut over = store.raw();
    let detail = read_answer(&mut over).expect(503).detail();
    assert!(detail.contains('5') && detail.contains("--max-connections"), "{detail}");
    expect_end(&mut over);
    send(&mut posting, "ry");
    read_answer(&mut posting).expect(200);
    send_binary(&mut push, b"entry");
    let id = receive_text(&mut push);
    for socket in [&mut pull, &mut fifth] {
        assert_eq!(crate::harness::receive_reply(socket)[0].0, id);
    }
    let mut byte = [0];
    followed.read_exact(&mut byte).expect("a chunk of what is followed");
}

#[test]
fn a_place_that_becomes_free_is_used_again() {
    let store = Store::with(&["--max-connections", "2"]);
    let busy = [store.pull("s", ""), store.pull("s", "")];
    let mut over = store.raw();
    read_answer(&mut over).expect(503);
    expect_end(&mut over);
    drop(busy);
    eventually(PATIENCE, || store.get("/ping").status == 200);
    store.assert_serves();
}

#[test]
fn one_address_has_so_many_connections_and_no_more() {
    let store = Store::with(&["--max-connections-per-address", "3"]);
    let held = [used(&store), used(&store)];
    let socket = store.pull("s", "");
    let mut over = store.raw();
    // What it asks, if anything, is not read: the refusal must not wait for it.
    let detail = read_answer(&mut over).expect(503).detail();
    assert!(
        detail.contains('3') && detail.contains("--max-connections-per-address"),
        "{detail}"
    );
    expect_end(&mut over);
    // Those inside are served as before.
    for mut stream in held {
        send(&mut stream, store.head("GET", "/health", &[]));
        read_answer(&mut stream).expect(200);
    }
    drop(socket);
    eventually(PATIENCE, || store.get("/ping").status == 200);
}
