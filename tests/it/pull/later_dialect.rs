//! Under `/v2` the same endpoints speak the later dialect of the original server: its pulls, and what its client does first.

use serde_json::json;

use crate::harness::wire::{add, closes_with, numbers, ping};
use crate::harness::{Store, receive_binary, receive_json, receive_text, receive_triples, send_binary};

#[test]
fn the_cookie_of_a_sign_in_is_all_a_client_needs() {
    let store = Store::start();
    let form = "application/x-www-form-urlencoded";
    let answer = store.ask(
        "POST",
        "/v2/token",
        &[("Content-Type", form)],
        Some(b"username=ada&password=ada"),
    );
    let cookie = answer.expect(200).header("set-cookie").expect("a cookie").to_owned();
    let (name, value) = cookie
        .split(';')
        .next()
        .and_then(|pair| pair.split_once('='))
        .expect("a pair");
    assert_eq!(name, "authorization");
    let bearer = value.trim_matches('"');
    assert!(bearer.starts_with("Bearer "), "{cookie}");
    store.add("s", &[b"entry"]);
    for headers in [
        ("Cookie", format!("{name}={value}")),
        ("Authorization", bearer.to_owned()),
    ] {
        let headers = [(headers.0, headers.1.as_str())];
        assert_eq!(
            store.ask("GET", "/v2/streams/", &headers, None).expect(200).json(),
            json!(["s"])
        );
        assert_eq!(
            store.ask("GET", "/v2/data/s", &headers, None).expect(200).body,
            b"entry"
        );
        assert_eq!(store.socket_answer("/v2/data/s/pull", &headers).status, 101);
    }
}

#[test]
fn offsets_are_triples_also_of_one_stream() {
    let store = Store::start();
    for (stream, id, data) in [("a", "5-0", "one"), ("a", "5-1", "two"), ("b", "7-0", "three")] {
        let _: String = store.redis.command(&["XADD", stream, id, "d", data]);
    }
    let get = |path: &str| {
        let answer = store.get(path).expect(200);
        let offsets = answer.header("entry-offset").expect("offsets").to_owned();
        (offsets, answer.text().to_owned())
    };
    assert_eq!(get("/v2/data/a"), (r#"[["a","5-1",0]]"#.into(), "two".into()));
    assert_eq!(
        get("/v2/data/a?count=9"),
        (r#"[["a","5-0",0],["a","5-1",3]]"#.into(), "onetwo".into())
    );
    let both = r#"[["a","5-0",0],["a","5-1",3],["b","7-0",6]]"#;
    assert_eq!(
        get("/v2/data/a+b?count=9&last_entry_id=0"),
        (both.into(), "onetwothree".into())
    );
    assert_eq!(get("/v2/data/none"), ("[]".into(), String::new()));
    let mut pull = store.socket("/v2/data/b/pull?last_entry_id=0");
    let whole = (receive_text(&mut pull), receive_binary(&mut pull));
    assert_eq!(whole, (r#"[["b","7-0",0]]"#.into(), b"three".to_vec()));
}

#[test]
fn without_an_id_or_with_a_dollar_or_a_dash_a_pull_is_for_the_newest() {
    let store = Store::start();
    for (query, begins) in [
        ("", false),
        ("last_entry_id=$", false),
        ("last_entry_id=-", true),
        ("latest=True&last_entry_id=-", true),
    ] {
        let _: usize = store.redis.command(&["DEL", "s"]);
        add(&store.redis, "s", &["old", "newest"]);
        let mut pull = store.socket(&format!("/v2/data/s/pull?ack=True&{query}"));
        if begins {
            assert_eq!(receive_triples(&mut pull)[0].2, b"newest", "{query}");
        }
        // Nothing else that was there before.
        assert_eq!(ping(&mut pull), [], "{query}");
        if begins {
            send_binary(&mut pull, b"");
        }
        add(&store.redis, "s", &["first"]);
        assert_eq!(receive_triples(&mut pull)[0].2, b"first", "{query}");
        add(&store.redis, "s", &numbers(0..10));
        assert_eq!(ping(&mut pull), [], "{query}");
        send_binary(&mut pull, b"");
        let reply = receive_triples(&mut pull);
        assert_eq!((reply.len(), reply[0].2.as_slice()), (1, &b"9"[..]), "{query}");
    }
}

#[test]
fn with_latest_false_every_entry_comes() {
    let store = Store::start();
    for (query, expected) in [
        ("latest=False", &["0", "1", "2"][..]),
        ("latest=false&last_entry_id=$", &["0", "1", "2"]),
        ("latest=0&last_entry_id=-", &["newest", "0", "1", "2"]),
    ] {
        let _: usize = store.redis.command(&["DEL", "s"]);
        add(&store.redis, "s", &["old", "newest"]);
        let mut pull = store.socket(&format!("/v2/data/s/pull?{query}"));
        add(&store.redis, "s", &numbers(0..3));
        for data in expected {
            assert_eq!(receive_triples(&mut pull)[0].2, data.as_bytes(), "{query}");
        }
        assert_eq!(ping(&mut pull), []);
    }
}

#[test]
fn an_absolute_id_means_every_entry_after_it_whatever_latest_says() {
    let store = Store::start();
    let added = add(&store.redis, "s", &numbers(0..20));
    for latest in ["", "&latest=True", "&latest=False"] {
        for (from, first) in [("0", 0), ("0-0", 0), (added[4].0.as_str(), 5)] {
            let mut pull = store.socket(&format!("/v2/data/s/pull?count=4&last_entry_id={from}{latest}"));
            let mut found = Vec::new();
            while found.len() < 20 - first {
                let reply = receive_triples(&mut pull);
                assert!((1..=4).contains(&reply.len()));
                found.extend(reply.into_iter().map(|(_, id, data)| (id, data)));
            }
            assert_eq!(found, added[first..], "{from}{latest}");
        }
    }
}

#[test]
fn several_streams_are_pulled_each_with_its_newest() {
    let store = Store::start();
    for stream in ["a", "b"] {
        add(&store.redis, stream, &numbers(0..5));
    }
    let mut pull = store.socket("/v2/data/a+b+none/pull?last_entry_id=-&ack=True&count=1");
    let reply = receive_triples(&mut pull);
    let found: Vec<(&str, &[u8])> = reply
        .iter()
        .map(|(stream, _, data)| (stream.as_str(), data.as_slice()))
        .collect();
    assert_eq!(found, [("a", &b"4"[..]), ("b", b"4")]);
    add(&store.redis, "none", &numbers(0..5));
    assert_eq!(ping(&mut pull), []);
    send_binary(&mut pull, b"");
    let reply = receive_triples(&mut pull);
    assert_eq!((reply[0].0.as_str(), reply[0].2.as_slice()), ("none", &b"4"[..]));
}

#[test]
fn a_timeout_closes_with_1000_and_booleans_are_spelled_as_python_does() {
    let store = Store::start();
    let mut pull = store.socket("/v2/data/s/pull?timeout=200&ack=False&latest=True&count=5");
    closes_with(&mut pull, 1000);
}

#[test]
fn parameters_of_the_original_that_mean_nothing_here_are_ignored() {
    let store = Store::start();
    add(&store.redis, "s", &numbers(0..3));
    for query in [
        "last=3",
        "batch=True",
        "last=x&batch=maybe",
        "newest=maybe",
        "entries=7&stream=s",
    ] {
        let mut pull = store.socket(&format!("/v2/data/s/pull?last_entry_id=-&{query}"));
        assert_eq!(receive_triples(&mut pull)[0].2, b"2", "{query}");
    }
    for (query, name) in [
        ("latest=maybe", "latest"),
        ("ack=2", "ack"),
        ("timeout=-1", "timeout"),
        ("count=0", "count"),
    ] {
        let path = format!("/v2/data/s/pull?{query}&token={}", store.token);
        assert_eq!(store.socket_answer(&path, &[]).faults()[0].0, name, "{query}");
    }
}

#[test]
fn a_reply_stays_under_16_mib_with_its_list() {
    const LIMIT: usize = 1 << 24;
    let store = Store::start();
    for stream in ["a", "b"] {
        add(&store.redis, stream, &vec![vec![7; 1 << 20]; 30]);
    }
    let mut pull = store.socket("/v2/data/a+b/pull?last_entry_id=0&count=100000");
    let mut seen = 0;
    while seen < 60 {
        let text = receive_text(&mut pull);
        let blob = receive_binary(&mut pull);
        assert!(
            text.len() < LIMIT && blob.len() < LIMIT,
            "{} {}",
            text.len(),
            blob.len()
        );
        seen += text.matches("],[").count() + 1;
    }
    // The longest list that there can be: many empty entries, and a name that JSON makes as long as it gets.
    let name = "\u{e9}".repeat(128);
    let mut pipeline = redis::pipe();
    for _ in 0..20_000 {
        pipeline.cmd("XADD").arg(&name).arg("*").arg("d").arg("");
    }
    let _: Vec<String> = pipeline.query(&mut store.redis.connection()).expect("to add");
    let mut pull = store.socket(&format!(
        "/v2/data/{}/pull?last_entry_id=0&count=100000",
        crate::harness::encode(&name)
    ));
    let (mut entries, mut longest) = (0, 0);
    while entries < 20_000 {
        let text = receive_text(&mut pull);
        assert_eq!(receive_binary(&mut pull), b"");
        longest = longest.max(text.len());
        entries += text.matches("],[").count() + 1;
    }
    assert!(longest < LIMIT, "{longest}");
}

#[test]
fn other_shapes_and_pages_are_as_everywhere() {
    let store = Store::start();
    add(&store.redis, "s", &numbers(0..3));
    let mut pull = store.socket("/v2/data/s/pull?format=json&last_entry_id=-");
    assert_eq!(receive_json(&mut pull)["data"], 2);
    assert_eq!(store.get("/v2/data/s?format=raw&count=2").expect(200).body, b"12");
    let mut follow = store.follow("/v2/data/s?follow=true&format=json&last_entry_id=first", &[]);
    for n in 0..3 {
        assert_eq!(follow.json()["data"], n);
    }
    store.get("/v2/ping").expect(200);
    for path in ["/v2", "/v2/", "/v2/docs", "/v2/v2/ping", "/V2/ping"] {
        store.get(path).expect(404);
    }
    assert_eq!(
        store.metric("ptg_requests_total{route=\"/data/{stream_id}\",method=\"GET\",status=\"200\"}"),
        2.0
    );
}

#[test]
fn streams_are_made_described_and_deleted_as_everywhere() {
    let store = Store::start();
    store.put("/v2/streams/s?desc=a+camera").expect(200);
    assert_eq!(
        store.get("/v2/streams/s/").expect(200).json()["meta"]["description"],
        "a camera"
    );
    let ids = store.post("/v2/data/s", "image/png", b"posted").expect(200).json();
    assert_eq!(
        store.get("/data/s").expect(200).header("entry-offset"),
        Some(&*json!([[ids[0], 0]]).to_string())
    );
    store.delete("/v2/streams/s").expect(200);
    assert_eq!(store.get("/streams").expect(200).json(), json!([]));
}
