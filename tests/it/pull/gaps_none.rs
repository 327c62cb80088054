//! docs/pulling.md, gaps: nothing else is called one.

use serde_json::Value;

use crate::harness::wire::{add, clock, length, numbers, ping};
use crate::harness::{PATIENCE, Store, eventually, send_text};
use crate::pull::gaps::{behind, counted, number, trim};

#[test]
fn trimming_exactly_up_to_the_last_entry_that_was_read_is_no_gap() {
    let store = Store::start();
    for query in ["count=1", "count=7&on_gap=close"] {
        let _: usize = store.redis.command(&["DEL", "s"]);
        let mut pull = store.pull("s", &format!("format=json&last_entry_id=first&{query}"));
        for n in 0..100 {
            add(&store.redis, "s", &[n.to_string()]);
            assert_eq!(number(&mut pull), n);
            trim(&store.redis, "s", (n % 2) as usize);
        }
        assert_eq!(ping(&mut pull), []);
    }
    assert_eq!(counted(&store), [0.0, 0.0]);
}

#[test]
fn a_pull_that_is_behind_on_a_stream_that_is_trimmed_right_behind_it_has_no_gap() {
    let store = Store::start();
    for from in ["first", "latest", "*", "-1h", "$"] {
        for count in [1, 4] {
            let _: usize = store.redis.command(&["DEL", "s"]);
            // Begins with entries there, and some trimmed already.
            let mut all = add(&store.redis, "s", &numbers(0..20));
            trim(&store.redis, "s", 12);
            let mut pull = behind(&store, &format!("last_entry_id={from}&count={count}&on_gap=close"));
            assert!(ping(&mut pull).len() <= count);
            all.extend(add(&store.redis, "s", &numbers(20..60)));
            let mut next = None;
            while next != Some(60) {
                send_text(&mut pull, "go on");
                for message in ping(&mut pull) {
                    let line: Value = serde_json::from_str(&message.into_text().expect("text")).expect("a line");
                    let n = line["data"].as_u64().unwrap_or_else(|| panic!("{from}: {line}")) as usize;
                    assert!(next.is_none_or(|next| n == next), "{from}: {n}");
                    next = Some(n + 1);
                    // What has been delivered is trimmed, and nothing else.
                    let _: usize =
                        store
                            .redis
                            .command(&["XTRIM", "s", "MINID", "=", &all.get(n + 1).unwrap_or(&all[n]).0]);
                }
            }
        }
    }
    assert_eq!(counted(&store), [0.0, 0.0]);
}

#[test]
fn where_nobody_named_an_entry_nothing_that_was_trimmed_before_is_a_gap() {
    let store = Store::start();
    add(&store.redis, "s", &numbers(0..50));
    trim(&store.redis, "s", 10);
    for from in ["0", "0-0", "first", "-1h", "2020-01-01", "2020-01-01T00:00:00Z"] {
        let mut pull = store.pull("s", &format!("format=json&on_gap=close&last_entry_id={from}"));
        assert_eq!(number(&mut pull), 40, "{from}");
    }
    for (from, first) in [("*", 49), ("latest", 49), ("*&count=100", 40)] {
        let mut pull = store.pull("s", &format!("format=json&on_gap=close&last_entry_id={from}"));
        assert_eq!(number(&mut pull), first, "{from}");
    }
    assert_eq!(counted(&store), [0.0, 0.0]);
}

#[test]
fn coming_back_with_an_entry_that_is_there_or_right_before_the_oldest_is_no_gap() {
    let store = Store::start();
    let added = add(&store.redis, "s", &numbers(0..50));
    trim(&store.redis, "s", 10);
    let before = |id: &str| {
        let (ms, seq) = id.split_once('-').expect("an id");
        let (ms, seq): (u64, u64) = (ms.parse().expect("ms"), seq.parse().expect("seq"));
        match seq {
            0 => format!("{}-{}", ms - 1, u64::MAX),
            seq => format!("{ms}-{}", seq - 1),
        }
    };
    for (from, first) in [
        (added[40].0.clone(), Some(41)),
        (added[45].0.clone(), Some(46)),
        (before(&added[40].0), Some(40)),
        (added[49].0.clone(), None),
        ("99999999999999-0".into(), None),
    ] {
        let mut pull = store.pull("s", &format!("format=json&on_gap=close&last_entry_id={from}"));
        match first {
            Some(first) => assert_eq!(number(&mut pull), first, "{from}"),
            None => assert_eq!(ping(&mut pull), [], "{from}"),
        }
    }
    assert_eq!(counted(&store), [0.0, 0.0]);
}

#[test]
fn coming_back_to_a_stream_of_which_nothing_was_ever_trimmed_is_no_gap() {
    let store = Store::start();
    for id in ["5-0", "7-0"] {
        let _: String = store.redis.command(&["XADD", "s", id, "d", &id[..1]]);
    }
    // An id that was never given, and one before all of them.
    for (from, first) in [("6-3", 7), ("4-1", 5), ("1-1", 5)] {
        let mut pull = store.pull("s", &format!("format=json&on_gap=close&last_entry_id={from}"));
        assert_eq!(number(&mut pull), first, "{from}");
    }
}

#[test]
fn a_pull_that_begins_ahead_of_the_clock_takes_nothing_before_that_for_a_gap() {
    let store = Store::start();
    let begin = clock(&store.redis) + 1500;
    let from = jiff::Timestamp::from_millisecond(begin as i64).expect("a time");
    add(&store.redis, "s", &["old"]);
    let mut pull = store.pull("s", &format!("format=json&on_gap=close&last_entry_id={from}"));
    let mut last = String::new();
    // Only the newest entry is ever there.
    eventually(PATIENCE, || {
        last = add(&store.redis, "s", &["7"]).remove(0).0;
        trim(&store.redis, "s", 1);
        last.split('-')
            .next()
            .and_then(|ms| ms.parse::<u64>().ok())
            .expect("ms")
            >= begin
    });
    assert_eq!(number(&mut pull), 7);
}

#[test]
fn a_pull_of_the_newest_on_a_busy_stream_sees_no_gap_where_there_is_none() {
    let store = Store::start();
    for round in 0..20 {
        let _: usize = store.redis.command(&["DEL", "s"]);
        let all = std::thread::scope(|scope| {
            let adder = scope.spawn(|| {
                (0..300)
                    .flat_map(|n| add(&store.redis, "s", &[n.to_string()]))
                    .collect::<Vec<_>>()
            });
            eventually(PATIENCE, || length(&store.redis, "s") > 20);
            let pull = behind(&store, "last_entry_id=latest&on_gap=close");
            (adder.join().expect("the adder"), pull)
        });
        let (all, mut pull) = all;
        let mut next = number(&mut pull) + 1;
        while next < 300 {
            let _: usize = store
                .redis
                .command(&["XTRIM", "s", "MINID", "=", &all[next as usize].0]);
            send_text(&mut pull, "go on");
            assert_eq!(number(&mut pull), next, "round {round}");
            next += 1;
        }
    }
    assert_eq!(counted(&store), [0.0, 0.0]);
}
