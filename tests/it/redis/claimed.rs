//! A data folder has one Redis that writes to it, however that was started: a second one is refused with who the first one is.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::fs::{FlockOperation, flock};

use crate::harness::{PATIENCE, Program, Running, eventually, next_port, own_redis_listens, real_server, take_turn};
use crate::redis::port::{is_written, leave, listens_in, pid_in, refused_command};

const OWN: [&str; 2] = ["--own-redis-port", "0"];

#[test]
fn a_folder_in_which_a_redis_by_hand_writes_is_refused_with_its_process_and_nothing_is_written_beside_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = private_folder(directory.path());
    for appends in ["yes", "no"] {
        let port = next_port();
        let mut by_hand = Command::new(real_server());
        by_hand.args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            appends,
        ]);
        by_hand
            .arg("--dir")
            .arg(&data)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let mut by_hand = Running::start(by_hand);
        let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).expect("its address");
        let ping = || redis::cmd("PING").exec(&mut client.get_connection()?);
        eventually(PATIENCE, || ping().is_ok());
        let before = listing(&data);
        let message = refused(directory.path());
        for word in [
            &format!("the process {}", by_hand.pid()),
            &*data.to_string_lossy(),
            "--redis",
            "--data-dir",
        ] {
            assert!(message.contains(word), "{word} in {message}");
        }
        let added: Vec<_> = listing(&data)
            .into_iter()
            .filter(|name| !before.contains(name))
            .collect();
        assert!(
            added.iter().all(|name| ["redis.lock", "redis.ours"].contains(&&**name)),
            "{added:?}"
        );
        assert!(!by_hand.has_ended());
    }
    // They are gone.
    let mut store = Program::start_in(directory.path(), &OWN, &[]);
    store.assert_serves();
    leave(&mut store);
}

#[test]
fn a_folder_that_another_machine_uses_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = private_folder(directory.path());
    // Over a network file system, this lock is all that is seen of a Redis elsewhere.
    let mark = File::create(data.join("redis.ours")).expect("its mark");
    flock(&mark, FlockOperation::NonBlockingLockExclusive).expect("its lock");
    let message = refused(directory.path());
    for word in ["another machine", &*data.to_string_lossy(), "--data-dir"] {
        assert!(message.contains(word), "{word} in {message}");
    }
    assert!(!data.join("appendonlydir").exists() && !data.join("appendonly.aof").exists());
    drop(mark);
    leave(&mut Program::start_in(directory.path(), &OWN, &[]));
}

#[test]
fn a_redis_in_another_container_that_has_the_folder_is_told_from_one_that_can_be_shared() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut store = Program::start_in(directory.path(), &OWN, &[]);
    // Only root may be elsewhere, and not in every container.
    let elsewhere = ["--pid", "--fork", "--kill-child", "--mount-proc"];
    let may = Command::new("unshare").args(elsewhere).arg("true").output();
    if may.is_ok_and(|output| output.status.success()) {
        let mut command = Program::by(
            "unshare",
            &elsewhere,
            &[&["--listen", "127.0.0.1:0"], &OWN[..]].concat(),
        );
        command.current_dir(directory.path());
        let message = refused_command(command);
        assert!(message.contains("another container"), "{message}");
    }
    store.assert_serves();
    leave(&mut store);
}

#[test]
fn a_redis_that_a_store_started_holds_its_folder_when_its_socket_and_its_store_are_gone() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("ptg-data");
    let mut store = Program::start_in(directory.path(), &OWN, &[]);
    let pid = pid_in(&data);
    store.add("x", &[b"kept"]);
    eventually(PATIENCE, || is_written(&data));
    store.signal("KILL");
    store.wait(PATIENCE);
    fs::rename(data.join("redis.sock"), directory.path().join("elsewhere")).expect("to hide its socket");
    let message = refused(directory.path());
    assert!(message.contains(&format!("kill {pid}")), "{message}");
    fs::rename(directory.path().join("elsewhere"), data.join("redis.sock")).expect("to put it back");
    let mut store = Program::start_in(directory.path(), &OWN, &[]);
    assert_eq!(
        (store.get("/data/x").expect(200).body, pid_in(&data)),
        (b"kept".to_vec(), pid)
    );
    leave(&mut store);
    assert!(!listens_in(&data));
}

#[test]
fn somebody_who_only_looks_around_in_the_folder_is_in_nobodys_way() {
    let directory = tempfile::tempdir().expect("a directory");
    leave(&mut Program::start_in(directory.path(), &OWN, &[]));
    let data = directory.path().join("ptg-data");
    let mut reader = Command::new("sh");
    reader
        .args(["-c", "exec tail -f appendonlydir/* redis.log"])
        .current_dir(&data);
    let _reader = Running::start({
        reader.stdout(Stdio::null()).stderr(Stdio::null());
        reader
    });
    let mut store = Program::start_in(directory.path(), &OWN, &[]);
    store.assert_serves();
    leave(&mut store);
}

#[test]
fn the_scripts_neither_start_a_second_redis_in_a_folder_nor_stop_one_that_a_store_would_start_again() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("ptg-data");
    let with_dir = ["--dir", data.to_str().expect("text")];
    let mut store = Program::start_in(directory.path(), &OWN, &[]);
    let message = script("redis-start.sh", &with_dir).expect_err("a refusal");
    assert!(message.contains("ptg-data") && message.contains("already"), "{message}");
    leave(&mut store);

    let mut by_hand = Command::new(script_path("redis-start.sh"));
    by_hand
        .args(with_dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut by_hand = Running::start(by_hand);
    eventually(PATIENCE, own_redis_listens);
    let message = refused(directory.path());
    assert!(message.contains(&format!("the process {}", by_hand.pid())), "{message}");
    script("redis-stop.sh", &[]).expect("to stop it");
    eventually(PATIENCE, || by_hand.has_ended());

    let mut store = Program::start_in(directory.path(), &[], &[]);
    let message = script("redis-stop.sh", &[]).expect_err("a refusal");
    assert!(message.contains("end the store"), "{message}");
    assert!(own_redis_listens());
    leave(&mut store);
    script("redis-stop.sh", &[]).expect("nothing to stop");
}

#[test]
fn the_script_does_not_start_an_empty_redis_beside_a_dump() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("dump.rdb"), "REDIS0009").expect("a dump");
    let message =
        script("redis-start.sh", &["--dir", directory.path().to_str().expect("text")]).expect_err("a refusal");
    assert!(
        message.contains("dump.rdb") && message.contains("--data-dir"),
        "{message}"
    );
}

#[test]
fn the_script_runs_a_server_that_the_folder_names_only_where_nobody_else_could_have_named_or_put_it_there() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let data = private_folder(directory.path());
    let out = directory.path().join("ran");
    let program = |folder: &str, name: &str, mode| {
        let path = directory.path().join(folder).join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("to make it");
        fs::write(&path, format!("#!/bin/sh\necho \"$0\" >'{}'\n", out.display())).expect("a program");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("to have it run");
        path
    };
    let usual = program("usual", "redis-server", 0o755);
    let last = program("last", "valkey-server", 0o755);
    let run = || {
        let mut command = Command::new(script_path("redis-start.sh"));
        let paths = format!("{}:{}", usual.parent().expect("a folder").display(), env!("PATH"));
        command.arg("--dir").arg(&data).env("PATH", paths).stdin(Stdio::null());
        let output = command.output().expect("to run the script");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let ran = fs::read_to_string(&out).unwrap_or_default();
        let _ = fs::remove_file(&out);
        (ran.trim_end().to_owned(), said)
    };
    for (named, mode, runs) in [
        (&last, 0o600, true),
        (&last, 0o620, false),
        (&last, 0o602, false),
        (&program("others", "run-me", 0o755), 0o600, false),
        (&program("open", "redis-server", 0o757), 0o600, false),
        (&program("ptg-data", "redis-server", 0o755), 0o600, false),
        (&directory.path().join("nowhere/redis-server"), 0o600, false),
    ] {
        let record = data.join("redis.server");
        fs::write(&record, format!("Valkey 97.1.2\n{}\n", named.display())).expect("a record");
        fs::set_permissions(&record, Permissions::from_mode(mode)).expect("to open it");
        let (ran, said) = run();
        let wanted = if runs { named } else { &usual };
        assert_eq!(Path::new(&ran), wanted, "{} {mode:o}: {said}", named.display());
    }
    // A link has the script write elsewhere.
    fs::remove_file(data.join("redis.ours")).expect("to remove it");
    std::os::unix::fs::symlink(directory.path().join("theirs"), data.join("redis.ours")).expect("a link");
    let (ran, said) = run();
    assert!(ran.is_empty() && said.contains("is a link"), "{ran} {said}");
    assert!(!directory.path().join("theirs").exists());
    fs::remove_file(data.join("redis.ours")).expect("to remove it");
    // Only root may give a folder away.
    if std::os::unix::fs::chown(&data, Some(1), None).is_ok() {
        let (ran, said) = run();
        assert!(ran.is_empty() && said.contains("another account"), "{ran} {said}");
        assert!(!data.join("redis.ours").exists());
    }
}

fn private_folder(directory: &Path) -> std::path::PathBuf {
    let data = directory.join("ptg-data");
    fs::create_dir(&data).expect("a folder");
    fs::set_permissions(&data, Permissions::from_mode(0o700)).expect("to close it");
    data
}

fn listing(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder");
    entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect()
}

/// What a store says that must not serve with the folder here.
#[track_caller]
fn refused(directory: &Path) -> String {
    let mut command = Program::command(&["--listen", "127.0.0.1:0"]);
    command.args(OWN).current_dir(directory);
    refused_command(command)
}

fn script_path(name: &str) -> String {
    format!("{}/scripts/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Runs a script to its end; the error is what it said.
fn script(name: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(script_path(name))
        .args(arguments)
        .stdin(Stdio::null())
        .output();
    let output = output.expect("to run the script");
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}
