//! docs/protocol.md, section 9: batches with ids whose fate is unknown because the connection to Redis broke are stored once.

use crate::harness::wire::{close, length, ping, stored, stored_data};
use crate::harness::{Manner, PATIENCE, Proxy, Redis, Socket, Store, eventually, receive_text, send_binary, send_text};

const REPORTED: &str = "batch=true&ack=true&on_error=report";
const KEEP_ALL: [&str; 4] = ["--max-len", "10000000", "--redis-patience", "60s"];

fn start() -> (Redis, Proxy, Store) {
    let redis = Redis::start();
    let proxy = Proxy::to(&redis);
    let store = Store::through(&proxy, &redis, &KEEP_ALL);
    (redis, proxy, store)
}

fn any(store: &Store) -> Socket {
    store.socket(&format!("/data/*/push?{REPORTED}"))
}

fn send(socket: &mut Socket, header: &str, blob: &[u8]) {
    send_text(socket, header);
    send_binary(socket, blob);
}

/// Sends a batch that Redis gets, but whose answer the store never sees; what the client is told in the end.
fn send_without_an_answer(proxy: &Proxy, redis: &Redis, socket: &mut Socket, header: &str, blob: &[u8]) -> String {
    send_and_meanwhile(proxy, redis, socket, (header, blob), || {})
}

/// The same, and what happens to the stream before the store tries again.
fn send_and_meanwhile(
    proxy: &Proxy,
    redis: &Redis,
    socket: &mut Socket,
    (header, blob): (&str, &[u8]),
    meanwhile: impl FnOnce(),
) -> String {
    let before = length(redis, "s");
    redis.command::<()>(&["CLIENT", "PAUSE", "60000", "WRITE"]);
    send(socket, header, blob);
    let waits = |line: &str| line.contains(" flags=b ") && line.contains(" cmd=eval ");
    eventually(PATIENCE, || {
        let clients: String = redis.command(&["CLIENT", "LIST"]);
        clients.lines().any(waits)
    });
    proxy.set(Manner::Swallow);
    redis.command::<()>(&["CLIENT", "UNPAUSE"]);
    eventually(PATIENCE, || length(redis, "s") > before);
    meanwhile();
    proxy.set(Manner::Pass);
    receive_text(socket)
}

#[test]
fn answers_that_break_off_at_any_byte_neither_lose_nor_repeat_a_batch_with_ids() {
    let (redis, proxy, store) = start();
    let mut push = any(&store);
    let mut ids = Vec::new();
    // As long as what is answered, if the descriptions are known.
    for (n, byte) in (0..=34).step_by(2).enumerate() {
        let id = format!("{}-7", n + 1);
        let broken = proxy.broken();
        proxy.cut_and(Manner::CutAfter(byte));
        send(&mut push, &format!(r#"[["a","{id}",0],["b","{id}",2]]"#), b"xxyy");
        eventually(PATIENCE, || proxy.broken() > broken);
        proxy.set(Manner::Pass);
        assert_eq!(receive_text(&mut push), format!("{id},{id}"));
        ids.push(id);
    }
    assert!(close(&mut push).is_empty());
    for (stream, data) in [("a", b"xx"), ("b", b"yy")] {
        let expected: Vec<_> = ids.iter().map(|id| (id.clone(), data.to_vec())).collect();
        assert_eq!(stored(&redis, stream), expected);
    }
}

#[test]
fn a_batch_that_was_stored_unheard_is_acknowledged_and_not_refused() {
    let (redis, proxy, store) = start();
    let mut push = any(&store);
    let header = r#"[["s","5-1",0],["t","4-1",1],["s","5-2",1]]"#;
    let told = send_without_an_answer(&proxy, &redis, &mut push, header, b"ac");
    assert_eq!(told, "5-1,4-1,5-2");
    assert_eq!(stored_data(&redis, "s"), [b"a", b"c"]);
    assert_eq!(stored_data(&redis, "t"), [b""]);
    send(&mut push, header, b"ac");
    assert!(receive_text(&mut push).contains("is not larger than 5-2"));
}

#[test]
fn a_batch_that_was_stored_unheard_and_trimmed_at_once_is_acknowledged() {
    let (redis, proxy, store) = start();
    store.put("/streams/s?max_len=10").expect(200);
    let mut push = any(&store);
    let ids: Vec<String> = (0..1000).map(|n| format!("5-{n}")).collect();
    let items: Vec<String> = ids.iter().map(|id| format!(r#"["s","{id}",0]"#)).collect();
    let told = send_without_an_answer(&proxy, &redis, &mut push, &format!("[{}]", items.join(",")), b"");
    assert_eq!(told, ids.join(","));
    assert!(length(&redis, "s") < 200);
}

#[test]
fn a_batch_that_was_not_stored_is_refused_if_others_took_its_ids_meanwhile() {
    let (redis, proxy, store) = start();
    for (theirs, newest) in [(&["5-1", "5-2"][..], "5-2"), (&["5-1"], "5-1"), (&["9-9"], "9-9")] {
        let _: () = redis.command(&["DEL", "s"]);
        let mut push = any(&store);
        proxy.set(Manner::Hold);
        send(&mut push, r#"[["s","5-1",0],["s","5-2",4]]"#, b"oursours");
        // The store has read it, and has said it to nobody.
        assert_eq!(ping(&mut push), []);
        for id in theirs {
            let _: String = redis.command(&["XADD", "s", id, "d", "theirs"]);
        }
        proxy.cut_and(Manner::Pass);
        let told = receive_text(&mut push);
        assert!(
            told.contains(&format!("id 5-1 is not larger than {newest}, the newest of 's'\"")),
            "{told}"
        );
        assert!(stored_data(&redis, "s").iter().all(|data| data == b"theirs"));
    }
}

#[test]
fn a_batch_that_was_stored_unheard_is_refused_if_its_ids_have_other_bytes_by_now() {
    let (redis, proxy, store) = start();
    for (theirs, same) in [
        (["theirs", "theirs"], false),
        (["ours", "theirs"], false),
        (["ours", "ours"], true),
    ] {
        let _: () = redis.command(&["DEL", "s"]);
        let mut push = any(&store);
        let header = r#"[["s","5-1",0],["s","5-2",4]]"#;
        let told = send_and_meanwhile(&proxy, &redis, &mut push, (header, b"oursours"), || {
            let _: () = redis.command(&["DEL", "s"]);
            for (id, data) in ["5-1", "5-2"].into_iter().zip(theirs) {
                let _: String = redis.command(&["XADD", "s", id, "d", data]);
            }
        });
        match same {
            true => assert_eq!(told, "5-1,5-2"),
            false => assert!(told.contains("id 5-1 is not larger than 5-2"), "{theirs:?}: {told}"),
        }
        assert_eq!(stored_data(&redis, "s"), theirs.map(|data| data.as_bytes()));
    }
}

#[test]
fn an_entry_with_the_same_bytes_and_other_fields_is_not_the_one_that_was_sent() {
    let (redis, proxy, store) = start();
    for fields in [&["x", "ours"][..], &["d", "ours", "more", "x"]] {
        let _: () = redis.command(&["DEL", "s"]);
        let mut push = any(&store);
        let told = send_and_meanwhile(&proxy, &redis, &mut push, (r#"[["s","5-1",0]]"#, b"ours"), || {
            let _: () = redis.command(&["DEL", "s"]);
            let _: String = redis.command(&[&["XADD", "s", "5-1"], fields].concat());
        });
        assert!(told.contains("id 5-1 is not larger than 5-1"), "{fields:?}: {told}");
    }
}

#[test]
fn a_refusal_of_a_batch_with_other_ids_says_that_it_may_be_stored() {
    let (redis, proxy, store) = start();
    let mut push = any(&store);
    for (n, id) in [(5, "*"), (6, "null"), (7, "9-*")].into_iter() {
        let _: () = redis.command(&["DEL", "s"]);
        let id = if id == "null" {
            id.to_owned()
        } else {
            format!("\"{id}\"")
        };
        let header = format!(r#"[["s","{n}-1",0],["s",{id},1]]"#);
        let told = send_without_an_answer(&proxy, &redis, &mut push, &header, b"xy");
        assert!(told.contains("it may be stored"), "{told}");
        assert_eq!(stored_data(&redis, "s"), [b"x", b"y"]);
    }
    send(&mut push, r#"[["s","1-1",0]]"#, b"x");
    assert!(!receive_text(&mut push).contains("it may be stored"));
}

#[test]
fn without_ids_a_batch_for_several_streams_is_stored_again_as_a_whole() {
    let (redis, proxy, store) = start();
    let mut push = any(&store);
    let header = r#"[["s","*",0],["t",null,1]]"#;
    let told = send_without_an_answer(&proxy, &redis, &mut push, header, b"xy");
    let told: Vec<&str> = told.split(',').collect();
    for (stream, id, data) in [("s", told[0], b"x"), ("t", told[1], b"y")] {
        let found = stored(&redis, stream);
        assert_eq!(found.iter().filter(|entry| entry.1 == data).count(), 2);
        assert_eq!(found.last().map(|entry| entry.0.as_str()), Some(id));
    }
}

#[test]
fn batches_with_ids_are_there_once_after_redis_was_killed_and_restarted() {
    let redis = Redis::start_durable();
    let store = Store::on(&redis, &KEEP_ALL);
    let mut push = any(&store);
    let mut sent = 0_u64;
    let mut round = |push: &mut Socket| {
        sent += 1;
        send(push, &format!(r#"[["s","{sent}-1",0],["t","{sent}-1",1]]"#), b"xy");
        assert_eq!(receive_text(push), format!("{sent}-1,{sent}-1"));
    };
    for _ in 0..3 {
        for _ in 0..20 {
            round(&mut push);
        }
        std::thread::scope(|scope| {
            let pushing = scope.spawn(|| (0..40).for_each(|_| round(&mut push)));
            redis.kill();
            redis.restart();
            pushing.join().expect("the client");
        });
    }
    let expected: Vec<String> = (1..=sent).map(|n| format!("{n}-1")).collect();
    for stream in ["s", "t"] {
        let found: Vec<String> = stored(&redis, stream).into_iter().map(|entry| entry.0).collect();
        assert!(found == expected, "lost or repeated in {stream}");
    }
}
