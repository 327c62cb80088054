//! `ptg-store push`: files and lines arrive as they are, in order, and across anything that restarts (docs/command-line.md).

use std::io::Write;

use crate::harness::wire::{length, stored, stored_data};
use crate::harness::{PATIENCE, Program, Redis, Running, Shell, Store, eventually, holds_within, next_port, resident};

/// Lines that take a while to push, so that something can happen meanwhile.
const MANY: usize = 60_000;

#[test]
fn files_of_any_bytes_are_entries_and_their_ids_are_printed_in_order() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let every_byte: Vec<u8> = (0..=255).collect();
    let contents = [&b""[..], &every_byte, &every_byte.repeat(20_000), b"\n\n", b"text"];
    let names: Vec<String> = (0..contents.len()).map(|n| format!("file {n}.bin")).collect();
    for (name, content) in names.iter().zip(contents) {
        std::fs::write(shell.home().join(name), content).expect("a file");
    }
    let mut arguments = vec!["push", "käse + x", "--print-ids"];
    arguments.extend(names.iter().map(String::as_str));
    let printed = shell.print(&arguments);
    let (ids, data): (Vec<String>, Vec<Vec<u8>>) = stored(&store.redis, "käse + x").into_iter().unzip();
    assert_eq!(printed.lines().collect::<Vec<_>>(), ids);
    assert!(data == contents, "other bytes than were pushed");
}

#[test]
fn standard_input_is_one_entry_also_as_a_dash_among_files() {
    let store = Store::start();
    let shell = Shell::of(&store);
    std::fs::write(shell.home().join("a"), "from a file\n").expect("a file");
    for arguments in [&["push", "s"][..], &["push", "s", "a", "-", "a"]] {
        let output = shell.feed(arguments, b"two\nlines\n\xff");
        assert!(output.status.success(), "{output:?}");
        assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
    }
    let (file, input) = (&b"from a file\n"[..], &b"two\nlines\n\xff"[..]);
    assert_eq!(stored_data(&store.redis, "s"), [input, file, input, file]);
}

#[test]
fn a_line_is_an_entry_without_its_end() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let output = shell.feed(&["push", "s", "--lines"], b"one\r\n\ntwo \n\xff\xfe\nlast");
    assert!(output.status.success(), "{output:?}");
    let expected = [&b"one"[..], b"", b"two ", b"\xff\xfe", b"last"];
    assert_eq!(stored_data(&store.redis, "s"), expected);
    std::fs::write(shell.home().join("a"), "1\n2").expect("a file");
    std::fs::write(shell.home().join("b"), "3\n").expect("a file");
    shell.print(&["push", "t", "--lines", "a", "b", "a"]);
    assert_eq!(stored_data(&store.redis, "t").concat(), b"12312");
    assert_eq!(length(&store.redis, "t"), 5);
}

#[test]
fn a_line_is_pushed_as_it_comes() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let mut push = shell.start(&["push", "s", "--lines"]);
    let mut stdin = push.stdin();
    for count in 1..=3 {
        writeln!(stdin, "line {count}").expect("to write a line");
        eventually(PATIENCE, || length(&store.redis, "s") == count);
    }
    write!(stdin, "without an end").expect("to write");
    drop(stdin);
    let output = push.wait();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(length(&store.redis, "s"), 4);
}

#[test]
fn a_hundred_thousand_lines_are_as_many_entries_in_order() {
    let store = Store::with(&["--max-len", "1000000"]);
    let shell = Shell::of(&store);
    let lines: String = (0..100_000).map(|n| format!("line {n}\n")).collect();
    let output = shell.feed(&["push", "s", "--lines", "--print-ids"], lines.as_bytes());
    assert!(output.status.success(), "{output:?}");
    let (ids, data): (Vec<String>, Vec<Vec<u8>>) = stored(&store.redis, "s").into_iter().unzip();
    let printed = String::from_utf8(output.stdout).expect("ids");
    assert!(printed.lines().eq(&ids), "other ids than those stored");
    assert!(
        data.join(&b'\n') == lines.trim_end().as_bytes(),
        "other lines than were pushed"
    );
}

#[test]
fn all_is_pushed_although_nobody_reads_the_ids() {
    let store = Store::with(&["--max-len", "100000"]);
    let shell = Shell::of(&store);
    let script = "set -o pipefail; seq 20000 | \"$P\" push s --lines --print-ids | head -n 1";
    let output = Running::start(shell.script(script)).wait();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    assert_eq!(length(&store.redis, "s"), 20_000);
}

#[test]
fn input_without_an_end_takes_no_memory() {
    let store = Store::with(&["--max-len", "1000"]);
    let shell = Shell::of(&store);
    let mut push = Running::start(shell.script("yes 'a line that comes again and again' | exec \"$P\" push s --lines"));
    let added = || store.metric("ptg_entries_in_total{via=\"push\"}");
    eventually(PATIENCE * 6, || added() > 200_000.0);
    let children = format!("/proc/{0}/task/{0}/children", push.pid());
    let children = std::fs::read_to_string(children).expect("the processes of the pipeline");
    for pid in children.split_whitespace() {
        let memory = resident(pid.parse().expect("a process id"));
        assert!(memory < 64 << 20, "{memory} bytes");
    }
    // Without its input it has an end.
    let first = children.split_whitespace().next().expect("yes");
    crate::harness::signal("TERM", first.parse().expect("a process id"));
    assert_eq!(push.code(), Some(0));
}

#[test]
fn a_store_with_small_limits_gets_smaller_batches() {
    let store = Store::with(&["--max-batch", "7", "--max-message", "1KiB"]);
    let shell = Shell::of(&store);
    let lines: Vec<String> = (0..200).map(|n| format!("{n} {}", "x".repeat(n))).collect();
    let output = shell.feed(&["push", "s", "--lines"], lines.join("\n").as_bytes());
    assert!(output.status.success(), "{output:?}");
    let data = stored_data(&store.redis, "s");
    assert!(
        data.iter().eq(lines.iter().map(|line| line.as_bytes())),
        "{} entries",
        data.len()
    );
}

#[test]
fn every_line_is_stored_although_the_store_is_killed_and_restarted() {
    let redis = Redis::start();
    let listen = format!("127.0.0.1:{}", next_port());
    let url = redis.url();
    let flags = ["--redis", &*url, "--listen", &listen, "--max-len", "1000000"];
    let mut store = Program::start(&flags);
    let shell = Shell::of(&store);
    let lines = numbered(MANY);
    std::fs::write(shell.home().join("lines"), &lines).expect("a file");
    let push = shell.start(&["push", "s", "--lines", "lines"]);
    for kind in ["KILL", "TERM"] {
        let before = length(&redis, "s");
        eventually(PATIENCE, || length(&redis, "s") > before);
        store.signal(kind);
        store.wait(PATIENCE);
        store = Program::start(&flags);
    }
    let output = push.wait();
    assert!(output.status.success(), "{output:?}");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        told.contains("trying again") && told.contains("connected again"),
        "{told}"
    );
    assert_complete(&redis, &lines);
}

#[test]
fn every_line_is_stored_although_redis_is_killed_and_restarted() {
    let redis = Redis::start_durable();
    let store = Store::on(&redis, &["--max-len", "1000000", "--redis-patience", "1s"]);
    let shell = Shell::of(&store);
    let lines = numbered(MANY);
    std::fs::write(shell.home().join("lines"), &lines).expect("a file");
    let mut push = shell.start(&["push", "s", "--lines", "lines"]);
    eventually(PATIENCE, || length(&redis, "s") > 0);
    redis.kill();
    // Held back, then told to try again later.
    eventually(PATIENCE, || store.metric("ptg_redis_up") == 0.0);
    assert!(!push.has_ended());
    redis.restart();
    let output = push.wait();
    assert!(output.status.success(), "{output:?}");
    assert_complete(&redis, &lines);
}

#[test]
fn lines_are_pushed_on_after_the_store_was_away_while_none_came() {
    // A store that is killed between storing a line and confirming it proves nothing, and cannot be told to wait.
    let proves = (0..20).any(|_| is_pushed_on_after_a_store_that_was_away());
    assert!(proves, "the line was never confirmed");
}

/// Whether the first line was confirmed before the store was away.
fn is_pushed_on_after_a_store_that_was_away() -> bool {
    let redis = Redis::start();
    let listen = format!("127.0.0.1:{}", next_port());
    let flags = ["--redis", &*redis.url(), "--listen", &listen];
    let mut store = Program::start(&flags);
    let shell = Shell::of(&store);
    // Patience begins with the first line that cannot be pushed, not when nothing was missed.
    let mut push = shell.start(&["push", "s", "--lines", "--retry", "1ms"]);
    let mut stdin = push.stdin();
    writeln!(stdin, "before").expect("to write a line");
    eventually(PATIENCE, || length(&redis, "s") == 1);
    store.signal("KILL");
    store.wait(PATIENCE);
    let store = Program::start(&flags);
    let is_written = writeln!(stdin, "after").is_ok();
    let is_stored = is_written && holds_within(PATIENCE, || push.has_ended() || length(&redis, "s") == 2);
    drop(stdin);
    let output = push.wait();
    drop(store);
    if String::from_utf8_lossy(&output.stderr).contains("not confirmed, from entry 1 ") {
        return false;
    }
    assert!(
        is_stored && output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
    assert_eq!(length(&redis, "s"), 2);
    true
}

#[test]
fn progress_is_shown_on_a_terminal_and_taken_away_in_the_end() {
    let store = Store::start();
    let shell = Shell::of(&store);
    std::fs::write(shell.home().join("lines"), "1\n2\n").expect("a file");
    for (quiet, shown) in [("", true), ("--quiet", false)] {
        let program = env!("CARGO_BIN_EXE_ptg-store");
        let script = format!("script -qec '{program} push s --lines lines {quiet}' /dev/null");
        let output = Running::start(shell.script(&script)).wait();
        let screen = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{screen}");
        assert_eq!(screen.contains("2 entries"), shown, "{screen:?}");
        let left = screen.rsplit("\r\u{1b}[K").next().unwrap_or_default();
        assert!(
            !shown || left.starts_with("ptg-store push: 2 entries, 2 B stored"),
            "{screen:?}"
        );
    }
}

#[test]
fn progress_stays_on_one_line_of_a_narrow_terminal_and_away_from_a_dumb_one() {
    let store = Store::start();
    let shell = Shell::of(&store);
    std::fs::write(shell.home().join("lines"), "1\n2\n").expect("a file");
    for (set_up, shown) in [("stty cols 10", true), ("export TERM=dumb", false)] {
        let program = env!("CARGO_BIN_EXE_ptg-store");
        let script = format!("script -qec '{set_up}; {program} push s --lines lines' /dev/null");
        let output = Running::start(shell.script(&script)).wait();
        let screen = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{screen}");
        assert_eq!(!screen.is_empty(), shown, "{screen:?}");
        // Behind the last one is what stays.
        let (progress, _) = screen.rsplit_once("\r\u{1b}[K").unwrap_or_default();
        let mut lines = progress.split("\r\u{1b}[K");
        assert!(lines.all(|line| line.chars().count() < 10), "{screen:?}");
    }
}

fn numbered(count: usize) -> String {
    (0..count)
        .map(|n| format!("{n} of many lines that take some time\n"))
        .collect()
}

/// Every line is there, at least once, and a line that is new is behind those before it.
#[track_caller]
fn assert_complete(redis: &Redis, lines: &str) {
    let data = stored_data(redis, "s");
    let mut lines = lines.lines().enumerate();
    let mut next = lines.next();
    for entry in &data {
        let number = entry
            .split(|byte| *byte == b' ')
            .next()
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let number: usize = number.and_then(|digits| digits.parse().ok()).expect("a number");
        match next {
            Some((expected, line)) if number == expected => {
                assert_eq!(entry, line.as_bytes());
                next = lines.next();
            }
            // Sent again.
            Some((expected, _)) => assert!(number < expected, "{number} before {expected}"),
            None => {}
        }
    }
    assert_eq!(next, None, "of {} entries", data.len());
}

#[test]
fn every_picture_of_a_stream_of_jpegs_is_an_entry_and_half_a_one_is_told() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let picture = |number: u8| [b"\xff\xd8\xff\xda\x00\x02", &[number; 3][..], b"\xff\xd9"].concat();
    let pictures = [picture(1), picture(2), picture(3)];
    let stream = [
        &pictures[0][..],
        b"--part\r\n\r\n",
        &pictures[1],
        &pictures[2],
        b"\xff\xd8\xff\xda",
    ]
    .concat();
    let output = shell.feed(&["push", "cam", "--jpegs"], &stream);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("in the middle of a picture"),
        "{output:?}"
    );
    assert_eq!(stored_data(&store.redis, "cam"), pictures);
    let output = shell.feed(&["push", "cam", "--jpegs"], b"<h1>401 Unauthorized</h1>");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("no JPEG"),
        "{output:?}"
    );
    let limited = ["push", "cam", "--jpegs", "--max-entry", "16"];
    let output = shell.feed(&limited, &[0xff, 0xd8, 0xff, 0xda].repeat(30));
    assert_eq!(output.status.code(), Some(6), "{output:?}");
    // It is of each picture, however many come at once.
    let output = shell.feed(&limited, &pictures.concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn bytes_that_begin_like_pictures_again_and_again_are_soon_dealt_with() {
    let store = Store::start();
    let shell = Shell::of(&store);
    // Segments that are in order, each with another beginning in it; scans the same; beginnings and nothing else.
    let segments = [
        b"\xff\xd8",
        &b"\xff\xe1\0\x06\xff\xd8\xff\xe0".repeat(1 << 20)[..],
        b"\0\0",
    ]
    .concat();
    let scans = [
        b"\xff\xd8\xff\xda\xff\xfc",
        &b"\xff\xd8\xff\xda\0\x02".repeat(10_922)[..],
    ]
    .concat();
    let scans = [scans, vec![0; 8 << 20], b"\xff\xd8".to_vec()].concat();
    let beginnings = b"\xff\xd8".repeat(4 << 20);
    for hostile in [segments, scans, beginnings] {
        let picture = b"\xff\xd8\xff\xda\0\x02a\xff\xd9";
        let output = shell.feed(&["push", "cam", "--jpegs"], &[&hostile[..], picture].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(stored_data(&store.redis, "cam").last().expect("a picture"), picture);
        store.delete("/streams/cam").expect(200);
    }
}
