//! REST while Redis is gone, stuck or full: 503 and no harm (docs/protocol.md, section 2). Sockets: `redis_faults`.

use std::time::Duration;

use serde_json::json;

use crate::harness::{Answer, PATIENCE, Redis, Store, eventually};

#[test]
fn without_redis_every_request_that_needs_it_is_503_and_recovers() {
    let redis = Redis::start_durable();
    let store = Store::on(&redis, &[]);
    store.put("/streams/x").expect(200);
    store.add("x", &[b"before"]);
    redis.kill();
    for _ in 0..3 {
        assert_unavailable(&store.get("/ping"));
        assert_unavailable(&store.get("/streams/"));
        assert_unavailable(&store.get("/streams/x"));
        assert_unavailable(&store.put("/streams/y"));
        assert_unavailable(&store.delete("/streams/x"));
        assert_unavailable(&store.get("/data/x"));
        assert_unavailable(&store.get("/data/x?last_entry_id=0"));
        assert_unavailable(&store.post("/data/x", "image/png", b"lost"));
        assert_unavailable(&store.post_entries("x", &[b"lost", b"lost"]));
    }
    eventually(PATIENCE, || store.metric("ptg_redis_up") == 0.0);
    redis.restart();
    eventually(PATIENCE, || store.get("/ping").status == 200);
    eventually(PATIENCE, || store.get("/streams/").expect(200).json() == json!(["x"]));
    assert_eq!(store.get("/data/x?count=9").expect(200).body, b"before");
    store.assert_serves();
    eventually(PATIENCE, || store.metric("ptg_redis_up") == 1.0);
    assert!(store.metric("ptg_redis_errors_total") > 0.0);
}

#[test]
fn without_redis_the_checks_before_it_are_as_ever() {
    let redis = Redis::start();
    let store = Store::on(&redis, &[]);
    redis.kill();
    assert_eq!(store.get("/health").expect(200).json()["status"], "ok");
    store.get("/metrics").expect(200);
    store.get("/docs").expect(200);
    store.get("/nope").expect(404);
    store.put("/ping").expect(405);
    store.ask("GET", "/streams/", &[], None).expect(401);
    store.get("/data/x?count=0").expect(422);
    store.get("/data/x?last_entry_id=x").expect(422);
    store.put("/streams/XMETA:x").expect(422);
    assert_eq!(store.get("/data/x?count=0").expect(422).faults().len(), 1);
    let form = "application/x-www-form-urlencoded";
    store.post("/token", form, b"username=a&password=a").expect(200);
}

#[test]
fn a_store_that_starts_without_redis_serves_as_soon_as_it_comes() {
    let redis = Redis::start();
    redis.kill();
    let store = Store::on(&redis, &[]);
    assert_unavailable(&store.get("/streams/"));
    redis.restart();
    eventually(PATIENCE, || store.get("/streams/").status == 200);
    store.assert_serves();
}

#[test]
fn a_stuck_redis_is_503_on_ping_and_the_store_stays_up() {
    let redis = Redis::start();
    let store = Store::on(&redis, &[]);
    store.assert_serves();
    redis.pause();
    assert_unavailable(&store.get("/ping"));
    store.get("/health").expect(200);
    redis.resume();
    eventually(PATIENCE, || store.get("/ping").status == 200);
    store.assert_serves();
}

#[test]
fn more_requests_than_workers_on_a_stuck_redis_all_get_an_answer() {
    let redis = Redis::start();
    let store = Store::on(&redis, &["--rest-workers", "2"]);
    redis.pause();
    std::thread::scope(|scope| {
        let asked: Vec<_> = (0..8).map(|_| scope.spawn(|| store.get("/streams/"))).collect();
        for answer in asked {
            assert_unavailable(&answer.join().expect("an answer"));
        }
    });
    redis.resume();
    eventually(PATIENCE, || store.get("/ping").status == 200);
    store.assert_serves();
}

#[test]
fn a_full_redis_is_503_for_writes_and_serves_reads() {
    let store = Store::start();
    store.put("/streams/x").expect(200);
    store.add("x", &[b"before"]);
    let _: () = store.redis.command(&["CONFIG", "SET", "maxmemory", "1"]);
    for _ in 0..3 {
        for answer in [
            store.post("/data/x", "image/png", b"lost"),
            store.post_entries("x", &[b"lost", b"lost"]),
            store.put("/streams/y"),
        ] {
            assert_unavailable(&answer);
            assert!(answer.detail().contains("memory"), "{}", answer.detail());
        }
    }
    assert_eq!(store.get("/ping").expect(200).json(), json!(true));
    assert_eq!(store.get("/data/x?count=9").expect(200).body, b"before");
    store.get("/streams/x").expect(200);
    let _: () = store.redis.command(&["CONFIG", "SET", "maxmemory", "0"]);
    store.add("x", &[b"+after"]);
    assert_eq!(store.get("/data/x?count=9").expect(200).body, b"before+after");
    store.assert_serves();
}

#[test]
fn connections_that_redis_drops_while_idle_cost_no_request() {
    let store = Store::start();
    for _ in 0..5 {
        store.add("x", &[b"a"]);
        let _: usize = store.redis.command(&["CLIENT", "KILL", "TYPE", "normal"]);
        // The first request on a dead connection must notice and use a new one, or say 503; the next ones work.
        eventually(Duration::from_secs(5), || store.get("/data/x").status == 200);
    }
    store.assert_serves();
}

#[track_caller]
fn assert_unavailable(answer: &Answer) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert!(answer.detail().contains("Redis"), "{}", answer.detail());
}
