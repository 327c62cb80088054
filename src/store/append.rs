//! Entries into a stream: `XADD` with retention, all or none of a call.
//! See <https://redis.io/docs/latest/commands/xadd/>.

use bytes::Bytes;
use redis::Value;

use super::abilities::Abilities;
use super::beside::Beside;
use super::packed::Packed;
use super::{DATA_FIELD, Session, unexpected, value};
use crate::words::error::StoreError;
use crate::words::ids::StreamId;

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
        if transaction {
            self.check_able(Abilities::check_transactions)?;
        }
        let commands = commands(stream, entries, max_len, transaction);
        let around = if transaction { 2 } else { 0 };
        let mut replies = self.converse(|link| commands.send(link, entries.len() + around, beside))?;
        // The first error is the cause; the EXECABORT that it brings about is not.
        let mut refused = self.check(stream, &replies).err();
        if transaction {
            let done = replies.pop().and_then(value::list);
            match done {
                Some(done) if refused.is_none() => {
                    refused = self.check(stream, &done).err();
                    replies = done;
                }
                None if refused.is_none() => return Err(unexpected("EXEC")),
                _ => {}
            }
        }
        if let Some(refused) = refused {
            return Err(self.take_back(stream, &replies, refused));
        }
        let ids: Option<Vec<String>> = replies.into_iter().map(value::into_text).collect();
        ids.filter(|ids| ids.len() == entries.len())
            .ok_or_else(|| unexpected("XADD"))
    }

    /// Removes again what was added before something was refused. The refusal, with a word about what is left if that fails.
    ///
    /// A transaction of Redis does what it can: an `XADD` that fails in it does not undo the others. That happens at the end of
    /// the id space, where a few ids are left and not enough. To look first would cost every batch a round trip, or a script in
    /// place of a transaction, for what happens once in the life of a stream: then it has given its last id. So the ids that
    /// were given are deleted; who was reading just then may have seen their entries. The same goes for entries that were
    /// added one by one because `MULTI` is not allowed any more, though it was when the connection was made.
    fn take_back(&mut self, stream: &StreamId, replies: &[Value], refused: StoreError) -> StoreError {
        // Bulk strings are ids; the others are QUEUED and errors.
        let is_id = |reply: &&Value| matches!(reply, Value::BulkString(_));
        let ids: Vec<&str> = replies.iter().filter(is_id).filter_map(value::text).collect();
        if ids.is_empty() {
            return refused;
        }
        let removed = self.command_on(stream, redis::cmd("XDEL").arg(stream.as_str()).arg(&ids));
        // What access lists allow has changed: that is found out on a new connection.
        self.lose();
        match removed {
            Ok(_) => refused,
            Err(cause) => StoreError::Refused(format!(
                "{refused}; {} entries from {} on are stored all the same, XDEL did not remove them: {cause}",
                ids.len(),
                ids[0],
            )),
        }
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
