//! WebSockets of hostile clients, in numbers and sizes too large for the quick tests.

use std::io::{ErrorKind, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use crate::harness::wire::{OPEN_PULLS, OPEN_PUSHES, add, frame, header, ping, send_raw, wait_longer};
use crate::harness::{
    Footprint, PATIENCE, Program, Redis, Socket, eventually, expect_close, receive_reply, receive_text, resident,
    send_binary,
};
use crate::report::{figure, for_about};

/// Memory that the allocator keeps after use.
const SLACK: usize = 64 << 20;

fn started(redis: &Redis, flags: &[&str]) -> (Program, Footprint) {
    let url = redis.url();
    let flags = [&["--redis", url.as_str()], flags].concat();
    let store = Program::start_in(&std::env::temp_dir(), &flags, &[("RUST_LOG", "warn")]);
    for _ in 0..20 {
        store.assert_serves();
        drop((store.push("warm", ""), store.pull("warm", "")));
    }
    eventually(PATIENCE, || open_sockets(&store) == 0.0);
    let before = Footprint::of(&store);
    (store, before)
}

fn open_sockets(store: &Program) -> f64 {
    store.metric(OPEN_PULLS) + store.metric(OPEN_PUSHES)
}

/// Sends until it is refused or so many bytes are gone, without ever reading; the bytes sent and the store's peak.
fn pour(store: &Program, socket: &mut Socket, piece: &[u8], most: usize) -> (usize, usize) {
    let (mut sent, mut peak) = (0, 0);
    while sent < most && socket.get_mut().write_all(piece).is_ok() {
        sent += piece.len();
        peak = peak.max(resident(store.pid()));
    }
    (sent, peak)
}

#[test]
#[ignore = "long: scripts/torture.sh"]
fn a_message_in_100_000_fragments_with_control_frames_between_is_one_entry() {
    const FRAGMENTS: usize = 100_000;
    let redis = Redis::start();
    let (store, before) = started(&redis, &[]);
    let mut push = store.push("s", "ack=true");
    wait_longer(&push);
    let begun = Instant::now();
    let mut bytes = frame(0x02, b"");
    for number in 0..FRAGMENTS {
        bytes.extend(frame(0x00, &[number as u8]));
        if number % 10 == 0 {
            bytes.extend(frame(0x8a, b"unasked"));
        }
    }
    bytes.extend(frame(0x80, b""));
    send_raw(&mut push, &bytes);
    receive_text(&mut push);
    figure(
        "hostile: seconds for 100,000 fragments",
        format!("{:.2}", begun.elapsed().as_secs_f64()),
    );
    let expected: Vec<u8> = (0..FRAGMENTS).map(|number| number as u8).collect();
    assert!(store.get("/data/s").expect(200).body == expected);

    // Pings between the fragments of a message are answered to a client that reads.
    let mut sender = push.get_ref().try_clone().expect("a second handle");
    let bytes = [frame(0x00, b"x"), frame(0x89, b"ping")]
        .concat()
        .repeat(FRAGMENTS / 10);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let all = [frame(0x02, b""), bytes, frame(0x80, b"")].concat();
            sender.write_all(&all)
        });
        receive_text(&mut push);
    });
    drop(push);
    before.is_back(&store, SLACK);
}

#[test]
#[ignore = "long: scripts/torture.sh"]
fn offsets_of_10_mb_that_are_none_are_refused_and_their_memory_is_given_back() {
    let redis = Redis::start();
    let (store, before) = started(&redis, &[]);
    let many = "0,".repeat(5 << 20) + "0";
    let texts = [
        (",".repeat(10 << 20), 1007),
        ("9".repeat(10 << 20), 1007),
        ("0".repeat(10 << 20), 0),
        (" ".repeat(10 << 20), 1007),
        ("é".repeat(5 << 20), 1007),
        (many, 1009),
        ("0,".to_owned() + &"1".repeat(10 << 20), 1007),
    ];
    for (text, code) in &texts {
        let begun = Instant::now();
        let mut push = store.push("s", "batch=true&ack=true");
        wait_longer(&push);
        send_raw(
            &mut push,
            &[frame(0x81, text.as_bytes()), frame(0x82, b"entry")].concat(),
        );
        // A zero of ten million digits is a zero, or it is refused.
        if *code != 0 {
            let (found, reason) = expect_close(&mut push);
            assert_eq!(found, *code, "{:.10}…: {reason}", text);
            assert!(reason.len() <= 123, "{reason}");
        }
        let seconds = begun.elapsed().as_secs_f64();
        figure(
            "hostile: seconds for 10 MB of bad offsets",
            format!("{seconds:.2} ({:.3}…)", text),
        );
    }
    before.is_back(&store, 2 * SLACK);
}

#[test]
#[ignore = "long: scripts/torture.sh"]
fn floods_of_pings_whose_pongs_are_not_read_cost_no_memory_and_are_dropped() {
    let redis = Redis::start();
    let (store, before) = started(&redis, &["--stall-timeout", "3s"]);
    let pings = frame(0x89, &[7; 125]).repeat(1000);
    let mut honest = store.push("honest", "ack=true");
    for path in ["/data/s/push?ack=true", "/data/s/push?batch=true", "/data/s/pull"] {
        let mut socket = store.socket(path);
        // Far more than all buffers on the way hold, or until it is dropped.
        let (sent, peak) = pour(&store, &mut socket, &pings, 512 << 20);
        figure(
            "hostile: MiB of pings taken before their sender was dropped",
            sent >> 20,
        );
        assert!(sent < 512 << 20, "never held back");
        // It is still there, and takes nothing: after --stall-timeout the store gives it up.
        eventually(PATIENCE, || open_sockets(&store) == 1.0);
        assert!(peak < before.memory + SLACK, "{} MiB", peak >> 20);
        send_binary(&mut honest, b"entry");
        receive_text(&mut honest);
    }
    drop(honest);
    eventually(PATIENCE, || open_sockets(&store) == 0.0);
    before.is_back(&store, SLACK);
}

#[test]
#[ignore = "long: scripts/torture.sh"]
fn floods_of_pings_whose_pongs_are_read_keep_nobody_else_waiting() {
    let redis = Redis::start();
    let (store, before) = started(&redis, &[]);
    let length = for_about(Duration::from_secs(60), Duration::from_secs(5));
    let begun = Instant::now();
    let pings = frame(0x89, b"x").repeat(1000);
    let mut rounds = 0;
    std::thread::scope(|scope| {
        for socket in [
            store.push("s", ""),
            store.pull("s", ""),
            store.pull("s", "last_entry_id=0"),
        ] {
            let mut sender = socket.get_ref().try_clone().expect("a second handle");
            let pings = &pings;
            scope.spawn(move || {
                while begun.elapsed() < length && sender.write_all(pings).is_ok() {}
                let _ = sender.shutdown(Shutdown::Write);
            });
            scope.spawn(move || drop(std::io::copy(&mut socket.get_ref(), &mut std::io::sink())));
        }
        let mut push = store.push("honest", "ack=true");
        let mut pull = store.pull("honest", "last_entry_id=0");
        while begun.elapsed() < length {
            send_binary(&mut push, b"entry");
            let id = receive_text(&mut push);
            assert_eq!(receive_reply(&mut pull)[0].0, id);
            assert_eq!(ping(&mut push), []);
            rounds += 1;
        }
    });
    figure(
        "hostile: entries pushed and pulled beside three floods of pings",
        format!("{rounds} in {length:?}"),
    );
    before.is_back(&store, SLACK);
}

#[test]
#[ignore = "long: scripts/torture.sh"]
fn two_thousand_sockets_opened_and_dropped_at_once_leave_nothing_behind() {
    const SOCKETS: usize = 2000;
    let redis = Redis::start();
    let (store, before) = started(&redis, &["--max-sockets", "2500"]);
    let rounds = if for_about(Duration::from_secs(1), Duration::ZERO).is_zero() {
        1
    } else {
        5
    };
    let mut first: Option<Footprint> = None;
    for _ in 0..rounds {
        let begun = Instant::now();
        let sockets: Vec<Socket> = (0..SOCKETS)
            .map(|number| match number % 3 {
                0 => store.push("s", ""),
                1 => store.push("s", "batch=true&ack=true"),
                _ => store.pull("s", ""),
            })
            .collect();
        let opened = begun.elapsed();
        figure(
            "hostile: 2,000 sockets opened, in seconds",
            format!("{:.1}", opened.as_secs_f64()),
        );
        figure("hostile: with 2,000 sockets", format!("{:?}", Footprint::of(&store)));
        for (number, socket) in sockets.iter().enumerate() {
            if number % 2 == 0 {
                let linger = rustix::net::sockopt::set_socket_linger(socket.get_ref(), Some(Duration::ZERO));
                linger.expect("no linger");
            }
        }
        let begun = Instant::now();
        drop(sockets);
        eventually(6 * PATIENCE, || open_sockets(&store) == 0.0);
        let noticed = format!("{:.1}", begun.elapsed().as_secs_f64());
        figure("hostile: 2,000 dropped ones noticed, in seconds", noticed);
        // What the allocator keeps of thousands of threads it keeps once.
        let after = first.unwrap_or(before).is_back(&store, 4 * SLACK);
        figure("hostile: MiB of memory afterwards", after.memory >> 20);
        first.get_or_insert(after);
    }
    let clients = redis.clients();
    assert!(clients < 100, "{clients} connections to Redis are left");
}

#[test]
#[ignore = "long: scripts/torture.sh"]
fn messages_never_finished_cost_what_was_sent_of_them_until_their_sender_is_gone() {
    const SOCKETS: usize = 40;
    const HALF: usize = 2 << 20;
    let redis = Redis::start();
    let (store, before) = started(&redis, &["--ping-interval", "2s", "--idle-timeout", "6s"]);
    let begin = [header(0x82, 64 << 20), vec![7; HALF]].concat();
    let fragments = [frame(0x02, &vec![7; HALF / 2]), frame(0x00, &vec![7; HALF / 2])].concat();
    let mut sockets: Vec<Socket> = (0..SOCKETS)
        .map(|n| store.push("s", if n % 2 == 0 { "" } else { "ack=true" }))
        .collect();
    for (number, socket) in sockets.iter_mut().enumerate() {
        send_raw(socket, if number % 4 < 2 { &begin } else { &fragments });
    }
    let mut offsets = store.push("s", "batch=true");
    send_raw(&mut offsets, &frame(0x81, b"0,1"));
    let peak = Footprint::of(&store);
    figure(
        "hostile: MiB of memory with 80 MiB of unfinished messages",
        peak.memory >> 20,
    );
    assert!(peak.memory < before.memory + 3 * SOCKETS * HALF + SLACK, "{peak:?}");
    // Nobody answers the pings, so they all are dropped.
    eventually(3 * PATIENCE, || open_sockets(&store) == 0.0);
    drop(sockets);
    let length: usize = redis.command(&["XLEN", "s"]);
    assert_eq!(length, 0);
    before.is_back(&store, 2 * SLACK);
}

#[test]
#[ignore = "long: scripts/torture.sh"]
fn pullers_that_never_read_and_pushers_that_never_read_their_acks_are_dropped() {
    const SOCKETS: usize = 20;
    let redis = Redis::start();
    let (store, before) = started(&redis, &["--stall-timeout", "3s", "--max-len", "1000"]);
    add(&redis, "s", &vec![vec![1; 1 << 20]; 60]);
    let stuck: Vec<Socket> = (0..SOCKETS)
        .map(|_| store.pull("s", "last_entry_id=0&count=1000"))
        .collect();
    let mut pushers: Vec<Socket> = (0..4).map(|_| store.push("acks", "batch=true&ack=true")).collect();
    let offsets = ["0"; 10_000].join(",");
    let batch = [frame(0x81, offsets.as_bytes()), frame(0x82, b"")].concat();
    let mut peak = 0;
    std::thread::scope(|scope| {
        for pusher in &mut pushers {
            let batch = &batch;
            scope.spawn(move || {
                let end = (0..400).find_map(|_| pusher.get_mut().write_all(batch).err());
                assert!(
                    end.is_none_or(|error| error.kind() != ErrorKind::WouldBlock),
                    "held back for ever"
                );
            });
        }
        let mut other = store.push("other", "ack=true");
        eventually(6 * PATIENCE, || {
            send_binary(&mut other, b"entry");
            receive_text(&mut other);
            peak = peak.max(resident(store.pid()));
            open_sockets(&store) == 1.0
        });
    });
    figure(
        "hostile: MiB of memory under 20 pullers and 4 pushers that never read",
        peak >> 20,
    );
    // A reply is 8 MiB: read from Redis, joined, and under way.
    assert!(
        peak < before.memory + SOCKETS * (30 << 20) + SLACK,
        "{} MiB",
        peak >> 20
    );
    drop(stuck);
    before.is_back(&store, 4 * SLACK);
}

#[test]
#[ignore = "long: scripts/torture.sh"]
fn clients_that_leave_in_the_middle_of_a_batch_store_nothing_of_it() {
    let redis = Redis::start();
    let (store, before) = started(&redis, &[]);
    let length = for_about(Duration::from_secs(30), Duration::from_secs(5));
    let begun = Instant::now();
    let whole = [frame(0x81, b"0,1000,2000"), frame(0x82, &[7; 3000])].concat();
    let mut left = 0;
    while begun.elapsed() < length {
        // A different place each time, the last byte but one included.
        let cut = 1 + (left * 611) % (whole.len() - 1);
        let mut push = store.push("s", "batch=true");
        send_raw(&mut push, &whole[..cut]);
        if left % 2 == 0 {
            rustix::net::sockopt::set_socket_linger(push.get_ref(), Some(Duration::ZERO)).expect("no linger");
        }
        left += 1;
    }
    figure("hostile: clients that left in the middle of a batch", left);
    eventually(3 * PATIENCE, || open_sockets(&store) == 0.0);
    let length: usize = redis.command(&["XLEN", "s"]);
    assert_eq!(length, 0);
    before.is_back(&store, SLACK);
}
