//! One client's load is not another client's trouble: no more than it would be if both talked to Redis itself.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::harness::{Program, Redis, receive_text, send_binary};
use crate::latency::{Latencies, Spread};
use crate::process::MIB;
use crate::report::{figure, for_about};
use crate::websocket_frames::{WHOLE_BINARY, head, send_plain};

/// The largest message that the default flags let through.
const LARGE: usize = 64 * MIB as usize;

/// How long one measurement is, and how much of a load is not measured because it only begins.
const PHASE: Duration = Duration::from_secs(4);
const WARMING: Duration = Duration::from_secs(1);

/// Between two pushes of the victim: a fast sensor, not a flood.
const PAUSE: Duration = Duration::from_millis(2);

/// Between two strokes of the one who sends garbage.
const GARBAGE_PAUSE: Duration = Duration::from_millis(10);

/// How much worse the load may make it through the store than it does in Redis itself.
const MOST_WORSE: f64 = 3.0;

/// The parts of the load, so that each can be looked at alone.
const LARGE_PUSHES: u8 = 1;
const SLOW_PULL: u8 = 2;
const GARBAGE: u8 = 4;
const ALL: u8 = LARGE_PUSHES | SLOW_PULL | GARBAGE;

/// p50 and p99 of the victim in milliseconds, and the large entries stored meanwhile, per second.
#[derive(Clone, Copy)]
struct Measured {
    p50: f64,
    p99: f64,
    large: f64,
}

#[test]
#[ignore = "long: scripts/torture.sh"]
fn isolation_from_large_slow_and_broken_clients_is_as_good_as_that_of_redis() {
    let redis = Redis::start();
    let store = Program::start(&["--redis", &redis.url()]);
    prepare(&store, &redis);
    let (mut quiet, mut loaded, mut direct_quiet, mut direct_loaded) = (vec![], vec![], vec![], vec![]);
    let begun = Instant::now();
    let length = for_about(Duration::from_secs(300), Duration::from_secs(60));
    while begun.elapsed() < length {
        quiet.push(through_store(&store, 0));
        loaded.push(through_store(&store, ALL));
        direct_quiet.push(straight(&redis, 0));
        direct_loaded.push(straight(&redis, ALL));
    }
    print("through the store, quiet", &quiet);
    print("through the store, loaded", &loaded);
    print("straight to Redis, quiet", &direct_quiet);
    print("straight to Redis, loaded", &direct_loaded);
    let ratio = |loaded: &[Measured], quiet: &[Measured]| {
        let pairs = loaded.iter().zip(quiet);
        Spread::of(pairs.map(|(loaded, quiet)| loaded.p99 / quiet.p99))
    };
    let (store_ratio, redis_ratio) = (ratio(&loaded, &quiet), ratio(&direct_loaded, &direct_quiet));
    let worse = store_ratio.median / redis_ratio.median;
    figure("p99 loaded / quiet, through the store", &store_ratio);
    figure("p99 loaded / quiet, straight to Redis", &redis_ratio);
    figure("ratio of the ratios", format!("{worse:.2}"));
    for (name, part) in [
        ("large pushes", LARGE_PUSHES),
        ("slow pull", SLOW_PULL),
        ("garbage", GARBAGE),
    ] {
        print(
            &format!("through the store, {name} alone"),
            &[through_store(&store, part)],
        );
        print(&format!("straight to Redis, {name} alone"), &[straight(&redis, part)]);
    }
    let slow: redis::Value = redis.command(&["SLOWLOG", "LEN"]);
    figure("Redis's commands of more than 10 ms", format!("{slow:?}"));
    store.assert_serves();
    assert!(
        worse <= MOST_WORSE,
        "the store makes it {worse:.2} times as bad as Redis does"
    );
}

/// A backlog for the slow reader, and a retention that lets Redis live through the large entries.
fn prepare(store: &Program, redis: &Redis) {
    store.put("/streams/backlog?max_len=1000").expect(200);
    store.put("/streams/large?max_len=2").expect(200);
    let mut connection = redis.connection();
    for _ in 0..100 {
        let mut add = redis::cmd("XADD");
        add.arg("backlog").arg(&["*", "d"]).arg(vec![b'b'; MIB as usize]);
        add.exec(&mut connection).expect("to add an entry");
    }
    let _: String = redis.command(&["CONFIG", "SET", "slowlog-log-slower-than", "10000"]);
}

fn through_store(store: &Program, load: u8) -> Measured {
    let mut victim = store.push("victim", "ack=true");
    let entry = [b'v'; 1000];
    let push = || {
        send_binary(&mut victim, &entry);
        receive_text(&mut victim);
    };
    let large = |over: &AtomicBool, done: &AtomicU64| {
        let mut socket = store.push("large", "ack=true");
        let data = vec![b'L'; LARGE];
        while !over.load(Relaxed) {
            send_plain(socket.get_mut(), &data);
            receive_text(&mut socket);
            done.fetch_add(1, Relaxed);
        }
    };
    let slow = |over: &AtomicBool| {
        let mut socket = store.pull("backlog", "last_entry_id=0&count=100");
        trickle(socket.get_mut(), over);
    };
    measure(load, push, large, slow, |round| spoil(store, round))
}

fn straight(redis: &Redis, load: u8) -> Measured {
    let add = |connection: &mut redis::Connection, stream: &str, max_len: u32, data: &[u8]| {
        let mut add = redis::cmd("XADD");
        add.arg(stream)
            .arg(&["MAXLEN", "~"])
            .arg(max_len)
            .arg(&["*", "d"])
            .arg(data);
        add.exec(connection).expect("to add an entry");
    };
    let mut victim = redis.connection();
    let push = || add(&mut victim, "victim", 1000, &[b'v'; 1000]);
    let large = |over: &AtomicBool, done: &AtomicU64| {
        let mut connection = redis.connection();
        let data = vec![b'L'; LARGE];
        while !over.load(Relaxed) {
            add(&mut connection, "large", 2, &data);
            done.fetch_add(1, Relaxed);
        }
    };
    let address = SocketAddr::from(([127, 0, 0, 1], redis.port()));
    let slow = |over: &AtomicBool| {
        let mut stream = connect(address);
        let ask = b"XREAD COUNT 8 STREAMS backlog 0\r\n";
        stream.write_all(ask).expect("to ask");
        trickle(&mut stream, over);
    };
    let spoil = |_| {
        let mut stream = connect(address);
        let _ = stream.write_all(b"*3\r\n$2\r\nno\r\n:what\r\nis this\r\n");
        read_away(stream);
    };
    measure(load, push, large, slow, spoil)
}

/// The victim's times while these parts of the load go on.
fn measure(
    load: u8,
    mut push: impl FnMut(),
    large: impl Fn(&AtomicBool, &AtomicU64) + Sync,
    slow: impl Fn(&AtomicBool) + Sync,
    spoil: impl Fn(usize) + Sync,
) -> Measured {
    let (over, done) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut latencies = Latencies::default();
    let stored = std::thread::scope(|scope| {
        let _over = Over(&over);
        if load & LARGE_PUSHES != 0 {
            scope.spawn(|| large(&over, &done));
        }
        if load & SLOW_PULL != 0 {
            scope.spawn(|| slow(&over));
        }
        if load & GARBAGE != 0 {
            scope.spawn(|| {
                for round in (0..).take_while(|_| !over.load(Relaxed)) {
                    spoil(round);
                    std::thread::sleep(GARBAGE_PAUSE);
                }
            });
        }
        let begun = Instant::now();
        while begun.elapsed() < WARMING {
            push();
            std::thread::sleep(PAUSE);
        }
        let before = done.load(Relaxed);
        while begun.elapsed() < WARMING + PHASE {
            latencies.time(&mut push);
            std::thread::sleep(PAUSE);
        }
        done.load(Relaxed) - before
    });
    assert!(latencies.count() > 20, "only {} pushes", latencies.count());
    Measured {
        p50: latencies.percentile(50.0),
        p99: latencies.percentile(99.0),
        large: stored as f64 / PHASE.as_secs_f64(),
    }
}

/// Ends the load, also when the victim fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Reads a thousand bytes a second.
fn trickle(stream: &mut TcpStream, over: &AtomicBool) {
    let mut piece = [0; 100];
    while !over.load(Relaxed) && stream.read_exact(&mut piece).is_ok() {
        std::thread::sleep(Duration::from_millis(100));
    }
    let _ = stream.shutdown(Shutdown::Both);
}

/// What is no HTTP, what is HTTP but wrong, and frames that break RFC 6455.
fn spoil(store: &Program, round: usize) {
    match round % 3 {
        0 => {
            let mut stream = connect(store.addr());
            let _ = stream.write_all(b"\x16\x03\x01\x02\x00\x01\x00\xff\r\n\r\n");
            read_away(stream);
        }
        1 => {
            let mut stream = connect(store.addr());
            let _ = stream.write_all(b"POST /data/x HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n");
            read_away(stream);
        }
        _ => {
            let mut socket = store.push("spoiled", "");
            // Reserved bits are set, and what follows is no frame at all.
            let mut frame = head(WHOLE_BINARY | 0x70, 200);
            frame.extend_from_slice(&[0xff; 200]);
            let _ = socket.get_mut().write_all(&frame);
            let _ = socket.get_mut().shutdown(Shutdown::Write);
            let _ = std::io::copy(socket.get_mut(), &mut std::io::sink());
        }
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("a connection");
    let deadline = Some(Duration::from_secs(10));
    stream.set_read_timeout(deadline).expect("a deadline");
    stream.set_write_timeout(deadline).expect("a deadline");
    stream
}

fn read_away(mut stream: TcpStream) {
    let _ = stream.shutdown(Shutdown::Write);
    let _ = std::io::copy(&mut stream, &mut std::io::sink());
}

fn print(what: &str, rounds: &[Measured]) {
    let of = |part: fn(&Measured) -> f64| Spread::of(rounds.iter().map(part));
    let (p50, p99, large) = (of(|m| m.p50), of(|m| m.p99), of(|m| m.large));
    figure(what, format!("p50 {p50} ms, p99 {p99} ms, {large} large entries/s"));
}
