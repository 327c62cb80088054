//! `ptg-store replay`: what was recorded is in the store again, in order, not sooner than it is due.

use std::path::Path;
use std::time::{Duration, Instant};

use ptg_store::recording::Writable;
use ptg_store::words::ids::{EntryId, StreamId};
use tempfile::TempDir;

use crate::harness::{PATIENCE, Redis, Running, Shell, Store, eventually, text};

/// An entry: seconds and thousandths since the recording's beginning, and its bytes.
type Timed<'a> = (u64, &'a str);

/// A recording made by hand, so that its times are known.
fn recording(streams: &[(&str, &[Timed])]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let mut writable = Writable::open(folder.path(), "http://127.0.0.1:7890").expect("a recording");
    for (name, entries) in streams {
        let stream = StreamId::new(*name).expect("a stream's name");
        let (mut writer, _) = writable.writer(&stream).expect("a writer");
        for (ms, entry) in *entries {
            let id = EntryId {
                ms: 1_600_000_000_000 + ms,
                seq: 0,
            };
            writer.append(&[(id, 0)], entry.as_bytes()).expect("to append");
        }
    }
    folder
}

fn path(folder: &TempDir) -> &str {
    folder.path().to_str().expect("a path of text")
}

/// Ids and bytes of what a stream has in Redis.
fn found(redis: &Redis, stream: &str) -> Vec<(EntryId, String)> {
    let range: Vec<(String, Vec<String>)> = redis.command(&["XRANGE", stream, "-", "+"]);
    let entries = range.into_iter();
    entries
        .map(|(id, mut fields)| (id.parse().expect("an id"), fields.remove(1)))
        .collect()
}

fn bytes(redis: &Redis, stream: &str) -> Vec<String> {
    found(redis, stream).into_iter().map(|(_, bytes)| bytes).collect()
}

#[test]
fn streams_are_replayed_with_the_spacing_they_had_and_new_times() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let folder = recording(&[("cam", &[(0, "one"), (600, "three")]), ("mic", &[(300, "two")])]);
    let begun = Instant::now();
    let (said, told) = shell.do_well(&["replay", path(&folder)]);
    // An entry may be late, and is never early.
    assert!(begun.elapsed() >= Duration::from_millis(600));
    assert_eq!(said, "cam: 2 entries, 8 bytes\nmic: 1 entry, 3 bytes\n");
    assert_eq!(told, "");
    assert_eq!(bytes(&store.redis, "cam"), ["one", "three"]);
    assert_eq!(bytes(&store.redis, "mic"), ["two"]);
    assert!(
        found(&store.redis, "cam")[0].0.ms > 1_700_000_000_000,
        "a time of today"
    );
}

#[test]
fn a_speed_shortens_the_waits_and_no_speed_takes_them_away() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let folder = recording(&[("cam", &[(0, "one"), (2000, "two")])]);
    let begun = Instant::now();
    shell.do_well(&["replay", path(&folder), "--speed", "4"]);
    assert!(begun.elapsed() >= Duration::from_millis(500));
    // An hour long.
    let folder = recording(&[("cam", &[(0, "three"), (3_600_000, "four")])]);
    for fast in [&["--fast"][..], &["--speed", "0"], &["--speed", "1000000"]] {
        shell.do_well(&[&["replay", path(&folder)], fast].concat());
    }
    let once = ["three", "four"].repeat(3);
    assert_eq!(bytes(&store.redis, "cam"), [vec!["one", "two"], once].concat());
}

#[test]
fn streams_can_be_chosen_and_renamed() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let folder = recording(&[("cam", &[(0, "c")]), ("mic", &[(0, "m")]), ("a=b", &[(0, "ab")])]);
    let streams = || {
        let mut keys: Vec<String> = store.redis.command(&["KEYS", "*"]);
        keys.sort();
        store.redis.command::<()>(&["FLUSHALL"]);
        keys
    };
    let cases: &[(&[&str], &[&str])] = &[
        (&[], &["a=b", "cam", "mic"]),
        (&["--stream", "cam"], &["cam"]),
        (&["--stream", "cam=x", "--stream", "a=b"], &["a=b", "x"]),
        (
            &["--prefix", "again/".trim_end_matches('/')],
            &["againa=b", "againcam", "againmic"],
        ),
        (
            &["--stream", "mic=cam", "--stream", "cam=mic", "--prefix", "2-"],
            &["2-cam", "2-mic"],
        ),
    ];
    for (flags, expected) in cases {
        let (said, _) = shell.do_well(&[&["replay", path(&folder), "--fast"], *flags].concat());
        assert_eq!(said.lines().count(), expected.len(), "{said}");
        assert_eq!(streams(), *expected, "{flags:?}");
    }
}

#[test]
fn a_part_can_be_replayed() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let entries = [(0, "a"), (1000, "b"), (2000, "c"), (3000, "d")];
    let folder = recording(&[("cam", &entries)]);
    let cases: &[(&[&str], &[&str])] = &[
        (&["--from", "1600000001000-0"], &["c", "d"]),
        (&["--from", "2020-09-13T12:26:41Z"], &["b", "c", "d"]),
        (&["--until", "1600000001000-0"], &["a", "b"]),
        (&["--until", "2020-09-13T12:26:42Z"], &["a", "b", "c"]),
        (
            &["--from", "2020-09-13T12:26:41Z", "--until", "2020-09-13T12:26:42.500Z"],
            &["b", "c"],
        ),
        (&["--from", "first", "--until", "2020-09-14"], &["a", "b", "c", "d"]),
    ];
    for (flags, expected) in cases {
        shell.do_well(&[&["replay", path(&folder), "--fast"], *flags].concat());
        assert_eq!(bytes(&store.redis, "cam"), *expected, "{flags:?}");
        store.redis.command::<()>(&["FLUSHALL"]);
    }
}

#[test]
fn a_loop_repeats_until_ctrl_c_and_says_when_the_store_begins_to_trim() {
    let store = Store::on(&Redis::start(), &["--max-len", "5"]);
    let shell = Shell::of(&store);
    let folder = recording(&[("cam", &[(0, "a"), (10, "b")])]);
    let replay = shell.start(&["replay", path(&folder), "--loop"]);
    eventually(PATIENCE, || store.metric("ptg_entries_in_total{via=\"push\"}") > 9.0);
    let output = replay.interrupt();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let (said, told) = (text(&output.stdout), text(&output.stderr));
    assert!(
        said.starts_with("cam: ") && said.contains("the store trims about"),
        "{said}"
    );
    assert!(told.contains("keeps 5 entries"), "{told}");
    let pairs = bytes(&store.redis, "cam").concat();
    assert!(
        pairs
            .trim_start_matches('b')
            .trim_end_matches('a')
            .replace("ab", "")
            .is_empty(),
        "{pairs}"
    );
}

#[test]
fn ctrl_c_ends_it_before_its_end_and_it_says_how_far_it_came() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let folder = recording(&[("cam", &[(0, "one"), (3_600_000, "an hour later")])]);
    let replay = shell.start(&["replay", path(&folder)]);
    eventually(PATIENCE, || bytes(&store.redis, "cam") == ["one"]);
    let output = replay.interrupt();
    assert_eq!(output.status.code(), Some(130));
    assert!(text(&output.stdout).starts_with("cam: "), "{}", text(&output.stdout));
    assert_eq!(text(&output.stderr), "ptg-store replay: interrupted\n");
}

#[test]
fn a_stream_that_keeps_too_little_is_told_with_the_command_that_mends_it() {
    let store = Store::on(&Redis::start(), &["--max-len", "100"]);
    let shell = Shell::of(&store);
    let many: Vec<String> = (0..1000).map(|number| format!("entry {number}")).collect();
    let many: Vec<Timed> = many
        .iter()
        .enumerate()
        .map(|(ms, entry)| (ms as u64, entry.as_str()))
        .collect();
    let folder = recording(&[("cam", &many)]);
    store
        .put("/streams/cam?desc=left%20eye&meta=%7B%22fps%22%3A30%7D")
        .expect(200);
    store.add("cam", &[b"from before"]);
    let (said, told) = shell.do_well(&["replay", path(&folder), "--fast"]);
    assert!(told.contains("1000 entries") && told.contains("keeps 100"), "{told}");
    assert!(said.contains("trims about 900"), "{said}");
    let length: u64 = store.redis.command(&["XLEN", "cam"]);
    assert!(length < 300, "{length}");
    // The command does it, and changes nothing else.
    let (_, command) = told.trim_end().split_once("mends that, or: ").expect("a command");
    let pasted = Running::start(shell.script(command)).wait();
    assert!(pasted.status.success(), "{command}: {pasted:?}");
    let described = |max_len: u64| {
        let meta = &store.get("/streams/cam").expect(200).json()["meta"];
        assert_eq!(
            (&meta["description"], &meta["metadata"]["fps"]),
            (&"left eye".into(), &30.into())
        );
        assert_eq!(meta["max_len"], max_len);
    };
    described(1000 + 1);
    let (said, told) = shell.do_well(&["replay", path(&folder), "--fast"]);
    assert_eq!((said.as_str(), told.as_str()), ("cam: 1000 entries, 8890 bytes\n", ""));
}

#[test]
fn a_stream_can_be_made_to_keep_everything() {
    let store = Store::on(&Redis::start(), &["--max-len", "100"]);
    let shell = Shell::of(&store);
    let many: Vec<Timed> = (0..1000).map(|ms| (ms, "entry")).collect();
    let folder = recording(&[("cam", &many), ("mic", &[(0, "one")])]);
    let (_, told) = shell.do_well(&["replay", path(&folder), "--fast", "--raise-max-len"]);
    assert_eq!(
        told,
        "ptg-store replay: cam: the store keeps 1000 entries of it from now on\n"
    );
    let length: u64 = store.redis.command(&["XLEN", "cam"]);
    assert_eq!(length, 1000);
    assert!(
        store.get("/streams/mic").json()["meta"]
            .as_object()
            .is_some_and(|meta| meta.is_empty())
    );
}

#[test]
fn a_restart_of_the_store_loses_nothing() {
    let redis = Redis::start();
    let mut store = Store::on(&redis, &["--max-len", "1000000"]);
    let shell = Shell::of(&store);
    let entries: Vec<String> = (0..2000).map(|number| number.to_string()).collect();
    let timed: Vec<Timed> = entries
        .iter()
        .enumerate()
        .map(|(ms, entry)| (ms as u64, entry.as_str()))
        .collect();
    let folder = recording(&[("cam", &timed)]);
    let replay = shell.start(&["replay", path(&folder)]);
    eventually(PATIENCE, || redis.command::<u64>(&["XLEN", "cam"]) > 100);
    let address = store.addr().to_string();
    store.stop();
    let store = Store::on(&redis, &["--listen", &address, "--max-len", "1000000"]);
    let output = replay.wait();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let mut all = bytes(&store.redis, "cam");
    // What was stored and not acknowledged may be there twice.
    all.sort_by_key(|entry| entry.parse::<usize>().expect("a number"));
    all.dedup();
    assert!(all == entries, "{} of {}", all.len(), entries.len());
}

#[test]
fn a_recording_that_is_checked_is_told_stream_by_stream() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let folder = recording(&[("cam", &[(0, "one"), (1000, "two")]), ("mic", &[])]);
    let (said, told) = shell.do_well(&["replay", path(&folder), "--check"]);
    let expected = "cam: 2 entries, 6 bytes, 2020-09-13T12:26:40.000Z to 2020-09-13T12:26:41.000Z, 0 gaps\n\
                    mic: 0 entries, 0 bytes, 0 gaps\n";
    assert_eq!((said.as_str(), told.as_str()), (expected, ""));
    let checked = |change: &dyn Fn(&Path), named: &str| {
        change(folder.path());
        let output = shell.run(&["replay", path(&folder), "--check"]);
        let said = text(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(named), "{said}");
    };
    let data = |bytes: &str| {
        let bytes = bytes.to_owned();
        move |folder: &Path| std::fs::write(folder.join("cam.data"), &bytes).expect("to write")
    };
    checked(
        &data("onetwothr"),
        "cam: 3 bytes of data and 0 bytes of index at its end are torn",
    );
    checked(
        &data("one"),
        "cam: 0 bytes of data and 40 bytes of index at its end are torn",
    );
    checked(
        &data("onEtwo"),
        "cam: entry 1600000000000-0, record 0 of the index, is damaged",
    );
    checked(
        &|folder| std::fs::remove_file(folder.join("mic.index")).expect("to remove"),
        "mic.index",
    );
}
