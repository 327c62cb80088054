//! Which path names which resource, and which stream names there are (docs/protocol.md, sections 2 and 4).

use serde_json::json;

use crate::harness::{Store, encode};

#[test]
fn a_path_with_and_without_a_trailing_slash_is_the_same_resource() {
    let store = Store::start();
    store.put("/streams/one/").expect(200);
    store.add("one", &[b"entry"]);
    for path in ["/ping", "/health", "/streams", "/streams/one", "/data/one"] {
        let without = store.get(path).expect(200);
        let with = store.get(&format!("{path}/")).expect(200);
        assert_eq!(without.body, with.body, "{path}");
    }
    for path in ["/token", "/token/"] {
        let form = "username=a&password=a";
        let answer = store.post(path, "application/x-www-form-urlencoded", form.as_bytes());
        answer.expect(200);
    }
    store.post("/data/one/", "image/png", b"x").expect(200);
    store.delete("/streams/one/").expect(200);
}

#[test]
fn a_websocket_path_may_end_in_a_slash() {
    let store = Store::start();
    for path in ["/data/one/push/", "/data/one/pull/", "/data/one/push", "/data/one/pull"] {
        let answer = store.socket_answer(path, &[("Authorization", &store.bearer())]);
        answer.expect(101);
    }
}

#[test]
fn the_query_may_follow_a_trailing_slash() {
    let store = Store::start();
    store.add("one", &[b"a", b"b"]);
    assert_eq!(store.get("/data/one/?count=2").expect(200).body, b"ab");
}

#[test]
fn a_percent_encoded_name_is_decoded_as_utf8() {
    let store = Store::start();
    for name in [
        "流れ",
        "größe",
        "a b",
        "100%",
        "a?b#c",
        "dev:0",
        "x&y=z",
        "\"quoted\"",
        "🎥",
    ] {
        let path = format!("/streams/{}", encode(name));
        assert_eq!(store.put(&path).expect(200).json()["id"], name);
        store.add(name, &[name.as_bytes()]);
        let entries: usize = store.redis.command(&["XLEN", name]);
        assert_eq!(entries, 1, "{name}");
        let data = store.get(&format!("/data/{}", encode(name))).expect(200);
        assert_eq!(data.body, name.as_bytes());
        let all = store.get("/streams/").expect(200).json();
        assert!(
            all.as_array().is_some_and(|all| all.contains(&json!(name))),
            "{name} in {all}"
        );
        store.delete(&path).expect(200);
    }
}

#[test]
fn a_percent_sign_is_decoded_once() {
    let store = Store::start();
    let answer = store.put("/streams/a%2541").expect(200);
    assert_eq!(answer.json()["id"], "a%41");
}

#[test]
fn a_plus_in_a_path_stays_a_plus() {
    let store = Store::start();
    for path in ["/streams/a+b", "/streams/a%2Bb?override=true"] {
        assert_eq!(store.put(path).expect(200).json()["id"], "a+b");
    }
    store.post("/data/a+b", "image/png", b"x").expect(200);
    let entries: usize = store.redis.command(&["XLEN", "a+b"]);
    assert_eq!(entries, 1);
}

#[test]
fn a_name_with_a_slash_is_refused() {
    assert_refused("a%2Fb");
    assert_refused("%2F");
    assert_refused("a%2f");
}

#[test]
fn a_name_that_is_a_descriptions_key_is_refused() {
    assert_refused("XMETA:one");
    assert_refused("XMETA:");
    assert_refused("%58META%3Aone");
    assert_allowed("XMETA");
    assert_allowed("xmeta:one");
    assert_allowed("one:XMETA:");
}

#[test]
fn a_name_has_at_most_256_bytes() {
    assert_allowed(&"n".repeat(256));
    assert_refused(&"n".repeat(257));
    // Bytes and not characters: an é has two.
    assert_allowed(&encode(&"é".repeat(128)));
    assert_refused(&encode(&"é".repeat(129)));
}

#[test]
fn a_name_with_control_characters_is_refused() {
    for name in ["%00", "a%0Ab", "%1F", "a%7F", "tab%09", "%C2%85"] {
        assert_refused(name);
    }
}

#[test]
fn a_name_that_is_not_utf8_is_refused() {
    for name in ["%FF", "a%C3", "%ED%A0%80"] {
        assert_refused(name);
    }
}

#[test]
fn names_that_mean_something_to_redis_or_to_paths_are_names_like_any_other() {
    for name in ["*", "$", "0-0", "%2E%2E", "%2E", "{tag}", "-", "null"] {
        assert_allowed(name);
    }
}

#[test]
fn an_unknown_path_is_404_not_found() {
    let store = Store::start();
    let paths = [
        "/nope",
        "/streams/a/b",
        "/data",
        "/data/",
        "/data/x/other",
        "/data/x/push/more",
        "/Streams",
        "/pin",
        "/pings",
        "/token/x",
        "/data/x/PUSH",
    ];
    for path in paths {
        let answer = store.get(path).expect(404);
        assert_eq!(answer.json(), json!({"detail": "Not Found"}), "{path}");
    }
}

#[track_caller]
fn assert_allowed(segment: &str) {
    let store = Store::start();
    store.put(&format!("/streams/{segment}")).expect(200);
    store.get(&format!("/streams/{segment}")).expect(200);
    store.post(&format!("/data/{segment}"), "image/png", b"x").expect(200);
    assert_eq!(store.get(&format!("/data/{segment}")).expect(200).body, b"x");
}

/// Refused in every request that names a stream, and nothing is stored.
#[track_caller]
fn assert_refused(segment: &str) {
    let store = Store::start();
    let expected = [("stream_id".to_owned(), "value_error.stream_id".to_owned())];
    let streams = format!("/streams/{segment}");
    let data = format!("/data/{segment}");
    let answers = [
        store.put(&streams),
        store.get(&streams),
        store.delete(&streams),
        store.get(&data),
        store.post(&data, "image/png", b"x"),
        store.socket_answer(&format!("{data}/push"), &[("Authorization", &store.bearer())]),
        store.socket_answer(&format!("{data}/pull"), &[("Authorization", &store.bearer())]),
    ];
    for answer in answers {
        assert_eq!(answer.faults(), expected, "{segment}");
        assert_eq!(answer.json()["detail"][0]["loc"], json!(["path", "stream_id"]));
    }
    let keys: usize = store.redis.command(&["DBSIZE"]);
    assert_eq!(keys, 0, "{segment}");
}
