//! Where the entries of a batch go when that is not simply behind the others of one stream: the stream and the id of each.
//! Plain data; the grammar of ids is in docs/pushing.md.

use std::fmt;
use std::str::FromStr;

use crate::words::ids::{EntryId, StreamId};

/// The id that an entry is to get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedId {
    /// `*`: the next one, as Redis gives it.
    Next,
    /// `<ms>-*`: the next one of this millisecond.
    NextOf(u64),
    /// `<ms>-<seq>`: this one.
    This(EntryId),
}

/// Where one entry goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Destination {
    /// Which of the streams of its batch.
    pub stream: usize,
    /// With which id.
    pub id: AskedId,
}

/// Where the entries of one batch go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Destinations {
    /// The streams of the batch, each once.
    pub streams: Vec<StreamId>,
    /// The place of each entry.
    pub of_entries: Vec<Destination>,
}

impl Destinations {
    /// The memory that they take, in bytes, without the names of the streams.
    pub fn size(&self) -> usize {
        self.of_entries.len() * size_of::<Destination>()
    }

    /// The only stream, if the entries simply go behind the others of it.
    pub fn only_next_of(&self) -> Option<&StreamId> {
        let is_next = |place: &Destination| place.id == AskedId::Next;
        match self.streams.as_slice() {
            [stream] if self.of_entries.iter().all(is_next) => Some(stream),
            _ => None,
        }
    }

    /// Whether every entry has an id of its own already, so that it can be told whether it has been stored.
    pub fn are_exact(&self) -> bool {
        let is_exact = |place: &Destination| matches!(place.id, AskedId::This(_));
        self.of_entries.iter().all(is_exact)
    }
}

impl FromStr for AskedId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = match text.split_once('-') {
            None if text == "*" => Some(AskedId::Next),
            None => None,
            Some((ms, "*")) => ms.parse().ok().map(|id: EntryId| AskedId::NextOf(id.ms)),
            Some(_) => text.parse().ok().map(AskedId::This),
        };
        match parsed {
            Some(AskedId::This(id)) if id == EntryId::default() => Err("an id is larger than 0-0".into()),
            Some(id) => Ok(id),
            None => Err(format!(
                "an id is <ms>-<seq>, <ms>-* or *, and this is {}",
                quoted(text)
            )),
        }
    }
}

impl fmt::Display for AskedId {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            AskedId::Next => f.write_str("*"),
            AskedId::NextOf(ms) => write!(f, "{ms}-*"),
            AskedId::This(id) => id.fmt(f),
        }
    }
}

/// Enough of a wrong value to recognise it by, in a reason of 123 bytes.
pub fn quoted(value: &str) -> String {
    let shortened: String = value.chars().take(24).collect();
    format!("{shortened:?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ids_are_asked_for_in_three_ways() {
        assert_eq!("*".parse(), Ok(AskedId::Next));
        assert_eq!("7-*".parse(), Ok(AskedId::NextOf(7)));
        assert_eq!("7-1".parse(), Ok(AskedId::This(EntryId { ms: 7, seq: 1 })));
        assert_eq!("0-*".parse(), Ok(AskedId::NextOf(0)));
        for bad in [
            "",
            "0-0",
            "00-0",
            "7",
            "$",
            "-",
            "-*",
            "*-1",
            "*-*",
            "7-",
            "7-1-*",
            "7-1-1",
            "+7-*",
            " 7-1",
            "18446744073709551616-*",
            "1-18446744073709551616",
        ] {
            assert!(bad.parse::<AskedId>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn asked_ids_survive_the_wire(ms: u64, seq in 1..u64::MAX) {
            for id in [AskedId::Next, AskedId::NextOf(ms), AskedId::This(EntryId { ms, seq })] {
                prop_assert_eq!(id.to_string().parse(), Ok(id));
            }
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".*") {
            let _ = text.parse::<AskedId>();
        }
    }
}
