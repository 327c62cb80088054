//! Every line is one entry. Lines that are there at the same time make a batch, so that many cost little and one is on its
//! way at once.

use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use ptg_store::words::units::Size;

use super::Next;
use super::inputs::{Inputs, too_large};
use crate::client::{Arrival, Batch, Failure};

/// The most lines of a batch. Stores take 65,536 at once, but others wait meanwhile.
const BATCH_LINES: usize = 1_000;

/// The lines of files.
pub struct Lines {
    inputs: Inputs,
    text: Text,
    limit: Size,
}

/// What was read and is not pushed yet: at most one step of reading behind one line.
#[derive(Default)]
struct Text {
    bytes: Vec<u8>,
    /// How much of it is known to have no line end.
    searched: usize,
}

impl Lines {
    /// Of these files, or of standard input if there is none.
    pub fn new(paths: Vec<PathBuf>, limit: Size) -> Lines {
        Lines {
            inputs: Inputs::new(paths),
            text: Text::default(),
            limit,
        }
    }

    /// The lines that are there.
    pub fn next(&mut self) -> Result<Next, Failure> {
        loop {
            let lines = self.text.lines();
            if lines.entries > 0 {
                return Ok(Next::Batch(lines));
            }
            match self.inputs.read(&mut self.text.bytes)? {
                // A line end may be what makes it larger.
                Some(Arrival::Bytes(_)) if self.text.unended() > self.limit.0 => {
                    return Err(too_large("a line", self.limit));
                }
                Some(Arrival::Bytes(_)) => {}
                Some(Arrival::NotYet) => return Ok(Next::NotYet),
                // What follows the last line end of a file is a line, too.
                Some(Arrival::End) if self.text.bytes.is_empty() => {}
                Some(Arrival::End) => self.text.bytes.push(b'\n'),
                None => return Ok(Next::End),
            }
        }
    }

    /// What to wait for when there is nothing yet.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.inputs.fd()
    }
}

impl Text {
    /// Takes the lines that are whole, up to a batch of them, without their line ends.
    fn lines(&mut self) -> Batch {
        let (mut lines, mut start) = (Vec::new(), 0);
        while lines.len() < BATCH_LINES {
            let rest = &self.bytes[self.searched..];
            let Some(length) = rest.iter().position(|byte| *byte == b'\n') else {
                self.searched = self.bytes.len();
                break;
            };
            let line = &self.bytes[start..self.searched + length];
            lines.push(line.strip_suffix(b"\r").unwrap_or(line));
            self.searched += length + 1;
            start = self.searched;
        }
        let batch = Batch::of(&lines, "");
        self.bytes.drain(..start);
        self.searched -= start;
        batch
    }

    /// How long the line is, so far, that is not known to have an end.
    fn unended(&self) -> usize {
        let rest = &self.bytes[self.searched..];
        self.searched + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The lines of a text that comes in pieces.
    fn lines(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut text = Text::default();
        let mut found = Vec::new();
        for piece in pieces {
            text.bytes.extend_from_slice(piece);
            loop {
                let batch = text.lines();
                match batch.entries {
                    0 => break,
                    1 => found.push(batch.bytes.to_vec()),
                    _ => found.extend(batch.split().unwrap().into_iter().map(|line| line.bytes.to_vec())),
                }
            }
        }
        found
    }

    #[test]
    fn line_ends_of_both_kinds_are_left_out_and_empty_lines_are_entries() {
        let found = lines(&[b"one\ntwo\r\n\n\rx\r\r\nthr", b"ee\nrest"]);
        assert_eq!(found, [&b"one"[..], b"two", b"", b"\rx\r", b"three"]);
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(text in prop::collection::vec(prop::sample::select(vec![b'a', b'\n', b'\r']), 0..200), at in 0usize..200) {
            let (one, two) = text.split_at(at.min(text.len()));
            prop_assert_eq!(lines(&[one, two]), lines(&[&text]));
        }
    }

    #[test]
    fn a_batch_has_at_most_so_many_lines() {
        let mut text = Text {
            bytes: b"\n".repeat(BATCH_LINES + 1),
            searched: 0,
        };
        assert_eq!(text.lines().entries, BATCH_LINES);
        assert_eq!(text.lines().entries, 1);
        assert_eq!(text.lines().entries, 0);
    }
}
