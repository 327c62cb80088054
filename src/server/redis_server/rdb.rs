//! The beginning of an RDB file, which tells the format and the server that wrote it. In go bytes that may be anything, out
//! comes what they tell. Pure. The format is described in <https://rdb.fnordig.de/file_format.html> and in Redis's `rdb.c`.

use super::version::{Format, Product, Version};

/// How much of a file is enough: the fields that are looked for come first.
pub const ENOUGH: u64 = 1024;

/// What comes before each field about the file, a name and a value.
const AUX: u8 = 0xFA;

/// What comes last, before the checksum.
const END: u8 = 0xFF;

/// What the beginning of an RDB file tells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Header {
    /// Its format.
    pub format: Format,
    /// Who wrote it, if it says so.
    pub writer: Option<Version>,
}

/// Reads the beginning of an RDB file; none if that is another kind of file.
pub fn header(start: &[u8]) -> Option<Header> {
    let (format, rest) = format(start)?;
    let writer = writer(rest);
    Some(Header { format, writer })
}

/// Whether this is a whole RDB file that holds nothing: neither a key nor a function, only fields about the file.
pub fn is_empty(start: &[u8]) -> bool {
    let Some((_, mut rest)) = format(start) else {
        return false;
    };
    while let Some((_, _, after)) = field(rest) {
        rest = after;
    }
    rest.first() == Some(&END)
}

/// The format, and what comes after it.
fn format(start: &[u8]) -> Option<(Format, &[u8])> {
    let (magic, digits, rest) = if let Some(rest) = start.strip_prefix(b"REDIS") {
        (Product::Redis, rest.get(..4)?, &rest[4..])
    } else {
        let rest = start.strip_prefix(b"VALKEY")?;
        (Product::Valkey, rest.get(..3)?, &rest[3..])
    };
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits
        .iter()
        .fold(0, |number, digit| number * 10 + u16::from(digit - b'0'));
    Some((Format { magic, number }, rest))
}

/// The version in the fields about the file.
fn writer(mut rest: &[u8]) -> Option<Version> {
    while let Some((name, value, after)) = field(rest) {
        let product = match name {
            b"redis-ver" => Some(Product::Redis),
            b"valkey-ver" => Some(Product::Valkey),
            _ => None,
        };
        if let Some(product) = product {
            return Version::of(product, std::str::from_utf8(value).ok()?);
        }
        rest = after;
    }
    None
}

/// The name and the value of a field about the file, and what comes after it; none if something else comes, or it is cut.
fn field(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (name, after) = string(bytes.strip_prefix(&[AUX])?)?;
    let (value, after) = string(after)?;
    Some((name, value, after))
}

/// A string, and what comes after it. Of one that is a number the bytes of that number; none if it is compressed or cut.
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    let low = usize::from(first & 0x3F);
    let (length, rest) = match first >> 6 {
        0 => (low, rest),
        1 => (low << 8 | usize::from(*rest.first()?), &rest[1..]),
        2 if first == 0x80 => {
            let (length, rest) = rest.split_first_chunk()?;
            (usize::try_from(u32::from_be_bytes(*length)).ok()?, rest)
        }
        3 if low < 3 => (1 << low, rest),
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_servers_wrote_is_told() {
        let valkey_9 =
            b"VALKEY080\xfa\x0avalkey-ver\x059.1.2\xfa\x0aredis-bits\xc0\x40\xfa\x05ctime\xc2\x45\xc9\x0a\x6b\xff";
        let valkey_8 = b"REDIS0011\xfa\x0avalkey-ver\x058.1.1\xfa\x0aredis-bits\xc0\x40\xff";
        let redis_7 = b"REDIS0010\xfa\x09redis-ver\x067.0.15\xfa\x0aredis-bits\xc0\x40\xff";
        let later =
            b"REDIS0014\xfa\x0aredis-bits\xc0\x40\xfa\x05ctime\xc2\x45\xc9\x0a\x6b\xfa\x09redis-ver\x40\x069.0.15\xff";
        for (bytes, format, writer) in [
            (&valkey_9[..], "RDB format 80 of Valkey", "Valkey 9.1.2"),
            (valkey_8, "RDB format 11", "Valkey 8.1.1"),
            (redis_7, "RDB format 10", "Redis 7.0.15"),
            (later, "RDB format 14", "Redis 9.0.15"),
        ] {
            let header = header(bytes).unwrap();
            assert_eq!(header.format.to_string(), format);
            assert_eq!(header.writer.unwrap().to_string(), writer);
        }
    }

    #[test]
    fn what_is_cut_or_strange_tells_less_and_what_is_no_rdb_file_nothing() {
        for bytes in [
            &b"REDIS0010"[..],
            b"REDIS0010\xfe\x00",
            b"REDIS0010\xfa",
            b"REDIS0010\xfa\x09redis-ver",
            b"REDIS0010\xfa\x09redis-ver\x067.0",
            b"REDIS0010\xfa\x09redis-ver\xc3\x01\x067",
            b"REDIS0010\xfa\x80\xff\xff\xff\xffredis-ver",
            b"REDIS0010\xfa\x09redis-ver\x02\xff\xfe",
        ] {
            let header = header(bytes).unwrap();
            assert_eq!((header.format.number, header.writer), (10, None), "{bytes:?}");
        }
        for bytes in [
            &b""[..],
            b"REDIS",
            b"REDIS001",
            b"REDIS00x0",
            b"*2\r\n$6\r\nSELECT",
            b"VALKEY8",
            b"redis0010",
        ] {
            assert_eq!(header(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn a_file_is_empty_that_ends_after_the_fields_about_it_and_no_other() {
        let fields = b"REDIS0010\xfa\x09redis-ver\x067.0.15\xfa\x08aof-base\xc0\x01".as_slice();
        for (end, empty) in [
            (&b"\xff\x3e\x3c\xe5\x79\xcd\xa0\xeb\x09"[..], true),
            (b"", false),
            (b"\xfa\x05ctime", false),
            // A database with a key, and a library of functions.
            (b"\xfe\x00\xfb\x01\x00\x00\x01a\x01b\xff", false),
            (b"\xf5\x01x\xff", false),
        ] {
            assert_eq!(is_empty(&[fields, end].concat()), empty, "{end:?}");
        }
        assert!(is_empty(b"VALKEY080\xff") && !is_empty(b"\xff") && !is_empty(b""));
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(start in prop_oneof![Just(&b"REDIS0010\xfa"[..]), Just(&b"VALKEY080\xfa"[..]), Just(&b""[..])],
                                    rest in any::<Vec<u8>>()) {
            let bytes = [start, &rest].concat();
            header(&bytes);
            is_empty(&bytes);
        }

        #[test]
        fn a_version_is_found_behind_any_fields(fields in proptest::collection::vec(("[a-z-]{0,63}", "[ -~]{0,63}"), 0..8)) {
            let mut bytes = b"REDIS0012".to_vec();
            for (name, value) in fields.iter().filter(|(name, _)| !name.ends_with("-ver")) {
                for text in [name, value] {
                    bytes.extend([text.len() as u8]);
                    bytes.extend(text.as_bytes());
                }
                bytes.insert(bytes.len() - name.len() - value.len() - 2, AUX);
            }
            bytes.extend(b"\xfa\x09redis-ver\x058.0.2");
            prop_assert_eq!(header(&bytes).unwrap().writer, Version::parse("Redis 8.0.2"));
        }
    }
}
