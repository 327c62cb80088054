//! docs/protocol.md, section 9: several streams in one batch, whole or not at all, and which streams a path allows.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::harness::wire::{add, close, closes_with, frame, length, send_raw, stored, stored_data};
use crate::harness::{Socket, Store, receive_reply, receive_text, send_binary, send_text};

const BATCHES: &str = "batch=true&ack=true";

fn open(store: &Store, path: &str, query: &str) -> Socket {
    store.socket(&format!("/data/{path}/push?{query}"))
}

fn send(socket: &mut Socket, header: &str, blob: &[u8]) {
    send_text(socket, header);
    send_binary(socket, blob);
}

#[track_caller]
fn ask(socket: &mut Socket, header: &str, blob: &[u8]) -> Vec<String> {
    send(socket, header, blob);
    receive_text(socket).split(',').map(str::to_owned).collect()
}

#[test]
fn a_batch_goes_to_the_streams_that_it_names() {
    let store = Store::start();
    for path in ["a+b", "b+a+c", "*"] {
        let mut push = open(&store, path, BATCHES);
        let ids = ask(&mut push, r#"[["a",0],["b",1],["a",3]]"#, b"xyyzzz");
        let a = [(ids[0].clone(), b"x".to_vec()), (ids[2].clone(), b"zzz".to_vec())];
        assert_eq!(stored(&store.redis, "a"), a, "{path}");
        assert_eq!(stored(&store.redis, "b"), [(ids[1].clone(), b"yy".to_vec())]);
        assert!(close(&mut push).is_empty());
        let _: usize = store.redis.command(&["DEL", "a", "b"]);
    }
}

#[test]
fn each_stream_has_ids_of_its_own() {
    let store = Store::start();
    let mut push = open(&store, "*", BATCHES);
    let header = r#"[["a","5-0",0],["b","3-0",1],["a","5-*",2],["b","3-*",3],["c",null,4]]"#;
    let ids = ask(&mut push, header, b"abcde");
    assert_eq!(ids[..4], ["5-0", "3-0", "5-1", "3-1"]);
    assert_eq!(length(&store.redis, "c"), 1);
}

#[test]
fn a_stream_that_the_path_does_not_name_is_refused_with_the_whole_batch() {
    let store = Store::start();
    for (path, header) in [
        ("a+b", r#"[["a",0],["c",1]]"#),
        ("a+b", r#"[["c",0]]"#),
        ("a", r#"[["a",0],["b",1]]"#),
        ("a", r#"[["b","1-1",0]]"#),
        ("a%2Bb", r#"[["a",0]]"#),
    ] {
        let mut push = open(&store, path, BATCHES);
        send_raw(
            &mut push,
            &[frame(0x81, header.as_bytes()), frame(0x82, b"xy")].concat(),
        );
        let reason = closes_with(&mut push, 1007);
        assert!(reason.contains("is not in the path"), "{reason}");
    }
    let keys: usize = store.redis.command(&["DBSIZE"]);
    assert_eq!(keys, 0);
}

#[test]
fn names_that_no_stream_may_have_are_refused() {
    let store = Store::start();
    let long = "x".repeat(257);
    for name in ["", "a/b", "XMETA:a", "a\\u0000", "\\u0085", &long] {
        let mut push = open(&store, "*", BATCHES);
        let header = format!(r#"[["fine",0],["{name}",1]]"#);
        send_raw(
            &mut push,
            &[frame(0x81, header.as_bytes()), frame(0x82, b"xy")].concat(),
        );
        closes_with(&mut push, 1007);
    }
    let keys: usize = store.redis.command(&["DBSIZE"]);
    assert_eq!(keys, 0);
    let mut push = open(&store, "*", BATCHES);
    for name in [
        "größe-流-😀",
        "a+b:c",
        "with space",
        "*",
        "%",
        "1 5-0,2",
        &"x".repeat(256),
    ] {
        ask(&mut push, &format!(r#"[["{name}",0]]"#), b"entry");
        assert_eq!(stored_data(&store.redis, name), [b"entry"]);
    }
}

#[test]
fn without_names_a_path_of_several_streams_is_refused_with_a_sentence_that_says_how() {
    let store = Store::start();
    for path in ["a+b", "*"] {
        for header in ["0,1", "[0,1]", "0"] {
            let mut push = open(&store, path, BATCHES);
            send_raw(
                &mut push,
                &[frame(0x81, header.as_bytes()), frame(0x82, b"xy")].concat(),
            );
            let reason = closes_with(&mut push, 1007);
            assert!(reason.contains("name each entry's: [["), "{reason}");
        }
    }
}

#[test]
fn only_in_batches_plus_and_star_are_no_part_of_a_name() {
    let store = Store::start();
    for path in ["a+b", "*", "a%2Bb"] {
        let mut push = open(&store, path, "ack=true");
        send_binary(&mut push, b"entry");
        receive_text(&mut push);
        store.post(&format!("/data/{path}"), "image/png", b"posted").expect(200);
    }
    assert_eq!(length(&store.redis, "a+b"), 4);
    assert_eq!(length(&store.redis, "*"), 2);
    let mut push = open(&store, "a%2Bb", BATCHES);
    ask(&mut push, "0", b"batch");
    let mut push = open(&store, "%2A", BATCHES);
    ask(&mut push, "0", b"batch");
    assert_eq!((length(&store.redis, "a+b"), length(&store.redis, "*")), (5, 3));
}

#[test]
fn bad_paths_are_refused_before_the_upgrade() {
    let store = Store::start();
    let token = ("Authorization", &*store.bearer());
    let many: Vec<String> = (0..257).map(|n| n.to_string()).collect();
    for path in ["a+", "+", "a++b", "a+a", "a+XMETA:b", "a+%00", &many.join("+")] {
        let answer = store.socket_answer(&format!("/data/{path}/push?{BATCHES}"), &[token]);
        assert_eq!(answer.status, 422, "{path}: {answer:?}");
    }
    let _: () = store.redis.command(&["SET", "text", "x"]);
    let answer = store.socket_answer(&format!("/data/a+text/push?{BATCHES}"), &[token]);
    assert_eq!(answer.expect(400).detail(), "The key 'text' in Redis is not a stream.");
}

#[test]
fn a_key_that_is_no_stream_refuses_the_whole_batch_with_1011() {
    let store = Store::start();
    for names in [["text", "other"], ["other", "text"]] {
        let mut push = open(&store, "*", BATCHES);
        let _: () = store.redis.command(&["SET", "text", "x"]);
        send(&mut push, &format!(r#"[["{}",0],["{}",1]]"#, names[0], names[1]), b"ab");
        let reason = closes_with(&mut push, 1011);
        assert_eq!(reason, "The key 'text' in Redis is not a stream.");
        assert_eq!(length(&store.redis, "other"), 0);
        let kept: String = store.redis.command(&["GET", "text"]);
        assert_eq!(kept, "x");
    }
}

#[test]
fn an_id_that_one_stream_refuses_refuses_the_batch_for_all() {
    let store = Store::start();
    let _: String = store.redis.command(&["XADD", "b", "7-0", "d", "newest"]);
    for header in [
        r#"[["a","1-1",0],["b","7-0",1]]"#,
        r#"[["b","7-0",0],["a","1-1",1]]"#,
        r#"[["a",null,0],["b","6-1",1]]"#,
        r#"[["a","*",0],["b","6-*",1]]"#,
        r#"[["a","1-1",0],["b","*",1],["b","8-0",1]]"#,
    ] {
        let mut push = open(&store, "a+b", BATCHES);
        send(&mut push, header, b"xy");
        closes_with(&mut push, 1007);
        assert_eq!(
            (length(&store.redis, "a"), length(&store.redis, "b")),
            (0, 1),
            "{header}"
        );
    }
}

#[test]
fn a_stream_that_can_give_no_id_refuses_the_batch_for_all() {
    let store = Store::start();
    let last = "18446744073709551615-18446744073709551615";
    let _: String = store.redis.command(&["XADD", "b", last, "d", "last"]);
    let mut push = open(&store, "*", BATCHES);
    send(&mut push, r#"[["a",0],["b",1]]"#, b"xy");
    let reason = closes_with(&mut push, 1007);
    assert!(reason.starts_with("id * is not larger than"), "{reason}");
    assert_eq!((length(&store.redis, "a"), length(&store.redis, "b")), (0, 1));
}

#[test]
fn max_len_is_kept_by_each_stream_as_its_own() {
    let store = Store::with(&["--max-len", "1000"]);
    store.put("/streams/short?max_len=10").expect(200);
    store.put("/streams/long?max_len=100000").expect(200);
    let mut push = open(&store, "*", "batch=true");
    let items: Vec<String> = (0..150)
        .map(|n| format!(r#"["{}",{n}]"#, ["short", "usual", "long"][n % 3]))
        .collect();
    for _ in 0..60 {
        send(&mut push, &format!("[{}]", items.join(",")), &[b'x'; 150]);
    }
    close(&mut push);
    let kept = |name| length(&store.redis, name);
    assert!((10..=200).contains(&kept("short")), "{}", kept("short"));
    assert!((1000..=1200).contains(&kept("usual")), "{}", kept("usual"));
    assert_eq!(kept("long"), 3000);
}

#[test]
fn a_batch_may_go_to_256_streams_and_not_to_more() {
    let store = Store::start();
    let header = |count: usize| {
        let items: Vec<String> = (0..count).map(|n| format!(r#"["s{n}",{n}]"#)).collect();
        format!("[{}]", items.join(","))
    };
    let mut push = open(&store, "*", BATCHES);
    assert_eq!(ask(&mut push, &header(256), &[b'x'; 256]).len(), 256);
    assert_eq!(length(&store.redis, "s255"), 1);
    send_raw(&mut push, &frame(0x81, header(257).as_bytes()));
    let reason = closes_with(&mut push, 1007);
    assert!(reason.contains("256"), "{reason}");
}

#[test]
fn ever_new_streams_are_taken_without_end() {
    let store = Store::start();
    let mut push = open(&store, "*", BATCHES);
    for round in 0..12 {
        let items: Vec<String> = (0..200).map(|n| format!(r#"["s{round}-{n}",{n}]"#)).collect();
        ask(&mut push, &format!("[{}]", items.join(",")), &[b'x'; 200]);
    }
    let keys: usize = store.redis.command(&["DBSIZE"]);
    assert_eq!(keys, 2400);
}

#[test]
fn nobody_ever_sees_a_batch_in_one_stream_and_not_in_the_other() {
    let store = Store::with(&["--max-len", "1000000"]);
    let items: Vec<String> = (0..100).map(|n| format!(r#"["{}",{n}]"#, ["a", "b"][n % 2])).collect();
    let header = format!("[{}]", items.join(","));
    let done = AtomicBool::new(false);
    let looks = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut connection = store.redis.connection();
            let mut looks = 0;
            while !done.load(Ordering::Relaxed) {
                let mut pipeline = redis::pipe();
                pipeline.atomic().cmd("XLEN").arg("a").cmd("XLEN").arg("b");
                let (a, b): (usize, usize) = pipeline.query(&mut connection).expect("two lengths");
                if a != b || a % 50 != 0 {
                    return Err((a, b));
                }
                looks += 1;
            }
            Ok(looks)
        });
        let mut push = open(&store, "a+b", "batch=true");
        for _ in 0..60 {
            send(&mut push, &header, &[b'x'; 100]);
        }
        close(&mut push);
        done.store(true, Ordering::Relaxed);
        watcher.join().expect("the watcher")
    });
    assert!(looks.is_ok_and(|n| n > 0), "half a batch: {looks:?}");
    assert_eq!(length(&store.redis, "b"), 60 * 50);
}

#[test]
fn pullers_get_what_goes_to_their_stream() {
    let store = Store::start();
    let mut pulls = ["a", "b"].map(|stream| store.pull(stream, "count=10"));
    let mut push = open(&store, "a+b", BATCHES);
    let ids = ask(&mut push, r#"[["a",0],["b",1],["a",2]]"#, b"xyz");
    let a = receive_reply(&mut pulls[0]);
    assert_eq!(a, [(ids[0].clone(), b"x".to_vec()), (ids[2].clone(), b"z".to_vec())]);
    assert_eq!(receive_reply(&mut pulls[1]), [(ids[1].clone(), b"y".to_vec())]);
}

#[test]
fn a_batch_goes_behind_what_other_programs_add() {
    let store = Store::start();
    let mut push = open(&store, "a+b", BATCHES);
    let mut expected = Vec::new();
    for n in 0..50 {
        expected.extend(add(&store.redis, "a", &[format!("theirs {n}")]));
        let ids = ask(&mut push, r#"[["a",0],["b",1]]"#, b"xy");
        expected.push((ids[0].clone(), b"x".to_vec()));
    }
    assert_eq!(stored(&store.redis, "a"), expected);
}

#[test]
fn each_socket_of_a_stream_keeps_its_order_in_every_stream() {
    let store = Store::with(&["--max-len", "1000000"]);
    std::thread::scope(|scope| {
        for name in ['x', 'y'] {
            let store = &store;
            scope.spawn(move || {
                let mut push = open(store, "*", "batch=true");
                for n in 0..300 {
                    let entry = format!("{name}{n:03}");
                    send(&mut push, r#"[["a",0],["b",4]]"#, entry.repeat(2).as_bytes());
                }
                close(&mut push);
            });
        }
    });
    for stream in ["a", "b"] {
        let found = stored_data(&store.redis, stream);
        for name in [b'x', b'y'] {
            let own: Vec<_> = found.iter().filter(|entry| entry[0] == name).collect();
            assert_eq!(own.len(), 300);
            assert!(own.is_sorted(), "{stream}");
        }
    }
}
