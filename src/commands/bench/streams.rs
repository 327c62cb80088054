//! Streams of the benchmark's own: made for one measurement, gone after it, never anybody else's.

use std::hash::{BuildHasher, Hasher, RandomState};

use super::direct::Direct;
use super::http::Store;

/// The most bytes that a stream keeps, if that are enough entries.
const KEPT_BYTES: usize = 64 << 20;

/// The fewest and the most entries that a stream keeps: the store's own default is the most.
const FEWEST_KEPT: usize = 64;
const MOST_KEPT: usize = 1000;

/// About how many entries of this size a stream keeps while it is pushed to.
pub fn kept(entry: usize) -> usize {
    (KEPT_BYTES / entry).clamp(FEWEST_KEPT, MOST_KEPT)
}

/// What all names of this run begin with.
pub struct Prefix(String);

/// A stream that is removed when it is dropped.
pub struct Stream<'a> {
    pub name: String,
    /// About how many entries it keeps.
    pub max_len: usize,
    direct: &'a Direct,
}

impl Prefix {
    pub fn random() -> Prefix {
        // The standard library seeds each hasher with random numbers.
        Prefix(format!("bench-{:016x}", RandomState::new().build_hasher().finish()))
    }

    /// Makes a stream, which must not be there yet.
    pub fn make<'a>(
        &self,
        what: &str,
        max_len: usize,
        store: &Store,
        direct: &'a Direct,
    ) -> Result<Stream<'a>, String> {
        let name = format!("{}-{what}", self.0);
        let there: usize = direct.ask(&["EXISTS", &name, &description(&name)])?;
        if there > 0 {
            return Err(format!(
                "the stream {name} is there already and not ours; nothing was done to it"
            ));
        }
        // From here on it is ours, whatever becomes of the request.
        let stream = Stream { name, max_len, direct };
        let path = format!("/streams/{}?desc=ptg-store%20bench&max_len={max_len}", stream.name);
        store.ask("PUT", &path, "application/json", "")?;
        Ok(stream)
    }
}

impl Stream<'_> {
    /// How many entries were ever added; none if Redis is too old to know.
    pub fn added(&self) -> Result<Option<usize>, String> {
        let info: Vec<redis::Value> = self.direct.ask(&["XINFO", "STREAM", &self.name])?;
        let added = info.chunks_exact(2).find_map(|pair| match pair {
            [redis::Value::BulkString(name), redis::Value::Int(count)] if name == b"entries-added" => {
                Some(*count as usize)
            }
            _ => None,
        });
        Ok(added)
    }
}

impl Drop for Stream<'_> {
    fn drop(&mut self) {
        // DEL and not UNLINK: what is freed in the background disturbs the next measurement.
        let remove = || self.direct.ask::<usize>(&["DEL", &self.name, &description(&self.name)]);
        // A signal may break off the first try.
        if let Err(error) = remove().or_else(|_| remove()) {
            super::console().complain(&format!("the stream {} is left behind: {error}", self.name));
        }
    }
}

fn description(stream: &str) -> String {
    format!("XMETA:{stream}")
}
