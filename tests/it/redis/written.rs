//! The data in a folder is read by the server that wrote it, or by one that can; what cannot be read is never shadowed by an
//! empty Redis, and the sentence says who wrote it and what to do.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{PATIENCE, Program, Redis, Servers, eventually, redis_in};
use crate::redis::port::{info, leave, refused_command};

pub const OWN: [&str; 2] = ["--own-redis-port", "0"];

/// Servers of which nobody knows what they read: the data of this machine's server, whichever it is, too.
const REDIS: &str = "Redis server v=98.0.0";
const VALKEY: &str = "Valkey server v=97.1.2";

/// The part that Redis begins with, until it writes it anew.
const BASE: &str = "appendonly.aof.1.base.rdb";

/// What Valkey 9 writes when it starts for the first time.
const VALKEY_9: &[u8] = b"VALKEY080\xfa\x0avalkey-ver\x059.1.2\xfa\x0aredis-bits\xc0\x40\xff";

#[test]
fn the_server_that_wrote_a_folder_is_used_again_though_another_is_found_first() {
    let directory = tempfile::tempdir().expect("a directory");
    let (first, later) = (
        Servers::new(&[("valkey-server", VALKEY)]),
        Servers::new(&[("redis-server", REDIS)]),
    );
    for servers in [&first, &later] {
        let mut store = Program::start_in(directory.path(), &OWN, &[("PATH", servers.path())]);
        store.add("x", &[b"entry"]);
        assert!(!store.log().contains("was written by"), "{}", store.log());
        leave(&mut store);
    }
    assert_eq!((first.starts("valkey-server"), later.starts("redis-server")), (2, 0));
    let record = fs::read_to_string(directory.path().join("ptg-data/redis.server")).expect("a record");
    assert_eq!(
        record,
        format!("Valkey 97.1.2\n{}\n", first.program("valkey-server").display())
    );
    // One that is killed is followed by the same.
    let mut store = Program::start_in(directory.path(), &OWN, &[("PATH", later.path())]);
    assert_eq!(store.get("/streams/x").expect(200).json()["info"]["length"], 2);
    leave(&mut store);
    // It is gone: the other one can read what is there, which is told, and is the one from now on.
    fs::remove_file(first.program("valkey-server")).expect("to remove it");
    for told in [true, false] {
        let mut store = Program::start_in(directory.path(), &OWN, &[("PATH", later.path())]);
        assert_eq!(store.get("/streams/x").expect(200).json()["info"]["length"], 2);
        let log = store.log();
        assert_eq!(
            log.contains("was written by Valkey 97.1.2") && log.contains("Redis 98.0.0"),
            told,
            "{log}"
        );
        leave(&mut store);
    }
}

#[test]
fn of_servers_that_are_new_to_a_folder_one_of_the_kind_that_wrote_it_comes_first() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = folder(directory.path(), &[("dump.rdb", &dump())]);
    let both = Servers::new(&[("redis-server", REDIS), ("valkey-server", VALKEY)]);
    fs::write(data.join("redis.server"), "Valkey 8.0.1\n/nowhere/valkey-server\n").expect("a record");
    let mut store = Program::start_in(directory.path(), &OWN, &[("PATH", both.path())]);
    leave(&mut store);
    assert_eq!((both.starts("redis-server"), both.starts("valkey-server")), (0, 1));
}

#[test]
fn one_that_was_replaced_by_another_version_in_its_place_gives_way_to_the_one_that_wrote_the_folder() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = folder(directory.path(), &[("dump.rdb", &dump())]);
    let here = Servers::new(&[("redis-server", REDIS)]);
    let both = Servers::new(&[("valkey-server", VALKEY), ("redis-server", "Redis server v=99.0.0")]);
    let record = format!("Redis 99.0.0\n{}\n", here.program("redis-server").display());
    fs::write(data.join("redis.server"), record).expect("a record");
    leave(&mut Program::start_in(directory.path(), &OWN, &[("PATH", both.path())]));
    assert_eq!((here.starts("redis-server"), both.starts("redis-server")), (0, 1));
}

#[test]
fn what_a_newer_server_wrote_is_refused_before_the_start_with_who_wrote_it_and_what_to_do() {
    let old = Servers::new(&[("redis-server", "Redis server v=7.0.15")]);
    for (name, bytes) in [
        ("appendonlydir/appendonly.aof.1.base.rdb", VALKEY_9),
        ("dump.rdb", VALKEY_9),
        ("appendonly.aof", VALKEY_9),
        ("dump.rdb", b"REDIS0012\xfa\x09redis-ver\x058.0.2\xff"),
    ] {
        let directory = tempfile::tempdir().expect("a directory");
        let data = folder(directory.path(), &[(name, bytes)]);
        let message = refused(directory.path(), old.path());
        let writer = if bytes == VALKEY_9 {
            "Valkey 9.1.2"
        } else {
            "Redis 8.0.2"
        };
        let server = old.program("redis-server");
        for word in [
            writer,
            "Redis 7.0.15",
            "cannot read it",
            "--data-dir",
            &server.to_string_lossy(),
            &data.to_string_lossy(),
        ] {
            assert!(message.contains(word), "{word} in {message}");
        }
        assert_eq!(old.starts("redis-server"), 0);
        assert_eq!(fs::read(data.join(name)).expect("the data"), bytes, "it was changed");
    }
}

#[test]
fn a_server_that_does_not_see_an_append_only_file_in_parts_is_not_started_beside_it() {
    let directory = tempfile::tempdir().expect("a directory");
    folder(
        directory.path(),
        &[("appendonlydir/appendonly.aof.1.base.rdb", &dump())],
    );
    let old = Servers::new(&[("redis-server", "Redis server v=6.2.14")]);
    let message = refused(directory.path(), old.path());
    assert!(
        message.contains("Redis 6.2.14") && message.contains("in parts"),
        "{message}"
    );
    assert_eq!(old.starts("redis-server"), 0);
}

#[test]
fn what_nobody_knows_is_tried_and_the_words_of_redis_tell_why_it_failed() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = folder(
        directory.path(),
        &[("dump.rdb", b"REDIS0999\xfa\x09redis-ver\x0699.0.0\xff")],
    );
    let unknown = Servers::new(&[("redis-server", REDIS)]);
    let message = refused(directory.path(), unknown.path());
    for word in ["RDB format version 999", "redis.log", "redis-server"] {
        assert!(message.contains(word), "{word} in {message}");
    }
    assert_eq!(unknown.starts("redis-server"), 1);
    assert!(!data.join("redis.server").exists(), "who failed did not write it");
}

#[test]
fn a_record_never_has_a_program_run_that_is_not_a_known_server_or_that_others_could_have_put_there() {
    let directory = tempfile::tempdir().expect("a directory");
    let servers = Servers::new(&[("redis-server", REDIS)]);
    let planted = Servers::new(&[("redis-server", VALKEY), ("run-me", VALKEY)]);
    fs::set_permissions(planted.program("redis-server"), Permissions::from_mode(0o777)).expect("to open it");
    let data = folder(directory.path(), &[]);
    let inside = data.join("redis-server");
    fs::copy(servers.program("redis-server"), &inside).expect("a program in the folder");
    for program in [
        planted.program("redis-server"),
        planted.program("run-me"),
        inside,
        PathBuf::from("redis-server"),
    ] {
        fs::write(
            data.join("redis.server"),
            format!("Valkey 97.1.2\n{}\n", program.display()),
        )
        .expect("a record");
        let mut store = Program::start_in(directory.path(), &OWN, &[("PATH", servers.path())]);
        store.assert_serves();
        leave(&mut store);
    }
    assert_eq!(planted.starts("redis-server") + planted.starts("run-me"), 0);
    assert!(!data.join("redis-server.starts").exists());
    // One that others could write to is not believed at all.
    let trusted = Servers::new(&[("valkey-server", VALKEY)]);
    let record = format!("Valkey 97.1.2\n{}\n", trusted.program("valkey-server").display());
    for (mode, starts) in [(0o666, 0), (0o600, 1)] {
        fs::write(data.join("redis.server"), &record).expect("a record");
        fs::set_permissions(data.join("redis.server"), Permissions::from_mode(mode)).expect("to open it");
        leave(&mut Program::start_in(
            directory.path(),
            &OWN,
            &[("PATH", servers.path())],
        ));
        assert_eq!(trusted.starts("valkey-server"), starts, "{mode:o}");
    }
}

#[test]
fn strange_records_are_as_good_as_none() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = folder(directory.path(), &[]);
    for record in [
        &b""[..],
        b"\n\n",
        b"Redis\n",
        b"Valkey 9.1.2",
        b"\xff\xfe\n/usr/bin/redis-server",
        &[b'x'; 100_000],
    ] {
        fs::write(data.join("redis.server"), record).expect("a record");
        let mut store = Program::start_in(directory.path(), &OWN, &[]);
        store.assert_serves();
        leave(&mut store);
        let written = fs::read_to_string(data.join("redis.server")).expect("a record");
        assert!(
            written.starts_with("Redis ") || written.starts_with("Valkey "),
            "{written}"
        );
    }
}

#[test]
fn parts_that_redis_would_begin_anew_beside_are_refused() {
    for name in ["lab.aof.manifest", "appendonly.aof.1.incr.aof"] {
        let directory = tempfile::tempdir().expect("a directory");
        let data = folder(directory.path(), &[]);
        let parts = data.join("appendonlydir");
        fs::create_dir(&parts).expect("a folder");
        fs::write(parts.join(name), "file lab.aof.1.base.rdb seq 1 type b\n").expect("a part");
        let mut command = Program::command(&["--listen", "127.0.0.1:0"]);
        command.args(OWN).current_dir(directory.path());
        let message = refused_command(command);
        assert!(message.contains(name) && message.contains("--data-dir"), "{message}");
        assert_eq!(
            fs::read_dir(&parts).expect("the parts").count(),
            1,
            "something was put beside it"
        );
    }
}

#[test]
fn little_data_that_lost_its_manifest_is_refused_and_stays() {
    let directory = tempfile::tempdir().expect("a directory");
    let parts = directory.path().join("ptg-data/appendonlydir");
    let mut store = Program::start_in(directory.path(), &OWN, &[]);
    store.add("x", &[b"entry"]);
    let data = directory.path().join("ptg-data");
    redis_in::<()>(&data, &["BGREWRITEAOF"]);
    let is_written = || info(&data, "aof_rewrites").as_deref() == Some("1") && !parts.join(BASE).exists();
    eventually(PATIENCE, is_written);
    leave(&mut store);
    fs::remove_file(parts.join("appendonly.aof.manifest")).expect("to lose it");
    let before = fs::read(parts.join("appendonly.aof.2.base.rdb")).expect("the data");
    assert!(before.len() < 512, "this is not little");
    let mut command = Program::command(&["--listen", "127.0.0.1:0"]);
    command.args(OWN).current_dir(directory.path());
    let message = refused_command(command);
    assert!(message.contains("appendonly.aof.2.base.rdb"), "{message}");
    assert_eq!(
        fs::read(parts.join("appendonly.aof.2.base.rdb")).expect("the data"),
        before
    );
    // What a Redis leaves that is killed in its very first start is in nobody's way.
    fs::remove_dir_all(&parts).expect("to remove it");
    let mut store = Program::start_in(directory.path(), &OWN, &[]);
    leave(&mut store);
    fs::remove_file(parts.join("appendonly.aof.manifest")).expect("to lose it");
    leave(&mut Program::start_in(directory.path(), &OWN, &[]));
}

#[test]
fn a_store_is_not_held_up_by_a_server_that_does_not_tell_its_version() {
    let directory = tempfile::tempdir().expect("a directory");
    let servers = Servers::new(&[("redis-server", "")]);
    let mut store = Program::start_in(directory.path(), &OWN, &[("PATH", servers.path())]);
    store.assert_serves();
    leave(&mut store);
    assert!(!directory.path().join("ptg-data/redis.server").exists());
}

/// A data folder with these files; a manifest stands beside a part.
pub fn folder(directory: &Path, files: &[(&str, &[u8])]) -> PathBuf {
    let data = directory.join("ptg-data");
    fs::create_dir(&data).expect("a data folder");
    fs::set_permissions(&data, Permissions::from_mode(0o700)).expect("to close it");
    for (name, bytes) in files {
        if let Some(part) = name.strip_prefix("appendonlydir/") {
            fs::create_dir(data.join("appendonlydir")).expect("a folder");
            let manifest = format!("file {part} seq 1 type b\n");
            fs::write(data.join("appendonlydir/appendonly.aof.manifest"), manifest).expect("a manifest");
        }
        fs::write(data.join(name), bytes).expect("a file");
    }
    data
}

/// A dump of this machine's server, with an entry in the stream `theirs`.
pub fn dump() -> Vec<u8> {
    static DUMP: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    DUMP.get_or_init(|| {
        let redis = Redis::start();
        redis.command::<()>(&["XADD", "theirs", "1-1", "d", "kept"]);
        redis.command::<()>(&["SAVE"]);
        fs::read(redis.directory().join("dump.rdb")).expect("its dump")
    })
    .clone()
}

/// What a store says that finds these servers alone, and must not serve.
#[track_caller]
fn refused(directory: &Path, path: &str) -> String {
    let mut command: Command = Program::command(&["--listen", "127.0.0.1:0"]);
    command.args(OWN).current_dir(directory).env("PATH", path);
    refused_command(command)
}
