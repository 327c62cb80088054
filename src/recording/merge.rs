//! Several streams of a recording as one, in the order of their entries' ids.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{Reader, Record};
use crate::ids::EntryId;

/// Merges readers. It holds one record of each.
pub struct Merge {
    readers: Vec<Reader>,
    /// The next record of each reader that has one.
    next: Vec<Option<Record>>,
    /// Their ids, smallest first; entries with the same id in the order of the readers.
    order: BinaryHeap<Reverse<(EntryId, usize)>>,
}

impl Merge {
    /// Goes on from where the readers are.
    pub fn new(readers: Vec<Reader>) -> Result<Merge, String> {
        let mut merge = Merge {
            next: vec![None; readers.len()],
            readers,
            order: BinaryHeap::new(),
        };
        for which in 0..merge.readers.len() {
            merge.advance(which)?;
        }
        Ok(merge)
    }

    /// The id of the next entry.
    pub fn peek(&self) -> Option<EntryId> {
        self.order.peek().map(|Reverse((id, _))| *id)
    }

    /// Appends the next entry's bytes to what `into` gives for its reader; its record, and the reader's place in the list.
    pub fn take<'a>(&mut self, into: impl FnOnce(usize) -> &'a mut Vec<u8>) -> Result<Option<(usize, Record)>, String> {
        let Some(Reverse((_, which))) = self.order.pop() else {
            return Ok(None);
        };
        let Some(record) = self.next[which].take() else {
            return Ok(None);
        };
        self.readers[which].read(record, into(which))?;
        self.advance(which)?;
        Ok(Some((which, record)))
    }

    fn advance(&mut self, which: usize) -> Result<(), String> {
        let record = self.readers[which].next_record()?;
        self.order.extend(record.map(|record| Reverse((record.id, which))));
        self.next[which] = record;
        Ok(())
    }
}
