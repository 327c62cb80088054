//! `ptg-store pull`: entries as they are, in every shape, each once, across anything that restarts (docs/command-line.md).

use std::collections::HashMap;
use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use crate::harness::wire::{OPEN_PULLS, add, numbers, stored};
use crate::harness::{PATIENCE, Program, Redis, Running, Shell, Store, eventually, next_port};

#[test]
fn entries_come_out_as_they_are_or_with_a_line_end() {
    let store = Store::start();
    let shell = Shell::of(&store);
    add(&store.redis, "s", &[&b"one"[..], b"\xff\n\0", b"", b"last"]);
    let pull = |more: &[&str]| {
        let output = shell.run(&[&["pull", "s", "--from", "first", "--count", "4"], more].concat());
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        output.stdout
    };
    assert_eq!(pull(&[]), b"one\xff\n\0last");
    assert_eq!(pull(&["--lines"]), b"one\n\xff\n\0\n\nlast\n");
}

#[test]
fn json_is_a_line_an_entry_as_the_store_writes_it() {
    let store = Store::start();
    let shell = Shell::of(&store);
    add(
        &store.redis,
        "s",
        &[&b"{\"b\": 1.50,\n \"a\": []}"[..], b"text\n", b"\xff"],
    );
    let ours = shell.print(&["pull", "s", "--from", "first", "--count", "3", "--json"]);
    let theirs = store.get("/data/s?format=json&count=3&last_entry_id=first").expect(200);
    assert_eq!(ours, theirs.text());
    let data: Vec<Value> = ours
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(data[0]["data"]["b"], 1.5);
    assert_eq!(data[2]["data"]["base64"], "/w==");
}

#[test]
fn what_was_pushed_comes_back_byte_by_byte_also_as_files() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let large: Vec<u8> = (0..12 << 20)
        .map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let contents = [&b"\xff\xd8\xff\xe0 a picture"[..], b"{\"t\":1}", b"hello", b"", &large];
    for (n, content) in contents.iter().enumerate() {
        std::fs::write(shell.home().join(n.to_string()), content).expect("a file");
    }
    shell.print(&["push", "s", "0", "1", "2", "3", "4"]);
    shell.print(&["pull", "s", "--from", "first", "--count", "5", "--out", "a/folder"]);
    let ids = stored(&store.redis, "s").into_iter().map(|(id, _)| id);
    let suffixes = [".jpg", ".json", ".txt", ".txt", ".bin"];
    let names: Vec<String> = ids.zip(suffixes).map(|(id, suffix)| id + suffix).collect();
    let found = files(&shell.home().join("a/folder"));
    assert_eq!(found.len(), contents.len(), "{:?}", found.keys());
    for (name, content) in names.iter().zip(contents) {
        assert!(found[name] == content, "{name}");
    }
    // Through a pipe, and back in again.
    let script = "\"$P\" pull s --from latest --count 1 | \"$P\" push t && \"$P\" pull t --from latest --count 1";
    let output = Running::start(shell.script(script)).wait();
    assert!(output.status.success() && output.stdout == large, "{:?}", output.stderr);
}

#[test]
fn files_are_never_written_over_and_the_same_again_is_no_fault() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let ids = store.add("s", &[b"one", b"two"]);
    let pull = [
        "pull", "s", "--from", "first", "--count", "2", "--out", "out", "--suffix", ".x",
    ];
    shell.print(&pull);
    shell.print(&pull);
    let second = shell.home().join("out").join(format!("{}.x", ids[1]));
    std::fs::write(&second, "mine").expect("a file");
    let output = shell.run(&pull);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("is there already"), "{told}");
    assert_eq!(files(&shell.home().join("out")).len(), 2);
    assert_eq!(std::fs::read(second).expect("it"), b"mine");
}

#[test]
fn an_entry_comes_as_soon_as_it_is_added() {
    let store = Store::start();
    let shell = Shell::of(&store);
    add(&store.redis, "s", &[b"before"]);
    let file = shell.home().join("lines");
    let mut command = shell.command(&["pull", "s", "--lines"]);
    command.stdout(std::fs::File::create(&file).expect("a file"));
    let _pull = Running::start(command);
    eventually(PATIENCE, || store.metric(OPEN_PULLS) == 1.0);
    let mut expected = String::new();
    for entry in ["one", "two"] {
        add(&store.redis, "s", &[entry]);
        expected += &format!("{entry}\n");
        eventually(PATIENCE, || {
            std::fs::read(&file).expect("the file") == expected.as_bytes()
        });
    }
}

#[test]
fn places_are_passed_on_or_understood() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let ids = store.add("s", &[b"1", b"2", b"3"]);
    for (from, until, expected) in [
        ("first", "latest", "123"),
        ("0", "$", "123"),
        ("latest", "latest", "3"),
        ("*", "latest", "3"),
        ("-1h", "latest", "123"),
        ("2026-01-01", ids[1].as_str(), "12"),
        (&ids[0], "latest", "23"),
        ("first", "first", "1"),
        ("$", "latest", ""),
    ] {
        let printed = shell.print(&["pull", "s", "--from", from, "--until", until]);
        assert_eq!(printed, expected, "{from} to {until}");
    }
    assert_eq!(
        shell.print(&["pull", "none", "--from", "latest", "--until", "latest"]),
        ""
    );
}

#[test]
fn newest_skips_what_is_not_wanted_and_max_rate_slows_down() {
    let store = Store::start();
    let shell = Shell::of(&store);
    add(&store.redis, "s", &numbers(0..500));
    let newest = shell.print(&[
        "pull", "s", "--from", "first", "--until", "latest", "--newest", "--lines",
    ]);
    assert!(newest.lines().count() < 5 && newest.ends_with("499\n"), "{newest}");
    let slow = shell.print(&[
        "pull",
        "s",
        "--from",
        "first",
        "--count",
        "5",
        "--max-rate",
        "1000",
        "--lines",
    ]);
    assert_eq!(slow, "0\n1\n2\n3\n4\n");
}

#[test]
fn each_entry_comes_once_although_the_store_is_killed_and_restarted() {
    let redis = Redis::start();
    let listen = format!("127.0.0.1:{}", next_port());
    let url = redis.url();
    let flags = ["--redis", &*url, "--listen", &listen, "--max-len", "1000000"];
    let mut store = Program::start(&flags);
    let shell = Shell::of(&store);
    let pull = shell.start(&["pull", "s", "--lines", "--count", "400"]);
    eventually(PATIENCE, || store.metric(OPEN_PULLS) == 1.0);
    // Nothing has come yet, so only the place where it began tells where to go on.
    for (round, kind) in ["KILL", "TERM", "KILL", "TERM"].iter().enumerate() {
        store.signal(kind);
        store.wait(PATIENCE);
        add(&redis, "s", &numbers(round * 100..round * 100 + 50));
        store = Program::start(&flags);
        add(&redis, "s", &numbers(round * 100 + 50..round * 100 + 100));
        let delivered = "ptg_entries_out_total{via=\"pull\"}";
        eventually(PATIENCE, || store.metric(delivered) >= 100.0);
    }
    let output = pull.wait();
    assert!(output.status.success(), "{output:?}");
    let expected: String = (0..400).map(|n| format!("{n}\n")).collect();
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}

#[test]
fn each_entry_comes_once_although_redis_is_killed_and_restarted() {
    let redis = Redis::start_durable();
    let store = Store::on(&redis, &[]);
    let shell = Shell::of(&store);
    let pull = shell.start(&["pull", "s", "--lines", "--count", "300"]);
    eventually(PATIENCE, || store.metric(OPEN_PULLS) == 1.0);
    for round in 0..3 {
        add(&redis, "s", &numbers(round * 100..round * 100 + 100));
        redis.kill();
        redis.restart();
    }
    let output = pull.wait();
    assert!(output.status.success(), "{output:?}");
    let expected: String = (0..300).map(|n| format!("{n}\n")).collect();
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}

#[test]
fn entries_that_retention_trimmed_are_told_and_what_follows_comes() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let ids = store.add("s", &[b"0", b"1", b"2", b"3"]);
    let _: usize = store.redis.command(&["XTRIM", "s", "MAXLEN", "2"]);
    let output = shell.run(&["pull", "s", "--from", &ids[0], "--until", "latest", "--json"]);
    assert!(output.status.success(), "{output:?}");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        told.contains("trimmed") && told.contains(&ids[0]) && told.contains(&ids[2]),
        "{told}"
    );
    let lines = String::from_utf8(output.stdout).expect("text");
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines[0]["gap"]["before"], *ids[2]);
    assert_eq!(
        (&lines[1]["data"], &lines[2]["data"]),
        (&Value::from(2), &Value::from(3))
    );
}

#[test]
fn a_reader_that_has_had_enough_ends_it_quietly() {
    let store = Store::start();
    let shell = Shell::of(&store);
    add(&store.redis, "s", &numbers(0..900));
    for script in [
        // It would write on.
        "set -o pipefail; \"$P\" pull s --from first --lines | head -n 1",
        // It would wait for ever.
        "set -o pipefail; \"$P\" pull s --from latest --lines | head -n 1",
        "set -o pipefail; \"$P\" pull s --from first --json | head -n 1",
    ] {
        let output = Running::start(shell.script(script)).wait();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(output.stdout.iter().filter(|byte| **byte == b'\n').count(), 1);
        assert!(output.stderr.is_empty(), "{output:?}");
    }
}

#[test]
fn a_slow_reader_gets_everything() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let entry = vec![b'x'; 100_000];
    add(&store.redis, "s", &vec![&entry; 100]);
    let script = "\"$P\" pull s --from first --count 100 | { sleep 1; wc -c; }";
    let output = Running::start(shell.script(script)).wait();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "10000000", "{output:?}");
}

#[test]
fn nothing_but_entries_is_written_where_there_is_no_terminal() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let mut pull = shell.start(&["pull", "s", "--count", "50", "--lines"]);
    eventually(PATIENCE, || store.metric(OPEN_PULLS) == 1.0);
    let mut push = shell.command(&["push", "s", "--lines"]);
    push.stdin(Stdio::piped());
    let mut push = Running::start(push);
    let mut stdin = push.stdin();
    for n in 0..50 {
        writeln!(stdin, "{n}").expect("to write");
    }
    drop(stdin);
    assert_eq!(pull.code(), Some(0));
    for output in [push.wait(), pull.wait()] {
        assert!(output.stderr.is_empty(), "{output:?}");
    }
}

fn files(folder: &std::path::Path) -> HashMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).expect("the folder");
    let file = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.expect("a file").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        (name, std::fs::read(path).expect("its bytes"))
    };
    entries.map(file).collect()
}
