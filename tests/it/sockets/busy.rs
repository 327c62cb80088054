//! A socket that always has something to do sees to its client all the same, and to the order to stop.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tungstenite::Message;

use crate::harness::wire::{frame, ping};
use crate::harness::{PATIENCE, Program, Redis, Socket, Store, eventually, expect_close, receive_text, send_text};

/// Adds an entry every few milliseconds while `work` goes on: a stream that is never silent for long.
fn while_entries_come<T>(redis: &Redis, stream: &str, work: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut connection = redis.connection();
            while !over.load(Relaxed) {
                let mut add = redis::cmd("XADD");
                add.arg(stream).arg(&["*", "d", "entry"]);
                add.exec(&mut connection).expect("to add");
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let result = work();
        over.store(true, Relaxed);
        result
    })
}

/// Reads for so long; the pings among what came. Reading answers them.
fn pings_within(socket: &mut Socket, time: Duration) -> usize {
    let until = Instant::now() + time;
    let mut pings = 0;
    while Instant::now() < until {
        match socket.read() {
            Ok(Message::Ping(_)) => pings += 1,
            Ok(_) => {}
            Err(error) => panic!("{error}"),
        }
    }
    pings
}

#[test]
fn a_pull_of_a_busy_stream_pings_its_client_and_keeps_it() {
    let store = Store::with(&["--ping-interval", "500ms", "--idle-timeout", "1500ms"]);
    let mut pull = store.pull("s", "");
    let pings = while_entries_come(&store.redis, "s", || pings_within(&mut pull, Duration::from_secs(3)));
    assert!(pings > 0, "it was never pinged");
    // What is left comes first; and then, in silence, it is still there.
    ping(&mut pull);
    store.assert_serves();
}

#[test]
fn a_pull_of_a_busy_stream_is_closed_with_1001_when_the_server_stops() {
    let redis = Redis::start();
    let mut store = Program::start(&["--redis", &redis.url()]);
    let mut pull = store.pull("s", "");
    while_entries_come(&redis, "s", || {
        assert!(matches!(pull.read(), Ok(Message::Text(_))));
        store.signal("TERM");
        loop {
            match pull.read().expect("a message") {
                Message::Close(frame) => break assert_eq!(frame.map(|frame| frame.code.into()), Some(1001_u16)),
                _ => continue,
            }
        }
    });
    drop(pull);
    store.wait(PATIENCE);
}

#[test]
fn entries_that_are_given_up_are_all_counted() {
    let store = Store::with(&["--redis-patience", "300ms"]);
    let mut push = store.push("s", "ack=true");
    send_text(&mut push, "stored");
    receive_text(&mut push);
    store.redis.pause();
    for _ in 0..20 {
        send_text(&mut push, "given up");
    }
    assert_eq!(expect_close(&mut push).0, 1013);
    store.redis.resume();
    eventually(PATIENCE, || store.metric("ptg_push_entries_lost_total") == 20.0);
}

#[test]
fn a_push_that_never_pauses_is_stored_and_closed_with_1001_when_the_server_stops() {
    let redis = Redis::start();
    let mut store = Program::start(&["--redis", &redis.url()]);
    let mut push = store.push("s", "");
    let mut sending = push.get_ref().try_clone().expect("the socket");
    let entries = frame(0x82, &[b'x'; 1000]).repeat(100);
    let sender = std::thread::spawn(move || while sending.write_all(&entries).is_ok() {});
    eventually(PATIENCE, || store.metric("ptg_entries_in_total{via=\"push\"}") > 1000.0);
    store.signal("TERM");
    assert_eq!(expect_close(&mut push).0, 1001);
    drop(push);
    store.wait(PATIENCE);
    sender.join().expect("the sender");
    assert!(!store.log().contains("stored"), "{}", store.log());
}
