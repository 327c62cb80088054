//! docs/pages.md: a page of strangers whose name was made to point at this machine (DNS rebinding) gets nothing. Browsers say in
//! `Host` which name they asked.

use crate::harness::{Answer, Program, Store};

#[track_caller]
fn ask(store: &Store, line: &str, host: &str) -> Answer {
    let bearer = store.bearer();
    store.exchange(format!(
        "{line} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {bearer}\r\nContent-Length: 0\r\n\r\n"
    ))
}

#[test]
fn what_was_sent_to_a_foreign_name_is_not_answered_whatever_it_asks() {
    let store = Store::start();
    store.add("s", &[b"entry"]);
    for line in [
        "GET /",
        "GET /health",
        "GET /metrics",
        "GET /streams/",
        "GET /data/s",
        "GET /data/s?follow=true",
        "GET /mjpeg/s",
        "PUT /streams/new",
        "DELETE /streams/s",
        "POST /token",
        "OPTIONS /data/s",
        "GET /nowhere",
        "GET /v2/data/s",
    ] {
        for host in ["evil.example", "evil.example:7890", "127.0.0.1.evil.example"] {
            let answer = ask(&store, line, host).expect(421);
            assert!(answer.detail().contains("--allow-host"), "{line} {host}: {answer:?}");
        }
    }
    for path in ["/data/s/push", "/data/s/pull"] {
        // To its browser such a page is of the same origin.
        let headers = [
            ("Host", "evil.example"),
            ("Origin", "http://evil.example"),
            ("Authorization", &store.bearer()),
        ];
        store.socket_answer(path, &headers).expect(421);
    }
    assert_eq!(store.get("/streams/").expect(200).json(), serde_json::json!(["s"]));
}

#[test]
fn names_and_addresses_of_this_machine_are_answered_with_any_port() {
    let store = Store::start();
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("the machine's name");
    let name = name.trim();
    let port = store.addr().port();
    for host in [
        "localhost",
        "LOCALHOST:1",
        "localhost.",
        "a.localhost:7890",
        "127.0.0.1",
        "127.1.2.3:65535",
        // As inet_aton(3) reads them, and programs send them.
        "127.1",
        "0x7f000001",
        "2130706433",
        "[::1]:7890",
        &format!("127.0.0.1:{port}"),
        name,
        &format!("{name}:7890"),
        &format!("{}.local", name.split('.').next().unwrap_or(name)),
    ] {
        ask(&store, "GET /streams/", host).expect(200);
    }
    // As HTTP/1.0 has it.
    store.exchange("GET /ping HTTP/1.0\r\n\r\n").expect(200);
}

#[test]
fn other_spellings_and_addresses_are_foreign_and_what_is_no_host_is_400() {
    let store = Store::start();
    for host in [
        "0.0.0.0",
        "[::]",
        "203.0.113.5",
        "[2001:db8::1]",
        "localhost.evil.example",
        "evillocalhost",
        "notlocalhost:80",
        "*",
        "null",
        "localhost..",
        "255.255.255.255",
    ] {
        let answer = ask(&store, "GET /streams/", host);
        assert!([400, 421].contains(&answer.status), "{host}: {answer:?}");
    }
    for host in [
        "localhost:x",
        "localhost:99999",
        "ada@localhost",
        "localhost/",
        "local host",
        "[::1",
        "[localhost]",
        "localhost, evil.example",
    ] {
        let answer = ask(&store, "GET /streams/", host);
        assert_eq!(answer.status, 400, "{host}: {answer:?}");
    }
}

#[test]
fn an_absolute_target_says_which_name_was_asked_and_the_header_does_not() {
    let store = Store::start();
    let own = store.addr().to_string();
    let bearer = store.bearer();
    let ask = |target: &str, host: &str| {
        let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {bearer}\r\n\r\n");
        store.exchange(request).status
    };
    assert_eq!(ask(&format!("http://{own}/streams/"), "evil.example"), 200);
    assert_eq!(ask("http://evil.example/streams/", &own), 421);
    assert_eq!(ask(&format!("http://ada@{own}/streams/"), &own), 400);
    // And which origin is our own.
    let page = |target: &str, origin: &str| {
        let cookie = format!("Cookie: authorization=\"{bearer}\"");
        let head = format!(
            "PUT {target} HTTP/1.1\r\nHost: localhost:1\r\nOrigin: {origin}\r\n{cookie}\r\nContent-Length: 0\r\n\r\n"
        );
        store.exchange(head).status
    };
    let target = format!("http://{own}/streams/s?override=1");
    assert_eq!(page(&target, &format!("http://{own}")), 200);
    assert_eq!(page(&target, "http://localhost:1"), 403);
}

#[test]
fn what_a_proxy_was_asked_for_counts_as_well() {
    let store = Store::start();
    let ask = |forwarded: &str| {
        store
            .exchange(store.head("GET", "/ping", &[&format!("X-Forwarded-Host: {forwarded}")]))
            .status
    };
    assert_eq!(ask("localhost:8080"), 200);
    assert_eq!(ask("evil.example"), 421);
    assert_eq!(ask("localhost, evil.example"), 421);
    assert_eq!(ask("localhost/"), 400);
    // A proxy that has nothing to tell.
    assert_eq!(ask(""), 200);
}

#[test]
fn the_flag_opens_names_and_addresses_or_all_of_them() {
    let store = Store::with(&["--allow-host", "Lab.example", "--allow-host", "192.0.2.7"]);
    for (host, status) in [
        ("LAB.example:1", 200),
        ("192.0.2.7", 200),
        ("x.lab.example", 421),
        ("192.0.2.70", 421),
    ] {
        assert_eq!(ask(&store, "GET /ping", host).status, status, "{host}");
    }
    let store = Store::with(&["--allow-host", "*"]);
    for (host, status) in [("evil.example", 200), ("203.0.113.5:1", 200), ("evil example", 400)] {
        assert_eq!(ask(&store, "GET /ping", host).status, status, "{host}");
    }
}

#[test]
fn the_address_to_listen_on_is_a_name_of_the_store() {
    let redis = crate::harness::Redis::start();
    let store = Program::start(&["--listen", "0.0.0.0:0", "--insecure-dev-auth", "--redis", &redis.url()]);
    let request = format!("GET /ping HTTP/1.1\r\nHost: 0.0.0.0:{}\r\n\r\n", store.addr().port());
    store.exchange(request).expect(200);
    store
        .exchange("GET /ping HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        .expect(421);
}
