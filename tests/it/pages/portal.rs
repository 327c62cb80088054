//! The documentation that the program serves: its documents, its page, and the files that the page needs.

use crate::harness::Store;

#[test]
fn the_documents_are_public_json() {
    let store = Store::start();
    for (path, field, version) in [
        ("/openapi.json", "openapi", "3.1.0"),
        ("/asyncapi.json", "asyncapi", "3.0.0"),
    ] {
        let answer = store.ask("GET", path, &[], None).expect(200);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.json()[field], version);
    }
}

#[test]
fn the_page_needs_no_other_host_and_its_files_come_as_gzip() {
    let store = Store::start();
    let page = store.ask("GET", "/docs", &[], None).expect(200);
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(
        policy.contains("default-src 'none'") && policy.contains("script-src 'self' 'sha256-"),
        "{policy}"
    );
    assert!(!page.text().contains("http://") && !page.text().contains("https://"));
    for (name, kind) in [
        ("swagger-ui.css", "text/css"),
        ("swagger-ui-bundle.js", "text/javascript"),
    ] {
        assert!(page.text().contains(&format!("\"docs/{name}\"")), "{name}");
        let browser = [("Accept-Encoding", "gzip, deflate, br")];
        let file = store.ask("GET", &format!("/docs/{name}"), &browser, None).expect(200);
        assert!(
            file.header("content-type").is_some_and(|given| given.starts_with(kind)),
            "{name}"
        );
        assert_eq!(file.header("content-encoding"), Some("gzip"));
        // RFC 1952: the two magic bytes and the method, deflate.
        assert_eq!(file.body[..3], [0x1f, 0x8b, 8], "{name}");
    }
    store.ask("GET", "/docs/nothing.js", &[], None).expect(404);
}

#[test]
fn redoc_leads_to_the_documentation() {
    let store = Store::start();
    let answer = store.exchange("GET /redoc HTTP/1.1\r\nHost: x\r\n\r\n").expect(307);
    assert_eq!(answer.header("location"), Some("docs"));
}

#[test]
fn every_status_that_a_route_documents_of_its_own_can_be_had() {
    let store = Store::start();
    let bearer = store.bearer();
    let token = [("Authorization", bearer.as_str())];
    let form = |body: &'static [u8]| {
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        store.ask("POST", "/token", &headers, Some(body)).status
    };
    let coded = |method: &str, path: &str| {
        let head = store.head(method, path, &["Content-Encoding: gzip", "Content-Length: 0"]);
        store.exchange(head).status
    };
    let bare = |line: &str| store.exchange(store.head("POST", line, &[])).status;
    let socket = |path: &str, more: &[(&str, &str)]| store.socket_answer(path, more).status;
    let events = ("Accept", "text/event-stream");
    let follow = |path: &str, more: &[(&str, &str)]| {
        let headers: Vec<(&str, &str)> = token.iter().chain(more).copied().collect();
        store.ask("GET", path, &headers, None).status
    };
    let old = [token[0], ("Sec-WebSocket-Version", "8")];
    let mut had: Vec<(&str, &str, u16)> = vec![
        ("POST", "/token", form(b"username=ada&password=ada")),
        ("POST", "/token", form(b"username=ada&password=bob")),
        ("POST", "/token", form(b"username=ada")),
        ("POST", "/token", bare("/token")),
        ("POST", "/signout", store.ask("POST", "/signout", &[], Some(b"")).status),
        ("POST", "/signout", bare("/signout")),
        ("POST", "/data/{stream_id}", bare("/data/s")),
        (
            "POST",
            "/data/{stream_id}",
            store.post("/data/s", "image/png", b"entry").status,
        ),
        ("POST", "/token", coded("POST", "/token")),
        ("POST", "/signout", coded("POST", "/signout")),
        ("POST", "/data/{stream_id}", coded("POST", "/data/s")),
        ("PUT", "/streams/{stream_id}", coded("PUT", "/streams/s")),
        ("GET", "/docs/{asset}", store.get("/docs/README.md").status),
        ("GET", "/docs/{asset}", store.get("/docs/nothing").status),
        (
            "GET",
            "/data/{stream_id}",
            follow("/data/s?last_entry_id=$&until=latest", &[events]),
        ),
        (
            "GET",
            "/redoc",
            store.exchange("GET /redoc HTTP/1.1\r\nHost: x\r\n\r\n").status,
        ),
    ];
    for path in [
        "/ping",
        "/health",
        "/metrics",
        "/",
        "/docs",
        "/openapi.json",
        "/asyncapi.json",
    ] {
        had.push(("GET", path, store.ask("GET", path, &[], None).status));
    }
    for (method, pattern) in [
        ("GET", "/activity"),
        ("GET", "/streams/"),
        ("GET", "/streams/{stream_id}"),
        ("PUT", "/streams/{stream_id}"),
        ("DELETE", "/streams/{stream_id}"),
        ("POST", "/data/{stream_id}"),
        ("GET", "/data/{stream_id}"),
        ("GET", "/mjpeg/{stream_id}"),
    ] {
        let body: Option<&[u8]> = (method == "POST").then_some(b"entry");
        // What stays open ends by itself.
        let good = pattern.replace(
            "{stream_id}",
            if pattern.starts_with("/mjpeg") {
                "s?timeout=1"
            } else {
                "s"
            },
        );
        let bad = match pattern.contains("{stream_id}") {
            true => pattern.replace("{stream_id}", "a%2Fb"),
            false => format!("{pattern}?Token=1"),
        };
        had.push((method, pattern, store.ask(method, &good, &[], body).status));
        had.push((method, pattern, store.ask(method, &good, &token, body).status));
        had.push((method, pattern, store.ask(method, &bad, &token, body).status));
    }
    for (pattern, path) in [
        ("/data/{stream_id}/push", "/data/s/push"),
        ("/data/{stream_id}/pull", "/data/s/pull"),
    ] {
        had.push(("GET", pattern, socket(path, &token)));
        had.push(("GET", pattern, socket(path, &[])));
        had.push(("GET", pattern, socket(&path.replace("/s/", "/a%2Fb/"), &token)));
        had.push(("GET", pattern, socket(path, &old)));
    }
    for route in ptg_store::request::router::ROUTES {
        for status in route.statuses {
            let wanted = (route.method, route.pattern, *status);
            assert!(had.contains(&wanted), "{wanted:?} was not had");
        }
    }
}
