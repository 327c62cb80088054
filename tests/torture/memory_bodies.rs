//! What large messages cost on their way: REST bodies and replies under their budget, WebSocket messages of many sockets.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::harness::{Client, PATIENCE, Program, Redis, eventually, receive_text};
use crate::memory::at_rest;
use crate::process::{MIB, Memory, each, settled, show};
use crate::report::figure;
use crate::websocket_frames::{FIRST_BINARY, MIDDLE, WHOLE_BINARY, head, send_plain};

const CALM: Duration = Duration::from_secs(2);
const LARGE: usize = 60 * MIB as usize;
const BUDGET: u64 = 128 * MIB;
const CLIENTS: usize = 20;
const SOCKETS: usize = 8;

/// What may be in memory besides a budget of bodies: as much again, because a worker has a copy on its way to Redis,
/// and a body that grows may have grown by doubling.
const BESIDES: u64 = 2 * BUDGET + 64 * MIB;

/// What one socket may cost that sends messages of 60 MiB: one being read, one being stored, and their copies.
const MOST_SOCKET: u64 = 5 * LARGE as u64;

#[test]
#[ignore = "long: scripts/torture.sh"]
fn memory_of_uploads_stays_within_their_budget() {
    let (store, before, _redis) = budgeted();
    // Two fill the budget nearly; the others find no room.
    let mut uploads: Vec<_> = (0..2).map(|_| upload(&store, LARGE - 1)).collect();
    eventually(PATIENCE, || store.metric("ptg_body_bytes") >= 2.0 * (LARGE - 1) as f64);
    uploads.extend((2..CLIENTS).map(|_| upload(&store, LARGE - 1)));
    let unfinished = settled(store.pid(), CALM);
    figure("bodies counted", show(store.metric("ptg_body_bytes") as u64));
    drop(uploads.into_iter().map(|thread| thread.join()).collect::<Vec<_>>());
    report("20 uploads of 60 MiB, unfinished", before, unfinished);
    settled(store.pid(), CALM);
    let uploads: Vec<_> = (0..CLIENTS).map(|_| upload(&store, LARGE)).collect();
    let answers = uploads.into_iter().filter_map(|thread| thread.join().ok()?.1);
    let done = answers.filter(|status| status == "200").count();
    let finished = settled(store.pid(), CALM);
    report(
        &format!("20 uploads of 60 MiB, {done} of them stored"),
        before,
        finished,
    );
    assert!(finished.peak - before.resident <= BUDGET + BESIDES, "{finished:?}");
}

#[test]
#[ignore = "long: scripts/torture.sh"]
fn memory_of_unread_replies_stays_within_their_budget() {
    let (store, before, redis) = budgeted();
    let mut connection = redis.connection();
    for _ in 0..16 {
        let mut add = redis::cmd("XADD");
        add.arg("full").arg(&["*", "d"]).arg(vec![b'e'; 4 << 20]);
        add.exec(&mut connection).expect("to add an entry");
    }
    let head = store.head("GET", "/data/full?count=15&last_entry_id=0", &[]);
    let ask = || {
        let mut stream = store.raw();
        stream.write_all(head.as_bytes()).expect("to ask");
        stream
    };
    let asked: Vec<_> = (0..CLIENTS).map(|_| ask()).collect();
    let unread = settled(store.pid(), CALM);
    figure("replies counted", show(store.metric("ptg_body_bytes") as u64));
    report("20 replies of 60 MiB, unread", before, unread);
    drop(asked);
    assert!(unread.peak - before.resident <= BUDGET + BESIDES, "{unread:?}");
}

#[test]
#[ignore = "long: scripts/torture.sh"]
fn memory_of_pushes_of_sixty_mebibytes_while_redis_stands_still() {
    let redis = Redis::start();
    // Redis stands still for longer than the patience is by default.
    let (store, before) = at_rest(&redis, &["--redis-patience", "2m", "--max-len", "1"]);
    let sockets: Vec<_> = (0..SOCKETS)
        .map(|number| store.push(&format!("s{number}"), "ack=true"))
        .collect();
    redis.pause();
    let senders: Vec<_> = sockets
        .into_iter()
        .map(|mut socket| {
            std::thread::spawn(move || {
                let data = vec![b'm'; LARGE];
                // The store stops reading at some message: writing more fails at this side's deadline.
                for _ in 0..4 {
                    let sent = socket.get_mut().write_all(&head(WHOLE_BINARY, LARGE));
                    if sent.and_then(|()| socket.get_mut().write_all(&data)).is_err() {
                        break;
                    }
                }
                socket
            })
        })
        .collect();
    let full = settled(store.pid(), CALM);
    let sockets: Vec<_> = senders
        .into_iter()
        .map(|sender| sender.join().expect("a sender"))
        .collect();
    redis.resume();
    drop(sockets);
    let each = report_each("8 pushes of 60 MiB messages, Redis standing still", before, full);
    report(
        "8 pushes, Redis back and all closed",
        before,
        settled(store.pid(), CALM),
    );
    assert!(each <= MOST_SOCKET, "{}", show(each));
}

#[test]
#[ignore = "long: scripts/torture.sh"]
fn memory_of_messages_that_are_never_finished() {
    let data = vec![b'm'; LARGE - 1];
    for (name, pieces) in [("one frame", 1), ("sixty frames", 60)] {
        let redis = Redis::start();
        let (store, before) = at_rest(&redis, &[]);
        let mut sockets: Vec<_> = (0..SOCKETS)
            .map(|number| store.push(&format!("s{number}"), ""))
            .collect();
        for socket in &mut sockets {
            send_unfinished(socket.get_mut(), &data, pieces);
        }
        let full = settled(store.pid(), CALM);
        let each = report_each(&format!("8 unfinished messages of 60 MiB in {name}"), before, full);
        drop(sockets);
        report("all gone", before, settled(store.pid(), CALM));
        assert!(each <= 3 * LARGE as u64, "{}", show(each));
    }
}

#[test]
#[ignore = "long: scripts/torture.sh"]
fn memory_of_one_finished_message_after_another() {
    let redis = Redis::start();
    let (store, before) = at_rest(&redis, &["--max-len", "1"]);
    let mut socket = store.push("s", "ack=true");
    let data = vec![b'm'; LARGE];
    for _ in 0..5 {
        send_plain(socket.get_mut(), &data);
        receive_text(&mut socket);
    }
    let after = settled(store.pid(), CALM);
    report(
        "one push, five messages of 60 MiB, acknowledged one by one",
        before,
        after,
    );
    assert!(after.peak - before.resident <= MOST_SOCKET, "{after:?}");
}

fn budgeted() -> (Program, Memory, Redis) {
    let redis = Redis::start();
    let (store, before) = at_rest(&redis, &["--max-bodies", "128MiB"]);
    (store, before, redis)
}

/// Announces a body of 60 MiB and sends so much of it; the connection, and the status if there is one.
fn upload(store: &Client, bytes: usize) -> JoinHandle<(TcpStream, Option<String>)> {
    let lines = ["Content-Type: image/png", &format!("Content-Length: {LARGE}")];
    let head = store.head("POST", "/data/uploads", &lines);
    let mut stream = store.raw();
    std::thread::spawn(move || {
        let piece = vec![b'u'; 64 << 10];
        let mut left = bytes;
        let mut sent = stream.write_all(head.as_bytes());
        while sent.is_ok() && left > 0 {
            let now = piece.len().min(left);
            sent = stream.write_all(&piece[..now]);
            left -= now;
        }
        // An unfinished body is answered only when the store gives it up, which is not waited for.
        let mut start = [0; 12];
        let status = stream
            .read_exact(&mut start)
            .ok()
            .map(|()| String::from_utf8_lossy(&start[9..]).into_owned());
        (stream, status)
    })
}

fn send_unfinished(stream: &mut TcpStream, data: &[u8], pieces: usize) {
    let Some(most) = (pieces > 1).then(|| data.len() / pieces) else {
        stream.write_all(&head(WHOLE_BINARY, LARGE)).expect("to send a head");
        return stream.write_all(data).expect("to send most of a message");
    };
    for (number, piece) in data.chunks(most).enumerate() {
        let first = if number == 0 { FIRST_BINARY } else { MIDDLE };
        stream.write_all(&head(first, piece.len())).expect("to send a head");
        stream.write_all(piece).expect("to send a frame");
    }
}

fn report(what: &str, before: Memory, after: Memory) {
    let (peak, now) = (
        after.peak - before.resident,
        after.resident.saturating_sub(before.resident),
    );
    figure(what, format!("grew by {} at the peak, {} now", show(peak), show(now)));
}

fn report_each(what: &str, before: Memory, after: Memory) -> u64 {
    report(what, before, after);
    let each = each(before.resident, after.peak, SOCKETS);
    figure(&format!("{what}, each"), show(each));
    each
}
