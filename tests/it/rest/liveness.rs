//! What tells how the program is, is answered at once, also while every worker waits for a Redis that hangs.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::harness::{Program, Redis, Store, eventually, read_answer, read_answer_to_head, send};

/// Far less than a worker waits for Redis (5 seconds), and more than a busy machine takes for an answer.
const AT_ONCE: Duration = Duration::from_secs(1);

/// How long `/ping` grants Redis, with some time to say so.
const PING: Duration = Duration::from_millis(1_900);

/// Requests that all workers, and a queue behind them, wait for Redis with.
fn hang(store: &Store) -> Vec<TcpStream> {
    store.redis.pause();
    (0..16)
        .map(|_| {
            let mut stream = store.raw();
            send(&mut stream, store.head("GET", "/streams/", &[]));
            stream
        })
        .collect()
}

#[test]
fn health_and_metrics_wait_for_no_worker() {
    let store = Store::with(&["--rest-workers", "2"]);
    let held = hang(&store);
    let mut stream = store.raw();
    for (method, path, status) in [
        ("GET", "/health", 200),
        ("GET", "/metrics", 200),
        ("GET", "/v2/health/", 200),
        ("OPTIONS", "/data/x", 200),
        ("GET", "/nope", 404),
        ("DELETE", "/token", 405),
        ("GET", "/data/x?count=0", 422),
    ] {
        let begun = Instant::now();
        send(&mut stream, store.head(method, path, &[]));
        let answer = read_answer(&mut stream).expect(status);
        assert!(begun.elapsed() < AT_ONCE, "{method} {path}: {:?}", begun.elapsed());
        assert_eq!(answer.header("connection"), Some("keep-alive"), "{method} {path}");
    }
    let begun = Instant::now();
    send(&mut stream, store.head("HEAD", "/health", &[]));
    assert!(
        read_answer_to_head(&mut stream)
            .expect(200)
            .header("content-length")
            .is_some()
    );
    send(&mut stream, store.head("GET", "/health", &["Content-Length: 2"]) + "{}");
    read_answer(&mut stream).expect(200);
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
    store.redis.resume();
    drop(held);
}

#[test]
fn ping_says_within_its_second_that_redis_hangs_and_at_once_that_it_is_back() {
    let store = Store::with(&["--rest-workers", "2"]);
    assert_eq!(store.get("/ping").expect(200).text(), "true\n");
    let held = hang(&store);
    for _ in 0..3 {
        let begun = Instant::now();
        store.get("/ping").expect(503).detail();
        assert!(begun.elapsed() < PING, "{:?}", begun.elapsed());
    }
    store.redis.resume();
    eventually(PING, || store.get("/ping").status == 200);
    drop(held);
}

#[test]
fn ping_asks_redis_and_does_not_remember() {
    let store = Store::start();
    for _ in 0..3 {
        store.get("/ping").expect(200);
        store.redis.pause();
        // Nobody has told the store: it has to ask.
        store.get("/ping").expect(503);
        store.redis.resume();
        eventually(PING, || store.get("/ping").status == 200);
    }
}

#[test]
fn many_who_ask_at_once_are_one_question() {
    let store = Store::start();
    let asked = || -> u64 {
        let info: String = store.redis.command(&["INFO", "commandstats"]);
        let line = info
            .lines()
            .find(|line| line.starts_with("cmdstat_ping:"))
            .unwrap_or_default();
        let calls = line.split(['=', ',']).nth(1).and_then(|calls| calls.parse().ok());
        calls.unwrap_or(0)
    };
    let before = asked();
    let mut streams: Vec<TcpStream> = (0..200).map(|_| store.raw()).collect();
    store.redis.pause();
    for stream in &mut streams {
        send(stream, store.head("GET", "/ping", &[]));
    }
    store.redis.resume();
    for stream in &mut streams {
        let status = read_answer(stream).status;
        assert!([200, 503].contains(&status), "{status}");
    }
    let count = asked() - before;
    assert!(count < 100, "{count}");
}

#[test]
fn what_the_door_answers_has_the_headers_of_what_workers_answer() {
    let store = Store::start();
    let names = |path: &str| {
        let mut names: Vec<String> = store.get(path).headers.into_iter().map(|(name, _)| name).collect();
        names.sort();
        names
    };
    let of_a_worker = names("/openapi.json");
    for path in ["/health", "/metrics", "/ping"] {
        assert_eq!(names(path), of_a_worker, "{path}");
    }
    let answer = store.get("/health").expect(200);
    assert_eq!(answer.json()["status"], "ok");
    assert!(
        answer
            .header("server")
            .is_some_and(|server| server.starts_with("ptg-store/"))
    );
}

#[test]
fn what_the_door_answers_is_logged_and_counted() {
    let redis = Redis::start();
    let store = Program::start(&["--redis", &redis.url()]);
    store.get("/health").expect(200);
    store.get("/nope").expect(404);
    for line in [" GET /health 200 ", " GET /nope 404 "] {
        eventually(AT_ONCE, || store.log().contains(line));
    }
    let counted = |route: &str, status: u16| {
        store.metric(&format!(
            "ptg_requests_total{{route=\"{route}\",method=\"GET\",status=\"{status}\"}}"
        ))
    };
    assert_eq!(counted("/health", 200), 1.0);
    assert_eq!(counted("none", 404), 1.0);
}
