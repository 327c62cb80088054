//! Where a pull begins and ends in each of its streams.

use std::time::{Duration, Instant};

use super::gaps::Gaps;
use super::generation::Generation;
use super::ledger::Ledger;
use crate::request::call;
use crate::store::{Look, Nobody, Session, StreamInfo};
use crate::words::cursor::{Cursor, Until};
use crate::words::error::StoreError;
use crate::words::ids::{EntryId, StreamId};
use crate::words::shape::Gap;

/// How long a clock that was asked once is as good as asked now: in so long no clock drifts by a millisecond.
const CLOCK_AGE: Duration = Duration::from_secs(5);

/// A stream and how far it has been read.
pub struct Position {
    /// Its name.
    pub stream: StreamId,
    /// The last entry that was read or passed.
    pub last: EntryId,
    /// Whether the client has read the entry there, or the stream had come as far as that when reading began. A place that a
    /// client only begins at, such as a time, may lie anywhere.
    pub is_read: bool,
    /// The last entry that is wanted, if there is an end.
    pub until: Option<EntryId>,
    /// Whether everything wanted has been read.
    pub done: bool,
    /// What is known of gaps, for a look now and then, and for exact books.
    pub gaps: Gaps,
    pub ledger: Ledger,
    /// What is known of the stream's generation, and a gap that was found when it began to be read, until it is told.
    pub generation: Generation,
    pub found: Option<Gap>,
}

/// Redis's clock, which gives entries their ids.
pub struct Clock {
    /// Milliseconds since 1970 when it was asked.
    ms: u64,
    asked: Instant,
}

impl Clock {
    /// Asks Redis what time it is.
    pub fn ask(session: &mut Session) -> Result<Clock, StoreError> {
        let ms = session.time()?;
        let asked = Instant::now();
        Ok(Clock { ms, asked })
    }

    /// Whether it may have drifted apart from Redis's by now.
    pub fn is_old(&self) -> bool {
        self.asked.elapsed() > CLOCK_AGE
    }

    fn now(&self) -> u64 {
        self.ms
            .saturating_add(u64::try_from(self.asked.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}

/// The places of a pull's streams, and the clock if any of them depends on it.
pub fn places(session: &mut Session, call: &call::Pull) -> Result<(Vec<Position>, Option<Clock>), StoreError> {
    let clock = if call.until.is_some() || call.from.iter().any(Cursor::is_relative) {
        Some(Clock::ask(session)?)
    } else {
        None
    };
    let now = clock.as_ref().map_or(0, Clock::now);
    let mut places = Vec::with_capacity(call.streams.len());
    for (stream, from) in call.streams.iter().zip(&call.from) {
        places.push(begin(session, stream, *from, call, now)?);
    }
    Ok((places, clock))
}

fn begin(
    session: &mut Session,
    stream: &StreamId,
    from: Cursor,
    call: &call::Pull,
    now: u64,
) -> Result<Position, StoreError> {
    let mut generation = Generation::watch(session, stream);
    let asked = Instant::now();
    let info = session.info(stream, &mut Nobody)?;
    let look = Look::of(info.as_ref());
    let until = call.until.map(|until| end(until, info.as_ref(), now));
    let added = info.as_ref().map_or(Some(0), |info| info.entries_added);
    let trimmed = info.as_ref().map_or(Some(0), StreamInfo::trimmed);
    let length = info.as_ref().map_or(Some(0), |info| Some(info.length));
    let newest = info.as_ref().map_or(EntryId::default(), |info| info.last_generated);
    let oldest = info.and_then(|info| info.first);
    // Entries that are added from here on follow, whatever is asked for, so that the numbers hold.
    let through = until.map_or(newest, |until| until.min(newest));
    let of_newest = |session: &mut Session, count: u64| -> Result<(EntryId, Option<u64>), StoreError> {
        let passed = added
            .zip(length)
            .filter(|_| through == newest)
            .map(|(added, length)| added.saturating_sub(length.min(count)));
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        Ok((session.start_of_newest(stream, Some(through), count)?, passed))
    };
    let after = |id: EntryId| match id {
        id if id >= newest => (id, added),
        id if oldest.is_none_or(|oldest| id < oldest) => (id, trimmed),
        id => (id, None),
    };
    let (last, passed) = match from {
        Cursor::End => (newest, added),
        Cursor::Newest => of_newest(session, call.count)?,
        Cursor::Latest => of_newest(session, 1)?,
        Cursor::After(id) | Cursor::Unread(id) => after(id),
        Cursor::Since(moment) => after(EntryId::first_of(moment.milliseconds(now)).before()),
    };
    // Whoever names an entry wants to know of what was trimmed since. `0` is nobody's entry.
    let is_start = last == EntryId::default();
    let resumed = matches!(from, Cursor::After(_) | Cursor::Unread(_)) && !is_start;
    let is_read = call.resume && resumed && matches!(from, Cursor::After(_));
    let ledger = match last {
        last if last > newest => Ledger::ahead(),
        last if resumed && last < newest => Ledger::resumed(),
        _ => Ledger::new(passed),
    };
    generation.begin(look.mark(), last <= newest);
    let mut place = Position {
        stream: stream.clone(),
        last,
        is_read: is_read || is_start || last == newest,
        until,
        done: false,
        gaps: Gaps::new(passed),
        ledger,
        generation,
        found: None,
    };
    // Whoever has read an entry that is beyond the newest, or that would still be there, has read it of a former generation.
    let is_before = oldest.is_some_and(|oldest| oldest.before() > last) && trimmed == Some(0);
    if is_read && (last > newest || is_before) {
        // How many it had read of that, nobody knows.
        let gap = place.begin_anew(&look, asked, is_before);
        place.found = Some(Gap { missed: None, ..gap });
    }
    place.done = place.until.is_some_and(|until| place.last >= until);
    Ok(place)
}

/// The last entry that is wanted.
fn end(until: Until, info: Option<&StreamInfo>, now: u64) -> EntryId {
    match until {
        Until::Id(id) => id,
        Until::First => info.and_then(|info| info.first).unwrap_or_default(),
        Until::Newest => info.and_then(|info| info.last).unwrap_or_default(),
        Until::Moment(moment) => EntryId::last_of(moment.milliseconds(now)),
    }
}

impl Position {
    /// How long entries that are wanted may still be added; none if without end.
    pub fn time_left(&self, clock: Option<&Clock>) -> Option<Duration> {
        let (until, clock) = self.until.zip(clock)?;
        // Entries can be added to a millisecond until it is over.
        let left = until.ms.saturating_add(1).saturating_sub(clock.now());
        Some(Duration::from_millis(left))
    }

    /// Whether nothing that is wanted will be added any more.
    pub fn is_past(&self, clock: Option<&Clock>) -> bool {
        self.time_left(clock).is_some_and(|left| left.is_zero())
    }

    /// Whether nothing that is wanted can be added any more, because ids only grow.
    pub fn is_passed_by(&self, info: Option<&StreamInfo>) -> bool {
        let newest = info.map(|info| info.last_generated);
        self.until.zip(newest).is_some_and(|(until, newest)| newest >= until)
    }

    /// What was trimmed between the last entry that was read and the oldest that is left.
    pub fn find_gap(&mut self, info: Option<&StreamInfo>) -> Option<Gap> {
        let missing = self.ledger.check(info, self.last)?;
        Some(Gap {
            stream: self.stream.clone(),
            after: self.last,
            before: missing.before,
            missed: missing.count,
            anew: false,
        })
    }
}
