//! Requests too large, too many or too slow for the quick tests: refused or held back, and nothing of them stays.

use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::harness::{Footprint, Program, Redis, eventually, expect_end, read_answer, resident, send};
use crate::report::{figure, for_about};

/// Memory that the allocator keeps after use; far less than what a hostile client sends here.
const SLACK: usize = 48 << 20;

/// A store that has served before it is measured.
fn started(redis: &Redis, flags: &[&str]) -> (Program, Footprint) {
    let url = redis.url();
    let flags = [&["--redis", url.as_str()], flags].concat();
    let store = Program::start_in(&std::env::temp_dir(), &flags, &[("RUST_LOG", "warn")]);
    (0..20).for_each(|_| store.assert_serves());
    let before = Footprint::of(&store);
    (store, before)
}

/// Sends a piece again and again, up to so many bytes, until it is refused; the bytes sent, and the most memory the
/// store had meanwhile.
fn pour(store: &Program, stream: &mut TcpStream, piece: &[u8], most: usize) -> (usize, usize) {
    let (mut sent, mut peak) = (0, 0);
    while sent < most && stream.write_all(piece).is_ok() {
        sent += piece.len();
        peak = peak.max(resident(store.pid()));
    }
    (sent, peak)
}

#[test]
#[ignore = "long: scripts/torture.sh"]
fn a_head_of_200_mb_is_431_and_costs_no_memory() {
    let redis = Redis::start();
    let (store, before) = started(&redis, &[]);
    let line = "X: y\r\n".repeat(1 << 14);
    let value = "y".repeat(1 << 16);
    for (start, piece) in [
        ("GET /ping HTTP/1.1\r\nHost: x\r\n", &line),
        ("GET /ping HTTP/1.1\r\nHost: x\r\nX: ", &value),
        ("GET /", &value),
    ] {
        let mut stream = store.raw();
        send(&mut stream, start);
        let (sent, peak) = pour(&store, &mut stream, piece.as_bytes(), 200 << 20);
        figure("hostile: MiB of a head of 200 MB taken or dropped", sent >> 20);
        assert!(peak < before.memory + SLACK, "{} MiB", peak >> 20);
        // A client that goes on for ten seconds after the refusal may be reset.
        if sent == 200 << 20 {
            read_answer(&mut stream).expect(431);
        }
    }
    before.is_back(&store, SLACK);
}

#[test]
#[ignore = "long: scripts/torture.sh"]
fn an_upload_of_64_mib_without_a_token_is_401_on_its_head_and_costs_no_memory() {
    const UPLOADS: usize = 8;
    let redis = Redis::start();
    let (store, before) = started(&redis, &[]);
    let head = format!(
        "POST /data/x HTTP/1.1\r\nHost: x\r\nContent-Type: a/b\r\nContent-Length: {}\r\n\r\n",
        64 << 20
    );
    // On the head alone, all of them open at once.
    let mut waiting: Vec<TcpStream> = (0..UPLOADS).map(|_| store.raw()).collect();
    waiting.iter_mut().for_each(|stream| send(stream, &head));
    waiting
        .iter_mut()
        .for_each(|stream| drop(read_answer(stream).expect(401)));
    let piece = vec![7; 1 << 20];
    let mut peak = 0;
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let uploads: Vec<_> = waiting
            .iter_mut()
            .map(|stream| scope.spawn(|| pour(&store, stream, &piece, 64 << 20)))
            .collect();
        for upload in uploads {
            peak = peak.max(upload.join().expect("an upload").1);
        }
    });
    let megabytes = (peak.saturating_sub(before.memory)) >> 20;
    figure(
        "hostile: MiB more memory under 8 uploads of 64 MiB without a token",
        megabytes,
    );
    figure(
        "hostile: seconds that they took",
        format!("{:.1}", begun.elapsed().as_secs_f64()),
    );
    assert!(peak < before.memory + SLACK, "{megabytes} MiB more");
    drop(waiting);
    before.is_back(&store, SLACK);
}

#[test]
#[ignore = "long: scripts/torture.sh"]
fn pipelined_requests_whose_replies_are_not_read_are_held_back_and_then_dropped() {
    const REQUESTS: usize = 200_000;
    let redis = Redis::start();
    let (store, before) = started(&redis, &["--stall-timeout", "3s"]);
    let thousand = store.head("GET", "/health", &[]).repeat(1000);
    let mut stream = store.raw();
    let (sent, peak) = pour(
        &store,
        &mut stream,
        thousand.as_bytes(),
        REQUESTS * thousand.len() / 1000,
    );
    figure(
        "hostile: requests taken before their sender was dropped",
        sent * 1000 / thousand.len(),
    );
    figure(
        "hostile: MiB more memory meanwhile",
        peak.saturating_sub(before.memory) >> 20,
    );
    assert!(peak < before.memory + SLACK, "{} MiB", peak >> 20);
    before.is_back(&store, SLACK);
}

#[test]
#[ignore = "long: scripts/torture.sh"]
fn pipelined_requests_are_all_answered_to_a_client_that_reads() {
    let requests = if for_about(Duration::from_secs(1), Duration::ZERO).is_zero() {
        20_000
    } else {
        200_000
    };
    let redis = Redis::start();
    let (store, before) = started(&redis, &[]);
    let mut stream = store.raw();
    let mut writer = stream.try_clone().expect("a second handle");
    let hundred = store.head("GET", "/health", &[]).repeat(100);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(move || (0..requests / 100).for_each(|_| send(&mut writer, &hundred)));
        let mut reader = std::io::BufReader::new(&mut stream);
        (0..requests).for_each(|_| drop(read_answer(&mut reader).expect(200)));
    });
    let pace = requests as f64 / begun.elapsed().as_secs_f64();
    figure(
        "hostile: pipelined requests a second on one connection",
        format!("{pace:.0}"),
    );
    drop(stream);
    before.is_back(&store, SLACK);
}

#[test]
#[ignore = "long: scripts/torture.sh"]
fn heads_and_bodies_that_come_a_byte_a_second_are_given_up() {
    const CLIENTS: usize = 50;
    let redis = Redis::start();
    let (store, before) = started(&redis, &["--head-timeout", "4s", "--stall-timeout", "4s"]);
    let head = store.head("POST", "/data/x", &["Content-Type: a/b", "Content-Length: 1000000"]);
    let chunked = store.head("POST", "/data/x", &["Content-Type: a/b", "Transfer-Encoding: chunked"]);
    let starts = ["", "GET /ping HTTP/1.1\r\nHost: x\r\nX: ", &head, &(chunked + "fffff;")];
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (store, start) = (&store, starts[client % starts.len()]);
            scope.spawn(move || {
                let mut stream = store.raw();
                send(&mut stream, start);
                // The read's deadline is the pause between two bytes.
                stream
                    .set_read_timeout(Some(Duration::from_secs(1)))
                    .expect("a deadline");
                let mut byte = [0];
                eventually(Duration::from_secs(30), || {
                    let _ = stream.write_all(b"x");
                    let waits = |error: std::io::Error| error.kind() == ErrorKind::WouldBlock;
                    !stream.peek(&mut byte).is_err_and(waits)
                });
                // A chunk's extension that never ends may be found too long before it is found too slow.
                let answer = read_answer(&mut stream);
                assert!([400, 408].contains(&answer.status), "{start:?}: {answer:?}");
            });
        }
        (0..20).for_each(|_| store.assert_serves());
    });
    before.is_back(&store, SLACK);
}

#[test]
#[ignore = "long: scripts/torture.sh"]
fn connections_reset_or_closed_at_once_leave_nothing_behind() {
    let redis = Redis::start();
    let (store, before) = started(&redis, &[]);
    let client_hello = [0x16, 3, 1, 0, 0xf1, 1, 0, 0, 0xed, 3, 3, 0, 1, 2, 3, 4];
    let length = for_about(Duration::from_secs(30), Duration::from_secs(5));
    let begun = Instant::now();
    let mut connections = 0;
    let mut refused = 0;
    while begun.elapsed() < length {
        for (number, bytes) in [&b""[..], b"G", b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n", &client_hello]
            .iter()
            .enumerate()
        {
            let Ok(mut stream) = TcpStream::connect(store.addr()) else {
                // The machine has no port free for a moment.
                refused += 1;
                continue;
            };
            let _ = stream.write_all(bytes);
            if number != 3 || connections % 2 == 0 {
                let _ = rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO));
            }
            connections += 1;
        }
    }
    figure(
        "hostile: connections reset or closed at once",
        format!("{connections} in {length:?}, {refused} not made"),
    );
    before.is_back(&store, SLACK);
}

#[test]
#[ignore = "long: scripts/torture.sh"]
fn endless_chunked_bodies_are_refused_and_their_memory_is_given_back() {
    let redis = Redis::start();
    let (store, before) = started(&redis, &["--max-body", "8MiB"]);
    let bearer = store.bearer();
    let head = |token: &str| {
        format!("POST /data/x HTTP/1.1\r\nHost: x\r\n{token}Content-Type: a/b\r\nTransfer-Encoding: chunked\r\n\r\n")
    };
    let tiny = "1\r\nx\r\n".repeat(10_000);
    let large = format!("10000\r\n{}\r\n", "x".repeat(1 << 16));
    let token = format!("Authorization: {bearer}\r\n");
    for (token, status) in [(token.as_str(), 413), ("", 401)] {
        for piece in [&tiny, &large] {
            let mut stream = store.raw();
            send(&mut stream, head(token));
            // Up to the refusal and a little beyond it, as a client does that reads only at the end.
            let (_, peak) = pour(&store, &mut stream, piece.as_bytes(), 64 << 20);
            assert!(peak < before.memory + SLACK, "{} MiB", peak >> 20);
            read_answer(&mut stream).expect(status);
            expect_end(&mut stream);
        }
    }
    let keys: usize = redis.command(&["EXISTS", "x"]);
    assert_eq!(keys, 0);
    before.is_back(&store, SLACK);
}

#[test]
#[ignore = "long: scripts/torture.sh"]
fn large_requests_of_many_clients_use_the_memory_they_are_granted_and_no_more() {
    const CLIENTS: usize = 24;
    let redis = Redis::start();
    let (store, before) = started(
        &redis,
        &["--max-body", "16MiB", "--max-bodies", "64MiB", "--max-len", "2"],
    );
    let length = for_about(Duration::from_secs(60), Duration::from_secs(5));
    let body = vec![7; 16 << 20];
    let begun = Instant::now();
    let (mut peak, mut stored, mut busy) = (0, 0, 0);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (store, body) = (&store, &body);
                scope.spawn(move || {
                    let mut statuses = Vec::new();
                    while begun.elapsed() < length {
                        let path = format!("/data/x{}", client % 2);
                        statuses.push(store.post(&path, "a/b", body).status);
                    }
                    statuses
                })
            })
            .collect();
        eventually(length + Duration::from_secs(120), || {
            peak = peak.max(resident(store.pid()));
            clients.iter().all(|client| client.is_finished())
        });
        for status in clients.into_iter().flat_map(|client| client.join().expect("a client")) {
            match status {
                200 => stored += 1,
                503 => busy += 1,
                other => panic!("{other}"),
            }
        }
    });
    figure(
        "hostile: uploads of 16 MiB by 24 clients over 64 MiB",
        format!("{stored} stored, {busy} told 503"),
    );
    figure("hostile: MiB of memory at most", peak >> 20);
    assert!(stored > 0);
    // A body, its copies on the way through the worker to Redis, and what the allocator keeps of all of them.
    assert!(peak < before.memory + 10 * (64 << 20), "{} MiB", peak >> 20);
    let after = before.is_back(&store, 10 * (64 << 20));
    figure("hostile: MiB of memory afterwards", after.memory >> 20);
}
