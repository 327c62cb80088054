//! docs/protocol.md, section 9: entry ids from the client, whole batches or nothing, and ids that a stream does not take.

use std::cell::RefCell;
use std::sync::Barrier;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::harness::wire::{add, close, closes_with, length, stored, stored_data, wait_longer};
use crate::harness::{Socket, Store, receive_text, send_binary, send_text};

const BATCHES: &str = "batch=true&ack=true";
const REPORTED: &str = "batch=true&ack=true&on_error=report";
const LAST: &str = "18446744073709551615";

/// Sends a batch; its ack.
#[track_caller]
fn ask(socket: &mut Socket, header: &str, blob: &[u8]) -> String {
    send_text(socket, header);
    send_binary(socket, blob);
    receive_text(socket)
}

/// The ack of a batch of single bytes for the stream `s` with these ids.
#[track_caller]
fn ask_for(socket: &mut Socket, ids: &[&str]) -> String {
    let item = |(offset, id): (usize, &&str)| match *id {
        "null" => format!(r#"["s",null,{offset}]"#),
        id => format!(r#"["s","{id}",{offset}]"#),
    };
    let items: Vec<String> = ids.iter().enumerate().map(item).collect();
    ask(socket, &format!("[{}]", items.join(",")), &vec![b'x'; ids.len()])
}

fn ids(store: &Store) -> Vec<String> {
    stored(&store.redis, "s").into_iter().map(|entry| entry.0).collect()
}

#[test]
fn entries_get_the_ids_that_they_ask_for() {
    let store = Store::start();
    let mut push = store.push("s", BATCHES);
    let header = r#"[["s","5-1",0],["s","5-7",1],["s","1650000000123-0",3]]"#;
    assert_eq!(ask(&mut push, header, b"abbccc"), "5-1,5-7,1650000000123-0");
    let expected = [("5-1", "a"), ("5-7", "bb"), ("1650000000123-0", "ccc")];
    let expected = expected.map(|(id, data)| (id.to_owned(), data.as_bytes().to_vec()));
    assert_eq!(stored(&store.redis, "s"), expected);
}

#[test]
fn ids_may_leave_their_second_number_or_all_of_it_to_the_store() {
    let store = Store::start();
    let mut push = store.push("s", BATCHES);
    let ack = ask_for(&mut push, &["0-*", "0-5", "0-*", "7-*", "7-*", "9-9", "9-*"]);
    assert_eq!(ack, "0-1,0-5,0-6,7-0,7-1,9-9,9-10");
    let ack = ask_for(&mut push, &["*", "null", "9999999999999-3", "*"]);
    let given: Vec<&str> = ack.split(',').collect();
    assert_eq!(given[2..], ["9999999999999-3", "9999999999999-4"]);
    let now: u64 = given[0]
        .split('-')
        .next()
        .and_then(|ms| ms.parse().ok())
        .expect("an id");
    assert!(now > 1_700_000_000_000, "{ack}");
    assert_eq!(ids(&store)[7..], given);
}

#[test]
fn without_acks_ids_are_kept_too() {
    let store = Store::start();
    let mut push = store.push("s", "batch=true");
    for n in 1..100 {
        send_text(&mut push, &format!(r#"[["s","{n}-1",0],["s","{n}-*",1]]"#));
        send_binary(&mut push, b"ab");
    }
    assert!(close(&mut push).is_empty());
    let expected: Vec<String> = (1..100).flat_map(|n| [format!("{n}-1"), format!("{n}-2")]).collect();
    assert_eq!(ids(&store), expected);
}

#[test]
fn ids_reach_to_the_last_number_and_nothing_comes_behind_it() {
    let store = Store::start();
    let mut push = store.push("s", REPORTED);
    let over_32 = "4294967296-9007199254740993";
    let over_53 = "9007199254740993-9999999999999999999";
    let asked = [
        over_32,
        "4294967296-*",
        over_53,
        "9007199254740993-*",
        &format!("{LAST}-7"),
        &format!("{LAST}-*"),
    ];
    let expected = [
        over_32,
        "4294967296-9007199254740994",
        over_53,
        "9007199254740993-10000000000000000000",
        &format!("{LAST}-7"),
        &format!("{LAST}-8"),
    ];
    assert_eq!(ask_for(&mut push, &asked), expected.join(","));
    // The clock is behind, so the next id is the one after the newest.
    assert_eq!(ask_for(&mut push, &["*"]), format!("{LAST}-9"));
    let last = format!("{LAST}-{LAST}");
    assert_eq!(ask_for(&mut push, &[&last]), last);
    let expected = length(&store.redis, "s");
    for more in [[&last[..], "*"], [&format!("{LAST}-*"), "null"]] {
        let refusal = ask_for(&mut push, &more);
        assert!(
            refusal.contains(&format!("is not larger than {last}")),
            "{more:?}: {refusal}"
        );
    }
    send_text(&mut push, "0");
    send_binary(&mut push, b"x");
    closes_with(&mut push, 1011);
    assert_eq!(length(&store.redis, "s"), expected);
}

#[test]
fn seq_numbers_run_over_into_the_next_millisecond_only_where_redis_may_choose_it() {
    let store = Store::start();
    let mut push = store.push("s", REPORTED);
    let future = "99999999999999";
    let end = format!("{future}-{LAST}");
    assert_eq!(ask_for(&mut push, &[&end]), end);
    assert!(ask_for(&mut push, &[&format!("{future}-*")]).contains("is not larger than"));
    assert_eq!(ask_for(&mut push, &["*"]), "100000000000000-0");
}

#[test]
fn an_id_that_is_not_larger_than_the_newest_closes_with_1007_and_a_reason_that_names_all_three() {
    let store = Store::start();
    for (ids, refused) in [
        (vec!["7-0"], "7-0"),
        (vec!["6-9"], "6-9"),
        (vec!["6-*"], "6-*"),
        (vec!["8-0", "7-5"], "7-5"),
        (vec!["8-0", "8-0"], "8-0"),
        (vec!["8-0", "*", "8-1"], "8-1"),
        (vec!["*", "7-0"], "7-0"),
    ] {
        let _: () = store.redis.command(&["DEL", "s"]);
        let _: String = store.redis.command(&["XADD", "s", "7-0", "d", "newest"]);
        let mut push = store.push("s", BATCHES);
        let items: Vec<String> = ids.iter().map(|id| format!(r#"["s","{id}",0]"#)).collect();
        send_text(&mut push, &format!("[{}]", items.join(",")));
        send_binary(&mut push, b"x");
        let reason = closes_with(&mut push, 1007);
        assert!(
            reason.starts_with(&format!("id {refused} is not larger than ")),
            "{reason}"
        );
        assert!(reason.ends_with(", the newest of 's'"), "{reason}");
        assert_eq!(stored_data(&store.redis, "s"), [b"newest"], "{ids:?}");
    }
}

#[test]
fn an_id_is_compared_with_the_newest_there_ever_was() {
    let store = Store::start();
    let _: String = store.redis.command(&["XADD", "s", "7-0", "d", "x"]);
    let _: usize = store.redis.command(&["XDEL", "s", "7-0"]);
    let mut push = store.push("s", REPORTED);
    for id in ["5-0", "7-0", "6-*"] {
        assert!(ask_for(&mut push, &[id]).contains("is not larger than 7-0"), "{id}");
    }
    assert_eq!(length(&store.redis, "s"), 0);
    assert_eq!(ask_for(&mut push, &["7-*"]), "7-1");
}

#[test]
fn bad_ids_close_with_1007_and_nothing_of_the_batch_is_stored() {
    let store = Store::start();
    for id in [
        r#""0-0""#,
        r#""5""#,
        r#""""#,
        r#""$""#,
        r#""-""#,
        r#""5-""#,
        r#""-5""#,
        r#""5-1-1""#,
        r#""*-*""#,
        r#""+5-1""#,
        r#"" 5-1""#,
        r#""5-1\n""#,
        r#""18446744073709551616-0""#,
        r#""5-18446744073709551616""#,
        r#""٣-1""#,
        "5",
        "5.1",
        "true",
        "[]",
        "{}",
        r#"["5-1"]"#,
    ] {
        let mut push = store.push("s", BATCHES);
        send_text(&mut push, &format!(r#"[["s","1-1",0],["s",{id},0]]"#));
        send_binary(&mut push, b"x");
        let reason = closes_with(&mut push, 1007);
        assert_eq!(length(&store.redis, "s"), 0, "{id}: {reason}");
    }
}

#[test]
fn every_byte_of_an_entry_survives() {
    let store = Store::start();
    let all: Vec<u8> = (0..=255).collect();
    let entries = [
        all.clone(),
        b"\0".to_vec(),
        b"\r\n$1\r\n".to_vec(),
        vec![],
        all.repeat(100),
        b"1,2 *".to_vec(),
    ];
    let mut items = Vec::new();
    let mut blob = Vec::new();
    for (n, entry) in entries.iter().enumerate() {
        items.push(format!(r#"["s","{}-*",{}]"#, n + 1, blob.len()));
        blob.extend_from_slice(entry);
    }
    let mut push = store.push("s", BATCHES);
    ask(&mut push, &format!("[{}]", items.join(",")), &blob);
    assert!(stored_data(&store.redis, "s") == entries);
}

#[test]
fn entries_of_megabytes_are_stored_with_their_ids() {
    let store = Store::start();
    let mut push = store.push("s", BATCHES);
    wait_longer(&push);
    let large: Vec<u8> = (0..8 << 20).map(|n: u32| (n % 251) as u8).collect();
    for n in 1..4 {
        let blob = [&large[..], b"small", &large].concat();
        let header = format!(
            r#"[["s","{n}-1",0],["s","{n}-2",{}],["s","{n}-*",{}]]"#,
            large.len(),
            large.len() + 5
        );
        assert_eq!(ask(&mut push, &header, &blob), format!("{n}-1,{n}-2,{n}-3"));
    }
    let found = stored_data(&store.redis, "s");
    assert!(
        found
            .chunks(3)
            .all(|batch| batch[0] == large && batch[1] == b"small" && batch[2] == large)
    );
    assert_eq!(found.len(), 9);
}

#[test]
fn a_batch_with_ids_may_have_as_many_entries_as_any() {
    let store = Store::with(&["--max-len", "1000000", "--max-batch", "20000"]);
    let mut push = store.push("s", BATCHES);
    wait_longer(&push);
    let items: Vec<String> = (1..=20_000).map(|n| format!(r#"["s","{n}-1",{}]"#, n - 1)).collect();
    let blob: Vec<u8> = (0..20_000).map(|n: u32| n as u8).collect();
    let ack = ask(&mut push, &format!("[{}]", items.join(",")), &blob);
    assert!(ack.ends_with(",20000-1"));
    assert!(stored_data(&store.redis, "s").concat() == blob);
    send_text(&mut push, &format!("[{},[\"s\",\"20001-1\",20000]]", items.join(",")));
    let reason = closes_with(&mut push, 1009);
    assert!(reason.contains("20000"), "{reason}");
}

#[test]
fn the_streams_own_max_len_is_kept() {
    let store = Store::start();
    store.put("/streams/s?max_len=10").expect(200);
    let mut push = store.push("s", BATCHES);
    for n in 1..1000 {
        ask_for(&mut push, &[&format!("{n}-1")]);
    }
    let kept = length(&store.redis, "s");
    assert!((10..=200).contains(&kept), "{kept}");
}

#[test]
fn sockets_that_push_to_one_stream_with_and_without_ids_store_whole_batches_or_nothing() {
    let store = Store::with(&["--max-len", "1000000"]);
    let start = Barrier::new(3);
    let rounds = 150;
    std::thread::scope(|scope| {
        for name in ["exact", "later", "next"] {
            let (store, start) = (&store, &start);
            scope.spawn(move || {
                let mut push = store.push("s", REPORTED);
                start.wait();
                for round in 0..rounds {
                    // In the future, so that ids compete with each other and with those that Redis gives.
                    let ms = 99_999_999_999_000_u64 + round;
                    let ids = match name {
                        "exact" => [format!("{ms}-5"), format!("{ms}-6"), format!("{ms}-7")],
                        "later" => [format!("{ms}-*"), format!("{ms}-*"), "*".into()],
                        _ => ["*", "*", "*"].map(str::to_owned),
                    };
                    let item = |(offset, id): (usize, &String)| format!(r#"["s","{id}",{}]"#, offset * name.len());
                    let items: Vec<String> = ids.iter().enumerate().map(item).collect();
                    let ack = ask(&mut push, &format!("[{}]", items.join(",")), name.repeat(3).as_bytes());
                    assert!(ack.starts_with('{') || ack.split(',').count() == 3, "{ack}");
                    let found = stored(&store.redis, "s");
                    if let Some(id) = ack.split(',').next().filter(|_| !ack.starts_with('{')) {
                        assert!(found.iter().any(|entry| entry.0 == id && entry.1 == name.as_bytes()));
                    }
                }
            });
        }
    });
    let found = stored_data(&store.redis, "s");
    assert!(
        found.len() >= 3 * rounds as usize,
        "nothing refuses an id that Redis gives"
    );
    for batch in found.chunks(3) {
        assert!(batch.iter().all(|data| *data == batch[0]), "a batch in pieces");
    }
}

#[test]
fn batches_with_and_without_ids_keep_the_order_of_their_socket() {
    let store = Store::with(&["--max-len", "1000000"]);
    let mut push = store.push("s", BATCHES);
    let mut expected = Vec::new();
    for n in 0..300_u64 {
        let header = match n % 3 {
            0 => "0".to_owned(),
            1 => r#"[["s","*",0]]"#.to_owned(),
            _ => format!(r#"[["s","{}-*",0]]"#, 99_999_999_999_999 + n),
        };
        send_text(&mut push, &header);
        send_binary(&mut push, n.to_string().as_bytes());
        expected.push(n.to_string().into_bytes());
    }
    let acked: Vec<String> = (0..300).map(|_| receive_text(&mut push)).collect();
    assert_eq!(ids(&store), acked);
    assert_eq!(stored_data(&store.redis, "s"), expected);
}

/// What a stream whose newest id is `last` gives for an id; `None` as a second number is `<ms>-*`.
fn id_after(last: (u64, u64), (ms, seq): (u64, Option<u64>)) -> Option<(u64, u64)> {
    let next = match seq {
        Some(seq) => Some((ms, seq)),
        None if ms == last.0 => last.1.checked_add(1).map(|seq| (ms, seq)),
        None => Some((ms, 0)),
    };
    next.filter(|next| *next > last)
}

#[test]
fn any_ids_are_given_or_refused_as_a_model_of_streams_says() {
    let store = Store::with(&["--max-len", "1000000"]);
    let push = RefCell::new(store.push("s", REPORTED));
    let number = || prop_oneof![0..6_u64, u64::MAX - 3..=u64::MAX];
    let id = (number(), prop::option::of(number()));
    let batches = prop::collection::vec(prop::collection::vec(id, 1..5), 1..6);
    let config = ProptestConfig {
        cases: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let run = TestRunner::new(config).run(&batches, |batches| {
        let _: () = store.redis.command(&["DEL", "s"]);
        let mut model: Vec<String> = Vec::new();
        let mut newest = (0, 0);
        for batch in batches {
            let given = batch.iter().scan(newest, |last, asked| {
                *last = id_after(*last, *asked)?;
                Some(*last)
            });
            let given: Vec<_> = given.collect();
            let told: Vec<String> = given.iter().map(|(ms, seq)| format!("{ms}-{seq}")).collect();
            let number = |seq: Option<u64>| seq.map_or("*".into(), |seq| seq.to_string());
            let asked = batch.iter().map(|(ms, seq)| format!("{ms}-{}", number(*seq)));
            let asked: Vec<String> = asked.collect();
            let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
            let ack = ask_for(&mut push.borrow_mut(), &asked);
            if given.len() == batch.len() {
                prop_assert_eq!(ack, told.join(","));
                newest = given[given.len() - 1];
                model.extend(told);
            } else {
                prop_assert!(ack.starts_with("{\"error\":"), "{}", ack);
            }
            prop_assert_eq!(&ids(&store), &model);
        }
        Ok(())
    });
    run.expect("the model");
}

#[test]
fn entries_that_other_programs_add_between_are_heeded() {
    let store = Store::start();
    let mut push = store.push("s", REPORTED);
    assert_eq!(ask_for(&mut push, &["5-0"]), "5-0");
    let newest = add(&store.redis, "s", &[b"theirs"])[0].0.clone();
    assert!(ask_for(&mut push, &["6-0"]).contains(&format!("is not larger than {newest}")));
    assert_eq!(length(&store.redis, "s"), 2);
}
