//! A JSON object whose values stay as they were written: every digit of a number, the order of names, all white space.
//! On the way through numbers of 64 bits, `12345678901234567890123` would become another one.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Names and the text of their values, in their order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Object(Vec<(String, String)>);

impl Object {
    /// What somebody stored; none if it is no object. Of a name that occurs twice the last one counts.
    pub fn stored(text: &str) -> Option<Object> {
        serde_json::from_str(text).ok()
    }

    /// What a client sent. Also refused is what not everybody reads in the same way: a name that occurs twice, half a
    /// surrogate pair, a number that no double holds, nesting beyond the 128 levels of serde_json.
    pub fn sent(text: &str) -> Option<Object> {
        serde_json::from_str::<serde_json::Value>(text).ok()?;
        let object = Object::stored(text)?;
        let is_new = |at: usize| object.0[..at].iter().all(|(name, _)| *name != object.0[at].0);
        (0..object.0.len()).all(is_new).then_some(object)
    }

    /// The text of a value.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().rev().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A value that is of this type.
    pub fn read<'a, T: Deserialize<'a>>(&'a self, name: &str) -> Option<T> {
        serde_json::from_str(self.get(name)?).ok()
    }

    /// Takes a value out.
    pub fn remove(&mut self, name: &str) -> Option<String> {
        let value = self.get(name).map(str::to_string);
        self.0.retain(|(known, _)| known != name);
        value
    }

    /// Puts a value, which must be JSON, in the place of the one of this name, or behind all others.
    pub fn set(&mut self, name: &str, value: impl fmt::Display) {
        let value = value.to_string();
        match self.0.iter_mut().rev().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value,
            None => self.0.push((name.to_string(), value)),
        }
    }

    /// Sets every value of another one.
    pub fn update(&mut self, other: &Object) {
        other.0.iter().for_each(|(name, value)| self.set(name, value));
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("{")?;
        for (number, (name, value)) in self.0.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            write!(f, "{comma}{}:{value}", serde_json::Value::from(name.as_str()))?;
        }
        f.write_str("}")
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Object, A::Error> {
        let mut object = Object::default();
        while let Some((name, value)) = members.next_entry::<String, Box<RawValue>>()? {
            object.0.push((name, value.get().to_string()));
        }
        Ok(object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_come_back_as_they_were_written() {
        for text in [
            "{}",
            r#"{"z":12345678901234567890123,"a":-0,"m":0.1000000000000000055,"e":1E+2}"#,
            r#"{"a": [1,  2.50],"b":{ "y":null, "x":{"k":1,"k":2} },"c":"\u00e4\/"}"#,
        ] {
            let expected = text.replace("\"a\": [", "\"a\":[");
            assert_eq!(Object::sent(text).unwrap().to_string(), expected);
        }
        let spaced = " {\n\"a\" : 1.0 }\r\n";
        assert_eq!(Object::sent(spaced).unwrap().to_string(), r#"{"a":1.0}"#);
    }

    #[test]
    fn what_not_everybody_reads_in_the_same_way_is_not_taken_from_clients() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(200), "]".repeat(200));
        for text in [
            r#"{"a":1,"a":2}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"n":1e400}"#,
            r#"{"n":-1e400}"#,
            r#"{"s":"\ud800"}"#,
            &deep,
        ] {
            assert_eq!(Object::sent(text), None, "{text}");
            // Other programs may have stored it, and it is no reason to lose what else they stored.
            assert!(Object::stored(text).is_some(), "{text}");
        }
        for text in [
            "",
            "[]",
            "1",
            "null",
            "{",
            "{} {}",
            "{\"a\":}",
            "{\"a\":01}",
            "{\"a\":NaN}",
            "{'a':1}",
        ] {
            assert_eq!((Object::sent(text), Object::stored(text)), (None, None), "{text}");
        }
    }

    #[test]
    fn values_are_read_set_and_removed() {
        let mut object = Object::stored(r#"{"a":1,"b":"x","a":2}"#).unwrap();
        assert_eq!(
            (object.get("a"), object.read::<u64>("a"), object.read::<u64>("b")),
            (Some("2"), Some(2), None)
        );
        object.set("b", 3);
        object.set("c\"", "[]");
        assert_eq!(object.to_string(), r#"{"a":1,"b":3,"a":2,"c\"":[]}"#);
        assert_eq!(object.remove("a").as_deref(), Some("2"));
        object.update(&Object::stored(r#"{"d":4,"b":5}"#).unwrap());
        assert_eq!(object.to_string(), r#"{"b":5,"c\"":[],"d":4}"#);
    }

    proptest! {
        #[test]
        fn objects_survive(members in prop::collection::btree_map(".*", "-?[1-9][0-9]{0,40}(\\.[0-9]{1,30})?", 0..8)) {
            let mut object = Object::default();
            members.iter().for_each(|(name, value)| object.set(name, value));
            prop_assert_eq!(Object::sent(&object.to_string()), Some(object));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".*") {
            let _ = Object::sent(&text);
        }
    }
}
