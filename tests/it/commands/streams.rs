//! `ptg-store streams`: stable lines for scripts (docs/command-line.md).

use serde_json::Value;

use crate::harness::{Running, Shell, Store};

#[test]
fn in_a_pipe_a_stream_is_a_line_of_six_fields_without_a_heading() {
    let store = Store::start();
    let shell = Shell::of(&store);
    assert_eq!(shell.print(&["streams"]), "");
    store.put("/streams/empty?desc=with%20a%09tab&max_len=7").expect(200);
    store.add("a name", &[b"one", b"three"]);
    let mut lines = Vec::new();
    // The store's answer may be a second old.
    crate::harness::eventually(crate::harness::PATIENCE, || {
        lines = shell.print(&["streams"]).lines().map(str::to_owned).collect();
        lines.len() == 2
    });
    let fields: Vec<Vec<&str>> = lines.iter().map(|line| line.split('\t').collect()).collect();
    assert_eq!(fields[0][..3], ["a name", "2", "1000"]);
    assert!(fields[0][3].parse::<f64>().is_ok_and(|age| age < 60.0), "{lines:?}");
    assert_eq!(fields[0][4..], ["5", ""]);
    assert_eq!(fields[1], ["empty", "0", "7", "", "", "with a tab"]);
    let json = shell.print(&["streams", "--json"]);
    let json: Vec<Value> = json
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!((&json[0]["id"], &json[0]["entries"]), (&"a name".into(), &2.into()));
    assert_eq!(json[1]["id"], "empty");
}

#[test]
fn on_a_terminal_it_is_a_table() {
    let store = Store::start();
    let shell = Shell::of(&store);
    store.add("cam", &[b"entry"]);
    let script = format!("script -qec '{} streams' /dev/null", env!("CARGO_BIN_EXE_ptg-store"));
    let output = Running::start(shell.script(&script)).wait();
    let shown = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    let lines: Vec<Vec<&str>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
    let headings = ["STREAM", "ENTRIES", "MAX_LEN", "NEWEST", "BYTES", "DESCRIPTION"];
    assert_eq!(lines[0], headings, "{shown}");
    assert_eq!(lines[1][..3], ["cam", "1", "1000"], "{shown}");
    assert!(shown.contains("5 B\n"), "{shown}");
}

#[test]
fn an_id_that_is_ahead_of_the_clock_or_no_time_is_no_age() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let ahead = crate::harness::wire::clock(&store.redis) + 3_600_000;
    for (stream, id) in [
        ("ahead", format!("{ahead}-0")),
        ("counted", "20-0".into()),
        ("micros", format!("{ahead}000-0")),
    ] {
        let _: String = store.redis.command(&["XADD", stream, &id, "d", "x"]);
    }
    let mut lines = Vec::new();
    crate::harness::eventually(crate::harness::PATIENCE, || {
        lines = shell.print(&["streams"]).lines().map(str::to_owned).collect();
        lines.len() == 3
    });
    let ages: Vec<&str> = lines.iter().filter_map(|line| line.split('\t').nth(3)).collect();
    let by: f64 = ages[0].parse().expect("seconds");
    assert!((-3600.0..-3000.0).contains(&by), "{lines:?}");
    assert_eq!(ages[1..], ["", ""], "{lines:?}");
    let screen = crate::harness::Terminal::run(&shell, "streams").ends_with(0);
    for (stream, age) in [("ahead", "min ahead"), ("counted", "no time"), ("micros", "no time")] {
        let line = screen.lines().find(|line| line.starts_with(stream));
        assert!(line.is_some_and(|line| line.contains(age)), "{screen}");
    }
    for (stream, age) in [("ahead", "min ahead"), ("counted", "no time")] {
        let screen = crate::harness::Terminal::run(&shell, &format!("describe {stream}")).ends_with(0);
        assert!(screen.contains(age), "{screen}");
    }
    assert!(shell.print(&["describe", "counted"]).contains("newest_age\t\n"));
}
