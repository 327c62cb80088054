//! How many entries each stream keeps, as far as it is known, for everybody in this process who writes: pushes, and `POST`.
//!
//! Writers ask Redis for it now and then only, so a new `max_len` has to be told to them. `PUT` and `DELETE` do that here, and
//! then wait for those who were under way with the old one: once they are answered, no `XADD` with the old one reaches Redis.
//! Nobody who writes ever waits for that. Changes by others than this process are heeded once what is known is too old.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use super::beside::Beside;
use super::{CONNECT_TIMEOUT, Session, Store};
use crate::limits::lock;
use crate::words::error::StoreError;
use crate::words::ids::StreamId;

/// How old the known retention of a stream may be for a push: so soon it heeds a `max_len` that others than this process set.
pub const RETENTION_AGE: Duration = Duration::from_secs(2);

/// Of how many streams it is remembered, and of those that somebody has to do with just now besides.
const MOST_REMEMBERED: usize = 4096;

/// How long Redis may take over the entries of one who writes (5 s for pushes and `POST`), and a second to spare.
const STORING: Duration = Duration::from_secs(6);

/// How long `PUT` and `DELETE` wait for those who write: they may have to connect before they store.
const WRITERS_PATIENCE: Duration = CONNECT_TIMEOUT.saturating_add(STORING);

/// What is known of all streams.
#[derive(Default)]
pub struct Retentions {
    of_streams: Mutex<HashMap<StreamId, Retention>>,
    /// The last one who wrote with an old retention is done.
    settled: Condvar,
}

/// What is known of one stream.
#[derive(Default)]
struct Retention {
    /// How many entries it keeps, and when that was true.
    max_len: Option<(u64, Instant)>,
    /// How often it was changed by this process.
    version: u64,
    /// Those who write with this version, and with older ones.
    writers: usize,
    outdated: usize,
    /// Those who ask for it, write with it or change it: until they are done it is not forgotten.
    holders: usize,
}

/// What a change of a retention came to.
#[derive(Debug, Clone, Copy)]
enum Change {
    To(u64),
    Nothing,
    /// Nobody knows, because the connection broke.
    Unknown,
}

/// Somebody who writes to streams, until it is dropped.
pub struct Writing<'a> {
    store: Arc<Store>,
    streams: &'a [StreamId],
    versions: Vec<u64>,
    /// None while it is still asked for: nobody waits for whoever has nothing to write with.
    max_lens: Option<Vec<u64>>,
}

impl Writing<'_> {
    /// How many entries each stream keeps.
    pub fn max_lens(&self) -> &[u64] {
        self.max_lens.as_deref().unwrap_or_default()
    }

    /// Which of the streams are not known as of so long before `since`.
    fn unknown(&self, since: Instant, age: Duration) -> Vec<usize> {
        let known = lock(&self.store.retentions.of_streams);
        let is_known = |stream: &StreamId| {
            let max_len = known.get(stream).and_then(|retention| retention.max_len);
            max_len.is_some_and(|(_, learned)| learned + age >= since)
        };
        let streams = self.streams.iter().enumerate();
        streams
            .filter(|(_, stream)| !is_known(stream))
            .map(|(number, _)| number)
            .collect()
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        let wrote = self.max_lens.is_some();
        self.store.retentions.end(self.streams, &self.versions, wrote);
    }
}

impl Retentions {
    /// Somebody begins to write to these streams; the versions of what is known of them.
    fn begin(&self, streams: &[StreamId]) -> Vec<u64> {
        let mut known = lock(&self.of_streams);
        streams.iter().map(|stream| hold(&mut known, stream)).collect()
    }

    /// What whoever began with these versions writes with: from now on those who change it wait for the end of that. None if it
    /// was changed after the beginning, or is not known.
    fn take(&self, streams: &[StreamId], versions: &[u64]) -> Option<Vec<u64>> {
        let mut known = lock(&self.of_streams);
        let max_len = |(stream, version): (&StreamId, &u64)| {
            let retention = known.get(stream).filter(|retention| retention.version == *version);
            retention?.max_len.map(|(max_len, _)| max_len)
        };
        let max_lens: Vec<u64> = streams.iter().zip(versions).map(max_len).collect::<Option<_>>()?;
        for stream in streams {
            if let Some(retention) = known.get_mut(stream) {
                retention.writers += 1;
            }
        }
        Some(max_lens)
    }

    /// Whoever began with these versions is done, and `wrote` if it had taken what it needs for that.
    fn end(&self, streams: &[StreamId], versions: &[u64], wrote: bool) {
        let mut settled = false;
        let mut known = lock(&self.of_streams);
        for (stream, version) in streams.iter().zip(versions) {
            if let Some(retention) = known.get_mut(stream).filter(|_| wrote) {
                if retention.version == *version {
                    retention.writers -= 1;
                } else {
                    retention.outdated -= 1;
                    settled |= retention.outdated == 0;
                }
            }
            release(&mut known, stream);
        }
        drop(known);
        if settled {
            self.settled.notify_all();
        }
    }

    /// Redis was asked at this time, when this version held, and said this.
    fn learn(&self, stream: &StreamId, version: u64, max_len: u64, asked: Instant) {
        let mut known = lock(&self.of_streams);
        let Some(retention) = known.get_mut(stream) else { return };
        let is_newer = retention.max_len.is_none_or(|(_, learned)| learned < asked);
        if retention.version == version && is_newer {
            retention.max_len = Some((max_len, asked));
        }
    }

    /// This process begins to change it; the version before.
    fn begin_change(&self, stream: &StreamId) -> u64 {
        hold(&mut lock(&self.of_streams), stream)
    }

    /// This is what the change that began with this version came to.
    fn end_change(&self, stream: &StreamId, begun: u64, change: Change) {
        let mut known = lock(&self.of_streams);
        if let Some(retention) = known.get_mut(stream) {
            retention.change(begun, change);
        }
        release(&mut known, stream);
    }

    /// Waits until nobody writes with what was known before the last change; false if that takes too long.
    fn settle(&self, stream: &StreamId) -> bool {
        let known = lock(&self.of_streams);
        let is_outdated = |known: &mut HashMap<StreamId, Retention>| {
            known.get(stream).is_some_and(|retention| retention.outdated > 0)
        };
        let waited = self.settled.wait_timeout_while(known, WRITERS_PATIENCE, is_outdated);
        waited.is_ok_and(|(_, timeout)| !timeout.timed_out())
    }
}

impl Retention {
    fn change(&mut self, begun: u64, change: Change) {
        self.max_len = match change {
            Change::Nothing => return,
            // If two change it at once, only Redis knows which was last.
            Change::To(max_len) if self.version == begun => Some((max_len, Instant::now())),
            Change::To(_) | Change::Unknown => None,
        };
        self.version += 1;
        self.outdated += std::mem::take(&mut self.writers);
    }
}

/// Somebody has to do with a stream from now on; the version of what is known of it. For that, others may be forgotten.
fn hold(known: &mut HashMap<StreamId, Retention>, stream: &StreamId) -> u64 {
    if let Some(retention) = known.get_mut(stream) {
        retention.holders += 1;
        return retention.version;
    }
    if known.len() >= MOST_REMEMBERED {
        known.retain(|_, retention| retention.holders > 0);
    }
    let retention = Retention {
        holders: 1,
        ..Retention::default()
    };
    let version = retention.version;
    known.insert(stream.clone(), retention);
    version
}

/// The opposite. Of what nobody learned anything about, nothing stays.
fn release(known: &mut HashMap<StreamId, Retention>, stream: &StreamId) {
    if let Some(retention) = known.get_mut(stream) {
        retention.holders -= 1;
        if retention.holders == 0 && retention.max_len.is_none() {
            known.remove(stream);
        }
    }
}

impl Session {
    /// Begins to write to these streams: what each of them keeps, as of at most so long ago. Hold on to it until the entries
    /// are stored.
    pub fn begin_writing<'a>(
        &mut self,
        streams: &'a [StreamId],
        age: Duration,
        beside: &mut dyn Beside,
    ) -> Result<Writing<'a>, StoreError> {
        let since = Instant::now();
        loop {
            let asked = Instant::now();
            let store = self.store.clone();
            let versions = store.retentions.begin(streams);
            let mut writing = Writing {
                store,
                streams,
                versions,
                max_lens: None,
            };
            let unknown = writing.unknown(since, age);
            if !unknown.is_empty() {
                let names: Vec<&StreamId> = unknown.iter().map(|number| &streams[*number]).collect();
                let learned = self.retentions(&names, beside)?;
                for (number, max_len) in unknown.into_iter().zip(learned) {
                    let version = writing.versions[number];
                    self.store.retentions.learn(&streams[number], version, max_len, asked);
                }
            }
            writing.max_lens = self.store.retentions.take(streams, &writing.versions);
            if writing.max_lens.is_some() {
                return Ok(writing);
            }
            // It was changed meanwhile, and those who changed it wait for us: begin anew.
        }
    }

    /// Has a command change how many entries a stream keeps, if its reply is that `is_done`: whoever writes from now on knows.
    pub(super) fn changing_retention<T>(
        &mut self,
        stream: &StreamId,
        max_len: u64,
        is_done: impl Fn(&T) -> bool,
        command: impl FnOnce(&mut Session) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let begun = self.store.retentions.begin_change(stream);
        let outcome = command(self);
        let change = match &outcome {
            Ok(reply) if is_done(reply) => Change::To(max_len),
            Ok(_) => Change::Nothing,
            // Perhaps it was done.
            Err(_) => Change::Unknown,
        };
        let retentions = &self.store.retentions;
        retentions.end_change(stream, begun, change);
        if matches!(change, Change::To(_)) && !retentions.settle(stream) {
            return Err(StoreError::Unusable(format!(
                "It is done, but entries for '{stream}' have been under way to Redis for more than {WRITERS_PATIENCE:?}, \
                 which may trim it as before."
            )));
        }
        outcome
    }
}

#[cfg(test)]
mod tests;
