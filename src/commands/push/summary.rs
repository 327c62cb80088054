//! What is said at the end of a push: what is stored, and what of it the stream has trimmed already.

use std::time::Duration;

use ptg_store::words::ids::EntryId;

use super::super::counted;
use crate::client::{Console, Interrupted, Store, Stream, description, figures};

/// How long the store may take to say how many entries it keeps: everything is pushed, so that nobody waits longer for that;
/// and hardly at all after Ctrl-C.
const PATIENCE: Duration = Duration::from_secs(2);
const HURRY: Duration = Duration::from_millis(200);

/// What was stored.
#[derive(Debug, Default)]
pub struct Summary {
    /// Entries.
    pub entries: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The id of the last one.
    pub last: Option<EntryId>,
}

/// How the stream was found afterwards.
struct Found {
    /// Entries in it.
    entries: u64,
    /// How many it keeps, if it says so itself. The store's own number comes with a look at all streams, which no push is worth.
    max_len: Option<u64>,
}

impl Summary {
    /// Says it: to somebody at a terminal all of it, elsewhere only that entries are gone again.
    pub fn say(&self, store: &Store, stream: &str, console: &mut Console) {
        // One entry alone is always kept, so that a script that pushes many of them asks nothing.
        let found = match console.is_watched() || (self.entries > 1 && !console.is_quiet()) {
            true => find(store, stream),
            false => None,
        };
        if console.is_watched() {
            console.say(&self.words(stream, found.as_ref()));
        }
        if let Some(warning) = found.and_then(|found| self.warning(store, stream, &found)) {
            console.say(&warning);
        }
    }

    fn words(&self, stream: &str, found: Option<&Found>) -> String {
        let entries = counted(self.entries, "entry", "entries");
        let last = self.last.map_or(String::new(), |last| format!("; the last is {last}"));
        let keeps = found.and_then(|found| found.max_len);
        let keeps = keeps.map_or(String::new(), |max_len| format!("; it keeps about {max_len}"));
        let bytes = figures::bytes(self.bytes);
        format!("{entries}, {bytes} stored in '{stream}'{last}{keeps}")
    }

    /// That the stream keeps fewer entries than were pushed. Of those that are in it now, some may be others': at least the
    /// rest is gone.
    fn warning(&self, store: &Store, stream: &str, found: &Found) -> Option<String> {
        let gone = self.entries.saturating_sub(found.entries);
        let keeps = match found.max_len {
            Some(max_len) if self.entries <= max_len => return None,
            Some(max_len) => max_len.to_string(),
            None if gone == 0 => return None,
            None => "fewer".into(),
        };
        let gone = match (gone, found.entries) {
            (_, 0) => {
                return Some(format!(
                    "'{stream}' has no entries any more: somebody deleted it, or them"
                ));
            }
            (0, _) => format!(
                "the oldest of the {} that were pushed go when others come",
                self.entries
            ),
            (1, _) => "1 of these is already trimmed".into(),
            (gone, _) => format!("{gone} of these are already trimmed"),
        };
        let mend = description::command(store, stream, self.entries);
        Some(format!("'{stream}' keeps {keeps}: {gone}. To keep more: {mend}"))
    }
}

/// Asks the store, which need not answer: everything is stored.
fn find(store: &Store, stream: &str) -> Option<Found> {
    let mut store = store.clone();
    store.patience = match store.interrupted.is_set() {
        true => HURRY,
        false => PATIENCE,
    };
    store.interrupted = Interrupted::default();
    let found = Stream::of(&store, stream).ok()?;
    Some(Found {
        entries: found.entries,
        max_len: found.own_max_len(),
    })
}
