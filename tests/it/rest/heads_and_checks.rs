//! What holds for every request: checks and their order, parameters, HEAD (docs/protocol.md, section 2).

use std::collections::BTreeSet;

use serde_json::json;

use crate::harness::{Answer, Store, read_answer, read_answer_to_head, send};

/// Every path with the methods that it has, OPTIONS aside.
const PATHS: &[(&str, &[&str])] = &[
    ("/", &["GET", "HEAD"]),
    ("/docs", &["GET", "HEAD"]),
    ("/ping", &["GET", "HEAD"]),
    ("/health", &["GET", "HEAD"]),
    ("/metrics", &["GET", "HEAD"]),
    ("/token", &["POST"]),
    ("/streams/", &["GET", "HEAD"]),
    ("/streams/one", &["DELETE", "GET", "HEAD", "PUT"]),
    ("/data/one", &["GET", "HEAD", "POST"]),
    ("/data/one/push", &["GET"]),
    ("/data/one/pull", &["GET"]),
];

const METHODS: &[&str] = &["DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"];

#[test]
fn a_method_that_a_path_lacks_is_405_and_allow_names_those_it_has() {
    let store = Store::start();
    for (path, has) in PATHS {
        // HEAD is left out: its reply has no body, and the sockets' paths may or may not have it.
        for method in METHODS.iter().filter(|m| !has.contains(m) && **m != "HEAD") {
            let body: Option<&[u8]> = ["PATCH", "POST", "PUT"].contains(method).then_some(b"");
            let answer = store.ask(method, path, &[], body).expect(405);
            let allowed = words(answer.header("allow").expect("an Allow header"));
            for method in *has {
                assert!(allowed.contains(*method), "{method} of {path} in {allowed:?}");
            }
            assert!(!allowed.contains(*method), "{method} of {path} in {allowed:?}");
            answer.detail();
        }
    }
}

#[test]
fn a_method_that_nobody_knows_is_405() {
    let store = Store::start();
    let answer = store.exchange(store.head("BREW", "/streams/", &[])).expect(405);
    assert!(words(answer.header("allow").expect("an Allow header")).contains("GET"));
}

#[test]
fn the_order_of_checks_is_path_method_token_parameters_body() {
    let store = Store::start();
    // Each request has every fault but those named before it.
    let multipart = ("Content-Type", "multipart/form-data");
    store
        .ask("POST", "/nope?count=x", &[multipart], Some(b"garbage"))
        .expect(404);
    store
        .ask("PUT", "/data/XMETA:x", &[multipart], Some(b"garbage"))
        .expect(405);
    store
        .ask("POST", "/data/XMETA:x", &[multipart], Some(b"garbage"))
        .expect(401);
    store
        .post("/data/XMETA:x", "multipart/form-data", b"garbage")
        .expect(422);
    store.post("/data/x", "multipart/form-data", b"garbage").expect(400);
    store.ask("DELETE", "/streams/", &[], None).expect(405);
    store.ask("GET", "/data/x?count=x", &[], None).expect(401);
}

#[test]
fn head_answers_as_get_does_but_without_the_body() {
    let store = Store::start();
    store.add("one", &[b"first", b"second"]);
    let has_get = PATHS.iter().filter(|(_, methods)| methods.contains(&"HEAD"));
    for path in
        has_get
            .map(|(path, _)| *path)
            .chain(["/data/one?count=2", "/data/one?count=0", "/streams/one?report_error=1"])
    {
        let get = store.get(path);
        let mut stream = store.raw();
        send(&mut stream, store.head("HEAD", path, &[]));
        let head = read_answer_to_head(&mut stream);
        assert_eq!(head.status, get.status, "{path}");
        for name in [
            "content-type",
            "entry-offset",
            "cache-control",
            "content-security-policy",
        ] {
            assert_eq!(head.header(name), get.header(name), "{name} of {path}");
        }
        if path != "/metrics" {
            assert_eq!(head.header("content-length"), get.header("content-length"), "{path}");
        }
        // A body sent by mistake would be read as the next reply.
        send(&mut stream, store.head("GET", "/ping", &[]));
        assert_eq!(
            read_answer(&mut stream).expect(200).text(),
            "true\n",
            "after HEAD {path}"
        );
    }
}

#[test]
fn the_heads_of_refusals_are_what_they_were_to_the_byte() {
    let store = Store::start();
    let names = |request: String| {
        let answer = store.exchange(request);
        let names: Vec<String> = answer.headers.into_iter().map(|(name, _)| name).collect();
        names.join(" ")
    };
    let expected = "server date content-length connection x-content-type-options content-type";
    assert_eq!(names("nonsense\r\n\r\n".into()), expected);
    assert_eq!(names(store.head("POST", "/data/one", &[])), expected);
}

#[test]
fn only_the_contracts_few_paths_are_open_without_a_token() {
    let store = Store::start();
    for path in ["/", "/docs", "/ping", "/health", "/metrics"] {
        store.ask("GET", path, &[], None).expect(200);
    }
    let closed: [(&str, &str, Option<&[u8]>); 9] = [
        ("GET", "/streams/", None),
        ("GET", "/streams/one", None),
        ("PUT", "/streams/one", Some(b"")),
        ("DELETE", "/streams/one", None),
        ("GET", "/data/one", None),
        ("POST", "/data/one", Some(b"x")),
        ("HEAD", "/data/one", None),
        ("GET", "/data/one/push", None),
        ("GET", "/data/one/pull", None),
    ];
    for (method, path, body) in closed {
        let answer = store.ask(method, path, &[], body).expect(401);
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{method} {path}");
        if method != "HEAD" {
            assert_eq!(answer.json(), json!({"detail": "Not authenticated"}));
        }
    }
    let keys: usize = store.redis.command(&["DBSIZE"]);
    assert_eq!(keys, 0);
}

#[test]
fn a_websocket_path_without_an_upgrade_is_400_with_a_detail() {
    let store = Store::start();
    for path in ["/data/one/push", "/data/one/pull"] {
        let detail = store.get(path).expect(400).detail();
        assert!(detail.to_lowercase().contains("websocket"), "{detail}");
    }
}

#[test]
fn errors_are_json_with_a_sentence() {
    let store = Store::start();
    let answers: [Answer; 4] = [
        store.get("/nope"),
        store.put("/ping"),
        store.ask("GET", "/streams/", &[], None),
        store.delete("/streams/none"),
    ];
    for answer in answers {
        assert!(!answer.detail().is_empty());
    }
}

fn words(list: &str) -> BTreeSet<String> {
    list.split(',').map(|word| word.trim().to_owned()).collect()
}
