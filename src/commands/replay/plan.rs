//! What is replayed, and into which streams.

use std::collections::BTreeSet;
use std::ops::Range;

use ptg_store::recording::{Merge, Reader, Record, Recording};
use ptg_store::words::ids::{EntryId, StreamId};

use super::super::stream_id;
use super::flags::Flags;
use super::place;
use crate::client::{Console, Failure};

/// A recorded stream, as much of it as is replayed, and the stream that it goes into.
pub struct Part {
    /// As it is called in the recording.
    pub source: StreamId,
    /// Where it goes.
    pub target: StreamId,
    /// The value of `--stream` that chooses it alone, and the same target.
    pub choice: String,
    /// Which of its entries, by their numbers in the recording.
    span: Range<u64>,
    /// How many entries.
    pub entries: u64,
    /// The first of them, and the last.
    pub first: Record,
    pub last: Record,
}

/// All parts, of which there is at least one.
pub struct Plan {
    recording: Recording,
    pub parts: Vec<Part>,
}

impl Plan {
    /// Makes it from the flags; says what is left out.
    pub fn new(flags: &Flags, recording: Recording, console: &mut Console) -> Result<Plan, Failure> {
        let from = place::from(flags.from.as_deref(), console)?;
        let until = place::until(flags.until.as_deref(), console)?;
        let mut parts = Vec::new();
        for (source, target, choice) in targets(flags, &recording)? {
            let mut reader = recording.reader(&source).map_err(Failure::Here)?;
            let torn = reader.tail().torn;
            if !torn.is_none() && !recording.is_being_written() {
                console.say(&format!("{source}: {torn} at its end are torn, and left out"));
            }
            if flags.keep_times && reader.goes_back().map_err(Failure::Here)? {
                return Err(Failure::Here(format!(
                    "{source} began anew while it was recorded, and its ids go back there, as they cannot within one stream; \
                     leave --keep-times out"
                )));
            }
            match reach(&mut reader, from, until).map_err(Failure::Here)? {
                Some((first, last)) => parts.push(Part {
                    source,
                    target,
                    choice,
                    span: reader.span(),
                    entries: reader.left(),
                    first,
                    last,
                }),
                None => console.say(&format!("{source}: nothing to replay")),
            }
        }
        if parts.is_empty() {
            return Err(Failure::Here(format!(
                "there is nothing to replay in {}",
                recording.folder().display()
            )));
        }
        Ok(Plan { recording, parts })
    }

    /// The parts from their beginning, merged; their places in the merge are those in `parts`.
    pub fn merge(&self) -> Result<Merge, Failure> {
        let readers = self.parts.iter().map(|part| {
            let mut reader = self.recording.reader(&part.source)?;
            reader.go_to_span(part.span.clone())?;
            Ok(reader)
        });
        readers.collect::<Result<_, _>>().map(Merge::new).map_err(Failure::Here)
    }

    /// How many entries there are in all.
    pub fn entries(&self) -> u64 {
        self.parts.iter().map(|part| part.entries).sum()
    }

    /// The times of the first and the last entry, in milliseconds since 1970.
    pub fn reach(&self) -> (u64, u64) {
        let first = self.parts.iter().map(|part| part.first.id.ms).min();
        let last = self.parts.iter().map(|part| part.last.id.ms).max();
        (first.unwrap_or_default(), last.unwrap_or_default())
    }
}

fn reach(reader: &mut Reader, from: EntryId, until: EntryId) -> Result<Option<(Record, Record)>, String> {
    // Behind 0-0 is everything that a store ever stores, and an entry 0-0 cannot be.
    reader.go_behind(from)?;
    reader.end_with(until)?;
    reader.reach()
}

/// Which streams are replayed into which, and the `--stream` for each.
fn targets(flags: &Flags, recording: &Recording) -> Result<Vec<(StreamId, StreamId, String)>, Failure> {
    let recorded = recording.streams();
    let chosen: Vec<(StreamId, String)> = match flags.stream.is_empty() {
        true => recorded
            .into_iter()
            .map(|stream| (stream.clone(), stream.to_string()))
            .collect(),
        false => flags
            .stream
            .iter()
            .map(|text| choice(text, &recorded).ok_or_else(|| not_recorded(text, &recorded)))
            .collect::<Result<_, _>>()?,
    };
    let (mut sources, mut taken) = (BTreeSet::new(), BTreeSet::new());
    let mut targets = Vec::new();
    for (source, name) in chosen {
        let target = stream_id(&format!("{}{name}", flags.prefix))?;
        if !sources.insert(source.clone()) {
            return Err(Failure::Usage(format!("--stream {source}: it is there twice")));
        }
        if !taken.insert(target.clone()) {
            return Err(Failure::Usage(format!("two streams would go into {target}")));
        }
        let choice = match name == source.as_str() {
            true => name,
            false => format!("{source}={name}"),
        };
        targets.push((source, target, choice));
    }
    Ok(targets)
}

/// Takes `NAME` or `NAME=OTHER` apart; names may have equals signs themselves.
fn choice(text: &str, recorded: &[StreamId]) -> Option<(StreamId, String)> {
    let found = |name: &str| recorded.iter().find(|stream| stream.as_str() == name).cloned();
    if let Some(stream) = found(text) {
        return Some((stream, text.to_string()));
    }
    let mut equals = text.match_indices('=');
    equals.find_map(|(at, _)| Some((found(&text[..at])?, text[at + 1..].to_string())))
}

fn not_recorded(text: &str, recorded: &[StreamId]) -> Failure {
    let names: Vec<&str> = recorded.iter().take(20).map(StreamId::as_str).collect();
    let more = if recorded.len() > names.len() { ", …" } else { "" };
    Failure::Usage(format!(
        "--stream {text}: the recording has no such stream; it has {}{more}",
        names.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_a_name_or_a_name_and_another() {
        let recorded = ["a", "a=b", "c"].map(|name| StreamId::new(name).unwrap());
        let chosen = |text| choice(text, &recorded).map(|(from, to)| (from.to_string(), to));
        let pair = |from: &str, to: &str| Some((from.to_string(), to.to_string()));
        assert_eq!(chosen("a"), pair("a", "a"));
        assert_eq!(chosen("a=x"), pair("a", "x"));
        assert_eq!(chosen("a=b"), pair("a=b", "a=b"));
        assert_eq!(chosen("a=b=c"), pair("a", "b=c"));
        assert_eq!(chosen("c="), pair("c", ""));
        assert_eq!(chosen("d=a"), None);
    }
}
