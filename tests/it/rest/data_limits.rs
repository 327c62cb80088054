//! The limits of entries over REST: sizes, counts, retention (docs/protocol.md, sections 4 and 7).

use crate::harness::{Answer, Store, multipart, slice};

const MIB: usize = 1 << 20;

/// Redis trims whole nodes of 100 entries, so "about" is up to two of them more.
const ABOUT: usize = 200;

#[test]
fn a_body_of_64_mib_is_stored_and_one_byte_more_is_413() {
    let store = Store::start();
    let mut body: Vec<u8> = (0..64 * MIB).map(|i| (i % 253) as u8).collect();
    store.post("/data/x", "application/octet-stream", &body).expect(200);
    let back = store.get("/data/x").expect(200).body;
    assert!(back == body, "{} other bytes came back", back.len());
    body.push(0);
    let detail = store
        .post("/data/y", "application/octet-stream", &body)
        .expect(413)
        .detail();
    assert!(detail.contains("64") || detail.contains("67108864"), "{detail}");
    let keys: usize = store.redis.command(&["DBSIZE"]);
    assert_eq!(keys, 1);
}

#[test]
fn the_body_limit_is_a_flag_and_exact() {
    let store = Store::with(&["--max-body", "1000"]);
    store.post("/data/x", "text/plain", &[b'x'; 1000]).expect(200);
    store.post("/data/x", "text/plain", &[b'x'; 1001]).expect(413);
    let entries: usize = store.redis.command(&["XLEN", "x"]);
    assert_eq!(entries, 1);
}

#[test]
fn a_post_of_more_entries_than_a_batch_may_have_is_413_and_nothing_is_stored() {
    let store = Store::with(&["--max-batch", "10"]);
    let parts: Vec<(&str, &[u8])> = vec![("entries", b"x"); 11];
    let (kind, body) = multipart(&parts);
    let detail = store.post("/data/x", &kind, &body).expect(413).detail();
    assert!(detail.contains("10"), "{detail}");
    let keys: usize = store.redis.command(&["DBSIZE"]);
    assert_eq!(keys, 0);
    let (kind, body) = multipart(&parts[..10]);
    store.post("/data/x", &kind, &body).expect(200);
}

#[test]
fn the_offset_header_stays_within_32_kib_and_nothing_is_lost() {
    let store = Store::with(&["--max-len", "10000"]);
    let data: Vec<Vec<u8>> = (0..3000).map(|number| format!("entry {number}").into_bytes()).collect();
    let data: Vec<&[u8]> = data.iter().map(Vec::as_slice).collect();
    let ids = store.add("x", &data);
    let expected: Vec<_> = ids.into_iter().zip(data.iter().map(|entry| entry.to_vec())).collect();
    let (found, gets) = read_all(&store, "x", "0", 3000);
    assert_eq!(found, expected);
    assert!(gets > 1, "3000 offsets do not fit into 32 KiB");
}

#[test]
fn long_ids_count_for_what_they_are_in_the_offset_header() {
    let store = Store::with(&["--max-len", "10000"]);
    let mut pipe = redis::pipe();
    let first = u64::MAX - 2000;
    for number in 0..2000 {
        let id = format!("{}-{}", u64::MAX, first + number);
        pipe.cmd("XADD").arg("x").arg(id).arg(&["d", "x"]).ignore();
    }
    pipe.query::<()>(&mut store.redis.connection()).expect("the entries");
    let (found, _) = read_all(&store, "x", "0", 2000);
    assert_eq!(found.len(), 2000);
}

#[test]
fn the_newest_entries_too_come_without_a_gap_when_the_header_is_full() {
    let store = Store::with(&["--max-len", "10000"]);
    let data: Vec<Vec<u8>> = (0..3000).map(|number| format!("entry {number}").into_bytes()).collect();
    let data: Vec<&[u8]> = data.iter().map(Vec::as_slice).collect();
    let ids = store.add("x", &data);
    let first = entries(&store.get("/data/x?count=2500").expect(200));
    // Where it begins is the store's choice; from there on there is no gap.
    let start = ids.iter().position(|id| *id == first[0].0).expect("one of the ids");
    assert!(start >= 500, "{start} is not among the newest 2500");
    let (rest, _) = read_all(&store, "x", &first[first.len() - 1].0, 3000);
    let found: Vec<String> = first.into_iter().chain(rest).map(|(id, _)| id).collect();
    assert_eq!(found, ids[start..]);
}

#[test]
fn the_body_of_a_reply_stays_within_64_mib_and_nothing_is_lost() {
    let store = Store::start();
    for number in 0..3u8 {
        store.post("/data/x", "image/raw", &vec![number; 30 * MIB]).expect(200);
    }
    let first = store.get("/data/x?count=3&last_entry_id=0").expect(200);
    assert_eq!(first.body.len(), 60 * MIB);
    let (found, gets) = read_all(&store, "x", "0", 3);
    assert_eq!(gets, 2);
    for (number, (_, data)) in found.iter().enumerate() {
        assert!(
            data.len() == 30 * MIB && data.iter().all(|byte| usize::from(*byte) == number),
            "entry {number}"
        );
    }
}

#[test]
fn a_stream_keeps_about_its_own_max_len_of_the_newest_entries() {
    let store = Store::start();
    store.put("/streams/x?max_len=10").expect(200);
    fill(&store, "x", 1500);
    let length: usize = store.redis.command(&["XLEN", "x"]);
    assert!((10..=10 + ABOUT).contains(&length), "{length}");
    assert_eq!(store.get("/data/x").expect(200).text(), "entry 1499");
}

#[test]
fn a_stream_without_its_own_keeps_about_the_servers_max_len() {
    let store = Store::with(&["--max-len", "50"]);
    fill(&store, "x", 1500);
    let length: usize = store.redis.command(&["XLEN", "x"]);
    assert!((50..=50 + ABOUT).contains(&length), "{length}");
}

#[test]
fn a_stream_may_keep_more_than_the_servers_max_len() {
    let store = Store::with(&["--max-len", "50"]);
    store.put("/streams/x?max_len=100000").expect(200);
    fill(&store, "x", 1500);
    let length: usize = store.redis.command(&["XLEN", "x"]);
    assert_eq!(length, 1500);
}

#[test]
fn the_default_retention_is_about_a_thousand() {
    let store = Store::start();
    fill(&store, "x", 2500);
    let length: usize = store.redis.command(&["XLEN", "x"]);
    assert!((1000..=1000 + ABOUT).contains(&length), "{length}");
}

/// Entries in several POSTs, so that retention is at work between them.
fn fill(store: &Store, stream: &str, count: usize) {
    let data: Vec<Vec<u8>> = (0..count)
        .map(|number| format!("entry {number}").into_bytes())
        .collect();
    for part in data.chunks(250) {
        let part: Vec<&[u8]> = part.iter().map(Vec::as_slice).collect();
        store.add(stream, &part);
    }
}

/// All entries after an id as a client would fetch them, and how many GETs that took.
#[track_caller]
fn read_all(store: &Store, stream: &str, after: &str, count: usize) -> (Vec<(String, Vec<u8>)>, usize) {
    let mut all: Vec<(String, Vec<u8>)> = Vec::new();
    let mut last = after.to_owned();
    for gets in 0.. {
        let answer = store
            .get(&format!("/data/{stream}?count={count}&last_entry_id={last}"))
            .expect(200);
        let some = entries(&answer);
        let Some((id, _)) = some.last() else {
            return (all, gets);
        };
        last.clone_from(id);
        all.extend(some);
    }
    unreachable!("there is an end to every stream")
}

#[track_caller]
fn entries(answer: &Answer) -> Vec<(String, Vec<u8>)> {
    let header = answer.header("entry-offset").expect("an entry-offset header");
    assert!(header.len() <= 32 * 1024, "a header of {} bytes", header.len());
    assert!(answer.body.len() <= 64 * MIB, "a body of {} bytes", answer.body.len());
    let offsets: Vec<(String, usize)> = serde_json::from_str(header).expect("the header's JSON");
    if offsets.is_empty() {
        return Vec::new();
    }
    slice(&offsets, &answer.body)
}
