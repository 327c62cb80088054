//! docs/protocol.md, section 7, once a socket is open: pings, closes, and what is left behind when it has gone.

use std::io::Read;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use tungstenite::Message;

use crate::harness::wire::{
    OPEN_PULLS, OPEN_PUSHES, PROMPT, add, close, close_promptly, closes_with, header, length, numbers, ping, pulled,
    send_raw, stored_data, wait_longer,
};
use crate::harness::{
    Client, PATIENCE, Program, Redis, Socket, Store, eventually, holds_within, receive_reply, receive_text, resident,
    send_binary, send_text, threads,
};

/// Short enough for a test; a live client answers within it by far.
const LIVELY: [&str; 4] = ["--ping-interval", "300ms", "--idle-timeout", "3s"];

fn open_sockets(store: &Client) -> f64 {
    store.metric(OPEN_PULLS) + store.metric(OPEN_PUSHES)
}

/// Ends a connection as a crashed client's system does: no close frame, no FIN, a reset.
fn reset(socket: Socket) {
    let linger = Some(Duration::ZERO);
    rustix::net::sockopt::set_socket_linger(socket.get_ref(), linger).expect("no linger");
}

/// Does the same with each socket at the same time.
fn together<T: Send>(sockets: impl IntoIterator<Item = Socket>, step: impl Fn(Socket) -> T + Sync) -> Vec<T> {
    let step = &step;
    std::thread::scope(|scope| {
        let steps: Vec<_> = sockets.into_iter().map(|s| scope.spawn(move || step(s))).collect();
        let ended = steps.into_iter().map(|thread| thread.join());
        ended.map(|result| result.expect("a socket that did it")).collect()
    })
}

#[test]
fn a_ping_is_answered_at_any_time() {
    let store = Store::start();
    let mut sockets = [
        store.push("s", ""),
        store.push("s", "ack=true"),
        store.push("s", "batch=true"),
        store.pull("s", ""),
        store.pull("s", "last_entry_id=0&count=100"),
    ];
    for _ in 0..10 {
        for socket in &mut sockets {
            assert_eq!(ping(socket), []);
        }
    }
    // A pull that has just been busy goes on answering.
    add(&store.redis, "s", &numbers(0..3));
    pulled(&mut sockets[4], 3, 100);
    assert_eq!(ping(&mut sockets[4]), []);
    let mut empty = store.pull("s", "");
    empty.send(Message::Ping(vec![].into())).expect("a ping");
    let answer = empty.read().expect("a pong");
    assert_eq!(answer, Message::Pong(vec![].into()));
}

#[test]
fn a_close_is_answered_promptly_even_on_a_silent_pull() {
    let store = Store::start();
    add(&store.redis, "s", &numbers(0..3));
    for _ in 0..5 {
        close_promptly(&mut store.push("s", ""));
        close_promptly(&mut store.push("s", "ack=true&batch=true"));
        close_promptly(&mut store.pull("s", ""));
        close_promptly(&mut store.pull("none", "last_entry_id=0"));
    }
}

#[test]
fn a_close_without_a_code_is_answered_too() {
    let store = Store::start();
    for mut socket in [store.push("s", ""), store.pull("s", "")] {
        socket.close(None).expect("to send a close");
        let answer = socket.read().expect("the answer to a close");
        assert!(matches!(answer, Message::Close(_)), "{answer:?}");
        let mut rest = Vec::new();
        let end = socket.get_mut().read_to_end(&mut rest);
        assert!(end.is_ok() && rest.is_empty(), "{end:?} {rest:?}");
    }
}

#[test]
fn an_idle_peer_is_pinged_and_stays_while_it_answers() {
    let store = Store::with(&LIVELY);
    let sockets = [store.push("s", ""), store.push("s", "batch=true"), store.pull("s", "")];
    together(sockets, |mut socket| {
        let start = Instant::now();
        // Longer than the idle timeout; reading a ping answers it.
        while start.elapsed() < Duration::from_secs(5) {
            let message = socket.read().expect("a ping");
            assert!(matches!(message, Message::Ping(_)), "{message:?}");
        }
        assert_eq!(ping(&mut socket), []);
    });
}

#[test]
fn a_silent_peer_is_dropped() {
    let store = Store::with(&["--ping-interval", "300ms", "--idle-timeout", "1s"]);
    // What is never read is never answered.
    let mut sockets = [store.push("s", ""), store.push("s", "batch=true"), store.pull("s", "")];
    // The totals alone tell that the sockets have begun: the gauges are 0 before that, too.
    let total = |kind: &str| store.metric(&format!("ptg_sockets_total{{kind=\"{kind}\"}}"));
    eventually(PATIENCE, || {
        (total("push"), total("pull"), open_sockets(&store)) == (2.0, 1.0, 0.0)
    });
    for socket in &mut sockets {
        // The end of the stream, or a reset: no deadline passes.
        let end = socket.get_mut().read_to_end(&mut Vec::new());
        let waits = end.is_err_and(|e| e.kind() == std::io::ErrorKind::WouldBlock);
        assert!(!waits, "still open");
    }
}

#[test]
fn a_peer_that_sends_but_answers_no_ping_is_not_silent() {
    let store = Store::with(&["--ping-interval", "300ms", "--idle-timeout", "1s"]);
    let mut push = store.push("s", "");
    let start = Instant::now();
    let mut sent = 0;
    eventually(PATIENCE, || {
        send_binary(&mut push, b"entry");
        sent += 1;
        start.elapsed() > Duration::from_secs(3)
    });
    assert_eq!(store.metric(OPEN_PUSHES), 1.0);
    close(&mut push);
    assert_eq!(length(&store.redis, "s"), sent);
}

#[test]
fn a_pull_costs_one_thread_and_one_redis_connection_and_both_are_gone_after_it() {
    type End = fn(Socket);
    let ends: [(&str, End); 4] = [
        ("close", |mut socket| close_promptly(&mut socket)),
        ("end", drop),
        ("reset", reset),
        ("half an end", |mut socket| {
            let half = socket.get_ref().shutdown(Shutdown::Write);
            half.expect("to end our half");
            // The server ends the other half.
            let _ = socket.get_mut().read_to_end(&mut Vec::new());
        }),
    ];
    const PULLS: usize = 20;
    // Threads and connections that serve the test's own questions come and go.
    const SLACK: usize = 4;
    let redis = Redis::start();
    let store = Program::start(&["--redis", &redis.url()]);
    let mut warm = store.pull("s", "");
    add(&redis, "s", &numbers(0..1));
    receive_reply(&mut warm);
    close(&mut warm);
    eventually(PATIENCE, || open_sockets(&store) == 0.0);
    let idle = (threads(store.pid()), redis.clients());
    for (name, end) in ends {
        let pulls: Vec<_> = (0..PULLS).map(|_| store.pull("s", "")).collect();
        let pulls = together(pulls, |mut pull| {
            assert_eq!(ping(&mut pull), []);
            pull
        });
        let open = (threads(store.pid()), redis.clients());
        assert!(open.0 <= idle.0 + PULLS + SLACK, "{idle:?} {open:?}");
        assert!(open.1 <= idle.1 + PULLS + SLACK, "{idle:?} {open:?}");
        assert_eq!(store.metric(OPEN_PULLS), PULLS as f64);
        together(pulls, end);
        let gone = holds_within(PROMPT, || {
            redis.clients() <= idle.1 + SLACK && threads(store.pid()) <= idle.0 + SLACK && open_sockets(&store) == 0.0
        });
        let left = (threads(store.pid()), redis.clients());
        assert!(gone, "after {name}: {idle:?} became {left:?}");
    }
}

#[test]
fn a_push_leaves_nothing_behind_however_it_ends() {
    let store = Store::start();
    let ends: [fn(Socket); 3] = [|mut socket| close_promptly(&mut socket), drop, reset];
    for end in ends {
        let before = store.redis.clients();
        let mut pushes: Vec<_> = (0..20).map(|_| store.push("s", "ack=true")).collect();
        for push in &mut pushes {
            send_binary(push, b"entry");
            receive_text(push);
        }
        pushes.into_iter().for_each(end);
        eventually(PROMPT, || store.metric(OPEN_PUSHES) == 0.0);
        // Connections of pushes may be kept for the next, but not one for each.
        eventually(PATIENCE, || store.redis.clients() <= before + 8);
    }
}

#[test]
fn a_stop_closes_every_socket_with_1001_and_stores_what_was_received() {
    let mut store = Store::with(&["--max-len", "100000"]);
    let redis = store.redis.clone();
    let mut push = store.push("s", "");
    let mut batches = store.push("b", "batch=true");
    let mut idle = store.push("s", "ack=true");
    let mut pull = store.pull("none", "");
    for entry in numbers(0..2000) {
        send_binary(&mut push, &entry);
    }
    // The pong says that all of it has been received.
    ping(&mut push);
    send_text(&mut batches, "0,1");
    send_binary(&mut batches, b"ab");
    send_text(&mut batches, "0,1");
    ping(&mut batches);
    let start = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| store.stop());
        for socket in [&mut push, &mut batches, &mut idle, &mut pull] {
            closes_with(socket, 1001);
        }
    });
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    assert_eq!(stored_data(&redis, "s"), numbers(0..2000));
    assert_eq!(stored_data(&redis, "b"), [b"a", b"b"]);
    eventually(PATIENCE, || redis.clients() == 0);
}

#[test]
fn a_stop_does_not_wait_for_clients_that_neither_read_nor_answer() {
    let mut store = Store::start();
    add(&store.redis, "s", &vec![vec![1; 1 << 20]; 40]);
    let _stuck = store.pull("s", "last_entry_id=0&count=100");
    let _silent = [store.push("s", "ack=true"), store.pull("s", "")];
    let mut half = store.push("s", "");
    send_raw(&mut half, &header(0x82, 1000));
    let start = Instant::now();
    store.stop();
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
}

#[test]
fn a_puller_that_never_reads_is_dropped_while_others_are_served() {
    let store = Store::with(&["--stall-timeout", "1s", "--max-len", "1000"]);
    let added = add(&store.redis, "s", &vec![vec![1; 1 << 20]; 40]);
    let stuck = store.pull("s", "last_entry_id=0");
    let mut reader = store.pull("s", "last_entry_id=0&count=3");
    wait_longer(&reader);
    assert!(pulled(&mut reader, 40, 3) == added);
    eventually(PATIENCE, || store.metric(OPEN_PULLS) == 1.0);
    drop(stuck);
    let later = add(&store.redis, "s", &[b"later"]);
    assert_eq!(receive_reply(&mut reader), later);
}

#[test]
fn a_puller_that_reads_slowly_is_waited_for() {
    let store = Store::with(&["--stall-timeout", "1s"]);
    let added = add(&store.redis, "s", &vec![vec![7; 1 << 20]; 40]);
    let mut pull = store.pull("s", "last_entry_id=0&count=1");
    let mut found = Vec::new();
    while found.len() < added.len() {
        found.extend(receive_reply(&mut pull));
        // The pace is what is tested: the whole takes several stall timeouts, each step is far within one.
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(found == added);
}

#[test]
fn a_puller_that_never_reads_costs_about_one_reply_of_memory() {
    const PULLERS: usize = 5;
    let redis = Redis::start();
    let store = Program::start(&["--redis", &redis.url()]);
    add(&redis, "s", &vec![vec![1; 1 << 20]; 150]);
    let mut warm = store.pull("s", "last_entry_id=0&count=1000");
    wait_longer(&warm);
    pulled(&mut warm, 150, 1000);
    close(&mut warm);
    let before = resident(store.pid());
    let stuck: Vec<_> = (0..PULLERS)
        .map(|_| store.pull("s", "last_entry_id=0&count=1000"))
        .collect();
    // Stuck when no more entries go out.
    let mut sent = 0.0;
    let mut more_went_out = || {
        let last = sent;
        sent = store.metric("ptg_entries_out_total{via=\"pull\"}");
        sent != last
    };
    while holds_within(Duration::from_millis(500), &mut more_went_out) {}
    // A reply is 8 MiB: read from Redis, joined, and under way.
    let grown = resident(store.pid()).saturating_sub(before);
    assert!(grown < PULLERS * (30 << 20), "{} MiB", grown >> 20);
    drop(stuck);
}
