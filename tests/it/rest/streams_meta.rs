//! `GET /streams/{id}`: what is known of one stream (docs/protocol.md, section 4).

use std::collections::{BTreeMap, BTreeSet};

use redis::Value as Raw;
use serde_json::{Value, json};

use crate::harness::{Redis, Shell, Store};

#[test]
fn a_stream_that_nobody_knows_has_no_meta_and_no_such_key() {
    let store = Store::start();
    let expected = json!({"meta": {}, "info": "no such key"});
    assert_eq!(store.get("/streams/x").expect(200).json(), expected);
    assert_eq!(store.get("/streams/x?report_error=false").expect(200).json(), expected);
}

#[test]
fn with_report_error_no_such_key_is_400_with_the_same_object() {
    let store = Store::start();
    let expected = json!({"detail": {"meta": {}, "info": "no such key"}});
    assert_eq!(store.get("/streams/x?report_error=true").expect(400).json(), expected);
    let description = store.put("/streams/x").expect(200).json();
    let expected = json!({"detail": {"meta": description, "info": "no such key"}});
    assert_eq!(store.get("/streams/x?report_error=true").expect(400).json(), expected);
}

#[test]
fn report_error_changes_nothing_for_a_stream_with_entries() {
    let store = Store::start();
    store.add("x", &[b"a"]);
    let without = store.get("/streams/x").expect(200).json();
    assert_eq!(store.get("/streams/x?report_error=true").expect(200).json(), without);
}

#[test]
fn a_created_stream_shows_its_description_before_its_first_entry() {
    let store = Store::start();
    let description = store.put("/streams/x?desc=camera").expect(200).json();
    let expected = json!({"meta": description, "info": "no such key"});
    assert_eq!(store.get("/streams/x").expect(200).json(), expected);
}

#[test]
fn a_stream_written_straight_into_redis_has_info_and_no_meta() {
    let store = Store::start();
    let _: String = store.redis.command(&["XADD", "x", "5-1", "d", "a"]);
    let reply = store.get("/streams/x").expect(200).json();
    assert_eq!(reply["meta"], json!({}));
    assert_eq!(reply["info"]["length"], 1);
}

#[test]
fn info_has_every_field_of_xinfo_by_its_name() {
    let store = Store::start();
    store.add("x", &[b"a", b"b", b"c"]);
    let info = store.get("/streams/x").expect(200).json()["info"].clone();
    let xinfo: BTreeMap<String, Raw> = store.redis.command(&["XINFO", "STREAM", "x"]);
    let mut expected: BTreeSet<&str> = xinfo.keys().map(String::as_str).collect();
    expected.extend(["first-entry-id", "last-entry-id"]);
    let found: BTreeSet<&str> = info
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(found, expected);
    for (name, value) in xinfo {
        match value {
            Raw::Int(number) => assert_eq!(info[&name], json!(number), "{name}"),
            Raw::BulkString(text) => {
                assert_eq!(info[&name], json!(String::from_utf8_lossy(&text)), "{name}")
            }
            _ => assert!(name == "first-entry" || name == "last-entry", "{name} is new"),
        }
    }
}

#[test]
fn first_and_last_entry_are_utc_times_with_their_ids_beside_them() {
    let store = Store::start();
    let _: String = store.redis.command(&["XADD", "x", "1650000000123-5", "d", "a"]);
    let _: String = store.redis.command(&["XADD", "x", "1650000001000-0", "d", "b"]);
    let info = store.get("/streams/x").expect(200).json()["info"].clone();
    assert_eq!(info["first-entry-id"], "1650000000123-5");
    assert_eq!(info["last-entry-id"], "1650000001000-0");
    assert_utc(&info["first-entry"], "2022-04-15T05:20:00.123");
    assert_utc(&info["last-entry"], "2022-04-15T05:20:01");
}

#[test]
fn an_entry_id_beyond_the_calendar_does_not_cost_the_stream_its_info() {
    let store = Store::start();
    let _: String = store.redis.command(&["XADD", "x", "0-1", "d", "a"]);
    let _: String = store.redis.command(&["XADD", "x", "18446744073709551615-7", "d", "b"]);
    let info = store.get("/streams/x").expect(200).json()["info"].clone();
    assert_utc(&info["first-entry"], "1970-01-01T00:00:00");
    assert_eq!(info["last-entry-id"], "18446744073709551615-7");
    assert_eq!(info["length"], 2);
}

#[test]
fn a_stream_whose_entries_were_all_deleted_is_still_shown() {
    let store = Store::start();
    let _: String = store.redis.command(&["XADD", "x", "5-1", "d", "a"]);
    let _: usize = store.redis.command(&["XDEL", "x", "5-1"]);
    store.get("/streams/x").expect(200);
    assert_eq!(store.get("/streams/").expect(200).json(), json!(["x"]));
    assert_eq!(store.get("/data/x").expect(200).header("entry-offset"), Some("[]"));
}

#[track_caller]
fn assert_utc(time: &Value, expected: &str) {
    let time = time.as_str().unwrap_or_else(|| panic!("no text: {time}"));
    let zone = time
        .strip_prefix(expected)
        .unwrap_or_else(|| panic!("{time}, not {expected}"));
    let zone = zone.strip_prefix(".000").unwrap_or(zone);
    assert!(["Z", "+00:00"].contains(&zone), "{time}");
}

#[test]
fn without_scripts_a_description_is_changed_all_the_same() {
    let redis = Redis::start();
    let without = redis.url_of_lab(&["~*", "+@all", "-eval"]);
    let renamed = Redis::start_with(&["--rename-command", "EVAL", "\"\""]);
    for store in [
        Store::at(&without, &redis, &["--max-len", "1"]),
        Store::on(&renamed, &["--max-len", "1"]),
    ] {
        for path in [
            "/streams/x?desc=old",
            "/streams/x?override=true&max_len=2",
            "/v2/streams/x?desc=new",
        ] {
            store.put(path).expect(200);
        }
        let expected = json!({ "id": "x", "description": "new", "metadata": {}, "max_len": 2 });
        assert_eq!(store.get("/streams/x").json()["meta"], expected);
        store.put("/streams/x").expect(400);
        // The command line changes it, too.
        store.add("x", &[b"1", b"2"]);
        let shell = Shell::of(&store);
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path().to_str().expect("a path of text");
        shell.do_well(&["record", "x", "--out", out, "--from", "first", "--until", "latest"]);
        store.put("/streams/x?override=true&max_len=1").expect(200);
        shell.do_well(&["replay", out, "--fast", "--raise-max-len"]);
        let kept = store.get("/streams/x").json()["meta"]["max_len"].as_u64();
        assert!(kept >= Some(2), "{kept:?}");
    }
}

#[test]
fn a_description_is_changed_also_where_scripts_were_allowed_before() {
    let redis = Redis::start();
    let store = Store::at(&redis.url_of_lab(&["~*", "+@all"]), &redis, &[]);
    store.put("/streams/x").expect(200);
    for (rule, max_len) in [("+eval", 2), ("-eval", 3), ("-set", 4)] {
        let _: () = redis.command(&["ACL", "SETUSER", "lab", rule]);
        let answer = store.put(&format!("/streams/x?override=true&max_len={max_len}"));
        match rule {
            "-set" => assert!(answer.expect(500).detail().contains("'set'")),
            _ => assert_eq!(answer.expect(200).json()["max_len"], max_len, "{rule}"),
        }
    }
}

#[test]
fn a_max_len_that_others_stored_and_that_is_none_is_the_servers() {
    let store = Store::with(&["--max-len", "7"]);
    for odd in [json!("x"), json!(0), json!(-1), json!(u64::MAX), json!(null)] {
        let stored = json!({ "id": "x", "description": "x", "metadata": {}, "max_len": odd });
        let _: () = store.redis.command(&["SET", "XMETA:x", &stored.to_string()]);
        store.add("x", &[b"1"]);
        assert_eq!(store.get("/activity").json()["streams"][0]["max_len"], 7, "{odd}");
        let told = store.put("/streams/x?override=true").expect(200).json();
        assert_eq!(told["max_len"], 7, "{odd}");
    }
}
