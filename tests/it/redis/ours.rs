//! The Redis that the store starts when none is named and none is there (docs/protocol.md, section 1).
//! Its port is fixed, so these tests take turns.

use crate::harness::{
    OWN_REDIS_PORT, PATIENCE, Program, Redis, expect_close, own_redis, own_redis_is, own_redis_listens, send_binary,
    take_turn, wait_for_pong,
};

#[test]
fn without_a_redis_it_starts_one_that_keeps_its_data_and_stops_it_at_the_end() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let mut store = Program::start_in(directory.path(), &["--data-dir", "my data"], &[]);
    store.add("x", &[b"kept"]);
    assert_eq!(own_redis_is("aof_enabled"), "1");
    assert!(directory.path().join("my data").is_dir());
    assert!(!directory.path().join("ptg-data").exists());
    end(&mut store);

    let mut store = Program::start_in(directory.path(), &["--data-dir", "my data"], &[]);
    assert_eq!(store.get("/data/x").expect(200).body, b"kept");
    end(&mut store);
}

#[test]
fn its_data_is_in_ptg_data_and_its_redis_listens_on_loopback_only() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let mut store = Program::start_in(directory.path(), &[], &[]);
    store.assert_serves();
    assert!(directory.path().join("ptg-data").is_dir());
    let listening = std::fs::read_to_string("/proc/net/tcp").expect("/proc/net/tcp");
    // Address and port in hexadecimal, 0A is "listens".
    let port = format!(":{OWN_REDIS_PORT:04X}");
    let mut addresses = listening.lines().filter_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        let local = words.next()?.strip_suffix(&port)?;
        (words.nth(1)? == "0A").then_some(local)
    });
    assert!(addresses.all(|address| address == "0100007F"), "{listening}");
    let protected: Vec<String> = own_redis(&["CONFIG", "GET", "protected-mode"]);
    assert_eq!(protected[1], "yes");
    end(&mut store);
}

#[test]
fn what_a_terminal_sends_to_all_of_its_programs_ends_the_store_before_its_redis() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    for (times, name) in [(1, "INT"), (2, "QUIT"), (3, "HUP")] {
        let mut store = Program::start_in(directory.path(), &["--max-len", "10000"], &[]);
        let mut push = store.push("x", "");
        for number in 0..500 {
            send_binary(&mut push, format!("entry {number}").as_bytes());
        }
        wait_for_pong(&mut push);
        store.signal_group(name);
        assert_eq!(expect_close(&mut push).0, 1001, "{name}");
        drop(push);
        let status = store.wait(PATIENCE);
        assert_eq!(status.code(), Some(0), "{name}: {status}: {}", store.log());
        assert!(!own_redis_listens(), "{name}: its Redis is still there");

        let mut store = Program::start_in(directory.path(), &[], &[]);
        let found = store.get("/streams/x").expect(200).json();
        assert_eq!(found["info"]["length"], times * 500);
        end(&mut store);
    }
}

#[test]
fn a_redis_that_is_already_there_is_used_and_left_alone() {
    let _turn = take_turn();
    let redis = Redis::start_on(OWN_REDIS_PORT);
    let directory = tempfile::tempdir().expect("a directory");
    let mut store = Program::start_in(directory.path(), &[], &[]);
    store.add("x", &[b"entry"]);
    store.signal("TERM");
    assert_eq!(store.wait(PATIENCE).code(), Some(0), "{}", store.log());
    let entries: usize = redis.command(&["XLEN", "x"]);
    assert_eq!(entries, 1);
    assert!(
        !directory.path().join("ptg-data").exists(),
        "a data directory that it does not need"
    );
}

#[test]
fn a_named_redis_is_never_replaced_by_one_of_its_own() {
    let _turn = take_turn();
    let redis = Redis::start();
    redis.kill();
    let directory = tempfile::tempdir().expect("a directory");
    let store = Program::start_in(directory.path(), &["--redis", &redis.url()], &[]);
    store.get("/ping").expect(503);
    assert!(!own_redis_listens());
    assert!(!directory.path().join("ptg-data").exists());
}

#[test]
fn a_machine_without_redis_server_is_told_what_to_install() {
    let _turn = take_turn();
    let empty = tempfile::tempdir().expect("a directory");
    let mut command = Program::command(&["--listen", "127.0.0.1:0"]);
    command.env("PATH", empty.path());
    let output = Program::run_to_end(command);
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code().is_some_and(|code| code != 0), "{message}");
    assert!(message.contains("redis-server"), "{message}");
}

#[test]
fn a_start_that_fails_when_redis_runs_already_leaves_none_behind() {
    let _turn = take_turn();
    let mut command = Program::command(&["--listen", "127.0.0.1:0"]);
    command.env("TMPDIR", "/nonexistent");
    let output = Program::run_to_end(command);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("private folder"), "{message}");
    assert!(!own_redis_listens(), "its Redis is still there: {message}");
}

/// Ends the store, and its Redis must be gone with it.
#[track_caller]
fn end(store: &mut Program) {
    store.signal("TERM");
    let status = store.wait(PATIENCE);
    assert_eq!(status.code(), Some(0), "{status}: {}", store.log());
    assert!(!own_redis_listens(), "its Redis is still there: {}", store.log());
}
