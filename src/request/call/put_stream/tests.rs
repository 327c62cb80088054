use super::*;

fn put(dialect: Dialect, query: &str, body: &str) -> Result<Value, Error> {
    let mut params = Params::new(query);
    let put = PutStream::read("dev%20one", dialect, &mut params, 7);
    params.finish()?;
    let put = put.with_body(body.as_bytes())?;
    let mut told: Value = serde_json::from_str(&put.on(None).to_string()).unwrap();
    told["replace"] = json!(put.replace);
    Ok(told)
}

fn told(description: &str, metadata: Value, max_len: u64, replace: Option<bool>) -> Result<Value, Error> {
    Ok(
        json!({ "id": "dev one", "description": description, "metadata": metadata, "max_len": max_len, "replace": replace }),
    )
}

#[test]
fn a_description_defaults_to_the_id_and_max_len_to_the_servers() {
    for dialect in [Dialect::Seed, Dialect::V2] {
        assert_eq!(put(dialect, "desc=&max_len=", ""), told("dev one", json!({}), 7, None));
    }
}

#[test]
fn the_later_dialect_reads_the_body_and_the_default_one_refuses_any_but_a_blank_one() {
    let body = r#"{ "desc": "a", "override": true, "max_len": 9, "fps": 30, "meta": {} }"#;
    let metadata = json!({ "fps": 30, "meta": {} });
    assert_eq!(put(Dialect::V2, "", body), told("a", metadata, 9, Some(true)));
    for body in [body, "[]", "{\"\":1}", "not json", "max_len=9", "\u{1}"] {
        let refused = put(Dialect::Seed, "max_len=9", body).unwrap_err();
        assert_eq!(refused.status(), 422, "{body}");
        assert!(refused.to_string().contains("in the query"), "{refused}");
    }
    for blank in ["", " \r\n\t", " {}\n"] {
        assert_eq!(put(Dialect::Seed, "", blank), told("dev one", json!({}), 7, None));
    }
    let nothing = r#"{ "desc": null, "override": null, "max_len": null }"#;
    assert_eq!(put(Dialect::V2, "", nothing), told("dev one", json!({}), 7, None));
}

#[test]
fn the_query_is_heeded_before_the_body() {
    let query = "desc=q&override=False&max_len=5&meta={\"fps\":1,\"x\":2}";
    let body = r#"{ "desc": "a", "override": "True", "max_len": 9, "fps": 30 }"#;
    let metadata = json!({ "fps": 30, "x": 2 });
    assert_eq!(put(Dialect::V2, query, body), told("q", metadata, 5, Some(false)));
}

const STORED: &str =
    r#"{"id":"x","description":"old","metadata":{"fps":30, "n":12345678901234567890123},"max_len":5,"owner":"us"}"#;

fn changed(dialect: Dialect, query: &str, body: &str, stored: &str) -> String {
    let put = PutStream::read("x", dialect, &mut Params::new(query), 7);
    put.with_body(body.as_bytes())
        .unwrap()
        .on(Object::stored(stored).as_ref())
        .to_string()
}

#[test]
fn what_is_not_given_stays_as_it_was_written() {
    for (dialect, query) in [
        (Dialect::Seed, "override=true"),
        (Dialect::V2, ""),
        (Dialect::V2, "override=true"),
    ] {
        assert_eq!(changed(dialect, query, "", STORED), STORED);
        let query = |more: &str| format!("{query}&{more}");
        assert_eq!(
            changed(dialect, &query("max_len=9"), "", STORED),
            STORED.replace("5,", "9,")
        );
        assert_eq!(
            changed(dialect, &query("desc=new"), "", STORED),
            STORED.replace("old", "new")
        );
    }
    assert_eq!(
        changed(Dialect::V2, "", r#"{"max_len":9}"#, STORED),
        STORED.replace("5,", "9,")
    );
}

#[test]
fn what_is_given_empty_is_the_default_again() {
    let empty = r#"{"id":"x","description":"x","metadata":{},"max_len":7}"#;
    let query = "desc=&meta={}&max_len=&override=true";
    for dialect in [Dialect::Seed, Dialect::V2] {
        assert_eq!(
            changed(dialect, query, "", STORED),
            empty.replace("7}", "7,\"owner\":\"us\"}")
        );
        assert_eq!(changed(dialect, query, "", "{}"), empty);
    }
    assert_eq!(
        changed(Dialect::V2, "", r#"{"desc":""}"#, STORED),
        STORED.replace("old", "x")
    );
}

#[test]
fn metadata_is_given_as_a_whole_and_in_the_later_dialect_name_by_name() {
    let with = |metadata: &str| STORED.replace(r#"{"fps":30, "n":12345678901234567890123}"#, metadata);
    let meta = r#"meta={"fps":60,"m":1e-400}"#;
    assert_eq!(
        changed(Dialect::Seed, meta, "", STORED),
        with(r#"{"fps":60,"m":1e-400}"#)
    );
    let both = r#"{"fps":60,"n":12345678901234567890123,"m":1e-400}"#;
    assert_eq!(changed(Dialect::V2, meta, "", STORED), with(both));
    assert_eq!(changed(Dialect::V2, "", r#"{"fps":60,"m":1e-400}"#, STORED), with(both));
    for body in [r#"{"fps":60,"override":true}"#, r#"{"override":"True","fps":60}"#] {
        assert_eq!(changed(Dialect::V2, "", body, STORED), with(r#"{"fps":60}"#));
    }
    // Others may have put anything there.
    let odd = r#"{"id":"x","description":"x","metadata":[1],"max_len":7}"#;
    assert_eq!(
        changed(Dialect::V2, r#"meta={"a":1}"#, "", odd),
        odd.replace("[1]", r#"{"a":1}"#)
    );
}

#[test]
fn a_stored_max_len_that_is_none_is_the_servers() {
    for odd in [
        r#""x""#,
        r#""9""#,
        "0",
        "-1",
        "1.5",
        "9223372036854775808",
        "null",
        "[5]",
    ] {
        let stored = STORED.replace(":5,", &format!(":{odd},"));
        let usual = STORED.replace(r#""max_len":5,"owner":"us""#, r#""owner":"us","max_len":7"#);
        assert_eq!(changed(Dialect::V2, "", "", &stored), usual, "{odd}");
        assert_eq!(
            changed(Dialect::Seed, "override=true&max_len=9", "", &stored),
            usual.replace("7}", "9}"),
            "{odd}"
        );
    }
}

#[test]
fn what_is_wrong_in_the_body_is_told_all_at_once() {
    let names = |body: &str| match put(Dialect::V2, "", body) {
        Err(Error::Invalid(issues)) => issues
            .into_iter()
            .map(|issue| issue.name.into_owned())
            .collect::<Vec<_>>(),
        other => panic!("{body}: {other:?}"),
    };
    for body in [
        "[]",
        "{",
        "null",
        "\"x\"",
        "{} {}",
        "\u{1}",
        r#"{"desc":"a","desc":"b"}"#,
        r#"{"fps":1e400}"#,
    ] {
        assert_eq!(names(body), ["meta"], "{body}");
    }
    let body = r#"{ "desc": 1, "override": "perhaps", "max_len": 0 }"#;
    assert_eq!(names(body), ["desc", "override", "max_len"]);
    for max_len in ["-1", "1.5", "\"9\"", "9223372036854775808", "1e3", "[]"] {
        assert_eq!(
            names(&format!(r#"{{ "max_len": {max_len} }}"#)),
            ["max_len"],
            "{max_len}"
        );
    }
}
