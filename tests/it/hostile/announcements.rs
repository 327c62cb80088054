//! Lengths that are announced and do not come: they cost the store nothing, and when the system refuses it memory, that is an
//! answer and not its end.

use std::io::Write;
use std::net::TcpStream;
use std::process::Command;

use crate::harness::wire::{header, send_raw, stored_data, wait_longer};
use crate::harness::{Program, Redis, Socket, expect_close, receive_reply, receive_text, send, send_binary};

/// The largest message and body, in bytes.
const LARGEST: usize = 64 << 20;

/// How many clients announce that much: more than `ADDRESS_SPACE` has room for.
const ANNOUNCING: usize = 48;

/// What the process may address, in bytes: as much as systemd's `LimitAS=3G` grants.
const ADDRESS_SPACE: usize = 3 << 30;

/// What it may still take when a large entry comes, in bytes: not enough for that, but for all else.
const LITTLE: usize = 48 << 20;

/// Sets the address space that a program may have from now on.
fn grant(store: &Program, bytes: &str) {
    let status = Command::new("prlimit")
        .args(["--pid", &store.pid().to_string(), &format!("--as={bytes}:unlimited")])
        .status();
    assert!(status.is_ok_and(|status| status.success()), "no prlimit");
}

/// The address space that it has, in bytes.
fn address_space(store: &Program) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", store.pid())).expect("its status");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmSize:"))
        .expect("VmSize");
    let kilobytes: usize = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kilobytes << 10
}

fn announced_post(store: &Program, sent: usize) -> TcpStream {
    let mut stream = store.raw();
    let length = format!("Content-Length: {LARGEST}");
    send(
        &mut stream,
        store.head("POST", "/data/announced", &["Content-Type: image/png", &length]),
    );
    send(&mut stream, vec![7; sent]);
    stream
}

fn announced_message(store: &Program, sent: usize) -> Socket {
    let mut push = store.push("announced", "ack=true");
    send_raw(&mut push, &header(0x82, LARGEST as u64));
    send_raw(&mut push, &vec![7; sent]);
    push
}

#[test]
fn dozens_that_announce_much_and_send_little_leave_room_for_others() {
    let redis = Redis::start();
    let store = Program::start(&["--redis", &redis.url()]);
    grant(&store, &ADDRESS_SPACE.to_string());
    // Nothing, a byte, and more than the first piece of memory.
    let sent = [0, 1, 100_000];
    let posts: Vec<TcpStream> = (0..ANNOUNCING)
        .map(|number| announced_post(&store, sent[number % 3]))
        .collect();
    let chunked: Vec<TcpStream> = (0..ANNOUNCING)
        .map(|_| {
            let mut stream = store.raw();
            let lines = ["Content-Type: image/png", "Transfer-Encoding: chunked"];
            send(
                &mut stream,
                store.head("POST", "/data/announced", &lines) + "4000000\r\nx",
            );
            stream
        })
        .collect();
    let sockets: Vec<Socket> = (0..ANNOUNCING)
        .map(|number| announced_message(&store, sent[number % 3]))
        .collect();
    let fragments: Vec<Socket> = (0..ANNOUNCING)
        .map(|_| {
            let mut push = store.push("announced", "batch=true");
            send_raw(&mut push, &header(0x01, LARGEST as u64));
            push
        })
        .collect();
    store.assert_serves();
    let mut pull = store.pull("s", "");
    let mut push = store.push("s", "ack=true");
    send_binary(&mut push, b"entry");
    let id = receive_text(&mut push);
    assert_eq!(receive_reply(&mut pull)[0].0, id);
    // A message of that size that does come has its place.
    let entry = vec![7; LARGEST];
    wait_longer(&push);
    send_binary(&mut push, &entry);
    receive_text(&mut push);
    drop((posts, chunked, sockets, fragments));
    store.assert_serves();
}

#[test]
fn what_there_is_no_memory_for_is_1013_or_503_and_the_program_lives() {
    let redis = Redis::start();
    let store = Program::start(&["--redis", &redis.url()]);
    let entry: Vec<u8> = (0..LARGEST).map(|n| (n % 251) as u8).collect();
    store.post("/data/large", "image/raw", &entry).expect(200);
    // Opened before, so that what they take once is taken.
    let mut push = store.push("s", "ack=true");
    let mut others = [store.push("other", "ack=true"), store.push("other", "ack=true")];
    store.assert_serves();
    wait_longer(&push);
    grant(&store, &(address_space(&store) + LITTLE).to_string());

    let mut sender = push.get_ref().try_clone().expect("a second handle");
    let (code, reason) = std::thread::scope(|scope| {
        scope.spawn(|| {
            // The store need not take what it has refused.
            let _ = sender.write_all(&[header(0x82, LARGEST as u64), entry.clone()].concat());
        });
        expect_close(&mut push)
    });
    assert_eq!(code, 1013, "{reason}");
    assert!(reason.contains("memory") && reason.contains("67108864"), "{reason}");
    drop(push);
    let detail = store.post("/data/refused", "image/raw", &entry).expect(503).detail();
    assert!(detail.contains("memory"), "{detail}");
    store.get("/data/large").expect(503);
    for socket in &mut others {
        send_binary(socket, b"small");
        receive_text(socket);
    }
    store.assert_serves();

    grant(&store, "unlimited");
    let mut push = store.push("s", "ack=true");
    wait_longer(&push);
    send_binary(&mut push, &entry);
    receive_text(&mut push);
    assert!(stored_data(&redis, "s") == [&entry[..]]);
    assert!(store.get("/data/large").expect(200).body == entry);
}
