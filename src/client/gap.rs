//! What a store says, with `on_gap=close`, when entries are gone that were still to be pulled, because they were trimmed or the
//! stream has begun anew: close code 4001, `gap after=<id> before=<id>: …`.

use std::fmt;

use ptg_store::words::ids::EntryId;
use ptg_store::words::shape::ANEW;

use super::Failure;

/// The close code (RFC 6455 leaves 4000 to 4999 to applications).
const CODE: u16 = 4001;

/// Entries between two ids that are gone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gap {
    /// The last entry before them that was pulled.
    pub after: EntryId,
    /// The first entry behind them; of a stream that has begun anew and is empty, the smallest that can come.
    pub before: EntryId,
    /// Whether the stream has begun anew, so that ids may have gone back.
    pub anew: bool,
}

impl Gap {
    /// The gap that a pull ended with, if it did so.
    pub fn of(failure: &Failure) -> Option<Gap> {
        let Failure::Closed { code: CODE, reason } = failure else {
            return None;
        };
        let ids = reason.strip_prefix("gap ")?;
        let (ids, cause) = ids.split_once(": ").unwrap_or((ids, ""));
        let (after, before) = ids.split_once(' ')?;
        let gap = Gap {
            after: after.strip_prefix("after=")?.parse().ok()?,
            before: before.strip_prefix("before=")?.parse().ok()?,
            anew: cause == ANEW,
        };
        // Otherwise going on would go back.
        (gap.anew || gap.after < gap.before).then_some(gap)
    }

    /// The entry to go on behind.
    pub fn end(&self) -> EntryId {
        self.before.before()
    }

    /// The failure that a store tells it with, where the stream has begun anew.
    pub fn told(after: EntryId, before: EntryId) -> Failure {
        Failure::Closed {
            code: CODE,
            reason: format!("gap after={after} before={before}: {ANEW}"),
        }
    }

    /// The same, where entries were trimmed.
    pub fn trimmed(after: EntryId, before: EntryId) -> Failure {
        Failure::Closed {
            code: CODE,
            reason: format!("gap after={after} before={before}: entries were trimmed"),
        }
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Gap { after, before, anew } = self;
        match anew {
            true => write!(
                f,
                "the stream has begun anew, with {before}; what came after {after} before that is gone"
            ),
            false => write!(f, "the store had trimmed what came after {after} and before {before}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(code: u16, reason: &str) -> Option<(String, String)> {
        let reason = reason.to_owned();
        Gap::of(&Failure::Closed { code, reason }).map(|gap| (gap.after.to_string(), gap.before.to_string()))
    }

    #[test]
    fn the_reason_of_4001_names_both_ids() {
        let expected = Some(("5-1".into(), "7-0".into()));
        assert_eq!(gap(4001, "gap after=5-1 before=7-0: 12 entries were trimmed"), expected);
        assert_eq!(gap(4001, "gap after=5-1 before=7-0"), expected);
    }

    #[test]
    fn ids_go_back_only_where_the_stream_begins_anew() {
        let expected = Some(("7-0".into(), "5-1".into()));
        assert_eq!(gap(4001, "gap after=7-0 before=5-1: the stream begins anew"), expected);
        assert_eq!(gap(4001, "gap after=7-0 before=5-1: 12 entries were trimmed"), None);
        let id = |ms| EntryId { ms, seq: 0 };
        let told = Gap::of(&Gap::told(id(7), id(5)));
        assert_eq!(told.map(|gap| (gap.end(), gap.anew)), Some((id(5).before(), true)));
        let trimmed = Gap::of(&Gap::trimmed(EntryId::default(), id(5)));
        assert_eq!(trimmed.map(|gap| (gap.end(), gap.anew)), Some((id(5).before(), false)));
    }

    #[test]
    fn anything_else_is_no_gap() {
        for reason in [
            "",
            "gap",
            "gap after=5-1",
            "gap after=5-1 before=",
            "gap after=7-0 before=5-1",
            "gap before=7-0 after=5-1",
        ] {
            assert_eq!(gap(4001, reason), None, "{reason}");
        }
        assert_eq!(gap(1011, "gap after=5-1 before=7-0"), None);
        assert_eq!(Gap::of(&Failure::Interrupted), None);
    }
}
