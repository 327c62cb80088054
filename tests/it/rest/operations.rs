//! Health, counters, and where it may listen (docs/protocol.md, sections 2 and 3).

use ptg_store::Config;

use crate::harness::{PATIENCE, Program, Redis, Store, eventually, receive_reply, send_binary};

#[test]
fn health_gives_status_and_version() {
    let store = Store::start();
    let expected = serde_json::json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")});
    assert_eq!(store.get("/health").expect(200).json(), expected);
}

#[test]
fn ping_is_true() {
    let store = Store::start();
    assert_eq!(store.get("/ping").expect(200).json(), serde_json::json!(true));
}

#[test]
fn the_readme_is_served_as_text() {
    let store = Store::start();
    for path in ["/docs/README.md", "/docs/README.md/"] {
        let answer = store.get(path).expect(200);
        let kind = answer.header("content-type").unwrap_or_default();
        assert!(kind.starts_with("text/plain"), "{kind}");
        assert!(!answer.body.is_empty());
    }
}

#[test]
fn requests_are_counted_by_route_method_and_status() {
    let store = Store::start();
    let counted = |labels: &str| store.metric(&format!("ptg_requests_total{{{labels}}}"));
    store.get("/streams/one").expect(200);
    store.get("/streams/two").expect(200);
    store.delete("/streams/none").expect(400);
    store.get("/streams/XMETA:x").expect(422);
    store.get("/secret-path").expect(404);
    store.put("/data/x").expect(405);
    let stream = r#"route="/streams/{stream_id}""#;
    eventually(PATIENCE, || {
        counted(&format!(r#"{stream},method="GET",status="200""#)) == 2.0
    });
    eventually(PATIENCE, || {
        counted(&format!(r#"{stream},method="DELETE",status="400""#)) == 1.0
    });
    eventually(PATIENCE, || {
        counted(&format!(r#"{stream},method="GET",status="422""#)) == 1.0
    });
    eventually(PATIENCE, || counted(r#"route="none",method="GET",status="404""#) == 1.0);
    // What clients make up must not grow the page.
    let text = store.get("/metrics").expect(200);
    assert!(!text.text().contains("secret-path"));
}

#[test]
fn methods_that_clients_make_up_do_not_grow_the_counters() {
    let store = Store::start();
    for number in 0..50 {
        store
            .exchange(store.head(&format!("MADEUP{number}"), "/ping", &[]))
            .expect(405);
    }
    let text = store.get("/metrics").expect(200);
    assert!(!text.text().contains("MADEUP"), "{}", text.text());
}

#[test]
fn entries_and_bytes_are_counted_in_and_out() {
    let store = Store::start();
    store.add("x", &[b"12345", b"678"]);
    store.get("/data/x?count=2").expect(200);
    let mut push = store.push("x", "");
    send_binary(&mut push, b"90");
    let mut pull = store.pull("x", "last_entry_id=0&count=9");
    while receive_reply(&mut pull).last().is_none_or(|(_, data)| data != b"90") {}
    let expected = [
        (r#"ptg_entries_in_total{via="rest"}"#, 2.0),
        (r#"ptg_bytes_in_total{via="rest"}"#, 8.0),
        (r#"ptg_entries_out_total{via="rest"}"#, 2.0),
        (r#"ptg_bytes_out_total{via="rest"}"#, 8.0),
        (r#"ptg_entries_in_total{via="push"}"#, 1.0),
        (r#"ptg_bytes_in_total{via="push"}"#, 2.0),
        (r#"ptg_entries_out_total{via="pull"}"#, 3.0),
        (r#"ptg_bytes_out_total{via="pull"}"#, 10.0),
        (r#"ptg_sockets_open{kind="push"}"#, 1.0),
        (r#"ptg_sockets_open{kind="pull"}"#, 1.0),
        (r#"ptg_sockets_total{kind="pull"}"#, 1.0),
        ("ptg_redis_up", 1.0),
    ];
    for (name, value) in expected {
        eventually(PATIENCE, || store.metric(name) == value);
    }
}

#[test]
fn metrics_are_prometheus_text() {
    let store = Store::start();
    store.assert_serves();
    let answer = store.get("/metrics").expect(200);
    let kind = answer.header("content-type").unwrap_or_default();
    assert!(kind.starts_with("text/plain"), "{kind}");
    assert!(answer.text().ends_with('\n'));
    for line in answer.text().lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line}"));
        assert!(value.parse::<f64>().is_ok(), "{line}");
        let family = name.split('{').next().unwrap_or_default();
        assert!(family.starts_with("ptg_"), "{line}");
        let kind = format!("# TYPE {family} ");
        assert!(
            answer.text().lines().any(|line| line.starts_with(&kind)),
            "{family} has no type"
        );
    }
}

#[test]
fn in_development_mode_it_listens_only_on_loopback_unless_told_otherwise() {
    let redis = Redis::start();
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let output = Program::run(&["--redis", &redis.url(), "--listen", address]);
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{address}: {message}");
        assert!(message.contains("--insecure-dev-auth"), "{address}: {message}");
    }
    // Tests never listen beyond loopback, so this is as far as the other half goes.
    let arguments = ["--redis", &redis.url(), "--listen", "0.0.0.0:0", "--insecure-dev-auth"];
    assert!(Config::from_args(&arguments).is_ok());
    let store = Store::on(&redis, &["--listen", "127.0.0.2:0"]);
    store.get("/ping").expect(200);
}
