//! The storing side of a push: batches into Redis, in order, however often it has to be asked within the patience
//! that there is.

use std::mem::replace;
use std::time::{Duration, Instant};

use bytes::Bytes;
use log::warn;

use super::Moved;
use super::intake::Intake;
use super::load::{Content, Load, Placed};
use super::refusal::Refusal;
use crate::request::call::Push;
use crate::state::context::Context;
use crate::store::{RETENTION_AGE, Session};
use crate::words::ending::Ending;
use crate::words::error::{StoreError, close};
use crate::words::log_line;

/// How long Redis may take over one round trip before its connection counts as lost. A slow disk can take seconds.
const REPLY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait before trying Redis again.
const RETRY: Duration = Duration::from_millis(100);

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
}

impl<'a> Storer<'a> {
    /// Prepares to store what a push brings.
    pub fn new(push: &'a Push, session: Session, context: &'a Context, moved: &'a Moved) -> Storer<'a> {
        Storer {
            push,
            session: session.waiting(REPLY_TIMEOUT.min(context.config.limits.redis_patience)),
            context,
            moved,
        }
    }

    /// Stores the batches that wait, as many as one round trip takes. An error is how the socket ends because of it.
    pub fn store_next(&mut self, intake: &mut Intake<'_>) -> Result<(), Ending> {
        let mut loads = intake.take(ENTRIES_AT_ONCE, BYTES_AT_ONCE);
        let patience = self.context.config.limits.redis_patience;
        let begun = Instant::now();
        let mut together = loads.len();
        // What began it is told, not what the last of many attempts ran into.
        let mut first_cause = None;
        while !loads.is_empty() {
            let Err(error) = self.attempt(&mut loads, together, intake) else {
                first_cause = None;
                continue;
            };
            let passes = error.is_passing();
            if !passes && together > 1 {
                // What is refused together is stored one by one, up to the batch that is refused: no holes.
                together = 1;
                continue;
            }
            if let Some(refusal) = Refusal::of_store(&error).filter(|_| self.push.report) {
                intake.say(&refusal.to_json());
                loads.remove(0);
                continue;
            }
            let left = patience.saturating_sub(begun.elapsed());
            if !passes {
                return Err(self.give_up(&loads, &error, intake));
            }
            let cause = first_cause.get_or_insert(error);
            if left.is_zero() || self.context.stopping() {
                return Err(self.give_up(&loads, cause, intake));
            }
            intake.wait_for(RETRY.min(left));
            self.session.set_reply_timeout(REPLY_TIMEOUT.min(left));
        }
        if begun.elapsed() > RETRY {
            self.session.set_reply_timeout(REPLY_TIMEOUT.min(patience));
        }
        Ok(())
    }

    /// How the socket ends when these are not stored.
    fn give_up(&self, loads: &[Load], error: &StoreError, intake: &Intake<'_>) -> Ending {
        let passes = error.is_passing();
        let under_way: usize = loads.iter().map(|load| load.entries().len()).sum();
        let waiting = intake.waiting();
        let fate = if passes { "may not have been" } else { "were not" };
        warn!(
            "push to {}: {under_way} entries received {fate} stored, and {waiting} behind them were not: {}",
            self.push.target,
            log_line::sentence(&error.to_string())
        );
        let lost_entries = &self.context.metrics.push_entries_lost;
        lost_entries.add((under_way + waiting) as u64);
        if passes && self.context.stopping() {
            let reason = "the server is stopping, and Redis did not answer: the last entries may not be stored";
            Ending::close(close::STOPPING, reason)
        } else {
            Ending::store_failed(error)
        }
    }

    /// One round trip with the first loads. If they are stored, they are acknowledged and removed.
    fn attempt(&mut self, loads: &mut Vec<Load>, together: usize, intake: &mut Intake<'_>) -> Result<(), StoreError> {
        match loads.first_mut().map(|load| &mut load.content) {
            Some(Content::Placed(placed)) => {
                let ids = self.attempt_placed(placed, intake)?;
                self.stored(loads.drain(..1), &ids, intake);
            }
            Some(Content::Refused(refusal)) => {
                intake.say(&refusal.to_json());
                loads.remove(0);
            }
            Some(Content::Next(_)) => self.attempt_next(loads, together, intake)?,
            None => {}
        }
        Ok(())
    }

    /// One round trip with a batch that has destinations of its own; its ids.
    fn attempt_placed(&mut self, placed: &mut Placed, intake: &mut Intake<'_>) -> Result<Vec<String>, StoreError> {
        let Placed {
            entries,
            destinations,
            told,
        } = placed;
        let writing = self
            .session
            .begin_writing(&destinations.streams, RETENTION_AGE, intake)?;
        if let (Some(stream), [max_len]) = (destinations.only_next_of(), writing.max_lens()) {
            return self.session.append(stream, entries, *max_len, intake);
        }
        let repeating = replace(told, true);
        let max_lens = writing.max_lens();
        self.session.place(entries, destinations, max_lens, repeating, intake)
    }

    /// The same with loads that go behind the others of the only stream.
    fn attempt_next(
        &mut self,
        loads: &mut Vec<Load>,
        together: usize,
        intake: &mut Intake<'_>,
    ) -> Result<(), StoreError> {
        let streams = self.push.target.streams();
        let writing = self.session.begin_writing(streams, RETENTION_AGE, intake)?;
        let (Some(stream), Some(max_len)) = (streams.first(), writing.max_lens().first()) else {
            return Err(StoreError::Refused("entries without a stream".into()));
        };
        let together = together.min(loads.len());
        let entries: Vec<Bytes> = loads[..together].iter().flat_map(Load::entries).cloned().collect();
        let ids = self.session.append(stream, &entries, *max_len, intake)?;
        drop(writing);
        self.stored(loads.drain(..together), &ids, intake);
        Ok(())
    }

    /// Acknowledges what is stored.
    fn stored(&self, loads: impl Iterator<Item = Load>, mut ids: &[String], intake: &mut Intake<'_>) {
        for load in loads {
            self.count(&load);
            let (own, rest) = ids.split_at(load.entries().len());
            ids = rest;
            if self.push.ack {
                intake.acknowledge(own);
            }
        }
    }

    fn count(&self, load: &Load) {
        let entries = load.entries();
        let bytes: usize = entries.iter().map(Bytes::len).sum();
        self.moved.entries.add(entries.len() as u64);
        self.moved.bytes.add(bytes as u64);
        self.context.metrics.entries_in.socket.add(entries.len() as u64);
        self.context.metrics.bytes_in.socket.add(bytes as u64);
    }
}
