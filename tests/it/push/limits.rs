//! docs/protocol.md, section 5 at its limits: the largest message, retention, and a client that does not read.

use std::io::Write;
use std::time::Duration;

use crate::harness::wire::{
    OPEN_PUSHES, close, closes_with, frame, header, length, numbers, ping, send_raw, stored, stored_data, wait_longer,
};
use crate::harness::{PATIENCE, Store, eventually, receive_text, send_binary};

/// A retention that no test here reaches.
const KEEP_ALL: [&str; 2] = ["--max-len", "1000000"];

#[test]
fn an_entry_of_64_mib_is_taken() {
    let store = Store::start();
    let entry: Vec<u8> = (0..64 << 20).map(|n: u32| (n % 251) as u8).collect();
    let mut push = store.push("s", "ack=true");
    wait_longer(&push);
    send_binary(&mut push, &entry);
    receive_text(&mut push);
    assert!(stored_data(&store.redis, "s") == [entry]);
}

#[test]
fn one_byte_more_than_64_mib_closes_with_1009_and_what_was_acknowledged_stays() {
    let store = Store::start();
    let mut push = store.push("s", "ack=true");
    wait_longer(&push);
    send_binary(&mut push, b"small");
    let id = receive_text(&mut push);
    let mut sender = push.get_ref().try_clone().expect("a second handle");
    let reason = std::thread::scope(|scope| {
        scope.spawn(move || {
            // The server need not take what it has refused: this may fail when it has closed.
            let large = frame(0x82, &vec![7; (64 << 20) + 1]);
            sender.write_all(&large)
        });
        closes_with(&mut push, 1009)
    });
    let named = ["67108864", "64 MiB", "64MiB"];
    assert!(named.iter().any(|name| reason.contains(name)), "{reason:?}");
    assert_eq!(stored(&store.redis, "s"), [(id, b"small".to_vec())]);
}

#[test]
fn the_limit_of_a_message_holds_for_text_fragments_and_bare_headers_too() {
    let store = Store::with(&["--max-message", "1000"]);
    let mut push = store.push("s", "ack=true");
    send_binary(&mut push, &[1; 1000]);
    receive_text(&mut push);
    send_raw(&mut push, &frame(0x02, &[2; 600]));
    send_raw(&mut push, &frame(0x80, &[2; 400]));
    receive_text(&mut push);

    let too_large = [
        frame(0x82, &[3; 1001]),
        frame(0x81, &[b'x'; 1001]),
        [frame(0x02, &[3; 600]), frame(0x80, &[3; 401])].concat(),
        // Nothing but the promise of bytes: the refusal does not wait for them.
        header(0x82, 1001),
        header(0x82, 1 << 40),
        header(0x82, (1 << 63) - 1),
    ];
    for bytes in too_large {
        let mut push = store.push("s", "ack=true");
        send_raw(&mut push, &bytes);
        let reason = closes_with(&mut push, 1009);
        assert!(reason.contains("1000"), "no limit in {reason:?}");
    }
    let expected = [vec![1; 1000], vec![2; 1000]];
    assert_eq!(stored_data(&store.redis, "s"), expected);
}

#[test]
fn a_stream_keeps_about_as_many_entries_as_the_server_says() {
    let store = Store::with(&["--max-len", "50"]);
    let mut push = store.push("s", "");
    for entry in numbers(0..2000) {
        send_binary(&mut push, &entry);
    }
    close(&mut push);
    // Redis trims by whole nodes of 100 entries.
    let kept = stored_data(&store.redis, "s");
    assert!((50..=200).contains(&kept.len()), "{} kept", kept.len());
    assert_eq!(kept, numbers(2000 - kept.len()..2000));
}

#[test]
fn a_max_len_lowered_by_put_holds_for_an_open_socket_within_5_s() {
    let store = Store::with(&KEEP_ALL);
    let mut push = store.push("s", "ack=true");
    for entry in numbers(0..1000) {
        send_binary(&mut push, &entry);
        receive_text(&mut push);
    }
    assert_eq!(length(&store.redis, "s"), 1000);
    store.put("/streams/s?max_len=10").expect(200);
    eventually(Duration::from_secs(5), || {
        send_binary(&mut push, b"more");
        receive_text(&mut push);
        length(&store.redis, "s") <= 200
    });
}

#[test]
fn a_max_len_raised_by_put_holds_for_an_open_socket_within_5_s() {
    let store = Store::with(&["--max-len", "10"]);
    let mut push = store.push("s", "");
    let mut push_hundred = || {
        for entry in numbers(0..100) {
            send_binary(&mut push, &entry);
        }
        ping(&mut push);
    };
    for _ in 0..10 {
        push_hundred();
    }
    assert!(length(&store.redis, "s") <= 300);
    store.put("/streams/s?max_len=100000").expect(200);
    eventually(Duration::from_secs(5), || {
        push_hundred();
        length(&store.redis, "s") > 1000
    });
}

#[test]
fn a_pusher_that_never_reads_its_acks_is_dropped_while_others_are_served() {
    let store = Store::with(&["--stall-timeout", "1s", "--max-len", "100"]);
    let push = store.push("s", "batch=true&ack=true");
    // Batches of empty entries: the acks are ten times as long as the batches.
    let offsets = ["0"; 10_000].join(",");
    let batch = [frame(0x81, offsets.as_bytes()), frame(0x82, b"")].concat();
    let mut sender = push.get_ref().try_clone().expect("a second handle");
    std::thread::scope(|scope| {
        // Until it is dropped, or far more has been acked than the buffers of the sockets hold.
        scope.spawn(move || (0..200).try_for_each(|_| sender.write_all(&batch)));
        let mut other = store.push("other", "ack=true");
        eventually(3 * PATIENCE, || {
            send_binary(&mut other, b"entry");
            receive_text(&mut other);
            store.metric(OPEN_PUSHES) == 1.0
        });
    });
}
