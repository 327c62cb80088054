//! A `dump.rdb` alone, from a Redis of somebody's own, is read, and what is stored from then on is in an append-only file: also
//! where a store was killed meanwhile, and where Redis was.

use std::fs;

use crate::harness::{PATIENCE, Program, eventually, holds_within, redis_in, signal};
use crate::redis::port::{info, leave, pid_in, refused_command};
use crate::redis::shared::kill;
use crate::redis::written::{OWN, dump, folder};

#[test]
fn a_dump_alone_is_read_and_kept_in_an_append_only_file_from_then_on() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = folder(directory.path(), &[("dump.rdb", &dump())]);
    let mut store = Program::start_in(directory.path(), &OWN, &[]);
    assert_eq!(store.get("/data/theirs").expect(200).body, b"kept");
    assert!(store.log().contains("dump.rdb"), "{}", store.log());
    store.add("theirs", &[b"ours"]);
    let appends: Vec<String> = redis_in(&data, &["CONFIG", "GET", "appendonly"]);
    assert_eq!(appends[1], "yes");
    leave(&mut store);
    assert_eq!(fs::read(data.join("dump.rdb")).expect("their file").len(), dump().len());
    fs::remove_file(data.join("dump.rdb")).expect("to remove it");
    let mut store = Program::start_in(directory.path(), &OWN, &[]);
    assert_eq!(store.get("/streams/theirs").expect(200).json()["info"]["length"], 2);
    assert!(!store.log().contains("dump.rdb"), "{}", store.log());
    leave(&mut store);
}

#[test]
fn a_redis_that_a_killed_store_left_without_an_append_only_file_keeps_one_before_the_next_store_serves() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = folder(directory.path(), &[("dump.rdb", &dump())]);
    let start = || Program::start_in(directory.path(), &OWN, &[]);
    let appends = || redis_in::<Vec<String>>(&data, &["CONFIG", "GET", "appendonly"]).remove(1);
    // As if it had been killed while its Redis read the dump.
    let mut first = start();
    let before = pid_in(&data);
    redis_in::<()>(&data, &["CONFIG", "SET", "appendonly", "no"]);
    fs::remove_dir_all(data.join("appendonlydir")).expect("to remove it");
    kill(&mut first);
    let mut store = start();
    assert_eq!((pid_in(&data), appends()), (before, "yes".into()), "{}", store.log());
    store.add("theirs", &[b"ours"]);
    // One that joins sees to it, too.
    redis_in::<()>(&data, &["CONFIG", "SET", "appendonly", "no"]);
    let mut joined = start();
    assert_eq!(appends(), "yes", "{}", joined.log());
    leave(&mut store);
    leave(&mut joined);
    fs::remove_file(data.join("dump.rdb")).expect("to remove it");
    let mut store = start();
    assert_eq!(store.get("/streams/theirs").expect(200).json()["info"]["length"], 2);
    leave(&mut store);
}

#[test]
fn a_dump_that_redis_reads_when_it_is_started_again_is_told_and_kept_in_an_append_only_file_too() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut store = Program::start_in(directory.path(), &OWN, &[]);
    let data = directory.path().join("ptg-data");
    store.add("x", &[b"saved"]);
    redis_in::<()>(&data, &["SAVE"]);
    fs::rename(data.join("appendonlydir"), directory.path().join("elsewhere")).expect("to move it");
    let before = pid_in(&data);
    signal("KILL", before.parse().expect("a process"));
    let enabled = || info(&data, "aof_enabled").is_some_and(|enabled| enabled == "1");
    let is_back = || info(&data, "process_id").is_some_and(|pid| pid != before) && enabled();
    assert!(holds_within(PATIENCE * 2, is_back), "{}", store.log());
    assert!(store.log().contains("dump.rdb alone"), "{}", store.log());
    eventually(PATIENCE, || store.get("/ping").status == 200);
    store.add("x", &[b"since"]);
    leave(&mut store);
    let mut store = Program::start_in(directory.path(), &OWN, &[]);
    assert_eq!(store.get("/streams/x").expect(200).json()["info"]["length"], 2);
    leave(&mut store);
}

#[test]
fn a_dump_that_cannot_be_read_ends_the_start_with_the_words_of_redis_and_stays() {
    let directory = tempfile::tempdir().expect("a directory");
    let cut = &dump()[..dump().len() / 2];
    let data = folder(directory.path(), &[("dump.rdb", cut)]);
    for _ in 0..2 {
        let mut command = Program::command(&["--listen", "127.0.0.1:0"]);
        command.args(OWN).current_dir(directory.path());
        let message = refused_command(command);
        assert!(
            message.contains("redis.log") && message.to_lowercase().contains("rdb"),
            "{message}"
        );
        assert_eq!(fs::read(data.join("dump.rdb")).expect("the data"), cut);
        assert!(!data.join("appendonlydir").exists() && !data.join("appendonly.aof").exists());
    }
}

#[test]
fn a_dump_that_is_newer_than_the_append_only_file_beside_it_is_told_not_to_be_read() {
    let directory = tempfile::tempdir().expect("a directory");
    let start = || Program::start_in(directory.path(), &OWN, &[]);
    let mut store = start();
    store.add("x", &[b"entry"]);
    leave(&mut store);
    fs::write(directory.path().join("ptg-data/dump.rdb"), dump()).expect("a backup that is put back");
    let mut store = start();
    assert!(store.log().contains("dump.rdb is not read"), "{}", store.log());
    assert_eq!(store.get("/data/x").expect(200).body, b"entry");
    leave(&mut store);
}
