//! Clients that are slow, silent, too many or gone: each is bounded, and nobody else waits for it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use crate::harness::{
    PATIENCE, Program, Redis, Store, descriptors, eventually, expect_end, read_answer, send, threads,
};

#[test]
fn a_head_that_does_not_end_in_time_is_408_and_closed() {
    let store = Store::with(&["--head-timeout", "300ms"]);
    for start in ["G", "GET /ping HTTP/1.1\r\n", "GET /ping HTTP/1.1\r\nHost: x\r\n"] {
        let mut stream = store.raw();
        send(&mut stream, start);
        let detail = read_answer(&mut stream).expect(408).detail();
        assert!(detail.contains("300"), "the limit is not named: {detail}");
        expect_end(&mut stream);
    }
    store.assert_serves();
}

#[test]
fn a_head_that_drips_is_408_although_it_never_pauses_for_long() {
    let store = Store::with(&["--head-timeout", "500ms"]);
    let mut stream = store.raw();
    send(&mut stream, "GET /ping HTTP/1.1\r\nHost: x\r\n");
    // The read's short deadline is the pause between two drops.
    stream
        .set_read_timeout(Some(Duration::from_millis(20)))
        .expect("a deadline");
    let mut byte = [0];
    eventually(PATIENCE, || {
        let _ = stream.write_all(b"X: y\r\n");
        stream.peek(&mut byte).is_ok()
    });
    read_answer(&mut stream).expect(408);
}

#[test]
fn a_body_that_stalls_is_408_and_not_stored() {
    let store = Store::with(&["--stall-timeout", "300ms"]);
    for line in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
        let mut stream = store.raw();
        send(
            &mut stream,
            store.head("POST", "/data/x", &["Content-Type: image/png", line]) + "5\r\nhello\r\n",
        );
        let detail = read_answer(&mut stream).expect(408).detail();
        assert!(detail.contains("300"), "the limit is not named: {detail}");
        expect_end(&mut stream);
    }
    let keys: usize = store.redis.command(&["DBSIZE"]);
    assert_eq!(keys, 0);
    store.assert_serves();
}

#[test]
fn a_body_that_drips_is_408_although_it_never_pauses_for_long() {
    let store = Store::with(&["--stall-timeout", "500ms"]);
    for (framing, drop) in [
        ("Content-Length: 1000000", "x"),
        ("Transfer-Encoding: chunked", "1\r\nx\r\n"),
    ] {
        let mut stream = store.raw();
        let head = store.head("POST", "/data/x", &["Content-Type: image/png", framing]);
        send(&mut stream, head);
        // The read's short deadline is the pause between two drops.
        let pause = Some(Duration::from_millis(20));
        stream.set_read_timeout(pause).expect("a deadline");
        let mut byte = [0];
        eventually(PATIENCE, || {
            let _ = stream.write_all(drop.as_bytes());
            stream.peek(&mut byte).is_ok()
        });
        read_answer(&mut stream).expect(408);
    }
    let keys: usize = store.redis.command(&["DBSIZE"]);
    assert_eq!(keys, 0);
    store.assert_serves();
}

#[test]
fn an_idle_connection_is_closed_after_its_time() {
    let store = Store::with(&["--keep-alive", "300ms", "--head-timeout", "300ms"]);
    let mut stream = store.raw();
    send(&mut stream, store.head("GET", "/ping", &[]));
    read_answer(&mut stream).expect(200);
    expect_end(&mut stream);
    // One that never asks anything is closed too, with or without a word.
    let mut silent = store.raw();
    silent.read_to_end(&mut Vec::new()).expect("the end");
    store.assert_serves();
}

#[test]
fn clients_that_stall_in_the_middle_do_not_keep_others_waiting() {
    let store = Store::start();
    let starts = [
        String::new(),
        "GET /ping HT".to_owned(),
        store.head("POST", "/data/x", &["Content-Type: image/png", "Content-Length: 1000"]) + "part",
        store.head(
            "POST",
            "/data/x",
            &["Content-Type: image/png", "Transfer-Encoding: chunked"],
        ) + "ff\r\npart",
    ];
    let mut held = Vec::new();
    for _ in 0..25 {
        for start in &starts {
            let mut stream = store.raw();
            send(&mut stream, start);
            held.push(stream);
        }
    }
    store.assert_serves();
}

#[test]
fn clients_that_do_not_read_their_replies_do_not_keep_others_waiting() {
    let store = Store::with(&["--rest-workers", "2"]);
    // More than the buffers of both sockets take.
    store.post("/data/big", "image/raw", &vec![7; 16 << 20]).expect(200);
    let held: Vec<TcpStream> = (0..8)
        .map(|_| {
            let mut stream = store.raw();
            send(&mut stream, store.head("GET", "/data/big", &[]));
            stream
        })
        .collect();
    store.assert_serves();
    drop(held);
    store.assert_serves();
}

#[test]
fn a_client_that_never_reads_its_reply_is_dropped() {
    let store = Store::with(&["--stall-timeout", "300ms"]);
    store.post("/data/big", "image/raw", &vec![7; 16 << 20]).expect(200);
    let mut stream = store.raw();
    send(&mut stream, store.head("GET", "/data/big", &[]));
    // Only the connection that asks for the number is left.
    eventually(PATIENCE, || store.metric("ptg_connections_open") <= 1.0);
    store.assert_serves();
}

#[test]
fn connections_reset_at_any_moment_leave_nothing_behind() {
    let store = Store::start();
    let whole = store.head("POST", "/data/x", &["Content-Type: image/png", "Content-Length: 5"]) + "hello";
    for sent in (0..whole.len()).step_by(7).chain([whole.len()]) {
        let mut stream = store.raw();
        send(&mut stream, &whole[..sent]);
        reset(stream);
    }
    for _ in 0..50 {
        reset(store.raw());
    }
    eventually(PATIENCE, || store.metric("ptg_connections_open") <= 1.0);
    store.assert_serves();
}

#[test]
fn hundreds_of_clients_leave_no_thread_and_no_descriptor_behind() {
    let redis = Redis::start();
    let store = Program::start(&["--redis", &redis.url()]);
    let visit = || {
        store.add("x", &[b"entry"]);
        reset(store.raw());
        store.exchange("nonsense\r\n\r\n").expect(400);
        let mut half = store.raw();
        send(&mut half, "GET /ping HTTP");
        let sockets = (store.push("x", ""), store.pull("x", ""));
        reset(sockets.0.get_ref().try_clone().expect("the socket's stream"));
    };
    // What is made once and kept, such as connections to Redis, is there after a few rounds.
    (0..20).for_each(|_| visit());
    eventually(PATIENCE, || store.metric("ptg_connections_open") <= 1.0);
    let before = (threads(store.pid()), descriptors(store.pid()));
    (0..100).for_each(|_| visit());
    eventually(PATIENCE, || {
        let now = (threads(store.pid()), descriptors(store.pid()));
        now.0 <= before.0 + 10 && now.1 <= before.1 + 10
    });
    store.assert_serves();
}

#[test]
fn bodies_over_their_common_memory_are_503_until_there_is_room_again() {
    let store = Store::with(&["--max-body", "1MiB", "--max-bodies", "1MiB"]);
    let size = 700 << 10;
    let mut held = store.raw();
    let length = format!("Content-Length: {size}");
    send(
        &mut held,
        store.head("POST", "/data/x", &["Content-Type: image/raw", &length]),
    );
    send(&mut held, vec![7; size - 1]);
    eventually(PATIENCE, || store.metric("ptg_body_bytes") >= 600_000.0);
    let answer = store.post("/data/x", "image/raw", &vec![8; size]).expect(503);
    assert_eq!(answer.header("retry-after"), Some("1"));
    // Requests without a body are served meanwhile, and the one that has its memory goes on.
    store.get("/ping").expect(200);
    send(&mut held, [7]);
    read_answer(&mut held).expect(200);
    eventually(PATIENCE, || {
        store.post("/data/x", "image/raw", &vec![8; size]).status == 200
    });
}

#[test]
fn small_replies_need_no_share_of_the_memory_that_uploads_hold() {
    let (store, _held) = with_all_memory_held();
    store.get("/health").expect(200);
    store.get("/ping").expect(200);
    store.get("/metrics").expect(200);
}

#[test]
fn what_is_told_503_for_want_of_memory_was_not_done() {
    let (store, _held) = with_all_memory_held();
    // Told as refused, the client would do it again.
    let status = store.put("/streams/y").status;
    let described: usize = store.redis.command(&["EXISTS", "XMETA:y"]);
    assert_eq!(described == 1, status == 200, "{status}, {described} described");
}

#[test]
fn every_body_and_reply_gives_its_memory_back() {
    let store = Store::start();
    store.post("/data/x", "image/raw", &vec![7; 1 << 20]).expect(200);
    store.get("/data/x").expect(200);
    let mut half = store.raw();
    send(
        &mut half,
        store.head(
            "POST",
            "/data/x",
            &["Content-Type: image/png", "Content-Length: 1000000"],
        ) + "part",
    );
    half.shutdown(Shutdown::Both).expect("to leave");
    store.ask("POST", "/data/x", &[], Some(&vec![7; 1 << 20])).expect(401);
    eventually(PATIENCE, || store.metric("ptg_body_bytes") == 0.0);
}

/// A store whose memory for bodies an unfinished upload holds to the last byte but one.
fn with_all_memory_held() -> (Store, TcpStream) {
    let store = Store::with(&["--max-body", "1MiB", "--max-bodies", "1MiB"]);
    let mut held = store.raw();
    let length = format!("Content-Length: {}", 1 << 20);
    send(
        &mut held,
        store.head("POST", "/data/x", &["Content-Type: image/raw", &length]),
    );
    send(&mut held, vec![7; (1 << 20) - 1]);
    // Asking by another upload could take the bytes that this one still needs.
    let all = ((1 << 20) - 1) as f64;
    eventually(PATIENCE, || store.metric("ptg_body_bytes") >= all);
    (store, held)
}

/// Closes with a reset instead of an orderly end.
fn reset(stream: TcpStream) {
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).expect("no lingering");
}
