//! The JSON shapes of a header: `[[stream, id, offset],…]`, `[[stream, offset],…]` and `[offset,…]`.
//! They are read item by item into what is kept, so that a header costs no more than its entries.

use std::collections::HashMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, SeqAccess, Visitor};

use super::{BatchError, Header, Rules, Target, follow, wrong};
use crate::words::destination::{AskedId, Destination, Destinations, quoted};
use crate::words::dialect::Dialect;
use crate::words::ids::MOST_STREAMS;
use crate::words::ids::StreamId;

/// The longest sentence about a wrong header, in characters: serde_json repeats what it found, however long that is.
const LONGEST_SENTENCE: usize = 200;

/// Reads a JSON header.
pub fn parse(text: &str, rules: &Rules) -> Result<Header, BatchError> {
    let mut items = Items {
        rules,
        shape: None,
        offsets: Vec::new(),
        destinations: Destinations::default(),
        known: HashMap::new(),
        too_many: false,
    };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let read = List(&mut items).deserialize(&mut deserializer);
    match read.and_then(|()| deserializer.end()) {
        Err(_) if items.too_many => Err(BatchError::TooMany(rules.most)),
        Err(error) => Err(wrong(
            error.to_string().chars().take(LONGEST_SENTENCE).collect::<String>(),
        )),
        Ok(()) if items.offsets.is_empty() && rules.dialect == Dialect::Seed => Err(wrong("no entry is named")),
        Ok(()) => Ok(Header {
            offsets: items.offsets,
            destinations: Some(items.destinations).filter(|destinations| !destinations.of_entries.is_empty()),
        }),
    }
}

/// What has been read so far.
struct Items<'a> {
    rules: &'a Rules<'a>,
    shape: Option<Shape>,
    offsets: Vec<usize>,
    destinations: Destinations,
    /// The streams by name.
    known: HashMap<String, usize>,
    too_many: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Offset,
    WithStream,
    WithStreamAndId,
}

impl Items<'_> {
    /// Which of the batch's streams this is.
    fn stream(&mut self, name: &str) -> Result<usize, String> {
        if let Some(&known) = self.known.get(name) {
            return Ok(known);
        }
        let stream = StreamId::new(name)?;
        if *self.rules.target != Target::Any && !self.rules.target.streams().contains(&stream) {
            return Err(format!("the stream {} is not in the path", quoted(name)));
        }
        let index = self.destinations.streams.len();
        if index == MOST_STREAMS {
            return Err(format!("a batch goes to at most {MOST_STREAMS} streams"));
        }
        self.known.insert(name.to_string(), index);
        self.destinations.streams.push(stream);
        Ok(index)
    }

    fn add(&mut self, shape: Shape, place: Option<Destination>, offset: u64) -> Result<(), String> {
        let number = self.offsets.len() + 1;
        if number > self.rules.most {
            self.too_many = true;
            return Err(format!("more than {} entries", self.rules.most));
        }
        if *self.shape.get_or_insert(shape) != shape {
            return Err(format!("item {number} has another shape than those before it"));
        }
        let offset = usize::try_from(offset).map_err(|_| format!("offset {number} is too large"))?;
        follow(&mut self.offsets, offset, self.rules.dialect)?;
        self.destinations.of_entries.extend(place);
        Ok(())
    }
}

struct List<'i, 'a>(&'i mut Items<'a>);

impl<'de> DeserializeSeed<'de> for List<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list of entries")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Item(self.0))?.is_some() {}
        Ok(())
    }
}

struct Item<'i, 'a>(&'i mut Items<'a>);

impl<'de> DeserializeSeed<'de> for Item<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Item<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an offset, [stream, offset] or [stream, id, offset]")
    }

    fn visit_u64<E: Error>(self, offset: u64) -> Result<(), E> {
        self.0.add(Shape::Offset, None, offset).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut item: A) -> Result<(), A::Error> {
        let items = self.0;
        let dialect = items.rules.dialect;
        let short = |length| A::Error::invalid_length(length, &"[stream, offset] or [stream, id, offset]");
        let stream = item.next_element_seed(Name(items))?.ok_or_else(|| short(0))?;
        let second = item.next_element_seed(Second(dialect))?.ok_or_else(|| short(1))?;
        let third: Option<u64> = item.next_element()?;
        if third.is_some() && item.next_element::<IgnoredAny>()?.is_some() {
            return Err(short(4));
        }
        let place = |id| Some(Destination { stream, id });
        let added = match (second, third) {
            (IdOrNumber::Number(offset), None) => items.add(Shape::WithStream, place(AskedId::Next), offset),
            (IdOrNumber::Number(0), Some(offset)) if dialect == Dialect::V2 => {
                items.add(Shape::WithStreamAndId, place(AskedId::Next), offset)
            }
            (IdOrNumber::Number(ms), Some(offset)) if dialect == Dialect::V2 => {
                items.add(Shape::WithStreamAndId, place(AskedId::NextOf(ms)), offset)
            }
            (IdOrNumber::Number(_), Some(_)) => Err("an id is a text or null".into()),
            (IdOrNumber::Id(id), Some(offset)) => items.add(Shape::WithStreamAndId, place(id), offset),
            (IdOrNumber::Id(_), None) => return Err(short(2)),
        };
        added.map_err(A::Error::custom)
    }
}

struct Name<'i, 'a>(&'i mut Items<'a>);

impl<'de> DeserializeSeed<'de> for Name<'_, '_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_, '_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("the name of a stream")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<usize, E> {
        self.0.stream(name).map_err(E::custom)
    }
}

/// What comes behind the name: an offset, or an id, which the later dialect also writes as a number.
struct Second(Dialect);

enum IdOrNumber {
    Id(AskedId),
    Number(u64),
}

impl<'de> DeserializeSeed<'de> for Second {
    type Value = IdOrNumber;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<IdOrNumber, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Second {
    type Value = IdOrNumber;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an offset, an id or null")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<IdOrNumber, E> {
        Ok(IdOrNumber::Number(number))
    }

    fn visit_unit<E: Error>(self) -> Result<IdOrNumber, E> {
        Ok(IdOrNumber::Id(AskedId::Next))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<IdOrNumber, E> {
        let id = match (self.0, text) {
            (Dialect::V2, "" | "0") => Ok(AskedId::Next),
            (Dialect::V2, ms) if ms.bytes().all(|b| b.is_ascii_digit()) => format!("{ms}-*").parse(),
            (_, id) => id.parse(),
        };
        id.map(IdOrNumber::Id).map_err(E::custom)
    }
}
