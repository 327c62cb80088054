//! `ptg-store replay --keep-times`: the same ids, each once, whatever breaks meanwhile; or a clear word before it begins.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

use ptg_store::recording::Writable;
use ptg_store::words::ids::{EntryId, StreamId};
use tempfile::TempDir;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;

use crate::harness::{Manner, PATIENCE, Program, Proxy, Redis, Shell, Store, eventually, next_port, text};

/// An entry as Redis shows it: its id, and the bytes.
type Entry = (String, String);

/// Writes entries as a recording, and returns them.
fn write(folder: &Path, stream: &str, ids: impl Iterator<Item = (u64, u64)>) -> Vec<Entry> {
    let mut writable = Writable::open(folder, "http://127.0.0.1:7890").expect("a recording");
    let stream = StreamId::new(stream).expect("a stream's name");
    let (mut writer, _) = writable.writer(&stream).expect("a writer");
    ids.map(|(ms, seq)| {
        let id = EntryId { ms, seq };
        let entry = if seq == 7 {
            String::new()
        } else {
            format!("{stream} {id}")
        };
        writer.append(&[(id, 0)], entry.as_bytes()).expect("to append");
        (id.to_string(), entry)
    })
    .collect()
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn path(folder: &TempDir) -> &str {
    folder.path().to_str().expect("a path of text")
}

fn found(redis: &Redis, stream: &str) -> Vec<Entry> {
    let range: Vec<(String, Vec<String>)> = redis.command(&["XRANGE", stream, "-", "+"]);
    range
        .into_iter()
        .map(|(id, mut fields)| (id, fields.remove(1)))
        .collect()
}

#[test]
fn ids_are_kept_in_every_stream() {
    let store = Store::on(&Redis::start(), &["--max-len", "100000"]);
    let shell = Shell::of(&store);
    let folder = folder();
    let cam = write(
        folder.path(),
        "cam",
        (0..5000).map(|n| (1_600_000_000_000 + n / 10, n % 10)),
    );
    let odd = write(folder.path(), "\"a\\b\" käse", (0..3).map(|n| (5, n + 1)));
    let (said, told) = shell.do_well(&["replay", path(&folder), "--fast", "--keep-times"]);
    assert_eq!((said.lines().count(), told.as_str()), (2, ""), "{said}");
    assert!(found(&store.redis, "cam") == cam);
    assert_eq!(found(&store.redis, "\"a\\b\" käse"), odd);
}

#[test]
fn a_stream_with_newer_entries_is_told_before_anything_is_pushed() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let folder = folder();
    let cam = write(folder.path(), "cam", (1..=4).map(|ms| (ms, 0)));
    write(folder.path(), "a", (1..=2).map(|ms| (ms, 0)));
    let xadd = |id: &str| store.redis.command::<String>(&["XADD", "cam", id, "d", "other"]);
    xadd("2-0");
    let output = shell.run(&["replay", path(&folder), "--fast", "--keep-times"]);
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stderr);
    assert!(
        told.contains("cam: its newest entry is 2-0") && told.contains("; --stream cam --from 2-0 "),
        "{told}"
    );
    assert_eq!(store.get("/streams/").json(), serde_json::json!(["cam"]));
    // As it says.
    let from = [
        "replay",
        path(&folder),
        "--fast",
        "--keep-times",
        "--stream",
        "cam",
        "--from",
        "2-0",
    ];
    shell.do_well(&from);
    assert_eq!(found(&store.redis, "cam")[1..], cam[2..]);
    let output = shell.run(&from);
    assert_eq!(output.status.code(), Some(1));
    assert!(!text(&output.stderr).contains("--from 4-0"), "{}", text(&output.stderr));
    // A stream that was emptied remembers its newest id.
    store.redis.command::<()>(&["XTRIM", "cam", "MAXLEN", "0"]);
    assert_eq!(shell.run(&from).status.code(), Some(1));
    let fresh = ["replay", path(&folder), "--fast", "--keep-times", "--prefix", "other-"];
    shell.do_well(&fresh);
    assert_eq!(found(&store.redis, "other-cam"), cam);
}

#[test]
fn the_advice_names_the_stream_that_it_is_for() {
    let store = Store::start();
    let folder = folder();
    for stream in ["cam", "mic"] {
        write(folder.path(), stream, (1..=4).map(|ms| (ms, 0)));
    }
    store.redis.command::<String>(&["XADD", "x-other", "3-0", "d", "newer"]);
    let arguments = ["--fast", "--keep-times", "--prefix", "x-", "--stream", "mic=other"];
    let output = Shell::of(&store).run(&[&["replay", path(&folder)], &arguments[..], &["--stream", "cam"]].concat());
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stderr);
    assert!(
        told.contains("; --stream mic=other --from 3-0 replays only what is later"),
        "{told}"
    );
}

#[test]
fn somebody_else_who_pushes_a_newer_entry_meanwhile_ends_it() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let folder = folder();
    let cam = write(
        folder.path(),
        "cam",
        [(1000, 0), (1300, 0), (100_000_000, 0)].into_iter(),
    );
    let replay = shell.start(&["replay", path(&folder), "--keep-times", "--speed", "100"]);
    eventually(PATIENCE, || found(&store.redis, "cam").len() == 2);
    store
        .redis
        .command::<String>(&["XADD", "cam", "200000000-0", "d", "other"]);
    drop(replay);
    let from = ["replay", path(&folder), "--keep-times", "--fast", "--from", "1300-0"];
    let output = shell.run(&from);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(found(&store.redis, "cam")[..2], cam[..2]);
}

#[test]
fn a_restart_of_the_store_neither_loses_nor_doubles_an_entry() {
    let redis = Redis::start();
    let mut store = Store::on(&redis, &["--max-len", "1000000"]);
    let shell = Shell::of(&store);
    let folder = folder();
    let cam = write(folder.path(), "cam", (0..2000).map(|n| (1_600_000_000_000 + n, 1)));
    let replay = shell.start(&["replay", path(&folder), "--keep-times"]);
    eventually(PATIENCE, || redis.command::<u64>(&["XLEN", "cam"]) > 100);
    let address = store.addr().to_string();
    store.stop();
    let _store = Store::on(&redis, &["--listen", &address, "--max-len", "1000000"]);
    let output = replay.wait();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(found(&redis, "cam") == cam);
}

#[test]
fn a_store_killed_before_it_acknowledges_neither_loses_nor_doubles_an_entry() {
    const ENTRIES: u64 = 100_000;
    let redis = Redis::start();
    let listen = format!("127.0.0.1:{}", next_port());
    let url = redis.url();
    let start = || Program::start(&["--redis", &url, "--listen", &listen, "--max-len", "1000000"]);
    let mut store = start();
    let shell = Shell::of(&store);
    let folder = folder();
    let cam = write(folder.path(), "cam", (0..ENTRIES).map(|n| (1_600_000_000_000 + n, 1)));
    let mut replay = shell.start(&["replay", path(&folder), "--keep-times", "--fast"]);
    for more in (1..8).map(|eighth| eighth * ENTRIES / 8) {
        eventually(PATIENCE, || {
            replay.has_ended() || redis.command::<u64>(&["XLEN", "cam"]) > more
        });
        store.signal("KILL");
        store.wait(PATIENCE);
        store = start();
    }
    let output = replay.wait();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(
        text(&output.stdout).lines().next(),
        Some(&*format!("cam: {ENTRIES} entries, {} bytes", size(&cam)))
    );
    assert!(found(&redis, "cam") == cam);
}

#[test]
fn an_acknowledgement_that_redis_gave_and_the_store_never_got_neither_loses_nor_doubles_an_entry() {
    let redis = Redis::start();
    let proxy = Proxy::to(&redis);
    let store = Store::through(&proxy, &redis, &["--max-len", "1000000"]);
    let shell = Shell::of(&store);
    let folder = folder();
    let cam = write(folder.path(), "cam", (0..2000).map(|n| (1_600_000_000_000 + n, 1)));
    let replay = shell.start(&["replay", path(&folder), "--keep-times"]);
    eventually(PATIENCE, || redis.command::<u64>(&["XLEN", "cam"]) > 100);
    for byte in [1, 20, 300] {
        let broken = proxy.broken();
        proxy.cut_and(Manner::CutAfter(byte));
        eventually(PATIENCE, || proxy.broken() > broken);
    }
    proxy.set(Manner::Pass);
    let output = replay.wait();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(found(&redis, "cam") == cam);
}

/// Plays a store that stored a batch whose acknowledgement was lost, and goes away just when it is asked about it.
fn forgetful_store(listener: &TcpListener) {
    let accept = || listener.accept().expect("a connection").0;
    let reply = |headers: &str, body: &str| {
        let mut stream = accept();
        let head = format!(
            "HTTP/1.1 200 OK\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n",
            body.len()
        );
        read_head(&mut stream);
        write!(stream, "{head}{body}").expect("to reply");
    };
    let push = || {
        let mut socket = tungstenite::accept(accept()).expect("a WebSocket");
        let header = socket.read().expect("a header");
        assert!(header.to_text().expect("text").contains("\"1-0\""), "{header}");
        socket.read().expect("the bytes");
        socket
    };
    reply("", r#"{"meta":{"max_len":9},"info":{"length":0}}"#);
    drop(push());
    let refusal = CloseFrame {
        code: CloseCode::Invalid,
        reason: "1-0 is not newer".into(),
    };
    let mut refusing = push();
    refusing.close(Some(refusal)).expect("to close");
    while refusing.read().is_ok() {}
    drop(accept());
    reply("entry-offset: [[\"1-0\", 0]]\r\n", "cam 1-0");
}

/// Reads a request that has no body.
fn read_head(stream: &mut TcpStream) {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("a request");
        head.extend(byte);
    }
}

#[test]
fn a_store_that_is_away_when_it_is_asked_what_it_has_is_asked_again() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    let folder = folder();
    write(folder.path(), "cam", [(1, 0)].into_iter());
    let shell = Shell::at(&url);
    let replay = shell.start(&["replay", path(&folder), "--keep-times"]);
    let store = std::thread::spawn(move || forgetful_store(&listener));
    let output = replay.wait();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "cam: 1 entry, 7 bytes\n");
    store.join().expect("all that the store was to do");
}

/// The bytes of all entries.
fn size(entries: &[Entry]) -> usize {
    entries.iter().map(|(_, bytes)| bytes.len()).sum()
}
