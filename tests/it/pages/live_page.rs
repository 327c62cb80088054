//! The live page: what it is served with, and what it asks for. How `/activity` judges streams and Redis is in `activity.rs`.

use serde_json::Value;

use crate::harness::{PATIENCE, Store, eventually};

/// What `/activity` says of one stream.
fn activity(store: &Store, stream: &str) -> Value {
    let all = store.get("/activity").expect(200).json();
    let streams = all["streams"].as_array().expect("a list");
    streams
        .iter()
        .find(|one| one["id"] == stream)
        .cloned()
        .unwrap_or(Value::Null)
}

#[test]
fn the_page_is_public_and_may_run_nothing_but_its_own_script() {
    let store = Store::start();
    let answer = store.ask("GET", "/", &[], None).expect(200);
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    let policy = answer.header("content-security-policy").expect("a policy");
    assert!(policy.contains("default-src 'none'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    let page = answer.text();
    assert_eq!(
        (page.matches("<script").count(), page.matches("<style").count()),
        (1, 1)
    );
    assert!(
        !page.contains(" style=\"") && !page.contains(" onclick="),
        "the policy refuses these"
    );
    for other_host in ["src=\"http", "href=\"http", "src=\"//", "@import", "url(http"] {
        assert!(!page.contains(other_host), "{other_host}");
    }
}

#[test]
fn activity_shows_what_every_stream_did_lately() {
    let store = Store::with(&["--max-len", "77"]);
    store.put("/streams/described?desc=a%20camera&max_len=5").expect(200);
    let ids = store.add("plain", &[b"one", b"three"]);
    store
        .redis
        .command::<String>(&["XADD", "foreign", "*", "x", "12", "y", "345"]);
    store.redis.command::<String>(&["SET", "text", "not a stream"]);
    let plain = activity(&store, "plain");
    assert_eq!((&plain["entries"], &plain["entries_added"]), (&2.into(), &2.into()));
    assert_eq!(
        (&plain["newest_id"], &plain["newest_bytes"]),
        (&ids[1].clone().into(), &5.into())
    );
    assert_eq!((&plain["description"], &plain["max_len"]), (&Value::Null, &77.into()));
    let described = activity(&store, "described");
    assert_eq!(
        (&described["description"], &described["max_len"]),
        (&"a camera".into(), &5.into())
    );
    assert_eq!(
        (&described["entries"], &described["newest_id"]),
        (&0.into(), &Value::Null)
    );
    assert_eq!(activity(&store, "foreign")["newest_bytes"], 5);
    assert_eq!(activity(&store, "text"), Value::Null);
    // One look serves all who ask within its second; the next one shows what is new.
    store.add("plain", &[b"four"]);
    eventually(PATIENCE, || activity(&store, "plain")["entries"] == 3);
}

#[test]
fn many_pages_cost_redis_as_much_as_one() {
    let store = Store::start();
    store.add("s", &[b"entry"]);
    store.get("/activity").expect(200);
    let evals = || -> u64 {
        let stats: String = store.redis.command(&["INFO", "commandstats"]);
        let calls = stats.lines().find_map(|line| line.strip_prefix("cmdstat_eval:calls="));
        let calls = calls.and_then(|rest| rest.split(',').next());
        calls.and_then(|calls| calls.parse().ok()).unwrap_or(0)
    };
    let before = evals();
    let begun = std::time::Instant::now();
    let answers: Vec<u16> = (0..200).map(|_| store.get("/activity").status).collect();
    assert!(answers.iter().all(|status| *status == 200), "{answers:?}");
    let seconds = begun.elapsed().as_secs() + 1;
    // About one look a second, and not one for each of the two hundred.
    assert!(
        evals() - before <= 2 * seconds,
        "{} looks in {seconds} s",
        evals() - before
    );
}

#[test]
fn activity_needs_a_token() {
    let store = Store::start();
    store.ask("GET", "/activity", &[], None).expect(401);
}

#[test]
fn signing_out_makes_the_browser_forget_the_cookie() {
    let store = Store::start();
    let answer = store.ask("POST", "/signout", &[], Some(b"")).expect(200);
    let set = answer.header("set-cookie").expect("a cookie");
    assert!(set.starts_with("authorization=;") && set.contains("Max-Age=0"), "{set}");
}
