//! The list of streams, and one stream created, described and deleted (docs/protocol.md, section 4).

use serde_json::json;

use crate::harness::{Store, encode};

#[test]
fn the_list_is_empty_at_first() {
    let store = Store::start();
    assert_eq!(store.get("/streams/").expect(200).json(), json!([]));
}

#[test]
fn the_list_has_created_and_pushed_streams_sorted_and_each_once() {
    let store = Store::start();
    store.put("/streams/b-created-and-pushed").expect(200);
    store.put("/streams/c-created").expect(200);
    for stream in ["b-created-and-pushed", "a-pushed", "Z", "ä", "a"] {
        store.add(stream, &[b"x"]);
    }
    let expected = ["Z", "a", "a-pushed", "b-created-and-pushed", "c-created", "ä"];
    assert_eq!(store.get("/streams/").expect(200).json(), json!(expected));
}

#[test]
fn streams_written_straight_into_redis_are_listed_and_other_keys_are_not() {
    let store = Store::start();
    let _: String = store.redis.command(&["XADD", "by-redis", "*", "d", "x"]);
    let _: () = store.redis.command(&["SET", "text", "x"]);
    let _: () = store.redis.command(&["RPUSH", "list", "x"]);
    let _: () = store.redis.command(&["HSET", "hash", "f", "x"]);
    // A key whose name is not text cannot be a stream's name; it must not cost the others their list.
    let _: String = redis::cmd("XADD")
        .arg(b"\xff\xfe")
        .arg(&["*", "d", "x"])
        .query(&mut store.redis.connection())
        .expect("XADD");
    let list = store.get("/streams/").expect(200).json();
    let list = list.as_array().expect("a list");
    assert!(list.contains(&json!("by-redis")), "{list:?}");
    for key in ["text", "list", "hash"] {
        assert!(!list.contains(&json!(key)), "{list:?}");
    }
}

#[test]
fn thousands_of_streams_and_other_keys_are_listed_each_once() {
    let store = Store::start();
    let mut pipe = redis::pipe();
    for number in 0..3000 {
        pipe.cmd("XADD")
            .arg(format!("s{number:05}"))
            .arg(&["*", "d", "x"])
            .ignore();
        pipe.cmd("SET").arg(format!("k{number}")).arg("x").ignore();
    }
    pipe.query::<()>(&mut store.redis.connection()).expect("the keys");
    store.put("/streams/s00007").expect(200);
    let expected: Vec<_> = (0..3000).map(|number| format!("s{number:05}")).collect();
    assert_eq!(store.get("/streams/").expect(200).json(), json!(expected));
}

#[test]
fn a_put_without_parameters_uses_the_defaults() {
    let store = Store::start();
    let expected = json!({"id": "one", "description": "one", "metadata": {}, "max_len": 1000});
    assert_eq!(store.put("/streams/one").expect(200).json(), expected);
}

#[test]
fn the_default_max_len_is_the_servers() {
    let store = Store::with(&["--max-len", "77"]);
    assert_eq!(store.put("/streams/one").expect(200).json()["max_len"], 77);
}

#[test]
fn a_put_returns_what_was_asked_and_redis_holds_it_as_json() {
    let store = Store::start();
    let meta = json!({"rate": 30, "größe": [640, 480], "nested": {"a": null, "b": 1.5, "c": "日本"}});
    let query = format!(
        "desc={}&meta={}&max_len=12",
        encode("Kamera 1"),
        encode(&meta.to_string())
    );
    let reply = store.put(&format!("/streams/dev0?{query}")).expect(200).json();
    let expected = json!({"id": "dev0", "description": "Kamera 1", "metadata": meta, "max_len": 12});
    assert_eq!(reply, expected);
    let stored: String = store.redis.command(&["GET", "XMETA:dev0"]);
    let stored: serde_json::Value = serde_json::from_str(&stored).expect("JSON at XMETA:dev0");
    assert_eq!(stored, expected);
    assert_eq!(store.get("/streams/dev0").expect(200).json()["meta"], expected);
}

#[test]
fn a_put_on_an_existing_stream_is_refused_without_override() {
    let store = Store::start();
    store.put("/streams/x?desc=first").expect(200);
    for query in ["", "?override=false", "?desc=second"] {
        let answer = store.put(&format!("/streams/x{query}")).expect(400);
        let detail = "The stream 'x' already exists and 'override' is not specified.";
        assert_eq!(answer.json(), json!({"detail": detail}));
    }
    assert_eq!(
        store.get("/streams/x").expect(200).json()["meta"]["description"],
        "first"
    );
}

#[test]
fn a_put_describes_a_stream_that_has_entries_but_was_never_created() {
    let store = Store::start();
    store.add("x", &[b"kept"]);
    store.put("/streams/x?desc=late").expect(200);
    assert_eq!(
        store.get("/streams/x").expect(200).json()["meta"]["description"],
        "late"
    );
    assert_eq!(store.get("/data/x").expect(200).body, b"kept");
}

#[test]
fn of_many_puts_at_once_exactly_one_creates_the_stream() {
    let store = Store::start();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let puts: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| store.put("/streams/race").status))
            .collect();
        puts.into_iter().map(|put| put.join().expect("a reply")).collect()
    });
    assert_eq!(
        statuses.iter().filter(|status| **status == 200).count(),
        1,
        "{statuses:?}"
    );
    assert_eq!(
        statuses.iter().filter(|status| **status == 400).count(),
        7,
        "{statuses:?}"
    );
}

#[test]
fn meta_that_is_no_json_object_is_422_and_creates_nothing() {
    let store = Store::start();
    for meta in [
        "[1]", "\"text\"", "1", "null", "true", "{bad", "", "{} {}", "{'a':1}", "nan",
    ] {
        let answer = store.put(&format!("/streams/x?meta={}", encode(meta)));
        assert_eq!(
            answer.faults(),
            [("meta".to_owned(), "value_error.json".to_owned())],
            "{meta}"
        );
        assert_eq!(answer.json()["detail"][0]["loc"], json!(["query", "meta"]));
    }
    // Deep enough to overflow the stack of a careless parser.
    let deep = format!("{{\"a\":{}", "[".repeat(4000));
    store.put(&format!("/streams/x?meta={}", encode(&deep))).expect(422);
    assert_eq!(store.get("/streams/").expect(200).json(), json!([]));
}

#[test]
fn a_max_len_below_one_is_422_and_creates_nothing() {
    let store = Store::start();
    for max_len in ["0", "-1", "-9223372036854775808"] {
        let answer = store.put(&format!("/streams/x?max_len={max_len}"));
        let expected = json!({"detail": [{
            "loc": ["query", "max_len"],
            "msg": "ensure this value is greater than or equal to 1",
            "type": "value_error.number.not_ge",
        }]});
        assert_eq!(answer.expect(422).json(), expected);
    }
    let answer = store.put("/streams/x?max_len=many");
    assert_eq!(
        answer.faults(),
        [("max_len".to_owned(), "type_error.integer".to_owned())]
    );
    assert_eq!(store.get("/streams/").expect(200).json(), json!([]));
}

#[test]
fn a_delete_takes_description_and_entries_and_returns_the_description() {
    let store = Store::start();
    let description = store.put("/streams/x?desc=gone").expect(200).json();
    store.add("x", &[b"entry"]);
    assert_eq!(store.delete("/streams/x").expect(200).json(), description);
    let keys: usize = store.redis.command(&["DBSIZE"]);
    assert_eq!(keys, 0);
    assert_eq!(store.get("/streams/").expect(200).json(), json!([]));
    assert_eq!(store.get("/data/x").expect(200).body, b"");
    // And the name is free again.
    store.put("/streams/x").expect(200);
}

#[test]
fn a_delete_of_a_stream_that_was_never_created_returns_null() {
    let store = Store::start();
    store.add("x", &[b"entry"]);
    assert_eq!(store.delete("/streams/x").expect(200).json(), json!(null));
    let keys: usize = store.redis.command(&["DBSIZE"]);
    assert_eq!(keys, 0);
}

#[test]
fn a_delete_of_a_stream_that_is_still_empty_returns_its_description() {
    let store = Store::start();
    let description = store.put("/streams/x").expect(200).json();
    assert_eq!(store.delete("/streams/x").expect(200).json(), description);
    store.delete("/streams/x").expect(400);
}

#[test]
fn a_delete_of_nothing_is_400_unless_forced() {
    let store = Store::start();
    for query in ["", "?force=false"] {
        let answer = store.delete(&format!("/streams/x{query}")).expect(400);
        assert_eq!(
            answer.json(),
            json!({"detail": "The requested stream 'x' does not exist."})
        );
    }
    assert_eq!(store.delete("/streams/x?force=true").expect(200).json(), json!(null));
}

#[test]
fn a_key_that_is_not_a_stream_is_400_that_says_so_and_is_left_alone() {
    let store = Store::start();
    let _: () = store.redis.command(&["SET", "text", "precious"]);
    let answers = [
        store.get("/streams/text"),
        store.put("/streams/text"),
        store.put("/streams/text?override=true"),
        store.delete("/streams/text"),
        store.delete("/streams/text?force=true"),
        store.get("/data/text"),
        store.get("/data/text?last_entry_id=0"),
        store.post("/data/text", "image/png", b"x"),
        store.post_entries("text", &[b"a", b"b"]),
        store.socket_answer("/data/text/push", &[("Authorization", &store.bearer())]),
        store.socket_answer("/data/text/pull", &[("Authorization", &store.bearer())]),
        store.socket_answer("/data/text/pull?last_entry_id=*", &[("Authorization", &store.bearer())]),
    ];
    for (number, answer) in answers.into_iter().enumerate() {
        assert_eq!(answer.status, 400, "answer {number}: {answer:?}");
        let detail = answer.detail();
        assert!(
            detail.contains("'text'") && detail.contains("not a stream"),
            "answer {number}: {detail}"
        );
    }
    let value: String = store.redis.command(&["GET", "text"]);
    assert_eq!(value, "precious");
    let keys: usize = store.redis.command(&["DBSIZE"]);
    assert_eq!(keys, 1);
}

#[test]
fn a_key_that_is_not_a_stream_is_400_even_when_no_entry_is_asked_for() {
    let store = Store::start();
    let _: () = store.redis.command(&["SET", "text", "precious"]);
    store.get("/data/text?last_entry_id=$").expect(400);
}
