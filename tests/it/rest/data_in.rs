//! `POST /data/{id}`: entries in over REST (docs/protocol.md, section 4).

use serde_json::json;

use crate::harness::wire::{Entry, stored};
use crate::harness::{Answer, Store, multipart};

#[test]
fn every_part_named_entries_is_one_entry_in_order() {
    let store = Store::start();
    let entries: [&[u8]; 4] = [b"first", b"\x00\xff\r\n--binary\r\n", "größe".as_bytes(), b"last"];
    let ids = store.add("x", &entries);
    assert_eq!(ids.len(), 4);
    assert_eq!(stored(&store.redis, "x"), pairs(&ids, &entries));
}

#[test]
fn the_ids_are_those_of_redis_and_ascend() {
    let store = Store::start();
    let mut all = Vec::new();
    for _ in 0..3 {
        all.extend(store.add("x", &[b"a", b"b", b"c"]));
    }
    let numbers: Vec<(u64, u64)> = all.iter().map(|id| numbers(id)).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{all:?}");
    let ids: Vec<String> = stored(&store.redis, "x").into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, all);
}

#[test]
fn an_entry_is_stored_as_the_field_d_alone() {
    let store = Store::start();
    store.add("x", &[b"bytes"]);
    let found: Vec<(String, Vec<(String, String)>)> = store.redis.command(&["XRANGE", "x", "-", "+"]);
    assert_eq!(found[0].1, [("d".to_owned(), "bytes".to_owned())]);
}

#[test]
fn parts_of_other_names_are_ignored() {
    let store = Store::start();
    let (kind, body) = multipart(&[
        ("comment", b"no"),
        ("entries", b"a"),
        ("entry", b"no"),
        ("entries", b"b"),
        ("Entries", b"no"),
    ]);
    let answer = store.post("/data/x", &kind, &body).expect(200);
    assert_eq!(answer.json().as_array().map(Vec::len), Some(2));
    let found: Vec<_> = stored(&store.redis, "x").into_iter().map(|(_, data)| data).collect();
    assert_eq!(found, [b"a", b"b"]);
}

#[test]
fn no_part_named_entries_is_422() {
    let store = Store::start();
    for parts in [&[][..], &[("entry", &b"x"[..])]] {
        let (kind, body) = multipart(parts);
        assert_entries_required(&store.post("/data/x", &kind, &body));
    }
    assert_entries_required(&store.post("/data/x", "application/x-www-form-urlencoded", b"entries=a"));
    assert_entries_required(&store.ask("POST", "/data/x", &[("Authorization", &store.bearer())], Some(b"")));
    assert_nothing_stored(&store);
}

#[test]
fn a_part_without_a_file_name_is_an_entry_too() {
    let store = Store::start();
    let body = "--b\r\nContent-Disposition: form-data; name=\"entries\"\r\n\r\nplain\r\n\
                --b\r\ncontent-disposition: form-data; name=entries; filename=\"a.jpg\"\r\nX-Other: y\r\n\r\nfile\r\n--b--";
    store
        .post("/data/x", "multipart/form-data; boundary=\"b\"", body.as_bytes())
        .expect(200);
    let found: Vec<_> = stored(&store.redis, "x").into_iter().map(|(_, data)| data).collect();
    assert_eq!(found, [&b"plain"[..], b"file"]);
}

#[test]
fn empty_entries_are_entries() {
    let store = Store::start();
    let ids = store.add("x", &[b"", b"a", b""]);
    assert_eq!(stored(&store.redis, "x"), pairs(&ids, &[b"", b"a", b""]));
}

#[test]
fn a_multipart_body_that_does_not_parse_is_400_and_nothing_is_stored() {
    let store = Store::start();
    let (kind, good) = multipart(&[("entries", b"first"), ("entries", b"second")]);
    let bodies: [(&str, &[u8]); 6] = [
        ("multipart/form-data", &good),
        ("multipart/form-data; boundary=", &good),
        ("multipart/form-data; boundary=another", &good),
        (&kind, b"garbage"),
        (&kind, &good[..good.len() - 30]),
        (&kind, &good[..good.len() / 2]),
    ];
    for (kind, body) in bodies {
        let answer = store.post("/data/x", kind, body);
        assert_eq!(answer.status, 400, "{kind}, {} bytes: {answer:?}", body.len());
        answer.detail();
    }
    assert_nothing_stored(&store);
}

#[test]
fn a_body_of_any_other_type_is_one_entry() {
    let store = Store::start();
    let kinds = [
        "image/jpeg",
        "application/octet-stream",
        "text/plain; charset=utf-8",
        "application/json",
        "nonsense",
        "multipartx/y",
    ];
    for kind in kinds {
        let body = format!("\0\u{1}a body of {kind}\r\n");
        let ids = store.post("/data/x", kind, body.as_bytes()).expect(200).json();
        assert_eq!(ids.as_array().map(Vec::len), Some(1), "{kind}");
        let newest = store.get("/data/x").expect(200);
        assert_eq!(newest.body, body.as_bytes(), "{kind}");
        assert!(newest.text().contains(kind));
    }
    assert_eq!(stored(&store.redis, "x").len(), kinds.len());
}

#[test]
fn a_body_of_no_type_is_one_entry() {
    let store = Store::start();
    let length = "Content-Length: 5";
    store
        .exchange(store.head("POST", "/data/x", &[length]) + "bytes")
        .expect(200);
    assert_eq!(store.get("/data/x").expect(200).body, b"bytes");
}

#[test]
fn an_empty_body_of_another_type_is_an_empty_entry() {
    let store = Store::start();
    let ids = store.post("/data/x", "image/jpeg", b"").expect(200).json();
    assert_eq!(ids.as_array().map(Vec::len), Some(1));
    assert_eq!(stored(&store.redis, "x")[0].1, b"");
}

#[test]
fn a_stream_need_not_be_created_first() {
    let store = Store::start();
    store.add("x", &[b"a"]);
    assert_eq!(store.get("/streams/").expect(200).json(), json!(["x"]));
}

#[test]
fn thousands_of_entries_in_one_post_keep_their_order() {
    let store = Store::with(&["--max-len", "10000"]);
    let entries: Vec<Vec<u8>> = (0..5000).map(|number| format!("entry {number}").into_bytes()).collect();
    let entries: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
    let ids = store.add("x", &entries);
    assert_eq!(stored(&store.redis, "x"), pairs(&ids, &entries));
}

#[test]
fn posts_side_by_side_keep_their_entries_together_and_lose_none() {
    let store = Store::start();
    std::thread::scope(|scope| {
        for writer in 0..4u8 {
            let store = &store;
            scope.spawn(move || {
                for round in 0..10u8 {
                    let ids = store.add("x", &[&[writer, round, 0], &[writer, round, 1], &[writer, round, 2]]);
                    assert_eq!(ids.len(), 3);
                }
            });
        }
    });
    let found: Vec<Vec<u8>> = stored(&store.redis, "x").into_iter().map(|(_, data)| data).collect();
    assert_eq!(found.len(), 4 * 10 * 3);
    // One POST is one transaction: no other one's entries stand between its own.
    for group in found.chunks(3) {
        let [writer, round, _] = group[0][..] else {
            panic!("{group:?}")
        };
        assert_eq!(group, [[writer, round, 0], [writer, round, 1], [writer, round, 2]]);
    }
}

#[test]
fn a_stream_whose_ids_are_used_up_refuses_with_a_detail() {
    let store = Store::start();
    let last = "18446744073709551615-18446744073709551615";
    let _: String = store.redis.command(&["XADD", "x", last, "d", "a"]);
    let answer = store.post("/data/x", "image/png", b"b");
    assert!(answer.status >= 400, "{answer:?}");
    assert!(!answer.detail().is_empty());
    store.assert_serves();
}

fn pairs(ids: &[String], entries: &[&[u8]]) -> Vec<Entry> {
    assert_eq!(ids.len(), entries.len());
    ids.iter()
        .cloned()
        .zip(entries.iter().map(|entry| entry.to_vec()))
        .collect()
}

fn numbers(id: &str) -> (u64, u64) {
    let (time, sequence) = id.split_once('-').expect("an id with a dash");
    (
        time.parse().expect("milliseconds"),
        sequence.parse().expect("a sequence number"),
    )
}

#[track_caller]
fn assert_entries_required(answer: &Answer) {
    assert_eq!(answer.status, 422, "{answer:?}");
    let fault = json!({"loc": ["body", "entries"], "msg": "field required", "type": "value_error.missing"});
    let told = answer.json();
    assert_eq!(told["detail"], json!([fault]));
    let hint = told["hint"].as_str().expect("a hint");
    assert!(
        hint.contains("-F entries=@FILE") && hint.contains("-H 'Content-Type: "),
        "{hint}"
    );
}

#[track_caller]
fn assert_nothing_stored(store: &Store) {
    let keys: usize = store.redis.command(&["DBSIZE"]);
    assert_eq!(keys, 0);
}
