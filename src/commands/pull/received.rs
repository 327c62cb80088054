//! What came of a pull so far.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ptg_store::words::ids::EntryId;

use crate::client::{Age, Entry, figures};

/// What came so far.
pub struct Received {
    /// Entries.
    pub entries: u64,
    bytes: u64,
    /// The last entry.
    pub last: Option<EntryId>,
    begun: Instant,
    /// When something came last.
    moved: Instant,
}

impl Received {
    /// Nothing yet.
    pub fn nothing() -> Received {
        Received {
            entries: 0,
            bytes: 0,
            last: None,
            begun: Instant::now(),
            moved: Instant::now(),
        }
    }

    /// An entry came.
    pub fn add(&mut self, entry: &Entry) {
        self.entries += 1;
        self.bytes += entry.bytes.len() as u64;
        self.moved = Instant::now();
        self.last = Some(entry.id);
    }

    /// How long nothing has come.
    pub fn silent_for(&self) -> Duration {
        self.moved.elapsed()
    }

    /// A line for people.
    pub fn progress(&self) -> String {
        let seconds = self.begun.elapsed().as_secs_f64();
        let behind = self.last.map_or(String::new(), |last| {
            // Against the clock of this machine, which may not be the store's.
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
            format!("; the last one: {}", Age::of(last, now).words())
        });
        format!(
            "{} entries, {}; {}/s, {}/s{behind}",
            self.entries,
            figures::bytes(self.bytes),
            figures::digits(self.entries as f64 / seconds),
            figures::bytes((self.bytes as f64 / seconds) as u64),
        )
    }
}
