//! Bodies are read exactly as they were sent, or refused, and nothing of them is stored: forms (RFC 2046, RFC 7578), content
//! codings (RFC 9110, section 8.4), and what clients send that is not quite by the book.

use std::process::Command;

use crate::harness::wire::stored_data;
use crate::harness::{Store, read_answer, send};

const FORM: &str = "multipart/form-data; boundary=b";
const URLENCODED: &str = "application/x-www-form-urlencoded";

fn part(headers: &str, content: &str) -> String {
    format!("--b\r\n{headers}\r\n\r\n{content}\r\n")
}

fn entry(content: &str) -> String {
    field("entries", content)
}

fn field(name: &str, content: &str) -> String {
    part(&format!("Content-Disposition: form-data; name=\"{name}\""), content)
}

#[track_caller]
fn assert_empty(store: &Store) {
    let keys: usize = store.redis.command(&["DBSIZE"]);
    assert_eq!(keys, 0);
}

#[test]
fn a_form_that_cannot_be_read_as_it_was_sent_is_400_names_the_part_and_stores_nothing() {
    let store = Store::start();
    let named = "Content-Disposition: form-data; name=\"entries\"";
    let second = |headers: &str| entry("A") + &part(headers, "B") + &entry("C") + "--b--\r\n";
    let encoded = |coding: &str| second(&format!("{named}\r\nContent-Transfer-Encoding: {coding}"));
    let nested = "Content-Type: multipart/mixed; boundary=c";
    let bodies = [
        (
            entry("A") + "--b\r\n\r\nno headers\r\n" + &entry("C") + "--b--\r\n",
            "part 2",
        ),
        (entry("A") + "--b\r\n\r\n" + &entry("C") + "--b--\r\n", "part 2"),
        (entry("A") + "--b\r\n" + &entry("C") + "--b--\r\n", "part 2"),
        (second(&format!("{named}\r\n{nested}")), "part 2"),
        (encoded("base64"), "part 2"),
        (encoded("quoted-printable"), "part 2"),
        (second(&format!("{named}\r\n{named}")), "part 2"),
        (
            second("Content-Disposition: form-data; name=entries; name=other"),
            "part 2",
        ),
        (second("Content-Disposition: attachment; name=\"entries\""), "part 2"),
        (
            second("Content-Disposition: form-data; filename=\"x; name=entries\""),
            "part 2",
        ),
        (second("Content-Type: text/plain"), "part 2"),
        (second("X: y"), "part 2"),
        (entry("A") + &entry("B"), "part 2"),
        (entry("A") + "--b\r\n" + named, "part 2"),
        (entry("A") + &entry("B") + "--b-\r\n", "boundary"),
        (entry("A") + "--b c\r\n" + &entry("B") + "--b--", "boundary"),
        ((entry("A") + "--b--\r\n").replace("\r\n", "\n"), "boundary"),
        (entry("A") + "--b--\r\n" + &entry("B") + "--b--\r\n", "boundary"),
        ("no boundary".into(), "boundary"),
        (String::new(), "boundary"),
    ];
    for (body, told) in bodies {
        let answer = store.post("/data/x", FORM, body.as_bytes());
        assert_eq!(answer.status, 400, "{body:?}: {answer:?}");
        assert!(answer.detail().contains(told), "{body:?}: {}", answer.detail());
        let signed_in = store.post("/token", FORM, body.replace("entries", "username").as_bytes());
        assert_eq!(signed_in.status, 400, "{body:?}: {signed_in:?}");
    }
    assert_empty(&store);
}

#[test]
fn names_in_names_of_files_and_boundaries_in_mid_line_are_what_they_are() {
    let store = Store::start();
    let with_file = |file: &str| {
        let disposition = format!("Content-Disposition: form-data; name=\"other\"; filename=\"{file}\"");
        format!("{}{}--b--", part(&disposition, "no entry"), entry("x"))
    };
    let bodies = [
        with_file("a; name=entries"),
        with_file("a\\\"; name=\\\"entries"),
        with_file("name=\\\"entries\\\""),
        format!(
            "a preamble that has --b in it\r\n{}--b--\r\nan epilogue, and --b--\r\n",
            entry("x")
        ),
        format!("--b--x\r\n{}--b--", entry("x")).replacen("--b--x", "x--b--", 1),
    ];
    for body in &bodies {
        let ids = store.post("/data/x", FORM, body.as_bytes()).expect(200).json();
        assert_eq!(ids.as_array().map(Vec::len), Some(1), "{body:?}");
    }
    assert_eq!(stored_data(&store.redis, "x"), vec![b"x".to_vec(); bodies.len()]);
    let odd = "a --b\r\n-b\r\n --b--\r\n\r\n--";
    store
        .post("/data/y", FORM, (entry(odd) + "--b--").as_bytes())
        .expect(200);
    assert_eq!(stored_data(&store.redis, "y"), [odd.as_bytes()]);
}

#[test]
fn a_part_of_a_file_that_nobody_chose_is_an_empty_entry() {
    let store = Store::start();
    let headers =
        "Content-Disposition: form-data; name=\"entries\"; filename=\"\"\r\nContent-Type: application/octet-stream";
    store
        .post("/data/x", FORM, (part(headers, "") + "--b--\r\n").as_bytes())
        .expect(200);
    assert_eq!(stored_data(&store.redis, "x"), [b""]);
}

#[test]
fn a_content_type_as_clients_send_it_is_understood() {
    let store = Store::start();
    for kind in [
        "multipart/form-data ; boundary=b",
        "multipart/form-data; boundary=b ; charset=utf-8",
        "multipart/form-data; charset=UTF-8 ; boundary=\"b\"",
        "multipart/form-data;; boundary=b;",
        "Multipart/Form-Data;\tBOUNDARY=b",
    ] {
        store
            .post("/data/x", kind, (entry("x") + "--b--").as_bytes())
            .expect(200);
        let form = field("username", "ada") + &field("password", "ada") + "--b--";
        store.post("/token", kind, form.as_bytes()).expect(200);
    }
    for boundary in [
        "(((AaB03x)))",
        "gc0p4Jq0M:2Yt08jU534c0p",
        "===============7330845974216740156==",
        "a b",
        "/?=:,",
    ] {
        let body = (entry("x") + "--b--").replace("--b", &format!("--{boundary}"));
        for kind in [format!("boundary={boundary}"), format!("boundary=\"{boundary}\"")] {
            let kind = format!("multipart/form-data; {kind}");
            store.post("/data/x", &kind, body.as_bytes()).expect(200);
        }
    }
    assert_eq!(stored_data(&store.redis, "x"), vec![b"x".to_vec(); 15]);
}

#[test]
fn a_content_type_that_cannot_be_read_is_400_and_a_multipart_that_is_no_form_415() {
    let store = Store::start();
    let body = entry("x") + "--b--\r\n";
    let long = format!("multipart/form-data; boundary={}", "b".repeat(71));
    let kinds = [
        ("multipart/form-data", 400),
        ("multipart/form-data; boundary", 400),
        ("multipart/form-data; boundary=", 400),
        ("multipart/form-data; boundary=\"b", 400),
        ("multipart/form-data; boundary=b; boundary=b", 400),
        ("multipart/form-data; boundary=b@", 400),
        ("multipart/form-data; boundary=\"b \"", 400),
        (&long, 400),
        ("multipart/mixed; boundary=b", 415),
        ("multipart/related; boundary=b; type=\"image/png\"", 415),
        ("Multipart/Alternative; boundary=b", 415),
        ("multipart/x-mixed-replace; boundary=b", 415),
    ];
    for (kind, status) in kinds {
        for path in ["/data/x", "/token", "/v2/data/x", "/v2/token"] {
            let answer = store.post(path, kind, body.as_bytes());
            assert_eq!(answer.status, status, "{path} {kind}: {answer:?}");
            assert!(answer.detail().contains("multipart"), "{kind}: {}", answer.detail());
            // It is no question of coding.
            assert_eq!(answer.header("accept-encoding"), None);
        }
    }
    let twice = [
        "Content-Type: image/png",
        "Content-Type: multipart/form-data; boundary=b",
        "Content-Length: 1",
    ];
    store.exchange(store.head("POST", "/data/x", &twice) + "x").expect(400);
    // Bytes that are no text are not taken for other characters.
    let mut odd = store
        .head(
            "POST",
            "/data/x",
            &["Content-Type: multipart/form-data; boundary=?", "Content-Length: 5"],
        )
        .into_bytes();
    let mark = odd.iter().position(|byte| *byte == b'?').expect("the boundary");
    odd[mark] = 0xff;
    odd.extend_from_slice(b"--?--");
    store.exchange(odd).expect(400);
    assert_empty(&store);
}

#[test]
fn a_body_in_a_content_coding_is_415_wherever_there_is_a_body() {
    let store = Store::start();
    let routes = [
        ("POST", "/data/x", "application/json"),
        ("POST", "/data/x", FORM),
        ("POST", "/v2/data/x", "application/json"),
        ("POST", "/token", URLENCODED),
        ("POST", "/v2/token", URLENCODED),
        ("POST", "/signout", "text/plain"),
        ("PUT", "/streams/x", "application/json"),
        ("PUT", "/v2/streams/x", "application/json"),
    ];
    let codings = [
        &["gzip"][..],
        &["GZip"],
        &["br"],
        &["deflate"],
        &["gzip, identity"],
        &["identity", "gzip"],
        &["identity;q=1"],
        &["unknown"],
    ];
    let ask = |method: &str, path: &str, kind: &str, codings: &[&str], length: usize| {
        let mut lines = vec![format!("Content-Type: {kind}"), format!("Content-Length: {length}")];
        lines.extend(codings.iter().map(|coding| format!("Content-Encoding: {coding}")));
        store.head(method, path, &lines.iter().map(String::as_str).collect::<Vec<_>>())
    };
    for (method, path, kind) in routes {
        for codings in codings {
            for length in [0, 1] {
                let request = ask(method, path, kind, codings, length) + &"x"[..length];
                let answer = store.exchange(request).expect(415);
                assert_eq!(answer.header("accept-encoding"), Some("identity"), "{path} {codings:?}");
                assert!(answer.detail().contains("Content-Encoding"), "{}", answer.detail());
            }
        }
        // What the head says is answered before the body has come.
        let mut stream = store.raw();
        send(&mut stream, ask(method, path, kind, &["gzip"], 1000));
        read_answer(&mut stream).expect(415);
    }
    assert_empty(&store);
    for codings in [&["identity"][..], &["IDENTITY, identity"], &[""], &["identity", ""]] {
        store
            .exchange(ask("POST", "/data/x", "image/png", codings, 1) + "x")
            .expect(200);
    }
    assert_eq!(stored_data(&store.redis, "x"), vec![b"x".to_vec(); 4]);
    store
        .exchange(ask("GET", "/streams/", "image/png", &["gzip"], 0))
        .expect(200);
}

#[test]
fn forms_have_limits_that_the_refusal_names() {
    let store = Store::with(&["--max-batch", "10"]);
    let large = part(
        &format!(
            "Content-Disposition: form-data; name=\"entries\"\r\nX: {}",
            "x".repeat(9000)
        ),
        "x",
    ) + "--b--";
    let others = entry("x") + &field("other", "").repeat(1025) + "--b--";
    for (body, limit) in [
        (large, "8KiB"),
        (others, "1024"),
        (entry("x").repeat(11) + "--b--", "--max-batch"),
    ] {
        let answer = store.post("/data/x", FORM, body.as_bytes()).expect(413);
        assert!(answer.detail().contains(limit), "{}", answer.detail());
    }
    let fields = field("username", "a").repeat(65) + "--b--";
    let many = store.post("/token", FORM, fields.as_bytes()).expect(413);
    assert!(many.detail().contains("64"), "{}", many.detail());
    let pairs = "a=b&".repeat(63) + "username=ada&password=ada";
    let many = store.post("/token", URLENCODED, pairs.as_bytes()).expect(413);
    assert!(many.detail().contains("64"), "{}", many.detail());
    assert_empty(&store);
}

#[test]
fn what_curl_sends_is_stored_as_it_is_or_refused() {
    let store = Store::start();
    let folder = tempfile::tempdir().expect("a folder");
    for (name, bytes) in [
        ("a", &b"one"[..]),
        ("b", b"\r\n--\xff\r\n"),
        ("o;d\"d,\\ näme", b"odd"),
        ("empty", b""),
    ] {
        std::fs::write(folder.path().join(name), bytes).expect("a file");
    }
    let curl = |stream: &str, form: &[&str]| -> String {
        let mut curl = Command::new("curl");
        curl.args([
            "-s",
            "-m",
            "10",
            "-w",
            "\n%{http_code}",
            "-H",
            &format!("Authorization: {}", store.bearer()),
        ]);
        form.iter().for_each(|form| {
            curl.args(["-F", form]);
        });
        let output = curl
            .arg(store.url(&format!("/data/{stream}")))
            .current_dir(folder.path())
            .output();
        let output = String::from_utf8(output.expect("curl").stdout).expect("text");
        output.rsplit('\n').next().unwrap_or_default().to_string()
    };
    for (refused, told) in [
        ("entries=@a,b", "400"),
        ("entries=@a;encoder=base64", "400"),
        ("entries=@a;encoder=quoted-printable", "400"),
    ] {
        assert_eq!(curl("refused", &["entries=@a", refused]), told, "{refused}");
    }
    assert_empty(&store);
    let form = [
        "entries=@a",
        "other=x",
        "entries=@b;type=image/png",
        "entries=@\"o;d\\\"d,\\\\ näme\"",
        "entries=@empty",
        "entries=text;type=text/plain",
        "entries=@a;encoder=binary",
    ];
    assert_eq!(curl("x", &form), "200");
    assert_eq!(
        stored_data(&store.redis, "x"),
        [&b"one"[..], b"\r\n--\xff\r\n", b"odd", b"", b"text", b"one"]
    );
}
