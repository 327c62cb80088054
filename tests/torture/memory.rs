//! What open sockets and connections cost in memory while nothing happens, and after something did.

use std::time::Duration;

use crate::harness::{PATIENCE, Program, Redis, Socket, eventually, read_answer, receive_reply, receive_text, send};
use crate::process::{KIB, MIB, Memory, each, memory, redis_info, settled, show};
use crate::report::figure;
use crate::websocket_frames::send_plain;

/// So long without a change counts as rest: twice the longest wait of a pull in Redis.
const CALM: Duration = Duration::from_secs(2);

/// Streams that share the sockets: enough to be many, few enough for the large entries to fit into memory.
const STREAMS: usize = 10;

/// Twice what an idle socket is to cost.
const MOST_IDLE: u64 = 64 * KIB;

/// Twice what an idle HTTP connection is to cost.
const MOST_CONNECTION: u64 = 2 * 32 * KIB;

/// What a socket may keep of what it has moved: what the allocator does not give back, shared by all of them.
const MOST_KEPT: u64 = 128 * MIB;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Pull,
    Push { ack: bool },
}

#[test]
#[ignore = "long: scripts/torture.sh"]
fn memory_of_a_thousand_idle_sockets_is_small_and_comes_back_after_a_message() {
    for kind in [Kind::Pull, Kind::Push { ack: true }, Kind::Push { ack: false }] {
        let idle = measure(kind, 1000, MIB as usize);
        assert!(idle <= MOST_IDLE, "an idle {kind:?} costs {}", show(idle));
        measure(kind, 16, 60 * MIB as usize);
    }
}

#[test]
#[ignore = "long: scripts/torture.sh"]
fn memory_of_four_thousand_idle_connections_is_small() {
    let redis = Redis::start();
    let long = ["--keep-alive", "10m", "--head-timeout", "10m"];
    let store = Program::start(&[&["--redis", &redis.url()], &long[..]].concat());
    store.assert_serves();
    let before = settled(store.pid(), CALM);
    let mut connections: Vec<_> = (0..4000).map(|_| store.raw()).collect();
    eventually(PATIENCE * 3, || store.metric("ptg_connections_open") >= 4000.0);
    let silent = settled(store.pid(), CALM);
    for connection in &mut connections {
        send(connection, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
        read_answer(connection).expect(200);
    }
    let used = settled(store.pid(), CALM);
    let cost = each(before.resident, used.resident, connections.len());
    figure("base resident", show(before.resident));
    figure(
        "idle connection, before its first request",
        show(each(before.resident, silent.resident, connections.len())),
    );
    figure("idle connection, after a request", show(cost));
    drop(connections);
    eventually(PATIENCE * 3, || store.metric("ptg_connections_open") < 10.0);
    figure(
        "resident after all have left",
        show(settled(store.pid(), CALM).resident),
    );
    assert!(cost <= MOST_CONNECTION, "an idle connection costs {}", show(cost));
}

/// Opens sockets, moves one message through each, closes them; prints what they cost. Returns what an idle one does.
fn measure(kind: Kind, count: usize, message: usize) -> u64 {
    let redis = Redis::start();
    let store = Program::start(&["--redis", &redis.url(), "--max-len", "1"]);
    store.assert_serves();
    let (before, redis_before) = (settled(store.pid(), CALM), redis_info(&redis, "used_memory"));
    let mut sockets: Vec<Socket> = (0..count).map(|number| open(&store, kind, number)).collect();
    let gauge = match kind {
        Kind::Pull => "ptg_sockets_open{kind=\"pull\"}",
        Kind::Push { .. } => "ptg_sockets_open{kind=\"push\"}",
    };
    eventually(PATIENCE, || store.metric(gauge) == count as f64);
    let idle = settled(store.pid(), CALM);
    let what = format!("{count} x {kind:?}");
    let share = redis_info(&redis, "used_memory").saturating_sub(redis_before) / count as u64;
    print_growth(&format!("{what}, idle, each"), before, idle, count);
    figure(&format!("{what}, idle, Redis's share, each"), show(share));
    move_one(&store, &redis, kind, &mut sockets, message);
    let moved = settled(store.pid(), CALM);
    let after = format!("{what}, after {} each", show(message as u64));
    print_growth(&format!("{after}, each"), before, moved, count);
    figure(&format!("{after}, peak in all"), show(moved.peak - before.resident));
    sockets
        .iter_mut()
        .for_each(|socket| drop(socket.close(None).and_then(|()| socket.flush())));
    drop(sockets);
    eventually(PATIENCE, || store.metric(gauge) == 0.0);
    let left = settled(store.pid(), CALM);
    let kept = left.resident.saturating_sub(before.resident);
    figure(&format!("{after} and all closed, growth in all"), show(kept));
    assert!(kept <= MOST_KEPT, "{after}: {} are kept", show(kept));
    each(before.resident, idle.resident, count)
}

fn open(store: &Program, kind: Kind, number: usize) -> Socket {
    let stream = format!("silent-{}", number % STREAMS);
    match kind {
        Kind::Pull => store.pull(&stream, ""),
        Kind::Push { ack } => store.push(&stream, &format!("ack={ack}")),
    }
}

fn move_one(store: &Program, redis: &Redis, kind: Kind, sockets: &mut [Socket], message: usize) {
    let data = vec![b'm'; message];
    match kind {
        Kind::Pull => {
            let mut connection = redis.connection();
            for stream in 0..STREAMS {
                let mut add = redis::cmd("XADD");
                add.arg(format!("silent-{stream}")).arg(&["*", "d"]).arg(&data[..]);
                add.exec(&mut connection).expect("to add an entry");
            }
            for socket in sockets {
                assert_eq!(receive_reply(socket)[0].1.len(), message);
            }
        }
        Kind::Push { ack } => {
            let before = store.metric("ptg_entries_in_total{via=\"push\"}");
            for socket in sockets.iter_mut() {
                send_plain(socket.get_mut(), &data);
                if ack {
                    receive_text(socket);
                }
            }
            let all = before + sockets.len() as f64;
            eventually(PATIENCE * 6, || {
                store.metric("ptg_entries_in_total{via=\"push\"}") >= all
            });
        }
    }
}

fn print_growth(what: &str, before: Memory, after: Memory, count: usize) {
    let resident = show(each(before.resident, after.resident, count));
    let anonymous = show(each(before.anonymous, after.anonymous, count));
    figure(what, format!("{resident} resident, {anonymous} anonymous"));
}

/// A store that has served once, and its memory at rest.
pub fn at_rest(redis: &Redis, flags: &[&str]) -> (Program, Memory) {
    let store = Program::start(&[&["--redis", &redis.url()], flags].concat());
    store.assert_serves();
    settled(store.pid(), Duration::from_millis(500));
    crate::process::forget_peak(store.pid());
    let before = memory(store.pid());
    (store, before)
}
