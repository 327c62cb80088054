//! Where the entries of a blob end, and where they go, once its length is known.

use super::{BatchError, Header, Rules, Target, example, wrong};
use crate::words::destination::{AskedId, Destination, Destinations};
use crate::words::dialect::Dialect;

/// Where each entry ends, if the first begins at 0 and each other where the one before it ends: here, and the last one
/// there. The later dialect takes the offsets for ends if the last one is the end of the blob, else for starts.
pub fn ends(header: &Header, length: usize, dialect: Dialect) -> Result<(&[usize], Option<usize>), BatchError> {
    let is_v2 = dialect == Dialect::V2;
    match header.offsets.as_slice() {
        [] if is_v2 && length == 0 => Ok((&[], None)),
        [] => Err(wrong(format!("no entry is named for a blob of {length} bytes"))),
        // A 0 before the ends is no entry, unless it has a name.
        [0, ends @ .., last] if is_v2 && *last == length && header.destinations.is_none() => Ok((ends, Some(length))),
        ends @ [.., last] if is_v2 && *last == length => Ok((ends, None)),
        [.., last] if *last > length => Err(wrong(format!(
            "offset {last} is past the end of the blob of {length} bytes"
        ))),
        [0, rest @ ..] => Ok((rest, Some(length))),
        [first, ..] => Err(wrong(format!(
            "these are neither ends, the last of them the blob's {length} bytes, nor starts, for the first is {first}"
        ))),
    }
}

/// Where the entries go; none if that is simply behind the others of the only stream.
pub fn destinations(
    named: Option<Destinations>,
    entries: usize,
    rules: &Rules,
) -> Result<Option<Destinations>, BatchError> {
    let next_of = |stream| Destination {
        stream,
        id: AskedId::Next,
    };
    match (named, rules.target) {
        (None, _) if entries == 0 => Ok(Some(Destinations::default())),
        (Some(named), Target::One(_)) if named.only_next_of().is_some() => Ok(None),
        (Some(named), _) => Ok(Some(named)),
        // One for each, in order.
        (None, Target::Several(streams)) if streams.len() == entries => Ok(Some(Destinations {
            streams: streams.clone(),
            of_entries: (0..entries).map(next_of).collect(),
        })),
        (None, Target::Several(streams)) => Err(wrong(format!(
            "{entries} entries for {} streams, so name each entry's: [[{},9],…]",
            streams.len(),
            example(streams)
        ))),
        (None, _) => Ok(None),
    }
}
