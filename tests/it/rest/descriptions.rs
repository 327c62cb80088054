//! Descriptions of streams: a PUT changes what it says and nothing else, and what was described comes back as it was written,
//! whoever wrote it.

use std::thread;

use serde_json::{Value, json};

use crate::harness::{Store, encode};

/// What a JSON parser with 64-bit numbers and sorted names would change.
const EXACT: &str = r#"{"z":12345678901234567890123,"a":0.1000000000000000055,"e":1E+2,"m":-0.0,"list":[1.50, {"k":1,"k":2}],"s":"\u00e4"}"#;

fn with_body(store: &Store, path: &str, body: &str) -> crate::harness::Answer {
    store.ask(
        "PUT",
        path,
        &[("Authorization", &store.bearer())],
        Some(body.as_bytes()),
    )
}

/// The description in Redis, as it is there.
fn kept(store: &Store, stream: &str) -> String {
    store.redis.command(&["GET", &format!("XMETA:{stream}")])
}

#[track_caller]
fn meta(store: &Store, stream: &str) -> Value {
    store.get(&format!("/streams/{stream}")).expect(200).json()["meta"].clone()
}

#[test]
fn a_put_with_override_keeps_what_it_does_not_say() {
    let store = Store::start();
    store
        .put(&format!("/streams/x?desc=first&max_len=5&meta={}", encode(EXACT)))
        .expect(200);
    store.add("x", &[b"kept"]);
    let first = kept(&store, "x");
    for (query, before, after) in [
        ("", "", ""),
        ("&max_len=9", "\"max_len\":5", "\"max_len\":9"),
        ("&desc=second", "first", "second"),
        ("&meta=%7B%22fps%22:30%7D", EXACT, "{\"fps\":30}"),
    ] {
        let expected = first.replace(before, after);
        let reply = store.put(&format!("/streams/x?override=true{query}")).expect(200);
        assert_eq!(reply.text(), format!("{expected}\n"), "{query}");
        assert_eq!(kept(&store, "x"), expected, "{query}");
        let _: () = store.redis.command(&["SET", "XMETA:x", &first]);
    }
    assert_eq!(store.get("/data/x").expect(200).body, b"kept");
}

#[test]
fn what_is_given_empty_is_the_default_again() {
    let store = Store::with(&["--max-len", "77"]);
    store
        .put("/streams/x?desc=first&max_len=5&meta=%7B%22fps%22:30%7D")
        .expect(200);
    let fields = |description: &str, metadata: Value, max_len: u64| json!({"id": "x", "description": description, "metadata": metadata, "max_len": max_len});
    let put = |query: &str| {
        store
            .put(&format!("/streams/x?override=true&{query}"))
            .expect(200)
            .json()
    };
    assert_eq!(put("desc="), fields("x", json!({"fps": 30}), 5));
    assert_eq!(put("max_len="), fields("x", json!({"fps": 30}), 77));
    assert_eq!(put("meta=%7B%7D"), fields("x", json!({}), 77));
    assert_eq!(meta(&store, "x"), fields("x", json!({}), 77));
}

#[test]
fn a_stream_without_description_gets_the_defaults_with_override_too() {
    let store = Store::start();
    store.add("pushed", &[b"x"]);
    for stream in ["pushed", "new"] {
        let expected = json!({"id": stream, "description": stream, "metadata": {}, "max_len": 9});
        assert_eq!(
            store
                .put(&format!("/streams/{stream}?override=true&max_len=9"))
                .expect(200)
                .json(),
            expected
        );
    }
}

#[test]
fn metadata_comes_back_with_every_digit_and_in_its_order() {
    let store = Store::start();
    let reply = store.put(&format!("/streams/x?meta={}", encode(EXACT))).expect(200);
    let member = format!("\"metadata\":{EXACT}");
    assert!(reply.text().contains(&member), "{}", reply.text());
    assert!(kept(&store, "x").contains(&member));
    let told = [
        store.get("/streams/x").expect(200),
        store.get("/streams/x?report_error=true").expect(400),
        with_body(&store, "/v2/streams/y", EXACT).expect(200),
        store.get("/v2/streams/y").expect(200),
        store.delete("/streams/x").expect(200),
    ];
    for answer in told {
        let text = answer.text();
        // A body is names and values rather than an object, so the white space around those is not kept.
        assert!(text.contains(&member), "{text}");
        answer.json();
    }
}

#[test]
fn metadata_that_not_everybody_reads_in_the_same_way_is_422_and_creates_nothing() {
    let store = Store::start();
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
    for metadata in [
        r#"{"a":1,"a":2}"#,
        r#"{"n":1e400}"#,
        r#"{"n":-1e400}"#,
        r#"{"s":"\ud800"}"#,
        &deep,
    ] {
        let fault = [("meta".to_owned(), "value_error.json".to_owned())];
        assert_eq!(
            store.put(&format!("/streams/x?meta={}", encode(metadata))).faults(),
            fault,
            "{metadata}"
        );
        assert_eq!(
            with_body(&store, "/v2/streams/x", metadata).faults(),
            fault,
            "{metadata}"
        );
    }
    assert_eq!(store.get("/streams/").expect(200).json(), json!([]));
}

#[test]
fn parameters_that_are_not_utf_8_are_422_and_change_nothing() {
    let store = Store::start();
    store.put("/streams/x?desc=first").expect(200);
    let before = kept(&store, "x");
    for name in ["desc", "meta", "override", "max_len"] {
        let faults = store.put(&format!("/streams/x?override=true&{name}=k%E4se")).faults();
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert_eq!(faults[0].0, name);
    }
    assert_eq!(store.put("/streams/x?desc=%FF&meta=%FE").faults().len(), 2);
    assert_eq!(kept(&store, "x"), before);
    // What nobody asks for is ignored, whatever it is.
    store.put("/streams/x?override=true&unknown=%FF&%FF=x").expect(200);
    for query in ["count=%FF", "last_entry_id=%FF", "format=%FF", "until=%FF", "token=%FF"] {
        store.get(&format!("/data/x?{query}")).expect(422);
        store
            .socket_answer(&format!("/data/x/pull?{query}"), &[("Authorization", &store.bearer())])
            .expect(422);
    }
    store.ask("GET", "/data/x?token=%FF", &[], None).expect(401);
    // It does not make way for another token.
    let cookie = format!("authorization={}", store.bearer());
    store
        .ask("GET", "/data/x?token=%FF", &[("Cookie", &cookie)], None)
        .expect(401);
}

#[test]
fn what_other_programs_described_is_shown_heeded_and_kept_as_they_wrote_it() {
    let store = Store::start();
    let theirs = r#"{"max_len":3, "owner": 12345678901234567890123,"huge":1e400,"half":"\ud800","owner":"again"}"#;
    let _: () = store.redis.command(&["SET", "XMETA:x", theirs]);
    let shown = store.get("/streams/x").expect(200);
    let compact = theirs.replace(", \"owner\": ", ",\"owner\":");
    assert!(
        shown.text().contains(&format!("\"meta\":{compact}")),
        "{}",
        shown.text()
    );
    store.put("/streams/x?desc=y").expect(400);
    let put = store.put("/streams/x?override=true&desc=y").expect(200);
    let theirs = compact.trim_end_matches('}');
    assert_eq!(
        put.text(),
        format!("{theirs},\"id\":\"x\",\"description\":\"y\",\"metadata\":{{}}}}\n")
    );
    assert_eq!(kept(&store, "x"), put.text().trim_end());
    // Redis trims whole nodes of 100 entries.
    let many: Vec<Vec<u8>> = (0..300).map(|n: usize| n.to_string().into_bytes()).collect();
    for entries in many.chunks(50) {
        store.add("x", &entries.iter().map(Vec::as_slice).collect::<Vec<_>>());
    }
    let length: usize = store.redis.command(&["XLEN", "x"]);
    assert!(length < 150, "{length}");
}

#[test]
fn what_is_no_description_is_replaced_only_if_that_is_said() {
    let store = Store::start();
    let damage: [&[&str]; 5] = [
        &["SET", "XMETA:x", "no JSON"],
        &["SET", "XMETA:x", ""],
        &["SET", "XMETA:x", "[1]"],
        &["RPUSH", "XMETA:x", "a"],
        &["HSET", "XMETA:x", "a", "b"],
    ];
    for command in damage {
        let _: redis::Value = store.redis.command(command);
        store.put("/streams/x").expect(400);
        assert_eq!(meta(&store, "x"), json!({}), "{command:?}");
        store.put("/streams/x?override=true&desc=mended").expect(200);
        assert_eq!(meta(&store, "x")["description"], "mended", "{command:?}");
        store.delete("/streams/x").expect(200);
    }
}

#[test]
fn of_puts_at_the_same_time_none_undoes_what_another_one_said() {
    let store = Store::start();
    store.put("/streams/x?desc=first").expect(200);
    const EACH: usize = 15;
    thread::scope(|scope| {
        for writer in 0..6 {
            let store = &store;
            scope.spawn(move || {
                for round in 0..EACH {
                    with_body(
                        store,
                        "/v2/streams/x",
                        &json!({ format!("{writer}-{round}"): writer }).to_string(),
                    )
                    .expect(200);
                }
            });
        }
        scope.spawn(|| {
            for max_len in 1..=EACH {
                store
                    .put(&format!("/streams/x?override=true&max_len={max_len}"))
                    .expect(200);
            }
        });
    });
    let meta = meta(&store, "x");
    assert_eq!(
        meta["metadata"].as_object().map(|all| all.len()),
        Some(6 * EACH),
        "{meta}"
    );
    assert_eq!(
        (&meta["description"], &meta["max_len"]),
        (&json!("first"), &json!(EACH))
    );
}

#[test]
fn under_v2_a_put_without_override_updates_what_is_given_and_keeps_the_rest() {
    let store = Store::start();
    let put = |path: &str, body: Value| with_body(&store, path, &body.to_string());
    put("/v2/streams/x", json!({"desc": "front", "fps": 30, "gain": 2})).expect(200);
    let fields = |description: &str, metadata: Value, max_len: u64| json!({"id": "x", "description": description, "metadata": metadata, "max_len": max_len});
    // The second call of a client that updates.
    assert_eq!(
        put("/v2/streams/x", json!({"fps": 60})).expect(200).json(),
        fields("front", json!({"fps": 60, "gain": 2}), 1000)
    );
    assert_eq!(
        put("/v2/streams/x?max_len=9", json!({})).expect(200).json(),
        fields("front", json!({"fps": 60, "gain": 2}), 9)
    );
    assert_eq!(
        store.put("/v2/streams/x?desc=back").expect(200).json(),
        fields("back", json!({"fps": 60, "gain": 2}), 9)
    );
    assert_eq!(
        put("/v2/streams/x", json!({"desc": null, "max_len": 10, "gain": null}))
            .expect(200)
            .json(),
        fields("back", json!({"fps": 60, "gain": null}), 10)
    );
    let whole = put("/v2/streams/x", json!({"override": true, "iso": 100}));
    assert_eq!(whole.expect(200).json(), fields("back", json!({"iso": 100}), 10));
    assert_eq!(meta(&store, "x"), fields("back", json!({"iso": 100}), 10));
    // Whoever says that there is to be none yet is heeded, and the seed's dialect goes on saying so.
    for (path, body) in [
        ("/v2/streams/x?override=false", json!({})),
        ("/v2/streams/x", json!({"override": "False"})),
        ("/streams/x", json!({})),
    ] {
        put(path, body).expect(400);
    }
    assert_eq!(meta(&store, "x"), fields("back", json!({"iso": 100}), 10));
}
