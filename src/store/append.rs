//! Entries into a stream: `XADD` with retention, all or none of a call.
//! See <https://redis.io/docs/latest/commands/xadd/>.

use bytes::Bytes;

use super::link::Beside;
use super::packed::Packed;
use super::{DATA_FIELD, Session, unexpected, value};
use crate::error::StoreError;
use crate::ids::StreamId;

/// At most so many bytes begin and end a transaction.
const AROUND: usize = 64;

/// How an argument without a byte is packed.
const EMPTY_ARGUMENT: &str = "$0\r\n\r\n";

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
        let commands = commands(stream, entries, max_len, transaction);
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

fn commands<'a>(stream: &StreamId, entries: &'a [Bytes], max_len: u64, transaction: bool) -> Packed<'a> {
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

    let mut commands = Packed::with_room_for(entries, head.len(), AROUND);
    if transaction {
        commands.command(&redis::cmd("MULTI"));
    }
    for entry in entries {
        commands.part(&head);
        commands.entry(entry);
    }
    if transaction {
        commands.command(&redis::cmd("EXEC"));
    }
    commands
}
