//! Entries into a stream: `XADD` with retention, all or none of a call.
//! See <https://redis.io/docs/latest/commands/xadd/>.

use bytes::Bytes;

use super::{DATA_FIELD, Session, unexpected, value};
use crate::error::StoreError;
use crate::ids::StreamId;

impl Session {
    /// Stores entries in one round trip and in order, all or none of them; their ids.
    ///
    /// `Unreachable` means that the connection broke, and that what became of the entries is unknown.
    pub fn append(&mut self, stream: &StreamId, entries: &[Bytes], max_len: u64) -> Result<Vec<String>, StoreError> {
        // A single command needs no transaction around it.
        let transaction = entries.len() > 1;
        let mut packed = Vec::new();
        if transaction {
            redis::cmd("MULTI").write_packed_command(&mut packed);
        }
        for entry in entries {
            pack(&mut packed, stream, entry, max_len);
        }
        if transaction {
            redis::cmd("EXEC").write_packed_command(&mut packed);
        }
        let around = if transaction { 2 } else { 0 };
        let mut replies = self.exchange(&packed, entries.len() + around)?;
        // The first error is the cause; the EXECABORT that it brings about is not.
        self.check(stream, &replies)?;
        if transaction {
            replies = replies.pop().and_then(value::list).ok_or_else(|| unexpected("EXEC"))?;
            self.check(stream, &replies)?;
        }
        let ids: Option<Vec<String>> = replies.iter().map(|id| value::text(id).map(str::to_string)).collect();
        ids.filter(|ids| ids.len() == entries.len())
            .ok_or_else(|| unexpected("XADD"))
    }
}

fn pack(packed: &mut Vec<u8>, stream: &StreamId, entry: &Bytes, max_len: u64) {
    redis::cmd("XADD")
        .arg(stream.as_str())
        .arg(&["MAXLEN", "~"])
        .arg(max_len)
        .arg("*")
        .arg(DATA_FIELD)
        .arg(&entry[..])
        .write_packed_command(packed);
}
