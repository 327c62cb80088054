//! The live page: what it is served with, what it asks for, and who may use its visitor's cookie.

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

fn cookie(store: &Store) -> String {
    let token = store.bearer();
    format!("authorization=\"{token}\"")
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

#[test]
fn a_page_of_another_origin_changes_nothing_with_its_visitors_cookie() {
    let store = Store::start();
    let cookie = cookie(&store);
    let from = |origin: &'static str| [("Cookie", cookie.clone()), ("Origin", origin.to_string())];
    let own = format!("http://{}", store.addr());
    store.add("s", &[b"entry"]);
    for (method, path, body) in [
        ("PUT", "/streams/x", None),
        ("DELETE", "/streams/s", None),
        ("POST", "/data/s", Some(&b"entry"[..])),
    ] {
        for origin in ["http://evil.example", "null"] {
            let headers = from(origin);
            let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let answer = store.ask(method, path, &headers, body).expect(403);
            assert!(answer.detail().contains("origin"), "{}", answer.detail());
            // With the token itself it is no longer the browser that vouches, but whoever has the token.
            let mut with_token = headers.clone();
            let bearer = store.bearer();
            with_token.push(("Authorization", &bearer));
            let status = store.ask("GET", "/streams/s", &with_token, None).status;
            assert_eq!(status, 200);
        }
    }
    let length: usize = store.redis.command(&["XLEN", "s"]);
    assert_eq!(length, 1);
    let headers = [("Cookie", cookie.as_str()), ("Origin", own.as_str())];
    store.ask("PUT", "/streams/x", &headers, None).expect(200);
    // No Origin, no page: curl with a cookie jar.
    store
        .ask("DELETE", "/streams/x", &[("Cookie", &cookie)], None)
        .expect(200);
}

#[test]
fn a_page_of_another_origin_opens_no_socket_with_its_visitors_cookie() {
    let store = Store::start();
    let cookie = cookie(&store);
    for path in ["/data/s/push", "/data/s/pull"] {
        let headers = [("Cookie", cookie.as_str()), ("Origin", "http://evil.example")];
        store.socket_answer(path, &headers).expect(403);
        let own = format!("http://{}", store.addr());
        let headers = [("Cookie", cookie.as_str()), ("Origin", own.as_str())];
        let status = store.socket_answer(path, &headers).status;
        assert_eq!(status, 101, "{path}");
    }
}
