//! The value of a header with its parameters, as `Content-Type` and `Content-Disposition` have them:
//! `form-data; name="entries"` (RFC 9110, section 5.6.6). Bytes in, because old clients send names of files that are not UTF-8.

/// What may stand in the value of `boundary` besides the characters of a token, with quotes around it by RFC 9110. Many
/// clients forget those (RFC 2046, section 5.1.1, `bchars`).
const BOUNDARY_BESIDE_TOKEN: &[u8] = b"(),/:=? ";

/// The parameters of a header; their names are in lower case, and no two are the same.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Parameters(Vec<(String, Vec<u8>)>);

impl Parameters {
    /// Takes a header apart: what stands before the first semicolon, and the parameters behind it. The error is the rest of a
    /// sentence that begins with the header.
    pub fn of(header: &[u8]) -> Result<(&[u8], Parameters), String> {
        let end = header.iter().position(|byte| *byte == b';').unwrap_or(header.len());
        let (value, mut rest) = header.split_at(end);
        let mut parameters = Parameters::default();
        loop {
            // Empty parameters, as in `;;`, are legal.
            rest = trim_start(rest, b"; \t");
            if rest.is_empty() {
                return Ok((value.trim_ascii(), parameters));
            }
            rest = parameters.add(rest)?;
            if !rest.is_empty() && !rest.starts_with(b";") {
                return Err("has something behind the value of a parameter".into());
            }
        }
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_slice())
    }

    /// Whether there are values in the form of RFC 8187 or RFC 2231, `name*=…` or `name*0=…`.
    pub fn has_extended(&self, name: &str) -> bool {
        let is_one = |known: &str| known.strip_prefix(name).is_some_and(|rest| rest.starts_with('*'));
        self.0.iter().any(|(known, _)| is_one(known))
    }

    /// Adds the parameter that the text begins with, and returns what is behind it.
    fn add<'a>(&mut self, text: &'a [u8]) -> Result<&'a [u8], String> {
        let end = text.iter().position(|byte| !is_token(*byte)).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let (false, Some(rest)) = (name.is_empty(), rest.strip_prefix(b"=")) else {
            return Err("has a parameter that is not name=value".into());
        };
        // A token is ASCII.
        let name: String = name.iter().map(|byte| char::from(byte.to_ascii_lowercase())).collect();
        let (value, rest) = match rest.strip_prefix(b"\"") {
            Some(quoted) => unquoted(quoted).ok_or_else(|| format!("has a value of {name} whose quotes do not end"))?,
            None => bare(rest, name == "boundary").ok_or_else(|| format!("has no value of {name}"))?,
        };
        if self.get(&name).is_some() {
            return Err(format!("says {name} twice"));
        }
        self.0.push((name, value));
        Ok(trim_start(rest, b" \t"))
    }
}

/// The value of quoted text, and what is behind the closing quote; none without one, or with a control character within.
fn unquoted(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut value = Vec::new();
    let mut bytes = text.iter().enumerate();
    loop {
        let (at, byte) = bytes.next()?;
        let byte = match byte {
            b'"' => return Some((value, &text[at + 1..])),
            b'\\' => bytes.next()?.1,
            other => other,
        };
        if byte.is_ascii_control() && *byte != b'\t' {
            return None;
        }
        value.push(*byte);
    }
}

/// A value without quotes, and what is behind it; none if it is empty.
fn bare(text: &[u8], is_boundary: bool) -> Option<(Vec<u8>, &[u8])> {
    let belongs = |byte: &u8| is_token(*byte) || is_boundary && BOUNDARY_BESIDE_TOKEN.contains(byte);
    let length = text.iter().take_while(|byte| belongs(byte)).count();
    let (value, rest) = text.split_at(length);
    let value = value.trim_ascii_end().to_vec();
    (!value.is_empty()).then_some((value, rest))
}

/// A character of a token (RFC 9110, section 5.6.2).
pub fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn trim_start<'a>(text: &'a [u8], what: &[u8]) -> &'a [u8] {
    let length = text.iter().take_while(|byte| what.contains(byte)).count();
    &text[length..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<(String, Vec<(String, String)>), String> {
        let text_of = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let (value, parameters) = Parameters::of(text.as_bytes())?;
        let pairs = parameters.0.iter().map(|(name, value)| (name.clone(), text_of(value)));
        Ok((text_of(value), pairs.collect()))
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect()
    }

    #[test]
    fn white_space_around_semicolons_empty_parameters_and_any_letter_case_are_taken() {
        for text in [
            "form-data; name=a; filename=\"b c\"",
            "form-data;name=a;filename=\"b c\"",
            " form-data ;\tNAME=a ;; ; FileName=\"b c\" ; ",
        ] {
            let expected = pairs(&[("name", "a"), ("filename", "b c")]);
            assert_eq!(read(text), Ok(("form-data".into(), expected)), "{text}");
        }
        assert_eq!(read("text/plain"), Ok(("text/plain".into(), vec![])));
    }

    #[test]
    fn quotes_hold_anything_and_a_backslash_takes_what_follows_as_it_is() {
        let text = r#"x; a="; name=\"b\"; \\"; c="""#;
        assert_eq!(read(text).unwrap().1, pairs(&[("a", r#"; name="b"; \"#), ("c", "")]));
        assert_eq!(read("x; a=\"größe\"").unwrap().1, pairs(&[("a", "größe")]));
    }

    #[test]
    fn a_boundary_without_quotes_has_any_character_of_rfc_2046() {
        for boundary in ["(((AaB03x)))", "gc0p4Jq0M:2Yt", "===7==", "a b", "'()+_,-./:=?"] {
            let expected = pairs(&[("boundary", boundary), ("charset", "utf-8")]);
            assert_eq!(
                read(&format!("x; boundary={boundary} ; charset=utf-8")).unwrap().1,
                expected
            );
        }
    }

    #[test]
    fn what_is_no_list_of_parameters_is_refused() {
        for text in [
            "x; name",
            "x; =a",
            "x; name=",
            "x; name =a",
            "x; name= a",
            "x; name=a b",
            "x; name=a filename=b",
            "x; name=a,b",
            "x; name=größe",
            "x; name=\"a",
            "x; name=\"a\\",
            "x; name=\"a\\\"",
            "x; name=\"a\"b",
            "x; name=\"a\r\"",
            "x; name=a; NAME=b",
            "x; name=a, form-data; name=b",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn values_survive_in_quotes_and_nothing_makes_the_parser_panic(value in "[ -~]*", noise: Vec<u8>) {
            let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
            prop_assert_eq!(read(&format!("x;a=\"{quoted}\"; b=c")).unwrap().1, pairs(&[("a", &value), ("b", "c")]));
            let _ = Parameters::of(&noise);
        }
    }
}
