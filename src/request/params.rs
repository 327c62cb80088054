//! Query and path parameters: percent-decoding, typed values, and every complaint at once.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::request::form::{self, Pair};
use crate::words::error::{Error, Issue};
use crate::words::ids::{MOST_STREAMS, StreamId};
use crate::words::object::Object;

/// What stands for a text that is not UTF-8: it is no number, no word, no place and no token.
const NOT_UTF_8: &str = "\u{fffd}";

/// What is said of JSON that `Object::sent` does not take.
pub const NOT_AN_OBJECT: &str =
    "value is not a JSON object in which every name occurs once and every number fits a double";

/// The parameters of one request, and what was found wrong with them so far.
pub struct Params {
    /// The names that were asked for: what the route knows, and what its documentation must have.
    asked: Vec<&'static str>,
    pairs: Vec<Pair>,
    issues: Vec<Issue>,
}

impl Params {
    /// Takes a raw query (without the `?`) apart.
    pub fn new(query: &str) -> Params {
        Params {
            asked: Vec::new(),
            pairs: form::pairs(query.as_bytes()).collect(),
            issues: Vec::new(),
        }
    }

    /// The last value of a parameter: later ones override, as the original server had it. One that is not UTF-8 is complained
    /// of, and `NOT_UTF_8` stands for it, so that it is not taken for one that is missing.
    pub fn text(&mut self, name: &'static str) -> Option<&str> {
        if !self.asked.contains(&name) {
            self.asked.push(name);
        }
        let found = self.pairs.iter().rev().find(|(key, _)| key == name.as_bytes());
        Some(std::str::from_utf8(&found?.1).unwrap_or_else(|_| {
            let complaints = &mut self.issues;
            complaints.retain(|issue| issue.name != name || issue.place != "query");
            complaints.push(Issue::new("query", name, "value is not UTF-8", "type_error.str"));
            NOT_UTF_8
        }))
    }

    /// A boolean: `true false 1 0 yes no on off t f y n`, in any letter case.
    pub fn boolean(&mut self, name: &'static str, default: bool) -> bool {
        let Some(text) = self.text(name) else { return default };
        boolean_of(text).unwrap_or_else(|| {
            self.refuse(name, "value could not be parsed to a boolean", "type_error.bool");
            default
        })
    }

    /// A whole number of at least 1 and at most `most`.
    pub fn positive(&mut self, name: &'static str, default: u64, most: u64) -> u64 {
        let Some(text) = self.text(name) else { return default };
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            self.refuse(name, "value is not a valid integer", "type_error.integer");
            return default;
        }
        // More digits than fit in a u64 are a number all the same, and a very large one.
        let number = digits.parse().unwrap_or(u64::MAX);
        if number < 1 || text.starts_with('-') {
            self.refuse(
                name,
                "ensure this value is greater than or equal to 1",
                "value_error.number.not_ge",
            );
            return default;
        }
        if number > most {
            let message = format!("ensure this value is less than or equal to {most}");
            self.refuse(name, message, "value_error.number.not_le");
            return default;
        }
        number
    }

    /// One of several words, and what it stands for.
    pub fn one_of<T: Copy>(&mut self, name: &'static str, words: &[(&str, T)], default: T) -> T {
        let Some(text) = self.text(name) else { return default };
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
            return *meaning;
        }
        let permitted: Vec<String> = words.iter().map(|(word, _)| format!("'{word}'")).collect();
        let message = format!(
            "value is not a valid enumeration member; permitted: {}",
            permitted.join(", ")
        );
        self.refuse(name, message, "type_error.enum");
        default
    }

    /// The names that were asked for, each once, whether they were there or not.
    pub fn asked(&self) -> &[&'static str] {
        &self.asked
    }

    /// The names that are there and that nobody asked for, in order; those that are no text are left out.
    pub fn unasked(&self) -> Vec<String> {
        let names = self.pairs.iter().filter_map(|(name, _)| std::str::from_utf8(name).ok());
        let unasked = names.filter(|name| !self.asked.contains(name));
        unasked.map(str::to_string).collect()
    }

    /// Refuses a parameter that has no meaning; the sentence says which has.
    pub fn refuse_name(&mut self, name: String, sentence: String) {
        self.issues
            .push(Issue::new("query", name, sentence, "value_error.extra"));
    }

    /// Refuses a parameter whose text means nothing, or nothing here; the sentence says why. Of each there is one complaint.
    pub fn refuse(&mut self, name: &'static str, sentence: impl Into<String>, kind: &'static str) {
        self.issues.retain(|issue| issue.name != name || issue.place != "query");
        self.issues.push(Issue::new("query", name, sentence, kind));
    }

    /// The same for a header.
    pub fn refuse_header(&mut self, name: &'static str, sentence: impl Into<String>, kind: &'static str) {
        self.issues.push(Issue::new("header", name, sentence, kind));
    }

    /// A JSON object, if there is one.
    pub fn object(&mut self, name: &'static str) -> Option<Object> {
        let object = Object::sent(self.text(name)?);
        if object.is_none() {
            self.refuse(name, NOT_AN_OBJECT, "value_error.json");
        }
        object
    }

    /// The stream id from its percent-encoded path segment; after a complaint an empty one, which `finish` keeps from use.
    pub fn stream(&mut self, segment: &str) -> StreamId {
        let checked = decode(segment)
            .ok_or_else(|| "a stream id is UTF-8".to_string())
            .and_then(|name| StreamId::new(name.into_owned()));
        checked.unwrap_or_else(|message| {
            self.complain_of_stream(message);
            StreamId::default()
        })
    }

    /// The stream ids from a path segment in which a literal `+` joins several; each is percent-encoded by itself, so that
    /// `%2B` is a plus in a name. After a complaint there may be none, which `finish` keeps from use.
    pub fn streams(&mut self, segment: &str) -> Vec<StreamId> {
        let count = segment.split('+').count();
        if count > MOST_STREAMS {
            self.complain_of_stream(format!("at most {MOST_STREAMS} streams go together, these are {count}"));
            return Vec::new();
        }
        let complaints = self.issues.len();
        let streams: Vec<StreamId> = segment.split('+').map(|name| self.stream(name)).collect();
        // What is wrong with many is told of the first.
        self.issues.truncate(complaints + 1);
        let twice = (1..streams.len()).find(|index| streams[..*index].contains(&streams[*index]));
        if let Some(index) = twice.filter(|_| self.issues.len() == complaints) {
            self.complain_of_stream(format!("the stream '{}' is named twice", streams[index]));
        }
        streams
    }

    /// Ends the reading: all complaints together, if there are any.
    pub fn finish(self) -> Result<(), Error> {
        if self.issues.is_empty() {
            Ok(())
        } else {
            Err(Error::Invalid(self.issues))
        }
    }

    fn complain_of_stream(&mut self, message: String) {
        self.issues
            .push(Issue::new("path", "stream_id", message, "value_error.stream_id"));
    }
}

/// A boolean in any of its spellings.
pub fn boolean_of(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" | "t" | "y" => Some(true),
        "false" | "0" | "no" | "off" | "f" | "n" => Some(false),
        _ => None,
    }
}

/// Percent-decodes a path segment; none if the result is not UTF-8. A plus stays a plus.
pub fn decode(segment: &str) -> Option<Cow<'_, str>> {
    percent_decode_str(segment).decode_utf8().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn booleans_have_twelve_spellings() {
        for (text, value) in [
            ("true", true),
            ("Yes", true),
            ("ON", true),
            ("1", true),
            ("t", true),
            ("y", true),
        ]
        .into_iter()
        .chain([
            ("false", false),
            ("No", false),
            ("oFF", false),
            ("0", false),
            ("f", false),
            ("N", false),
        ]) {
            let mut params = Params::new(&format!("b={text}"));
            assert_eq!(params.boolean("b", !value), value, "{text}");
            assert!(params.finish().is_ok());
        }
    }

    #[test]
    fn every_complaint_comes_at_once() {
        let mut params = Params::new("count=x&batch=maybe&format=xml");
        params.positive("count", 1, u64::MAX);
        params.boolean("batch", false);
        params.one_of("format", &[("raw", 1), ("json", 2)], 1);
        params.stream("a%2Fb");
        match params.finish() {
            Err(Error::Invalid(issues)) => {
                let names: Vec<&str> = issues.iter().map(|issue| &*issue.name).collect();
                assert_eq!(names, ["count", "batch", "format", "stream_id"]);
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn numbers_are_decimal_and_at_least_one() {
        for (text, kind) in [
            ("0", "value_error.number.not_ge"),
            ("-5", "value_error.number.not_ge"),
            ("1000", "value_error.number.not_le"),
            ("99999999999999999999999", "value_error.number.not_le"),
            ("1.0", "type_error.integer"),
            ("", "type_error.integer"),
            ("0x10", "type_error.integer"),
        ] {
            let mut params = Params::new(&format!("n={text}"));
            params.positive("n", 1, 999);
            match params.finish() {
                Err(Error::Invalid(issues)) => assert_eq!(issues[0].kind, kind, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_plus_in_a_path_stays_a_plus() {
        assert_eq!(Params::new("").stream("a+b%2Bc%20d").as_str(), "a+b+c d");
    }

    #[test]
    fn a_plus_joins_streams_where_several_can_be() {
        let streams = Params::new("").streams("cam1+cam%2B2+mic");
        assert_eq!(
            streams.iter().map(StreamId::as_str).collect::<Vec<_>>(),
            ["cam1", "cam+2", "mic"]
        );
        for bad in ["a+", "+", "a+b+a", "a+XMETA:b", &vec!["x"; 300].join("+")] {
            let mut params = Params::new("");
            params.streams(bad);
            assert!(params.finish().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_value_that_is_not_utf_8_is_complained_of_once_and_only_if_it_is_asked_for() {
        let query = "unknown=%ff&%ff=1&a=%ff&a=good&b=good&b=k%E4se";
        let mut params = Params::new(query);
        assert_eq!(params.text("a"), Some("good"));
        assert_eq!(params.text("c"), None);
        assert!(params.finish().is_ok());
        let mut params = Params::new(query);
        assert_eq!(params.text("b"), Some(NOT_UTF_8));
        assert_eq!(params.text("b"), Some(NOT_UTF_8));
        match params.finish() {
            Err(Error::Invalid(issues)) => assert_eq!((issues.len(), &*issues[0].name), (1, "b")),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_path_that_is_not_utf_8_is_refused() {
        let mut params = Params::new("");
        params.stream("%ff");
        assert!(params.finish().is_err());
    }

    proptest! {
        #[test]
        fn no_query_makes_the_parser_panic(query in ".*") {
            let mut params = Params::new(&query);
            params.stream(&query);
            params.object("meta");
            let _ = params.finish();
        }
    }
}
