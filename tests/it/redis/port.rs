//! `--own-redis-port`: a Redis of the data folder's own, on another port or on none, whatever else runs on the machine.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use rustix::fs::{FlockOperation, flock};

use crate::harness::{PATIENCE, Program, Redis, ask_redis_in, eventually, holds_within, next_port, redis_in, signal};

#[test]
fn two_stores_with_two_data_folders_run_side_by_side_each_with_a_redis_of_its_own() {
    let directory = tempfile::tempdir().expect("a directory");
    let port = next_port().to_string();
    let start =
        |folder, port| Program::start_in(directory.path(), &["--data-dir", folder, "--own-redis-port", port], &[]);
    let (mut first, mut second) = (start("first one", "0"), start("second", &port));
    first.add("x", &[b"first"]);
    second.add("x", &[b"second"]);
    let folders = ["first one", "second"].map(|folder| directory.path().join(folder));
    assert_eq!(port_in(&folders[0]), "0");
    assert_eq!(port_in(&folders[1]), port);
    for (store, folder) in [(&first, &folders[0]), (&second, &folders[1])] {
        let log = store.log();
        assert!(
            log.contains("started by us") && log.contains(&*folder.to_string_lossy()),
            "{log}"
        );
    }
    leave(&mut first);
    assert!(!listens_in(&folders[0]) && listens_in(&folders[1]));
    assert_eq!(second.get("/data/x").expect(200).body, b"second");
    leave(&mut second);
    let mut first = start("first one", "0");
    assert_eq!(first.get("/data/x").expect(200).body, b"first");
    leave(&mut first);
}

#[test]
fn stores_share_a_folder_when_their_flags_agree_and_are_refused_with_the_flag_when_not() {
    let directory = tempfile::tempdir().expect("a directory");
    let start = |arguments: &[&str]| Program::start_in(directory.path(), arguments, &[]);
    let mut first = start(&["--own-redis-port", "0"]);
    let mut second = start(&["--own-redis-port", "0"]);
    // It does not say which.
    let mut third = start(&[]);
    first.add("x", &[b"entry"]);
    for store in [&second, &third] {
        assert_eq!(store.get("/data/x").expect(200).body, b"entry");
    }
    let folder = directory.path().join("ptg-data");
    let other = next_port().to_string();
    let message = refused(directory.path(), &["--own-redis-port", &other]);
    for word in [
        folder.to_str().expect("text"),
        "no port",
        &other,
        "--own-redis-port 0",
        "--data-dir",
    ] {
        assert!(message.contains(word), "{word} in {message}");
    }
    // Who was refused left it alone.
    first.add("x", &[b"entry"]);
    leave(&mut first);
    leave(&mut second);
    third.add("x", &[b"entry"]);
    leave(&mut third);
    assert!(!listens_in(&folder));
}

#[test]
fn a_redis_that_a_killed_store_left_on_another_port_is_moved_to_the_one_that_is_wanted_with_its_data() {
    let directory = tempfile::tempdir().expect("a directory");
    let folder = directory.path().join("ptg-data");
    let port = next_port().to_string();
    let start = |port| Program::start_in(directory.path(), &["--own-redis-port", port], &[]);
    for (left, wanted) in [(&*port, "0"), ("0", &*port)] {
        let mut store = start(left);
        store.add("x", &[b"entry"]);
        eventually(PATIENCE, || is_written(&folder));
        let before = pid_in(&folder);
        store.signal("KILL");
        store.wait(PATIENCE);
        let mut store = start(wanted);
        assert_eq!(port_in(&folder), wanted);
        assert_ne!(pid_in(&folder), before);
        assert_eq!(store.get("/data/x").expect(200).body, b"entry");
        let log = store.log();
        assert!(log.contains("killed") && !log.contains("other stores"), "{log}");
        leave(&mut store);
        assert!(!listens_in(&folder));
    }
}

#[test]
fn a_port_that_is_taken_is_named_also_if_a_redis_has_it_which_is_never_used() {
    let directory = tempfile::tempdir().expect("a directory");
    let redis = Redis::start();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = listener.local_addr().expect("its address").port();
    for port in [redis.port(), taken] {
        let message = refused(directory.path(), &["--own-redis-port", &port.to_string()]);
        assert!(message.contains(&format!("port {port} is taken")), "{message}");
        assert!(message.contains("--own-redis-port"), "{message}");
    }
    assert_eq!(redis.command::<usize>(&["DBSIZE"]), 0);
    assert!(!directory.path().join("ptg-data").exists(), "a folder for nothing");
}

#[test]
fn the_flag_comes_before_a_redis_that_the_environment_names_and_not_beside_one_that_a_flag_names() {
    let directory = tempfile::tempdir().expect("a directory");
    let redis = Redis::start();
    let url = redis.url();
    let mut store = Program::start_in(directory.path(), &["--own-redis-port", "0"], &[("REDIS_URL", &url)]);
    store.add("x", &[b"entry"]);
    assert_eq!(redis.command::<usize>(&["DBSIZE"]), 0);
    leave(&mut store);
    let output = Program::run(&["--own-redis-port", "0", "--redis", &url]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(
        message.contains("--redis") && message.contains("--own-redis-port"),
        "{message}"
    );
}

#[test]
fn a_data_folder_that_a_named_redis_leaves_unused_is_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let redis = Redis::start();
    let store = Program::start_in(directory.path(), &["--redis", &redis.url(), "--data-dir", "mine"], &[]);
    assert!(store.log().contains("--data-dir mine is not used"), "{}", store.log());
    let store = Program::start_in(directory.path(), &["--redis", &redis.url()], &[]);
    assert!(!store.log().contains("is not used"), "{}", store.log());
}

#[test]
fn a_redis_that_dies_or_loses_its_socket_comes_back_where_it_was() {
    let directory = tempfile::tempdir().expect("a directory");
    let folder = directory.path().join("ptg-data");
    let port = next_port().to_string();
    for port in ["0", &port] {
        let mut store = Program::start_in(directory.path(), &["--own-redis-port", port], &[]);
        let mut pid = pid_in(&folder);
        let remove = || std::fs::remove_file(folder.join("redis.sock")).expect("to remove its socket");
        let kill = || signal("KILL", pid.parse().expect("a process"));
        let ways: [&dyn Fn(); 2] = [&kill, &remove];
        for way in ways {
            store.add("x", &[b"kept"]);
            eventually(PATIENCE, || is_written(&folder) && is_settled(&folder));
            let before = pid_in(&folder);
            way();
            let is_back = || info(&folder, "process_id").is_some_and(|pid| pid != before);
            assert!(holds_within(PATIENCE * 2, is_back), "{}", store.log());
            eventually(PATIENCE, || store.get("/ping").status == 200);
            assert_eq!(port_in(&folder), port);
        }
        pid = pid_in(&folder);
        assert_eq!(store.get("/data/x").expect(200).body, b"kept");
        leave(&mut store);
        assert!(!Path::new(&format!("/proc/{pid}")).exists(), "its Redis is still there");
    }
}

#[test]
fn a_folder_whose_path_is_too_long_for_a_socket_needs_a_port_and_is_told_so() {
    let directory = tempfile::tempdir().expect("a directory");
    let name = "a long name ".repeat(12);
    let message = refused(directory.path(), &["--own-redis-port", "0", "--data-dir", &name]);
    for word in ["too long", "107 bytes", "--own-redis-port", "--data-dir"] {
        assert!(message.contains(word), "{word} in {message}");
    }
    assert!(!directory.path().join(&name).exists(), "a folder for nothing");
    let port = next_port().to_string();
    let mut store = Program::start_in(directory.path(), &["--own-redis-port", &port, "--data-dir", &name], &[]);
    store.add("x", &[b"entry"]);
    assert!(store.log().contains(&format!("127.0.0.1:{port}")), "{}", store.log());
    leave(&mut store);
}

#[test]
fn the_doctor_examines_the_redis_in_the_data_folder_wherever_it_listens() {
    let directory = tempfile::tempdir().expect("a directory");
    let port = next_port().to_string();
    let socket = directory.path().join("ptg-data/redis.sock");
    for (port, address) in [
        ("0", socket.to_string_lossy().into_owned()),
        (&port, format!("127.0.0.1:{port}")),
    ] {
        let mut store = Program::start_in(directory.path(), &["--own-redis-port", port], &[]);
        let mut doctor = Program::command(&["doctor", "--quick", "--url", &store.url("")]);
        let said = doctor.current_dir(directory.path()).output().expect("the doctor");
        let said = String::from_utf8_lossy(&said.stdout);
        assert!(said.contains(&format!("at {address}: ")), "{said}");
        assert!(
            said.contains("what is pushed through the store is in this Redis"),
            "{said}"
        );
        leave(&mut store);
    }
}

/// What it says when it must not serve.
#[track_caller]
fn refused(directory: &Path, arguments: &[&str]) -> String {
    let mut command = Program::command(&["--listen", "127.0.0.1:0"]);
    command.args(arguments).current_dir(directory);
    refused_command(command)
}

/// The same of a command that is ready.
#[track_caller]
pub fn refused_command(mut command: Command) -> String {
    let mut running = crate::harness::Running::start({
        command.stdin(std::process::Stdio::null());
        command
    });
    if !holds_within(PATIENCE * 2, || running.has_ended()) {
        // In order, so that no Redis stays.
        signal("TERM", running.pid());
    }
    let output = running.wait();
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{message}");
    message
}

/// Ends a store in order.
#[track_caller]
pub fn leave(store: &mut Program) {
    store.signal("TERM");
    assert_eq!(store.wait(PATIENCE).code(), Some(0), "{}", store.log());
}

pub fn listens_in(folder: &Path) -> bool {
    std::os::unix::net::UnixStream::connect(folder.join("redis.sock")).is_ok()
}

#[track_caller]
fn port_in(folder: &Path) -> String {
    redis_in::<Vec<String>>(folder, &["CONFIG", "GET", "port"]).remove(1)
}

#[track_caller]
pub fn pid_in(folder: &Path) -> String {
    info(folder, "process_id").expect("its process")
}

/// A field of its INFO; none while it does not answer.
pub fn info(folder: &Path, name: &str) -> Option<String> {
    let about: String = ask_redis_in(folder, &["INFO"]).ok()?;
    let value = about
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.map(str::to_owned)
}

/// Whether nobody starts or stops its Redis, of all stores that use it.
fn is_settled(folder: &Path) -> bool {
    let lock = File::open(folder.join("redis.lock")).expect("the lock of who does");
    flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok()
}

/// Whether all that was stored is on its way to the disk: a kill costs nothing then.
pub fn is_written(folder: &Path) -> bool {
    info(folder, "aof_pending_bio_fsync").as_deref() == Some("0")
}
