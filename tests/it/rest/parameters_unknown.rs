//! Query parameters that a route does not have: slips are refused and say what was meant, all others are ignored (docs/protocol.md, section 2).

use serde_json::json;

use crate::harness::{Store, encode};

/// Each route that takes parameters, as a request that is good without any.
const ROUTES: [(&str, &str); 7] = [
    ("GET", "/streams/one"),
    ("PUT", "/streams/one"),
    ("DELETE", "/streams/one"),
    ("GET", "/data/one"),
    ("GET", "/mjpeg/one"),
    ("GET", "/data/one/push"),
    ("GET", "/data/one/pull"),
];

#[test]
fn a_name_near_to_one_of_the_route_is_422_and_says_which() {
    let store = Store::start();
    let answer = store.get("/data/one?last_enty_id=0").expect(422);
    let expected = json!({"detail": [{
        "loc": ["query", "last_enty_id"],
        "msg": "there is no such parameter; did you mean 'last_entry_id'?",
        "type": "value_error.extra",
    }]});
    assert_eq!(answer.json(), expected);
    for (method, path, slips) in [
        (
            "GET",
            "/streams/one",
            &[("report_eror", "report_error"), ("reportError", "report_error")][..],
        ),
        (
            "PUT",
            "/streams/one",
            &[
                ("maxlen", "max_len"),
                ("maxLen", "max_len"),
                ("max-len", "max_len"),
                ("max_length", "max_len"),
                ("overide", "override"),
                ("Meta", "meta"),
                ("metadata", "meta"),
                ("decs", "desc"),
                ("description", "desc"),
            ],
        ),
        ("DELETE", "/streams/one", &[("Force", "force"), ("forse", "force")]),
        (
            "GET",
            "/data/one",
            &[
                ("last-entry-id", "last_entry_id"),
                ("lastEntryId", "last_entry_id"),
                ("LAST_ENTRY_ID", "last_entry_id"),
                ("from", "last_entry_id"),
                ("since", "last_entry_id"),
                ("last_id", "last_entry_id"),
                ("limit", "count"),
                ("Format", "format"),
                ("formatt", "format"),
                ("fromat", "format"),
                ("coutn", "count"),
                ("count%5B%5D", "count"),
                ("untill", "until"),
                ("folow", "follow"),
                ("lasteventid", "lastEventId"),
                ("Token", "token"),
            ],
        ),
        ("GET", "/mjpeg/one", &[("maxrate", "max_rate"), ("time-out", "timeout")]),
        (
            "GET",
            "/data/one/push",
            &[
                ("Ack", "ack"),
                ("acks", "ack"),
                ("bacth", "batch"),
                ("on-error", "on_error"),
            ],
        ),
        (
            "GET",
            "/data/one/pull",
            &[
                ("last_enty_id", "last_entry_id"),
                ("resum", "resume"),
                ("onGap", "on_gap"),
            ],
        ),
    ] {
        for prefix in ["", "/v2"] {
            for (slip, meant) in slips {
                // The value does not matter, good or not.
                for value in ["1", ""] {
                    let target = format!("{prefix}{path}?{slip}={value}");
                    let (status, told) = complaints(&store, method, &target);
                    assert_eq!((status, told.len()), (422, 1), "{method} {target}: {told:?}");
                    assert!(
                        told[0].ends_with(&format!("did you mean '{meant}'?")),
                        "{method} {target}: {told:?}"
                    );
                }
            }
        }
    }
    let keys: usize = store.redis.command(&["DBSIZE"]);
    assert_eq!(keys, 0, "what is refused leaves nothing behind");
}

#[test]
fn a_slip_is_refused_also_beside_the_right_name_and_together_with_all_other_complaints() {
    let store = Store::start();
    let faults = |target: &str| store.get(target).faults();
    let fault = |name: &str, kind: &str| (name.to_string(), kind.to_string());
    assert_eq!(
        faults("/data/XMETA:x?count=0&coutn=5&untill=latest&until=x"),
        [
            fault("stream_id", "value_error.stream_id"),
            fault("count", "value_error.number.not_ge"),
            fault("until", "value_error.entry_id"),
            fault("coutn", "value_error.extra"),
            fault("untill", "value_error.extra"),
        ]
    );
    assert_eq!(
        faults("/data/one?last_entry_id=0&last_enty_id=0"),
        [fault("last_enty_id", "value_error.extra")]
    );
}

#[test]
fn a_parameter_of_another_route_is_ignored_because_old_clients_send_the_same_everywhere() {
    let store = Store::start();
    store.add("one", &[b"entry"]);
    for (target, expected) in [
        ("/streams/one?max_len=5000&override=true", 200),
        ("/streams/?count=5", 200),
        ("/data/one?batch=true&ack=true", 200),
        ("/mjpeg/one?count=1&batch=false", 200),
        ("/data/one/pull?batch=true&follow=true", 101),
        ("/data/one/push?last_entry_id=0&count=5", 101),
    ] {
        assert_eq!(complaints(&store, "GET", target), (expected, vec![]), "{target}");
    }
}

#[test]
fn all_other_unknown_parameters_are_ignored_by_every_route_of_both_dialects() {
    let store = Store::start();
    let others = [
        "_=1795456800000",
        "cb=x",
        "t=1",
        "v=2",
        "ts=1",
        "nocache=1",
        "utm_source=x",
        "access_token=x",
        "user=ada",
        "api_key=x",
        "session=1",
        "x",
        "=",
        "",
        "&",
        "%ff=1",
        "colour=blue",
        "account=x",
        "amount=1",
        "counter=1",
        "source=web",
        "beta=1",
        "match=x",
        "ask=1",
        "csrf_token=x",
        "client_id=1",
        "%E2%82%AC=1",
        "id=one",
    ];
    let mut query = others.join("&");
    query.push_str(&format!("&{}=1", encode(&"long".repeat(500))));
    for prefix in ["", "/v2"] {
        for (method, path) in ROUTES {
            let target = format!("{prefix}{path}?{query}");
            store.delete("/streams/one?force=true").expect(200);
            if method == "DELETE" {
                store.put("/streams/one").expect(200);
            }
            let (status, told) = complaints(&store, method, &target);
            let expected = match path.ends_with("/push") || path.ends_with("/pull") {
                true => 101,
                false => 200,
            };
            assert_eq!((status, told), (expected, vec![]), "{method} {prefix}{path}");
        }
    }
    // What needs no token takes no parameters, so nothing is near to any.
    for path in [
        "/ping?count=1&tokne=x",
        "/?coutn=1",
        "/docs?format=x",
        "/openapi.json?last_entry_id=0",
    ] {
        store.get(path).expect(200);
    }
}

#[test]
fn a_head_full_of_slips_is_answered_with_one_complaint_for_each_name_that_was_meant() {
    let store = Store::start();
    let slips: String = (0..700)
        .map(|n| format!("coun{}t=1&Format=x&", (b'a' + n as u8 % 26) as char))
        .collect();
    let (status, told) = complaints(&store, "GET", &format!("/data/one?{}", &slips[..12_000]));
    assert_eq!((status, told.len()), (422, 2), "{told:?}");
    store.assert_serves();
}

/// The status of a request, and what it is told of its parameters. A followed reply or a socket is left at once.
fn complaints(store: &Store, method: &str, target: &str) -> (u16, Vec<String>) {
    let bearer = store.bearer();
    let token = ("Authorization", &*bearer);
    let is_socket = ["/push?", "/pull?"].iter().any(|end| target.contains(end));
    let answer = match method {
        _ if is_socket => store.socket_answer(target, &[token]),
        _ if target.contains("/mjpeg/") => store.ask(method, &format!("{target}&timeout=1"), &[token], None),
        _ => store.ask(method, target, &[token], None),
    };
    if answer.status != 422 {
        return (answer.status, Vec::new());
    }
    let told = answer.json()["detail"].clone();
    let told = told.as_array().expect("a list of complaints").iter();
    (
        422,
        told.map(|complaint| complaint["msg"].as_str().expect("a sentence").to_string())
            .collect(),
    )
}
