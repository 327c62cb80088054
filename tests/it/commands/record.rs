//! `ptg-store record`: what comes is in the folder, once, in order, and a summary says so.

use std::path::Path;

use serde_json::Value;

use crate::harness::{PATIENCE, Redis, Shell, Store, count_recorded, eventually, recorded, text};

/// Entries that a store has, with their ids.
fn filled(store: &Store, stream: &str, count: usize) -> Vec<(String, Vec<u8>)> {
    let entries: Vec<Vec<u8>> = (0..count)
        .map(|number| format!("{stream} {number}").into_bytes())
        .collect();
    let slices: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
    store.add(stream, &slices).into_iter().zip(entries).collect()
}

/// Waits until a recorder pulls so many streams.
#[track_caller]
fn await_pulls(store: &Store, count: usize) {
    eventually(PATIENCE, || {
        store.metric("ptg_sockets_open{kind=\"pull\"}") as usize == count
    });
}

fn path(folder: &tempfile::TempDir) -> &str {
    folder.path().to_str().expect("a path of text")
}

#[test]
fn what_comes_is_recorded_until_ctrl_c_and_a_summary_says_so() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let folder = tempfile::tempdir().expect("a folder");
    store.add("cam", &[b"from before"]);
    let recorder = shell.start(&["record", "cam", "mic", "--out", path(&folder)]);
    await_pulls(&store, 2);
    let (cam, mic) = (filled(&store, "cam", 3), filled(&store, "mic", 2));
    eventually(PATIENCE, || {
        count_recorded(folder.path(), "cam") == 3 && count_recorded(folder.path(), "mic") == 2
    });
    let output = recorder.interrupt();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(
        text(&output.stdout),
        "cam: 3 entries, 15 bytes, 0 gaps\nmic: 2 entries, 10 bytes, 0 gaps\n"
    );
    assert_eq!(text(&output.stderr), "");
    assert_eq!(recorded(folder.path(), "cam"), cam);
    assert_eq!(recorded(folder.path(), "mic"), mic);
}

#[test]
fn it_goes_on_where_it_ended_and_no_entry_comes_twice() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let folder = tempfile::tempdir().expect("a folder");
    let arguments = [
        "record",
        "cam",
        "--out",
        path(&folder),
        "--from",
        "first",
        "--until",
        "latest",
    ];
    let mut all = filled(&store, "cam", 5);
    let (said, _) = shell.do_well(&arguments);
    assert_eq!(said, "cam: 5 entries, 25 bytes, 0 gaps\n");
    all.extend(filled(&store, "cam", 2));
    let (said, told) = shell.do_well(&arguments);
    assert_eq!(said, "cam: 2 entries, 10 bytes, 0 gaps, behind 5 entries from before\n");
    assert!(told.contains(&format!("goes on behind {}", all[4].0)), "{told}");
    let (said, _) = shell.do_well(&arguments);
    assert!(said.starts_with("cam: 0 entries"), "{said}");
    assert_eq!(recorded(folder.path(), "cam"), all);
}

#[test]
fn it_begins_and_ends_where_it_is_told() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let all = filled(&store, "cam", 6);
    let cases: &[(&[&str], std::ops::Range<usize>)] = &[
        (&["--from", "first", "--until", "latest"], 0..6),
        (&["--from", &all[1].0, "--until", &all[4].0], 2..5),
        (&["--from", "-1h", "--until", &all[0].0], 0..1),
        (&["--from", "2020-01-01", "--until", "2020-01-02"], 0..0),
        (&["--from", "first", "--duration", "0"], 0..0),
        (&["--from", "first", "--until", "latest", "--sync", "--quiet"], 0..6),
    ];
    for (flags, expected) in cases {
        let folder = tempfile::tempdir().expect("a folder");
        let (said, told) = shell.do_well(&[&["record", "cam", "--out", path(&folder)], *flags].concat());
        // With no time at all, nothing or everything may have come.
        if !flags.contains(&"--duration") {
            assert_eq!(recorded(folder.path(), "cam"), all[expected.clone()], "{flags:?}");
        }
        assert_eq!(
            (said.is_empty(), told.is_empty()),
            (flags.contains(&"--quiet"), true),
            "{told}"
        );
    }
}

#[test]
fn any_bytes_and_any_name_can_be_recorded() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let folder = tempfile::tempdir().expect("a folder");
    let large = vec![0xa5; 3 << 20];
    let entries: [&[u8]; 5] = [b"", &[0, 255, 10, 13, 0], &large, b"", "käse".as_bytes()];
    let names = ["..", "a b", "流%2F", "c:\\d", "x+y"];
    for name in names {
        store.add(name, &entries);
    }
    let mut arguments = vec!["record", "--out", path(&folder), "--from", "first", "--until", "latest"];
    arguments.extend(names);
    shell.do_well(&arguments);
    for name in names {
        let recorded: Vec<Vec<u8>> = recorded(folder.path(), name)
            .into_iter()
            .map(|(_, bytes)| bytes)
            .collect();
        assert_eq!(recorded, entries, "{name}");
    }
}

#[test]
fn what_was_trimmed_before_it_could_be_recorded_is_a_gap_that_is_told_and_kept() {
    let store = Store::on(&Redis::start(), &["--max-len", "100"]);
    let shell = Shell::of(&store);
    let folder = tempfile::tempdir().expect("a folder");
    let arguments = [
        "record",
        "cam",
        "--out",
        path(&folder),
        "--from",
        "first",
        "--until",
        "latest",
    ];
    let first = filled(&store, "cam", 10);
    shell.do_well(&arguments);
    let rest = filled(&store, "cam", 1000);
    let oldest: Vec<Value> = serde_json::from_str(
        store
            .get("/data/cam?last_entry_id=0")
            .header("entry-offset")
            .expect("the offsets"),
    )
    .expect("JSON");
    let oldest = oldest[0][0].as_str().expect("an id").to_owned();
    let (said, told) = shell.do_well(&arguments);
    assert!(said.contains(", 1 gap, behind 10 entries"), "{said}");
    assert!(told.contains("a gap") && told.contains(&oldest), "{told}");
    let kept = rest.iter().skip_while(|(id, _)| *id != oldest).cloned();
    let all: Vec<_> = first.iter().cloned().chain(kept).collect();
    assert!(all.len() > 100 && all.len() < 1010, "{}", all.len());
    assert_eq!(recorded(folder.path(), "cam"), all);
    let gaps = std::fs::read_to_string(folder.path().join("gaps.jsonl")).expect("the gaps");
    let gap: Value = serde_json::from_str(&gaps).expect("one line of JSON");
    assert_eq!(
        (&gap["stream"], &gap["after"]),
        (&"cam".into(), &first[9].0.as_str().into())
    );
    assert_eq!(gap["before"], oldest);
    let (checked, _) = shell.do_well(&["replay", path(&folder), "--check"]);
    assert!(checked.contains("1 gap"), "{checked}");
}

#[test]
fn a_second_recorder_on_the_same_folder_is_refused() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let folder = tempfile::tempdir().expect("a folder");
    let recorder = shell.start(&["record", "cam", "--out", path(&folder)]);
    await_pulls(&store, 1);
    for stream in ["cam", "mic"] {
        let output = shell.run(&["record", stream, "--out", path(&folder)]);
        assert_eq!(output.status.code(), Some(1));
        let told = text(&output.stderr);
        assert!(
            told.contains("another recorder") && told.contains(path(&folder)),
            "{told}"
        );
    }
    let entries = filled(&store, "cam", 1);
    eventually(PATIENCE, || count_recorded(folder.path(), "cam") == 1);
    let (checked, _) = shell.do_well(&["replay", path(&folder), "--check"]);
    assert!(checked.starts_with("cam: 1 entry, 5 bytes, "), "{checked}");
    assert!(recorder.interrupt().status.success());
    assert_eq!(recorded(folder.path(), "cam"), entries);
}

#[test]
fn what_makes_no_sense_or_cannot_be_is_one_sentence_and_a_code() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let strange = tempfile::tempdir().expect("a folder");
    std::fs::write(strange.path().join("notes.txt"), "mine").expect("a file");
    let newer = tempfile::tempdir().expect("a folder");
    let about = r#"{"format":"ptg-store recording","version":9,"store":"","begun":"","streams":{}}"#;
    std::fs::write(newer.path().join("recording.json"), about).expect("a file");
    let good = tempfile::tempdir().expect("a folder");
    store.redis.command::<()>(&["SET", "text", "no stream"]);
    let cases: &[(&[&str], i32, &str)] = &[
        (&["cam"], 2, "--out"),
        (&["--out", path(&good)], 2, "stream"),
        (&["a/b", "--out", path(&good)], 2, "a/b"),
        (
            &["cam", "--out", path(&good), "--from", "yesterday"],
            2,
            "--from yesterday",
        ),
        (&["cam", "--out", path(&good), "--until", "+1"], 2, "--until +1"),
        (&["cam", "--out", path(&good), "--duration", "long"], 2, "--duration"),
        (&["cam", "--out", path(&good), "--url", "https://x"], 2, "https"),
        (&["cam", "--out", path(&good), "--token", "nonsense"], 3, "401"),
        (
            &[
                "cam",
                "--out",
                path(&good),
                "--url",
                "http://127.0.0.1:1",
                "--token",
                "x",
                "--retry",
                "0",
            ],
            4,
            "127.0.0.1:1",
        ),
        (&["text", "--out", path(&good)], 1, "not a stream"),
        (&["cam", "--out", path(&strange)], 1, "notes.txt"),
        (&["cam", "--out", path(&newer)], 1, "version"),
        (&["cam", "--out", "/dev/null"], 1, "/dev/null"),
        (&["cam", "--out", "/proc/nowhere"], 1, "/proc/nowhere"),
    ];
    for (arguments, code, named) in cases {
        let output = shell.run(&[&["record"], *arguments].concat());
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(*code), "{arguments:?}: {told}");
        assert!(
            told.contains(named) && !told.contains("panicked"),
            "{arguments:?}: {told}"
        );
    }
    assert!(Path::new(path(&strange)).read_dir().expect("the folder").count() == 1);
}

#[test]
fn of_a_stream_that_was_never_there_the_summary_says_so() {
    let store = Store::start();
    let shell = Shell::of(&store);
    store.add("load", &[b"entry"]);
    store.put("/streams/empty?desc=nothing").expect(200);
    let printed = shell.print(&["record", "laod", "empty", "none", "--out", "r", "--duration", "300ms"]);
    assert_eq!(
        printed,
        "empty: 0 entries, 0 bytes, 0 gaps\n\
         laod: 0 entries, 0 bytes, 0 gaps; there is no such stream; did you mean 'load'?\n\
         none: 0 entries, 0 bytes, 0 gaps; there is no such stream\n"
    );
}

#[test]
fn that_nobody_reads_the_summary_does_not_matter() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let folder = tempfile::tempdir().expect("a folder");
    let mut recorder = shell.start(&["record", "cam", "--out", path(&folder)]);
    recorder.close_stdout();
    await_pulls(&store, 1);
    let output = recorder.interrupt();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
}
