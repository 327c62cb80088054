//! docs/pulling.md, pace: so many entries a second, and one reply for each message of the client.

use std::time::{Duration, Instant};

use tungstenite::Message;

use crate::harness::wire::{add, close_promptly, frame, numbers, ping, pulled, send_raw};
use crate::harness::{
    PATIENCE, Redis, Store, eventually, receive_binary, receive_json, receive_reply, receive_text, receive_triples,
    send_binary, send_text, wait_for_pong,
};

#[test]
fn pulls_of_several_streams_ask_redis_for_a_few_times_what_they_give() {
    const FRAME: usize = 100_000;
    let store = Store::start();
    let streams: Vec<String> = (0..8).map(|n| format!("cam{n}")).collect();
    for stream in &streams {
        add(&store.redis, stream, &vec![vec![b'.'; FRAME]; 10]);
    }
    let given = || -> u64 {
        let info: String = store.redis.command(&["INFO", "stats"]);
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix("total_net_output_bytes:"));
        line.and_then(|bytes| bytes.parse().ok()).expect("a number of bytes")
    };
    // To tell of gaps or of what was skipped, Redis is asked for more than entries, but only of streams that have news.
    for (query, times) in [
        ("", 1.5),
        ("newest=true", 3.5),
        ("newest=true&format=json", 5.5),
        ("format=json", 5.5),
        ("on_gap=close", 5.5),
    ] {
        let mut pull = store.socket(&format!("/data/{}/pull?{query}", streams.join("+")));
        assert_eq!(ping(&mut pull), []);
        let before = given();
        for n in 0..10 {
            for stream in &streams {
                add(&store.redis, stream, &[vec![n; FRAME]]);
                let from = match query.contains("json") {
                    true => receive_json(&mut pull)["stream"].as_str().expect("a name").to_owned(),
                    false => receive_triples(&mut pull).remove(0).0,
                };
                assert_eq!(from, *stream);
            }
        }
        let cost = (given() - before) as f64 / (10 * streams.len() * FRAME) as f64;
        assert!(cost < times, "{query}: {cost:.1} times as much");
    }
}

#[test]
fn at_most_so_many_entries_come_in_a_second() {
    let store = Store::start();
    add(&store.redis, "s", &numbers(0..1000));
    for (query, rate, replies) in [
        ("count=1&max_rate=50", 50.0, 40),
        ("count=1000&max_rate=50", 50.0, 4),
        ("count=3&max_rate=30.5", 30.5, 15),
        ("max_rate=0.5", 0.5, 2),
    ] {
        let begun = Instant::now();
        let mut pull = store.pull("s", &format!("last_entry_id=0&{query}"));
        let mut before = 0;
        for _ in 0..replies {
            // The first reply comes at once, and each later one when those before it have had their time.
            let size = receive_reply(&mut pull).len();
            assert!(
                begun.elapsed().as_secs_f64() >= before as f64 / rate,
                "{query}: {before} entries before"
            );
            assert!(size == 1 || size as f64 <= rate, "{query}: {size} in one reply");
            before += size;
        }
    }
}

#[test]
fn a_rate_is_of_entries_in_every_shape() {
    let store = Store::start();
    add(&store.redis, "s", &numbers(0..1000));
    for format in ["raw", "json"] {
        let begun = Instant::now();
        let mut pull = store.pull("s", &format!("last_entry_id=0&max_rate=20&format={format}"));
        for before in 0..20 {
            let message = pull.read().expect("a message");
            assert!(message.is_text() || message.is_binary(), "{message:?}");
            assert!(
                begun.elapsed().as_secs_f64() >= f64::from(before) / 20.0,
                "{format}: {before}"
            );
        }
    }
}

#[test]
fn a_rate_below_the_streams_loses_nothing_and_answers_pings_meanwhile() {
    let store = Store::start();
    let added = add(&store.redis, "s", &numbers(0..30));
    let mut pull = store.pull("s", "last_entry_id=0&max_rate=20");
    let mut found = Vec::new();
    while found.len() < added.len() {
        for message in ping(&mut pull) {
            if let Message::Binary(bytes) = message {
                found.push(bytes.to_vec());
            }
        }
    }
    assert_eq!(found, numbers(0..30));
    add(&store.redis, "s", &numbers(0..100));
    close_promptly(&mut pull);
}

#[test]
fn each_message_of_the_client_lets_one_more_reply_out_and_the_first_goes_at_once() {
    let store = Store::start();
    add(&store.redis, "s", &numbers(0..50));
    let mut pull = store.pull("s", "ack=true&last_entry_id=0&count=3");
    let mut seen = receive_reply(&mut pull).len();
    for round in 0..4 {
        assert_eq!(ping(&mut pull), []);
        match round {
            0 => send_binary(&mut pull, b""),
            1 => send_text(&mut pull, ""),
            2 => send_binary(&mut pull, &[0; 100_000]),
            _ => send_text(&mut pull, "anything"),
        }
        seen += pulled(&mut pull, 1, 3).len();
    }
    assert_eq!(ping(&mut pull), []);
    assert!(seen > 5, "replies of one entry although there are more");
}

#[test]
fn a_message_in_fragments_is_one_message_and_control_frames_are_none() {
    let store = Store::start();
    add(&store.redis, "s", &numbers(0..50));
    let mut pull = store.pull("s", "ack=true&last_entry_id=0&format=raw");
    assert_eq!(receive_binary(&mut pull), b"0");
    for control in [
        frame(0x8a, b"a pong"),
        frame(0x89, b"a ping"),
        frame(0x01, b"a first"),
        frame(0x00, b"a second"),
    ] {
        send_raw(&mut pull, &control);
        assert_eq!(ping(&mut pull), []);
    }
    send_raw(&mut pull, &frame(0x80, b"and a last fragment"));
    assert_eq!(receive_binary(&mut pull), b"1");
    assert_eq!(ping(&mut pull), []);
}

#[test]
fn messages_sent_ahead_count() {
    let store = Store::start();
    for early in [false, true] {
        let added = add(&store.redis, "s", &numbers(0..20));
        let mut pull = store.pull(
            "s",
            &format!("ack=true&last_entry_id={}", if early { "$" } else { "0" }),
        );
        for _ in 0..9 {
            send_binary(&mut pull, b"");
        }
        if early {
            // They have been read before anything is there to be delivered.
            wait_for_pong(&mut pull);
        }
        let added = if early {
            add(&store.redis, "s", &numbers(20..40))
        } else {
            added
        };
        assert_eq!(pulled(&mut pull, 10, 1), added[..10]);
        assert_eq!(ping(&mut pull), []);
        let _: usize = store.redis.command(&["DEL", "s"]);
    }
}

#[test]
fn without_ack_nothing_waits_for_the_client() {
    let store = Store::start();
    for ack in ["", "&ack=false", "&ack=0"] {
        let added = add(&store.redis, "s", &numbers(0..20));
        let mut pull = store.pull("s", &format!("last_entry_id=0{ack}"));
        assert_eq!(pulled(&mut pull, 20, 1), added);
        let _: usize = store.redis.command(&["DEL", "s"]);
    }
}

#[test]
fn a_pull_that_waits_for_its_client_answers_pings_and_a_close_and_stops_with_the_store() {
    let redis = Redis::start();
    let mut store = Store::on(&redis, &[]);
    add(&redis, "s", &numbers(0..20));
    let mut pulls = [
        "ack=true",
        "ack=true&newest=true",
        "max_rate=0.001",
        "max_rate=0.001&newest=true&format=json",
    ]
    .map(|query| store.pull("s", &format!("last_entry_id=first&{query}")));
    for pull in &mut pulls {
        receive_text(pull);
    }
    for pull in &mut pulls[1..3] {
        ping(pull);
        close_promptly(pull);
    }
    store.stop();
    for pull in [0, 3] {
        let code = loop {
            if let Message::Close(frame) = pulls[pull].read().expect("a close") {
                break frame.map(|frame| u16::from(frame.code));
            }
        };
        assert_eq!(code, Some(1001));
    }
}

#[test]
fn a_pull_that_waits_for_its_client_is_not_silent() {
    let store = Store::start();
    add(&store.redis, "s", &numbers(0..3));
    for query in ["", "&newest=true", "&format=json"] {
        let mut pull = store.pull("s", &format!("last_entry_id=first&ack=true&timeout=400{query}"));
        receive_text(&mut pull);
        if query != "&format=json" {
            receive_binary(&mut pull);
        }
        let begun = Instant::now();
        add(&store.redis, "s", &numbers(0..3));
        eventually(PATIENCE, || {
            assert_eq!(ping(&mut pull), [], "{query}");
            begun.elapsed() > Duration::from_millis(1000)
        });
        send_text(&mut pull, "");
        receive_text(&mut pull);
    }
}

#[test]
fn a_pace_that_makes_no_sense_is_422() {
    let store = Store::start();
    for (query, name) in [
        ("max_rate=0", "max_rate"),
        ("max_rate=-1", "max_rate"),
        ("max_rate=", "max_rate"),
        ("max_rate=fast", "max_rate"),
        ("max_rate=NaN", "max_rate"),
        ("max_rate=inf", "max_rate"),
        ("max_rate=1e-9", "max_rate"),
        ("max_rate=1e10", "max_rate"),
        ("max_rate=1,5", "max_rate"),
        ("ack=2", "ack"),
        ("newest=maybe", "newest"),
        ("on_gap=explode", "on_gap"),
        ("on_gap=close&newest=true", "on_gap"),
    ] {
        let path = format!("/data/s/pull?{query}&token={}", store.token);
        let faults = store.socket_answer(&path, &[]).faults();
        assert_eq!(faults.len(), 1, "{query}: {faults:?}");
        assert_eq!(faults[0].0, name, "{query}");
    }
}
