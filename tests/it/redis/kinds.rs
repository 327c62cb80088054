//! What is not a Redis that the store can use is called what it is: when the store starts, in the log, and in the detail of
//! `GET /ping` (docs/operations.md).

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::harness::wire::{add, closes_with, length};
use crate::harness::{
    Manner, PATIENCE, Program, Proxy, Redis, Store, eventually, receive_reply, receive_text, send_binary, send_text,
};

/// Something that listens and is no Redis; it treats every connection like this.
fn listener(treat: impl Fn(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || listener.incoming().flatten().for_each(treat));
    format!("redis://{address}")
}

/// Reads what was asked and answers this.
fn answering(bytes: &'static [u8]) -> String {
    listener(move |mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(bytes);
        // Closing with something unread would take the answer back.
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read(&mut [0; 4096]);
    })
}

/// Starts a store on this URL, and looks for these words wherever it speaks of its Redis.
#[track_caller]
fn is_told(url: &str, words: &[&str]) {
    let store = Program::start(&["--redis", url]);
    let answer = store.get("/ping").expect(503);
    let log = store.log();
    let at_start = log
        .lines()
        .filter(|line| line.contains("Redis at ") || line.starts_with("                 "));
    // What has special characters is in quotes there, with escapes.
    let at_start = at_start.collect::<String>().replace("\\\\", "\\");
    for word in words {
        assert!(answer.detail().contains(word), "{word}: {}", answer.detail());
        assert!(at_start.contains(word), "{word}: {log}");
    }
    assert!(!log.contains("secret"), "{log}");
    assert_eq!(store.metric("ptg_redis_up"), 0.0);
    let answer = store.post("/data/s", "image/png", b"x").expect(503);
    assert!(answer.detail().contains(words[0]), "{}", answer.detail());
}

#[test]
fn a_wrong_password_a_missing_one_and_one_too_many() {
    let redis = Redis::start();
    let url = |sign_in: &str| format!("redis://{sign_in}127.0.0.1:{}", redis.port());
    redis.command::<()>(&["ACL", "SETUSER", "ada", "on", ">secret", "~*", "+@all"]);
    is_told(
        &url("ada:secretly@"),
        &["refuses the user name or the password", "WRONGPASS"],
    );
    is_told(
        &url("nobody:secret@"),
        &["refuses the user name or the password", "WRONGPASS"],
    );
    is_told(&url(":secret@"), &["has no password"]);
    redis.command::<()>(&["ACL", "SETUSER", "default", "resetpass", "off"]);
    is_told(&url(""), &["wants a password", "NOAUTH"]);
}

#[test]
fn a_password_that_is_set_later_is_told_once_connections_are_made_anew() {
    let redis = Redis::start();
    let proxy = Proxy::to(&redis);
    let store = Store::through(&proxy, &redis, &[]);
    store.get("/ping").expect(200);
    let mut hand = redis.connection();
    let mut require = |password| {
        let mut set = redis::cmd("CONFIG");
        set.arg(&["SET", "requirepass", password])
            .exec(&mut hand)
            .expect("to set");
    };
    require("secret");
    proxy.cut_and(Manner::Pass);
    eventually(PATIENCE, || {
        let answer = store.get("/ping");
        answer.status == 503 && answer.detail().contains("wants a password")
    });
    require("");
    eventually(PATIENCE, || store.get("/ping").status == 200);
}

#[test]
fn a_database_that_is_not_there() {
    let redis = Redis::start();
    is_told(&format!("{}/99", redis.url()), &["database 99", "out of range"]);
}

#[test]
fn what_is_no_redis() {
    is_told(
        &answering(b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n"),
        &["is no Redis", "HTTP/1.1 400 Bad Request"],
    );
    is_told(
        &answering(b"<!DOCTYPE HTML>\n<html>"),
        &["is no Redis", "<!DOCTYPE HTML>"],
    );
    is_told(
        &answering(b"SSH-2.0-OpenSSH_9.2\x1b]0;\x07\r\n"),
        &["is no Redis", "SSH-2.0-OpenSSH_9.2\\x1b]0;\\x07"],
    );
    is_told(&answering(b"\x15\x03\x01\x00\x02\x02\x46"), &["TLS"]);
    is_told(&answering(b""), &["ends the connection without an answer", "TLS"]);
    is_told(
        &answering(b"-DENIED Redis is running in protected mode\r\n"),
        &["protected mode"],
    );
    is_told(
        &answering(b"-ERR max number of clients reached\r\n"),
        &["no connection left"],
    );
    is_told(
        &listener(|stream| {
            std::mem::forget(stream);
        }),
        &["no answer within 1s"],
    );
}

#[test]
fn a_sentinel() {
    let said = b"*4\r\n$6\r\nserver\r\n$5\r\nredis\r\n$4\r\nmode\r\n$8\r\nsentinel\r\n\
        -ERR unknown command 'EVAL'\r\n-ERR unknown command 'MULTI'\r\n-ERR unknown command 'EXEC'\r\n";
    is_told(&answering(said), &["Sentinel"]);
}

/// One node that has all slots.
fn cluster() -> Redis {
    let redis = Redis::start_with(&["--cluster-enabled", "yes"]);
    redis.command::<()>(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    eventually(PATIENCE, || {
        let info: String = redis.command(&["CLUSTER", "INFO"]);
        info.contains("cluster_state:ok")
    });
    redis
}

#[test]
fn a_cluster_of_one_node_serves_single_streams() {
    let redis = cluster();
    let store = Store::on(&redis, &[]);
    store.get("/ping").expect(200);
    store.put("/streams/a?max_len=7").expect(200);
    store.add("a", &[b"x", b"y"]);
    let mut push = store.push("a", "batch=true&ack=true");
    send_text(&mut push, "0,1");
    send_binary(&mut push, b"zz");
    receive_text(&mut push);
    let mut pull = store.pull("a", "last_entry_id=0&count=9");
    assert_eq!(receive_reply(&mut pull).len(), 4);
    assert_eq!(store.get("/streams/").expect(200).json(), serde_json::json!(["a"]));
    store.delete("/streams/a").expect(200);
    assert_eq!(store.get("/streams/").expect(200).json(), serde_json::json!([]));
    store.delete("/streams/a").expect(400);
    // A description alone, and entries alone.
    store.put("/streams/a").expect(200);
    store.delete("/streams/a").expect(200);
    store.add("a", &[b"x"]);
    store.delete("/streams/a").expect(200);
    store.delete("/streams/a").expect(400);
}

#[test]
fn a_cluster_refuses_several_streams_before_a_socket_is_opened_or_anything_is_stored() {
    let redis = cluster();
    let store = Store::on(&redis, &[]);
    for stream in ["a", "b"] {
        add(&redis, stream, &[b"x"]);
    }
    let bearer = store.bearer();
    for path in ["/data/a+b/pull", "/data/a+b/push?batch=true"] {
        let answer = store.socket_answer(path, &[("Authorization", &bearer)]).expect(500);
        assert!(answer.detail().contains("cluster mode"), "{path}: {}", answer.detail());
    }
    let mut push = store.socket("/data/*/push?batch=true&ack=true");
    send_text(&mut push, r#"[["a","*",0],["b","*",1]]"#);
    send_binary(&mut push, b"xy");
    assert!(closes_with(&mut push, 1011).contains("cluster mode"));
    assert_eq!((length(&redis, "a"), length(&redis, "b")), (1, 1));
    // Names with one hash tag are together.
    for stream in ["{lab}a", "{lab}b"] {
        add(&redis, stream, &[b"x"]);
    }
    let mut pull = store.socket("/data/%7Blab%7Da+%7Blab%7Db/pull?last_entry_id=0&count=9");
    pull.read().expect("a message");
    let mut push = store.socket("/data/*/push?batch=true&ack=true");
    send_text(&mut push, r#"[["{lab}a","*",0],["{lab}b","*",1]]"#);
    send_binary(&mut push, b"xy");
    receive_text(&mut push);
}

#[test]
fn a_cluster_without_its_slots_is_told() {
    let redis = Redis::start_with(&["--cluster-enabled", "yes"]);
    is_told(&redis.url(), &["its cluster is down", "CLUSTERDOWN"]);
}

#[test]
fn streams_on_other_nodes_of_a_cluster_are_refused_as_what_they_are() {
    let nodes = [(); 2].map(|()| Redis::start_with(&["--cluster-enabled", "yes", "--cluster-port", &free_port()]));
    for (node, slots) in nodes.iter().zip([["0", "8191"], ["8192", "16383"]]) {
        node.command::<()>(&[&["CLUSTER", "ADDSLOTSRANGE"], &slots[..]].concat());
    }
    let bus: Vec<String> = nodes[1].command(&["CONFIG", "GET", "cluster-port"]);
    nodes[0].command::<()>(&["CLUSTER", "MEET", "127.0.0.1", &nodes[1].port().to_string(), &bus[1]]);
    eventually(PATIENCE, || {
        nodes.iter().all(|node| {
            node.command::<String>(&["CLUSTER", "INFO"])
                .contains("cluster_state:ok")
        })
    });
    let store = Store::on(&nodes[0], &[]);
    store.get("/ping").expect(200);
    // The slot of "a" is 15495, that of "b" is 3300.
    let answer = store.post("/data/a", "image/png", b"x").expect(500);
    assert!(
        answer.detail().contains("cluster mode") && answer.detail().contains("MOVED"),
        "{}",
        answer.detail()
    );
    let slot: u16 = nodes[0].command(&["CLUSTER", "KEYSLOT", "XMETA:b"]);
    assert_eq!(store.post("/data/b", "image/png", b"x").status == 200, slot < 8192);
    let answer = store
        .socket_answer("/data/a/pull", &[("Authorization", &store.bearer())])
        .expect(500);
    assert!(answer.detail().contains("MOVED"), "{}", answer.detail());
}

fn free_port() -> String {
    crate::harness::next_port().to_string()
}
