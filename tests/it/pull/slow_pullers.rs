//! docs/protocol.md, sections 6 and 7: pullers that are behind, that are slow, and replies that are large.

use crate::harness::wire::{Entry, add, length, numbers, pulled, wait_longer};
use crate::harness::{PATIENCE, Program, Redis, Store, eventually, receive_binary, receive_text, slice};

/// The most that a reply of more than one entry may have.
const REPLY_LIMIT: usize = 8 << 20;

const MIB: usize = 1 << 20;

/// Entries of these sizes, no two alike.
fn entries_of(sizes: &[usize]) -> Vec<Vec<u8>> {
    let entries = sizes.iter().enumerate();
    entries
        .map(|(n, size)| {
            let mut entry = vec![n as u8; *size];
            let number = n.to_be_bytes();
            let start = number.len().min(*size);
            entry[..start].copy_from_slice(&number[..start]);
            entry
        })
        .collect()
}

/// Reads the whole stream with a large count and holds every reply to the limit.
fn assert_replies_within_the_limit(sizes: &[usize]) {
    let store = Store::start();
    let added = add(&store.redis, "s", &entries_of(sizes));
    let mut pull = store.pull("s", "last_entry_id=0&count=1000");
    wait_longer(&pull);
    let mut found: Vec<Entry> = Vec::new();
    while found.len() < added.len() {
        let text = receive_text(&mut pull);
        let offsets: Vec<(String, usize)> = serde_json::from_str(&text).expect("ids and offsets");
        let blob = receive_binary(&mut pull);
        let size = blob.len();
        assert!(!offsets.is_empty(), "an empty reply");
        assert!(
            size <= REPLY_LIMIT || offsets.len() == 1,
            "{} entries and {size} bytes in one reply",
            offsets.len()
        );
        found.extend(slice(&offsets, &blob));
    }
    assert!(found == added, "not the entries that were added");
}

#[test]
fn a_reply_is_never_over_8_mib_however_large_the_count() {
    assert_replies_within_the_limit(&[MIB; 30]);
}

#[test]
fn a_reply_may_have_8_mib_and_no_byte_more() {
    assert_replies_within_the_limit(&[4 * MIB, 4 * MIB, 1, 4 * MIB, 4 * MIB + 1, 0, 0]);
}

#[test]
fn an_entry_larger_than_a_reply_comes_alone() {
    assert_replies_within_the_limit(&[1, 5 * MIB, 20 * MIB, 0, 1, 9 * MIB, 3]);
}

#[test]
fn an_entry_of_64_mib_can_be_pulled() {
    assert_replies_within_the_limit(&[64 * MIB, 1]);
}

#[test]
fn five_thousand_entries_come_in_order_without_loss_or_repeat_whatever_the_count() {
    let store = Store::start();
    let added = add(&store.redis, "s", &numbers(0..5000));
    for count in [1, 7, 1000] {
        let mut pull = store.pull("s", &format!("last_entry_id=0&count={count}"));
        assert!(pulled(&mut pull, 5000, count) == added, "count {count}");
    }
}

#[test]
fn a_pull_that_is_behind_goes_over_to_what_comes_now_without_loss_or_repeat() {
    let store = Store::start();
    let mut expected = add(&store.redis, "s", &numbers(0..1000));
    let (pull, later) = std::thread::scope(|scope| {
        let adder = scope.spawn(|| {
            let later = numbers(1000..3000);
            let chunks = later.chunks(3);
            chunks
                .flat_map(|chunk| add(&store.redis, "s", chunk))
                .collect::<Vec<_>>()
        });
        let mut pull = store.pull("s", "last_entry_id=0&count=4");
        let pulled = pulled(&mut pull, 3000, 4);
        (pulled, adder.join().expect("the adder"))
    });
    expected.extend(later);
    assert!(pull == expected, "not the entries that were added");
}

#[test]
fn a_puller_slower_than_retention_misses_what_was_trimmed_and_is_counted() {
    let redis = Redis::start();
    let store = Program::start(&["--redis", &redis.url()]);
    let mut gaps = 0.0;
    let mut missed = 0.0;
    // Of what is left, a read may bring a part, all, or less than it asked for.
    for left in [20, 5, 1] {
        let stream = format!("s{left}");
        let added = add(&redis, &stream, &entries_of(&[MIB; 60]));
        let mut pull = store.pull(&stream, "last_entry_id=0&count=1");
        wait_longer(&pull);
        let mut found = pulled(&mut pull, 1, 1);
        // The sockets' buffers and one reply hold far less than 40 MiB, so the puller must miss some.
        redis.command::<usize>(&["XTRIM", &stream, "MAXLEN", &left.to_string()]);
        while found.last() != added.last() {
            found.extend(pulled(&mut pull, 1, 1));
        }
        let ids = |entries: &[Entry]| entries.iter().map(|e| e.0.clone()).collect::<Vec<_>>();
        let (begin, end) = found.split_at(found.len() - left);
        assert!(begin == &added[..begin.len()], "{left} left: {:?}", ids(begin));
        assert!(end == &added[60 - left..], "{left} left: {:?}", ids(end));
        assert!(found.len() < added.len(), "{left} left: nothing was missed");
        gaps += 1.0;
        missed += (added.len() - found.len()) as f64;
        // An entry comes first, and then it is counted that others were missed before it.
        let counted = || ["ptg_pull_gaps_total", "ptg_pull_entries_missed_total"].map(|name| store.metric(name));
        eventually(PATIENCE, || counted() == [gaps, missed]);
        redis.command::<usize>(&["DEL", &stream]);
    }
}

#[test]
fn a_puller_that_keeps_up_with_trimming_has_no_gap() {
    let store = Store::with(&["--max-len", "10"]);
    let mut pull = store.pull("s", "");
    for n in 0..500 {
        let ids = store.add("s", &[n.to_string().as_bytes()]);
        assert_eq!(pulled(&mut pull, 1, 1)[0].0, ids[0]);
    }
    assert!(length(&store.redis, "s") < 200, "nothing was trimmed");
    assert_eq!(store.metric("ptg_pull_gaps_total"), 0.0);
    assert_eq!(store.metric("ptg_pull_entries_missed_total"), 0.0);
}

#[test]
fn an_entry_that_is_awaited_leaves_redis_at_most_three_times() {
    const SIZE: usize = 256 << 10;
    const MANY: usize = 20;
    let store = Store::start();
    let redis = &store.redis;
    let frame = vec![b'x'; SIZE];
    for (stream, query) in [("n", "newest=true"), ("j", "format=json"), ("g", "on_gap=close")] {
        add(redis, stream, &[&frame; 3]);
        let mut pull = store.pull(stream, query);
        let before = redis.sent();
        for _ in 0..MANY {
            add(redis, stream, &[&frame]);
            receive_text(&mut pull);
            if query != "format=json" {
                receive_binary(&mut pull);
            }
        }
        // To be woken, to know of the oldest, and to be delivered.
        let copies = (redis.sent() - before) / SIZE;
        assert!(copies <= 3 * MANY + 3, "{query}: {copies} copies of {MANY} entries");
    }
}

#[test]
fn a_stream_that_is_silent_costs_redis_nothing_when_another_has_something() {
    // Of larger ones the thread that looks for new generations has one entry sent every other second.
    const SIZE: usize = 60 << 10;
    const MANY: usize = 20;
    let store = Store::start();
    let redis = &store.redis;
    for n in 0..MANY {
        add(redis, &format!("silent{n}"), &[vec![b'x'; SIZE]]);
    }
    let silent: String = (0..MANY).map(|n| format!("+silent{n}")).collect();
    for query in ["newest=true", "format=json"] {
        let mut pull = store.socket(&format!("/data/live{silent}/pull?{query}"));
        let mut before = redis.sent();
        for n in 0..MANY + 2 {
            add(redis, "live", &[b"next"]);
            receive_text(&mut pull);
            if query == "newest=true" {
                receive_binary(&mut pull);
            }
            // The first one may come in the midst of the first round, in which all are asked. With the second it is over.
            if n == 1 {
                before = redis.sent();
            }
        }
        let copies = (redis.sent() - before) / SIZE;
        assert_eq!(copies, 0, "{query}");
    }
}
