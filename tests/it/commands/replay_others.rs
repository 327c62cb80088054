//! `ptg-store replay` into streams that others push to: what it says it stored is there and is its own, or it says what is not
//! (docs/recording.md).

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ptg_store::recording::Writable;
use ptg_store::words::ids::{EntryId, StreamId};
use tempfile::TempDir;

use crate::harness::wire::stored_data;
use crate::harness::{PATIENCE, Redis, Shell, Store, eventually, receive_text, send_binary, text};

/// A recording of entries with these ids, `recorded <number>` each.
fn record(folder: &Path, stream: &str, ids: impl Iterator<Item = u64>) {
    let mut writable = Writable::open(folder, "http://127.0.0.1:7890").expect("a recording");
    let stream = StreamId::new(stream).expect("a stream's name");
    let (mut writer, _) = writable.writer(&stream).expect("a writer");
    for (number, ms) in ids.enumerate() {
        let entry = format!("recorded {number}");
        writer
            .append(&[(EntryId { ms, seq: 0 }, 0)], entry.as_bytes())
            .expect("to append");
    }
}

fn path(folder: &TempDir) -> &str {
    folder.path().to_str().expect("a path of text")
}

fn recorded(redis: &Redis, stream: &str) -> usize {
    let found = stored_data(redis, stream);
    found.iter().filter(|data| data.starts_with(b"recorded")).count()
}

const ENTRIES: u64 = 5000;

#[test]
fn a_raised_max_len_keeps_what_is_replayed_though_others_push_to_the_stream() {
    let redis = Redis::start();
    let (store, other) = (Store::on(&redis, &[]), Store::on(&redis, &[]));
    let folder = tempfile::tempdir().expect("a folder");
    record(folder.path(), "src", 1..=ENTRIES);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for store in [&store, &other] {
            scope.spawn(|| {
                let mut push = store.push("live", "ack=true");
                while !over.load(Ordering::Relaxed) {
                    send_binary(&mut push, b"live");
                    receive_text(&mut push);
                    std::thread::sleep(Duration::from_millis(10));
                }
            });
        }
        eventually(PATIENCE, || stored_data(&redis, "live").len() > 600);
        let arguments = [
            "replay",
            path(&folder),
            "--stream",
            "src=live",
            "--fast",
            "--raise-max-len",
        ];
        let output = Shell::of(&store).run(&arguments);
        let kept = recorded(&redis, "live");
        over.store(true, Ordering::Relaxed);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_eq!(kept as u64, ENTRIES);
    });
}

#[test]
fn what_others_have_trimmed_again_is_told_and_the_code_is_not_0() {
    let store = Store::start();
    let folder = tempfile::tempdir().expect("a folder");
    record(folder.path(), "cam", 1..=ENTRIES);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // A program that keeps 1000 entries whatever the description says.
        scope.spawn(|| {
            let mut connection = store.redis.connection();
            while !over.load(Ordering::Relaxed) {
                let mut add = redis::cmd("XADD");
                add.arg(&["cam", "MAXLEN", "1000", "*", "d", "other"]);
                let _: String = add.query(&mut connection).expect("to add");
            }
        });
        let output = Shell::of(&store).run(&["replay", path(&folder), "--fast", "--raise-max-len"]);
        over.store(true, Ordering::Relaxed);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(
            told.contains("cam: at least ") && told.contains("of the 5000 entries"),
            "{told}"
        );
    });
}

/// A replay of 1000-0 and 4000-0 that waits between them while somebody else pushes this.
fn replay_while(theirs: &[(&str, &str)]) -> (Store, std::process::Output) {
    let store = Store::start();
    let folder = tempfile::tempdir().expect("a folder");
    record(folder.path(), "cam", [1000, 4000].into_iter());
    let replay = Shell::of(&store).start(&["replay", path(&folder), "--keep-times"]);
    eventually(PATIENCE, || recorded(&store.redis, "cam") == 1);
    for (id, data) in theirs {
        let _: String = store.redis.command(&["XADD", "cam", id, "d", data]);
    }
    let output = replay.wait();
    (store, output)
}

#[test]
fn an_entry_of_somebody_else_at_a_recorded_id_is_not_counted_as_replayed() {
    for (theirs, words) in [
        ("theirs", "of 6 bytes and not 10; byte 0 is the first that differs"),
        ("recorded 7", "of 10 bytes and not 10; byte 9 is the first that differs"),
        (
            "recorded 1 and more",
            "of 19 bytes and not 10; byte 10 is the first that differs",
        ),
        ("", "of 0 bytes and not 10; byte 0 is the first that differs"),
    ] {
        let (store, output) = replay_while(&[("4000-0", theirs)]);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(
            told.contains("cam: the store has another entry 4000-0") && told.contains(words),
            "{told}"
        );
        assert_eq!(
            stored_data(&store.redis, "cam"),
            [&b"recorded 0"[..], theirs.as_bytes()]
        );
    }
}

#[test]
fn the_very_same_entry_at_a_recorded_id_is_as_good_as_replayed() {
    let (store, output) = replay_while(&[("4000-0", "recorded 1")]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout).lines().next(), Some("cam: 2 entries, 20 bytes"));
    assert_eq!(recorded(&store.redis, "cam"), 2);
}

#[test]
fn a_newer_entry_of_somebody_else_is_not_taken_for_a_recorded_one() {
    let (store, output) = replay_while(&[("4000-1", "recorded 1")]);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("4000-0 is not larger than 4000-1"), "{told}");
    assert_eq!(stored_data(&store.redis, "cam").len(), 2);
}
