//! Whether Redis can do what a push or a pull will ask of it, found out before their sockets are opened.

use super::Session;
use super::abilities::Abilities;
use crate::words::error::StoreError;
use crate::words::ids::StreamId;

impl Session {
    /// Fails if entries cannot be pushed there: batches need transactions, several streams need scripts.
    pub fn check_pushing(&mut self, streams: &[StreamId], batches: bool) -> Result<(), StoreError> {
        if batches {
            self.check_able(Abilities::check_transactions)?;
        }
        if streams.len() > 1 {
            self.check_able(Abilities::check_scripts)?;
        }
        self.check_together(streams)
    }

    /// Fails if no command takes these streams at once: in cluster mode, unless all are in one slot.
    /// See <https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/>, "hash tags".
    pub fn check_together(&mut self, streams: &[StreamId]) -> Result<(), StoreError> {
        if streams.len() < 2 || !self.ready()?.is_cluster {
            return Ok(());
        }
        let names: Vec<&str> = streams.iter().map(StreamId::as_str).collect();
        match self.command(redis::cmd("EXISTS").arg(names)) {
            Err(StoreError::Refused(cause)) if cause.contains("CROSSSLOT") => Err(StoreError::Refused(cause)),
            Err(cause) if cause.is_passing() => Err(cause),
            _ => Ok(()),
        }
    }
}
