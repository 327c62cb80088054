//! `--from` and `--until`: places in a recording, typed as everywhere, but for the words that mean a living stream.

use std::time::{SystemTime, UNIX_EPOCH};

use ptg_store::words::cursor::{Cursor, Moment, Until};
use ptg_store::words::ids::EntryId;

use crate::client::{Console, Failure, typed};

/// The id behind which to begin.
pub fn from(text: Option<&str>, console: &mut Console) -> Result<EntryId, Failure> {
    let Some(text) = text else {
        return Ok(EntryId::default());
    };
    let typed = typed::from(text)?;
    typed.tell("--from", text, console);
    match typed
        .wire
        .parse()
        .map_err(|fault: String| wrong("--from", text, &fault))?
    {
        Cursor::After(id) | Cursor::Unread(id) => Ok(id),
        Cursor::Since(moment) => Ok(EntryId {
            ms: milliseconds(moment),
            seq: 0,
        }
        .before()),
        Cursor::Newest | Cursor::Latest | Cursor::End => Err(wrong("--from", text, NOT_HERE)),
    }
}

/// The id up to which to replay.
pub fn until(text: Option<&str>, console: &mut Console) -> Result<EntryId, Failure> {
    let Some(text) = text else {
        return Ok(EntryId::MAX);
    };
    let typed = typed::until(text)?;
    typed.tell("--until", text, console);
    match typed
        .wire
        .parse()
        .map_err(|fault: String| wrong("--until", text, &fault))?
    {
        Until::Id(id) => Ok(id),
        Until::Moment(moment) => Ok(EntryId::last_of(milliseconds(moment))),
        Until::First | Until::Newest => Err(wrong("--until", text, NOT_HERE)),
    }
}

const NOT_HERE: &str = "this is a place in a stream that lives; in a recording, name an entry id, a time or a date";

fn milliseconds(moment: Moment) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    moment.milliseconds(u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}

fn wrong(flag: &str, text: &str, fault: &str) -> Failure {
    Failure::Usage(format!("{flag} {text}: {fault}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_an_id_or_a_time() {
        let id = |ms, seq| EntryId { ms, seq };
        let mut console = Console::new("replay", true);
        let mut from = |text| super::from(text, &mut console);
        let mut console = Console::new("replay", true);
        let mut until = |text| super::until(text, &mut console);
        assert_eq!(from(None), Ok(id(0, 0)));
        assert_eq!(from(Some("7-3")), Ok(id(7, 3)));
        assert_eq!(from(Some("1970-01-01T00:00:01Z")), Ok(id(999, u64::MAX)));
        assert_eq!(until(None), Ok(EntryId::MAX));
        assert_eq!(until(Some("7")), Ok(id(7, u64::MAX)));
        assert_eq!(until(Some("1970-01-01T00:00:01Z")), Ok(id(1000, u64::MAX)));
        for bad in ["$", "*", "latest", "yesterday", ""] {
            assert!(from(Some(bad)).is_err() && until(Some(bad)).is_err(), "{bad}");
        }
    }
}
