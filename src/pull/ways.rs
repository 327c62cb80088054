//! The two ways in which a pull reads all that comes: plainly or carefully. `newest` is the third.

use std::mem::{replace, take};
use std::time::{Duration, Instant};

use super::begun_anew::Watching;
use super::clock::Clock;
use super::delivery::Taken;
use super::tell::{tell, trimmed};
use super::{MAX_REPLY, Outlet, Pull, Stop, Tally};
use crate::store::Look;
use crate::words::ending::Ending;
use crate::words::error::close;
use crate::words::ids::EntryId;

/// How long one `XREAD` waits. A thousand silent pulls should cost Redis little.
const BLOCK: Duration = Duration::from_secs(5);

/// The shortest wait for a look at gaps that is due, and for an end that is near: Redis waits for ever if it is told 0.
const SHORTEST_BLOCK: Duration = Duration::from_millis(100);
const INSTANT: Duration = Duration::from_millis(1);

impl Pull {
    /// Replies of `count` where there is enough. Of several streams each has its turn in each reply.
    pub(super) fn plain_round(&mut self, outlet: &mut dyn Outlet, tally: &Tally<'_>) -> Result<(), Stop> {
        // A look that is due need not wait for the next entry.
        let looks = self.delivery.places.iter().filter_map(|place| place.gaps.due_in());
        let look = looks.min().map_or(BLOCK, |left| left.max(SHORTEST_BLOCK));
        let patience = self.patience()?.map(|time| time.min(look));
        let asked = self.delivery.waiting();
        if asked.len() > self.most_streams() {
            return self.plain_turn(patience, outlet, tally);
        }
        let alone = self.delivery.places.len() == 1;
        let past = patience.is_none();
        let mut more = self.read_once(&asked, patience, past, outlet, tally)?;
        while alone && !more.is_empty() && !self.delivery.reply.is_empty() && !self.is_done() {
            more = self.read_once(&asked, None, past, outlet, tally)?;
        }
        Ok(())
    }

    /// The same of streams whose entries are so large that one of each would be more than a reply: Redis would hold them for
    /// a slow client. They take turns.
    fn plain_turn(
        &mut self,
        patience: Option<Duration>,
        outlet: &mut dyn Outlet,
        tally: &Tally<'_>,
    ) -> Result<(), Stop> {
        if let Some(patience) = patience.filter(|_| take(&mut self.caught_up)) {
            return self.wait_for_more(patience, outlet);
        }
        loop {
            let asked = self.streams_in_turn(outlet)?;
            let more = self.read_once(&asked, None, patience.is_none(), outlet, tally)?;
            self.more.extend(more);
            // What still fits into this reply goes with it.
            if self.ready.is_empty() || self.is_done() || self.ahead.fitting(self.room()) == 0 {
                break;
            }
        }
        self.caught_up = self.ready.is_empty() && self.more.is_empty();
        Ok(())
    }

    /// One `XREAD`; the streams of which there may be more. `past` says that nothing that is wanted can still be added.
    fn read_once(
        &mut self,
        asked: &[usize],
        block: Option<Duration>,
        past: bool,
        outlet: &mut dyn Outlet,
        tally: &Tally<'_>,
    ) -> Result<Vec<usize>, Stop> {
        let count = self.count_to_ask(asked.len());
        let before: Vec<EntryId> = asked.iter().map(|index| self.delivery.places[*index].last).collect();
        let places = self.delivery.places_of(asked);
        let mut beside = Watching {
            outlet,
            places: &self.delivery.places,
        };
        let mut entries = self.session.read_after(&places, count, block, &mut beside)?;
        let came = Instant::now();
        if asked.iter().any(|index| self.delivery.places[*index].is_doubtful()) {
            // What has come may be of a stream that begins anew, and not its beginning.
            return Ok(Vec::new());
        }
        let taken = self.delivery.take(&mut entries, asked, outlet, tally)?;
        let lengths = entries.finish(outlet)?;
        self.learn(&taken);
        let mut more = Vec::new();
        for (((index, taken), before), length) in asked.iter().zip(&taken).zip(before).zip(lengths) {
            let read_all = taken.seen < count;
            if !read_all {
                more.push(*index);
            }
            let place = &mut self.delivery.places[*index];
            place.done |= past && read_all && place.is_past(self.clock.as_ref());
            if let Some(first) = taken.ids.first() {
                let number = taken.ids.len() as u64;
                place.generation.read(*first, came);
                place.gaps.read(number, taken.largest, length, read_all || count == 1);
            } else {
                self.delivery.rest();
            }
            let look = self.delivery.places[*index].gaps.due_in();
            if look.is_some_and(|left| left.is_zero()) {
                self.count_gap(*index, before, &taken.ids, outlet, tally)?;
            }
        }
        Ok(more)
    }

    /// Counts what retention trimmed. What was read is good, whatever becomes of the look.
    fn count_gap(
        &mut self,
        index: usize,
        before: EntryId,
        read: &[EntryId],
        outlet: &mut dyn Outlet,
        tally: &Tally<'_>,
    ) -> Result<(), Stop> {
        let place = &mut self.delivery.places[index];
        let begun = Instant::now();
        if let Ok(info) = self.session.info(&place.stream, outlet) {
            let missed = place.gaps.look(info, begun.elapsed(), before, read);
            if missed > 0 {
                trimmed(&place.stream, Some(missed), place.last, tally);
            }
        }
        outlet.ended().map_or(Ok(()), |ending| Err(ending.into()))
    }

    /// Reads what there is together with what Redis knows of the streams in the same instant, so that a gap is known before
    /// what follows it. Once that was all, waits for more.
    pub(super) fn careful_round(&mut self, outlet: &mut dyn Outlet, tally: &Tally<'_>) -> Result<(), Stop> {
        let patience = self.patience()?;
        if let Some(patience) = patience.filter(|_| take(&mut self.caught_up)) {
            return self.wait_for_more(patience, outlet);
        }
        let asked = self.streams_in_turn(outlet)?;
        let count = self.count_to_ask(asked.len());
        let places = self.delivery.places_of(&asked);
        let begun = Instant::now();
        let (infos, mut entries) = self.session.read_after_with_info(&places, count, outlet)?;
        let mut moved = false;
        for (index, info) in asked.iter().zip(&infos) {
            let place = &mut self.delivery.places[*index];
            let last = place.last;
            let anew = place.meet(&Look::of(info.as_ref()), begun);
            moved |= place.last != last;
            if let Some(gap) = anew.or_else(|| place.find_gap(info.as_ref())) {
                tell(&gap, self.close_on_gap, outlet, tally)?;
            }
        }
        if moved {
            // What has come is not what a stream begins anew with.
            return Ok(());
        }
        let taken = self.delivery.take(&mut entries, &asked, outlet, tally)?;
        entries.finish(outlet)?;
        self.learn(&taken);
        for ((index, taken), info) in asked.iter().zip(&taken).zip(infos) {
            let place = &mut self.delivery.places[*index];
            let newest = info.as_ref().map(|info| info.last_generated);
            let read_all = taken.seen < count || newest.is_some_and(|newest| place.last >= newest);
            if read_all {
                place.ledger.caught_up(info.as_ref());
            } else {
                self.more.push(*index);
            }
            place.done |= patience.is_none() && read_all && place.is_past(self.clock.as_ref());
            place.done |= read_all && place.is_passed_by(info.as_ref());
        }
        self.caught_up = self.ready.is_empty() && self.more.is_empty();
        Ok(())
    }

    pub(super) fn wait_for_more(&mut self, patience: Duration, outlet: &mut dyn Outlet) -> Result<(), Stop> {
        let asked = self.delivery.waiting();
        self.ready = self.with_news(&asked, Some(patience), outlet)?;
        if self.ready.is_empty() {
            self.delivery.rest();
            // To know more than that nothing came costs Redis a copy of an entry.
            let places = asked.iter().map(|index| &self.delivery.places[*index]);
            self.caught_up = places.into_iter().all(|place| place.generation.is_at_end(place.last));
        }
        Ok(())
    }

    /// Those of these streams that have something, once one has, or after so long.
    fn with_news(
        &mut self,
        asked: &[usize],
        patience: Option<Duration>,
        outlet: &mut dyn Outlet,
    ) -> Result<Vec<usize>, Stop> {
        let places = self.delivery.places_of(asked);
        let mut beside = Watching {
            outlet,
            places: &self.delivery.places,
        };
        let found = self.session.with_news(&places, patience, &mut beside)?;
        Ok(found.into_iter().map(|place| asked[place]).collect())
    }

    /// The streams whose turn it is, of those that may have something: what Redis knows of a stream costs it a copy of an
    /// entry. If none is known to, it is the turn of all of which more is wanted.
    fn streams_in_turn(&mut self, outlet: &mut dyn Outlet) -> Result<Vec<usize>, Stop> {
        self.ready.retain(|index| !self.delivery.places[*index].done);
        if self.ready.is_empty() {
            self.ready = self.next_round_of_turns(outlet)?;
        }
        let most = self.most_streams().min(self.ready.len());
        let later = self.ready.split_off(most);
        Ok(replace(&mut self.ready, later))
    }

    /// All that may have something. A stream that has much must not hide that another has got something.
    fn next_round_of_turns(&mut self, outlet: &mut dyn Outlet) -> Result<Vec<usize>, Stop> {
        let more = take(&mut self.more);
        let waiting = self.delivery.waiting();
        if more.is_empty() {
            return Ok(waiting);
        }
        let others: Vec<usize> = waiting.into_iter().filter(|index| !more.contains(index)).collect();
        let mut streams = match others.is_empty() {
            true => others,
            false => self.with_news(&others, None, outlet)?,
        };
        streams.extend(more);
        Ok(streams)
    }

    /// Of how many streams an entry each fits into a reply, as far as is known.
    fn most_streams(&self) -> usize {
        self.ahead.fitting(self.room()).max(1)
    }

    /// Bytes that the reply in the making has room for.
    fn room(&self) -> usize {
        MAX_REPLY.saturating_sub(self.delivery.reply.bytes.len())
    }

    /// How many entries to ask for of each of so many streams.
    fn count_to_ask(&self, streams: usize) -> usize {
        let streams = streams.max(1);
        let room = self.room() / streams;
        let most = match self.delivery.places.len() {
            1 if !self.delivery.is_paced() => usize::MAX,
            // What is read beyond one reply would be old when its turn comes.
            1 => self.delivery.limit() - self.delivery.reply.count(),
            all => self.delivery.limit() / all,
        };
        self.ahead.count(most.max(1), room)
    }

    fn learn(&mut self, taken: &[Taken]) {
        let most = taken.iter().map(|taken| taken.seen).max().unwrap_or(0);
        let largest = taken.iter().map(|taken| taken.largest).max().unwrap_or(0);
        self.ahead.learn(most, largest);
    }

    /// How long Redis may be waited for now; none if what there is now is all that is wanted. An error once the silence was
    /// too long.
    pub(super) fn patience(&mut self) -> Result<Option<Duration>, Stop> {
        let mut patience = BLOCK;
        if let Some(timeout) = self.timeout {
            let left = timeout.saturating_sub(self.delivery.quiet_since.elapsed());
            if left.is_zero() {
                let reason = format!("nothing came within {} ms (timeout)", timeout.as_millis());
                return Err(Ending::close(close::NORMAL, reason).into());
            }
            patience = patience.min(left);
        }
        let mut left = self.time_left();
        // Clocks drift, so before the end is believed to have come, Redis is asked again.
        if left == Some(Duration::ZERO) && self.clock.as_ref().is_some_and(Clock::is_old) {
            self.clock = Some(Clock::ask(&mut self.session)?);
            left = self.time_left();
        }
        match left {
            Some(left) if left.is_zero() => Ok(None),
            Some(left) => Ok(Some(patience.min(left).max(INSTANT))),
            None => Ok(Some(patience.max(INSTANT))),
        }
    }

    /// How long entries that are wanted may still be added to any stream; none if without end.
    fn time_left(&self) -> Option<Duration> {
        let open = self.delivery.places.iter().filter(|place| !place.done);
        let mut ends = open.map(|place| place.time_left(self.clock.as_ref()));
        ends.try_fold(Duration::ZERO, |most, left| left.map(|left| most.max(left)))
    }
}
