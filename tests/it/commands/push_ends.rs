//! How `ptg-store push` ends when it cannot do all of it: a sentence, and a code that scripts can use (docs/command-line.md).

use std::io::Write;
use std::net::TcpListener;
use std::process::Output;

use crate::harness::wire::{length, stored_data};
use crate::harness::{PATIENCE, Running, Shell, Store, eventually, next_port};

#[test]
fn what_the_command_line_gets_wrong_is_code_2() {
    let shell = Shell::at("http://127.0.0.1:1");
    for (arguments, named) in [
        (&["push"][..], "stream"),
        (&["push", "s", "--no-such-flag"], "--no-such-flag"),
        (&["push", "s", "--retry", "soon"], "--retry"),
        (&["push", "s", "--max-entry", "12XB"], "--max-entry"),
        (&["push", "a/b"], "no /"),
        (&["push", "s", "--new-only"], "--watch"),
        (&["push", "s", "--watch", ".", "--lines"], "--watch"),
        (&["push", "s", "--watch", ".", "file"], "--watch"),
        (&["push", "s", "--url", "https://lab"], "https is not spoken here"),
        (&["push", "s", "--url", "lab:7890"], "http://"),
        (&["push", "s", "--token", "two\nlines"], "the token"),
    ] {
        fails(&shell.run(arguments), 2, named);
    }
}

#[test]
fn a_token_that_is_missing_or_wrong_is_code_3_and_is_not_shown() {
    let store = Store::start();
    let mut shell = Shell::of(&store);
    fails(
        &shell.run(&["push", "s", "/dev/null", "--token", "secret.of.mine"]),
        3,
        "401",
    );
    shell.token = None;
    fails(&shell.run(&["push", "s", "/dev/null"]), 3, "ptg-store login");
    assert_eq!(length(&store.redis, "s"), 0);
}

#[test]
fn a_store_that_is_not_there_is_code_4_once_patience_is_over() {
    let address = format!("127.0.0.1:{}", next_port());
    let shell = Shell::at(&format!("http://{address}"));
    fails(&shell.run(&["push", "s", "/dev/null", "--retry", "0"]), 4, &address);
    let output = shell.run(&["push", "s", "/dev/null", "--retry", "300ms"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(4), "{told}");
    assert!(told.contains("trying again for 300ms"), "{told}");
    let quiet = shell.run(&["push", "s", "/dev/null", "--retry", "300ms", "--quiet"]);
    assert_eq!(String::from_utf8_lossy(&quiet.stderr).lines().count(), 2, "{quiet:?}");
}

#[test]
fn a_file_that_cannot_be_read_is_code_1_and_those_before_it_are_stored() {
    let store = Store::start();
    let shell = Shell::of(&store);
    std::fs::write(shell.home().join("a"), "a").expect("a file");
    let output = shell.run(&["push", "s", "a", "nowhere", "a"]);
    fails(&output, 1, "push: 1 entry is stored\n");
    fails(&output, 1, "nowhere");
    fails(&shell.run(&["push", "s", "a", "a", "."]), 1, "2 entries are stored\n");
    fails(
        &shell.run(&["push", "s", "a", "a", "-", "-"]),
        5,
        "2 entries are stored\n",
    );
    assert_eq!(stored_data(&store.redis, "s"), [b"a"; 5]);
    // What nothing was before says nothing of it.
    let none = shell.run(&["push", "s", "nowhere"]);
    assert_eq!(String::from_utf8_lossy(&none.stderr).lines().count(), 1, "{none:?}");
}

#[test]
fn a_pipe_that_nobody_writes_to_yet_keeps_neither_entries_nor_ctrl_c_waiting() {
    let store = Store::start();
    let shell = Shell::of(&store);
    std::fs::write(shell.home().join("a"), "a").expect("a file");
    let push = Running::start(shell.script(r#"mkfifo pipe && exec "$P" push s a pipe"#));
    eventually(PATIENCE, || length(&store.redis, "s") == 1);
    fails(&push.interrupt(), 130, "interrupted");
    // Once there is one, it is read to its end.
    let written = r#"("$P" push s pipe && echo pushed) & echo text > pipe; wait"#;
    assert_eq!(Running::start(shell.script(written)).wait().stdout, b"pushed\n");
    assert_eq!(stored_data(&store.redis, "s"), [&b"a"[..], b"text\n"]);
}

#[test]
fn a_key_that_is_no_stream_is_code_1() {
    let store = Store::start();
    let _: () = store.redis.command(&["SET", "s", "text"]);
    fails(&Shell::of(&store).run(&["push", "s", "/dev/null"]), 1, "not a stream");
}

#[test]
fn a_stream_that_has_no_more_ids_is_code_1_at_once_with_the_command_that_mends_it() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let last = "18446744073709551615-18446744073709551615";
    for (stream, files, word) in [("mx", &["a"][..], "mx"), ("it's", &["a", "a"], r"'it'\''s'")] {
        std::fs::write(shell.home().join("a"), "a").expect("a file");
        let _: String = store.redis.command(&["XADD", stream, last, "d", "last"]);
        // With a minute's patience.
        let output = shell.run(&[&["push", stream], files].concat());
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        fails(&output, 1, &format!(" delete --url {} -- {word}", shell.url));
        assert!(!told.contains("trying again"), "{told}");
        assert_eq!(length(&store.redis, stream), 1);
    }
}

#[test]
fn what_redis_refuses_for_good_is_code_1_at_once() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let acl = |rule: &str| store.redis.command::<String>(&["ACL", "SETUSER", "default", rule]);
    acl("-xadd");
    let output = shell.feed(&["push", "s"], b"more");
    acl("+xadd");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    fails(&output, 1, "NOPERM");
    assert!(!told.contains("trying again"), "{told}");
}

#[test]
fn an_entry_that_is_too_large_is_code_6_and_names_the_limit() {
    let store = Store::with(&["--max-message", "1KiB"]);
    let shell = Shell::of(&store);
    std::fs::write(shell.home().join("small"), "small").expect("a file");
    std::fs::write(shell.home().join("large"), "x".repeat(2000)).expect("a file");
    let output = shell.run(&["push", "s", "small", "large", "small"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(6), "{told}");
    for part in ["1 entry is stored", "entry 2 (large)", "--max-message"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    fails(
        &shell.run(&["push", "s", "small", "large", "--max-entry", "1999"]),
        6,
        "--max-entry",
    );
    let output = shell.feed(&["push", "s", "--lines", "--max-entry", "1KiB"], &[b'x'; 100_000]);
    fails(&output, 6, "--max-entry");
    assert_eq!(stored_data(&store.redis, "s"), [b"small", b"small"]);
}

#[test]
fn ctrl_c_is_code_130_at_once() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let mut push = shell.start(&["push", "s", "--lines"]);
    let mut stdin = push.stdin();
    writeln!(stdin, "a line").expect("to write a line");
    eventually(PATIENCE, || length(&store.redis, "s") == 1);
    push.signal("INT");
    fails(&push.wait(), 130, "interrupted");
    // One that hangs up on everybody.
    let hostile = TcpListener::bind("127.0.0.1:0").expect("a port");
    let shell = Shell::at(&format!("http://{}", hostile.local_addr().expect("its address")));
    let mut push = shell.start(&["push", "s", "--retry", "forever"]);
    drop(hostile.accept().expect("a client"));
    drop(hostile);
    push.signal("TERM");
    fails_at_last(&push.wait(), 130, "interrupted");
}

#[test]
fn nothing_on_standard_input_is_no_entry_and_code_5() {
    let store = Store::start();
    let shell = Shell::of(&store);
    std::fs::write(shell.home().join("a"), "a").expect("a file");
    std::fs::write(shell.home().join("empty"), "").expect("a file");
    for arguments in [
        &["push", "s"][..],
        &["push", "s", "-"],
        &["push", "s", "--quiet"],
        &["push", "s", "/dev/stdin"],
    ] {
        fails(&shell.run(arguments), 5, "nothing came on standard input");
    }
    assert_eq!(length(&store.redis, "s"), 0);
    // What was before it is stored.
    fails(&shell.run(&["push", "s", "a", "-", "a"]), 5, "/dev/null");
    assert_eq!(stored_data(&store.redis, "s"), [b"a"]);
    // A failure that would have been an entry.
    let script = r#"set -o pipefail; false | "$P" push t; test $? = 5"#;
    assert!(Running::start(shell.script(script)).wait().status.success());
    // Whoever wants an empty entry names it, and no lines are no entries.
    shell.do_well(&["push", "t", "/dev/null", "empty"]);
    assert_eq!(stored_data(&store.redis, "t"), [b"", b""]);
    let (_, said) = shell.do_well(&["push", "t", "--lines"]);
    assert_eq!((length(&store.redis, "t"), said.as_str()), (2, ""));
}

/// One sentence of ours and this code.
#[track_caller]
pub fn fails(output: &Output, code: i32, named: &str) {
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{told}");
    assert!(
        told.starts_with("ptg-store ") && told.contains(named),
        "{named}: {told}"
    );
    assert!(!told.contains("panicked") && !told.contains("secret"), "{told}");
}

/// The same, but other things were said before.
#[track_caller]
fn fails_at_last(output: &Output, code: i32, named: &str) {
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{told}");
    assert!(told.lines().last().is_some_and(|line| line.contains(named)), "{told}");
}
