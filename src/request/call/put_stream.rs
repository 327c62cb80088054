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
mod tests;
