//! docs/protocol.md, section 7 while Redis is gone: what is held back, what is given up, and how soon all goes on.

use std::time::{Duration, Instant};

use crate::harness::wire::{
    PROMPT, add, close_promptly, closes_with, length, numbers, ping, redis_is_seen_again, stored,
};
use crate::harness::{
    PATIENCE, Redis, Socket, Store, eventually, expect_close, receive_reply, receive_text, send_binary, send_text,
};

/// Pulls of every kind that wait, on streams with and without entries.
fn waiting_pulls(store: &Store) -> Vec<(&'static str, Socket)> {
    add(&store.redis, "full", &numbers(0..3));
    let pulls = [("full", "$"), ("none", "$"), ("none-0", "0"), ("none-*", "*")];
    let open = |(stream, from)| (stream, store.pull(stream, &format!("last_entry_id={from}")));
    let mut pulls: Vec<_> = pulls.into_iter().map(open).collect();
    for (_, pull) in &mut pulls {
        assert_eq!(ping(pull), []);
    }
    pulls
}

#[test]
fn waiting_pulls_answer_pings_while_redis_is_gone_and_get_what_comes_after() {
    let redis = Redis::start_durable();
    let store = Store::on(&redis, &[]);
    let mut pulls = waiting_pulls(&store);
    redis.kill();
    for _ in 0..3 {
        for (_, pull) in &mut pulls {
            assert_eq!(ping(pull), []);
        }
    }
    redis.restart();
    // At once: the entries may be there before the pulls have connected again.
    let streams: Vec<_> = pulls.iter().map(|(stream, _)| *stream).collect();
    let added: Vec<_> = streams.iter().map(|s| add(&redis, s, &[b"new"])).collect();
    let start = Instant::now();
    for ((stream, pull), added) in pulls.iter_mut().zip(added) {
        assert_eq!(receive_reply(pull), added, "{stream}");
    }
    assert!(start.elapsed() < PROMPT, "{:?}", start.elapsed());
}

#[test]
fn waiting_pulls_go_on_on_a_redis_that_lost_everything() {
    let redis = Redis::start();
    let store = Store::on(&redis, &[]);
    let mut pulls = waiting_pulls(&store);
    redis.kill();
    redis.restart();
    for (stream, pull) in &mut pulls {
        let added = add(&redis, stream, &[b"new"]);
        assert_eq!(receive_reply(pull), added, "{stream}");
    }
}

#[test]
fn an_idle_push_works_after_redis_was_killed_and_restarted() {
    let redis = Redis::start_durable();
    let store = Store::on(&redis, &[]);
    let mut used = store.push("s", "ack=true");
    send_binary(&mut used, b"before");
    receive_text(&mut used);
    let mut pushes = [used, store.push("s", "ack=true")];
    for _ in 0..3 {
        redis.kill();
        for push in &mut pushes {
            assert_eq!(ping(push), []);
        }
        redis.restart();
        for push in &mut pushes {
            send_binary(push, b"after");
            let id = receive_text(push);
            assert_eq!(stored(&redis, "s").last(), Some(&(id, b"after".to_vec())));
        }
    }
    assert_eq!(length(&redis, "s"), 7);
}

#[test]
fn after_a_long_outage_pushes_and_pulls_go_on_within_2_s() {
    let redis = Redis::start_durable();
    let store = Store::on(&redis, &[]);
    let mut push = store.push("s", "ack=true");
    let mut pull = store.pull("s", "");
    redis.kill();
    send_binary(&mut push, b"held back");
    let start = Instant::now();
    // Long enough for a back-off to grow; meanwhile both answer.
    while start.elapsed() < Duration::from_secs(5) {
        assert_eq!(ping(&mut push), []);
        assert_eq!(ping(&mut pull), []);
    }
    redis.restart();
    let back = Instant::now();
    let id = receive_text(&mut push);
    assert_eq!(receive_reply(&mut pull), [(id, b"held back".to_vec())]);
    assert!(back.elapsed() < PROMPT, "{:?}", back.elapsed());
    redis_is_seen_again(&store);
    store.assert_serves();
}

#[test]
fn a_push_is_given_up_with_1013_when_redis_is_gone_for_longer_than_the_patience() {
    let redis = Redis::start_durable();
    let store = Store::on(&redis, &["--redis-patience", "500ms"]);
    let mut pull = store.pull("s", "");
    let mut acked = store.push("s", "ack=true");
    send_binary(&mut acked, b"before");
    let before = receive_text(&mut acked);
    assert_eq!(receive_reply(&mut pull)[0].0, before);
    let mut plain = store.push("s", "");
    let mut batch = store.push("s", "batch=true");
    redis.kill();
    let start = Instant::now();
    send_text(&mut batch, "0");
    for push in [&mut acked, &mut plain, &mut batch] {
        send_binary(push, b"refused");
    }
    closes_with(&mut acked, 1013);
    let held = start.elapsed();
    assert!(held > Duration::from_millis(400), "only {held:?}");
    closes_with(&mut plain, 1013);
    closes_with(&mut batch, 1013);
    // A pull is as patient as its client.
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(1) {
        assert_eq!(ping(&mut pull), []);
    }
    redis.restart();
    redis_is_seen_again(&store);
    let mut push = store.push("s", "ack=true");
    send_binary(&mut push, b"after");
    let after = receive_text(&mut push);
    assert_eq!(receive_reply(&mut pull)[0].0, after);
    let expected = [(before, b"before".to_vec()), (after, b"after".to_vec())];
    assert_eq!(stored(&redis, "s"), expected);
}

#[test]
fn a_handshake_while_redis_is_gone_is_503_and_works_within_2_s_of_its_return() {
    let redis = Redis::start();
    let store = Store::on(&redis, &[]);
    let bearer = store.bearer();
    let answer = |path: &str| store.socket_answer(path, &[("Authorization", &bearer)]);
    for _ in 0..2 {
        redis.kill();
        for path in ["/data/s/push", "/data/s/pull", "/data/s/pull?last_entry_id=0"] {
            let refused = answer(path).expect(503);
            assert_eq!(refused.header("retry-after"), Some("1"));
            assert!(!refused.detail().is_empty());
        }
        redis.restart();
        for path in ["/data/s/push", "/data/s/pull"] {
            eventually(PROMPT, || answer(path).status == 101);
        }
    }
}

#[test]
fn sockets_close_and_the_server_stops_while_redis_is_gone() {
    let redis = Redis::start();
    let mut store = Store::on(&redis, &[]);
    let mut idle_push = store.push("s", "ack=true");
    let mut pull = store.pull("s", "");
    let mut other_pull = store.pull("s", "");
    let mut held = store.push("s", "ack=true");
    redis.kill();
    send_binary(&mut held, b"held back");
    assert_eq!(ping(&mut held), []);
    close_promptly(&mut idle_push);
    close_promptly(&mut pull);
    let start = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| store.stop());
        closes_with(&mut other_pull, 1001);
        // It cannot be stored, and that is not kept from its client.
        let code = expect_close(&mut held).0;
        assert!(matches!(code, 1001 | 1013), "{code}");
    });
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
}
