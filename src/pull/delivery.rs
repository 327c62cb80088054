//! Entries as they arrive become replies, and replies go out when it is their turn.

use std::time::Instant;

use super::position::Position;
use super::turn::Turn;
use super::{MOST_ENTRIES, Outlet, Stop, Tally};
use crate::request::call;
use crate::store::{Arrival, Entries, Place, StreamInfo};
use crate::words::batch::Joined;
use crate::words::ending::Ending;
use crate::words::ids::EntryId;

/// The most bytes of one reply, unless a single entry is larger.
pub const MAX_REPLY: usize = 8 << 20;

/// Memory for the bytes and the items of replies that is kept while nothing comes.
const KEPT: usize = 4 << 10;
const KEPT_ITEMS: usize = 64;

/// What a pull delivers of its streams.
pub struct Delivery {
    /// The streams.
    pub places: Vec<Position>,
    /// The reply in the making.
    pub reply: Joined,
    /// Since when nothing was delivered, although the client was ready.
    pub quiet_since: Instant,
    limit: usize,
    turn: Turn,
}

/// What was taken of one stream in one read.
#[derive(Debug, Default)]
pub struct Taken {
    /// Those that were taken.
    pub ids: Vec<EntryId>,
    /// How many came, also those past the end.
    pub seen: usize,
    /// The largest of them, in bytes.
    pub largest: usize,
}

impl Delivery {
    /// Begins at these places.
    pub fn new(places: Vec<Position>, call: &call::Pull) -> Delivery {
        // A reply that holds more than a second's worth would come in bursts.
        let of_rate = call.max_rate.map_or(u64::MAX, |rate| rate.max(1.0) as u64);
        let of_one = call.count.min(MOST_ENTRIES).min(of_rate);
        Delivery {
            limit: of_one.saturating_mul(places.len() as u64).min(MOST_ENTRIES) as usize,
            places,
            reply: Joined::default(),
            quiet_since: Instant::now(),
            turn: Turn::new(call.ack, call.max_rate),
        }
    }

    /// The most entries of one reply.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Whether replies wait for anything but entries.
    pub fn is_paced(&self) -> bool {
        self.turn.is_paced()
    }

    /// The streams of which more is wanted, by their numbers.
    pub fn waiting(&self) -> Vec<usize> {
        (0..self.places.len())
            .filter(|index| !self.places[*index].done)
            .collect()
    }

    /// Where these streams have got to.
    pub fn places_of(&self, asked: &[usize]) -> Vec<Place<'_>> {
        let place = |index: &usize| (&self.places[*index].stream, self.places[*index].last);
        asked.iter().map(place).collect()
    }

    /// Takes entries as they arrive, and sends replies that are full; what was taken of each stream. `asked` says which
    /// streams the entries are of.
    pub(super) fn take(
        &mut self,
        entries: &mut Entries<'_>,
        asked: &[usize],
        outlet: &mut dyn Outlet,
        tally: &Tally<'_>,
    ) -> Result<Vec<Taken>, Stop> {
        let mut taken: Vec<Taken> = asked.iter().map(|_| Taken::default()).collect();
        while let Some(arrival) = entries.next(outlet)? {
            let (id, size) = (arrival.id, arrival.size);
            let (index, taken) = (asked[arrival.stream], &mut taken[arrival.stream]);
            taken.seen += 1;
            taken.largest = taken.largest.max(size);
            if self.places[index].until.is_some_and(|until| id > until) {
                self.places[index].done = true;
                entries.skip(&arrival, outlet)?;
                continue;
            }
            self.take_one(entries, arrival, index, outlet, tally)?;
            self.places[index].ledger.pass();
            taken.ids.push(id);
            self.send_if_full(outlet, tally)?;
        }
        Ok(taken)
    }

    /// Takes the newest entry of a stream, if there is one, and notes how many were skipped; whether there was one. `info` is
    /// what Redis knew in the instant of the read.
    pub(super) fn take_newest(
        &mut self,
        entries: &mut Entries<'_>,
        index: usize,
        info: Option<&StreamInfo>,
        outlet: &mut dyn Outlet,
        tally: &Tally<'_>,
    ) -> Result<bool, Stop> {
        let Some(arrival) = entries.next(outlet)? else {
            return Ok(false);
        };
        // Where a younger one was deleted, or is past the end, the numbers say nothing of this one.
        let info = info.filter(|info| info.last_generated == arrival.id);
        self.take_one(entries, arrival, index, outlet, tally)?;
        let skipped = self.places[index].ledger.skip_to_newest(info);
        tally.context.metrics.pull_entries_skipped.add(skipped.unwrap_or(0));
        if let Some(item) = self.reply.items.last_mut() {
            item.skipped = skipped;
        }
        self.send_if_full(outlet, tally)?;
        Ok(true)
    }

    /// Takes one entry into the reply, and sends what was in it before if both are too large for one.
    fn take_one(
        &mut self,
        entries: &mut Entries<'_>,
        arrival: Arrival,
        index: usize,
        outlet: &mut dyn Outlet,
        tally: &Tally<'_>,
    ) -> Result<(), Stop> {
        let (id, size) = (arrival.id, arrival.size);
        if !self.reply.is_empty() && self.reply.bytes.len() + size > MAX_REPLY {
            self.send(outlet, tally)?;
        }
        let start = self.reply.bytes.len();
        if let Err(error) = entries.take(arrival, &mut self.reply.bytes, outlet) {
            // Half an entry is none.
            self.reply.bytes.truncate(start);
            return Err(error.into());
        }
        self.reply.add(index, id, start);
        let place = &mut self.places[index];
        place.last = id;
        place.generation.reached(&self.reply.bytes[start..]);
        place.done |= place.until.is_some_and(|until| id >= until);
        Ok(())
    }

    fn send_if_full(&mut self, outlet: &mut dyn Outlet, tally: &Tally<'_>) -> Result<(), Ending> {
        if self.reply.count() < self.limit {
            return Ok(());
        }
        self.send(outlet, tally)
    }

    /// Waits until a reply may go out.
    pub fn await_turn(&mut self, outlet: &mut dyn Outlet) -> Result<(), Ending> {
        if self.turn.wait(outlet)? {
            self.quiet_since = Instant::now();
        }
        Ok(())
    }

    /// Sends the reply, if there is anything in it, when it is its turn, and begins the next one.
    pub fn send(&mut self, outlet: &mut dyn Outlet, tally: &Tally<'_>) -> Result<(), Ending> {
        if self.reply.is_empty() {
            return Ok(());
        }
        self.turn.wait(outlet)?;
        if outlet.deliver(&self.reply)? {
            tally.add(self.reply.count(), self.reply.bytes.len());
            self.turn.sent(self.reply.count());
            self.quiet_since = Instant::now();
        }
        self.reply.clear();
        Ok(())
    }

    /// Gives back the memory of large replies, because nothing has come for a while.
    pub fn rest(&mut self) {
        self.reply.bytes.shrink_to(KEPT);
        self.reply.items.shrink_to(KEPT_ITEMS);
    }
}
