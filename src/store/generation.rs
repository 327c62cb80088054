//! What this process learned lately of the streams that somebody reads, for all their readers: whether they have begun anew.
//! The lookout looks at them, and notes what it sees; a deletion notes itself. What one pull knows of its streams is
//! in `pull/generation.rs`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, Weak};
use std::time::Instant;

use super::Session;
use super::mark::Look;
use crate::limits::lock;
use crate::words::ids::StreamId;

/// When a stream began anew: its former generation was there at the first moment, and not any more at the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Still there.
    pub before: Instant,
    /// There no longer.
    pub after: Instant,
}

/// What was learned of a stream lately.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lately {
    /// The last look, and when Redis was asked.
    pub look: Option<(Instant, Look)>,
    /// When the stream began anew last, if it did.
    pub change: Option<Change>,
}

/// A stream that somebody reads, and what this process learned of it lately.
#[derive(Debug)]
pub struct Watched {
    stream: StreamId,
    lately: Mutex<Lately>,
    /// Rises with everything that is learned, so that readers need not look in vain.
    version: AtomicU64,
    /// Bytes that Redis copied for the last look, once there was one.
    weight: AtomicU64,
}

/// All streams that somebody reads.
#[derive(Debug, Default)]
pub struct Generations(Mutex<HashMap<StreamId, Weak<Watched>>>);

impl Watched {
    /// Its name.
    pub fn stream(&self) -> &StreamId {
        &self.stream
    }

    /// Bytes that Redis copied for the last look; as many as there can be before there was one.
    pub(super) fn weight(&self) -> u64 {
        self.weight.load(Relaxed)
    }

    pub(super) fn set_weight(&self, bytes: u64) {
        self.weight.store(bytes, Relaxed);
    }

    /// A number that rises with everything that is learned.
    pub fn version(&self) -> u64 {
        self.version.load(Relaxed)
    }

    /// What was learned lately.
    pub fn lately(&self) -> Lately {
        *lock(&self.lately)
    }

    /// Notes a look. Looks must be noted in the order in which Redis was asked.
    pub(super) fn looked(&self, asked: Instant, look: Look) {
        if look == Look::Unknown {
            return;
        }
        let mut lately = lock(&self.lately);
        if let Some((before, known)) = lately.look
            && !known.can_become(&look)
        {
            let after = Instant::now();
            lately.change = Some(Change { before, after });
        }
        lately.look = Some((asked, look));
        self.version.fetch_add(1, Relaxed);
    }

    /// Notes that this process deleted it, at this moment or a little later.
    fn deleted(&self, before: Instant) {
        let mut lately = lock(&self.lately);
        let after = Instant::now();
        *lately = Lately {
            look: None,
            change: Some(Change { before, after }),
        };
        self.version.fetch_add(1, Relaxed);
    }
}

impl Generations {
    /// The stream, which is watched as long as somebody holds it.
    pub fn watch(&self, stream: &StreamId) -> Arc<Watched> {
        let mut all = lock(&self.0);
        if let Some(watched) = all.get(stream).and_then(Weak::upgrade) {
            return watched;
        }
        let watched = Arc::new(Watched {
            stream: stream.clone(),
            lately: Mutex::default(),
            version: AtomicU64::new(0),
            weight: AtomicU64::new(u64::MAX),
        });
        all.insert(stream.clone(), Arc::downgrade(&watched));
        watched
    }

    /// All that are watched. The others are forgotten.
    pub(super) fn watched(&self) -> Vec<Arc<Watched>> {
        let mut all = lock(&self.0);
        all.retain(|_, watched| watched.strong_count() > 0);
        all.values().filter_map(Weak::upgrade).collect()
    }

    /// Notes that this process deleted a stream, at this moment or a little later.
    pub(super) fn deleted(&self, stream: &StreamId, before: Instant) {
        let watched = lock(&self.0).get(stream).and_then(Weak::upgrade);
        if let Some(watched) = watched {
            watched.deleted(before);
        }
    }
}

impl Session {
    /// The stream, for whoever begins to read it.
    pub fn watch(&self, stream: &StreamId) -> Arc<Watched> {
        self.store.generations.watch(stream)
    }
}

#[cfg(test)]
mod tests {
    use super::super::mark::Mark;
    use super::*;
    use crate::words::ids::EntryId;

    fn having(entries: u64) -> Look {
        Look::There(Mark {
            last_generated: EntryId { ms: entries, seq: 0 },
            length: entries,
            entries_added: Some(entries),
            first: Some(EntryId { ms: 1, seq: 0 }),
            newest: None,
        })
    }

    #[test]
    fn a_change_lies_between_the_looks_that_showed_it() {
        let generations = Generations::default();
        let watched = generations.watch(&StreamId::new("s").unwrap());
        let moments: Vec<Instant> = (0..3).map(|_| Instant::now()).collect();
        watched.looked(moments[0], having(9));
        watched.looked(moments[1], having(10));
        assert_eq!(watched.lately().change, None);
        watched.looked(moments[2], Look::Gone);
        assert_eq!(watched.lately().change.map(|change| change.before), Some(moments[1]));
        let version = watched.version();
        generations.deleted(watched.stream(), moments[0]);
        assert!(watched.version() > version && watched.lately().look.is_none());
        drop(watched);
        assert!(generations.watched().is_empty());
    }
}
