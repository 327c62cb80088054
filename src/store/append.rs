//! Entries into a stream: `XADD` with retention, all or none of a call.
//! See <https://redis.io/docs/latest/commands/xadd/>.

use std::io::{self, IoSlice, Write};
use std::ops::Range;

use bytes::Bytes;
use redis::Value;

use super::link::{Beside, Link};
use super::{DATA_FIELD, Session, unexpected, value};
use crate::error::StoreError;
use crate::ids::StreamId;

/// Entries of at least so many bytes are sent from where they are; shorter ones are copied, which is cheaper than
/// one more piece of a write.
const SENT_IN_PLACE: usize = 4 << 10;

impl Session {
    /// Stores entries in one round trip and in order, all or none of them; their ids.
    ///
    /// `Unreachable` means that the connection broke, and what became of the entries is unknown, or that Redis takes no
    /// writes for now.
    pub fn append(
        &mut self,
        stream: &StreamId,
        entries: &[Bytes],
        max_len: u64,
        beside: &mut dyn Beside,
    ) -> Result<Vec<String>, StoreError> {
        // A single command needs no transaction around it.
        let transaction = entries.len() > 1;
        let commands = Commands::new(stream, entries, max_len, transaction);
        let around = if transaction { 2 } else { 0 };
        let mut replies = self.converse(|link| commands.send(link, entries.len() + around, beside))?;
        // The first error is the cause; the EXECABORT that it brings about is not.
        self.check(stream, &replies)?;
        if transaction {
            replies = replies.pop().and_then(value::list).ok_or_else(|| unexpected("EXEC"))?;
            self.check(stream, &replies)?;
        }
        let ids: Option<Vec<String>> = replies.into_iter().map(value::into_text).collect();
        ids.filter(|ids| ids.len() == entries.len())
            .ok_or_else(|| unexpected("XADD"))
    }
}

/// Packed commands: everything short in one buffer, and long entries where they are.
struct Commands<'a> {
    buffer: Vec<u8>,
    pieces: Vec<Piece<'a>>,
}

enum Piece<'a> {
    /// A part of the buffer.
    Short(Range<usize>),
    Long(&'a Bytes),
}

impl<'a> Commands<'a> {
    fn new(stream: &StreamId, entries: &'a [Bytes], max_len: u64, transaction: bool) -> Commands<'a> {
        // What all of these commands have in common, up to the length of the entry.
        let mut head = Vec::new();
        redis::cmd("XADD")
            .arg(stream.as_str())
            .arg(&["MAXLEN", "~"])
            .arg(max_len)
            .arg("*")
            .arg(DATA_FIELD)
            .arg("")
            .write_packed_command(&mut head);
        head.truncate(head.len() - EMPTY_ARGUMENT.len());

        let short = entries.iter().map(Bytes::len).filter(|length| *length < SENT_IN_PLACE);
        // Growing by doubling would need half as much again.
        let length = short.sum::<usize>() + entries.len() * (head.len() + LENGTH_AND_ENDS) + AROUND;
        let mut commands = Commands {
            buffer: Vec::with_capacity(length),
            pieces: Vec::new(),
        };
        let mut begun = 0;
        if transaction {
            redis::cmd("MULTI").write_packed_command(&mut commands.buffer);
        }
        for entry in entries {
            commands.buffer.extend_from_slice(&head);
            // Writing to memory does not fail.
            let _ = write!(commands.buffer, "${}\r\n", entry.len());
            if entry.len() < SENT_IN_PLACE {
                commands.buffer.extend_from_slice(entry);
            } else {
                commands.pieces.push(Piece::Short(begun..commands.buffer.len()));
                commands.pieces.push(Piece::Long(entry));
                begun = commands.buffer.len();
            }
            commands.buffer.extend_from_slice(b"\r\n");
        }
        if transaction {
            redis::cmd("EXEC").write_packed_command(&mut commands.buffer);
        }
        commands.pieces.push(Piece::Short(begun..commands.buffer.len()));
        commands
    }

    fn send(&self, link: &mut Link, replies: usize, beside: &mut dyn Beside) -> io::Result<Vec<Value>> {
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
}

/// At most so many bytes tell the length of an entry and end it, and so many begin and end a transaction.
const LENGTH_AND_ENDS: usize = 16;
const AROUND: usize = 64;

/// How an argument without a byte is packed.
const EMPTY_ARGUMENT: &str = "$0\r\n\r\n";
