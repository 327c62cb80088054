//! What to say of a stream that a command waits for and that is not there: its name may be mistyped.

use ptg_store::words::nearest::nearest;

use super::shell::quote;
use super::{Failure, Store, names};

/// What joins the names of several streams in a path.
const PLUS: char = '+';

/// How a stream was asked for that is not there.
#[derive(Debug, Clone, PartialEq)]
pub enum Missing {
    /// It may yet come; the stream that has nearly its name, if there is one.
    Alone(Option<String>),
    /// Its name is those of streams that are there, with a plus between them.
    Several(Vec<String>),
}

impl Missing {
    /// Asks the store; none if there is such a stream.
    pub fn of(store: &Store, stream: &str) -> Result<Option<Missing>, Failure> {
        Ok(Missing::among(&names(store)?, stream))
    }

    /// The same, when the names of all streams are known.
    pub fn among(names: &[String], stream: &str) -> Option<Missing> {
        let is_there = |name: &str| names.iter().any(|known| known == name);
        if is_there(stream) {
            return None;
        }
        let parts: Vec<&str> = stream.split(PLUS).collect();
        if parts.len() > 1 && parts.iter().all(|part| is_there(part)) {
            return Some(Missing::Several(parts.into_iter().map(str::to_owned).collect()));
        }
        let near = nearest(stream, names.iter().map(String::as_str));
        Some(Missing::Alone(near.map(str::to_owned)))
    }

    /// As the end of a sentence, for a command that takes several streams, or only one.
    pub fn hint(&self, takes_several: bool) -> String {
        match self {
            Missing::Alone(None) => String::new(),
            Missing::Alone(Some(near)) => format!("; did you mean '{near}'?"),
            Missing::Several(parts) => {
                let words: Vec<String> = parts.iter().map(|part| quote(part)).collect();
                let words = words.join(" ");
                match takes_several {
                    true => format!("; there are {words}, each a word of its own here"),
                    false => format!(
                        "; there are {words}, and this takes one stream: ptg-store record takes several, and so does \
                         curl with a plus between them (GET /data/a+b)"
                    ),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(stream: &str) -> Option<String> {
        let names = ["load", "a", "b", "x+y"].map(str::to_owned);
        Missing::among(&names, stream).map(|missing| missing.hint(false))
    }

    #[test]
    fn a_name_that_is_nearly_another_is_told_and_one_that_is_there_is_not() {
        assert_eq!(hint("laod").as_deref(), Some("; did you mean 'load'?"));
        assert_eq!(hint("temperature").as_deref(), Some(""));
        for there in ["load", "x+y"] {
            assert_eq!(hint(there), None);
        }
    }

    #[test]
    fn names_with_a_plus_between_them_are_several_streams_if_all_are_there() {
        assert!(hint("a+b").is_some_and(|hint| hint.starts_with("; there are a b, and this takes one")));
        assert_eq!(hint("a+unknown").as_deref(), Some(""));
    }
}
