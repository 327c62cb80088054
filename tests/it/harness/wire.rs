//! What the WebSocket tests share: frames by hand, pings and closes against the clock, and what is in Redis.

use std::io::Write;
use std::time::{Duration, Instant};

use redis::streams::StreamRangeReply;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, Message};

use crate::harness::{Client, PATIENCE, Redis, Socket, eventually, expect_close, receive_reply};

/// Within this time the store answers a ping or a close, and cleans up behind a socket.
pub const PROMPT: Duration = Duration::from_secs(2);

/// An entry with its id.
pub type Entry = (String, Vec<u8>);

/// The gauge of open push sockets, as /metrics names it.
pub const OPEN_PUSHES: &str = "ptg_sockets_open{kind=\"push\"}";
pub const OPEN_PULLS: &str = "ptg_sockets_open{kind=\"pull\"}";
pub const OPEN_FOLLOWERS: &str = "ptg_sockets_open{kind=\"follow\"}";

/// The entries 0, 1, 2, … as decimal text.
pub fn numbers(range: std::ops::Range<usize>) -> Vec<Vec<u8>> {
    range.map(|n| n.to_string().into_bytes()).collect()
}

/// What the stream holds, read straight from Redis.
#[track_caller]
pub fn stored(redis: &Redis, stream: &str) -> Vec<Entry> {
    let reply: StreamRangeReply = redis.command(&["XRANGE", stream, "-", "+"]);
    let entries = reply.ids.into_iter();
    entries
        .map(|entry| {
            assert_eq!(entry.map.len(), 1, "fields beside d: {:?}", entry.map);
            let data = entry.get("d").expect("a field d");
            (entry.id, data)
        })
        .collect()
}

/// The same without the ids.
#[track_caller]
pub fn stored_data(redis: &Redis, stream: &str) -> Vec<Vec<u8>> {
    stored(redis, stream).into_iter().map(|e| e.1).collect()
}

/// Redis's clock, in milliseconds since 1970.
#[track_caller]
pub fn clock(redis: &Redis) -> u64 {
    let time: Vec<u64> = redis.command(&["TIME"]);
    time[0] * 1000 + time[1] / 1000
}

/// Waits until ids are larger than all that were given so far, also in a stream that is begun anew.
#[track_caller]
pub fn wait_for_larger_ids(redis: &Redis) {
    let now = clock(redis);
    eventually(PATIENCE, || clock(redis) > now);
}

pub fn length(redis: &Redis, stream: &str) -> usize {
    redis.command(&["XLEN", stream])
}

/// Adds entries straight to Redis, as another program would, and returns them with their ids.
#[track_caller]
pub fn add<T: AsRef<[u8]>>(redis: &Redis, stream: &str, entries: &[T]) -> Vec<Entry> {
    let mut pipeline = redis::pipe();
    for entry in entries {
        let command = pipeline.cmd("XADD").arg(stream).arg("*");
        command.arg("d").arg(entry.as_ref());
    }
    let ids: Vec<String> = pipeline.query(&mut redis.connection()).expect("to add entries");
    let data = entries.iter().map(|entry| entry.as_ref().to_vec());
    ids.into_iter().zip(data).collect()
}

/// Reads replies until so many entries came; each reply has 1 to `count` of them.
#[track_caller]
pub fn pulled(socket: &mut Socket, total: usize, count: usize) -> Vec<Entry> {
    let mut entries = Vec::new();
    while entries.len() < total {
        let reply = receive_reply(socket);
        let size = reply.len();
        assert!((1..=count).contains(&size), "{size} entries in one reply");
        entries.extend(reply);
    }
    entries
}

/// Sends a ping and reads up to its pong, which must be prompt; the messages that came before it.
#[track_caller]
pub fn ping(socket: &mut Socket) -> Vec<Message> {
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let payload = number.to_be_bytes().to_vec();
    let start = Instant::now();
    let message = Message::Ping(payload.clone().into());
    socket.send(message).expect("to send a ping");
    let mut before = Vec::new();
    loop {
        match socket.read().expect("a pong") {
            Message::Pong(data) if data == payload => break,
            Message::Ping(_) | Message::Pong(_) => {}
            Message::Close(frame) => panic!("{frame:?} instead of a pong"),
            message => before.push(message),
        }
    }
    let took = start.elapsed();
    assert!(took < PROMPT, "the pong took {took:?}");
    before
}

/// Closes as a client does and reads up to the answer and the end; the text messages that came before it.
#[track_caller]
pub fn close(socket: &mut Socket) -> Vec<String> {
    let frame = CloseFrame {
        code: CloseCode::Normal,
        reason: "done".into(),
    };
    socket.close(Some(frame)).expect("to send a close");
    let mut texts = Vec::new();
    let mut answered = false;
    loop {
        match socket.read() {
            Ok(Message::Text(text)) => texts.push(text.as_str().to_owned()),
            Ok(Message::Close(frame)) => {
                let code = frame.map(|frame| u16::from(frame.code));
                assert_eq!(code, Some(1000), "the answer to a close");
                answered = true;
            }
            Ok(_) => {}
            Err(Error::ConnectionClosed) if answered => return texts,
            Err(error) => panic!("{error:?} instead of the answer to a close"),
        }
    }
}

/// The same, and prompt.
#[track_caller]
pub fn close_promptly(socket: &mut Socket) {
    let start = Instant::now();
    close(socket);
    let took = start.elapsed();
    assert!(took < PROMPT, "the close took {took:?}");
}

/// The server closes with this code and a reason, which is returned; the close is answered.
#[track_caller]
pub fn closes_with(socket: &mut Socket, code: u16) -> String {
    let (found, reason) = expect_close(socket);
    assert_eq!(found, code, "closed with {found} {reason:?}");
    assert!(!reason.is_empty(), "{code} without a reason");
    // The server may have gone already, which is its right.
    let _ = socket.flush();
    reason
}

/// A frame as a client masks it; `first` is the byte of the FIN bit, the reserved bits and the opcode.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(first, payload.len() as u64);
    let mask = &bytes[bytes.len() - 4..].to_vec();
    let masked = payload.iter().zip(mask.iter().cycle());
    bytes.extend(masked.map(|(byte, mask)| byte ^ mask));
    bytes
}

/// The header of such a frame, its mask included, that promises so many bytes.
pub fn header(first: u8, length: u64) -> Vec<u8> {
    let mut bytes = vec![first];
    match length {
        0..126 => bytes.push(0x80 | length as u8),
        126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend(length.to_be_bytes());
        }
    }
    bytes.extend([0x12, 0x34, 0x56, 0x78]);
    bytes
}

/// Sends bytes as they are, beneath the WebSocket library.
#[track_caller]
pub fn send_raw(socket: &mut Socket, bytes: &[u8]) {
    socket.get_mut().write_all(bytes).expect("to send bytes");
}

/// For messages so large that a debug build needs a while.
pub fn wait_longer(socket: &Socket) {
    let stream = socket.get_ref();
    let wait = Some(6 * PATIENCE);
    stream.set_read_timeout(wait).expect("a read deadline");
    stream.set_write_timeout(wait).expect("a write deadline");
}

/// Waits until so many push sockets have been opened in all and none is open any more.
#[track_caller]
pub fn pushes_have_ended(store: &Client, opened: usize) {
    // The total alone tells that a socket has begun: the gauge is 0 before that, too.
    eventually(3 * PATIENCE, || {
        store.metric("ptg_sockets_total{kind=\"push\"}") == opened as f64 && store.metric(OPEN_PUSHES) == 0.0
    });
}

/// Redis has come back: within 2 s the store sees it, and takes handshakes and requests again.
#[track_caller]
pub fn redis_is_seen_again(store: &Client) {
    eventually(PROMPT, || {
        store.metric("ptg_redis_up") == 1.0 && store.get("/ping").status == 200
    });
}

/// Lets Redis have so many bytes more than it has now; then it is out of memory.
pub fn limit_memory(redis: &Redis, more: u64) {
    let info: String = redis.command(&["INFO", "memory"]);
    let used = info.lines().find_map(|l| l.strip_prefix("used_memory:"));
    let used: u64 = used.and_then(|n| n.parse().ok()).expect("used_memory");
    let limit = (used + more).to_string();
    redis.command::<()>(&["CONFIG", "SET", "maxmemory", &limit]);
}

pub fn lift_memory_limit(redis: &Redis) {
    redis.command::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
}
