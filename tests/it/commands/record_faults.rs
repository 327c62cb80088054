//! A recorder, a store or a Redis that ends in the middle: what is recorded is a beginning without holes, and goes on.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use crate::harness::{PATIENCE, Redis, Shell, Store, count_recorded, eventually, recorded, text};

/// Longer than a store or a Redis takes to restart, and a client to notice.
const RESTART: Duration = Duration::from_secs(30);

/// All entries that a Redis has of a stream.
fn kept(redis: &Redis, stream: &str) -> Vec<(String, Vec<u8>)> {
    let range: Vec<(String, Vec<Vec<u8>>)> = redis.command(&["XRANGE", stream, "-", "+"]);
    range
        .into_iter()
        .map(|(id, mut fields)| (id, fields.remove(1)))
        .collect()
}

/// Adds entries of all sizes straight to Redis until it is told to end.
fn add_until(redis: &Redis, stream: &str, ended: &AtomicBool) {
    let mut connection = redis.connection();
    for number in 0.. {
        if ended.load(Relaxed) {
            return;
        }
        let entry = format!("{number} ").repeat(1 + number % 700);
        redis::cmd("XADD")
            .arg(stream)
            .arg("*")
            .arg("d")
            .arg(entry)
            .exec(&mut connection)
            .expect("to add");
        // Not all at once: the recorder is to come along, and Redis to keep it all.
        if number % 16 == 0 {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

#[test]
fn killed_at_any_moment_it_leaves_a_beginning_without_holes_and_goes_on() {
    let redis = Redis::start();
    let store = Store::on(&redis, &["--max-len", "1000000"]);
    let shell = Shell::of(&store);
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_str().expect("a path of text");
    let ended = AtomicBool::new(false);
    let record = ["record", "busy", "--out", out, "--from", "first"];
    thread::scope(|scope| {
        scope.spawn(|| add_until(&redis, "busy", &ended));
        for round in 1..=12 {
            let before = count_recorded(folder.path(), "busy");
            let recorder = shell.start(&record);
            eventually(PATIENCE, || count_recorded(folder.path(), "busy") > before + round * 7);
            drop(recorder);
            let recorded = recorded(folder.path(), "busy");
            let kept = kept(&redis, "busy");
            assert!(
                recorded.len() as u64 > before && kept.starts_with(&recorded),
                "round {round}"
            );
        }
        ended.store(true, Relaxed);
    });
    shell.do_well(&[&record[..], &["--until", "latest"]].concat());
    assert_eq!(recorded(folder.path(), "busy"), kept(&redis, "busy"));
    let (checked, _) = shell.do_well(&["replay", out, "--check"]);
    assert!(checked.contains("0 gaps"), "{checked}");
}

/// Records over an interruption: everything is there, once.
#[track_caller]
fn records_over(folder: &Path, store: &mut Store, interrupt: impl FnOnce(&mut Store)) {
    let shell = Shell::of(store);
    let out = folder.to_str().expect("a path of text");
    let mut ids = store.add("cam", &[b"one", b"two"]);
    let recorder = shell.start(&["record", "cam", "--out", out, "--from", "first"]);
    eventually(PATIENCE, || count_recorded(folder, "cam") == 2);
    interrupt(store);
    eventually(RESTART, || store.get("/ping").status == 200);
    ids.extend(store.add("cam", &[b"three"]));
    eventually(RESTART, || count_recorded(folder, "cam") == 3);
    let output = recorder.interrupt();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let entries = [&b"one"[..], b"two", b"three"].map(<[u8]>::to_vec);
    let expected: Vec<_> = ids.into_iter().zip(entries).collect();
    assert_eq!(recorded(folder, "cam"), expected);
}

#[test]
fn a_restart_of_the_store_is_outlived() {
    let redis = Redis::start();
    let mut store = Store::on(&redis, &[]);
    let folder = tempfile::tempdir().expect("a folder");
    records_over(folder.path(), &mut store, |store| {
        let address = store.addr().to_string();
        store.stop();
        *store = Store::on(&redis, &["--listen", &address]);
    });
}

#[test]
fn a_restart_of_redis_is_outlived() {
    let redis = Redis::start_durable();
    let mut store = Store::on(&redis, &[]);
    let folder = tempfile::tempdir().expect("a folder");
    records_over(folder.path(), &mut store, |store| {
        store.redis.kill();
        store.redis.restart();
    });
}

#[test]
fn one_stream_that_fails_ends_all_and_what_came_is_there() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_str().expect("a path of text");
    let recorder = shell.start(&["record", "cam", "mic", "--out", out, "--from", "first"]);
    store.add("cam", &[b"one"]);
    eventually(PATIENCE, || count_recorded(folder.path(), "cam") == 1);
    // No stream can be there any more.
    store.redis.command::<()>(&["SET", "mic", "text"]);
    let output = recorder.wait();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("mic"), "{}", text(&output.stderr));
    assert!(
        text(&output.stdout).contains("cam: 1 entry, 3 bytes"),
        "{}",
        text(&output.stdout)
    );
    assert_eq!(recorded(folder.path(), "cam").len(), 1);
}
