//! What is wrong with one key is told beside its name, and the other streams are shown (docs/protocol.md, section 4): in `GET /activity`,
//! which the live page shows, and by `ptg-store streams`.

use serde_json::{Value, json};

use crate::harness::{Redis, Shell, Store};

/// What the store needs of Redis, and no more.
const COMMANDS: [&str; 21] = [
    "+ping",
    "+time",
    "+type",
    "+exists",
    "+get",
    "+set",
    "+unlink",
    "+scan",
    "+xadd",
    "+xread",
    "+xlen",
    "+xrange",
    "+xrevrange",
    "+xinfo",
    "+xdel",
    "+multi",
    "+exec",
    "+eval",
    "+auth",
    "+select",
    "+discard",
];

fn streams(store: &Store) -> Vec<Value> {
    let activity = store.get("/activity").expect(200).json();
    activity["streams"].as_array().expect("streams").clone()
}

fn of<'a>(streams: &'a [Value], id: &str) -> &'a Value {
    let found = streams.iter().find(|stream| stream["id"] == id);
    found.unwrap_or_else(|| panic!("no {id} in {streams:?}"))
}

fn error(stream: &Value) -> &str {
    stream["error"].as_str().unwrap_or_else(|| panic!("no error: {stream}"))
}

#[test]
fn keys_that_an_access_list_hides_have_their_error_and_the_others_are_shown() {
    let redis = Redis::start();
    for key in ["cam1", "foreign", "half"] {
        redis.command::<String>(&["XADD", key, "1-1", "d", "xyz"]);
        redis.command::<()>(&[
            "SET",
            &format!("XMETA:{key}"),
            &json!({"description": key, "max_len": 7}).to_string(),
        ]);
    }
    redis.command::<()>(&["SET", "XMETA:planned", "{}"]);
    redis.command::<()>(&["SET", "XMETA:closed", "{}"]);
    let rules = [
        &COMMANDS[..],
        &["~cam*", "~XMETA:cam*", "~half", "~planned", "~XMETA:planned"],
    ]
    .concat();
    let store = Store::at(&redis.url_of_lab(&rules), &redis, &[]);
    let found = streams(&store);
    let cam = of(&found, "cam1");
    assert_eq!(
        (&cam["entries"], &cam["newest_bytes"], &cam["max_len"]),
        (&json!(1), &json!(3), &json!(7))
    );
    assert!(
        cam.get("error").is_none() && of(&found, "planned").get("error").is_none(),
        "{found:?}"
    );
    for (hidden, entries) in [("foreign", 0), ("closed", 0), ("half", 1)] {
        let stream = of(&found, hidden);
        assert!(error(stream).contains("NOPERM"), "{stream}");
        assert_eq!(stream["entries"], entries, "{stream}");
    }
    assert!(error(of(&found, "half")).contains("XMETA:half"));
    store.get("/streams/").expect(200);
    store.add("cam1", &[b"a", b"b"]);

    let (said, told) = Shell::of(&store).do_well(&["streams"]);
    assert_eq!(told, "");
    let row = |name: &str| {
        said.lines()
            .find(|line| line.starts_with(&format!("{name}\t")))
            .expect("a row")
            .to_owned()
    };
    assert!(
        row("foreign").contains("NOPERM") && row("foreign").starts_with("foreign\t\t"),
        "{said}"
    );
    assert!(row("half").starts_with("half\t1\t"), "{said}");
    assert!(row("cam1").ends_with("\tcam1") || row("cam1").ends_with('\t'), "{said}");
}

#[test]
fn descriptions_that_are_none_and_keys_that_are_no_streams_have_their_error_and_the_others_are_shown() {
    let store = Store::start();
    store.add("good", &[b"x"]);
    for (key, text) in [("text", "no JSON"), ("list", "[1]"), ("binary", "\u{0}{")] {
        store.add(key, &[b"x"]);
        store.redis.command::<()>(&["SET", &format!("XMETA:{key}"), text]);
    }
    store.add("kind", &[b"x"]);
    store.redis.command::<()>(&["HSET", "XMETA:kind", "a", "b"]);
    store.redis.command::<()>(&["SET", "string", "x"]);
    store.redis.command::<()>(&["SET", "XMETA:string", "{}"]);
    let found = streams(&store);
    assert!(of(&found, "good").get("error").is_none());
    for damaged in ["text", "list", "binary", "kind"] {
        let stream = of(&found, damaged);
        assert!(error(stream).contains(&format!("XMETA:{damaged}")), "{stream}");
        assert_eq!(
            (&stream["entries"], &stream["max_len"]),
            (&json!(1), &json!(1000)),
            "{stream}"
        );
        // A damaged description keeps no entries out.
        store.add(damaged, &[b"y"]);
    }
    assert!(error(of(&found, "string")).contains("is not a stream"));
    assert_eq!(found.len(), 6);
}

#[test]
fn what_concerns_all_keys_is_an_error_of_the_whole() {
    let store = Store::start();
    store.add("s", &[b"x"]);
    store
        .redis
        .command::<()>(&["CONFIG", "SET", "replica-serve-stale-data", "no"]);
    store.redis.command::<()>(&["REPLICAOF", "127.0.0.1", "1"]);
    let answer = store.get("/activity").expect(503);
    assert!(answer.detail().contains("MASTERDOWN"), "{}", answer.detail());
}
