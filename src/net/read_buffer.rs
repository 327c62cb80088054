//! Bytes read ahead from a socket that never waits: few while little comes, many while much does, and of large things
//! only the beginning, because the rest of them goes where it belongs without passing through here.

use std::io::{self, Read};

/// Bytes read ahead while little comes, and while much does: an idle socket should cost little.
const SMALL: usize = 4 << 10;
const LARGE: usize = 64 << 10;

/// From so many bytes on, what is due of something should be read straight to where it belongs.
pub const DIRECT: usize = 16 << 10;

/// A buffer between a socket and its reader.
#[derive(Default)]
pub struct ReadBuffer {
    bytes: Vec<u8>,
    /// What of it has arrived and was not used yet.
    start: usize,
    end: usize,
    /// Whether large things are about.
    large: bool,
    /// Whether the last read took all there was.
    drained: bool,
}

impl ReadBuffer {
    /// Begins with bytes that have already arrived.
    pub fn new(early: Vec<u8>) -> ReadBuffer {
        ReadBuffer {
            end: early.len(),
            bytes: early,
            ..ReadBuffer::default()
        }
    }

    /// What has arrived and was not used yet.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// The same, to be changed in place.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.end]
    }

    /// Whether nothing has.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// The first bytes have been used.
    pub fn skip(&mut self, count: usize) {
        self.start += count;
    }

    /// Something of this size is about to be read, and what follows may be like it.
    pub fn expect(&mut self, size: usize) {
        self.large = size >= DIRECT;
    }

    /// Whether trying to read at once would be in vain, because the last read took all there was. Says so once.
    pub fn take_drained(&mut self) -> bool {
        std::mem::take(&mut self.drained)
    }

    /// Nothing can be there yet, or something may be there again.
    pub fn set_drained(&mut self, drained: bool) {
        self.drained = drained;
    }

    /// Gives back its memory, because nothing has come for a while.
    pub fn rest(&mut self) {
        if self.is_empty() {
            self.bytes = Vec::new();
            (self.start, self.end) = (0, 0);
        }
    }

    /// Reads what is there, or a part of it, behind what was not used yet; how much that was.
    pub fn fill(&mut self, source: &mut impl Read) -> io::Result<usize> {
        self.make_room()?;
        let most = if self.large { SMALL } else { LARGE };
        let limit = self.bytes.len().min(self.end + most);
        let count = source.read(&mut self.bytes[self.end..limit])?;
        self.end += count;
        self.drained = self.end < limit;
        let too_small = self.end == self.bytes.len() && !self.large && self.bytes.len() < LARGE;
        if too_small && self.bytes.try_reserve(LARGE - self.bytes.len()).is_ok() {
            self.bytes.resize(LARGE, 0);
        }
        Ok(count)
    }

    fn make_room(&mut self) -> io::Result<()> {
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
        }
        if self.bytes.len() >= SMALL && self.end < self.bytes.len() {
            return Ok(());
        }
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        } else {
            // Small at first, and large where a single thing needs it.
            let length = if self.bytes.len() < SMALL { SMALL } else { LARGE };
            let length = length.max(self.bytes.len());
            self.bytes.try_reserve(length - self.bytes.len())?;
            self.bytes.resize(length, 0);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn many_small_things_are_read_many_at_a_time() {
        struct Asked(Vec<usize>);
        impl Read for Asked {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0.push(buffer.len());
                Ok(buffer.len())
            }
        }
        let mut asked = Asked(Vec::new());
        let mut buffer = ReadBuffer::default();
        for _ in 0..3 {
            buffer.fill(&mut asked).unwrap();
            buffer.skip(buffer.bytes().len());
        }
        buffer.expect(DIRECT);
        buffer.fill(&mut asked).unwrap();
        assert_eq!(asked.0, [SMALL, LARGE, LARGE, SMALL]);
    }

    proptest! {
        #[test]
        fn everything_comes_out_as_it_went_in(
            early in prop::collection::vec(any::<u8>(), 0..100),
            length in 0..300_000_usize,
            uses in prop::collection::vec((1..100_000_usize, any::<bool>(), any::<bool>()), 1..40),
        ) {
            let sent: Vec<u8> = (0..length).map(|at| (at / 7) as u8).collect();
            let mut source = &sent[..];
            let mut buffer = ReadBuffer::new(early.clone());
            let mut found = Vec::new();
            for (count, large, rests) in uses.iter().cycle() {
                let count = buffer.bytes().len().min(*count);
                found.extend_from_slice(&buffer.bytes()[..count]);
                buffer.skip(count);
                buffer.expect(if *large { DIRECT } else { 0 });
                if *rests {
                    buffer.rest();
                }
                // A buffer that is full of what was not used has room for nothing.
                if buffer.bytes().len() < DIRECT && buffer.fill(&mut source).unwrap() == 0 && buffer.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(found, [early, sent].concat());
        }
    }
}
