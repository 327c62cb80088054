//! Redis answers, but refuses: it is read-only, cannot save, still reads its data, or has no more connections to give.
//! A push is held back and then gets 1013 (docs/protocol.md, section 7), a pull goes on, REST says 503 (section 2).

use std::time::{Duration, Instant};

use crate::harness::wire::{
    Entry, add, close, closes_with, length, numbers, ping, pulled, redis_is_seen_again, stored,
};
use crate::harness::{
    Answer, PATIENCE, Redis, Socket, Store, eventually, receive_reply, receive_text, send_binary, send_text,
};

/// Shorter than the outage in these tests that are about being given up.
const IMPATIENT: [&str; 2] = ["--redis-patience", "500ms"];

/// Longer than any held-back push may take once Redis takes writes again; far longer than it should.
const RECOVERY: Duration = Duration::from_secs(5);

/// A state in which Redis refuses writes and serves reads.
#[derive(Debug, Clone, Copy)]
enum Refusing {
    ReadOnly,
    CannotSave,
}

const REFUSING: [Refusing; 2] = [Refusing::ReadOnly, Refusing::CannotSave];

impl Refusing {
    fn begin(self, redis: &Redis) {
        match self {
            // A replica of nobody.
            Refusing::ReadOnly => redis.command::<()>(&["REPLICAOF", "127.0.0.1", "1"]),
            Refusing::CannotSave => {
                redis.command::<()>(&["CONFIG", "SET", "save", "3600 1000000"]);
                // Where the file should be is a directory, which stops root, too.
                std::fs::create_dir(redis.directory().join("dump.rdb")).expect("a directory in its way");
                save(redis, "err");
            }
        }
        let refused = redis::cmd("SET").arg("x").arg("x").exec(&mut redis.connection());
        let refused = refused.expect_err("a refused write");
        assert!(matches!(refused.code(), Some("READONLY" | "MISCONF")), "{refused}");
    }

    fn end(self, redis: &Redis) {
        match self {
            Refusing::ReadOnly => redis.command::<()>(&["REPLICAOF", "NO", "ONE"]),
            Refusing::CannotSave => {
                std::fs::remove_dir(redis.directory().join("dump.rdb")).expect("to clear the way");
                save(redis, "ok");
            }
        }
    }
}

fn save(redis: &Redis, result: &str) {
    redis.command::<()>(&["BGSAVE"]);
    eventually(PATIENCE, || {
        let info: String = redis.command(&["INFO", "persistence"]);
        info.contains("rdb_bgsave_in_progress:0") && info.contains(&format!("rdb_last_bgsave_status:{result}"))
    });
}

/// Pushes of every kind, each used before.
fn pushes(store: &Store) -> [Socket; 3] {
    let mut pushes = ["ack=true", "", "batch=true&ack=true"].map(|query| store.push("s", query));
    send_each(&mut pushes, "before");
    receive_text(&mut pushes[0]);
    receive_text(&mut pushes[2]);
    eventually(PATIENCE, || length(&store.redis, "s") == 4);
    pushes
}

/// One entry with ack, one without, and a batch of two.
fn send_each(pushes: &mut [Socket; 3], word: &str) {
    send_text(&mut pushes[0], &format!("{word} acked"));
    send_text(&mut pushes[1], &format!("{word} plain"));
    send_text(&mut pushes[2], "0,1");
    send_binary(&mut pushes[2], b"ab");
}

fn assert_unavailable(answer: &Answer) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert!(answer.detail().contains("Redis"), "{}", answer.detail());
}

fn times(found: &[Entry], data: &[u8]) -> usize {
    found.iter().filter(|entry| entry.1 == data).count()
}

#[test]
fn pushes_are_held_back_while_redis_refuses_writes_and_stored_once_when_it_takes_them() {
    for refusing in REFUSING {
        let store = Store::start();
        let mut pull = store.pull("s", "count=100");
        let mut pushes = pushes(&store);
        refusing.begin(&store.redis);
        send_each(&mut pushes, "held");
        for push in &mut pushes {
            assert_eq!(ping(push), [], "{refusing:?}");
        }
        assert_eq!(length(&store.redis, "s"), 4);
        refusing.end(&store.redis);
        let back = Instant::now();
        let id = receive_text(&mut pushes[0]);
        let batch = receive_text(&mut pushes[2]);
        assert!(back.elapsed() < RECOVERY, "{refusing:?}: {:?}", back.elapsed());
        pushes.iter_mut().for_each(|push| drop(close(push)));
        let found = stored(&store.redis, "s");
        assert!(found.contains(&(id, b"held acked".to_vec())));
        for data in [&b"held acked"[..], b"held plain", b"before acked", b"before plain"] {
            assert_eq!(times(&found, data), 1, "{refusing:?}");
        }
        let ids = batch.split(',');
        let ids: Vec<_> = ids
            .zip([b"a", b"b"])
            .map(|(id, data)| (id.to_owned(), data.to_vec()))
            .collect();
        assert!(
            found.windows(2).any(|pair| pair == ids),
            "{refusing:?}: a batch in pieces"
        );
        assert_eq!(found.len(), 8);
        assert_eq!(pulled(&mut pull, 8, 100), found);
    }
}

#[test]
fn a_push_is_given_up_with_1013_when_redis_refuses_writes_for_longer_than_the_patience() {
    for refusing in REFUSING {
        let store = Store::with(&IMPATIENT);
        let mut pushes = pushes(&store);
        let before = stored(&store.redis, "s");
        refusing.begin(&store.redis);
        let start = Instant::now();
        send_each(&mut pushes, "refused");
        for push in &mut pushes {
            let reason = closes_with(push, 1013);
            assert!(reason.contains("READONLY") || reason.contains("MISCONF"), "{reason}");
        }
        let held = start.elapsed();
        assert!(held > Duration::from_millis(400), "only {held:?}");
        refusing.end(&store.redis);
        // What was refused is not stored later, behind the client's back.
        assert_eq!(stored(&store.redis, "s"), before, "{refusing:?}");
        let mut push = store.push("s", "ack=true");
        send_binary(&mut push, b"after");
        receive_text(&mut push);
        assert_eq!(length(&store.redis, "s"), before.len() + 1);
    }
}

#[test]
fn while_redis_refuses_writes_posts_are_503_and_everything_that_reads_goes_on() {
    for refusing in REFUSING {
        let store = Store::start();
        let added = add(&store.redis, "s", &numbers(0..50));
        let mut behind = store.pull("s", "last_entry_id=0&count=1");
        let mut live = store.pull("s", "");
        assert_eq!(receive_reply(&mut behind), added[..1]);
        assert_eq!(ping(&mut live), []);
        refusing.begin(&store.redis);
        for _ in 0..3 {
            assert_unavailable(&store.post("/data/s", "image/png", b"lost"));
            assert_unavailable(&store.post_entries("s", &[b"lost", b"lost"]));
            assert_unavailable(&store.put("/streams/t"));
            assert_unavailable(&store.delete("/streams/s"));
            assert_eq!(store.get("/data/s").expect(200).body, b"49");
            store.get("/streams/").expect(200);
            store.get("/streams/s").expect(200);
            store.get("/activity").expect(200);
        }
        assert_eq!(pulled(&mut behind, 49, 1), added[1..]);
        let mut late = store.pull("s", "last_entry_id=0&count=100");
        assert_eq!(pulled(&mut late, 50, 100), added);
        assert_eq!(ping(&mut live), []);
        refusing.end(&store.redis);
        let new = add(&store.redis, "s", &[b"new"]);
        for pull in [&mut live, &mut behind, &mut late] {
            assert_eq!(receive_reply(pull), new, "{refusing:?}");
        }
        store.assert_serves();
    }
}

#[test]
fn while_redis_reads_its_data_pushes_are_held_back_and_pulls_wait() {
    let redis = Redis::start_durable();
    let store = Store::on(&redis, &[]);
    let mut pushes = pushes(&store);
    let mut live = store.pull("s", "count=100");
    let mut idle = store.push("s", "ack=true");
    let before = stored(&redis, "s");
    let mut behind = store.pull("s", "last_entry_id=0&count=100");
    assert_eq!(pulled(&mut behind, 4, 100), before);
    std::thread::scope(|scope| {
        let loaded = scope.spawn(|| redis.restart_slowly());
        let mut refusals = 0;
        eventually(PATIENCE, || {
            let answer = store.get("/ping");
            refusals += usize::from(answer.status == 503 && answer.detail().contains("LOADING"));
            refusals > 0 || loaded.is_finished()
        });
        assert!(refusals > 0, "it has read its data before anybody saw that");
        assert_unavailable(&store.get("/data/s"));
        assert_unavailable(&store.post("/data/s", "image/png", b"lost"));
        send_each(&mut pushes, "held");
        for socket in pushes.iter_mut().chain([&mut live, &mut behind, &mut idle]) {
            assert_eq!(ping(socket), []);
        }
        loaded.join().expect("a Redis that has read its data");
    });
    let back = Instant::now();
    receive_text(&mut pushes[0]);
    receive_text(&mut pushes[2]);
    assert!(back.elapsed() < RECOVERY, "{:?}", back.elapsed());
    redis_is_seen_again(&store);
    pushes.iter_mut().for_each(|push| drop(close(push)));
    send_text(&mut idle, "idle");
    receive_text(&mut idle);
    let found = stored(&redis, "s");
    assert_eq!(found[..4], before);
    assert_eq!(found.len(), 9);
    assert_eq!(pulled(&mut live, 5, 100), found[4..]);
    assert_eq!(pulled(&mut behind, 5, 100), found[4..]);
    store.assert_serves();
}

#[test]
fn without_a_free_connection_to_redis_pushes_are_held_back_and_handshakes_are_503() {
    let store = Store::start();
    let redis = &store.redis;
    let mut hand = redis.connection();
    let mut used = store.push("s", "ack=true");
    let mut live = store.pull("s", "");
    send_text(&mut used, "before");
    receive_text(&mut used);
    receive_reply(&mut live);
    let mut fresh = store.push("s", "ack=true");
    let set = |hand: &mut redis::Connection, most: &str| {
        redis::cmd("CONFIG")
            .arg(&["SET", "maxclients", most])
            .exec(hand)
            .expect("to set")
    };
    set(&mut hand, "1");
    // The connection made last is the fresh one's, which now loses it.
    let list: String = redis::cmd("CLIENT").arg("LIST").query(&mut hand).expect("a list");
    let ids = list
        .lines()
        .filter_map(|line| line.strip_prefix("id=")?.split(' ').next()?.parse::<u64>().ok());
    let newest = ids.max().expect("an id").to_string();
    redis::cmd("CLIENT")
        .arg(&["KILL", "ID", &newest])
        .exec(&mut hand)
        .expect("to kill");
    send_text(&mut fresh, "held");
    let bearer = store.bearer();
    for path in ["/data/s/push", "/data/s/pull"] {
        let answer = store.socket_answer(path, &[("Authorization", &bearer)]);
        assert_unavailable(&answer.expect(503));
    }
    // Whoever has a connection keeps it.
    send_text(&mut used, "during");
    let during = receive_text(&mut used);
    assert_eq!(receive_reply(&mut live), [(during, b"during".to_vec())]);
    assert_eq!(ping(&mut fresh), []);
    set(&mut hand, "10000");
    let back = Instant::now();
    let held = receive_text(&mut fresh);
    assert!(back.elapsed() < RECOVERY, "{:?}", back.elapsed());
    assert_eq!(receive_reply(&mut live), [(held, b"held".to_vec())]);
    assert_eq!(length(redis, "s"), 3);
    store.push("s", "");
    store.assert_serves();
}

#[test]
fn without_a_free_connection_for_longer_than_the_patience_a_push_is_given_up_with_1013() {
    let store = Store::with(&IMPATIENT);
    let mut hand = store.redis.connection();
    let mut push = store.push("s", "ack=true");
    let mut live = store.pull("s", "");
    redis::cmd("CONFIG")
        .arg(&["SET", "maxclients", "1"])
        .exec(&mut hand)
        .expect("to set");
    redis::cmd("CLIENT")
        .arg(&["KILL", "TYPE", "normal", "SKIPME", "yes"])
        .exec(&mut hand)
        .expect("to kill");
    send_text(&mut push, "refused");
    closes_with(&mut push, 1013);
    // A pull is as patient as its client.
    assert_eq!(ping(&mut live), []);
    redis::cmd("CONFIG")
        .arg(&["SET", "maxclients", "10000"])
        .exec(&mut hand)
        .expect("to set");
    redis_is_seen_again(&store);
    let added = add(&store.redis, "s", &[b"new"]);
    assert_eq!(receive_reply(&mut live), added);
    store.assert_serves();
}

#[test]
fn ping_and_the_metric_tell_of_a_redis_that_takes_no_writes() {
    for (refusing, word) in REFUSING.into_iter().zip(["READONLY", "MISCONF"]) {
        let store = Store::start();
        store.get("/ping").expect(200);
        refusing.begin(&store.redis);
        let answer = store.get("/ping");
        assert_unavailable(&answer);
        assert!(answer.detail().contains(word), "{}", answer.detail());
        eventually(PATIENCE, || store.metric("ptg_redis_up") == 0.0);
        refusing.end(&store.redis);
        redis_is_seen_again(&store);
    }
}

#[test]
fn ping_tells_of_too_few_replicas_and_writes_nothing_to_find_out() {
    let store = Store::start();
    let set = |count: &str| {
        store
            .redis
            .command::<()>(&["CONFIG", "SET", "min-replicas-to-write", count])
    };
    set("1");
    assert!(store.get("/ping").expect(503).detail().contains("NOREPLICAS"));
    assert_unavailable(&store.post("/data/s", "image/png", b"x"));
    set("0");
    redis_is_seen_again(&store);
    assert_eq!(store.redis.command::<usize>(&["DBSIZE"]), 0);
}
