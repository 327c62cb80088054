//! `--from` and `--until`: places in a recording, as everywhere on the wire, but for those that mean a living stream.

use ptg_store::ids::EntryId;

use crate::client::Failure;

/// The id behind which to begin.
pub fn from(text: Option<&str>) -> Result<EntryId, Failure> {
    let Some(text) = text else {
        return Ok(EntryId::default());
    };
    text.parse()
        .or_else(|_| milliseconds(text).map(|ms| EntryId { ms, seq: 0 }.before()))
        .map_err(|fault| Failure::Usage(format!("--from {text}: {fault}")))
}

/// The id up to which to replay.
pub fn until(text: Option<&str>) -> Result<EntryId, Failure> {
    let Some(text) = text else {
        return Ok(EntryId::MAX);
    };
    text.parse()
        .or_else(|_| milliseconds(text).map(|ms| EntryId { ms, seq: u64::MAX }))
        .map_err(|fault| Failure::Usage(format!("--until {text}: {fault}")))
}

fn milliseconds(text: &str) -> Result<u64, String> {
    let time: jiff::Timestamp = text.parse().map_err(|error| format!("{error}"))?;
    Ok(u64::try_from(time.as_millisecond()).unwrap_or(0))
}
