//! docs/protocol.md, section 7 beneath the messages: fragments, control frames among them, and frames that break the protocol.

use std::io::Read;
use std::net::Shutdown;

use tungstenite::Message;

use crate::harness::wire::{OPEN_PULLS, OPEN_PUSHES, closes_with, frame, header, length, ping, send_raw, stored_data};
use crate::harness::{PATIENCE, Store, eventually, receive_reply, receive_text, send_binary, send_text};

#[test]
fn a_message_in_fragments_is_one_entry() {
    let store = Store::start();
    let mut push = store.push("s", "ack=true");
    let binary = [
        frame(0x02, b"one "),
        frame(0x00, b""),
        frame(0x00, b"two "),
        frame(0x80, b"three"),
    ];
    send_raw(&mut push, &binary.concat());
    receive_text(&mut push);
    // A character may be cut in two by the end of a fragment.
    let (begin, end) = "größe".as_bytes().split_at(3);
    send_raw(&mut push, &[frame(0x01, begin), frame(0x80, end)].concat());
    receive_text(&mut push);
    let mut bytewise = frame(0x02, b"");
    for byte in 0..=255 {
        bytewise.extend(frame(0x00, &[byte]));
    }
    bytewise.extend(frame(0x80, b""));
    send_raw(&mut push, &bytewise);
    receive_text(&mut push);
    let expected = [b"one two three".to_vec(), "größe".into(), (0..=255).collect()];
    assert_eq!(stored_data(&store.redis, "s"), expected);
}

#[test]
fn a_ping_between_fragments_is_answered_before_the_message_ends() {
    let store = Store::start();
    let mut push = store.push("s", "ack=true");
    send_raw(&mut push, &frame(0x02, b"begin"));
    assert_eq!(ping(&mut push), []);
    send_raw(&mut push, &frame(0x8a, b"unasked"));
    send_raw(&mut push, &frame(0x00, b" middle"));
    assert_eq!(ping(&mut push), []);
    send_raw(&mut push, &frame(0x80, b" end"));
    receive_text(&mut push);
    assert_eq!(stored_data(&store.redis, "s"), [b"begin middle end"]);
}

#[test]
fn a_frame_may_come_byte_by_byte() {
    let store = Store::start();
    let mut push = store.push("s", "ack=true");
    for byte in frame(0x82, &[9; 300]) {
        send_raw(&mut push, &[byte]);
    }
    receive_text(&mut push);
    assert_eq!(stored_data(&store.redis, "s"), [vec![9; 300]]);
}

#[test]
fn batches_may_come_in_fragments_with_pings_between() {
    let store = Store::start();
    let mut push = store.push("s", "batch=true&ack=true");
    send_raw(&mut push, &[frame(0x01, b"0"), frame(0x80, b",2")].concat());
    assert_eq!(ping(&mut push), []);
    send_raw(&mut push, &frame(0x02, b"aab"));
    assert_eq!(ping(&mut push), []);
    send_raw(&mut push, &frame(0x80, b"b"));
    assert_eq!(receive_text(&mut push).split(',').count(), 2);
    assert_eq!(stored_data(&store.redis, "s"), [b"aa", b"bb"]);
}

#[test]
fn a_close_between_fragments_is_answered_and_the_message_is_no_entry() {
    let store = Store::start();
    let mut push = store.push("s", "");
    send_raw(&mut push, &frame(0x02, b"begin"));
    crate::harness::wire::close(&mut push);
    assert_eq!(length(&store.redis, "s"), 0);
}

/// A frame without a mask, as only a server may send it.
fn unmasked() -> Vec<u8> {
    [[0x82, 5].as_slice(), b"plain"].concat()
}

#[test]
fn a_breach_of_the_protocol_closes_that_socket_alone_with_its_code() {
    let store = Store::start();
    let mut other_push = store.push("other", "ack=true");
    let mut other_pull = store.pull("other", "");
    let breaches = [
        ("text that is no UTF-8", 1007, frame(0x81, b"\xff\xfe")),
        ("text that ends within a character", 1007, frame(0x81, b"gr\xc3")),
        ("a surrogate in text", 1007, frame(0x81, b"\xed\xa0\x80")),
        (
            "fragments that are no UTF-8",
            1007,
            [frame(0x01, b"gr\xc3"), frame(0x80, b"x")].concat(),
        ),
        ("no mask", 1002, unmasked()),
        ("an opcode of data that is reserved", 1002, frame(0x83, b"x")),
        ("a control opcode that is reserved", 1002, frame(0x8b, b"x")),
        ("a reserved bit", 1002, frame(0xc2, b"x")),
        ("a continuation of nothing", 1002, frame(0x80, b"x")),
        (
            "a message within a message",
            1002,
            [frame(0x02, b"x"), frame(0x82, b"y")].concat(),
        ),
        ("a ping in fragments", 1002, frame(0x09, b"x")),
        ("a ping of 126 bytes", 1002, frame(0x89, &[0; 126])),
        ("a close of one byte", 1002, frame(0x88, b"x")),
        (
            "a close with a code that is none",
            1002,
            frame(0x88, &999_u16.to_be_bytes()),
        ),
        (
            "a close with a code that is reserved",
            1002,
            frame(0x88, &1005_u16.to_be_bytes()),
        ),
        ("a close whose reason is no UTF-8", 1007, frame(0x88, b"\x03\xe8\xff")),
        ("the promise of too many bytes", 1009, header(0x82, 1 << 50)),
    ];
    for (name, code, bytes) in breaches {
        // A pull reads past messages without looking into them.
        let pull = (code != 1007 || bytes[0] == 0x88).then(|| store.pull("s", ""));
        for mut socket in [store.push("s", ""), store.push("s", "batch=true")]
            .into_iter()
            .chain(pull)
        {
            send_raw(&mut socket, &bytes);
            let (found, reason) = crate::harness::expect_close(&mut socket);
            assert_eq!(found, code, "{name}: {reason:?}");
        }
        send_binary(&mut other_push, b"entry");
        let id = receive_text(&mut other_push);
        assert_eq!(receive_reply(&mut other_pull)[0].0, id, "after {name}");
    }
    assert_eq!(length(&store.redis, "s"), 0);
    store.assert_serves();
}

#[test]
fn a_length_with_its_highest_bit_set_is_refused() {
    let store = Store::start();
    for mut socket in [store.push("s", ""), store.pull("s", "")] {
        send_raw(&mut socket, &header(0x82, 1 << 63));
        closes_with(&mut socket, 1002);
    }
    store.assert_serves();
}

#[test]
fn a_length_that_is_not_as_short_as_can_be_is_refused() {
    let store = Store::start();
    // The opcode, the length in two and in eight bytes, the mask: of data, a ping, a close, a continuation.
    let short = |first: u8, length: u16| [&[first, 0xfe][..], &length.to_be_bytes(), &[0; 4]].concat();
    let long = |first: u8, length: u64| [&[first, 0xff][..], &length.to_be_bytes(), &[0; 4]].concat();
    let breaches = [
        short(0x82, 0),
        short(0x82, 125),
        short(0x81, 1),
        short(0x89, 5),
        short(0x88, 2),
        long(0x82, 0),
        long(0x82, 126),
        long(0x82, 0xffff),
        long(0x89, 125),
        [frame(0x02, b"x"), short(0x80, 3)].concat(),
    ];
    for bytes in breaches {
        for mut socket in [store.push("s", ""), store.pull("s", "")] {
            send_raw(&mut socket, &[&bytes[..], &[0; 125]].concat());
            closes_with(&mut socket, 1002);
        }
    }
    let mut push = store.push("s", "ack=true");
    for length in [0, 125, 126, 0xffff, 0x1_0000] {
        send_raw(&mut push, &frame(0x82, &vec![7; length]));
        receive_text(&mut push);
    }
}

#[test]
fn a_close_is_taken_with_every_code_that_a_peer_may_send_and_no_other() {
    let store = Store::start();
    // Read by hand: tungstenite does not know all of these codes.
    let answer_to = |code: u16| {
        [store.push("s", ""), store.pull("s", "")].map(|mut socket| {
            send_raw(&mut socket, &frame(0x88, &code.to_be_bytes()));
            let mut head = [0; 4];
            socket.get_mut().read_exact(&mut head).expect("a close");
            assert_eq!(head[0], 0x88, "{code}");
            u16::from_be_bytes([head[2], head[3]])
        })
    };
    for code in [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
    ] {
        assert_eq!(answer_to(code), [code; 2]);
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
        assert_eq!(answer_to(code), [1002; 2], "{code}");
    }
}

#[test]
fn what_came_before_a_breach_is_stored() {
    let store = Store::start();
    let mut push = store.push("s", "");
    let bytes = [
        frame(0x82, b"one"),
        frame(0x81, b"two"),
        frame(0x81, b"\xff"),
        frame(0x82, b"four"),
    ];
    send_raw(&mut push, &bytes.concat());
    closes_with(&mut push, 1007);
    assert_eq!(stored_data(&store.redis, "s"), [b"one", b"two"]);
}

#[test]
fn a_pull_joins_and_ignores_fragments_too() {
    let store = Store::start();
    let mut pull = store.pull("s", "");
    send_raw(&mut pull, &frame(0x02, b"begin"));
    assert_eq!(ping(&mut pull), []);
    let id = store.add("s", &[b"entry"]).remove(0);
    assert_eq!(receive_reply(&mut pull)[0].0, id);
    send_raw(&mut pull, &frame(0x80, b"end"));
    assert_eq!(ping(&mut pull), []);
}

#[test]
fn plain_http_or_noise_on_an_open_socket_ends_that_socket_alone() {
    let store = Store::start();
    let noise: Vec<u8> = (0..100_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    for bytes in [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        noise,
        vec![0; 10_000],
        vec![0xff; 10_000],
    ] {
        for mut socket in [store.push("s", ""), store.pull("s", "")] {
            // The server may close before it has all of it.
            let _ = std::io::Write::write_all(socket.get_mut(), &bytes);
            let _ = socket.get_ref().shutdown(Shutdown::Write);
            while !matches!(socket.read(), Ok(Message::Close(_)) | Err(_)) {}
        }
    }
    eventually(PATIENCE, || store.metric(OPEN_PULLS) + store.metric(OPEN_PUSHES) == 0.0);
    assert_eq!(length(&store.redis, "s"), 0);
    store.assert_serves();
}

#[test]
fn many_pings_at_once_do_no_harm() {
    let store = Store::start();
    for mut socket in [store.push("s", "ack=true"), store.pull("s", "")] {
        send_raw(&mut socket, &frame(0x89, b"x").repeat(1000));
        ping(&mut socket);
    }
    let mut push = store.push("s", "ack=true");
    send_text(&mut push, "entry");
    receive_text(&mut push);
}

#[test]
fn a_client_that_pings_and_never_takes_a_pong_is_dropped() {
    let store = Store::with(&["--stall-timeout", "500ms"]);
    let pings = frame(0x89, &[7; 125]).repeat(1000);
    type Open = fn(&Store) -> crate::harness::Socket;
    let kinds: [Open; 3] = [|s| s.push("s", "ack=true"), |s| s.push("s", ""), |s| s.pull("s", "")];
    for open in kinds {
        let mut socket = open(&store);
        ping(&mut socket);
        let before = store.metric(OPEN_PULLS) + store.metric(OPEN_PUSHES);
        // Until no buffer on the way takes any more, or it is dropped.
        let wait = Some(std::time::Duration::from_secs(1));
        socket.get_ref().set_write_timeout(wait).expect("a write deadline");
        while std::io::Write::write_all(socket.get_mut(), &pings).is_ok() {}
        eventually(PATIENCE, || {
            store.metric(OPEN_PULLS) + store.metric(OPEN_PUSHES) < before
        });
    }
    store.assert_serves();
}
