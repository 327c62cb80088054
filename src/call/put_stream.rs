//! The parameters of `PUT /streams/{id}`, which the later dialect has in a body, too.

use serde_json::{Map, Value, json};

use crate::error::{Error, Issue};
use crate::ids::StreamId;
use crate::params::{Params, boolean_of};
use crate::router::Dialect;

/// The largest `max_len`: what Redis takes as a count.
pub const LARGEST_MAX_LEN: u64 = i64::MAX as u64;

/// A description to be stored; what nobody said is none.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct PutStream {
    pub stream: StreamId,
    pub description: Option<String>,
    pub metadata: Map<String, Value>,
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
        // The seed writes both of these with an empty value when they are not given.
        let given = |params: &Params, name| params.text(name).is_some_and(|text| !text.is_empty());
        let described = given(params, "desc").then(|| params.text("desc")).flatten();
        let description = described.map(str::to_string);
        let max_len = given(params, "max_len").then(|| params.positive("max_len", usual_max_len, LARGEST_MAX_LEN));
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
    /// say them, and metadata. The other dialect has nothing there.
    pub fn with_body(mut self, body: &[u8]) -> Result<PutStream, Error> {
        if self.dialect == Dialect::Seed || body.trim_ascii().is_empty() {
            return Ok(self);
        }
        let Ok(Value::Object(mut said)) = serde_json::from_slice(body) else {
            let issue = issue("meta", "value is not a JSON object", "value_error.json");
            return Err(Error::Invalid(vec![issue]));
        };
        let mut issues = Vec::new();
        let mut take = |name| said.remove(name).filter(|value| !value.is_null());
        match take("desc") {
            Some(Value::String(text)) => {
                self.description.get_or_insert(text);
            }
            Some(_) => issues.push(issue("desc", "str type expected", "type_error.str")),
            None => {}
        }
        if let Some(value) = take("override") {
            match boolean_of(value.as_str().unwrap_or(&value.to_string())) {
                Some(replace) => {
                    self.replace.get_or_insert(replace);
                }
                None => {
                    let message = "value could not be parsed to a boolean";
                    issues.push(issue("override", message, "type_error.bool"));
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
                    issues.push(issue("max_len", &message, "value_error.number"));
                }
            }
        }
        if !issues.is_empty() {
            return Err(Error::Invalid(issues));
        }
        self.metadata.extend(said);
        Ok(self)
    }

    /// The description as it is stored and answered.
    pub fn to_json(&self) -> Value {
        json!({
            "id": self.stream.as_str(),
            "description": self.description.as_deref().unwrap_or(self.stream.as_str()),
            "metadata": self.metadata,
            "max_len": self.max_len.unwrap_or(self.usual_max_len),
        })
    }
}

fn issue(name: &'static str, message: &str, kind: &'static str) -> Issue {
    Issue {
        place: "body",
        name,
        message: message.to_string(),
        kind,
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
        let mut told = put.to_json();
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
    fn the_later_dialect_reads_the_body_and_the_seed_does_not() {
        let body = r#"{ "desc": "a", "override": true, "max_len": 9, "fps": 30, "meta": {} }"#;
        let metadata = json!({ "fps": 30, "meta": {} });
        assert_eq!(put(Dialect::V2, "", body), told("a", metadata, 9, Some(true)));
        assert_eq!(put(Dialect::Seed, "", body), told("dev one", json!({}), 7, None));
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

    #[test]
    fn what_is_wrong_in_the_body_is_told_all_at_once() {
        let names = |body: &str| match put(Dialect::V2, "", body) {
            Err(Error::Invalid(issues)) => issues.into_iter().map(|issue| issue.name).collect::<Vec<_>>(),
            other => panic!("{body}: {other:?}"),
        };
        for body in ["[]", "{", "null", "\"x\"", "{} {}", "\u{1}"] {
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
