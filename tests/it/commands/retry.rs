//! `--retry` ends when it says, whatever the store does meanwhile: one that never comes, hangs, or cannot work
//! (docs/command-line.md, Exit codes).

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::wire::length;
use crate::harness::{PATIENCE, Program, Redis, Shell, Store, eventually, next_port, text};

/// What a debug build on a busy machine may take beside, and what the last attempt may take.
const MORE: Duration = Duration::from_secs(8);

/// Runs a command to its end, which must come with code 4, and neither before this patience is over nor much later.
#[track_caller]
fn ends_after(patience: Duration, shell: &Shell, arguments: &[&str]) -> String {
    let begun = Instant::now();
    let output = shell.feed(arguments, b"a line\n");
    let took = begun.elapsed();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{arguments:?}: {said}");
    assert!(
        took >= patience && took < patience + MORE,
        "{arguments:?}: {took:?}: {said}"
    );
    said
}

/// Every command that tries again, with a patience of so long.
fn commands(patience: &str) -> Vec<Vec<&str>> {
    let commands = [
        &["push", "s"][..],
        &["push", "s", "--lines"],
        &["pull", "s"],
        &["pull", "s", "--from", "latest", "--newest"],
        &["record", "s", "--out", "take"],
        &["record", "*", "--out", "all"],
        &["replay", "before"],
    ];
    commands
        .iter()
        .map(|command| [command, &["--retry", patience][..]].concat())
        .collect()
}

/// Runs every command at once against what is at this address.
fn all_end(url: &str) {
    let store = Store::start();
    let mut shell = Shell::of(&store);
    store.add("s", &[b"entry"]);
    shell.print(&["record", "s", "--out", "before", "--from", "first", "--until", "latest"]);
    shell.url = url.to_owned();
    let shell = &shell;
    thread::scope(|scope| {
        for command in commands("4s") {
            scope.spawn(move || ends_after(Duration::from_secs(4), shell, &command));
        }
    });
}

#[test]
fn a_store_that_never_comes_is_waited_for_that_long() {
    all_end(&format!("http://127.0.0.1:{}", next_port()));
}

#[test]
fn a_store_that_takes_connections_and_says_nothing_is_waited_for_that_long() {
    let mute = TcpListener::bind("127.0.0.1:0").expect("a port");
    all_end(&format!("http://{}", mute.local_addr().expect("its address")));
}

#[test]
fn a_store_that_cannot_work_is_waited_for_that_long() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut client = client;
                let _ = client.read(&mut [0; 4096]);
                let body = r#"{"detail":"Redis is full."}"#;
                let length = body.len();
                let _ = write!(
                    client,
                    "HTTP/1.1 503 x\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                );
            });
        }
    });
    all_end(&url);
}

#[test]
fn a_store_that_hangs_under_way_is_given_up_in_time() {
    let redis = Redis::start();
    let mut store = Program::start(&["--redis", &redis.url()]);
    let shell = Shell::of(&store);
    let mut push = shell.start(&["push", "s", "--lines", "--retry", "6s"]);
    let mut pull = shell.start(&["pull", "s", "--from", "first", "--retry", "6s"]);
    let mut stdin = push.stdin();
    writeln!(stdin, "before").expect("to write a line");
    eventually(PATIENCE, || {
        length(&redis, "s") == 1 && store.metric("ptg_entries_out_total{via=\"pull\"}") >= 1.0
    });
    let begun = Instant::now();
    store.signal("STOP");
    writeln!(stdin, "after").expect("to write a line");
    for command in [&mut push, &mut pull] {
        assert_eq!(command.code(), Some(4));
        let took = begun.elapsed();
        assert!(
            took >= Duration::from_secs(5) && took < Duration::from_secs(6) + MORE,
            "{took:?}"
        );
    }
    store.signal("CONT");
    store.signal("TERM");
    store.wait(PATIENCE);
}

#[test]
fn a_store_that_opens_sockets_and_confirms_nothing_is_given_up_in_time() {
    let redis = Redis::start();
    let store = Store::on(&redis, &["--redis-patience", "2s"]);
    let shell = Shell::of(&store);
    let push = shell.start(&["push", "s", "--lines", "--retry", "5s"]);
    let mut push = push;
    let mut stdin = push.stdin();
    writeln!(stdin, "before").expect("to write a line");
    eventually(PATIENCE, || length(&redis, "s") == 1);
    redis.pause();
    let begun = Instant::now();
    writeln!(stdin, "after").expect("to write a line");
    let code = push.code();
    let took = begun.elapsed();
    redis.resume();
    assert_eq!(code, Some(4));
    // The store waits for its Redis first.
    assert!(
        took >= Duration::from_secs(5) && took < Duration::from_secs(10) + MORE,
        "{took:?}"
    );
}

#[test]
fn a_store_that_comes_in_time_is_found() {
    let redis = Redis::start();
    let listen = format!("127.0.0.1:{}", next_port());
    let mut shell = Shell::at(&format!("http://{listen}"));
    shell.token = Some(crate::harness::token_for("ada"));
    let other = Store::start();
    let recorder = Shell::of(&other);
    other.add("s", &[b"entry"]);
    recorder.print(&["record", "s", "--out", "take", "--from", "first", "--until", "latest"]);
    let folder = recorder.home().join("take");
    let replay = shell.start(&["replay", &folder.to_string_lossy(), "--retry", "60s"]);
    let push = shell.start(&["push", "t", "/dev/null", "--retry", "60s"]);
    // Both have tried by now.
    thread::sleep(Duration::from_millis(500));
    let _store = Program::start(&["--redis", &redis.url(), "--listen", &listen]);
    for command in [replay, push] {
        let output = command.wait();
        assert!(output.status.success(), "{output:?}");
    }
    assert_eq!((length(&redis, "s"), length(&redis, "t")), (1, 1));
}

#[test]
fn a_pull_and_a_recording_end_in_time_although_the_store_says_nothing() {
    let mute = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut shell = Shell::at(&format!("http://{}", mute.local_addr().expect("its address")));
    shell.token = Some("a.b.c".into());
    for (arguments, code) in [
        (&["pull", "s", "--timeout", "1s"][..], 5),
        (&["record", "s", "--out", "named", "--duration", "1s"], 0),
        (&["record", "*", "--out", "all", "--duration", "1s"], 0),
    ] {
        let begun = Instant::now();
        let output = shell.run(arguments);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        assert!(
            begun.elapsed() < Duration::from_secs(1) + MORE,
            "{arguments:?}: {:?}",
            begun.elapsed()
        );
    }
}
