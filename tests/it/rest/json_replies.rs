//! Replies of JSON: each ends with a line end, whoever writes it, and is as long as it says.

use crate::harness::{Answer, Redis, Store, multipart, read_answer, read_answer_to_head, send};

#[test]
fn every_json_reply_ends_with_one_line_end_which_its_length_counts() {
    let store = Store::start();
    let token = format!("Authorization: {}", store.bearer());
    let mut checked = 0;
    for prefix in ["", "/v2"] {
        for (method, path, status) in [
            ("GET", "/streams/none", 200),
            ("GET", "/streams/none?report_error=1", 400),
            ("PUT", "/streams/one", 200),
            ("PUT", "/streams/one?override=false", 400),
            ("GET", "/streams/", 200),
            ("GET", "/streams/one", 200),
            ("GET", "/activity", 200),
            ("DELETE", "/streams/one", 200),
            ("DELETE", "/streams/one?force=true", 200),
            ("DELETE", "/streams/one", 400),
            ("POST", "/signout", 200),
            ("POST", "/token", 422),
            ("GET", "/ping", 200),
            ("GET", "/health", 200),
            ("GET", "/nowhere", 404),
            ("PATCH", "/streams/one", 405),
            ("GET", "/data/one?count=x", 422),
            ("GET", "/data/one/push?batch=x", 422),
        ] {
            let mut stream = store.raw();
            let lines: &[&str] = match method {
                "POST" | "PUT" => &[&token, "Content-Length: 0"],
                _ => &[&token],
            };
            send(&mut stream, store.head(method, &format!("{prefix}{path}"), lines));
            let answer = read_answer(&mut stream).expect(status);
            ends(&answer);
            // A byte too many would be read as the next reply.
            send(&mut stream, store.head("GET", "/health", &[]));
            ends(&read_answer(&mut stream).expect(200));
            checked += 1;
        }
    }
    assert_eq!(checked, 36);
    for path in ["/openapi.json", "/asyncapi.json"] {
        ends(&store.get(path).expect(200));
    }
}

#[test]
fn refusals_after_which_the_connection_ends_have_their_line_end_too() {
    let store = Store::start();
    ends(&store.exchange("nonsense\r\n\r\n").expect(400));
    ends(&store.exchange(store.head("POST", "/data/one", &[])).expect(411));
    ends(
        &store
            .exchange("GET /ping HTTP/1.1\r\nHost: evil.example\r\n\r\n")
            .expect(421),
    );
    ends(
        &store
            .exchange(format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(20_000)))
            .expect(431),
    );
    ends(&store.exchange("GET /ping HTTP/2.0\r\nHost: x\r\n\r\n").expect(505));
    let store = Store::with(&["--max-connections", "1"]);
    let _full = store.pull("one", "");
    ends(&read_answer(&mut store.raw()).expect(503));
}

#[test]
fn a_store_without_its_redis_and_the_replies_to_head_have_it_too() {
    let redis = Redis::start();
    let store = Store::on(&redis, &[]);
    let get = store.get("/streams/one");
    let mut stream = store.raw();
    send(
        &mut stream,
        store.head("HEAD", "/streams/one", &[&format!("Authorization: {}", store.bearer())]),
    );
    let head = read_answer_to_head(&mut stream);
    assert_eq!(head.header("content-length"), Some(&*get.body.len().to_string()));
    redis.kill();
    ends(&store.get("/streams/").expect(503));
    ends(&store.get("/ping").expect(503));
}

#[test]
fn entries_and_lines_of_json_come_as_they_are() {
    let store = Store::start();
    store.add("one", &[b"{}"]);
    assert_eq!(store.get("/data/one").expect(200).body, b"{}");
    let lines = store.get("/data/one?format=json").expect(200);
    assert_eq!(lines.text().lines().count(), 1);
    assert!(lines.text().ends_with("}\n"), "{lines:?}");
}

#[test]
fn who_sends_no_entry_is_told_how_to_send_one() {
    let store = Store::start();
    let form = "application/x-www-form-urlencoded";
    let (multi, other) = multipart(&[("file", b"picture")]);
    for (kind, body) in [
        (form, &b"{\"t\":1}"[..]),
        (form, b"entries=hello"),
        (form, b""),
        (&*multi, &other),
    ] {
        let hint = hint(&store.post("/data/one", kind, body));
        assert!(hint.contains("curl -F entries=@FILE"), "{hint}");
        assert!(hint.contains("-H 'Content-Type: application/octet-stream'"), "{hint}");
    }
    // What is merely wrong has none.
    assert!(store.get("/data/one?count=x").expect(422).json()["hint"].is_null());
}

#[test]
fn who_signs_in_with_json_or_a_query_is_told_to_send_a_form() {
    let store = Store::start();
    for (path, kind, body) in [
        ("/token", "application/json", r#"{"username":"ada","password":"ada"}"#),
        ("/token?username=ada&password=ada", "application/json", ""),
        ("/v2/token", "text/plain", "username=ada&password=ada"),
    ] {
        let hint = hint(&store.post(path, kind, body.as_bytes()));
        assert!(
            hint.contains("curl -d username=NAME -d password=PASSWORD"),
            "{path} {kind}: {hint}"
        );
    }
    let form = "application/x-www-form-urlencoded";
    assert!(store.post("/token", form, b"username=ada").expect(422).json()["hint"].is_null());
}

#[test]
fn put_of_the_default_dialect_refuses_a_body_and_says_where_it_goes() {
    let store = Store::start();
    let token = store.bearer();
    let put = |path: &str, kind: &str, body: &str| {
        let headers = [("Authorization", &*token), ("Content-Type", kind)];
        store.ask("PUT", path, &headers, Some(body.as_bytes()))
    };
    let json = "application/json";
    for (kind, body) in [
        (json, r#"{"desc":"front camera","max_len":5000}"#),
        (json, "{desc: 'not json'}"),
        ("application/x-www-form-urlencoded", "max_len=5000&override=true"),
    ] {
        let answer = put("/streams/one?desc=x", kind, body);
        assert_eq!(
            answer.faults(),
            [("__root__".into(), "value_error.extra".into())],
            "{body}"
        );
        let said = answer.json()["detail"][0]["msg"].to_string();
        assert!(
            said.contains("takes no body: send desc, meta, max_len and override in the query"),
            "{said}"
        );
        let hint = hint(&answer);
        assert!(
            hint.contains("/streams/NAME?desc=TEXT&max_len=5000") && hint.contains("/v2/streams/NAME"),
            "{hint}"
        );
    }
    let keys: usize = store.redis.command(&["DBSIZE"]);
    assert_eq!(keys, 0, "what is refused changes nothing");
    put("/streams/one?max_len=5", json, "").expect(200);
    put("/streams/one?max_len=6&override=true", json, " {}\r\n").expect(200);
    let made = put("/v2/streams/one", json, r#"{"max_len":7}"#).expect(200);
    assert_eq!(made.json()["max_len"], 7);
}

#[track_caller]
fn ends(answer: &Answer) {
    // Which also asserts the line end.
    answer.json();
}

#[track_caller]
fn hint(answer: &Answer) -> String {
    assert_eq!(answer.status, 422, "{answer:?}");
    answer.json()["hint"].as_str().expect("a hint").to_string()
}
