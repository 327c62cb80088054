//! Where a pull begins and ends in each of its streams.

use std::time::Instant;

use super::clock::Clock;
use super::gaps::Gaps;
use super::generation::Generation;
use super::ledger::Ledger;
use super::position::Position;
use crate::request::call;
use crate::store::{Look, Nobody, Session, StreamInfo};
use crate::words::cursor::{Cursor, Until};
use crate::words::error::StoreError;
use crate::words::ids::{EntryId, StreamId};
use crate::words::shape::Gap;

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
