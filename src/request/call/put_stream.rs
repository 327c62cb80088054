//! The parameters of `PUT /streams/{id}`, which the later dialect has in a body, too.

use serde_json::{Value, json};

use crate::request::params::{NOT_AN_OBJECT, Params, boolean_of};
use crate::store::{LARGEST_MAX_LEN, own_max_len};
use crate::words::dialect::Dialect;
use crate::words::error::{Error, Issue};
use crate::words::ids::StreamId;
use crate::words::object::Object;

/// How FastAPI's clients know a complaint of a body as a whole.
const WHOLE_BODY: &str = "__root__";

/// Bodies that say nothing. Some libraries send an empty object where they were given none.
const NOTHING_SAID: [&[u8]; 2] = [b"", b"{}"];

const NO_BODY: &str = "PUT /streams/{stream_id} takes no body: send desc, meta, max_len and override in the query";
const NO_BODY_HINT: &str = "curl -X PUT 'http://HOST/streams/NAME?desc=TEXT&max_len=5000&override=true'; \
    or send a JSON object to http://HOST/v2/streams/NAME";

/// What is to become of a description; what nobody said is none.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct PutStream {
    pub stream: StreamId,
    pub description: Option<String>,
    pub metadata: Option<Object>,
    pub max_len: Option<u64>,
    pub replace: Option<bool>,
    /// The server's own `max_len`.
    pub usual_max_len: u64,
    pub dialect: Dialect,
}

impl PutStream {
    /// Reads what is in the query.
    pub fn read(segment: &str, dialect: Dialect, params: &mut Params, usual_max_len: u64) -> PutStream {
        let stream = params.stream(segment);
        // The seed writes both of these with an empty value for their defaults.
        let described = params.text("desc").map(str::to_string);
        let description = described.map(|text| or_name(text, &stream));
        let max_len = params
            .text("max_len")
            .map(str::is_empty)
            .map(|is_empty| match is_empty {
                true => usual_max_len,
                false => params.positive("max_len", usual_max_len, LARGEST_MAX_LEN),
            });
        let metadata = params.object("meta");
        let is_told = params.text("override").is_some();
        let replace = is_told.then(|| params.boolean("override", false));
        PutStream {
            stream,
            description,
            metadata,
            max_len,
            replace,
            usual_max_len,
            dialect,
        }
    }

    /// Adds what the later dialect has in the body, a JSON object: `desc`, `override` and `max_len`, where the query does not
    /// say them, and metadata. The other dialect takes everything from the query, and refuses a body: there `meta` is a name for all
    /// metadata, so that the same object would mean something else in each of them, and to ignore it would mislead.
    pub fn with_body(mut self, body: &[u8]) -> Result<PutStream, Error> {
        if NOTHING_SAID.contains(&body.trim_ascii()) {
            return Ok(self);
        }
        if self.dialect == Dialect::Seed {
            let issue = Issue::new("body", WHOLE_BODY, NO_BODY, "value_error.extra");
            let hint = Some(NO_BODY_HINT);
            return Err(Error::Invalid(vec![Issue { hint, ..issue }]));
        }
        let said = std::str::from_utf8(body).ok().and_then(Object::sent);
        let mut said =
            said.ok_or_else(|| Error::Invalid(vec![Issue::new("body", "meta", NOT_AN_OBJECT, "value_error.json")]))?;
        let mut issues = Vec::new();
        let mut take = |name| {
            let value = said.remove(name).and_then(|text| serde_json::from_str(&text).ok());
            value.filter(|value: &Value| !value.is_null())
        };
        match take("desc") {
            Some(Value::String(text)) => {
                self.description.get_or_insert(or_name(text, &self.stream));
            }
            Some(_) => issues.push(Issue::new("body", "desc", "str type expected", "type_error.str")),
            None => {}
        }
        if let Some(value) = take("override") {
            match boolean_of(value.as_str().unwrap_or(&value.to_string())) {
                Some(replace) => {
                    self.replace.get_or_insert(replace);
                }
                None => {
                    let message = "value could not be parsed to a boolean";
                    issues.push(Issue::new("body", "override", message, "type_error.bool"));
                }
            }
        }
        if let Some(value) = take("max_len") {
            match value.as_u64().filter(|count| (1..=LARGEST_MAX_LEN).contains(count)) {
                Some(max_len) => {
                    self.max_len.get_or_insert(max_len);
                }
                None => {
                    let message = format!("ensure this value is an integer from 1 to {LARGEST_MAX_LEN}");
                    issues.push(Issue::new("body", "max_len", message, "value_error.number"));
                }
            }
        }
        if !issues.is_empty() {
            return Err(Error::Invalid(issues));
        }
        if !said.is_empty() {
            self.metadata.get_or_insert_default().update(&said);
        }
        Ok(self)
    }

    /// Whether a description that is there already may be changed. Unless it is said, the later dialect changes it.
    pub fn replaces(&self) -> bool {
        self.replace.unwrap_or(self.dialect == Dialect::V2)
    }

    /// The description as it is stored and answered: what was given, and the rest as it is `stored` now.
    ///
    /// Metadata that was given takes the place of the stored; in the later dialect, which sends names and values rather than an
    /// object, those not given stay, unless it was said to override.
    pub fn on(&self, stored: Option<&Object>) -> Object {
        let mut description = stored.cloned().unwrap_or_default();
        if own_max_len(&description).is_none() {
            description.remove("max_len");
        }
        let text = |text: &str| json!(text).to_string();
        description.set("id", text(self.stream.as_str()));
        let metadata = self.metadata.as_ref().map(|given| match (self.replace, self.dialect) {
            (None, Dialect::V2) => {
                let mut metadata: Object = description.read("metadata").unwrap_or_default();
                metadata.update(given);
                metadata.to_string()
            }
            _ => given.to_string(),
        });
        for (name, given, usual) in [
            (
                "description",
                self.description.as_deref().map(text),
                text(self.stream.as_str()),
            ),
            ("metadata", metadata, Object::default().to_string()),
            (
                "max_len",
                self.max_len.map(|max_len| max_len.to_string()),
                self.usual_max_len.to_string(),
            ),
        ] {
            match given {
                Some(value) => description.set(name, value),
                None if description.get(name).is_none() => description.set(name, usual),
                None => {}
            }
        }
        description
    }
}

/// An empty description is the stream's name.
fn or_name(text: String, stream: &StreamId) -> String {
    match text.is_empty() {
        true => stream.to_string(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
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
}
