//! What the parser takes, what it refuses, and that it gives back what was sent.

use proptest::prelude::*;

use super::*;

fn read(body: impl AsRef<[u8]>, boundary: &str) -> Result<Vec<Part>, Error> {
    let mut parts = Parts::of(Bytes::copy_from_slice(body.as_ref()), boundary);
    let mut all = Vec::new();
    while let Some(part) = parts.next()? {
        all.push(part);
    }
    Ok(all)
}

/// The contents of a body with the boundary `b`.
#[track_caller]
fn contents(body: impl AsRef<[u8]>) -> Vec<Bytes> {
    let body = body.as_ref();
    let parts = read(body, "b").unwrap_or_else(|error| panic!("{error}: {}", body.escape_ascii()));
    parts.into_iter().map(|part| part.data).collect()
}

#[track_caller]
fn refusal(body: impl AsRef<[u8]>) -> (u16, String) {
    let body = body.as_ref();
    match read(body, "b") {
        Ok(parts) => panic!("{} was read as {parts:?}", body.escape_ascii()),
        Err(error) => (error.status(), error.to_string()),
    }
}

fn part(headers: &str, content: &str) -> String {
    format!("--b\r\n{headers}\r\n\r\n{content}\r\n")
}

fn entry(content: &str) -> String {
    part("Content-Disposition: form-data; name=\"entries\"", content)
}

const END: &str = "--b--\r\n";

fn write(parts: &[Part], boundary: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for Part { name, data } in parts {
        body.extend_from_slice(format!("--{boundary}\r\nContent-Disposition: form-data; name=\"").as_bytes());
        for byte in name {
            if b"\"\\".contains(byte) {
                body.push(b'\\');
            }
            body.push(*byte);
        }
        body.extend_from_slice(b"\"\r\n\r\n");
        body.extend_from_slice(data);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    body
}

#[test]
fn parts_come_as_they_were_sent() {
    let body = entry("one") + &entry("") + &entry("\r\n") + &entry("a --b\r\n -- \r\n--") + &entry("--a\r\n-b") + END;
    assert_eq!(contents(body), ["one", "", "\r\n", "a --b\r\n -- \r\n--", "--a\r\n-b"]);
}

#[test]
fn a_form_may_be_empty() {
    assert_eq!(contents(END), [""; 0]);
    assert_eq!(contents("--b--"), [""; 0]);
}

#[test]
fn what_is_before_and_behind_the_lines_with_the_boundary_means_nothing() {
    let parts = entry("x") + END;
    assert_eq!(contents(format!("a preamble, with --b in a line\r\n{parts}")), ["x"]);
    assert_eq!(contents(format!("\r\n{parts}the end, with --b in a line\r\n")), ["x"]);
}

#[test]
fn a_line_with_the_boundary_may_have_white_space_behind_it() {
    let body = entry("x").replace("--b\r\n", "--b \t \r\n");
    assert_eq!(contents(body.clone() + "--b--\t \r\n"), ["x"]);
    assert_eq!(contents(body + "--b-- "), ["x"]);
}

#[test]
fn a_line_with_the_boundary_and_something_else_is_refused() {
    for line in [
        "--bb", "--b x", "--b-", "--b -", "--b\n", "--b\r", "--b--x", "--b---", "--b--\n", "--b-- \r",
    ] {
        for body in [
            format!("{line}\r\n{}{END}", entry("x")),
            format!("{}{line}\r\n{END}", entry("x")),
            format!("{}{END}{line}\r\n", entry("x")),
        ] {
            assert_eq!(refusal(body).0, 400, "{line:?}");
        }
    }
}

#[test]
fn lines_end_with_cr_lf_and_nothing_else() {
    let good = entry("x") + &entry("y") + END;
    assert_eq!(refusal(good.replace("\r\n", "\n")).0, 400);
    assert_eq!(refusal(good.replace("\r\n", "\r")).0, 400);
    // Every single line end by itself, too; but for the one behind the last line, which is part of the epilogue then.
    for (at, _) in good.match_indices("\r\n").filter(|(at, _)| at + 2 < good.len()) {
        for end in ["\n", "\r", "\n\r"] {
            let body = format!("{}{end}{}", &good[..at], &good[at + 2..]);
            assert_eq!(refusal(&body).0, 400, "{body:?}");
        }
    }
    assert_eq!(refusal("\n".to_string() + &good).0, 400);
}

#[test]
fn a_body_that_ends_too_early_is_refused_wherever_it_does() {
    let good = entry("one") + &entry("two") + "--b--";
    for length in 0..good.len() {
        assert_eq!(refusal(&good[..length]).0, 400, "{length}");
    }
    assert_eq!(contents(good), ["one", "two"]);
}

#[test]
fn parts_behind_the_final_boundary_are_refused() {
    for more in [entry("y"), END.to_string(), format!("{}{END}", entry("y"))] {
        assert_eq!(refusal(entry("x") + END + &more).0, 400, "{more:?}");
        assert_eq!(refusal(END.to_string() + &more).0, 400, "{more:?}");
    }
}

#[test]
fn a_part_without_headers_is_refused_and_said_which() {
    for empty in [
        "--b\r\n",
        "--b\r\n\r\n",
        "--b\r\n\r\n\r\n",
        "--b\r\n\r\nno headers\r\n",
        "--b\r\nno headers\r\n",
    ] {
        let (status, sentence) = refusal(entry("A") + empty + &entry("B") + END);
        assert_eq!(status, 400);
        assert!(sentence.contains("part 2"), "{empty:?}: {sentence}");
    }
    // Legal by the grammar, but most readers would take the boundary for content.
    refusal("--b\r\nContent-Disposition: form-data; name=\"entries\"\r\n\r\n--b--");
}

#[test]
fn names_are_read_by_the_grammar_of_parameters() {
    for (parameters, name) in [
        ("name=\"entries\"; filename=\"x; name=other\"", "entries"),
        ("filename=\"\\\"; name=\\\"other\"; name=entries", "entries"),
        ("filename=\"name=other\";name=\"entries\"", "entries"),
        (" ; NAME=\"entries\" ;; filename*=UTF-8''a%20b", "entries"),
        ("name=\"a%22b\"", "a%22b"),
        ("name=\"größe\"", "größe"),
        ("name=\"\"", ""),
        ("name=\"Entries\"", "Entries"),
    ] {
        let body = part(&format!("content-disposition: Form-Data; {parameters}"), "x") + END;
        let parts = read(&body, "b").unwrap_or_else(|error| panic!("{parameters}: {error}"));
        assert_eq!(
            parts,
            [Part {
                name: name.into(),
                data: "x".into()
            }],
            "{parameters}"
        );
    }
    // The name of a file is not ours to read: old clients send it in an encoding of their own.
    let latin_1 = b"--b\r\nContent-Disposition: form-data; name=entries; filename=\"k\xe4se\"\r\n\r\nx\r\n--b--";
    assert_eq!(contents(latin_1), ["x"]);
}

#[test]
fn headers_that_cannot_be_read_in_one_way_are_refused() {
    let good = "Content-Disposition: form-data; name=\"entries\"";
    let with = |line: &str| format!("{good}\r\n{line}");
    for headers in [
        // No name, or more than one.
        "Content-Type: text/plain".to_string(),
        "Content-Disposition: form-data".into(),
        "Content-Disposition: form-data; filename=\"x; name=entries\"".into(),
        "Content-Disposition: form-data; name".into(),
        "Content-Disposition: form-data; name=a b".into(),
        "Content-Disposition: form-data; name=\"entries\" filename=\"x\"".into(),
        "Content-Disposition: form-data; name=\"entries".into(),
        "Content-Disposition: form-data; name=a; name=entries".into(),
        "Content-Disposition: form-data; name*=UTF-8''entries".into(),
        "Content-Disposition: form-data; name=a; name*=UTF-8''entries".into(),
        "Content-Disposition: form-data; name*0=ent; name*1=ries".into(),
        with(good),
        with("content-disposition: form-data; name=\"x\""),
        // Something else than a part of a form.
        "Content-Disposition: attachment; name=\"entries\"".into(),
        "Content-Disposition: ; name=\"entries\"".into(),
        "Content-Disposition: name=\"entries\"".into(),
        "Content-Disposition: form-data name=\"entries\"".into(),
        // Lines that are no headers.
        with("no header"),
        with(": nothing"),
        with("a b: c"),
        with("X : y"),
        with(" folded"),
        with("\tfolded: y"),
        with("X: \0"),
        with("X: a\rb"),
        with("X: a\nb: c"),
        with("grün: x"),
        good.replace(": form", " form"),
        good.replace("; name", ";\r\n name"),
        // Contents that are not what they seem to be.
        with("Content-Type: multipart/mixed; boundary=x"),
        with("content-type: MULTIPART/digest"),
        with("Content-Type: text/plain\r\nContent-Type: text/plain"),
        with("Content-Transfer-Encoding: base64"),
        with("Content-Transfer-Encoding: Quoted-Printable"),
        with("Content-Transfer-Encoding:"),
        with("Content-Transfer-Encoding: 8bit\r\nContent-Transfer-Encoding: base64"),
        with("Content-Encoding: gzip"),
    ] {
        assert_eq!(refusal(part(&headers, "x") + END).0, 400, "{headers:?}");
    }
}

#[test]
fn headers_that_change_nothing_are_passed_over() {
    for line in [
        "Content-Type: application/json; charset=utf-8",
        "Content-Type:",
        "Content-Transfer-Encoding: 8BIT",
        "Content-Transfer-Encoding: binary",
        "content-transfer-encoding: 7bit ",
        "Content-Encoding: identity",
        "Content-Length: 1",
        "X-Other:",
        "X-Twice: 1\r\nX-Twice: 2",
    ] {
        let body = part(
            &format!("{line}\r\nContent-Disposition: form-data; name=\"entries\""),
            "x",
        ) + END;
        assert_eq!(contents(body), ["x"], "{line}");
    }
}

#[test]
fn a_header_block_has_a_limit_that_the_refusal_names() {
    let headers = |size: usize| {
        let line = "Content-Disposition: form-data; name=\"entries\"\r\nX: ";
        part(&(line.to_string() + &"x".repeat(size - line.len())), "content") + END
    };
    assert_eq!(contents(headers(MAX_PART_HEAD)), ["content"]);
    let (status, sentence) = refusal(headers(MAX_PART_HEAD + 1));
    assert_eq!(status, 413);
    assert!(sentence.contains("8KiB"), "{sentence}");
    // Content is as long as it likes, with or without line ends.
    assert_eq!(contents(entry(&"x".repeat(100_000)) + END)[0].len(), 100_000);
    assert_eq!(contents(entry(&"\r\n\r\n".repeat(10_000)) + END)[0].len(), 40_000);
}

#[test]
fn any_boundary_of_rfc_2046_parts_a_body() {
    for boundary in ["(((AaB03x)))", "--", "-", "a b", "==", "'()+_,-./:=?", &"x".repeat(70)] {
        let sent = [Part {
            name: "entries".into(),
            data: format!(" --{boundary}\r\n -").into(),
        }];
        assert_eq!(read(write(&sent, boundary), boundary), Ok(sent.to_vec()), "{boundary}");
    }
}

/// Bodies out of the pieces that bodies are made of, and some that they are not.
fn odd_bodies() -> impl Strategy<Value = Vec<u8>> {
    let pieces = [
        "--b",
        "--",
        "b",
        "\r\n",
        "\r",
        "\n",
        " ",
        "x",
        "\r\n--b",
        "\r\n--b\r\n",
        "\r\n--b--",
        "\r\n\r\n",
        "--b\r\n",
        "Content-Disposition: form-data; name=\"entries\"",
        "content-type: multipart/mixed",
        ";",
        "name=",
        "\"",
        "\\",
        "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..14).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_written_is_read_again(
        sent in prop::collection::vec(("[^\\x00-\\x1f\\x7f]*", prop::collection::vec(any::<u8>(), 0..60)), 0..5),
        boundary in "[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]",
    ) {
        let sent: Vec<Part> = sent.into_iter().map(|(name, data)| Part { name: name.into(), data: data.into() }).collect();
        let dashes = format!("--{boundary}");
        prop_assume!(sent.iter().all(|part| memmem::find(&part.data, dashes.as_bytes()).is_none()));
        prop_assert_eq!(read(write(&sent, &boundary), &boundary), Ok(sent));
    }

    #[test]
    fn what_is_taken_has_a_part_for_each_line_with_the_boundary_and_can_be_written_again(body in odd_bodies()) {
        if let Ok(parts) = read(&body, "b") {
            let text = String::from_utf8(body).unwrap();
            let lines = text.split("\r\n").filter(|line| line.starts_with("--b")).count();
            prop_assert_eq!(parts.len() + 1, lines);
            prop_assert_eq!(read(write(&parts, "b"), "b"), Ok(parts));
        }
    }

    #[test]
    fn no_bytes_make_the_parser_panic(body: Vec<u8>, odd in odd_bodies(), boundary in "[a-b-]{1,3}") {
        let _ = read(&body, &boundary);
        let _ = read(&odd, &boundary);
        let _ = read([odd, body].concat(), "b");
    }
}
