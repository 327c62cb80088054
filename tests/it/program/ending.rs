//! An orderly end: quick, with nothing lost, whatever clients and Redis do (docs/protocol.md, section 7).

use std::net::TcpStream;
use std::time::Duration;

use crate::harness::{
    PATIENCE, Program, Redis, Store, eventually, expect_close, read_answer, receive_reply, send, send_binary,
    wait_for_pong,
};

/// A signal ends the program within this.
const END: Duration = Duration::from_secs(10);

#[test]
fn every_signal_that_ends_it_does_so_with_what_was_received_stored_and_sockets_closed_with_1001() {
    for name in ["TERM", "INT", "HUP", "QUIT"] {
        let redis = Redis::start();
        let mut store = Program::start(&["--redis", &redis.url()]);
        let mut push = store.push("x", "");
        let mut pull = store.pull("silent", "");
        for number in 0..500 {
            send_binary(&mut push, format!("entry {number}").as_bytes());
        }
        wait_for_pong(&mut push);
        store.signal(name);
        assert_eq!(expect_close(&mut push).0, 1001);
        assert_eq!(expect_close(&mut pull).0, 1001);
        drop((push, pull));
        let status = store.wait(END);
        assert_eq!(status.code(), Some(0), "{status}: {}", store.log());
        let length: usize = redis.command(&["XLEN", "x"]);
        assert_eq!(length, 500);
        // Redis notices closed connections when it comes round to them.
        eventually(PATIENCE, || redis.clients() == 0);
        assert!(TcpStream::connect(store.addr()).is_err(), "still listens");
    }
}

#[test]
fn signals_that_follow_the_first_do_not_break_the_end_off() {
    let redis = Redis::start();
    let mut store = Program::start(&["--redis", &redis.url()]);
    let mut push = store.push("x", "");
    for number in 0..500 {
        send_binary(&mut push, format!("entry {number}").as_bytes());
    }
    wait_for_pong(&mut push);
    for name in ["HUP", "HUP", "TERM", "INT", "QUIT"] {
        store.signal(name);
    }
    assert_eq!(expect_close(&mut push).0, 1001);
    drop(push);
    let status = store.wait(END);
    assert_eq!(status.code(), Some(0), "{status}: {}", store.log());
    assert_eq!(redis.command::<usize>(&["XLEN", "x"]), 500);
}

#[test]
fn a_store_that_was_started_with_nohup_outlives_its_terminal() {
    let redis = Redis::start();
    let mut store = Program::start_by("nohup", &["--redis", &redis.url()]);
    let mut pull = store.pull("x", "");
    store.signal_group("HUP");
    // The signal has come before the next request does.
    store.add("x", &[b"entry"]);
    assert_eq!(receive_reply(&mut pull)[0].1, b"entry");
    store.signal("TERM");
    assert_eq!(expect_close(&mut pull).0, 1001);
    drop(pull);
    assert_eq!(store.wait(END).code(), Some(0), "{}", store.log());
}

#[test]
fn clients_that_hang_do_not_keep_it_from_ending() {
    let redis = Redis::start();
    let mut store = Program::start(&["--redis", &redis.url()]);
    let sockets = (store.push("x", ""), store.pull("x", ""));
    let mut idle = store.raw();
    send(&mut idle, store.head("GET", "/ping", &[]));
    read_answer(&mut idle).expect(200);
    let mut half_head = store.raw();
    send(&mut half_head, "GET /ping HTT");
    let mut half_body = store.raw();
    send(
        &mut half_body,
        store.head("POST", "/data/x", &["Content-Type: a/b", "Content-Length: 100"]) + "half",
    );
    let mut unread = store.raw();
    store.post("/data/big", "a/b", &vec![7; 16 << 20]).expect(200);
    send(&mut unread, store.head("GET", "/data/big", &[]));
    store.signal("TERM");
    // Nobody reads, answers the close or hangs up.
    assert_eq!(store.wait(END).code(), Some(0), "{}", store.log());
    drop((sockets, idle, half_head, half_body, unread));
}

#[test]
fn a_stuck_redis_does_not_keep_it_from_ending() {
    let redis = Redis::start();
    let mut store = Program::start(&["--redis", &redis.url()]);
    let mut push = store.push("x", "ack=true");
    let pull = store.pull("x", "");
    redis.pause();
    send_binary(&mut push, b"entry");
    wait_for_pong(&mut push);
    store.signal("TERM");
    let ended = store.wait(END);
    redis.resume();
    assert!(ended.code().is_some(), "killed: {ended}");
    drop((push, pull));
}

#[test]
fn a_store_stopped_in_process_closes_its_sockets_and_leaves_redis() {
    let redis = Redis::start();
    let mut store = Store::on(&redis, &[]);
    let mut push = store.push("x", "");
    let mut pull = store.pull("x", "");
    let stopping = std::thread::spawn(move || store.stop());
    for socket in [&mut push, &mut pull] {
        let (code, reason) = expect_close(socket);
        assert_eq!(code, 1001);
        assert!(!reason.is_empty());
    }
    drop((push, pull));
    stopping.join().expect("an orderly stop");
    // Redis notices closed connections when it comes round to them.
    eventually(PATIENCE, || redis.clients() == 0);
}
