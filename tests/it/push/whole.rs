//! Of a batch that is refused nothing is stored, whatever it is that Redis refuses: at the end of the id space, and where an
//! access list or a renamed command takes away what makes a batch whole (docs/protocol.md, section 7).

use crate::harness::wire::{closes_with, length, stored, stored_data};
use crate::harness::{PATIENCE, Redis, Socket, Store, eventually, receive_reply, receive_text, send_binary, send_text};

const BATCHES: &str = "batch=true&ack=true";
const NEAR_THE_END: &str = "18446744073709551615-18446744073709551613";

fn batch(socket: &mut Socket, header: &str, blob: &[u8]) {
    send_text(socket, header);
    send_binary(socket, blob);
}

/// A push whose batches may name any streams.
fn any(store: &Store, more: &str) -> Socket {
    store.socket(&format!("/data/*/push?{BATCHES}{more}"))
}

/// A store whose user may do everything but this.
fn store_of_user_without(redis: &Redis, rules: &[&str]) -> Store {
    let url = redis.url_of_lab(&[&["~*", "+@all"], rules].concat());
    Store::at(&url, redis, &[])
}

#[test]
fn at_the_end_of_the_id_space_a_batch_is_stored_whole_or_not_at_all() {
    let store = Store::start();
    let before = [(
        "18446744073709551615-18446744073709551613".to_owned(),
        b"last but two".to_vec(),
    )];
    let begin = || {
        let _: () = store.redis.command(&["DEL", "s"]);
        let _: String = store.redis.command(&["XADD", "s", NEAR_THE_END, "d", "last but two"]);
    };
    begin();
    let answer = store.post_entries("s", &[b"a", b"b", b"c", b"d", b"e"]).expect(500);
    assert!(
        answer.detail().contains("exhausted the last possible ID"),
        "{}",
        answer.detail()
    );
    assert_eq!(stored(&store.redis, "s"), before);

    begin();
    let mut push = store.push("s", BATCHES);
    batch(&mut push, "0,1,2", b"abc");
    closes_with(&mut push, 1011);
    assert_eq!(stored(&store.redis, "s"), before);

    // In a script: streams of one batch are all or none, too.
    begin();
    let mut push = any(&store, "&on_error=report");
    batch(
        &mut push,
        r#"[["other","*",0],["s","*",1],["s","*",2],["s","*",3]]"#,
        b"abcd",
    );
    assert!(receive_text(&mut push).contains("is not larger than"));
    assert_eq!(stored(&store.redis, "s"), before);
    assert_eq!(length(&store.redis, "other"), 0);

    // What fits is stored.
    begin();
    assert_eq!(store.add("s", &[b"a", b"b"]).len(), 2);
    store.post_entries("s", &[b"c"]).expect(500);
    assert_eq!(stored_data(&store.redis, "s"), [&b"last but two"[..], b"a", b"b"]);
}

#[test]
fn entries_pushed_one_by_one_are_stored_as_far_as_ids_go_or_refused_but_never_stored_and_refused() {
    let store = Store::start();
    let _: String = store.redis.command(&["XADD", "s", NEAR_THE_END, "d", "before"]);
    let mut push = store.push("s", "ack=true");
    for entry in [b"a", b"b", b"c", b"d", b"e"] {
        send_binary(&mut push, entry);
    }
    let mut acknowledged = vec![NEAR_THE_END.to_owned()];
    loop {
        match push.read().expect("an acknowledgement or the end") {
            tungstenite::Message::Text(id) => acknowledged.push(id.as_str().to_owned()),
            tungstenite::Message::Close(_) => break,
            _ => {}
        }
    }
    let ids: Vec<String> = stored(&store.redis, "s").into_iter().map(|entry| entry.0).collect();
    assert_eq!(ids, acknowledged);
}

#[test]
fn without_transactions_batches_are_refused_before_anything_is_stored_and_single_entries_go_on() {
    let redis = Redis::start();
    for (rule, missing) in [("-multi", "multi"), ("-exec", "exec")] {
        let store = store_of_user_without(&redis, &[rule]);
        let answer = store.post_entries("s", &[b"1", b"2", b"3"]).expect(500);
        assert_names(&answer.detail(), missing);
        let answer = store.socket_answer(
            &format!("/data/s/push?{BATCHES}"),
            &[("Authorization", &store.bearer())],
        );
        assert_names(&answer.expect(500).detail(), missing);
        assert_eq!(length(&redis, "s"), 0, "{rule}");

        store.post_entries("s", &[b"0"]).expect(200);
        let mut push = store.push("s", "ack=true");
        let entries: [&[u8]; 5] = [b"1", b"2", b"3", b"4", b"5"];
        entries.iter().for_each(|entry| send_binary(&mut push, entry));
        let ids: Vec<String> = entries.iter().map(|_| receive_text(&mut push)).collect();
        let found = stored(&redis, "s");
        assert_eq!(
            found[1..].iter().map(|entry| entry.0.clone()).collect::<Vec<_>>(),
            ids,
            "{rule}"
        );
        assert_eq!(stored_data(&redis, "s")[1..], entries);
        let _: () = redis.command(&["DEL", "s"]);
    }
}

#[test]
fn a_right_that_is_given_is_found_out_while_the_store_runs() {
    let redis = Redis::start();
    let store = store_of_user_without(&redis, &["-multi"]);
    let mut push = store.push("s", "ack=true");
    send_binary(&mut push, b"0");
    receive_text(&mut push);
    store.post_entries("s", &[b"1", b"2"]).expect(500);
    redis.command::<()>(&["ACL", "SETUSER", "lab", "+multi"]);
    eventually(PATIENCE, || store.post_entries("s", &[b"1", b"2"]).status == 200);
    store.push("s", BATCHES);
}

/// Commands that have other names are lacked as well, and where it is EXEC, no transaction is left open.
#[test]
fn where_commands_are_renamed_batches_are_refused_and_the_rest_goes_on() {
    for command in ["MULTI", "EXEC", "EVAL"] {
        let redis = Redis::start_with(&["--rename-command", command, "\"\""]);
        let store = Store::on(&redis, &[]);
        store.post_entries("s", &[b"0"]).expect(200);
        let mut push = store.push("s", "ack=true");
        send_binary(&mut push, b"1");
        receive_text(&mut push);
        if command == "EVAL" {
            let mut push = any(&store, "");
            batch(&mut push, r#"[["s","*",0],["t","*",1]]"#, b"ab");
            assert!(closes_with(&mut push, 1011).contains("it has no EVAL"));
        } else {
            let answer = store.post_entries("s", &[b"1", b"2", b"3"]).expect(500);
            assert!(
                answer.detail().contains("it has no MULTI with EXEC"),
                "{}",
                answer.detail()
            );
        }
        assert_eq!((length(&redis, "s"), length(&redis, "t")), (2, 0), "{command}");
    }
}

#[test]
fn without_scripts_batches_for_several_streams_or_with_ids_are_refused_and_others_go_on() {
    let redis = Redis::start();
    let store = store_of_user_without(&redis, &["-eval"]);
    let answer = store.socket_answer("/data/a+b/push?batch=true", &[("Authorization", &store.bearer())]);
    assert_names(&answer.expect(500).detail(), "eval");
    for header in [r#"[["s","7-1",0]]"#, r#"[["s","*",0],["t","*",1]]"#] {
        let mut push = any(&store, "");
        batch(&mut push, header, b"ab");
        assert_names(&closes_with(&mut push, 1011), "EVAL");
    }
    assert_eq!((length(&redis, "s"), length(&redis, "t")), (0, 0));
    let mut push = store.push("s", BATCHES);
    batch(&mut push, "0,1", b"ab");
    receive_text(&mut push);
    assert_eq!(length(&redis, "s"), 2);
}

/// What a refusal must say: what is missing, and what gives it.
fn assert_names(sentence: &str, missing: &str) {
    let (sentence, missing) = (sentence.to_lowercase(), missing.to_lowercase());
    assert!(
        sentence.contains(&missing) && sentence.contains("acl setuser ") && sentence.contains(&format!("+{missing}")),
        "{sentence}"
    );
}

#[test]
fn a_right_that_is_taken_away_from_an_open_connection_leaves_nothing_of_a_batch_either() {
    let redis = Redis::start();
    for rule in ["-multi", "-exec", "-xadd", "-eval", "resetkeys"] {
        let store = store_of_user_without(&redis, &[]);
        let mut placed = any(&store, "");
        batch(&mut placed, r#"[["s","*",0],["t","*",1]]"#, b"ab");
        receive_text(&mut placed);
        let mut push = store.push("s", BATCHES);
        batch(&mut push, "0,1,2", b"abc");
        receive_text(&mut push);
        store.post_entries("s", &[b"a", b"b"]).expect(200);
        let before = [length(&redis, "s"), length(&redis, "t")];
        redis.command::<()>(&["ACL", "SETUSER", "lab", rule]);
        if rule != "-eval" {
            store.post_entries("s", &[b"x", b"y", b"z"]).expect(500);
            batch(&mut push, "0,1,2", b"xyz");
            closes_with(&mut push, 1011);
        }
        if !["-multi", "-exec"].contains(&rule) {
            batch(&mut placed, r#"[["s","*",0],["t","*",1]]"#, b"xy");
            closes_with(&mut placed, 1011);
        }
        assert_eq!([length(&redis, "s"), length(&redis, "t")], before, "{rule}");
    }
}

/// Access lists since Redis 7 tell reading from writing, and have selectors.
#[test]
fn a_batch_for_streams_of_which_one_may_not_be_written_leaves_nothing_in_the_others() {
    let redis = Redis::start();
    for rules in [
        vec!["+@all", "~a", "~XMETA:*", "%R~b"],
        vec!["+@all", "-xadd", "~*", "(+xadd ~a)"],
        vec!["+@all", "~a", "~XMETA:*"],
    ] {
        let store = Store::at(&redis.url_of_lab(&rules), &redis, &[]);
        let mut push = any(&store, "");
        batch(&mut push, r#"[["a","*",0],["a","*",1],["b","*",2]]"#, b"xyz");
        closes_with(&mut push, 1011);
        assert_eq!((length(&redis, "a"), length(&redis, "b")), (0, 0), "{rules:?}");
        assert_eq!(store.post_entries("b", &[b"x", b"y"]).status, 500);
        store.add("a", &[b"x", b"y"]);
        let _: () = redis.command(&["DEL", "a"]);
    }
}

#[test]
fn a_full_redis_stores_all_or_none_of_a_batch() {
    let store = Store::start();
    let mut push = store.push("s", BATCHES);
    batch(&mut push, "0,1", b"ab");
    receive_text(&mut push);
    store.redis.command::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    batch(&mut push, "0,1", b"xy");
    closes_with(&mut push, 1013);
    store.post_entries("s", &[b"x", b"y"]).expect(503);
    let mut push = any(&store, "");
    batch(&mut push, r#"[["s","*",0],["t","*",1]]"#, b"xy");
    closes_with(&mut push, 1013);
    store.redis.command::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!((length(&store.redis, "s"), length(&store.redis, "t")), (2, 0));
}

#[test]
fn a_pull_goes_on_behind_a_batch_that_was_taken_back() {
    let store = Store::start();
    let _: String = store.redis.command(&["XADD", "s", NEAR_THE_END, "d", "before"]);
    let mut pull = store.pull("s", "last_entry_id=0");
    assert_eq!(receive_reply(&mut pull)[0].1, b"before");
    store.post_entries("s", &[b"a", b"b", b"c"]).expect(500);
    crate::harness::wire::close(&mut store.push("s", ""));
    store.assert_serves();
}
