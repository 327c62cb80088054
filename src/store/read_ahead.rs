//! How many entries to ask Redis for at a time.
//!
//! Redis counts entries, not bytes, so a read sizes itself by the entries seen so far: it begins with one and at most
//! doubles. A stream whose small entries are followed by large ones can fool it, once, at the expense of Redis alone:
//! here, what arrives is kept only while there is room.

/// The most entries asked for at once. More would not be faster, and an entry can be large.
const MOST_AT_ONCE: usize = 1024;

/// How many entries to ask Redis for next.
#[derive(Debug, Clone)]
pub struct ReadAhead {
    step: usize,
    /// The largest entry seen lately, in bytes; none if none was seen yet.
    largest: Option<usize>,
}

impl Default for ReadAhead {
    fn default() -> ReadAhead {
        ReadAhead { step: 1, largest: None }
    }
}

impl ReadAhead {
    /// How many entries to ask for when there is room for so many of them and so many bytes.
    pub fn count(&self, count: usize, bytes: usize) -> usize {
        self.step.min(self.fitting(bytes)).min(count).max(1)
    }

    /// How many entries as large as the largest seen lately fit into so many bytes. The first may be of any size.
    pub fn fitting(&self, bytes: usize) -> usize {
        self.largest.map_or(1, |largest| bytes / largest.max(1))
    }

    /// Learns from what a read brought: so many entries, the largest of this size.
    pub fn learn(&mut self, entries: usize, largest: usize) {
        if entries == 0 {
            return;
        }
        // Large entries are forgotten slowly, because the next one may be as large.
        self.largest = Some(largest.max(self.largest.unwrap_or(0) / 2));
        self.step = (entries * 2).max(self.step).min(MOST_AT_ONCE);
        if entries < self.step / 4 {
            self.step /= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_begins_with_one_entry_and_at_most_doubles() {
        let mut ahead = ReadAhead::default();
        let mut counts = vec![];
        for _ in 0..13 {
            let count = ahead.count(1 << 30, 8 << 20);
            counts.push(count);
            ahead.learn(count, 10);
        }
        assert_eq!(counts, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1024, 1024]);
    }

    #[test]
    fn a_read_stays_within_the_bytes_by_the_largest_entry_seen() {
        let mut ahead = ReadAhead::default();
        for _ in 0..12 {
            ahead.learn(512, 10);
        }
        ahead.learn(1, 1 << 20);
        assert!(ahead.count(1000, 8 << 20) <= 8);
        assert_eq!(ahead.count(1000, 10), 1);
    }
}
