//! The log: what it has a line for, and what it never shows (docs/protocol.md, section 3).

use crate::harness::liar::Anything;
use crate::harness::{PATIENCE, Program, Redis, eventually, send_binary, wait_for_pong};

#[test]
fn a_request_leaves_one_log_line_without_its_query() {
    let redis = Redis::start();
    let store = Program::start(&["--redis", &redis.url()]);
    store
        .get("/streams/a-name-to-find?report_error=true&secret=hidden")
        .expect(400);
    let mine = || {
        let log = store.log();
        log.lines()
            .filter(|line| line.contains("/streams/a-name-to-find"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    eventually(PATIENCE, || !mine().is_empty());
    let lines = mine();
    assert_eq!(lines.len(), 1, "{lines:?}");
    for word in ["GET", "400", "127.0.0.1"] {
        assert!(lines[0].contains(word), "{word} in {lines:?}");
    }
    assert!(!store.log().contains("hidden"), "{}", store.log());
}

#[test]
fn a_socket_leaves_a_log_line_at_open_and_at_close() {
    let redis = Redis::start();
    let store = Program::start(&["--redis", &redis.url()]);
    let mine = || {
        store
            .log()
            .lines()
            .filter(|line| line.contains("a-name-to-find"))
            .count()
    };
    let mut socket = store.push("a-name-to-find", "");
    eventually(PATIENCE, || mine() == 1);
    send_binary(&mut socket, b"entry");
    socket.close(None).expect("to close");
    while socket.read().is_ok() {}
    eventually(PATIENCE, || mine() == 2);
}

#[test]
fn rust_log_sets_what_is_logged() {
    let redis = Redis::start();
    let here = std::env::temp_dir();
    let store = Program::start_in(&here, &["--redis", &redis.url()], &[("RUST_LOG", "error")]);
    store.get("/streams/a-name-to-find").expect(200);
    let mut store = store;
    store.signal("TERM");
    store.wait(PATIENCE);
    assert!(!store.log().contains("a-name-to-find"), "{}", store.log());
}

#[test]
fn a_rust_log_that_makes_no_sense_is_told_and_the_log_is_as_without_it() {
    let redis = Redis::start();
    let here = std::env::temp_dir();
    for nonsense in ["xyz", "nonsense=x=y"] {
        let store = Program::start_in(&here, &["--redis", &redis.url()], &[("RUST_LOG", nonsense)]);
        store.get("/streams/a-name-to-find").expect(200);
        eventually(PATIENCE, || store.log().contains("a-name-to-find"));
        let told = format!("RUST_LOG is '{nonsense}', and must be off, error, warn, info, debug or trace");
        assert!(store.log().contains(&told), "{}", store.log());
        assert_eq!(store.log().matches(nonsense).count(), 1, "{}", store.log());
    }
}

#[test]
fn neither_log_nor_metrics_nor_errors_ever_show_a_token_or_a_password() {
    let redis = Redis::start();
    let here = std::env::temp_dir();
    let mut store = Program::start_in(&here, &["--redis", &redis.url()], &[("RUST_LOG", "trace")]);
    let token = store.token.clone();
    let bearer = store.bearer();
    let cookie = format!("authorization=\"{bearer}\"");
    let wrong = "wrong-s3cret-token";
    let form = "application/x-www-form-urlencoded";
    let mut replies = vec![
        store.ask(
            "POST",
            "/token",
            &[("Content-Type", form)],
            Some(b"username=me&password=s3cret-password"),
        ),
        store.ask("GET", &format!("/streams/?token={wrong}"), &[], None),
        store.ask(
            "GET",
            "/streams/",
            &[("Authorization", &format!("Bearer {wrong}"))],
            None,
        ),
        store.ask("GET", &format!("/data/x?count=x&token={token}"), &[], None),
        store.ask("GET", &format!("/nope?token={token}"), &[], None),
        store.ask("GET", "/data/x", &[("Cookie", &cookie)], None),
        store.socket_answer(&format!("/data/x/push?ack=maybe&token={token}"), &[]),
        store.socket_answer(&format!("/data/x/push?token={wrong}"), &[]),
        store.exchange(format!(
            "GET /ping HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer}\r\nbad header\r\n\r\n"
        )),
        store.exchange(format!("GET /ping?token={token} HTTP/2.0\r\n\r\n")),
    ];
    let mut push = store.socket(&format!("/data/x/push?token={token}"));
    send_binary(&mut push, b"entry");
    wait_for_pong(&mut push);
    replies.push(store.get("/metrics"));
    drop(push);
    store.signal("TERM");
    store.wait(PATIENCE);
    let log = store.log();
    for secret in [
        &token[..],
        &token[..60],
        token.rsplit('.').next().expect("a signature"),
        "s3cret",
        wrong,
    ] {
        assert!(!log.contains(secret), "{secret} in the log");
        for reply in &replies {
            assert!(!reply.text().contains(secret), "{secret} in {reply:?}");
        }
    }
}

#[test]
fn the_log_says_that_sign_in_is_in_development_mode() {
    let redis = Redis::start();
    let store = Program::start(&["--redis", &redis.url()]);
    eventually(PATIENCE, || store.log().to_lowercase().contains("development"));
}

#[test]
fn the_password_of_redis_is_never_shown() {
    let redis = Redis::start();
    let mut connection = redis.connection();
    let mut require = |password: &str| {
        let mut command = redis::cmd("CONFIG");
        command.arg("SET").arg("requirepass").arg(password);
        command.exec(&mut connection).expect("CONFIG SET");
    };
    require("right-s3cret");
    let here = std::env::temp_dir();
    for (password, status) in [("right-s3cret", 200), ("wrong-s3cret", 503)] {
        let url = format!("redis://:{password}@127.0.0.1:{}", redis.port());
        let mut store = Program::start_in(&here, &["--redis", &url], &[("RUST_LOG", "trace")]);
        let replies = [
            store.get("/ping").expect(status),
            store.get("/streams/").expect(status),
            store.get("/metrics"),
        ];
        for reply in replies {
            assert!(!reply.text().contains("s3cret"), "{reply:?}");
        }
        store.signal("TERM");
        store.wait(PATIENCE);
        assert!(!store.log().contains("s3cret"), "{}", store.log());
    }
    let output = Program::run(&["--redis", "redis://:s3cret@host:no-port"]);
    assert!(!output.status.success());
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(!message.contains("s3cret"), "{message}");
}

#[test]
fn what_clients_send_cannot_forge_a_log_line() {
    let redis = Redis::start();
    let mut store = Program::start(&["--redis", &redis.url()]);
    let forged = "x%0D%0AFORGED%1B%5B2J";
    store.get(&format!("/{forged}")).expect(404);
    store.get(&format!("/streams/{forged}")).expect(422);
    store.get(&format!("/data/x?last_entry_id={forged}")).expect(422);
    let form = format!("username={forged}&password={forged}");
    let kind = [("Content-Type", "application/x-www-form-urlencoded")];
    let answer = store.ask("POST", "/token", &kind, Some(form.as_bytes()));
    assert!([200, 401, 422].contains(&answer.status), "{answer:?}");
    store.socket_answer(&format!("/data/{forged}/push"), &[]).expect(401);
    store
        .exchange("GET /\x1b[2JFORGED HTTP/1.1\r\nHost: x\r\n\r\n")
        .expect(400);
    store.signal("TERM");
    store.wait(PATIENCE);
    let log = store.log();
    assert!(!log.contains('\x1b'), "{log}");
    assert!(!log.lines().any(|line| line.starts_with("FORGED")), "{log}");
}

/// Ends a store; its log, in which every line is of plain characters.
#[track_caller]
fn plain_log(mut store: Program) -> String {
    store.signal("TERM");
    store.wait(PATIENCE);
    let log = store.log();
    assert!(
        log.chars().all(|c| c == '\n' || ptg_store::words::visible::is_plain(c)),
        "{log:?}"
    );
    log
}

/// Lines of the log.
fn lines_with(log: &str, words: &str) -> Vec<String> {
    log.lines()
        .filter(|line| line.contains(words))
        .map(str::to_owned)
        .collect()
}

#[test]
fn names_that_are_no_plain_words_are_quoted_in_the_log() {
    let redis = Redis::start();
    let store = Program::start(&["--redis", &redis.url()]);
    // Each once as it is, and as it stands in the log.
    let names = [
        ("plain-käse", "plain-käse"),
        ("a b", "\"a b\""),
        ("x code=1000", "\"x code=1000\""),
        ("a=b", "\"a=b\""),
        ("a\"b", "\"a\\\"b\""),
        ("a\\b", "\"a\\\\b\""),
        ("a+b", "\"a+b\""),
        ("x\u{202e}y", "\"x\\u{202e}y\""),
        ("x\u{2028}y", "\"x\\u{2028}y\""),
        ("x\u{200b}y", "\"x\\u{200b}y\""),
    ];
    for (name, _) in names {
        let mut push = store.push(name, "");
        send_binary(&mut push, b"entry");
        push.close(None).expect("to close");
        while push.read().is_ok() {}
        drop(store.pull(name, "last_entry_id=0"));
    }
    let has = |line: &str, stream: &str| line.contains(&format!(" stream={stream} "));
    for (name, shown) in names {
        for begin in ["push open", "push closed", "pull open", "pull closed"] {
            eventually(PATIENCE, || {
                lines_with(&store.log(), begin).iter().any(|line| has(line, shown))
            });
        }
        assert!(
            name == shown || !store.log().contains(&format!("stream={name} ")),
            "{name}: {}",
            store.log()
        );
    }
    plain_log(store);
}

#[test]
fn paths_that_could_be_taken_for_fields_are_quoted_in_the_log() {
    let redis = Redis::start();
    let store = Program::start(&["--redis", &redis.url()]);
    for target in ["/x\"y", "/code=1000", "stream=x", "/\\n"] {
        store.exchange(format!("GET {target} HTTP/1.1\r\nHost: {}\r\n\r\n", store.addr()));
    }
    store.get("/streams/plain?query=left-out");
    let log = plain_log(store);
    for shown in ["GET \"/x\\\"y\" ", "GET \"/code=1000\" ", "GET /streams/plain 200 "] {
        assert!(log.contains(shown), "{shown} in {log}");
    }
    assert!(!log.contains(" stream=x") && !log.contains(" /\\n "), "{log}");
}

#[test]
fn what_redis_says_cannot_forge_a_log_line() {
    let error = "-ERR \u{1b}]52;c;eA==\u{7}\u{9b}2J\u{202e} code=1000 entries=7\r\n";
    let liar = Anything::start(error.as_bytes());
    let store = Program::start(&["--redis", &format!("redis://{}", liar.address())]);
    store.get("/streams/").expect(503);
    store.socket_answer("/data/x/push", &[]);
    eventually(PATIENCE, || store.log().contains("code=1000"));
    let log = plain_log(store);
    for line in lines_with(&log, "code=1000") {
        let (before, _) = line.split_once("code=1000").expect("it");
        assert!(before.matches('"').count() % 2 == 1, "not in quotes: {line}");
    }
}

#[test]
fn an_address_of_redis_cannot_forge_a_log_line() {
    let url = "redis+unix:///nowhere/%0AFORGED%1B%5B2J%20code=1000";
    let store = Program::start(&["--redis", url]);
    eventually(PATIENCE, || store.log().contains("cannot be reached"));
    let log = plain_log(store);
    assert!(!log.lines().any(|line| line.starts_with("FORGED")), "{log}");
}
