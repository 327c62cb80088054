//! Packed commands that carry entries: everything short in one buffer, and long entries where they are.

use std::io::{self, IoSlice, Write};
use std::ops::Range;

use bytes::Bytes;
use redis::{Cmd, Value};

use super::beside::Beside;
use super::link::Link;

/// Entries of at least so many bytes are sent from where they are; shorter ones are copied, which is cheaper than
/// one more piece of a write.
const SENT_IN_PLACE: usize = 4 << 10;

/// At most so many bytes tell the length of an entry and end it.
const LENGTH_AND_END: usize = 16;

/// Commands, and the entries in them.
pub struct Packed<'a> {
    buffer: Vec<u8>,
    pieces: Vec<Piece<'a>>,
    /// Where the part of the buffer begins that is not in a piece yet.
    begun: usize,
}

enum Piece<'a> {
    /// A part of the buffer.
    Short(Range<usize>),
    Long(&'a Bytes),
}

impl<'a> Packed<'a> {
    /// Room for these entries, so many bytes beside each of them, and so many beside all of them. Growing by doubling would
    /// need half as much again.
    pub fn with_room_for(entries: &[Bytes], beside_each: usize, beside_all: usize) -> Packed<'a> {
        let short = entries.iter().map(Bytes::len).filter(|length| *length < SENT_IN_PLACE);
        let length = short.sum::<usize>() + entries.len() * (beside_each + LENGTH_AND_END) + beside_all;
        Packed {
            buffer: Vec::with_capacity(length),
            pieces: Vec::new(),
            begun: 0,
        }
    }

    /// Adds a command.
    pub fn command(&mut self, command: &Cmd) {
        command.write_packed_command(&mut self.buffer);
    }

    /// Adds a part of a command that is packed already.
    pub fn part(&mut self, packed: &[u8]) {
        self.buffer.extend_from_slice(packed);
    }

    /// Begins a command of so many arguments, its name among them.
    pub fn begin(&mut self, arguments: usize) {
        // Writing to memory does not fail.
        let _ = write!(self.buffer, "*{arguments}\r\n");
    }

    /// Adds an argument.
    pub fn argument(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.buffer.extend_from_slice(bytes);
        self.buffer.extend_from_slice(b"\r\n");
    }

    /// Adds an argument that is an entry.
    pub fn entry(&mut self, entry: &'a Bytes) {
        if entry.len() < SENT_IN_PLACE {
            return self.argument(entry);
        }
        self.length(entry.len());
        self.pieces.push(Piece::Short(self.begun..self.buffer.len()));
        self.pieces.push(Piece::Long(entry));
        self.begun = self.buffer.len();
        self.buffer.extend_from_slice(b"\r\n");
    }

    /// Sends all of it and reads the replies.
    pub fn send(mut self, link: &mut Link, replies: usize, beside: &mut dyn Beside) -> io::Result<Vec<Value>> {
        self.pieces.push(Piece::Short(self.begun..self.buffer.len()));
        let mut slices = Vec::with_capacity(self.pieces.len());
        for piece in &self.pieces {
            slices.push(match piece {
                Piece::Short(range) => IoSlice::new(&self.buffer[range.clone()]),
                Piece::Long(entry) => IoSlice::new(entry),
            });
        }
        link.send(&mut slices, beside)?;
        (0..replies).map(|_| link.reply(beside)).collect()
    }

    fn length(&mut self, length: usize) {
        let _ = write!(self.buffer, "${length}\r\n");
    }
}
