//! What the store makes of the open files that the system grants it (docs/configuration.md, Limits).

use std::net::TcpStream;

use crate::harness::{Footprint, PATIENCE, Program, Redis, descriptors, eventually};

/// The value behind the flag in the line that says which caps were lowered.
fn cap(store: &Program, flag: &str) -> usize {
    let log = store.log();
    let line = log.lines().find(|line| line.contains("open files are granted"));
    let line = line.unwrap_or_else(|| panic!("no line about open files: {log}"));
    let words: Vec<&str> = line.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    let place = words.iter().position(|word| *word == flag).expect("the flag");
    let number = words[place + 1..].iter().find_map(|word| word.parse().ok());
    number.unwrap_or_else(|| panic!("no number for {flag}: {line}"))
}

#[test]
fn all_open_files_that_are_granted_are_taken() {
    let redis = Redis::start();
    let store = Program::start_with_open_files(256, 8000, &["--redis", &redis.url()]);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", store.pid())).expect("its limits");
    let line = limits.lines().find(|line| line.starts_with("Max open files"));
    let words: Vec<_> = line.expect("the line").split_whitespace().collect();
    assert_eq!(words[3..5], ["8000", "8000"], "{limits}");
    assert!(!store.log().contains("open files are granted"), "{}", store.log());
    store.assert_serves();
}

#[test]
fn with_few_open_files_the_caps_are_lowered_and_everything_within_them_is_served() {
    let redis = Redis::start();
    let store = Program::start_with_open_files(300, 300, &["--redis", &redis.url()]);
    let (connections, sockets) = (cap(&store, "--max-connections"), cap(&store, "--max-sockets"));
    assert!(
        (10..300).contains(&connections) && (5..300).contains(&sockets),
        "{connections} {sockets}"
    );
    store.assert_serves();
    let before = Footprint::of(&store);

    // Every socket and every other connection that the caps allow, and more than the open files would.
    let pulls: Vec<_> = (0..sockets).map(|_| store.pull("s", "")).collect();
    let held: Vec<TcpStream> = (0..300).map(|_| store.raw()).collect();
    // The idle ones make room, and not faster than they end.
    eventually(PATIENCE, || store.get("/ping").status == 200);
    assert!(descriptors(store.pid()) < 300, "{}", descriptors(store.pid()));
    drop(held);
    let answer = store.socket_answer("/data/s/pull", &[("Authorization", &store.bearer())]);
    assert!(answer.expect(503).detail().contains(&sockets.to_string()));
    drop(pulls);
    before.is_back(&store, 64 << 20);
    assert!(!store.log().contains("cannot accept"), "{}", store.log());
}

#[test]
fn too_few_open_files_end_it_with_a_message_that_says_how_many_it_needs() {
    let output = Program::run_to_end(Program::with_open_files(64, 64, &["--redis", "redis://127.0.0.1:1"]));
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{message}");
    assert!(
        message.contains("64 open files") && message.contains("ulimit"),
        "{message}"
    );
}
