//! Which server it is, and which RDB files it can read. In go the words of `redis-server --version` and the first bytes of a
//! file, out comes what is known; what is not known is none, and worth a try. Pure.

use std::fmt;

/// The two families of servers. What Redis 7.2 was is the origin of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// Redis.
    Redis,
    /// Valkey.
    Valkey,
}

/// A server's product and version, such as Redis 7.0.15.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// Of which family it is.
    pub product: Product,
    /// Its numbers: major, minor, patch.
    pub numbers: (u32, u32, u32),
}

/// The format of an RDB file: the name that it begins with, and the number after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// `REDIS`, which Valkey before 9.0 writes, too, or `VALKEY`.
    pub magic: Product,
    /// Its number, which grows with what a file may hold.
    pub number: u16,
}

/// The last versions of which it is known what they refuse (`RDB_VERSION` in the `rdb.h` of each). Later ones may read more.
const KNOWN_REDIS: (u32, u32) = (8, 0);
const KNOWN_VALKEY: (u32, u32) = (9, 1);

/// The last format that both families know.
const LAST_COMMON: u16 = 11;

/// The first version of either family that keeps its append-only file in parts, in a folder of their own.
const FIRST_WITH_PARTS: u32 = 7;

impl Version {
    /// Reads `Redis server v=7.0.15 sha=…`, as `--version` prints it, and `Redis 7.0.15`.
    pub fn parse(text: &str) -> Option<Version> {
        let (product, rest) = text.trim().split_once(' ')?;
        let product = match product {
            "Redis" => Product::Redis,
            "Valkey" => Product::Valkey,
            _ => return None,
        };
        let rest = rest.strip_prefix("server ").unwrap_or(rest);
        let rest = rest.strip_prefix("v=").unwrap_or(rest);
        Version::of(product, rest.split(' ').next()?)
    }

    /// A version of this product, from numbers such as `7.0.15`, `9.0` and `8.0.0-rc1`.
    pub fn of(product: Product, text: &str) -> Option<Version> {
        let mut numbers = text.split(['.', '-']).map(|number| number.parse().ok());
        let major = numbers.next()??;
        let mut next = || numbers.next().flatten().unwrap_or(0);
        Some(Version {
            product,
            numbers: (major, next(), next()),
        })
    }

    /// Whether it loads an RDB file of this format; none if that is not known.
    pub fn reads(&self, format: Format) -> Option<bool> {
        let version = (self.numbers.0, self.numbers.1);
        let (newest, known) = match (self.product, format.magic) {
            (Product::Redis, Product::Redis) => (newest_of_redis(version), version <= KNOWN_REDIS),
            (Product::Valkey, Product::Redis) => (LAST_COMMON, version <= KNOWN_VALKEY),
            (Product::Valkey, Product::Valkey) if version >= (9, 0) => (80, version <= KNOWN_VALKEY),
            (Product::Valkey, Product::Valkey) => (0, true),
            (Product::Redis, Product::Valkey) => (0, version <= KNOWN_REDIS),
        };
        match format.number <= newest {
            true => Some(true),
            false => known.then_some(false),
        }
    }

    /// Whether it looks for an append-only file in parts. One that does not sees no data where there is such a file.
    pub fn reads_parts(&self) -> bool {
        self.numbers.0 >= FIRST_WITH_PARTS
    }
}

fn newest_of_redis(version: (u32, u32)) -> u16 {
    match version {
        (..7, _) => 9,
        (7, ..2) => 10,
        (7, ..4) => LAST_COMMON,
        _ => 12,
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (major, minor, patch) = self.numbers;
        write!(f, "{:?} {major}.{minor}.{patch}", self.product)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.magic {
            Product::Redis => write!(f, "RDB format {}", self.number),
            Product::Valkey => write!(f, "RDB format {} of Valkey", self.number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    #[test]
    fn a_version_is_read_from_what_servers_print_and_from_what_we_wrote() {
        for (text, shown) in [
            (
                "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64",
                "Redis 7.0.15",
            ),
            (
                "Valkey server v=9.1.2 sha=00000000:1 malloc=libc bits=64\n",
                "Valkey 9.1.2",
            ),
            ("Redis server v=8.0.0-rc1 sha=0", "Redis 8.0.0"),
            ("Redis 7.0.15", "Redis 7.0.15"),
            ("Valkey 9.0", "Valkey 9.0.0"),
        ] {
            assert_eq!(version(text).to_string(), shown, "{text}");
            assert_eq!(version(shown), version(text));
        }
        for text in [
            "",
            "Redis",
            "Redis ",
            "Redis server",
            "KeyDB server v=6.3.4",
            "Redis x.y",
            "Redis 99999999999.1",
        ] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_each_server_reads_is_told_and_what_is_not_known_is_not() {
        let redis = |number| Format {
            magic: Product::Redis,
            number,
        };
        let valkey = |number| Format {
            magic: Product::Valkey,
            number,
        };
        for (server, format, reads) in [
            ("Redis 6.2.5", redis(9), Some(true)),
            ("Redis 6.2.5", redis(10), Some(false)),
            ("Redis 7.0.15", redis(10), Some(true)),
            ("Redis 7.0.15", redis(11), Some(false)),
            ("Redis 7.0.15", valkey(80), Some(false)),
            ("Redis 7.2.4", redis(11), Some(true)),
            ("Redis 7.4.0", redis(12), Some(true)),
            ("Redis 8.0.2", redis(13), Some(false)),
            ("Redis 8.0.2", valkey(80), Some(false)),
            ("Redis 9.0.0", redis(12), Some(true)),
            ("Redis 9.0.0", redis(14), None),
            ("Redis 255.255.255", valkey(80), None),
            ("Valkey 8.1.1", redis(11), Some(true)),
            ("Valkey 8.1.1", redis(12), Some(false)),
            ("Valkey 8.1.1", valkey(80), Some(false)),
            ("Valkey 9.1.2", redis(11), Some(true)),
            ("Valkey 9.1.2", redis(12), Some(false)),
            ("Valkey 9.1.2", valkey(80), Some(true)),
            ("Valkey 9.1.2", valkey(81), Some(false)),
            ("Valkey 10.0.0", valkey(81), None),
        ] {
            assert_eq!(version(server).reads(format), reads, "{server} and {format}");
        }
        assert!(!version("Redis 6.2.5").reads_parts() && version("Valkey 7.2.4").reads_parts());
    }

    proptest! {
        #[test]
        fn any_text_is_a_version_or_none(text in any::<String>()) {
            if let Some(version) = Version::parse(&text) {
                prop_assert_eq!(Version::parse(&version.to_string()), Some(version));
            }
        }
    }
}
