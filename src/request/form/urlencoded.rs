//! Pairs as `application/x-www-form-urlencoded` has them, in bodies and in queries:
//! <https://url.spec.whatwg.org/#urlencoded-parsing>. Bytes come out, because not every form is UTF-8, and to put something
//! else in the place of what is not would make different passwords the same.

use percent_encoding::percent_decode;

/// A name and its value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// The pairs in order. A `%` without two hexadecimal digits behind it stands for itself, as the standard says.
pub fn pairs(text: &[u8]) -> impl Iterator<Item = Pair> {
    let pairs = text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| {
        let end = pair.iter().position(|byte| *byte == b'=');
        let (name, value) = pair.split_at(end.unwrap_or(pair.len()));
        (decode(name), decode(value.strip_prefix(b"=").unwrap_or_default()))
    })
}

fn decode(text: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = text
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    percent_decode(&spaced).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
    use proptest::prelude::*;

    fn read(text: &str) -> Vec<(String, String)> {
        let text_of = |bytes| String::from_utf8(bytes).unwrap();
        pairs(text.as_bytes())
            .map(|(name, value)| (text_of(name), text_of(value)))
            .collect()
    }

    #[test]
    fn pairs_are_read_as_the_standard_says() {
        let pair = |name: &str, value: &str| (name.to_string(), value.to_string());
        assert_eq!(read(""), []);
        assert_eq!(read("&&a&=b&c=d=e&"), [pair("a", ""), pair("", "b"), pair("c", "d=e")]);
        assert_eq!(read("a+b=c%2Bd%20e"), [pair("a b", "c+d e")]);
        assert_eq!(
            read("a=100%&b=%zz%4&%C3%A4=ß"),
            [pair("a", "100%"), pair("b", "%zz%4"), pair("ä", "ß")]
        );
    }

    proptest! {
        #[test]
        fn any_bytes_survive(pair: Vec<(Vec<u8>, Vec<u8>)>) {
            let encoded = |bytes: &[u8]| percent_encode(bytes, NON_ALPHANUMERIC).to_string();
            let text: Vec<String> = pair.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
            prop_assert_eq!(pairs(text.join("&").as_bytes()).collect::<Vec<_>>(), pair);
        }
    }
}
