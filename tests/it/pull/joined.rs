//! docs/pulling.md, several streams at once: joined by a plus, each with its place, none of them starved.

use std::collections::BTreeMap;

use serde_json::json;

use crate::harness::wire::{Entry, add, numbers, ping};
use crate::harness::{
    Socket, Store, encode, receive_binary, receive_json, receive_text, receive_triples, send_binary, send_text,
};

/// Reads replies until so many entries came; what came of each stream. A reply has at most `count` of a stream.
#[track_caller]
fn pulled(pull: &mut Socket, total: usize, count: usize) -> BTreeMap<String, Vec<Entry>> {
    let mut all: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
    while all.values().map(Vec::len).sum::<usize>() < total {
        let mut in_reply: BTreeMap<String, usize> = BTreeMap::new();
        for (stream, id, data) in receive_triples(pull) {
            *in_reply.entry(stream.clone()).or_default() += 1;
            all.entry(stream).or_default().push((id, data));
        }
        assert!(in_reply.values().all(|n| (1..=count).contains(n)), "{in_reply:?}");
    }
    all
}

/// The path of several streams, and what follows it.
pub fn path(streams: &[&str], rest: &str) -> String {
    let names: Vec<String> = streams.iter().map(|name| encode(name)).collect();
    format!("/data/{}{rest}", names.join("+"))
}

#[test]
fn one_socket_gives_what_comes_to_any_of_its_streams_by_name() {
    let store = Store::start();
    let mut pull = store.socket("/data/a+b+c/pull");
    for (round, stream) in ["b", "a", "c", "a", "b"].into_iter().enumerate() {
        let entry = round.to_string().into_bytes();
        let ids = store.add(stream, &[&entry]);
        assert_eq!(receive_triples(&mut pull), [(stream.into(), ids[0].clone(), entry)]);
    }
    assert_eq!(ping(&mut pull), []);
}

#[test]
fn a_reply_has_a_text_of_triples_and_a_binary_of_the_entries_joined() {
    let store = Store::start();
    for (stream, id, data) in [("a", "5-1", "one"), ("b\"", "7-0", ""), ("b\"", "7-1", "two")] {
        let _: String = store.redis.command(&["XADD", stream, id, "d", data]);
    }
    let mut pull = store.socket(&path(&["a", "b\""], "/pull?last_entry_id=first&count=5"));
    let (mut texts, mut entries) = (String::new(), Vec::new());
    while entries.len() < 3 {
        texts += &receive_text(&mut pull);
        let blob = receive_binary(&mut pull);
        entries.extend(vec![blob; texts.matches("-").count() - entries.len()]);
    }
    assert!(texts.starts_with("[[\"a\",\"5-1\",0],[\"b\\\"\",\"7-0\",3]"), "{texts}");
}

#[test]
fn a_plus_in_a_name_is_written_as_2b_and_a_literal_one_joins() {
    let store = Store::start();
    for name in ["a", "b", "a+b"] {
        store.add(name, &[name.as_bytes()]);
    }
    let names = |path: &str| {
        let answer = store.get(path).expect(200);
        (
            answer.header("entry-offset").expect("offsets").matches('[').count() - 1,
            answer.body,
        )
    };
    assert_eq!(names("/data/a+b"), (2, b"ab".to_vec()));
    assert_eq!(names("/data/a%2Bb"), (1, b"a+b".to_vec()));
    assert_eq!(names("/data/a%2bb"), (1, b"a+b".to_vec()));
    assert_eq!(names("/data/a%2Bb+b+a/"), (3, b"a+bba".to_vec()));
    let mut pull = store.socket("/data/a%2Bb+a/pull?last_entry_id=first&count=9");
    let found = pulled(&mut pull, 2, 9);
    assert_eq!(found.keys().collect::<Vec<_>>(), ["a", "a+b"]);
}

#[test]
fn what_goes_in_keeps_a_plus_as_a_part_of_the_name() {
    let store = Store::start();
    store.post("/data/a+b", "image/png", b"posted").expect(200);
    let mut push = store.socket("/data/a+b/push?ack=true");
    send_binary(&mut push, b"pushed");
    receive_text(&mut push);
    store.put("/streams/c+d").expect(200);
    assert_eq!(store.get("/streams").expect(200).json(), json!(["a+b", "c+d"]));
    assert_eq!(store.get("/data/a%2Bb?count=9").expect(200).body, b"postedpushed");
}

#[test]
fn one_place_serves_all_streams_or_each_has_its_own() {
    let store = Store::start();
    for stream in ["a", "b", "c"] {
        for id in ["1-0", "2-0", "3-0"] {
            let _: String = store.redis.command(&["XADD", stream, id, "d", id]);
        }
    }
    let found = |places: &str| {
        let answer = store
            .get(&format!("/data/a+b+c?count=9&last_entry_id={places}"))
            .expect(200);
        let offsets = answer.header("entry-offset").expect("offsets");
        let list: Vec<(String, String, usize)> = serde_json::from_str(offsets).expect("triples");
        list.into_iter()
            .map(|(s, id, _)| s + &id[..1])
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(found("2-0"), "a3 b3 c3");
    assert_eq!(found("0+$+latest"), "a1 a2 a3 c3");
    assert_eq!(found("2%2B1%2B0"), "a3 b2 b3 c1 c2 c3");
    assert_eq!(found("2%201%200"), "a3 b2 b3 c1 c2 c3");
    assert_eq!(found("$"), "");
    assert_eq!(found("*"), "a1 a2 a3 b1 b2 b3 c1 c2 c3");
    // Of an offset, the plus joins nothing.
    assert_eq!(
        found("1970-01-01T01:00:00.002+01:00+3+1970-01-01T01:00:00+01:00"),
        "a2 a3 c1 c2 c3"
    );
    for bad in ["1+2", "1+2+3+4", "1++2", "+1+2", "1+2+", "a+1+2", "1,2,3"] {
        let answer = store.get(&format!("/data/a+b+c?last_entry_id={bad}"));
        let expected = [("last_entry_id".to_owned(), "value_error.entry_id".to_owned())];
        assert_eq!(answer.faults(), expected, "{bad}");
    }
}

#[test]
fn every_stream_comes_in_its_order_without_loss_or_repeat() {
    let store = Store::start();
    let streams = ["a", "b", "c", "d"];
    for count in [1, 3, 100] {
        for stream in streams {
            let _: usize = store.redis.command(&["DEL", stream]);
        }
        let mut pull = store.socket(&path(&streams, &format!("/pull?count={count}")));
        let added: BTreeMap<String, Vec<Entry>> = std::thread::scope(|scope| {
            let adders: Vec<_> = streams
                .iter()
                .enumerate()
                .map(|(n, stream)| {
                    let store = &store;
                    let entries = numbers(0..200 << n);
                    let add_all = move || {
                        let added = entries.chunks(7).flat_map(|chunk| add(&store.redis, stream, chunk));
                        ((*stream).to_owned(), added.collect())
                    };
                    scope.spawn(add_all)
                })
                .collect();
            let adders = adders.into_iter();
            adders.map(|adder| adder.join().expect("an adder")).collect()
        });
        assert!(pulled(&mut pull, 3000, count) == added, "count {count}");
        assert_eq!(ping(&mut pull), []);
    }
}

#[test]
fn a_fast_stream_does_not_keep_a_slow_one_waiting() {
    let store = Store::start();
    for pace in ["", "&ack=true", "&max_rate=20", "&on_gap=close"] {
        for (fast, slow) in [("fast", "slow"), ("slow", "fast")] {
            let _: usize = store.redis.command(&["DEL", "fast", "slow"]);
            add(&store.redis, "fast", &vec![vec![b'x'; 2000]; 5000]);
            add(&store.redis, "slow", &numbers(0..10));
            for count in [1, 10, 1000] {
                let mut pull = store.socket(&path(
                    &[fast, slow],
                    &format!("/pull?last_entry_id=0&count={count}{pace}"),
                ));
                let (mut replies, mut of_slow) = (0, 0);
                while of_slow < 10 {
                    replies += 1;
                    of_slow += receive_triples(&mut pull)
                        .iter()
                        .filter(|entry| entry.0 == "slow")
                        .count();
                    assert!(
                        replies <= 11,
                        "{of_slow} of the slow stream in {replies} replies, count {count}{pace}"
                    );
                    send_text(&mut pull, "go on");
                }
            }
        }
    }
}

#[test]
fn what_comes_to_a_slow_stream_is_seen_while_a_fast_one_has_much_to_give() {
    let store = Store::start();
    add(&store.redis, "fast", &numbers(0..5000));
    for query in ["", "&on_gap=close", "&newest=true"] {
        for streams in ["fast+slow", "slow+fast"] {
            let _: usize = store.redis.command(&["DEL", "slow"]);
            let mut pull = store.socket(&format!(
                "/data/{streams}/pull?last_entry_id=first&count=5&ack=true{query}"
            ));
            receive_triples(&mut pull);
            for n in 0..10_u8 {
                add(&store.redis, "slow", &[[n]]);
                add(&store.redis, "fast", &[b"more"]);
                let mut replies = 0;
                loop {
                    send_text(&mut pull, "go on");
                    replies += 1;
                    let reply = receive_triples(&mut pull);
                    if reply.iter().any(|(stream, _, data)| stream == "slow" && *data == [n]) {
                        break;
                    }
                    // One reply may have been read ahead.
                    assert!(replies < 3, "{streams}{query}: entry {n}");
                }
            }
        }
    }
}

#[test]
fn a_stream_that_is_not_there_yet_is_waited_for_among_others() {
    let store = Store::start();
    add(&store.redis, "there", &[b"old"]);
    for from in ["first", "$", "*", "latest", "-1h"] {
        let _: usize = store.redis.command(&["DEL", "later"]);
        let mut pull = store.socket(&format!("/data/later+there/pull?last_entry_id={from}"));
        if from != "$" {
            assert_eq!(receive_triples(&mut pull)[0].0, "there");
        }
        let ids = store.add("later", &[b"first"]);
        assert_eq!(
            receive_triples(&mut pull),
            [("later".into(), ids[0].clone(), b"first".to_vec())],
            "{from}"
        );
    }
}

#[test]
fn a_get_of_several_streams_has_up_to_count_of_each_in_the_order_of_the_path() {
    let store = Store::start();
    for (stream, ids) in [("a", ["1-0", "2-0"]), ("b", ["1-1", "3-0"])] {
        for id in ids {
            let _: String = store
                .redis
                .command(&["XADD", stream, id, "d", &format!("{stream}{id} ")]);
        }
    }
    let answer = store.get("/data/b+none+a?count=2").expect(200);
    assert_eq!(answer.text(), "b1-1 b3-0 a1-0 a2-0 ");
    let offsets = "[[\"b\",\"1-1\",0],[\"b\",\"3-0\",5],[\"a\",\"1-0\",10],[\"a\",\"2-0\",15]]";
    assert_eq!(answer.header("entry-offset"), Some(offsets));
    let raw = store.get("/data/a+b?count=1&format=raw").expect(200);
    assert_eq!((raw.text(), raw.header("entry-offset")), ("a2-0 b3-0 ", None));
    let json = store.get("/data/a+b?count=1&format=json").expect(200);
    let streams: Vec<_> = json.text().lines().map(|line| line[..13].to_owned()).collect();
    assert_eq!(streams, ["{\"stream\":\"a\"", "{\"stream\":\"b\""]);
}

#[test]
fn a_get_of_nothing_of_several_streams_is_an_empty_list() {
    let store = Store::start();
    let answer = store.get("/data/none+nothing").expect(200);
    assert_eq!(
        (answer.body.as_slice(), answer.header("entry-offset")),
        (&b""[..], Some("[]"))
    );
}

#[test]
fn streams_of_any_names_can_be_joined() {
    let store = Store::start();
    let names = ["größe-流-😀", "a+b:c", "with space", "100%", "?&=#", "\"quoted\\\""];
    for name in names {
        store.add(name, &[name.as_bytes()]);
    }
    let answer = store.get(&path(&names, "")).expect(200);
    let offsets = answer.header("entry-offset").expect("an entry-offset header");
    let list: Vec<(String, String, usize)> = serde_json::from_str(offsets).expect("triples");
    assert_eq!(list.iter().map(|(name, ..)| name).collect::<Vec<_>>(), names);
    let mut pull = store.socket(&path(&names, "/pull?last_entry_id=first"));
    let found = pulled(&mut pull, names.len(), 1);
    assert!(
        found.iter().all(|(name, entries)| entries[0].1 == name.as_bytes()),
        "{found:?}"
    );
    let mut pull = store.socket(&path(&names, "/pull?last_entry_id=first&format=json"));
    for _ in names {
        let line = receive_json(&mut pull);
        assert_eq!(line["stream"], line["data"]);
    }
}
