//! Several streams of a recording as one, in the order of their entries' ids.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{Reader, Record};
use crate::words::ids::EntryId;

/// Merges readers. It holds one record of each.
pub struct Merge {
    readers: Vec<Reader>,
    /// The next record of each reader that has one, or why it cannot be read.
    next: Vec<Option<Result<Record, String>>>,
    /// Their ids, smallest first; entries with the same id in the order of the readers. A record that cannot be read stands where
    /// the one before it stood.
    order: BinaryHeap<Reverse<(EntryId, usize)>>,
}

impl Merge {
    /// Goes on from where the readers are.
    pub fn new(readers: Vec<Reader>) -> Merge {
        let mut merge = Merge {
            next: vec![None; readers.len()],
            readers,
            order: BinaryHeap::new(),
        };
        for which in 0..merge.readers.len() {
            merge.advance(which, EntryId::default());
        }
        merge
    }

    /// The id of the next entry.
    pub fn peek(&self) -> Option<EntryId> {
        self.order.peek().map(|Reverse((id, _))| *id)
    }

    /// Appends the next entry's bytes to what `into` gives for its reader; its record, and the reader's place in the list. If that
    /// fails, nothing is appended.
    pub fn take<'a>(&mut self, into: impl FnOnce(usize) -> &'a mut Vec<u8>) -> Result<Option<(usize, Record)>, String> {
        let Some(Reverse((_, which))) = self.order.pop() else {
            return Ok(None);
        };
        let Some(next) = self.next[which].take() else {
            return Ok(None);
        };
        let record = next?;
        self.readers[which].read(record, into(which))?;
        self.advance(which, record.id);
        Ok(Some((which, record)))
    }

    /// Looks at a reader's next record. What is wrong with it is told when it is taken, not with the entry before it.
    fn advance(&mut self, which: usize, before: EntryId) {
        let next = self.readers[which].next_record().transpose();
        let place = |record: &Result<Record, String>| record.as_ref().map_or(before, |record| record.id);
        self.order
            .extend(next.iter().map(|record| Reverse((place(record), which))));
        self.next[which] = next;
    }
}
