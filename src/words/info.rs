//! The reply to `INFO`: lines of `name:value` in sections. Redis, Valkey and their versions tell more or less, so nothing
//! is taken for granted. The store and the doctor ask for it.

use std::collections::HashMap;

/// What `INFO` said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Info(HashMap<String, String>);

impl Info {
    /// Reads the text; lines that are something else are passed over.
    pub fn parse(text: &str) -> Info {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let pairs = lines.filter_map(|line| line.split_once(':'));
        Info(
            pairs
                .map(|(name, value)| (name.to_string(), value.trim().to_string()))
                .collect(),
        )
    }

    /// A value that is there and not empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A value that is a number of 0 or more.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    /// The product, and the version that decides what it can do: Valkey names the Redis that it descends from as well.
    pub fn version(&self) -> Option<(&'static str, &str)> {
        let valkey = self.text("valkey_version").map(|version| ("Valkey", version));
        valkey.or_else(|| Some(("Redis", self.text("redis_version")?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_are_found_by_name_whatever_stands_around_them() {
        let info = Info::parse(
            "# Server\r\nredis_version:7.0.15\r\nconfig_file:\r\n\r\nlistener0:name=tcp,bind=::1\r\nnonsense\r\n",
        );
        assert_eq!(info.version(), Some(("Redis", "7.0.15")));
        assert_eq!(info.text("config_file"), None);
        assert_eq!(info.text("listener0"), Some("name=tcp,bind=::1"));
        assert_eq!(info.number("redis_version"), None);
        assert_eq!(Info::parse("").version(), None);
    }

    proptest! {
        #[test]
        fn no_reply_makes_the_parser_panic(text in ".*") {
            let _ = Info::parse(&text).version();
        }
    }
}
