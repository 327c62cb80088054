//! Several stores with one Redis that one of them started: it stays until the last one leaves, whichever that is and however
//! the others end; and one that a killed store left behind is taken over.

use std::path::Path;
use std::process::Command;
use std::thread::scope;

use crate::harness::{
    PATIENCE, Program, Running, eventually, own_redis, own_redis_is, own_redis_listens, signal, take_turn,
};

/// An end in order, and what Redis takes.
pub const END: std::time::Duration = std::time::Duration::from_secs(15);

#[test]
fn redis_stays_until_the_last_store_leaves_whichever_that_is() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    for first_leaves_first in [true, false] {
        let first = Program::start_in(directory.path(), &[], &[]);
        let second = Program::start_in(directory.path(), &[], &[]);
        first.add("x", &[b"one"]);
        let run = own_redis_is("run_id");
        let (mut early, mut late) = if first_leaves_first {
            (first, second)
        } else {
            (second, first)
        };
        leave(&mut early);
        late.add("x", &[b"two"]);
        assert_eq!(own_redis_is("run_id"), run, "another Redis");
        end(&mut late);
    }
    let mut store = Program::start_in(directory.path(), &[], &[]);
    assert_eq!(store.get("/streams/x").expect(200).json()["info"]["length"], 4);
    end(&mut store);
}

#[test]
fn the_others_go_on_when_the_store_that_started_redis_is_killed() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let mut first = Program::start_in(directory.path(), &[], &[]);
    let mut second = Program::start_in(directory.path(), &[], &[]);
    let run = own_redis_is("run_id");
    kill(&mut first);
    second.add("x", &[b"entry"]);
    assert_eq!(own_redis_is("run_id"), run);
    end(&mut second);
}

#[test]
fn a_redis_that_a_killed_store_left_behind_is_taken_over_looked_after_and_stopped() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let mut store = Program::start_in(directory.path(), &[], &[]);
    store.add("x", &[b"kept"]);
    let run = own_redis_is("run_id");
    kill(&mut store);
    assert!(own_redis_listens(), "nothing to take over");

    let mut store = Program::start_in(directory.path(), &[], &[]);
    assert_eq!(own_redis_is("run_id"), run);
    let log = store.log();
    assert!(
        log.contains("started by an earlier store") && !log.contains("not ours"),
        "{log}"
    );
    assert_eq!(store.get("/data/x").expect(200).body, b"kept");
    kill_redis();
    eventually(PATIENCE * 2, || own_redis_listens() && store.get("/ping").status == 200);
    assert_eq!(store.get("/data/x").expect(200).body, b"kept");
    end(&mut store);

    // The other way round: nobody looked after it when it died, and what it left in the folder is no Redis.
    let mut store = Program::start_in(directory.path(), &[], &[]);
    kill(&mut store);
    kill_redis();
    let mut store = Program::start_in(directory.path(), &[], &[]);
    assert_eq!(store.get("/data/x").expect(200).body, b"kept");
    end(&mut store);
}

#[test]
fn of_stores_that_end_at_the_same_instant_exactly_one_stops_redis() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    for _ in 0..5 {
        let mut stores: Vec<_> = (0..3).map(|_| Program::start_in(directory.path(), &[], &[])).collect();
        let pids: Vec<_> = stores.iter().map(|store| store.pid().to_string()).collect();
        let sent = Command::new("kill").arg("-TERM").args(&pids).status();
        assert!(sent.is_ok_and(|status| status.success()));
        for store in &mut stores {
            assert_eq!(store.wait(END).code(), Some(0), "{}", store.log());
        }
        assert!(!own_redis_listens(), "Redis is left running");
        let stopped = stores
            .iter()
            .filter(|store| store.log().contains("stopping Redis"))
            .count();
        assert_eq!(stopped, 1);
        let killed = stores.iter().any(|store| store.log().contains("killing it"));
        assert!(!killed, "it was not stopped in order");
    }
}

#[test]
fn a_store_that_comes_while_the_last_one_leaves_has_a_redis() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let mut leaving = Program::start_in(directory.path(), &[], &[]);
    for round in 0..6 {
        leaving.signal("TERM");
        // From the very beginning of the end to after it.
        if round % 2 == 1 {
            eventually(PATIENCE, || {
                leaving.log().contains("stopping Redis") || leaving.log().contains("stays")
            });
        }
        let coming = Program::start_in(directory.path(), &[], &[]);
        assert_eq!(leaving.wait(END).code(), Some(0), "{}", leaving.log());
        coming.add("x", &[b"entry"]);
        leaving = coming;
    }
    assert_eq!(leaving.get("/streams/x").expect(200).json()["info"]["length"], 6);
    end(&mut leaving);
}

#[test]
fn a_redis_that_dies_is_started_again_once_and_all_stores_go_on() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let mut stores: Vec<_> = (0..3).map(|_| Program::start_in(directory.path(), &[], &[])).collect();
    stores[0].add("x", &[b"kept"]);
    for round in 1..=3 {
        kill_redis();
        for store in &stores {
            eventually(PATIENCE * 2, || own_redis_listens() && store.get("/ping").status == 200);
            assert_eq!(store.get("/data/x").expect(200).body, b"kept");
        }
        assert_eq!(starts(&directory.path().join("ptg-data")), round + 1);
    }
    // The one that started the last of them goes first, and the others still know when to stop it.
    for mut store in stores.drain(..2) {
        leave(&mut store);
    }
    end(&mut stores[0]);
}

#[test]
fn stores_that_start_at_the_same_instant_share_one_redis() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    for folders in [["a", "a", "a"], ["b", "c", "d"]] {
        let mut stores: Vec<Program> = scope(|scope| {
            let start = |folder| {
                let directory = directory.path();
                scope.spawn(move || Program::start_in(directory, &["--data-dir", folder], &[]))
            };
            let starting: Vec<_> = folders.iter().map(|folder| start(*folder)).collect();
            starting.into_iter().map(|one| one.join().expect("a store")).collect()
        });
        stores[0].add(folders[0], &[b"entry"]);
        for store in &stores {
            assert_eq!(store.get(&format!("/data/{}", folders[0])).expect(200).body, b"entry");
        }
        for mut store in stores.drain(..2) {
            leave(&mut store);
        }
        end(&mut stores[0]);
    }
}

#[test]
fn a_store_with_another_data_folder_shares_the_redis_that_is_there_and_is_told_so() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let mut first = Program::start_in(directory.path(), &["--data-dir", "first"], &[]);
    let mut second = Program::start_in(directory.path(), &["--data-dir", "second"], &[]);
    let log = second.log();
    let told = log.lines().find(|line| line.contains("--data-dir second is not used"));
    let first_folder = directory.path().join("first");
    assert!(
        told.is_some_and(|line| line.contains("WARN") && line.contains(&*first_folder.to_string_lossy())),
        "{log}"
    );
    assert!(!directory.path().join("second").exists());
    leave(&mut first);
    second.add("x", &[b"entry"]);
    kill_redis();
    eventually(PATIENCE * 2, || {
        own_redis_listens() && second.get("/ping").status == 200
    });
    assert_eq!(second.get("/data/x").expect(200).body, b"entry");
    end(&mut second);
}

#[test]
fn a_redis_that_hangs_does_not_keep_its_stores_from_ending_and_is_not_left_behind() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let mut first = Program::start_in(directory.path(), &[], &[]);
    let mut second = Program::start_in(directory.path(), &[], &[]);
    let pid: u32 = own_redis_is("process_id").parse().expect("a process");
    signal("STOP", pid);
    for store in [&mut first, &mut second] {
        store.signal("TERM");
        assert_eq!(store.wait(PATIENCE).code(), Some(0), "{}", store.log());
    }
    eventually(PATIENCE, || !own_redis_listens());
}

#[test]
fn a_store_that_was_stopped_while_it_ends_redis_keeps_the_next_one_waiting_for_a_time_only() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let mut first = Program::start_in(directory.path(), &[], &[]);
    let pid: u32 = own_redis_is("process_id").parse().expect("a process");
    signal("STOP", pid);
    first.signal("TERM");
    eventually(PATIENCE, || first.log().contains("stopping Redis"));
    first.signal("STOP");

    let mut command = Program::command(&["--listen", "127.0.0.1:0"]);
    command.current_dir(directory.path());
    let mut next = Running::start(command);
    // Twice the time for which a store waits for another one (docs/operations.md).
    eventually(PATIENCE * 4, || next.has_ended());
    let output = next.wait();
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    for word in ["redis.lock", &format!("kill -9 {}", first.pid()), "20s"] {
        assert!(message.contains(word), "{word} in {message}");
    }

    signal("CONT", pid);
    first.signal("CONT");
    assert_eq!(first.wait(END).code(), Some(0), "{}", first.log());
    end(&mut Program::start_in(directory.path(), &[], &[]));
}

/// Ends a store that is not the last one.
#[track_caller]
fn leave(store: &mut Program) {
    store.signal("TERM");
    assert_eq!(store.wait(END).code(), Some(0), "{}", store.log());
    assert!(own_redis_listens(), "Redis went with it: {}", store.log());
}

/// Ends the last store, and Redis must be gone with it.
#[track_caller]
pub fn end(store: &mut Program) {
    store.signal("TERM");
    assert_eq!(store.wait(END).code(), Some(0), "{}", store.log());
    assert!(!own_redis_listens(), "its Redis is still there: {}", store.log());
}

#[track_caller]
pub fn kill(store: &mut Program) {
    store.signal("KILL");
    store.wait(PATIENCE);
}

#[track_caller]
pub fn kill_redis() {
    // What was stored is flushed once a second.
    let fsynced = || own_redis_is("aof_pending_bio_fsync") == "0";
    eventually(PATIENCE, fsynced);
    let pid = own_redis_is("process_id");
    own_redis::<String>(&["PING"]);
    signal("KILL", pid.parse().expect("a process"));
    // Gone, or dead and not yet buried by its parent. Its port is free when the last of its threads has ended: they share it.
    let state = || std::fs::read_to_string(format!("/proc/{pid}/stat"));
    let threads = || std::fs::read_dir(format!("/proc/{pid}/task")).map_or(0, |threads| threads.count());
    let is_dead = || state().map_or(true, |state| state.contains(") Z "));
    eventually(PATIENCE, || is_dead() && threads() <= 1);
}

/// How often a Redis was started with its data in this folder.
fn starts(folder: &Path) -> usize {
    let log = std::fs::read_to_string(folder.join("redis.log")).expect("the log of Redis");
    log.lines().filter(|line| line.contains("is starting")).count()
}
