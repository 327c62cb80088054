//! `replay --check`: reads all of a recording and says how it is.

use std::collections::BTreeMap;

use ptg_store::recording::{Recording, Report, check, read_gaps};
use ptg_store::words::ids::{EntryId, StreamId};

use super::super::{counted, say_result};
use crate::client::{Exit, Failure, is_time};

/// Checks every stream, and says a line of each. Anything torn or damaged makes it fail.
pub fn run(recording: &Recording) -> Result<Exit, Failure> {
    let mut gaps: BTreeMap<String, u64> = BTreeMap::new();
    for gap in read_gaps(recording.folder()).map_err(Failure::Here)? {
        *gaps.entry(gap.stream).or_default() += 1;
    }
    let mut sound = true;
    for stream in recording.streams() {
        let report = match check(recording, &stream) {
            Ok(report) => report,
            Err(fault) => {
                sound = false;
                say_result(&format!("{stream}: {fault}"))?;
                continue;
            }
        };
        let gaps = gaps.get(stream.as_str()).copied().unwrap_or_default();
        say_result(&format!(
            "{stream}: {}, {}",
            extent(&report),
            counted(gaps, "gap", "gaps")
        ))?;
        sound &= complaints(&stream, &report, recording.is_being_written())?;
    }
    Ok(if sound { Exit::Done } else { Exit::Failed })
}

fn extent(report: &Report) -> String {
    let entries = format!(
        "{}, {}",
        counted(report.entries, "entry", "entries"),
        counted(report.bytes, "byte", "bytes")
    );
    // An id that is no time is no less than one.
    let time = |id: EntryId| id.time().filter(|_| is_time(id)).unwrap_or_else(|| id.to_string());
    match report.reach {
        Some((first, last)) => format!("{entries}, {} to {}", time(first.id), time(last.id)),
        None => entries,
    }
}

/// Says what is wrong; whether nothing is.
fn complaints(stream: &StreamId, report: &Report, being_written: bool) -> Result<bool, Failure> {
    for fault in &report.damaged {
        say_result(&format!("{stream}: {fault}"))?;
    }
    let more = report.faults - report.damaged.len() as u64;
    if more > 0 {
        say_result(&format!("{stream}: and {more} more"))?;
    }
    Ok(match (report.torn.is_none(), being_written) {
        (true, _) => report.is_sound(),
        (false, true) => {
            say_result(&format!("{stream}: it is being recorded just now"))?;
            report.is_sound()
        }
        (false, false) => {
            say_result(&format!("{stream}: {} at its end are torn", report.torn))?;
            false
        }
    })
}
