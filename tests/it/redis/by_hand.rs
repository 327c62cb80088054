//! A Redis that somebody started by hand is used and left alone, wherever it listens: also where one of ours would.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::harness::{
    PATIENCE, Program, Running, eventually, own_redis, own_redis_is, own_redis_listens, signal, take_turn,
};
use crate::redis::port::pid_in;
use crate::redis::shared::{END, end, kill, kill_redis};

#[test]
fn a_redis_by_hand_is_left_alone_even_in_the_data_folder_and_with_what_ours_left_there() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("ptg-data");
    // A killed Redis leaves its socket behind.
    let mut store = Program::start_in(directory.path(), &[], &[]);
    kill(&mut store);
    kill_redis();
    assert!(data.join("redis.sock").exists());

    let mut by_hand = by_hand(&data, &[]);
    for arguments in [&[][..], &["--data-dir", "other"]] {
        let mut store = Program::start_in(directory.path(), arguments, &[]);
        eventually(PATIENCE, || store.get("/ping").status == 200);
        store.add("x", &[b"entry"]);
        let log = store.log();
        assert!(log.contains("not ours"), "{log}");
        assert_eq!(log.contains("is not used"), !arguments.is_empty(), "{log}");
        store.signal("TERM");
        assert_eq!(store.wait(END).code(), Some(0), "{}", store.log());
    }
    assert!(!by_hand.has_ended());
    assert_eq!(own_redis_is("process_id"), by_hand.pid().to_string());
    assert_eq!(own_redis::<usize>(&["XLEN", "x"]), 2);
}

#[test]
fn a_redis_by_hand_that_listens_where_ours_would_is_never_stopped_and_never_started_again() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let theirs = directory.path().join("theirs");
    for (round, folder) in ["theirs", "other", "ptg-data"].into_iter().enumerate() {
        // The last one has what earlier stores left there.
        let data = if folder == "other" {
            theirs.clone()
        } else {
            directory.path().join(folder)
        };
        if folder == "ptg-data" {
            end(&mut Program::start_in(directory.path(), &[], &[]));
        } else {
            std::fs::create_dir_all(&data).expect("a folder");
        }
        let mut by_hand = by_hand(&data, &["--unixsocket", "redis.sock"]);
        eventually(PATIENCE, || data.join("redis.sock").exists());
        let mut store = Program::start_in(directory.path(), &["--data-dir", folder], &[]);
        store.add("x", &[b"entry"]);
        assert!(store.log().contains("not ours"), "{round}: {}", store.log());
        assert!(store.log().contains("redis-stop.sh"), "{round}: {}", store.log());
        if folder != "ptg-data" {
            for name in ["redis.lock", "redis.users", "redis.server", "redis.log"] {
                assert!(!data.join(name).exists(), "{round}: the store left {name} in it");
            }
        }
        if folder == "other" {
            signal("KILL", by_hand.pid());
            eventually(PATIENCE, || by_hand.has_ended());
            eventually(PATIENCE, || store.get("/ping").status == 503);
        }
        store.signal("TERM");
        assert_eq!(store.wait(END).code(), Some(0), "{round}: {}", store.log());
        assert_eq!(own_redis_listens(), folder != "other", "{round}");
        assert!(!store.log().contains("stopping Redis"), "{round}: {}", store.log());
        drop(by_hand);
        eventually(PATIENCE, || !own_redis_listens());
    }
}

#[test]
fn a_redis_by_hand_that_takes_the_place_of_ours_is_not_stopped_either() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let mut store = Program::start_in(directory.path(), &[], &[]);
    let data = directory.path().join("ptg-data");
    // The store cannot look before it is there.
    signal("STOP", store.pid());
    kill_redis();
    let mut by_hand = by_hand(&data, &["--unixsocket", "redis.sock"]);
    signal("CONT", store.pid());
    eventually(PATIENCE, || store.log().contains("not ours"));
    eventually(PATIENCE, || store.get("/ping").status == 200);
    store.signal("TERM");
    assert_eq!(store.wait(END).code(), Some(0), "{}", store.log());
    assert!(own_redis_listens() && !by_hand.has_ended());
}

#[test]
fn a_redis_by_hand_in_the_data_folder_and_on_another_port_is_named_and_nothing_starts_beside_it() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("ptg-data");
    std::fs::create_dir(&data).expect("a folder");
    let mut by_hand = Running::start(redis_by_hand(&data, &["--port", "0", "--unixsocket", "redis.sock"]));
    eventually(PATIENCE, || data.join("redis.sock").exists());
    let output = Program::run(&["--listen", "127.0.0.1:0", "--data-dir", data.to_str().expect("text")]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    let end = format!("end it (kill {})", pid_in(&data));
    for word in ["not ours", data.to_str().expect("text"), &end, "--redis", "--data-dir"] {
        assert!(message.contains(word), "{word} in {message}");
    }
    assert!(!own_redis_listens() && !by_hand.has_ended());
}

/// A Redis as somebody else starts it, with its data in this folder, when it listens.
#[track_caller]
fn by_hand(folder: &Path, arguments: &[&str]) -> Running {
    let running = Running::start(redis_by_hand(folder, arguments));
    eventually(PATIENCE, own_redis_listens);
    running
}

fn redis_by_hand(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/redis-start.sh"));
    command.arg("--dir").arg(folder).args(arguments);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}
