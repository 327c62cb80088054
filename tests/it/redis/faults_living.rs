//! Redis lives but fails: it answers nothing, has no memory left, or loses streams under open sockets.

use std::time::{Duration, Instant};

use crate::harness::wire::{
    add, close, close_promptly, closes_with, frame, length, lift_memory_limit, limit_memory, numbers, ping, pulled,
    redis_is_seen_again, stored, stored_data,
};
use crate::harness::{
    PATIENCE, Redis, Store, eventually, expect_close, receive_reply, receive_text, send_binary, send_text,
};

/// How long Redis answers nothing: longer than any answer to a ping may take.
const STALL: Duration = Duration::from_secs(3);

#[test]
fn while_redis_answers_nothing_pings_are_answered_and_then_all_goes_on() {
    let redis = Redis::start();
    let store = Store::on(&redis, &[]);
    let mut pull = store.pull("s", "count=10");
    let mut acked = store.push("s", "ack=true");
    let mut plain = store.push("s", "");
    let mut idle = store.push("s", "");
    redis.pause();
    let start = Instant::now();
    for n in 0..5 {
        send_text(&mut acked, &format!("acked {n}"));
        send_text(&mut plain, &format!("plain {n}"));
    }
    while start.elapsed() < STALL {
        for socket in [&mut pull, &mut acked, &mut plain, &mut idle] {
            assert_eq!(ping(socket), []);
        }
    }
    redis.resume();
    let ids: Vec<_> = (0..5).map(|_| receive_text(&mut acked)).collect();
    close(&mut acked);
    close(&mut plain);
    let found = stored(&redis, "s");
    for (n, id) in ids.into_iter().enumerate() {
        assert!(found.contains(&(id, format!("acked {n}").into_bytes())));
        let plain = format!("plain {n}").into_bytes();
        assert!(found.iter().any(|entry| entry.1 == plain));
    }
    assert_eq!(pulled(&mut pull, found.len(), 10), found);
}

#[test]
fn sockets_with_nothing_under_way_close_while_redis_answers_nothing() {
    let redis = Redis::start();
    let store = Store::on(&redis, &[]);
    let mut sockets = [
        store.pull("s", ""),
        store.pull("s", "last_entry_id=0"),
        store.push("s", ""),
    ];
    redis.pause();
    for socket in &mut sockets {
        close_promptly(socket);
    }
    redis.resume();
    redis_is_seen_again(&store);
    store.assert_serves();
}

#[test]
fn a_handshake_while_redis_answers_nothing_is_503() {
    let redis = Redis::start();
    let store = Store::on(&redis, &[]);
    let bearer = store.bearer();
    store.assert_serves();
    redis.pause();
    for path in ["/data/s/push", "/data/s/pull"] {
        let answer = store.socket_answer(path, &[("Authorization", &bearer)]);
        assert_eq!(answer.expect(503).header("retry-after"), Some("1"));
    }
    redis.resume();
    redis_is_seen_again(&store);
    store.push("s", "");
    store.pull("s", "");
}

#[test]
fn the_server_stops_while_redis_answers_nothing() {
    let redis = Redis::start();
    let mut store = Store::on(&redis, &[]);
    let mut pull = store.pull("s", "");
    let mut held = store.push("s", "ack=true");
    redis.pause();
    send_binary(&mut held, b"held back");
    assert_eq!(ping(&mut held), []);
    let start = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| store.stop());
        closes_with(&mut pull, 1001);
    });
    let took = start.elapsed();
    redis.resume();
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn a_push_into_a_full_redis_closes_with_1013_and_works_when_there_is_memory_again() {
    let store = Store::with(&["--max-len", "1000000"]);
    limit_memory(&store.redis, 8 << 20);
    let entry = vec![7; 500_000];
    let mut acked = Vec::new();
    let mut push = store.push("s", "ack=true");
    let code = loop {
        send_binary(&mut push, &entry);
        match push.read().expect("an ack or a close") {
            tungstenite::Message::Text(id) => acked.push(id.as_str().to_owned()),
            tungstenite::Message::Close(Some(frame)) => break u16::from(frame.code),
            _ => {}
        }
        assert!(acked.len() < 1000, "more acks than there is memory");
    };
    assert_eq!(code, 1013);
    assert!(!acked.is_empty(), "not even one entry fits");
    let found: Vec<_> = stored(&store.redis, "s").into_iter().map(|e| e.0).collect();
    assert_eq!(found, acked);

    // Without acks the close is the only word.
    let mut plain = store.push("s", "");
    send_binary(&mut plain, &vec![7; 8 << 20]);
    assert_eq!(expect_close(&mut plain).0, 1013);
    // Reading goes on.
    let mut pull = store.pull("s", "last_entry_id=0");
    assert_eq!(receive_reply(&mut pull)[0].0, acked[0]);

    lift_memory_limit(&store.redis);
    let mut push = store.push("s", "ack=true");
    send_binary(&mut push, &entry);
    receive_text(&mut push);
    assert_eq!(length(&store.redis, "s"), acked.len() + 1);
}

#[test]
fn after_a_refused_entry_nothing_later_of_that_socket_is_stored() {
    let redis = Redis::start();
    let store = Store::on(&redis, &["--max-len", "1000000"]);
    // Large and small entries by turns: where a large one no longer fits, a small one still would.
    let sent: Vec<Vec<u8>> = (0..64_usize)
        .map(|n| vec![n as u8; if n % 2 == 0 { 400_000 } else { 10 }])
        .collect();
    limit_memory(&redis, 4 << 20);
    for query in ["", "ack=true"] {
        let mut push = store.push("s", query);
        // While Redis answers nothing they gather, and then go to it together.
        redis.pause();
        let mut sender = push.get_ref().try_clone().expect("a second handle");
        let bytes: Vec<u8> = sent.iter().flat_map(|entry| frame(0x82, entry)).collect();
        std::thread::scope(|scope| {
            // It may be refused before all of it is taken.
            scope.spawn(move || std::io::Write::write_all(&mut sender, &bytes));
            let start = Instant::now();
            // Nothing tells that they have gathered; if they have not, the test is only less sharp.
            eventually(PATIENCE, || start.elapsed() > Duration::from_millis(500));
            redis.resume();
            while push.read().expect("acks and a close").is_text() {}
        });
        let found = stored_data(&redis, "s");
        assert!(!found.is_empty() && found.len() < sent.len(), "{}", found.len());
        assert!(sent.starts_with(&found), "a hole in what was stored, {query:?}");
        redis.command::<usize>(&["DEL", "s"]);
    }
}

#[test]
fn a_stream_that_has_no_more_ids_closes_with_1011() {
    let store = Store::start();
    let last = "18446744073709551615-18446744073709551615";
    store.redis.command::<String>(&["XADD", "s", last, "d", "last"]);
    for (query, offsets) in [("", None), ("ack=true", None), ("batch=true", Some("0,1"))] {
        let mut push = store.push("s", query);
        if let Some(offsets) = offsets {
            send_text(&mut push, offsets);
        }
        send_binary(&mut push, b"more");
        closes_with(&mut push, 1011);
    }
    let mut pull = store.pull("s", "last_entry_id=0");
    assert_eq!(receive_reply(&mut pull), [(last.to_owned(), b"last".to_vec())]);
    assert_eq!(ping(&mut pull), []);
    assert_eq!(length(&store.redis, "s"), 1);
}

#[test]
fn a_stream_deleted_under_an_open_pull_begins_anew() {
    let store = Store::start();
    add(&store.redis, "s", &numbers(0..10));
    let mut pulls = ["", "last_entry_id=0&count=100", "last_entry_id=*&count=100"].map(|query| store.pull("s", query));
    for pull in &mut pulls[1..] {
        receive_reply(pull);
    }
    for round in 0..3 {
        let last = stored(&store.redis, "s").pop().expect("an entry").0;
        assert_eq!(store.redis.command::<usize>(&["DEL", "s"]), 1);
        eventually(PATIENCE, || milliseconds_now() > milliseconds_of(&last));
        for pull in &mut pulls {
            assert_eq!(ping(pull), [], "round {round}");
        }
        let added = add(&store.redis, "s", &[b"new"]);
        for pull in &mut pulls {
            assert_eq!(receive_reply(pull), added, "round {round}");
        }
    }
}

#[test]
fn everything_flushed_under_open_sockets_begins_anew() {
    let store = Store::start();
    store.put("/streams/s?desc=x").expect(200);
    let mut push = store.push("s", "ack=true");
    let mut pull = store.pull("s", "");
    for round in ["one", "two", "three"] {
        send_text(&mut push, round);
        let id = receive_text(&mut push);
        assert_eq!(receive_reply(&mut pull), [(id.clone(), round.into())]);
        store.redis.command::<()>(&["FLUSHALL"]);
        // A stream that begins anew within one millisecond would begin with the same id again.
        eventually(PATIENCE, || milliseconds_now() > milliseconds_of(&id));
    }
    send_text(&mut push, "last");
    receive_text(&mut push);
    assert_eq!(stored_data(&store.redis, "s"), [b"last"]);
}

fn milliseconds_now() -> u128 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.expect("a clock past 1970").as_millis()
}

fn milliseconds_of(id: &str) -> u128 {
    let (milliseconds, _) = id.split_once('-').expect("an entry id");
    milliseconds.parse().expect("milliseconds")
}

#[test]
fn a_pull_whose_waiting_an_operator_ends_goes_on() {
    let store = Store::start();
    let mut pull = store.pull("s", "");
    let mut waiting = None;
    eventually(PATIENCE, || {
        let list: String = store.redis.command(&["CLIENT", "LIST"]);
        let blocked = list.lines().find(|client| client.contains("cmd=xread"));
        waiting = blocked.and_then(|client| client.split(' ').next()?.strip_prefix("id=").map(str::to_owned));
        let id = waiting.clone().unwrap_or("0".to_owned());
        store.redis.command::<i64>(&["CLIENT", "UNBLOCK", &id, "ERROR"]) == 1
    });
    assert_eq!(ping(&mut pull), []);
    let added = add(&store.redis, "s", &[b"new"]);
    assert_eq!(receive_reply(&mut pull), added);
}
