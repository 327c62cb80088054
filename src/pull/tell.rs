//! A gap is told: to the log, to whoever counts, and to the client if its format has a place for that or it is to end the pull.

use log::warn;

use super::{Outlet, Stop, Tally};
use crate::words::ending::Ending;
use crate::words::error::close;
use crate::words::ids::{EntryId, StreamId};
use crate::words::log_line;
use crate::words::shape::Gap;

/// Tells a gap before what follows it, and ends the pull if it is to.
pub fn tell(gap: &Gap, close_on_gap: bool, outlet: &mut dyn Outlet, tally: &Tally<'_>) -> Result<(), Stop> {
    if gap.anew {
        count(gap.missed, tally);
        let Gap {
            stream, after, before, ..
        } = gap;
        let number = some(gap.missed);
        let stream = log_line::field(stream.as_str());
        warn!(
            "pull of {stream}: it begins anew with {before}; {number} entries were not read, the last that was is {after}"
        );
    } else {
        trimmed(&gap.stream, gap.missed, gap.after, tally);
    }
    outlet.tell_gap(gap)?;
    match close_on_gap {
        true => Err(Ending::close(close::GAP, gap.reason()).into()),
        false => Ok(()),
    }
}

/// Counts and logs what retention trimmed.
pub fn trimmed(stream: &StreamId, missed: Option<u64>, last: EntryId, tally: &Tally<'_>) {
    count(missed, tally);
    let (number, stream) = (some(missed), log_line::field(stream.as_str()));
    warn!("pull of {stream}: {number} entries were trimmed before they were read, around {last}");
}

fn count(missed: Option<u64>, tally: &Tally<'_>) {
    let metrics = &tally.context.metrics;
    metrics.pull_gaps.add(1);
    metrics.pull_entries_missed.add(missed.unwrap_or(0));
}

fn some(number: Option<u64>) -> String {
    number.map_or("some".to_string(), |number| number.to_string())
}
