//! Who a request is meant for, or where a page comes from: a host and perhaps a port, as URLs and the header `Host` have them
//! (RFC 3986, section 3.2; RFC 9110, section 7.2). Parsed whole, so that nothing is compared as the beginning or end of a text.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The longest name, in bytes (RFC 3986, section 3.2.2, after DNS).
const LONGEST_NAME: usize = 255;

/// A host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// An address, literally.
    Address(IpAddr),
    /// Anything else, in lower case.
    Name(String),
}

/// A host, and a port if one is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// The host.
    pub host: Host,
    /// The port; without one it is that of the scheme.
    pub port: Option<u16>,
}

/// This is no host, or no host with a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

impl FromStr for Host {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Host, Malformed> {
        if let Some(rest) = text.strip_prefix('[') {
            let address = rest.strip_suffix(']').ok_or(Malformed)?;
            return match address.parse::<Ipv6Addr>() {
                Ok(address) => Ok(Host::Address(address.into())),
                Err(_) => Err(Malformed),
            };
        }
        if let Some(address) = ipv4(text) {
            return Ok(Host::Address(address.into()));
        }
        match text.len() {
            1..=LONGEST_NAME if is_name(text.as_bytes()) => Ok(Host::Name(text.to_ascii_lowercase())),
            _ => Err(Malformed),
        }
    }
}

impl FromStr for Authority {
    type Err = Malformed;

    /// Users and passwords (`ada@lab`) are refused: no header that is read here has them.
    fn from_str(text: &str) -> Result<Authority, Malformed> {
        // What follows the brackets of an IPv6 address, or the first colon of anything else.
        let after = text.rfind(']').map_or(0, |end| end + 1);
        let colon = text[after..].find(':').map(|at| after + at);
        let host = text[..colon.unwrap_or(text.len())].parse()?;
        let port = match colon.map_or("", |colon| &text[colon + 1..]) {
            "" => None,
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(digits.parse().map_err(|_| Malformed)?),
            _ => return Err(Malformed),
        };
        Ok(Authority { host, port })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Host::Address(address) => write!(f, "{address}"),
            Host::Name(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => write!(f, "{}", self.host),
        }
    }
}

/// An IPv4 address as inet_aton(3) reads it: the last of its parts fills what the others leave, and each may be octal or hexadecimal.
/// Browsers send four decimal ones; other clients send what they were given (RFC 3986, section 7.4).
fn ipv4(text: &str) -> Option<Ipv4Addr> {
    let number = |part: &str| {
        let (digits, radix) = match part.strip_prefix("0x").or_else(|| part.strip_prefix("0X")) {
            Some(digits) => (digits, 16),
            None if part.len() > 1 && part.starts_with('0') => (part, 8),
            None => (part, 10),
        };
        let number = u32::from_str_radix(digits, radix).ok();
        number.filter(|_| !digits.starts_with('+'))
    };
    let parts: Vec<u32> = text.split('.').map(number).collect::<Option<_>>()?;
    let (last, others) = parts.split_last()?;
    let left = 4_usize.checked_sub(others.len()).filter(|left| *left > 0)?;
    let fits = u64::from(*last) < 1 << (8 * left) && others.iter().all(|part| *part < 256);
    let high = others.iter().zip([24, 16, 8]).map(|(part, shift)| part << shift);
    fits.then(|| Ipv4Addr::from(high.fold(*last, |address, part| address | part)))
}

/// `reg-name` of RFC 3986: unreserved characters, sub-delims, and `%` with two hexadecimal digits.
fn is_name(mut bytes: &[u8]) -> bool {
    while let [first, rest @ ..] = bytes {
        bytes = match (first, rest) {
            (b'%', [high, low, rest @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => rest,
            (byte, rest) if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(byte) => rest,
            _ => return false,
        };
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Option<(String, Option<u16>)> {
        let authority: Authority = text.parse().ok()?;
        Some((authority.host.to_string(), authority.port))
    }

    #[test]
    fn a_host_is_an_address_or_a_name_and_letter_case_is_nothing() {
        for (text, host, port) in [
            ("lab", "lab", None),
            ("LAB.Example:7890", "lab.example", Some(7890)),
            ("my_pc:", "my_pc", None),
            ("127.0.0.1:080", "127.0.0.1", Some(80)),
            ("[::1]", "[::1]", None),
            ("[0:0::1]:65535", "[::1]", Some(65535)),
            ("[::FFFF:127.0.0.1]:1", "[::ffff:127.0.0.1]", Some(1)),
            ("127.1", "127.0.0.1", None),
            ("0x7f.1:80", "127.0.0.1", Some(80)),
            ("0177.0.1", "127.0.0.1", None),
            ("2130706433", "127.0.0.1", None),
            ("127.256", "127.0.1.0", None),
            // No addresses, and so names.
            ("256.0.0.1", "256.0.0.1", None),
            ("1.2.3.4.5", "1.2.3.4.5", None),
            ("4294967296", "4294967296", None),
            ("08.1", "08.1", None),
            ("127.0.0.+1", "127.0.0.+1", None),
            ("127..1", "127..1", None),
            ("%6cocalhost", "%6cocalhost", None),
        ] {
            assert_eq!(parse(text), Some((host.into(), port)), "{text}");
        }
    }

    #[test]
    fn what_is_no_host_with_a_port_is_malformed() {
        for text in [
            "",
            ":",
            ":80",
            "lab:x",
            "lab:-1",
            "lab:+1",
            "lab:65536",
            "lab:1:2",
            "lab :1",
            " lab",
            "lab/",
            "lab?",
            "lab#x",
            "ada@lab",
            "ada:secret@lab",
            "http://lab",
            "::1",
            "[::1",
            "::1]",
            "[::1]x",
            "[::1]]",
            "[[::1]]",
            "[lab]",
            "[127.0.0.1]",
            "[fe80::1%25eth0]",
            "[]",
            "l\u{e4}b",
            "lab\\",
            "a%b",
            "a%zz",
            "a\"b",
            "a<b",
            "a\tb",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse(&"x".repeat(256)), None);
    }

    proptest! {
        #[test]
        fn what_parses_is_shown_in_a_form_that_parses_to_the_same(text in "[a-zA-Z0-9.:%\\[\\]-]{0,20}") {
            if let Ok(authority) = text.parse::<Authority>() {
                prop_assert_eq!(authority.to_string().parse(), Ok(authority));
            }
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".*") {
            let _ = text.parse::<Authority>();
        }
    }
}
