//! Entries into a stream: `XADD` with retention, one by one in a pipeline or whole in a transaction.
//! See <https://redis.io/docs/latest/commands/xadd/>.

use bytes::Bytes;
use redis::Value;

use super::{DATA_FIELD, Session, meta_key, unexpected, value};
use crate::error::StoreError;
use crate::ids::StreamId;

/// Entries that belong together: they are stored all or none. A single entry is a batch of one.
pub type Batch = Vec<Bytes>;

impl Session {
    /// How many entries the stream keeps: its description's `max_len`, else the server's.
    pub fn retention(&mut self, stream: &StreamId) -> Result<u64, StoreError> {
        let description = self.description(stream)?;
        let own = description.and_then(|description| description.get("max_len")?.as_u64());
        Ok(own.filter(|max_len| *max_len > 0).unwrap_or(self.store.max_len))
    }

    /// Stores batches in one round trip, in order. For each batch its entry ids, or why it was refused.
    ///
    /// The outer error means that the connection broke, and that what became of the batches is unknown.
    pub fn append(
        &mut self,
        stream: &StreamId,
        batches: &[Batch],
        max_len: u64,
    ) -> Result<Vec<Result<Vec<String>, StoreError>>, StoreError> {
        let mut packed = Vec::new();
        for batch in batches {
            pack(&mut packed, stream, batch, max_len);
        }
        let count = batches.iter().map(replies_to).sum();
        let mut replies = self.exchange(&packed, count)?.into_iter();
        let ids = batches.iter().map(|batch| {
            let replies: Vec<Value> = replies.by_ref().take(replies_to(batch)).collect();
            self.ids(stream, batch, replies)
        });
        Ok(ids.collect())
    }

    /// Whether the key is free or a stream; `NotAStream` if it is something else.
    pub fn check_is_stream(&mut self, stream: &StreamId) -> Result<(), StoreError> {
        let kind = self.command(redis::cmd("TYPE").arg(stream.as_str()))?;
        match value::text(&kind) {
            Some("stream" | "none") => Ok(()),
            _ => Err(StoreError::NotAStream(stream.to_string())),
        }
    }

    fn ids(&self, stream: &StreamId, batch: &Batch, mut replies: Vec<Value>) -> Result<Vec<String>, StoreError> {
        // The first error is the cause; the EXECABORT that it brings about is not.
        if let Some(Value::ServerError(error)) = replies.iter().find(|reply| matches!(reply, Value::ServerError(_))) {
            return Err(self.stream_refusal(stream, error));
        }
        let ids = match batch.len() {
            1 => replies,
            _ => replies.pop().and_then(value::list).ok_or_else(|| unexpected("EXEC"))?,
        };
        ids.into_iter()
            .map(|id| match id {
                Value::ServerError(error) => Err(self.stream_refusal(stream, &error)),
                id => value::text(&id).map(str::to_string).ok_or_else(|| unexpected("XADD")),
            })
            .collect()
    }

    /// Like `refusal`, but knows which key the command was about.
    pub(super) fn stream_refusal(&self, stream: &StreamId, error: &redis::ServerError) -> StoreError {
        match self.refusal(error) {
            // Scripts of Redis 6 put their own code in front.
            StoreError::Refused(text) if text.contains("WRONGTYPE") => StoreError::NotAStream(stream.to_string()),
            other => other,
        }
    }

    /// The description that `PUT` stored; none if there is none, or if it is no JSON object.
    pub fn description(
        &mut self,
        stream: &StreamId,
    ) -> Result<Option<serde_json::Map<String, serde_json::Value>>, StoreError> {
        let stored = self.command(redis::cmd("GET").arg(meta_key(stream)))?;
        Ok(value::text(&stored).and_then(|text| serde_json::from_str(text).ok()))
    }
}

/// One `XADD` alone needs no transaction around it.
fn replies_to(batch: &Batch) -> usize {
    if batch.len() == 1 { 1 } else { batch.len() + 2 }
}

fn pack(packed: &mut Vec<u8>, stream: &StreamId, batch: &Batch, max_len: u64) {
    let whole = batch.len() != 1;
    if whole {
        redis::cmd("MULTI").write_packed_command(packed);
    }
    for entry in batch {
        redis::cmd("XADD")
            .arg(stream.as_str())
            .arg(&["MAXLEN", "~"])
            .arg(max_len)
            .arg("*")
            .arg(DATA_FIELD)
            .arg(&entry[..])
            .write_packed_command(packed);
    }
    if whole {
        redis::cmd("EXEC").write_packed_command(packed);
    }
}
