//! docs/protocol.md, section 7: what is refused before the upgrade, as a plain HTTP reply with a detail.

use crate::harness::wire::{PROMPT, close, ping};
use crate::harness::{Store, eventually};

/// Either kind of socket on the stream `s`.
const PATHS: [&str; 2] = ["/data/s/push", "/data/s/pull"];

#[test]
fn without_a_good_token_there_is_no_upgrade() {
    let store = Store::start();
    for path in PATHS {
        let none = store.socket_answer(path, &[]).expect(401);
        assert_eq!(none.detail(), "Not authenticated");
        assert_eq!(none.header("www-authenticate"), Some("Bearer"));
        let with_bad = format!("{path}?token=x.y.z");
        for (path, headers) in [
            (path, vec![("Authorization", "Bearer nonsense")]),
            (path, vec![("Cookie", "authorization=\"Bearer x.y.z\"")]),
            (with_bad.as_str(), vec![]),
        ] {
            let bad = store.socket_answer(path, &headers).expect(401);
            assert_eq!(bad.detail(), "Could not validate credentials");
            assert_eq!(bad.header("www-authenticate"), Some("Bearer"));
        }
    }
}

#[test]
fn a_path_that_is_none_is_404_even_without_a_token() {
    let store = Store::start();
    for path in [
        "/data/s/pushed",
        "/data/s/push/s",
        "/data/s/t/pull",
        "/push",
        "/data//x/push",
    ] {
        let answer = store.socket_answer(path, &[]).expect(404);
        assert_eq!(answer.detail(), "Not Found", "{path}");
    }
}

#[test]
fn parameters_that_do_not_parse_are_422_all_at_once() {
    let store = Store::start();
    let bearer = store.bearer();
    let faults = |path: &str| {
        let answer = store.socket_answer(path, &[("Authorization", &bearer)]);
        let mut faults = answer.faults();
        faults.sort();
        faults
    };
    let fault = |name: &str, kind: &str| (name.to_owned(), kind.to_owned());
    let boolean = "type_error.bool";
    assert_eq!(faults("/data/s/push?batch=maybe"), [fault("batch", boolean)]);
    assert_eq!(
        faults("/data/s/push?ack=2&batch="),
        [fault("ack", boolean), fault("batch", boolean)]
    );
    let integer = "type_error.integer";
    let least = "value_error.number.not_ge";
    for (count, kind) in [
        ("0", least),
        ("-1", least),
        ("x", integer),
        ("1.5", integer),
        ("", integer),
    ] {
        let path = format!("/data/s/pull?count={count}");
        assert_eq!(faults(&path), [fault("count", kind)], "{path}");
    }
    let both = faults("/data/s/pull?last_entry_id=x&count=0");
    assert_eq!(
        both,
        [fault("count", least), fault("last_entry_id", "value_error.entry_id")]
    );
}

#[test]
fn a_last_entry_id_that_is_none_is_422() {
    let store = Store::start();
    let bearer = store.bearer();
    let bad = [
        "",
        "abc",
        "1-",
        "-1",
        "1-2-3",
        "1-x",
        "18446744073709551616",
        "1-18446744073709551616",
        "%2B",
        "-",
        "(1",
        "%3E",
        "0x1",
        "1%201",
        "1.5",
        "$$",
        "*1",
        "%00",
        "99999999999999999999999999",
        "1--1",
    ];
    for id in bad {
        let path = format!("/data/s/pull?last_entry_id={id}");
        let answer = store.socket_answer(&path, &[("Authorization", &bearer)]);
        let expected = ("last_entry_id".to_owned(), "value_error.entry_id".to_owned());
        assert_eq!(answer.faults(), [expected], "{path}");
    }
}

#[test]
fn a_stream_name_that_is_none_is_422() {
    let store = Store::start();
    let bearer = store.bearer();
    let long = "x".repeat(257);
    for name in ["a%2Fb", "a%00b", "a%0Ab", "XMETA:s", "%FF", &long] {
        for kind in ["push", "pull"] {
            let path = format!("/data/{name}/{kind}");
            let answer = store.socket_answer(&path, &[("Authorization", &bearer)]);
            let names: Vec<_> = answer.faults().into_iter().map(|fault| fault.0).collect();
            assert_eq!(names, ["stream_id"], "{path:.60}");
        }
    }
    let longest = format!("/data/{}/push", "x".repeat(256));
    store.socket_answer(&longest, &[("Authorization", &bearer)]).expect(101);
}

#[test]
fn a_key_that_is_no_stream_is_400() {
    let store = Store::start();
    let bearer = store.bearer();
    store.redis.command::<()>(&["SET", "s", "text"]);
    for path in PATHS {
        let answer = store.socket_answer(path, &[("Authorization", &bearer)]).expect(400);
        assert!(answer.detail().contains("stream"), "{}", answer.detail());
    }
}

#[test]
fn one_socket_over_the_limit_is_503_until_another_closes() {
    let store = Store::with(&["--max-sockets", "2"]);
    let bearer = store.bearer();
    let mut push = store.push("s", "");
    let mut pull = store.pull("s", "");
    for path in PATHS {
        let answer = store.socket_answer(path, &[("Authorization", &bearer)]).expect(503);
        assert!(!answer.detail().is_empty());
    }
    // REST is served meanwhile, and so are the sockets that are open.
    store.assert_serves();
    ping(&mut push);
    close(&mut pull);
    eventually(PROMPT, || {
        let answer = store.socket_answer("/data/s/pull", &[("Authorization", &bearer)]);
        answer.status == 101
    });
}

#[test]
fn sockets_that_ended_abruptly_and_refused_ones_make_room_too() {
    let store = Store::with(&["--max-sockets", "1"]);
    let bearer = store.bearer();
    let answer = |path: &str| store.socket_answer(path, &[("Authorization", &bearer)]);
    store.redis.command::<()>(&["SET", "text", "text"]);
    for _ in 0..10 {
        for path in PATHS {
            // The connection of this answer ends at once, without a close.
            eventually(PROMPT, || answer(path).status == 101);
            answer("/data/s/pull?count=0").expect(422);
            store.socket_answer(path, &[]).expect(401);
            eventually(PROMPT, || answer("/data/text/pull").status == 400);
        }
    }
}
