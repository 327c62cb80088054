//! docs/protocol.md, section 5 without batches: entries in, one message each, with and without acks.

use std::net::Shutdown;

use tungstenite::Message;

use crate::harness::wire::{
    close, closes_with, frame, length, numbers, ping, pushes_have_ended, send_raw, stored, stored_data,
};
use crate::harness::{PATIENCE, Store, eventually, receive_reply, receive_text, send_binary, send_text};

/// A retention that no test here reaches.
const KEEP_ALL: [&str; 2] = ["--max-len", "1000000"];

#[test]
fn every_binary_message_is_an_entry_in_the_order_sent() {
    let store = Store::start();
    let entries = [b"one".to_vec(), (0..=255).collect(), b"three".to_vec()];
    let mut push = store.push("s", "");
    for entry in &entries {
        send_binary(&mut push, entry);
    }
    assert!(close(&mut push).is_empty());
    assert_eq!(stored_data(&store.redis, "s"), entries);
}

#[test]
fn a_text_message_is_an_entry_of_its_bytes() {
    let store = Store::start();
    let mut push = store.push("s", "ack=true");
    let mut ids = Vec::new();
    for text in ["größe 😀", "", "0,100"] {
        send_text(&mut push, text);
        ids.push(receive_text(&mut push));
    }
    let data = ["größe 😀", "", "0,100"].map(|text| text.as_bytes().to_vec());
    let expected: Vec<_> = ids.into_iter().zip(data).collect();
    assert_eq!(stored(&store.redis, "s"), expected);
}

#[test]
fn an_empty_message_is_an_empty_entry() {
    let store = Store::start();
    let mut push = store.push("s", "");
    for entry in [b"".as_slice(), b"x", b"", b""] {
        send_binary(&mut push, entry);
    }
    close(&mut push);
    let expected: Vec<Vec<u8>> = vec![vec![], b"x".to_vec(), vec![], vec![]];
    assert_eq!(stored_data(&store.redis, "s"), expected);
}

#[test]
fn with_ack_each_entry_is_answered_by_its_id_in_redis() {
    let store = Store::start();
    let mut push = store.push("s", "ack=true");
    for n in 0..20_usize {
        let entry = n.to_string().into_bytes();
        send_binary(&mut push, &entry);
        let id = receive_text(&mut push);
        assert_eq!(stored(&store.redis, "s").last(), Some(&(id, entry)));
    }
    assert!(close(&mut push).is_empty(), "more acks than entries");
}

#[test]
fn acks_of_pipelined_entries_come_in_order() {
    let store = Store::start();
    let mut push = store.push("s", "ack=true");
    let entries = numbers(0..500);
    for entry in &entries {
        send_binary(&mut push, entry);
    }
    let ids = entries.iter().map(|_| receive_text(&mut push));
    let acked: Vec<_> = ids.zip(entries.iter().cloned()).collect();
    assert_eq!(stored(&store.redis, "s"), acked);
}

#[test]
fn entries_sent_before_the_close_are_acked_before_it_is_answered() {
    let store = Store::start();
    let mut push = store.push("s", "ack=true");
    for entry in numbers(0..300) {
        send_binary(&mut push, &entry);
    }
    let ids = close(&mut push);
    let found: Vec<_> = stored(&store.redis, "s").into_iter().map(|e| e.0).collect();
    assert_eq!((ids.len(), &ids), (300, &found));
}

#[test]
fn without_ack_nothing_is_answered() {
    let store = Store::start();
    for query in ["", "ack=false", "ack=0", "batch=no&ack=F"] {
        let mut push = store.push("s", query);
        send_binary(&mut push, b"entry");
        eventually(PATIENCE, || length(&store.redis, "s") == 1);
        assert_eq!(ping(&mut push), [], "{query}");
        assert!(close(&mut push).is_empty());
        store.delete("/streams/s").expect(200);
    }
}

#[test]
fn without_ack_an_entry_is_there_soon_though_the_socket_stays_open() {
    let store = Store::start();
    let mut pull = store.pull("s", "");
    let mut push = store.push("s", "");
    for entry in numbers(0..50) {
        send_binary(&mut push, &entry);
        assert_eq!(receive_reply(&mut pull)[0].1, entry);
    }
}

#[test]
fn ten_thousand_entries_are_there_in_order_once_the_close_is_answered() {
    let store = Store::with(&KEEP_ALL);
    let entries = numbers(0..10_000);
    let mut push = store.push("s", "");
    for entry in &entries {
        send_binary(&mut push, entry);
    }
    close(&mut push);
    assert!(stored_data(&store.redis, "s") == entries);
}

#[test]
fn ten_thousand_entries_are_there_in_order_after_the_client_just_ends_its_connection() {
    let store = Store::with(&KEEP_ALL);
    let entries = numbers(0..10_000);
    for (opened, stream, half) in [(1, "half", true), (2, "whole", false)] {
        let mut push = store.push(stream, "");
        for entry in &entries {
            send_binary(&mut push, entry);
        }
        if half {
            let end = push.get_ref().shutdown(Shutdown::Write);
            end.expect("to end our half of the connection");
        }
        drop(push);
        pushes_have_ended(&store, opened);
        assert!(stored_data(&store.redis, stream) == entries, "{stream}");
    }
}

#[test]
fn a_message_cut_off_by_the_end_of_the_connection_is_no_entry() {
    let store = Store::start();
    let mut push = store.push("s", "");
    send_binary(&mut push, b"whole");
    // A first fragment whose last never comes, then a frame of which half comes.
    send_raw(&mut push, &frame(0x02, b"fragment"));
    let last = frame(0x80, b"the rest of it");
    send_raw(&mut push, &last[..last.len() / 2]);
    drop(push);
    pushes_have_ended(&store, 1);
    assert_eq!(stored_data(&store.redis, "s"), [b"whole"]);
}

#[test]
fn sockets_that_push_to_one_stream_each_keep_their_order() {
    let store = Store::with(&KEEP_ALL);
    std::thread::scope(|scope| {
        for name in ["a", "b", "c"] {
            let store = &store;
            scope.spawn(move || {
                let mut push = store.push("s", "");
                for n in 0..1000 {
                    send_text(&mut push, &format!("{name}{n}"));
                }
                close(&mut push);
            });
        }
    });
    let entries = stored_data(&store.redis, "s");
    assert_eq!(entries.len(), 3000);
    for name in [b'a', b'b', b'c'] {
        let own = entries.iter().filter(|entry| entry[0] == name);
        let own: Vec<_> = own.map(|entry| entry[1..].to_vec()).collect();
        assert!(own == numbers(0..1000), "order of {}", char::from(name));
    }
}

#[test]
fn names_may_be_any_utf8_and_hold_plus_and_colon() {
    let store = Store::start();
    for name in ["größe-流-😀", "a+b:c", "with space", "100%", "?&=#", "..", "$"] {
        let mut push = store.push(name, "ack=true");
        send_binary(&mut push, b"entry");
        let id = receive_text(&mut push);
        assert_eq!(stored(&store.redis, name), [(id, b"entry".to_vec())]);
    }
    // A plus in a path is a plus, no space; it need not be encoded.
    let mut push = store.socket("/data/x+y/push?ack=true");
    send_binary(&mut push, b"entry");
    receive_text(&mut push);
    assert_eq!(length(&store.redis, "x+y"), 1);
}

#[test]
fn a_stream_deleted_under_an_open_socket_begins_anew() {
    let store = Store::start();
    let mut push = store.push("s", "ack=true");
    send_binary(&mut push, b"old");
    receive_text(&mut push);
    store.delete("/streams/s").expect(200);
    send_binary(&mut push, b"new");
    receive_text(&mut push);
    assert_eq!(stored_data(&store.redis, "s"), [b"new"]);
}

#[test]
fn a_key_that_becomes_another_type_closes_with_1011() {
    let store = Store::start();
    for query in ["ack=true", "", "batch=true"] {
        let mut push = store.push("s", query);
        store.redis.command::<()>(&["SET", "s", "text"]);
        if query == "batch=true" {
            send_text(&mut push, "0");
        }
        send_binary(&mut push, b"entry");
        closes_with(&mut push, 1011);
        let kept: String = store.redis.command(&["GET", "s"]);
        assert_eq!(kept, "text", "{query}");
        store.redis.command::<()>(&["DEL", "s"]);
    }
}

#[test]
fn what_a_push_sends_first_may_come_with_the_handshake() {
    let store = Store::start();
    let mut socket = store.raw();
    let mut bytes = format!(
        "GET /data/s/push?token={} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        store.token
    )
    .into_bytes();
    bytes.extend(frame(0x82, b"eager"));
    bytes.extend(frame(0x88, &1000_u16.to_be_bytes()));
    std::io::Write::write_all(&mut socket, &bytes).expect("to send all at once");
    let head = crate::harness::read_answer(&mut socket);
    assert_eq!(head.status, 101);
    let mut push = tungstenite::WebSocket::from_raw_socket(socket, tungstenite::protocol::Role::Client, None);
    let answer = push.read().expect("the answer to the close");
    assert!(matches!(answer, Message::Close(Some(_))), "{answer:?}");
    assert_eq!(stored_data(&store.redis, "s"), [b"eager"]);
}
