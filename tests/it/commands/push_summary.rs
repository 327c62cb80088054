//! What `ptg-store push` says at its end: at a terminal what it stored, everywhere what of it is trimmed already
//! (docs/command-line.md).

use crate::harness::wire::{length, stored, stored_data};
use crate::harness::{CTRL_C, CTRL_D, Redis, Running, Shell, Store, Terminal, text};

/// Pushes so many lines; what was said, with code 0.
#[track_caller]
fn push_lines(shell: &Shell, stream: &str, count: usize, more: &[&str]) -> String {
    let lines: String = (0..count).map(|n| format!("{n}\n")).collect();
    let output = shell.feed(&[&["push", stream, "--lines"], more].concat(), lines.as_bytes());
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    said
}

#[test]
fn a_stream_that_keeps_fewer_than_were_pushed_is_told_of_with_code_0_and_the_command_that_mends_it() {
    let store = Store::on(&Redis::start(), &["--max-len", "100"]);
    let shell = Shell::of(&store);
    let said = push_lines(&shell, "s", 5000, &[]);
    let kept = length(&store.redis, "s");
    let gone = format!("'s' keeps fewer: {} of these are already trimmed. ", 5000 - kept);
    assert!(said.contains(&gone), "{kept}: {said}");
    // The command does as it says when it is pasted.
    let (_, mend) = said.trim_end().split_once("To keep more: ").expect("a command");
    assert!(Running::start(shell.script(mend)).wait().status.success(), "{mend}");
    assert_eq!(push_lines(&shell, "s", 5000, &[]), "");
    assert_eq!(length(&store.redis, "s"), 5000);
    // One that has a max_len of its own, and a name that a shell would take apart.
    store.put("/streams/it's%20-b?max_len=7").expect(200);
    let said = push_lines(&shell, "it's -b", 2000, &[]);
    assert!(
        said.contains("keeps 7: ") && said.contains(r"-- 'it'\''s -b'"),
        "{said}"
    );
    for enough in [
        push_lines(&shell, "t", 100, &[]),
        push_lines(&shell, "t", 5000, &["--quiet"]),
    ] {
        assert_eq!(enough, "");
    }
}

#[test]
fn a_push_that_is_done_stays_done_although_the_store_cannot_say_what_it_keeps() {
    let redis = Redis::start();
    // It may push, and read nothing of what is there.
    let store = Store::at(&redis.url(), &redis, &["--max-len", "5"]);
    let shell = Shell::of(&store);
    let mut push = shell.start(&["push", "s", "--lines"]);
    let mut stdin = push.stdin();
    std::io::Write::write_all(&mut stdin, &b"x\n".repeat(2000)).expect("to write lines");
    crate::harness::eventually(crate::harness::PATIENCE, || {
        length(&redis, "s") > 0 && added(&redis) == 2000
    });
    let _: i64 = redis.command(&["DEL", "s"]);
    drop(stdin);
    let output = push.wait();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(text(&output.stderr).contains("has no entries any more"), "{output:?}");
}

#[test]
fn a_push_never_asks_for_all_streams() {
    let store = Store::on(&Redis::start(), &["--max-len", "5"]);
    let shell = Shell::of(&store);
    push_lines(&shell, "s", 2000, &[]);
    std::fs::write(shell.home().join("lines"), "a\nb\n").expect("a file");
    Terminal::run(&shell, "push t --lines lines").ends_with(0);
    let asked = store.get("/metrics").expect(200);
    let asked = text(&asked.body);
    assert!(asked.contains("route=\"/data/{stream_id}/push\""), "{asked}");
    assert!(!asked.contains("route=\"/activity\""), "{asked}");
}

/// How many entries the stream ever had.
fn added(redis: &Redis) -> u64 {
    let info: std::collections::HashMap<String, redis::Value> = redis.command(&["XINFO", "STREAM", "s"]);
    redis::from_redis_value(info["entries-added"].clone()).expect("a number")
}

#[test]
fn at_a_terminal_it_says_what_it_stored() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let mut push = Terminal::run(&shell, "push s");
    push.shows("what you type is pushed; Ctrl-D ends it\n");
    push.type_in(b"typed\n");
    push.type_in(&[CTRL_D]);
    let screen = push.ends_with(0);
    assert_eq!(stored_data(&store.redis, "s"), [b"typed\n"]);
    let (last, _) = stored(&store.redis, "s").remove(0);
    let said = format!("ptg-store push: 1 entry, 6 B stored in 's'; the last is {last}\n");
    assert!(screen.ends_with(&said), "{screen}");
    std::fs::write(shell.home().join("lines"), "a\nb\n".repeat(1000)).expect("a file");
    let screen = Terminal::run(&shell, "push t --lines lines").ends_with(0);
    assert!(
        screen.contains("2000 entries, 2.0 KiB stored in 't'; the last is "),
        "{screen}"
    );
    assert!(
        screen.contains("'t' keeps fewer: 1000 of these are already trimmed. "),
        "{screen}"
    );
    let screen = Terminal::run(&shell, "push t --lines lines --quiet").ends_with(0);
    assert_eq!(screen, "");
    // Nothing was typed.
    let mut push = Terminal::run(&shell, "push s");
    push.type_in(&[CTRL_D]);
    let screen = push.ends_with(5);
    assert!(screen.contains("nothing came on standard input"), "{screen}");
}

#[test]
fn a_push_that_ctrl_c_ends_says_the_same_at_once() {
    let store = Store::on(&Redis::start(), &["--max-len", "10"]);
    let shell = Shell::of(&store);
    std::fs::create_dir(shell.home().join("watched")).expect("a folder");
    for number in 0..500 {
        std::fs::write(shell.home().join(format!("watched/{number:03}")), "x").expect("a file");
    }
    let mut push = Terminal::run(&shell, "push s --watch watched --settle 0");
    push.shows("500 entries");
    push.type_in(&[CTRL_C]);
    let begun = std::time::Instant::now();
    let screen = push.ends_with(130);
    assert!(begun.elapsed() < crate::harness::PATIENCE, "{screen}");
    assert!(screen.contains("500 entries, 500 B stored in 's'"), "{screen}");
    assert!(screen.contains("'s' keeps fewer: 4"), "{screen}");
    assert!(screen.ends_with("interrupted\n"), "{screen}");
}
