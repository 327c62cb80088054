//! docs/pages.md: whoever visits a page of strangers lends them nothing. Browsers say in `Origin` where a page comes from.

use crate::harness::{Answer, Program, Store, send};

const EVIL: &str = "http://evil.example";

/// Requests that a page can make, with a good token.
fn requests(store: &Store) -> Vec<(&'static str, String)> {
    let with_token = |path: &str| {
        format!(
            "{path}{}token={}",
            if path.contains('?') { '&' } else { '?' },
            store.token
        )
    };
    let mut requests = vec![("POST", "/token".to_string()), ("POST", "/signout".into())];
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/docs"),
        ("GET", "/health"),
        ("GET", "/metrics"),
        ("GET", "/nowhere"),
        ("GET", "/streams/"),
        ("HEAD", "/streams/"),
        ("GET", "/activity"),
        ("PUT", "/streams/new"),
        ("DELETE", "/streams/s"),
        ("POST", "/data/s"),
        ("GET", "/data/s"),
        ("GET", "/data/s?follow=true"),
        ("GET", "/mjpeg/s"),
        ("OPTIONS", "/data/s"),
        ("GET", "/v2/data/s"),
        ("BREW", "/data/s"),
    ] {
        requests.push((method, with_token(path)));
    }
    requests
}

/// A request with these header lines; its body, if any, is a sign-in.
#[track_caller]
fn ask(store: &Store, method: &str, path: &str, lines: &[&str]) -> Answer {
    let body = match method {
        "POST" | "PUT" => "username=ada&password=ada",
        _ => "",
    };
    let kind = "Content-Type: application/x-www-form-urlencoded";
    let length = format!("Content-Length: {}", body.len());
    let host = format!("Host: {}", store.addr());
    let all = [&[host.as_str(), kind, &length, "Accept: */*"], lines]
        .concat()
        .join("\r\n");
    let request = format!("{method} {path} HTTP/1.1\r\n{all}\r\n\r\n{body}");
    match method {
        "HEAD" => {
            let mut stream = store.raw();
            send(&mut stream, request);
            crate::harness::read_answer_to_head(&mut stream)
        }
        _ => store.exchange(request),
    }
}

#[track_caller]
fn assert_refused(answer: &Answer, what: &str) {
    assert_eq!(answer.status, 403, "{what}: {answer:?}");
    assert!(
        !answer
            .headers
            .iter()
            .any(|(name, _)| name.starts_with("access-control")),
        "{what}: {answer:?}"
    );
    if !answer.body.is_empty() {
        let detail = answer.detail();
        assert!(detail.contains("--allow-origin"), "{what}: {detail}");
    }
}

#[test]
fn a_page_of_strangers_is_refused_everything_whatever_token_it_has() {
    let store = Store::start();
    store.add("s", &[b"entry"]);
    for (method, path) in requests(&store) {
        for origin in [EVIL, "null", "https://evil.example:8443", "file://", ""] {
            let answer = ask(&store, method, &path, &[&format!("Origin: {origin}")]);
            assert_refused(&answer, &format!("{method} {path} of {origin:?}"));
        }
        let answer = ask(
            &store,
            method,
            &path,
            &[
                &format!("Origin: {EVIL}"),
                &format!("Authorization: {}", store.bearer()),
            ],
        );
        assert_refused(&answer, &format!("{method} {path} with a header"));
    }
    let streams = store.get("/streams/").expect(200).json();
    assert_eq!(streams, serde_json::json!(["s"]));
    assert_eq!(store.get("/data/s").expect(200).body, b"entry");
}

#[test]
fn a_page_of_strangers_opens_no_websocket_whatever_token_it_has() {
    let store = Store::start();
    let bearer = store.bearer();
    let cookie = format!("authorization=\"{bearer}\"");
    for path in ["/data/s/push", "/data/s/pull", "/v2/data/s/push"] {
        for with in [("Authorization", bearer.as_str()), ("Cookie", &cookie), ("X", "y")] {
            for origin in [EVIL, "null", "http://127.0.0.1", "https://localhost:7890"] {
                let answer = store.socket_answer(path, &[("Origin", origin), with]);
                assert_refused(&answer, &format!("{path} of {origin} with {with:?}"));
            }
        }
    }
}

#[test]
fn an_origin_is_compared_whole_and_never_as_the_beginning_or_the_end_of_a_text() {
    let store = Store::start();
    let (own, port) = (store.addr().to_string(), store.addr().port());
    let bearer = store.bearer();
    for origin in [
        format!("http://evil-{own}"),
        format!("http://evil.{own}"),
        format!("http://{own}.evil.example"),
        format!("http://{own}0"),
        format!("http://127.0.0.1.evil.example:{port}"),
        format!("http://evil.example@{own}"),
        format!("http://{own}@evil.example"),
        format!("http://{own}/"),
        format!("http://{own}, {EVIL}"),
        format!("evil://{own}"),
        format!("http://localhost:{port}"),
        format!("http://127.0.0.1:{}", port ^ 1),
        "http://127.0.0.1".into(),
        own.clone(),
    ] {
        let answer = ask(
            &store,
            "GET",
            "/streams/",
            &[&format!("Origin: {origin}"), &format!("Authorization: {bearer}")],
        );
        assert_refused(&answer, &origin);
        let answer = store.socket_answer("/data/s/push", &[("Origin", &origin), ("Authorization", &bearer)]);
        assert_refused(&answer, &origin);
    }
}

#[test]
fn the_stores_own_pages_sign_in_read_change_and_open_websockets() {
    let store = Store::start();
    let port = store.addr().port();
    let cookie = format!("Cookie: authorization=\"{}\"", store.bearer());
    for host in [
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        format!("LocalHost:{port}"),
        "localhost".into(),
        format!("[::1]:{port}"),
    ] {
        let origin = format!("Origin: http://{}", host.to_ascii_lowercase());
        let host_line = format!("Host: {host}");
        let request =
            |line: &str| format!("{line} HTTP/1.1\r\n{host_line}\r\n{origin}\r\n{cookie}\r\nContent-Length: 0\r\n\r\n");
        for (line, status) in [
            ("GET /streams/", 200),
            ("PUT /streams/own?override=1", 200),
            ("POST /signout", 200),
            ("POST /token", 422),
        ] {
            let answer = store.exchange(request(line));
            assert_eq!(answer.status, status, "{line} at {host}: {answer:?}");
            // To its own pages a store need not say that they may read.
            assert_eq!(answer.header("access-control-allow-origin"), None);
        }
        let bearer = store.bearer();
        for path in ["/data/s/push", "/data/s/pull"] {
            let origin = origin.strip_prefix("Origin: ").expect("an origin");
            let headers = [
                ("Host", host.as_str()),
                ("Origin", origin),
                ("Cookie", cookie.strip_prefix("Cookie: ").expect("a cookie")),
            ];
            store.socket_answer(path, &headers).expect(101);
            store
                .socket_answer(path, &[("Host", &host), ("Authorization", &bearer)])
                .expect(101);
        }
    }
}

#[test]
fn what_is_no_page_has_no_origin_and_is_served() {
    let store = Store::start();
    store.add("s", &[b"entry"]);
    // As browsers ask for pictures, links and downloads of any page: it cannot read what comes.
    for site in ["cross-site", "same-site", "none"] {
        let lines = [
            format!("Sec-Fetch-Site: {site}"),
            "Sec-Fetch-Mode: no-cors".into(),
            "Referer: http://evil.example/".into(),
        ];
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        store.exchange(store.head("GET", "/data/s", &lines)).expect(200);
    }
    store.exchange(store.head("GET", "/data/s", &[])).expect(200);
}

#[test]
fn behind_a_proxy_that_rewrites_host_the_browser_or_the_proxy_tells_whose_page_it_is() {
    let store = Store::with(&["--allow-host", "lab.example"]);
    let cookie = format!("authorization=\"{}\"", store.bearer());
    let page = [("Cookie", cookie.as_str()), ("Origin", "https://lab.example")];
    let (host, proto) = (("X-Forwarded-Host", "lab.example"), ("X-Forwarded-Proto", "https"));
    let site = |site| ("Sec-Fetch-Site", site);
    let cases: [(&[(&str, &str)], u16); 10] = [
        (&[], 403),
        (&[site("same-origin")], 101),
        (&[site("cross-site")], 403),
        (&[site("same-site")], 403),
        (&[host], 101),
        (&[host, proto], 101),
        (&[host, ("X-Forwarded-Proto", "http")], 403),
        // The browser knows better than the proxy.
        (&[host, site("cross-site")], 403),
        (&[("X-Forwarded-Host", "evil.example")], 421),
        (&[("X-Forwarded-Host", "lab.example:8443")], 403),
    ];
    for (more, status) in cases {
        for path in ["/data/s/push", "/data/s/pull"] {
            let answer = store.socket_answer(path, &[&page[..], more].concat());
            assert_eq!(answer.status, status, "{path} {more:?}: {answer:?}");
        }
        // What only a worker sees to: a cookie that changes something.
        let status = if status == 101 { 200 } else { status };
        let answer = store.ask("PUT", "/streams/s?override=1", &[&page[..], more].concat(), Some(b""));
        assert_eq!(answer.status, status, "PUT {more:?}: {answer:?}");
    }
}

#[test]
fn what_is_no_origin_and_no_host_is_refused_at_start() {
    for (flag, value) in [
        ("--allow-origin", "lab.example"),
        ("--allow-origin", "http://lab.example/"),
        ("--allow-origin", "https://*.lab.example"),
        ("--allow-host", "http://lab"),
        ("--allow-host", "lab:80"),
        ("--allow-host", "*.lab.example"),
    ] {
        let output = Program::run(&[flag, value, "--listen", "127.0.0.1:0"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{flag} {value}: {said}");
        assert!(said.contains(flag) && said.contains(value), "{said}");
    }
}

#[test]
fn a_websocket_of_an_own_page_behind_a_proxy_that_tells_nothing_proves_it_by_what_only_own_pages_can_read() {
    let store = Store::with(&["--allow-origin", "http://friend.example"]);
    let bearer = store.bearer();
    let cookie = format!("authorization=\"{bearer}\"");
    let activity = store.get("/activity").expect(200);
    let token = activity.header("x-csrf-token").expect("a token").to_owned();
    let open = |origin: &str, token: &str| {
        let path = format!("/data/s/pull?csrf_token={token}");
        store
            .socket_answer(&path, &[("Origin", origin), ("Cookie", &cookie)])
            .status
    };
    // Chromium says no more than this about a WebSocket.
    assert_eq!(open("https://lab.example", &token), 101);
    for wrong in ["", "x", &token[1..], &format!("{token}0"), &bearer[7..]] {
        assert_eq!(open("https://lab.example", wrong), 403, "{wrong}");
        assert_eq!(open("http://friend.example", wrong), 403, "{wrong}");
    }
    // A page of an allowed origin must not read it: browsers show only the headers that are named.
    let page = [("Origin", "http://friend.example"), ("Authorization", bearer.as_str())];
    let answer = store.ask("GET", "/activity", &page, None).expect(200);
    assert_eq!(
        answer.header("access-control-expose-headers"),
        Some("entry-offset, last-generated-id")
    );
    // And no two stores have the same.
    let other = Store::start().get("/activity").expect(200);
    assert_ne!(other.header("x-csrf-token"), Some(token.as_str()));
}
