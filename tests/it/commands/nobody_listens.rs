//! Standard output and standard error that take nothing: a full disk, nobody who reads, nothing there at all. A store serves all
//! the same, and no command panics.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::time::Duration;

use ptg_store::recording::Writable;
use ptg_store::words::ids::StreamId;

use crate::harness::{
    Client, PATIENCE, Redis, Running, Shell, eventually, expect_close, next_port, read_answer, send, send_binary, text,
    wait_for_pong,
};

/// A signal ends the program within this.
const END: Duration = Duration::from_secs(10);

/// More lines than a pipe holds that nobody reads (pipe(7)), and than may wait to be written.
const TOO_MANY_LINES: usize = 6000;

#[test]
fn a_store_starts_serves_and_ends_whatever_becomes_of_its_output() {
    let redis = Redis::start();
    let shell = Shell::at("");
    for redirection in [
        "2> /dev/full",
        "> /dev/full 2>&1",
        "2>&-",
        "<&- >&- 2>&-",
        "2> >(exit)",
        "2> >(head -n 1)",
    ] {
        let (mut store, client) = start(&shell, &redis, redirection, Stdio::null());
        client.assert_serves();
        ends_well(&redis, &mut store, &client);
    }
}

#[test]
fn a_store_whose_log_nobody_reads_any_more_serves_and_ends_in_time() {
    let redis = Redis::start();
    let shell = Shell::at("");
    // Open, and never read.
    let (mut store, client) = start(&shell, &redis, "", Stdio::piped());
    let mut connection = client.raw();
    for _ in 0..TOO_MANY_LINES {
        send(&mut connection, client.head("GET", "/nothing", &[]));
        read_answer(&mut connection).expect(404);
    }
    drop(connection);
    ends_well(&redis, &mut store, &client);
}

#[test]
fn a_store_that_cannot_start_says_so_with_its_code_where_nobody_hears_it() {
    let shell = Shell::at("");
    for arguments in [
        "--listen nonsense",
        "--no-such-flag",
        "nonsense",
        "--redis nonsense --listen 127.0.0.1:0",
    ] {
        for redirection in ["2> /dev/full", "> /dev/full 2>&1", ">&- 2>&-", "2> >(exit)"] {
            let script = format!(r#""$P" {arguments} {redirection}"#);
            let code = Running::start(shell.script(&script)).code();
            assert!(code == Some(1) || code == Some(2), "{script}: {code:?}");
        }
    }
}

#[test]
fn help_that_cannot_be_printed_is_an_error_and_help_that_is_read_in_part_is_none() {
    let shell = Shell::at("");
    let commands = [
        "", "login", "streams", "push", "pull", "record", "replay", "bench", "doctor",
    ];
    let helps = commands.map(|command| format!("{command} --help"));
    for arguments in helps
        .iter()
        .map(String::as_str)
        .chain(["--version", "help", "bench --list"])
    {
        let output = Running::start(shell.script(&format!(r#""$P" {arguments} > /dev/full"#))).wait();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments}: {said}");
        assert!(
            said.contains("cannot print") && !said.contains("panicked"),
            "{arguments}: {said}"
        );

        for unheard in ["> /dev/full 2>&1", "2>&- >&-"] {
            let code = Running::start(shell.script(&format!(r#""$P" {arguments} {unheard}"#))).code();
            assert!(code == Some(1) || code == Some(0), "{arguments} {unheard}: {code:?}");
        }
    }
    for arguments in helps.iter().map(String::as_str).chain(["--version"]) {
        // Its reader has gone before it prints.
        let script = format!(r#"rm -f p; mkfifo p; exec 3<>p 4>p 3>&-; "$P" {arguments} >&4"#);
        let output = Running::start(shell.script(&script)).wait();
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{arguments}: {output:?}"
        );
    }
}

/// A store with its output redirected so by a shell, on a port that nobody tells us.
#[track_caller]
fn start(shell: &Shell, redis: &Redis, redirection: &str, stderr: Stdio) -> (Running, Client) {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, next_port()));
    let script = format!(r#"exec "$P" --listen {address} --redis {} {redirection}"#, redis.url());
    let mut command = shell.script(&script);
    command.stdout(Stdio::null()).stderr(stderr);
    let mut store = Running::start(command);
    eventually(PATIENCE, || {
        assert!(!store.has_ended(), "it ended: {script}");
        std::net::TcpStream::connect(address).is_ok()
    });
    (store, Client::new(address))
}

/// What was received is stored, sockets are closed with 1001, and the code is 0.
#[track_caller]
fn ends_well(redis: &Redis, store: &mut Running, client: &Client) {
    redis.command::<()>(&["DEL", "x"]);
    let mut push = client.push("x", "");
    send_binary(&mut push, b"entry");
    wait_for_pong(&mut push);
    store.signal("TERM");
    assert_eq!(expect_close(&mut push).0, 1001);
    drop(push);
    eventually(END, || store.has_ended());
    assert_eq!(store.code(), Some(0));
    assert_eq!(redis.command::<usize>(&["XLEN", "x"]), 1);
}

#[test]
fn a_result_that_cannot_be_printed_is_an_error_and_one_that_is_read_in_part_is_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let stream = StreamId::new("s").expect("a name");
    let mut recording = Writable::open(folder.path(), "http://127.0.0.1:7890").expect("a recording");
    drop(recording.writer(&stream).expect("a writer"));
    drop(recording);
    let shell = Shell::at("");
    let check = format!(r#""$P" replay '{}' --check"#, folder.path().display());
    for (redirection, expected) in [("> /dev/full", 1), ("> >(exit)", 0), ("", 0)] {
        let output = Running::start(shell.script(&format!("{check} {redirection}"))).wait();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(expected), "{redirection}: {said}");
        assert_eq!(
            said.contains("cannot write to standard output"),
            expected == 1,
            "{said}"
        );
    }
}
