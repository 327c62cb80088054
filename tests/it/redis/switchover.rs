//! A planned switchover: the master becomes a replica and another the master, behind an address that stays, as HAProxy, a
//! service of Kubernetes or a floating address do it. Connections that are open stay with the old one.

use std::time::{Duration, Instant};

use crate::harness::wire::{closes_with, length, stored_data};
use crate::harness::{
    Manner, PATIENCE, Program, Proxy, Redis, Store, eventually, receive_reply, receive_text, send_binary,
};

struct Pair {
    old: Redis,
    new: Redis,
    proxy: Proxy,
}

impl Pair {
    /// The new one follows the old one, which the proxy leads to.
    fn start() -> Pair {
        let (old, new) = (Redis::start(), Redis::start());
        follow(&new, &old);
        let proxy = Proxy::to(&old);
        Pair { old, new, proxy }
    }

    /// Connections that are open stay with the old master.
    fn switch(&self) {
        self.new.command::<()>(&["REPLICAOF", "NO", "ONE"]);
        self.old
            .command::<()>(&["REPLICAOF", "127.0.0.1", &self.new.port().to_string()]);
        self.proxy.lead_to(&self.new);
    }
}

fn follow(replica: &Redis, master: &Redis) {
    replica.command::<()>(&["REPLICAOF", "127.0.0.1", &master.port().to_string()]);
    eventually(PATIENCE, || {
        let info: String = replica.command(&["INFO", "replication"]);
        info.contains("master_link_status:up")
    });
}

#[test]
fn after_a_switchover_behind_a_proxy_everything_goes_on_with_the_new_master() {
    let pair = Pair::start();
    let store = Store::through(&pair.proxy, &pair.old, &[]);
    let mut pull = store.pull("s", "");
    let mut push = store.push("s", "ack=true");
    send_binary(&mut push, b"before");
    receive_text(&mut push);
    receive_reply(&mut pull);
    // Every worker has a connection to the old one.
    for _ in 0..50 {
        store.add("s", &[b"p"]);
    }
    eventually(PATIENCE, || length(&pair.new, "s") == 51);
    pair.switch();
    let switched = Instant::now();
    send_binary(&mut push, b"after");
    receive_text(&mut push);
    eventually(Duration::from_secs(3), || {
        (0..20).all(|_| store.post("/data/s", "image/png", b"q").status == 200) && store.get("/ping").status == 200
    });
    assert!(switched.elapsed() < Duration::from_secs(4), "{:?}", switched.elapsed());
    eventually(PATIENCE, || store.metric("ptg_redis_up") == 1.0);
    let found = stored_data(&pair.new, "s");
    assert_eq!(found[0], b"before");
    assert_eq!(found.iter().filter(|data| *data == b"after").count(), 1);
    assert!(found.iter().filter(|data| *data == b"q").count() >= 20);
    store.put("/streams/new").expect(200);
    store.assert_serves();
}

#[test]
fn while_the_proxy_still_leads_to_the_replica_that_is_told_and_then_not_any_more() {
    let pair = Pair::start();
    let store = Store::through(&pair.proxy, &pair.old, &[]);
    store.add("s", &[b"x"]);
    pair.new.command::<()>(&["REPLICAOF", "NO", "ONE"]);
    pair.old
        .command::<()>(&["REPLICAOF", "127.0.0.1", &pair.new.port().to_string()]);
    let answer = store.get("/ping").expect(503);
    assert!(answer.detail().contains("replica"), "{}", answer.detail());
    eventually(PATIENCE, || store.metric("ptg_redis_up") == 0.0);
    assert!(
        store
            .post("/data/s", "image/png", b"x")
            .expect(503)
            .detail()
            .contains("READONLY")
    );
    pair.proxy.lead_to(&pair.new);
    eventually(Duration::from_secs(3), || {
        store.post("/data/s", "image/png", b"x").status == 200
    });
    eventually(PATIENCE, || store.metric("ptg_redis_up") == 1.0);
    store.get("/ping").expect(200);
}

#[test]
fn a_push_that_is_given_up_tells_what_began_it() {
    let redis = Redis::start();
    let proxy = Proxy::to(&redis);
    let address = proxy.url();
    let store = Program::start(&["--redis", &address, "--redis-patience", "1500ms"]);
    let mut push = store.push("s", "ack=true");
    send_binary(&mut push, b"before");
    receive_text(&mut push);
    redis.command::<()>(&["REPLICAOF", "127.0.0.1", "1"]);
    send_binary(&mut push, b"x");
    eventually(PATIENCE, || {
        let stats: String = redis.command(&["INFO", "errorstats"]);
        stats.contains("errorstat_READONLY")
    });
    // What the later attempts run into is another thing.
    proxy.set(Manner::Hold);
    let reason = closes_with(&mut push, 1013);
    assert!(reason.contains("READONLY"), "{reason}");
    let mut told = String::new();
    eventually(PATIENCE, || {
        let log = store.log();
        told = log
            .lines()
            .filter(|line| line.contains(" 1 entries received "))
            .collect();
        !told.is_empty()
    });
    assert!(told.contains("READONLY") && !told.contains("no answer"), "{told}");
    proxy.set(Manner::Pass);
}
