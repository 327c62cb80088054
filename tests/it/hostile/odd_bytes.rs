//! NUL, line ends and bytes beyond ASCII in every place of a request: answered, never carried on into a reply or a name.

use std::io::{Read, Write};
use std::net::Shutdown;

use crate::harness::{Replies, Store};

/// Each is put into the middle of something that is fine without it.
const ODD: [&[u8]; 16] = [
    b"\0",
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\r\nX-Injected: yes\r\n",
    b"\x1b[2J",
    b"\x7f",
    b"\t",
    b"\"",
    "ä".as_bytes(),
    "\u{202e}".as_bytes(),
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"%00",
    b"%0d%0aX-Injected:%20yes",
];

/// Sends it all, ends our side, and takes everything that comes.
fn replies(store: &Store, request: &[u8]) -> Replies {
    let mut stream = store.raw();
    stream.write_all(request).expect("to send");
    stream.shutdown(Shutdown::Write).expect("to end our side");
    let mut bytes = Vec::new();
    let shown = String::from_utf8_lossy(request);
    if let Err(error) = stream.read_to_end(&mut bytes) {
        panic!("{error} instead of an end, after {shown:?}");
    }
    Replies::parse(&bytes).unwrap_or_else(|error| panic!("{error} after {shown:?}"))
}

/// Every template with every odd text in place of its `{}`.
fn odd_requests(templates: &[String]) -> Vec<Vec<u8>> {
    let filled = templates.iter().flat_map(|template| {
        let (before, after) = template.split_once("{}").expect("a place");
        ODD.map(|odd| [before.as_bytes(), odd, after.as_bytes()].concat())
    });
    filled.collect()
}

#[track_caller]
fn assert_harmless(store: &Store, templates: &[String]) {
    for request in odd_requests(templates) {
        let replies = replies(store, &request);
        let shown = String::from_utf8_lossy(&request);
        for answer in replies.answers {
            assert!(answer.status < 500 || answer.status == 505, "{shown:?}: {answer:?}");
            let injected = answer.headers.iter().any(|(name, _)| name == "x-injected");
            assert!(!injected, "{shown:?}: {answer:?}");
        }
    }
    let names: Vec<Vec<u8>> = store.redis.command(&["KEYS", "*"]);
    for name in names {
        let text = String::from_utf8(name).expect("a key that is UTF-8");
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
    store.assert_serves();
}

#[test]
fn odd_bytes_in_the_head_of_a_request_do_no_harm() {
    let store = Store::start();
    let bearer = store.bearer();
    let request = |line: &str, header: &str| format!("{line}\r\nAuthorization: {bearer}\r\n{header}\r\n\r\n");
    let get = "GET /streams/ HTTP/1.1";
    assert_harmless(
        &store,
        &[
            request("GE{}T /streams/ HTTP/1.1", "Host: x"),
            request("GET{} /streams/ HTTP/1.1", "Host: x"),
            request("GET /str{}eams/ HTTP/1.1", "Host: x"),
            request("GET /streams/?a{}b=c HTTP/1.1", "Host: x"),
            request("GET /streams/?a=b{}c HTTP/1.1", "Host: x"),
            request("GET /streams/ HT{}TP/1.1", "Host: x"),
            request("GET /streams/ HTTP/1.1{}", "Host: x"),
            request(get, "Ho{}st: x"),
            request(get, "Host{}: x"),
            request(get, "Host: x{}y"),
            request(get, "{}Host: x"),
            request(get, "Cookie: authorization=\"Bearer x{}y\""),
            request(get, "Authorization: Bearer x{}y"),
            request(get, "Connection: keep{}-alive"),
            request(get, "Accept-Encoding: gz{}ip"),
            request(get, "Expect: 100-{}continue"),
            format!("GET /streams/?token={}{{}} HTTP/1.1\r\nHost: x\r\n\r\n", store.token),
            format!("GET /streams/ HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer}{{}}\r\n\r\n"),
        ],
    );
}

#[test]
fn odd_bytes_in_names_and_parameters_do_no_harm() {
    let store = Store::start();
    let bearer = store.bearer();
    let line =
        |line: &str| format!("{line} HTTP/1.1\r\nAuthorization: {bearer}\r\nContent-Length: 0\r\nHost: x\r\n\r\n");
    assert_harmless(
        &store,
        &[
            line("GET /streams/na{}me"),
            line("PUT /streams/na{}me"),
            line("PUT /streams/one?desc=a{}b&override=1"),
            line("PUT /streams/one?meta={\"a{}b\":1}&override=1").replace("{\"", "%7B\""),
            line("PUT /streams/one?max_len=1{}0&override=1"),
            line("PUT /streams/one?over{}ride=1"),
            line("DELETE /streams/na{}me?force=1"),
            line("POST /data/na{}me"),
            line("GET /data/na{}me"),
            line("GET /data/one?last_entry_id=0{}-1"),
            line("GET /data/one?count=1{}0"),
            line("GET /docs/swagger{}ui.css"),
        ],
    );
}

#[test]
fn odd_bytes_in_requests_for_replies_that_stay_open_do_no_harm() {
    let store = Store::start();
    let bearer = store.bearer();
    let request = |path: &str, header: &str| {
        format!("GET {path} HTTP/1.1\r\nAuthorization: {bearer}\r\nHost: x\r\n{header}\r\n\r\n")
    };
    let events = "Accept: text/event-stream";
    assert_harmless(
        &store,
        &[
            request("/data/a+na{}me+b?follow=true&timeout=20", "X: y"),
            request("/data/a{}+b?format=json&count=9", "X: y"),
            request("/data/one?follow=tr{}ue&timeout=20", "X: y"),
            request("/data/one?follow=true&timeout=20&last_entry_id=-1{}h", "X: y"),
            request("/data/one?until=2026-11-25T10:00:{}00Z", "X: y"),
            request("/data/one?format=js{}on", "X: y"),
            request("/data/one?max_rate=1{}0&follow=true&timeout=20", "X: y"),
            request("/data/one?timeout=20", "Accept: text/{}event-stream"),
            request("/data/one?timeout=20", &format!("{events}\r\nLast-Event-ID: 1{{}}-1")),
            request("/mjpeg/na{}me?timeout=20", "X: y"),
            request("/v2/data/na{}me?last_entry_id=-", "X: y"),
        ],
    );
}

#[test]
fn odd_bytes_in_forms_do_no_harm() {
    let store = Store::start();
    let bearer = store.bearer();
    let post = |path: &str, kind: &str, body: &str| {
        // Longer than the body: the odd text is part of it, and our end ends it. Exact lengths are in `ODD`'s hands.
        format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer}\r\nContent-Type: {kind}\r\nContent-Length: LENGTH\r\n\r\n{body}"
        )
    };
    let part = |head: &str| format!("--b\r\n{head}\r\n\r\nentry\r\n--b--\r\n");
    let form = "application/x-www-form-urlencoded";
    let parts = "multipart/form-data; boundary=b";
    let disposition = "Content-Disposition: form-data; name=\"entries\"";
    let templates = [
        post("/token", form, "username=a{}b&password=ab"),
        post("/token", form, "user{}name=ab&password=ab"),
        post("/token", form, "username=ab&password=a{}b"),
        post(
            "/token",
            parts,
            &part("Content-Disposition: form-data; name=\"user{}name\""),
        ),
        post(
            "/data/one",
            parts,
            &part("Content-Disposition: form-data; name=\"ent{}ries\""),
        ),
        post(
            "/data/one",
            parts,
            &part(&format!("{disposition}; filename=\"a{{}}b\"")),
        ),
        post(
            "/data/one",
            parts,
            &part(&format!("{disposition}\r\nContent-Type: a/{{}}b")),
        ),
        post("/data/one", parts, &part(&format!("{disposition}\r\nX{{}}Y: z"))),
        post(
            "/data/one",
            parts,
            &part("Content-Disposition: form{}-data; name=\"entries\""),
        ),
        post("/data/one", parts, "--b{}\r\n\r\n\r\n--b--\r\n"),
        post("/data/one", "multipart/form-data; boundary=b{}", &part(disposition)),
        post("/data/one", "image/{}png", "entry"),
    ];
    let templates: Vec<String> = templates.iter().map(|template| lengthened(template)).collect();
    assert_harmless(&store, &templates);
}

/// Announces the body as long as it is with two odd bytes in it: with any other text it is longer, or ends too early.
fn lengthened(template: &str) -> String {
    let (_, body) = template.split_once("\r\n\r\n").expect("a head and a body");
    template.replace("LENGTH", &body.len().to_string())
}

#[test]
fn odd_bytes_in_a_websocket_handshake_do_no_harm() {
    let store = Store::start();
    let bearer = store.bearer();
    let handshake = |path: &str, header: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\n{header}\r\n\r\n"
        )
    };
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    assert_harmless(
        &store,
        &[
            handshake("/data/na{}me/push", key),
            handshake("/data/na{}me/pull", key),
            handshake("/data/one/pu{}ll", key),
            handshake("/data/one/push?ba{}tch=1", key),
            handshake("/data/one/push?batch={}1", key),
            handshake("/data/one/pull?last_entry_id=1{}1", key),
            handshake("/data/a+na{}me+b/pull?format=json", key),
            handshake("/data/one/pull?format=r{}aw&until=latest", key),
            handshake("/v2/data/one/pull?latest=Fal{}se", key),
            handshake("/data/one/push", "Sec-WebSocket-Key: dGhlIHNhbXBsZ{}SBub25jZQ=="),
            handshake("/data/one/push", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=={}"),
            handshake("/data/one/push", &format!("{key}\r\nSec-WebSocket-Protocol: a{{}}b")),
            handshake(
                "/data/one/push",
                &format!("{key}\r\nSec-WebSocket-Extensions: permessage{{}}-deflate"),
            ),
            handshake("/data/one/push", &format!("{key}\r\nOrigin: http://a{{}}b")),
        ],
    );
}
