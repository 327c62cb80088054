//! docs/protocol.md, section 5 with `batch=true`: offsets, whole batches or nothing, and every refusal.

use std::sync::atomic::{AtomicBool, Ordering};

use tungstenite::Message;

use crate::harness::wire::{
    close, closes_with, frame, length, limit_memory, numbers, ping, pushes_have_ended, send_raw, stored, stored_data,
};
use crate::harness::{Socket, Store, receive_reply, receive_text, send_binary, send_text};

fn send_batch(socket: &mut Socket, offsets: &str, blob: &[u8]) {
    send_text(socket, offsets);
    send_binary(socket, blob);
}

/// The offsets and the blob of these entries.
fn joined(entries: &[Vec<u8>]) -> (String, Vec<u8>) {
    let mut offsets = Vec::new();
    let mut blob = Vec::new();
    for entry in entries {
        offsets.push(blob.len().to_string());
        blob.extend(entry);
    }
    (offsets.join(","), blob)
}

#[test]
fn a_batch_is_cut_at_its_offsets() {
    let store = Store::start();
    let mut push = store.push("s", "batch=true");
    send_batch(&mut push, "0,1,3", b"abbccc");
    send_batch(&mut push, "0", b"whole");
    assert_eq!(ping(&mut push), []);
    assert!(close(&mut push).is_empty());
    let expected = ["a", "bb", "ccc", "whole"].map(|text| text.as_bytes().to_vec());
    assert_eq!(stored_data(&store.redis, "s"), expected);
}

#[test]
fn with_ack_a_batch_is_answered_by_its_ids_with_commas() {
    let store = Store::start();
    let mut push = store.push("s", "batch=true&ack=true");
    let mut acked = Vec::new();
    for (offsets, blob) in [("0,1,3", b"abbccc".as_slice()), ("0", b"x"), ("0,2", b"yyzz")] {
        send_batch(&mut push, offsets, blob);
        let ids = receive_text(&mut push);
        acked.extend(ids.split(',').map(str::to_owned));
    }
    let data = ["a", "bb", "ccc", "x", "yy", "zz"].map(|text| text.as_bytes().to_vec());
    let expected: Vec<_> = acked.into_iter().zip(data).collect();
    assert_eq!(stored(&store.redis, "s"), expected);
}

#[test]
fn acks_of_pipelined_batches_come_in_order() {
    let store = Store::with(&["--max-len", "100000"]);
    let mut push = store.push("s", "batch=true&ack=true");
    let entries = numbers(0..1000);
    for batch in entries.chunks(10) {
        let (offsets, blob) = joined(batch);
        send_batch(&mut push, &offsets, &blob);
    }
    let mut ids = Vec::new();
    for _ in 0..100 {
        ids.extend(receive_text(&mut push).split(',').map(str::to_owned));
    }
    let acked: Vec<_> = ids.into_iter().zip(entries).collect();
    assert_eq!(stored(&store.redis, "s"), acked);
}

#[test]
fn a_batch_may_have_a_thousand_entries() {
    let store = Store::start();
    let entries: Vec<Vec<u8>> = (0..1000_usize).map(|n| vec![n as u8; n % 97]).collect();
    let (offsets, blob) = joined(&entries);
    let mut push = store.push("s", "batch=true&ack=true");
    send_batch(&mut push, &offsets, &blob);
    let ids = receive_text(&mut push);
    let ids = ids.split(',').map(str::to_owned);
    let expected: Vec<_> = ids.zip(entries).collect();
    assert_eq!(expected.len(), 1000);
    assert!(stored(&store.redis, "s") == expected);
}

#[test]
fn offsets_may_have_spaces_around_them() {
    let store = Store::start();
    let mut push = store.push("s", "batch=true&ack=true");
    for offsets in ["0, 1, 3", " 0 ,1 , 3 ", "  0,  1,  3  "] {
        send_batch(&mut push, offsets, b"abbccc");
        assert_eq!(receive_text(&mut push).split(',').count(), 3);
    }
    let once = [b"a".as_slice(), b"bb", b"ccc"];
    assert_eq!(stored_data(&store.redis, "s"), once.repeat(3));
}

#[test]
fn equal_neighbours_and_an_offset_at_the_end_are_empty_entries() {
    let store = Store::start();
    let cases: [(&str, &[u8], &[&str]); 5] = [
        ("0,0,2,2,2", b"aabb", &["", "aa", "", "", "bb"]),
        ("0,4", b"aabb", &["aabb", ""]),
        ("0,0,4,4", b"aabb", &["", "aabb", "", ""]),
        ("0", b"", &[""]),
        ("0,0,0", b"", &["", "", ""]),
    ];
    for (offsets, blob, expected) in cases {
        let mut push = store.push("s", "batch=true");
        send_batch(&mut push, offsets, blob);
        close(&mut push);
        let expected: Vec<_> = expected.iter().map(|e| e.as_bytes().to_vec()).collect();
        assert_eq!(stored_data(&store.redis, "s"), expected, "{offsets}");
        store.delete("/streams/s").expect(200);
    }
}

#[test]
fn bad_offsets_close_with_1007_and_nothing_of_the_batch_is_stored() {
    let store = Store::start();
    let long = "x".repeat(100_000);
    let long_wide = "é".repeat(50_000);
    let bad = [
        "",
        " ",
        ",",
        "0,",
        ",0",
        "0,,3",
        "0 3",
        "0;3",
        "1",
        "1,3",
        "3,0",
        "0,5,3",
        "0,11",
        "0,3,11",
        "-1",
        "0,-1",
        "0,-0x1",
        "0,18446744073709551616",
        "0,18446744073709551615",
        "0,99999999999999999999999999999999999999",
        "-9223372036854775809",
        "zero",
        "0,three",
        "0,3.0",
        "0,1e1",
        "0x0",
        "[3]",
        "[0,11]",
        "[0,",
        "{\"0\":3}",
        "0,٣",
        "0,3\0",
        &long,
        &long_wide,
    ];
    for offsets in bad {
        let mut push = store.push("s", "batch=true&ack=true");
        // Both messages at once: the refusal may come before the second is sent.
        let both = [frame(0x81, offsets.as_bytes()), frame(0x82, b"0123456789")].concat();
        send_raw(&mut push, &both);
        let reason = closes_with(&mut push, 1007);
        assert_eq!(length(&store.redis, "s"), 0, "{offsets:.40}: {reason}");
    }
}

#[test]
fn a_refused_batch_leaves_the_batches_before_it() {
    let store = Store::start();
    let mut push = store.push("s", "batch=true");
    send_batch(&mut push, "0,1", b"ab");
    send_batch(&mut push, "0,9", b"cd");
    closes_with(&mut push, 1007);
    assert_eq!(stored_data(&store.redis, "s"), [b"a", b"b"]);
}

#[test]
fn a_binary_message_in_place_of_offsets_closes_with_1003() {
    let store = Store::start();
    let mut push = store.push("s", "batch=true");
    send_binary(&mut push, b"0");
    closes_with(&mut push, 1003);
    assert_eq!(length(&store.redis, "s"), 0);
}

#[test]
fn a_text_message_in_place_of_a_blob_closes_with_1003() {
    let store = Store::start();
    let mut push = store.push("s", "batch=true&ack=true");
    send_batch(&mut push, "0", b"kept");
    receive_text(&mut push);
    send_text(&mut push, "0,1");
    send_text(&mut push, "ab");
    closes_with(&mut push, 1003);
    assert_eq!(stored_data(&store.redis, "s"), [b"kept"]);
}

#[test]
fn a_batch_of_more_entries_than_the_limit_closes_with_1009_naming_it() {
    let store = Store::with(&["--max-batch", "10"]);
    let mut push = store.push("s", "batch=true&ack=true");
    let (offsets, blob) = joined(&numbers(0..10));
    send_batch(&mut push, &offsets, &blob);
    receive_text(&mut push);
    let (offsets, blob) = joined(&numbers(0..11));
    send_raw(&mut push, &frame(0x81, offsets.as_bytes()));
    send_raw(&mut push, &frame(0x82, &blob));
    let reason = closes_with(&mut push, 1009);
    assert!(reason.contains("10"), "{reason}");
    assert_eq!(length(&store.redis, "s"), 10);
}

#[test]
fn a_close_between_offsets_and_blob_stores_nothing_of_the_batch() {
    let store = Store::start();
    let mut push = store.push("s", "batch=true");
    send_batch(&mut push, "0,1", b"ab");
    send_text(&mut push, "0,1");
    close(&mut push);
    assert_eq!(stored_data(&store.redis, "s"), [b"a", b"b"]);
}

#[test]
fn a_connection_that_ends_within_a_blob_stores_nothing_of_the_batch() {
    let store = Store::start();
    let mut push = store.push("s", "batch=true");
    send_batch(&mut push, "0,1", b"ab");
    send_text(&mut push, "0,100");
    let blob = frame(0x82, &[b'x'; 200]);
    send_raw(&mut push, &blob[..150]);
    drop(push);
    pushes_have_ended(&store, 1);
    assert_eq!(stored_data(&store.redis, "s"), [b"a", b"b"]);
}

#[test]
fn nobody_ever_sees_half_a_batch() {
    let store = Store::with(&["--max-len", "1000000"]);
    let entries: Vec<Vec<u8>> = (0..500).map(|n| vec![n as u8; 200]).collect();
    let (offsets, blob) = joined(&entries);
    let done = AtomicBool::new(false);
    let looks = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut connection = store.redis.connection();
            let mut looks = 0;
            while !done.load(Ordering::Relaxed) {
                let mut command = redis::cmd("XLEN");
                let seen: usize = command.arg("s").query(&mut connection).expect("the stream's length");
                if !seen.is_multiple_of(500) {
                    return Err(seen);
                }
                looks += 1;
            }
            Ok(looks)
        });
        let mut push = store.push("s", "batch=true");
        for _ in 0..60 {
            send_batch(&mut push, &offsets, &blob);
        }
        close(&mut push);
        done.store(true, Ordering::Relaxed);
        watcher.join().expect("the watcher")
    });
    assert!(looks.is_ok_and(|n| n > 0), "half a batch: {looks:?}");
    assert_eq!(length(&store.redis, "s"), 60 * 500);
}

#[test]
fn a_waiting_puller_gets_a_batch_whole() {
    let store = Store::start();
    let mut pull = store.pull("s", "count=1000");
    let mut push = store.push("s", "batch=true&ack=true");
    let (offsets, blob) = joined(&numbers(0..300));
    for _ in 0..20 {
        send_batch(&mut push, &offsets, &blob);
        let ids = receive_text(&mut push);
        let reply = receive_reply(&mut pull);
        let pulled: Vec<_> = reply.iter().map(|entry| entry.0.as_str()).collect();
        assert_eq!(pulled.join(","), ids);
    }
}

#[test]
fn a_batch_that_does_not_fit_into_redis_closes_with_1013_and_is_not_begun() {
    let store = Store::with(&["--max-len", "1000000"]);
    limit_memory(&store.redis, 8 << 20);
    let (offsets, blob) = joined(&vec![vec![1; 100_000]; 10]);
    let mut push = store.push("s", "batch=true&ack=true");
    let mut acked = 0;
    let code = loop {
        send_raw(&mut push, &frame(0x81, offsets.as_bytes()));
        send_raw(&mut push, &frame(0x82, &blob));
        match push.read().expect("an ack or a close") {
            Message::Text(ids) => acked += ids.as_str().split(',').count(),
            Message::Close(Some(frame)) => break u16::from(frame.code),
            _ => {}
        }
        assert!(acked < 1000, "more acks than there is memory");
    };
    assert_eq!(code, 1013);
    assert!(acked > 0, "not even one batch fits");
    assert_eq!(length(&store.redis, "s"), acked);
}
