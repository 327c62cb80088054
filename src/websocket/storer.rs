//! The storing side of a push: batches into Redis, in order, however often it has to be asked within the patience
//! that there is.

use std::time::{Duration, Instant};

use bytes::Bytes;
use log::warn;

use super::Moved;
use super::push::{Intake, Load};
use crate::call::Push;
use crate::context::Context;
use crate::ending::Ending;
use crate::error::{StoreError, close};
use crate::store::Session;

/// How long Redis may take over one round trip before its connection counts as lost. A slow disk can take seconds.
const REPLY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait before trying Redis again.
const RETRY: Duration = Duration::from_millis(100);

/// How old the known retention of the stream may be: so soon a new `max_len` is heeded.
const RETENTION_AGE: Duration = Duration::from_secs(2);

/// The most entries stored in one round trip, unless one batch alone has more: Redis does nothing else meanwhile, for
/// about two milliseconds.
const ENTRIES_AT_ONCE: usize = 1024;

/// The most bytes stored in one round trip, unless one batch alone is larger.
const BYTES_AT_ONCE: usize = 1 << 20;

/// Stores for one push.
pub struct Storer<'a> {
    push: &'a Push,
    session: Session,
    context: &'a Context,
    moved: &'a Moved,
    retention: Option<(u64, Instant)>,
}

impl<'a> Storer<'a> {
    /// Prepares to store what a push brings.
    pub fn new(push: &'a Push, session: Session, context: &'a Context, moved: &'a Moved) -> Storer<'a> {
        Storer {
            push,
            session: session.waiting(REPLY_TIMEOUT.min(context.config.limits.redis_patience)),
            context,
            moved,
            retention: None,
        }
    }

    /// Stores the batches that wait, as many as one round trip takes. An error is how the socket ends because of it.
    pub fn store_next(&mut self, intake: &mut Intake<'_>) -> Result<(), Ending> {
        let mut loads = intake.take(ENTRIES_AT_ONCE, BYTES_AT_ONCE);
        let patience = self.context.config.limits.redis_patience;
        let begun = Instant::now();
        let mut together = loads.len();
        while !loads.is_empty() {
            let Err(error) = self.attempt(&mut loads, together, intake) else {
                continue;
            };
            let lost = matches!(error, StoreError::Unreachable(_));
            if !lost && together > 1 {
                // What is refused together is stored one by one, up to the batch that is refused: no holes.
                together = 1;
                continue;
            }
            let left = patience.saturating_sub(begun.elapsed());
            if !lost || left.is_zero() || self.context.stopping() {
                let under_way: usize = loads.iter().map(|load| load.batch.len()).sum();
                let waiting = intake.waiting();
                let fate = if lost { "may not have been" } else { "were not" };
                warn!(
                    "push to {}: {under_way} entries received {fate} stored, and {waiting} behind them were not: {error}",
                    self.push.stream
                );
                let lost_entries = &self.context.metrics.push_entries_lost;
                lost_entries.add((under_way + waiting) as u64);
                return Err(if lost && self.context.stopping() {
                    let reason = "the server is stopping, and Redis did not answer: the last entries may not be stored";
                    Ending::close(close::STOPPING, reason)
                } else {
                    Ending::store_failed(&error)
                });
            }
            intake.wait_for(RETRY.min(left));
            self.session.set_reply_timeout(REPLY_TIMEOUT.min(left));
        }
        if begun.elapsed() > RETRY {
            self.session.set_reply_timeout(REPLY_TIMEOUT.min(patience));
        }
        Ok(())
    }

    /// One round trip with the first batches. If they are stored, they are acknowledged and removed.
    fn attempt(&mut self, loads: &mut Vec<Load>, together: usize, intake: &mut Intake<'_>) -> Result<(), StoreError> {
        let max_len = self.retention(intake)?;
        let together = together.min(loads.len());
        let entries: Vec<Bytes> = loads[..together].iter().flat_map(|load| &load.batch).cloned().collect();
        let ids = self.session.append(&self.push.stream, &entries, max_len, intake)?;
        let mut ids = ids.as_slice();
        for load in loads.drain(..together) {
            self.count(&load);
            let (own, rest) = ids.split_at(load.batch.len());
            ids = rest;
            if self.push.ack {
                intake.acknowledge(own);
            }
        }
        Ok(())
    }

    fn retention(&mut self, intake: &mut Intake<'_>) -> Result<u64, StoreError> {
        match self.retention {
            Some((max_len, learned)) if learned.elapsed() < RETENTION_AGE => Ok(max_len),
            _ => {
                let max_len = self.session.retention(&self.push.stream, intake)?;
                self.retention = Some((max_len, Instant::now()));
                Ok(max_len)
            }
        }
    }

    fn count(&self, load: &Load) {
        let bytes: usize = load.batch.iter().map(Bytes::len).sum();
        self.moved.entries.add(load.batch.len() as u64);
        self.moved.bytes.add(bytes as u64);
        self.context.metrics.entries_in.socket.add(load.batch.len() as u64);
        self.context.metrics.bytes_in.socket.add(bytes as u64);
    }
}
