//! Batch headers: the text before a blob that says where its entries lie, and to which streams they go with which ids.
//! Pure functions, both dialects in one place; the grammar is in docs/protocol.md, section 5, docs/pushing.md and docs/v2.md.

mod cut;
mod json;
#[cfg(test)]
mod tests;

use std::fmt;
use std::mem::replace;
use std::slice;

use bytes::Bytes;

use crate::words::batch::Batch;
use crate::words::destination::{Destinations, quoted};
use crate::words::dialect::Dialect;
use crate::words::ids::StreamId;
use crate::words::log_line;

/// Which streams a batch may go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// This one.
    One(StreamId),
    /// These; a header says which entry goes to which.
    Several(Vec<StreamId>),
    /// Any that a header names.
    Any,
}

/// What headers are read by.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// The streams that may be named.
    pub target: &'a Target,
    /// Whether offsets are starts, or may be ends.
    pub dialect: Dialect,
    /// The most entries of one batch.
    pub most: usize,
}

/// A header that was read; it is complete once the length of its blob is known.
#[derive(Debug, PartialEq, Eq)]
pub struct Header {
    /// Starts or ends, never decreasing.
    offsets: Vec<usize>,
    /// Where each entry goes, if the header says so.
    destinations: Option<Destinations>,
}

/// Why a batch is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BatchError {
    /// The header does not parse or does not fit its blob; the sentence says where.
    Header(String),
    /// More entries than the limit, which is given.
    TooMany(usize),
}

impl Target {
    /// The streams that the path names.
    pub fn streams(&self) -> &[StreamId] {
        match self {
            Target::One(stream) => slice::from_ref(stream),
            Target::Several(streams) => streams,
            Target::Any => &[],
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if *self == Target::Any {
            return f.write_str("*");
        }
        f.write_str(&log_line::streams(self.streams()))
    }
}

impl Header {
    /// Reads a header: `0,100,256` or a JSON list.
    pub fn parse(text: &str, rules: &Rules) -> Result<Header, BatchError> {
        let header = if text.trim_ascii_start().starts_with('[') {
            json::parse(text, rules)?
        } else {
            Header {
                offsets: parse_numbers(text, rules)?,
                destinations: None,
            }
        };
        let names_none = header.destinations.is_none() && !header.offsets.is_empty();
        match (rules.target, rules.dialect) {
            (Target::Several(streams), Dialect::Seed) if names_none => Err(wrong(format!(
                "{} streams are joined, so name each entry's: [[{},0],…]; a plus in a name is %2B",
                streams.len(),
                example(streams)
            ))),
            (Target::Any, _) if names_none => Err(wrong("of any streams, so name each entry's: [[\"name\",0],…]")),
            _ => Ok(header),
        }
    }

    /// The memory that it takes, in bytes.
    pub fn size(&self) -> usize {
        self.offsets.len() * size_of::<usize>() + self.destinations.as_ref().map_or(0, Destinations::size)
    }

    /// Cuts a blob into its entries, without a copy. Without destinations they are the next ones of the only stream.
    pub fn cut(self, blob: &Bytes, rules: &Rules) -> Result<(Batch, Option<Destinations>), BatchError> {
        let (ends, last_end) = cut::ends(&self, blob.len(), rules.dialect)?;
        let mut start = 0;
        let ends = ends.iter().copied().chain(last_end);
        let entries: Batch = ends.map(|end| blob.slice(replace(&mut start, end)..end)).collect();
        let destinations = cut::destinations(self.destinations, entries.len(), rules)?;
        Ok((entries, destinations))
    }
}

/// Cuts a blob at the starts of its entries, if its header has nothing else.
pub fn cut_at_starts(header: &str, blob: &Bytes, most: usize) -> Result<Batch, BatchError> {
    // No header can name this stream.
    let target = Target::One(StreamId::default());
    let rules = Rules {
        target: &target,
        dialect: Dialect::Seed,
        most,
    };
    let (entries, _) = Header::parse(header, &rules)?.cut(blob, &rules)?;
    Ok(entries)
}

/// Parses `0,100,256`.
fn parse_numbers(text: &str, rules: &Rules) -> Result<Vec<usize>, BatchError> {
    let mut offsets = Vec::new();
    for (index, part) in text.split(',').enumerate() {
        if index == rules.most {
            return Err(BatchError::TooMany(rules.most));
        }
        // A line end counts as space: line-oriented clients send one.
        let digits = part.trim_ascii();
        let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let offset = is_number.then(|| digits.parse().ok()).flatten();
        let offset =
            offset.ok_or_else(|| wrong(format!("offset {} is not a number: {}", index + 1, quoted(digits))))?;
        follow(&mut offsets, offset, rules.dialect).map_err(wrong)?;
    }
    Ok(offsets)
}

/// Adds an offset, if it may come next.
fn follow(offsets: &mut Vec<usize>, offset: usize, dialect: Dialect) -> Result<(), String> {
    match offsets.last() {
        None if offset != 0 && dialect == Dialect::Seed => Err(format!("the first offset is {offset}, not 0")),
        Some(&last) if offset < last => Err(format!(
            "offset {} decreases from {last} to {offset}",
            offsets.len() + 1
        )),
        _ => {
            offsets.push(offset);
            Ok(())
        }
    }
}

/// A name to show how streams are named.
fn example(streams: &[StreamId]) -> String {
    quoted(streams.first().map_or("name", StreamId::as_str))
}

fn wrong(sentence: impl Into<String>) -> BatchError {
    BatchError::Header(sentence.into())
}
