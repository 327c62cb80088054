//! `ptg-store record '*'`: every stream, those that come later among them (docs/recording.md).

use serde_json::Value;

use crate::commands::push_ends::fails;
use crate::harness::wire::{OPEN_PULLS, stored};
use crate::harness::{PATIENCE, Redis, Shell, Store, count_recorded, eventually, recorded, text};

/// What `recording.json` names.
fn streams(folder: &std::path::Path) -> Vec<String> {
    let about = std::fs::read(folder.join("recording.json")).expect("recording.json");
    let about: Value = serde_json::from_slice(&about).expect("JSON");
    about["streams"].as_object().expect("streams").keys().cloned().collect()
}

#[test]
fn streams_that_come_later_are_recorded_from_their_first_entry_and_those_before_from_now() {
    let store = Store::start();
    let shell = Shell::of(&store);
    store.add("before", &[b"old"]);
    store.put("/streams/empty?desc=still").expect(200);
    let folder = shell.home().join("take");
    let record = shell.start(&["record", "*", "--out", "take"]);
    eventually(PATIENCE, || store.metric(OPEN_PULLS) >= 2.0);
    store.add("before", &[b"new"]);
    store.add("empty", &[b"first"]);
    store.add("-later & more", &[b"one", b"two"]);
    store.add("another", &[b"x"]);
    let all = [("before", 1), ("empty", 1), ("-later & more", 2), ("another", 1)];
    for (stream, count) in all {
        eventually(PATIENCE, || count_recorded(&folder, stream) == count);
    }
    store.add("another", &[b"y"]);
    eventually(PATIENCE, || count_recorded(&folder, "another") == 2);
    let output = record.interrupt();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(text(&output.stderr), "");
    let summary = "-later & more: 2 entries, 6 bytes, 0 gaps\nanother: 2 entries, 2 bytes, 0 gaps\n\
                   before: 1 entry, 3 bytes, 0 gaps\nempty: 1 entry, 5 bytes, 0 gaps\n";
    assert_eq!(text(&output.stdout), summary);
    assert_eq!(recorded(&folder, "before")[0].1, b"new");
    assert_eq!(recorded(&folder, "another"), stored(&store.redis, "another"));
}

#[test]
fn all_streams_up_to_now_are_recorded_and_it_ends() {
    let store = Store::start();
    let shell = Shell::of(&store);
    store.add("a", &[b"1", b"2"]);
    store.add("b", &[b"3"]);
    let (printed, _) = shell.do_well(&["record", "*", "--out", "take", "--from", "first", "--until", "latest"]);
    assert_eq!(printed, "a: 2 entries, 2 bytes, 0 gaps\nb: 1 entry, 1 byte, 0 gaps\n");
    // It goes on where it ended, with a stream that is named twice and one that is not there.
    store.add("c", &[b"4"]);
    store.add("a", &[b"5"]);
    let arguments = [
        "record", "a", "*", "none", "--out", "take", "--from", "first", "--until", "latest",
    ];
    let (printed, _) = shell.do_well(&arguments);
    let expected = "a: 1 entry, 1 byte, 0 gaps, behind 2 entries from before\nb: 0 entries, 0 bytes, 0 gaps, behind 1 \
                    entry from before\nc: 1 entry, 1 byte, 0 gaps\nnone: 0 entries, 0 bytes, 0 gaps; there is no such stream\n";
    assert_eq!(printed, expected);
    assert_eq!(streams(&shell.home().join("take")), ["a", "b", "c", "none"]);
    // A store without streams has nothing up to now, and something in a second.
    let store = Store::start();
    let shell = Shell::of(&store);
    assert_eq!(shell.print(&["record", "*", "--out", "none", "--until", "latest"]), "");
    assert_eq!(
        shell.print(&["record", "*", "--out", "none", "--duration", "300ms"]),
        ""
    );
    fails(&shell.run(&["record", "--out", "none"]), 2, "'*' is all of them");
}

#[test]
fn one_that_cannot_be_read_is_left_out_and_told_and_the_others_go_on() {
    let redis = Redis::start();
    for stream in ["cam", "hidden"] {
        redis.command::<String>(&["XADD", stream, "*", "d", "entry"]);
    }
    let url = redis.url_of_lab(&["+@all", "~cam*", "~XMETA:cam*"]);
    let store = Store::at(&url, &redis, &[]);
    let shell = Shell::of(&store);
    let folder = shell.home().join("take");
    let record = shell.start(&["record", "*", "--out", "take", "--from", "first"]);
    eventually(PATIENCE, || count_recorded(&folder, "cam") == 1);
    store.add("cam1", &[b"new"]);
    eventually(PATIENCE, || count_recorded(&folder, "cam1") == 1);
    let output = record.interrupt();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.matches("hidden: ").count(), 1, "{said}");
    assert!(said.contains("it is left out, and the others go on"), "{said}");
    assert!(text(&output.stdout).contains("hidden: 0 entries"), "{output:?}");
    // One that was asked for by its name is not left out.
    let named = shell.run(&["record", "*", "hidden", "--out", "other", "--from", "first"]);
    assert_eq!(named.status.code(), Some(1), "{named:?}");
    assert!(text(&named.stderr).contains("which ends the recording"), "{named:?}");
}

#[test]
fn a_stream_that_is_deleted_and_comes_again_is_a_gap_and_both_are_recorded() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let folder = shell.home().join("take");
    store.add("s", &[b"one"]);
    store.add("kept", &[b"x"]);
    let record = shell.start(&["record", "*", "--out", "take", "--from", "first"]);
    let pulls = || store.metric(OPEN_PULLS);
    eventually(PATIENCE, || {
        count_recorded(&folder, "s") == 1 && count_recorded(&folder, "kept") == 1
    });
    store.delete("/streams/s").expect(200);
    // Its socket is given back, so that streams that come and go do not use them up.
    eventually(PATIENCE * 2, || pulls() == 1.0);
    store.add("s", &[b"two", b"three"]);
    eventually(PATIENCE, || count_recorded(&folder, "s") == 3);
    let output = record.interrupt();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let summary = text(&output.stdout);
    assert!(summary.contains("s: 3 entries, 11 bytes, 1 gap\n"), "{summary}");
    let data: Vec<Vec<u8>> = recorded(&folder, "s").into_iter().map(|(_, data)| data).collect();
    assert_eq!(data, [&b"one"[..], b"two", b"three"]);
    let gaps = std::fs::read_to_string(folder.join("gaps.jsonl")).expect("gaps.jsonl");
    assert_eq!(gaps.lines().count(), 1, "{gaps}");
}

#[test]
fn what_a_new_stream_trimmed_before_it_was_seen_is_a_gap_that_is_told_and_kept() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let folder = shell.home().join("take");
    store.add("before", &[b"x"]);
    let record = shell.start(&["record", "*", "--out", "take", "--from", "first"]);
    eventually(PATIENCE, || count_recorded(&folder, "before") == 1);
    let lines: String = (0..20_000).map(|number| format!("{number}\n")).collect();
    let pushed = shell.feed(&["push", "new", "--lines"], lines.as_bytes());
    assert_eq!(pushed.status.code(), Some(0), "{pushed:?}");
    // The last one is there, and what came before is recorded or told.
    let newest = || recorded(&folder, "new").pop().map(|(_, data)| data);
    eventually(PATIENCE, || {
        count_recorded(&folder, "new") > 0 && newest().as_deref() == Some(b"19999")
    });
    let output = record.interrupt();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let entries = recorded(&folder, "new");
    let gaps = std::fs::read_to_string(folder.join("gaps.jsonl")).unwrap_or_default();
    let gaps: Vec<Value> = gaps
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert!(
        entries.len() < 20_000 && !gaps.is_empty(),
        "{} and {gaps:?}",
        entries.len()
    );
    assert_eq!(gaps[0]["stream"], "new");
    // Each jump in what was pushed is a gap, and no other: the first one before all entries, if it is not there.
    let number = |data: &[u8]| -> usize { text(data).parse().expect("a number") };
    let mut expected = 0;
    let mut jumps = Vec::new();
    for (id, data) in &entries {
        if number(data) != expected {
            jumps.push(id.clone());
        }
        expected = number(data) + 1;
    }
    let told: Vec<&str> = gaps.iter().filter_map(|gap| gap["before"].as_str()).collect();
    assert_eq!(told, jumps);
    if number(&entries[0].1) > 0 {
        assert_eq!(gaps[0]["after"], "0-0");
    }
    let said = text(&output.stderr);
    assert_eq!(said.matches("new: a gap: ").count(), gaps.len(), "{said}");
    let summary = text(&output.stdout);
    let counted = format!("{} gap", gaps.len());
    assert!(
        summary
            .lines()
            .any(|line| line.starts_with("new: ") && line.contains(&counted)),
        "{summary}"
    );
}

#[test]
fn a_stream_that_comes_again_and_is_trimmed_before_it_is_seen_has_a_gap_at_its_beginning() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let folder = shell.home().join("take");
    store.add("s", &[b"one"]);
    let record = shell.start(&["record", "*", "--out", "take", "--from", "first"]);
    eventually(PATIENCE, || count_recorded(&folder, "s") == 1);
    store.delete("/streams/s").expect(200);
    eventually(PATIENCE * 2, || store.metric(OPEN_PULLS) == 0.0);
    // As it comes in one instant, with most of it gone already.
    let add = "for i = 1, 20 do redis.call('XADD', KEYS[1], '*', 'd', i) end redis.call('XTRIM', KEYS[1], 'MAXLEN', 5)";
    let _: redis::Value = store.redis.command(&["EVAL", add, "1", "s"]);
    eventually(PATIENCE, || count_recorded(&folder, "s") == 6);
    let output = record.interrupt();
    let told = text(&output.stderr);
    assert!(told.contains("after 0-0 and before "), "{told}");
    assert!(
        text(&output.stdout).contains("s: 6 entries, 13 bytes, 2 gaps\n"),
        "{output:?}"
    );
}

#[test]
fn more_streams_than_are_recorded_at_once_are_told_by_name_and_the_others_are_recorded() {
    let redis = Redis::start();
    let mut connection = redis.connection();
    for number in 0..502 {
        let add = redis::cmd("XADD")
            .arg(format!("s{number:03}"))
            .arg("*")
            .arg("d")
            .arg("x")
            .to_owned();
        add.exec(&mut connection).expect("to add");
    }
    let store = Store::on(&redis, &[]);
    let shell = Shell::of(&store);
    let record = ["record", "*", "--out", "take", "--from", "first", "--until", "latest"];
    let output = shell.run(&record);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("s500 is left out: more than 500 streams"), "{said}");
    assert_eq!(said.matches("left out").count(), 2, "{said}");
    assert_eq!(text(&output.stdout).matches(": 1 entry, ").count(), 500);
    // They are recorded once there is room, which those give that are gone.
    let folder = shell.home().join("other");
    let record = shell.start(&["record", "*", "--out", "other", "--from", "first"]);
    eventually(PATIENCE * 4, || count_recorded(&folder, "s499") == 1);
    store.delete("/streams/s000?force=true").expect(200);
    eventually(PATIENCE * 4, || count_recorded(&folder, "s500") == 1);
    let output = record.interrupt();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stderr).contains("s500 is recorded now"), "{output:?}");
    assert_eq!(text(&output.stdout).matches(": 1 entry, ").count(), 501);
}
