//! How `ptg-store pull` ends: at its end, in time, at once, and with a code that scripts can use; also before servers that
//! are no store (docs/command-line.md).

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use crate::commands::push_ends::fails;
use crate::harness::wire::OPEN_PULLS;
use crate::harness::{PATIENCE, Running, Shell, Store, eventually, next_port};

#[test]
fn what_the_command_line_gets_wrong_is_code_2() {
    let store = Store::start();
    let shell = Shell::of(&store);
    for (arguments, named) in [
        (&["pull"][..], "stream"),
        (&["pull", "s", "--no-such-flag"], "--no-such-flag"),
        (&["pull", "s", "--count", "some"], "--count"),
        (&["pull", "s", "--max-rate", "0"], "--max-rate"),
        (&["pull", "s", "--json", "--lines"], "--json"),
        (&["pull", "s", "--suffix", ".x"], "--out"),
        (&["pull", "s", "--out", "o", "--suffix", "a/b"], "--suffix"),
        (&["pull", "s", "other"], "record takes several"),
        (&["pull", "XMETA:s"], "XMETA:"),
        (&["pull", "s", "--from", "yesterday"], "--from yesterday: no place"),
        (&["pull", "s", "--until", "tomorrow"], "'2026-11-28 08:00'"),
        (&["pull", "s", "--until", "+5s"], "that far ahead it is 20"),
        (&["pull", "s", "--from", "30s"], "begins with a minus: -30s"),
    ] {
        fails(&shell.run(arguments), 2, named);
    }
}

#[test]
fn nothing_within_the_timeout_is_code_5_and_something_is_code_0() {
    let store = Store::start();
    let shell = Shell::of(&store);
    fails(
        &shell.run(&["pull", "s", "--timeout", "300ms"]),
        5,
        "nothing came for 300ms",
    );
    store.add("s", &[b"one"]);
    assert_eq!(
        shell.print(&["pull", "s", "--from", "first", "--timeout", "300ms"]),
        "one"
    );
    // An end that was asked for is none of silence.
    let before = [
        "pull",
        "s",
        "--from",
        "first",
        "--until",
        "2001-01-01",
        "--timeout",
        "1h",
    ];
    assert_eq!(shell.print(&before), "");
    // Also when nobody is there to tell the time.
    let shell = Shell::at(&format!("http://127.0.0.1:{}", next_port()));
    let output = shell.run(&["pull", "s", "--timeout", "300ms", "--quiet"]);
    fails(&output, 5, "nothing came");
}

#[test]
fn a_token_that_is_missing_is_code_3_and_a_store_that_is_not_there_is_code_4() {
    let store = Store::start();
    fails(&Shell::at(&store.url("")).run(&["pull", "s"]), 3, "ptg-store login");
    let shell = Shell::at(&format!("http://127.0.0.1:{}", next_port()));
    fails(&shell.run(&["pull", "s", "--retry", "0"]), 4, "cannot be reached");
}

#[test]
fn ctrl_c_is_code_130_and_says_where_to_go_on() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let ids = store.add("s", &[b"one"]);
    let mut pull = shell.start(&["pull", "s", "--from", "first"]);
    eventually(PATIENCE, || store.metric("ptg_entries_out_total{via=\"pull\"}") == 1.0);
    pull.signal("INT");
    let output = pull.wait();
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(output.stdout, b"one");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains(&format!("--from {}", ids[0])), "{told}");
}

#[test]
fn what_standard_output_does_not_take_is_not_called_pulled() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let ids = store.add("s", &[b"one", b"two"]);
    let output = Running::start(shell.script(r#""$P" pull s --from first --until latest > /dev/full"#)).wait();
    fails(&output, 1, "standard output");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!told.contains(&ids[1]), "{told}");
}

#[test]
fn ctrl_c_is_also_seen_while_the_reader_takes_nothing() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let entry = vec![b'x'; 1 << 20];
    store.add("s", &[&entry]);
    // Nobody reads its standard output.
    let mut pull = shell.start(&["pull", "s", "--from", "first"]);
    eventually(PATIENCE, || store.metric("ptg_entries_out_total{via=\"pull\"}") == 1.0);
    pull.signal("TERM");
    assert_eq!(pull.code(), Some(130));
}

#[test]
fn a_pull_that_ends_says_goodbye() {
    let store = Store::start();
    let shell = Shell::of(&store);
    store.add("s", &[b"one", b"two"]);
    shell.print(&["pull", "s", "--from", "first", "--count", "1"]);
    eventually(PATIENCE, || store.metric(OPEN_PULLS) == 0.0);
}

#[test]
fn a_prefix_is_put_before_every_path() {
    let store = Store::start();
    let shell = Shell::at(&format!("{}/prefix/", store.url("")));
    fails(&shell.run(&["streams"]), 1, "404");
}

/// What a server that is no store answers with, and what is said about it.
const ANSWERS: &[(&str, &str)] = &[
    ("", "without a reply"),
    ("SSH-2.0-OpenSSH_9.2\r\n", "this is no store"),
    ("\0\u{1}\u{2}\u{3}\n\n\n", "this is no store"),
    ("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", "this is no store"),
    (
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n{}",
        "this is no store",
    ),
    ("HTTP/1.1 200 OK\r\nContent-Length: minus\r\n\r\n{}", "this is no store"),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n",
        "this is no store",
    ),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
        "no streams",
    ),
    ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "within its reply"),
    (
        "HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\n\r\n<html>",
        "is the address right",
    ),
    ("HTTP/1.1 302 Found\r\nLocation: /login\r\n\r\n", "302"),
    (
        "HTTP/1.1 503 Busy\r\nContent-Length: 26\r\n\r\n{\"detail\":\"Redis is away\"}\n",
        "Redis is away",
    ),
];

#[test]
fn a_server_that_is_no_store_is_told_from_one() {
    for (answer, named) in ANSWERS {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let shell = Shell::at(&format!("http://{}", listener.local_addr().expect("its address")));
        thread::scope(|scope| {
            scope.spawn(|| {
                let (mut peer, _) = listener.accept().expect("a client");
                let mut request = [0; 1 << 10];
                let _ = peer.read(&mut request);
                let _ = peer.write_all(answer.as_bytes());
            });
            let output = shell.run(&["streams"]);
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(told.contains(named), "{answer:?}: {told}");
            assert!(matches!(output.status.code(), Some(1 | 4)), "{answer:?}: {output:?}");
        });
    }
}

#[test]
fn a_websocket_that_makes_no_sense_is_code_1() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: nonsense\r\n\r\n",
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let shell = Shell::at(&format!("http://{}", listener.local_addr().expect("its address")));
        thread::scope(|scope| {
            scope.spawn(|| {
                let (mut peer, _) = listener.accept().expect("a client");
                let _ = peer.read(&mut [0; 1 << 10]);
                let _ = peer.write_all(answer.as_bytes());
            });
            fails(&shell.run(&["pull", "s", "--from", "0"]), 1, "this is no store");
        });
    }
}

#[test]
fn a_server_that_says_nothing_is_given_up_and_ctrl_c_need_not_wait_for_it() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let shell = Shell::at(&format!("http://{}", listener.local_addr().expect("its address")));
    let mut interrupted = shell.start(&["pull", "s"]);
    let given_up = shell.start(&["pull", "s", "--retry", "0"]);
    let _peers = [
        listener.accept().expect("a client"),
        listener.accept().expect("a client"),
    ];
    interrupted.signal("INT");
    fails(&interrupted.wait(), 130, "interrupted");
    fails(&given_up.wait(), 4, "does not answer");
}
