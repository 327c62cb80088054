//! Query parameters: how they are spelled, and what is said of those that do not parse (docs/protocol.md, section 2).

use serde_json::json;

use crate::harness::{Store, encode};

#[test]
fn booleans_have_every_spelling_in_any_letter_case() {
    let store = Store::start();
    store.put("/streams/one").expect(200);
    for yes in [
        "true", "1", "yes", "on", "t", "y", "TRUE", "True", "Yes", "ON", "T", "Y",
    ] {
        store.put(&format!("/streams/one?override={yes}")).expect(200);
        store.delete(&format!("/streams/none?force={yes}")).expect(200);
        store.get(&format!("/streams/none?report_error={yes}")).expect(400);
    }
    for no in [
        "false", "0", "no", "off", "f", "n", "FALSE", "False", "No", "OFF", "F", "N",
    ] {
        store.put(&format!("/streams/one?override={no}")).expect(400);
        store.delete(&format!("/streams/none?force={no}")).expect(400);
        store.get(&format!("/streams/none?report_error={no}")).expect(200);
    }
}

#[test]
fn what_is_no_boolean_is_422() {
    let store = Store::start();
    for other in ["maybe", "2", "-1", "tru", "yes%20", "1.0", ""] {
        let answer = store.put(&format!("/streams/one?override={other}"));
        assert_eq!(answer.faults(), faults(&[("override", "type_error.bool")]), "{other}");
        let expected = json!({"detail": [{
            "loc": ["query", "override"],
            "msg": "value could not be parsed to a boolean",
            "type": "type_error.bool",
        }]});
        assert_eq!(answer.json(), expected);
    }
    let keys: usize = store.redis.command(&["DBSIZE"]);
    assert_eq!(keys, 0);
}

#[test]
fn what_is_no_decimal_integer_is_422() {
    let store = Store::start();
    for other in ["abc", "1.5", "1e3", "0x10", "1,000", "", "%D9%A3", "--1"] {
        let answer = store.get(&format!("/data/one?count={other}")).expect(422);
        let expected = json!({"detail": [{
            "loc": ["query", "count"],
            "msg": "value is not a valid integer",
            "type": "type_error.integer",
        }]});
        assert_eq!(answer.json(), expected, "{other}");
    }
}

#[test]
fn a_huge_integer_is_served_or_refused_and_harms_nothing() {
    let store = Store::start();
    store.add("one", &[b"a"]);
    for count in [
        "4294967296",
        "9223372036854775807",
        "18446744073709551615",
        "99999999999999999999999",
    ] {
        let answer = store.get(&format!("/data/one?count={count}&last_entry_id=0"));
        assert!([200, 422].contains(&answer.status), "{count}: {answer:?}");
        let answer = store.put(&format!("/streams/one?override=1&max_len={count}"));
        assert!([200, 422].contains(&answer.status), "{count}: {answer:?}");
    }
    store.assert_serves();
}

#[test]
fn parameters_that_do_not_parse_are_reported_all_at_once() {
    let store = Store::start();
    let answer = store.get("/data/one?count=abc&last_entry_id=xyz");
    let both = faults(&[
        ("count", "type_error.integer"),
        ("last_entry_id", "value_error.entry_id"),
    ]);
    assert_eq!(sorted(answer.faults()), both);

    let answer = store.put("/streams/XMETA:x?meta=nope&override=perhaps&max_len=0");
    let all = faults(&[
        ("max_len", "value_error.number.not_ge"),
        ("meta", "value_error.json"),
        ("override", "type_error.bool"),
        ("stream_id", "value_error.stream_id"),
    ]);
    assert_eq!(sorted(answer.faults()), all);

    let token = ("Authorization", &*store.bearer());
    let answer = store.socket_answer("/data/XMETA:x/push?batch=maybe&ack=perhaps", &[token]);
    let all = faults(&[
        ("ack", "type_error.bool"),
        ("batch", "type_error.bool"),
        ("stream_id", "value_error.stream_id"),
    ]);
    assert_eq!(sorted(answer.faults()), all);
}

#[test]
fn a_query_is_decoded_as_a_form() {
    let store = Store::start();
    let meta = encode(r#"{"wo":"hér & dort"}"#);
    let answer = store
        .put(&format!("/streams/one?desc=a+b%2Bc%C3%A9&meta={meta}"))
        .expect(200);
    assert_eq!(answer.json()["description"], "a b+cé");
    assert_eq!(answer.json()["metadata"], json!({"wo": "hér & dort"}));
}

fn faults(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter()
        .map(|(loc, kind)| ((*loc).to_owned(), (*kind).to_owned()))
        .collect()
}

fn sorted(mut list: Vec<(String, String)>) -> Vec<(String, String)> {
    list.sort();
    list
}
