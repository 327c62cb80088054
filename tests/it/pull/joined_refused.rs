//! docs/pulling.md, several streams at once: what cannot be joined, and the limits.

use std::time::Duration;

use serde_json::json;

use crate::harness::wire::{add, closes_with, ping};
use crate::harness::{Store, holds_within, receive_json, receive_triples};
use crate::pull::joined::path;

#[test]
fn a_key_that_is_no_stream_among_them_is_400_before_anything_else() {
    let store = Store::start();
    let _: () = store.redis.command(&["SET", "text", "no stream"]);
    add(&store.redis, "s", &[b"entry"]);
    for (path, kind) in [
        ("/data/s+text", ""),
        ("/data/text+s?last_entry_id=$", ""),
        ("/data/s+text?follow=true", ""),
        ("/data/s+text?last_entry_id=$", "text/event-stream"),
    ] {
        let answer = store.ask(
            "GET",
            path,
            &[("Authorization", &store.bearer()), ("Accept", kind)],
            None,
        );
        let detail = answer.expect(400).detail();
        assert!(detail.contains("'text'"), "{path}: {detail}");
    }
    for query in ["", "last_entry_id=first", "newest=true", "format=json"] {
        let path = format!("/data/s+text+t/pull?{query}&token={}", store.token);
        let detail = store.socket_answer(&path, &[]).expect(400).detail();
        assert!(detail.contains("'text'"), "{query}: {detail}");
    }
    store.assert_serves();
}

#[test]
fn a_key_that_becomes_another_type_closes_the_pull_of_all_of_them_with_1011() {
    let store = Store::start();
    for query in ["", "format=json", "newest=true"] {
        add(&store.redis, "b", &[b"entry"]);
        let mut pull = store.socket(&format!("/data/a+b/pull?{query}"));
        assert_eq!(ping(&mut pull), []);
        let _: usize = store.redis.command(&["DEL", "b"]);
        let _: () = store.redis.command(&["SET", "b", "text"]);
        let reason = closes_with(&mut pull, 1011);
        assert!(reason.contains("b'"), "{reason}");
        let _: usize = store.redis.command(&["DEL", "b"]);
    }
}

#[test]
fn a_stream_named_twice_is_422() {
    let store = Store::start();
    for twice in ["a+a", "a+b+%61", "a%2Bb+c+a%2bb", "%E6%B5%81+%e6%b5%81"] {
        let expected = [("stream_id".to_owned(), "value_error.stream_id".to_owned())];
        assert_eq!(store.get(&format!("/data/{twice}")).faults(), expected, "{twice}");
        let path = format!("/data/{twice}/pull?token={}", store.token);
        assert_eq!(store.socket_answer(&path, &[]).faults(), expected, "{twice}");
    }
}

#[test]
fn a_name_that_is_none_among_them_is_422() {
    let store = Store::start();
    for bad in ["a+", "+a", "a++b", "+", "a+XMETA:b", "a+%00", "a+b%2Fc", "a+%ff"] {
        let path = format!("/data/{bad}/pull?token={}", store.token);
        let faults = store.socket_answer(&path, &[]).faults();
        assert_eq!(faults[0].1, "value_error.stream_id", "{bad}");
        assert_eq!(store.get(&format!("/data/{bad}")).faults(), faults, "{bad}");
    }
}

#[test]
fn at_most_256_streams_go_together() {
    let store = Store::start();
    let names = |count: usize| (0..count).map(|n| format!("s{n}")).collect::<Vec<_>>().join("+");
    let mut pull = store.socket(&format!("/data/{}/pull?last_entry_id=first", names(256)));
    for stream in ["s0", "s255", "s128"] {
        let ids = store.add(stream, &[b"entry"]);
        assert_eq!(
            receive_triples(&mut pull),
            [(stream.into(), ids[0].clone(), b"entry".to_vec())]
        );
    }
    assert_eq!(
        store.get(&format!("/data/{}", names(256))).expect(200).body,
        b"entryentryentry"
    );
    let refused = store.get(&format!("/data/{}", names(257)));
    assert_eq!(refused.faults().len(), 1);
    assert!(refused.text().contains("256"), "{}", refused.text());
}

#[test]
fn a_path_of_thousands_of_pluses_is_refused_in_a_few_words() {
    let store = Store::start();
    for pluses in ["+".repeat(15_000), "a+".repeat(7_500)] {
        for path in [format!("/data/{pluses}"), format!("/data/{pluses}/pull")] {
            let answer = store.get(&path).expect(422);
            assert!(
                answer.body.len() < 4096,
                "{} bytes for {}",
                answer.body.len(),
                path.len()
            );
        }
    }
    store.assert_serves();
}

#[test]
fn long_names_do_not_make_the_header_too_long() {
    let store = Store::start();
    // As many and as long as a request head has room for, and each character as long as JSON can make it.
    let names: Vec<String> = (0..13).map(|n| format!("{n:02}{}", "\u{e9}".repeat(127))).collect();
    for name in &names {
        store.add(name, &[&b"entry"[..]; 300]);
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let answer = store.get(&path(&names, "?last_entry_id=first&count=300")).expect(200);
    let offsets = answer.header("entry-offset").expect("an entry-offset header");
    assert!(offsets.len() <= 32 << 10, "{} bytes", offsets.len());
    let list: Vec<(String, String, usize)> = serde_json::from_str(offsets).expect("triples");
    for name in names {
        assert!(list.iter().any(|entry| entry.0 == name), "{name} has none");
    }
}

#[test]
fn large_entries_of_several_streams_keep_to_the_limit_of_a_reply() {
    let store = Store::start();
    for stream in ["a", "b", "c"] {
        add(&store.redis, stream, &[vec![b'x'; 3 << 20], vec![b'y'; 3 << 20]]);
    }
    let mut pull = store.socket("/data/a+b+c/pull?last_entry_id=first&count=100");
    let mut total = 0;
    while total < 6 {
        let reply = receive_triples(&mut pull);
        let bytes: usize = reply.iter().map(|entry| entry.2.len()).sum();
        assert!(bytes <= 8 << 20, "{bytes} bytes in a reply");
        total += reply.len();
    }
}

#[test]
fn a_client_that_does_not_read_costs_redis_a_few_entries_and_not_one_of_each_stream() {
    const STREAMS: usize = 12;
    const ENTRY: usize = 4 << 20;
    let store = Store::start();
    let names: Vec<String> = (0..STREAMS).map(|n| format!("s{n}")).collect();
    for name in &names {
        add(&store.redis, name, &vec![vec![b'x'; ENTRY]; 2]);
    }
    for query in ["", "&on_gap=close", "&format=json"] {
        let mut pull = store.socket(&format!("/data/{}/pull?last_entry_id=first{query}", names.join("+")));
        // Once the client's side and ours are full, the rest waits in Redis.
        let mut held = 0;
        holds_within(Duration::from_secs(1), || {
            held = held.max(output_held(&store));
            false
        });
        // Two entries, and what tells of two streams.
        assert!(held < 5 * ENTRY, "{held} bytes{query}");
        let mut entries = 0;
        while entries < 2 * STREAMS {
            entries += match query {
                "&format=json" => usize::from(receive_json(&mut pull)["size"] == json!(ENTRY)),
                _ => receive_triples(&mut pull).len(),
            };
        }
    }
}

/// Bytes that Redis holds for clients that have not taken them yet.
fn output_held(store: &Store) -> usize {
    let clients: String = store.redis.command(&["CLIENT", "LIST"]);
    let held = clients.split(' ').filter_map(|field| field.strip_prefix("omem="));
    held.filter_map(|bytes| bytes.parse::<usize>().ok()).sum()
}
