//! What cannot be replayed is one sentence and a code, and nothing of it is in the store.

use std::fs;

use crate::harness::wire::stored_data;
use crate::harness::{Running, Shell, Store, text};
use tempfile::TempDir;

/// A recording of a stream with three entries.
fn recording(store: &Store) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    store.add("cam", &[b"one", b"two", b"three"]);
    let out = path(&folder);
    Shell::of(store).do_well(&["record", "cam", "--out", out, "--from", "first", "--until", "latest"]);
    store.delete("/streams/cam").expect(200);
    folder
}

fn path(folder: &TempDir) -> &str {
    folder.path().to_str().expect("a path of text")
}

#[track_caller]
fn refused(store: &Store, arguments: &[&str], code: i32, named: &str) {
    let shell = Shell::of(store);
    let output = shell.run(&[&["replay"], arguments].concat());
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
    assert!(
        told.contains(named) && !told.contains("panicked"),
        "{arguments:?}: {told}"
    );
    assert_eq!(store.get("/streams/").json(), serde_json::json!([]), "{arguments:?}");
}

#[test]
fn flags_that_make_no_sense_are_refused() {
    let store = Store::start();
    let folder = recording(&store);
    let good = path(&folder);
    let cases: &[(&[&str], i32, &str)] = &[
        (&[], 2, "folder"),
        (&[good, "--keep-times", "--loop"], 2, "--loop contradict"),
        (&[good, "--speed", "-1"], 2, "--speed"),
        (&[good, "--speed", "inf"], 2, "--speed"),
        (&[good, "--speed", "NaN"], 2, "--speed"),
        (&[good, "--stream", "mic"], 2, "it has cam"),
        (&[good, "--stream", "cam", "--stream", "cam=x"], 2, "twice"),
        (&[good, "--stream", "cam="], 2, "bytes"),
        (&[good, "--stream", "cam=a/b"], 2, "a/b"),
        (&[good, "--prefix", "XMETA:"], 2, "XMETA:"),
        (&[good, "--from", "yesterday"], 2, "--from yesterday"),
        (&[good, "--from", "$"], 2, "--from $"),
        (&[good, "--until", "latest"], 2, "--until latest"),
        (&[good, "--from", "2999-01-01"], 1, "nothing to replay"),
        (
            &[good, "--url", "http://127.0.0.1:1", "--token", "x", "--retry", "0"],
            4,
            "127.0.0.1:1",
        ),
        (&[good, "--token", "nonsense"], 3, "401"),
    ];
    for (arguments, code, named) in cases {
        refused(&store, arguments, *code, named);
    }
}

#[test]
fn folders_that_are_no_sound_recordings_are_refused() {
    let store = Store::start();
    let folder = recording(&store);
    let index = fs::read(folder.path().join("cam.index")).expect("the index");
    let empty = tempfile::tempdir().expect("a folder");
    let with_index = |bytes: &[u8]| fs::write(folder.path().join("cam.index"), bytes).expect("to write");
    refused(&store, &[path(&empty)], 1, "not a recording");
    refused(&store, &["/no/such/folder"], 1, "/no/such/folder");
    refused(&store, &["/dev/null"], 1, "/dev/null");
    // Records in the wrong order; nothing but noise.
    with_index(&[&index[40..80], &index[..40], &index[80..]].concat());
    refused(&store, &[path(&folder), "--fast"], 1, "cam.index");
    with_index(&[7; 4000]);
    refused(&store, &[path(&folder), "--fast"], 1, "nothing to replay");
    with_index(&index);
    fs::write(folder.path().join("recording.json"), "{}").expect("to write");
    refused(&store, &[path(&folder)], 1, "recording.json");
}

#[test]
fn a_damaged_entry_ends_it_and_what_was_before_is_there() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let folder = recording(&store);
    fs::write(folder.path().join("cam.data"), "oneTwothree").expect("to write");
    let output = shell.run(&["replay", path(&folder), "--fast"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("cam.data"), "{}", text(&output.stderr));
    let stored: Vec<(String, Vec<String>)> = store.redis.command(&["XRANGE", "cam", "-", "+"]);
    assert_eq!((stored.len(), stored[0].1[1].as_str()), (1, "one"));
}

/// A disk that is full, say, where the output goes.
#[test]
fn what_failed_is_told_also_where_its_output_cannot_be_written() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let folder = recording(&store);
    let told = || {
        let mut command = shell.command(&["replay", path(&folder), "--fast"]);
        command.stdout(fs::File::create("/dev/full").expect("the device"));
        let output = Running::start(command).wait();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        text(&output.stderr)
    };
    let told_alone = told();
    assert!(told_alone.contains("No space left"), "{told_alone}");
    assert_eq!(
        stored_data(&store.redis, "cam"),
        [b"one".to_vec(), b"two".to_vec(), b"three".to_vec()]
    );
    fs::write(folder.path().join("cam.data"), "oneTwothree").expect("to write");
    let told = told();
    assert!(told.contains("cam.data"), "{told}");
}

#[test]
fn a_damaged_record_ends_it_and_what_was_before_is_there_as_it_was() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let folder = recording(&store);
    let file = folder.path().join("cam.index");
    let index = fs::read(&file).expect("the index");
    let flipped: Vec<u8> = index[40..80].iter().map(|byte| !byte).collect();
    for (records, whole) in [
        ([&index[..40], &index[80..], &[]], vec![&b"one"[..]]),
        ([&index[..80], &index[40..80], &[]], vec![b"one", b"two"]),
        ([&index[..40], &flipped, &index[80..]], vec![b"one"]),
    ] {
        fs::write(&file, records.concat()).expect("to write");
        let output = shell.run(&["replay", path(&folder), "--fast"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("cam.index"), "{}", text(&output.stderr));
        assert_eq!(stored_data(&store.redis, "cam"), whole);
        store.delete("/streams/cam").expect(200);
    }
}

#[test]
fn a_torn_end_is_told_and_left_out() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let folder = recording(&store);
    fs::write(folder.path().join("cam.data"), "onetwothre").expect("to write");
    let (said, told) = shell.do_well(&["replay", path(&folder), "--fast"]);
    assert_eq!(said, "cam: 2 entries, 6 bytes\n");
    assert!(
        told.contains("4 bytes of data and 40 bytes of index") && told.contains("torn"),
        "{told}"
    );
}
