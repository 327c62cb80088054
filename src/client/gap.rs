//! What a store says, with `on_gap=close`, when entries were trimmed that were still to be pulled: close code 4001, `gap after=<id> before=<id>: …`.

use ptg_store::ids::EntryId;

use super::Failure;

/// The close code (RFC 6455 leaves 4000 to 4999 to applications).
const CODE: u16 = 4001;

/// Entries between two ids that are gone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gap {
    /// The last entry before them that was pulled.
    pub after: EntryId,
    /// The first entry behind them.
    pub before: EntryId,
}

impl Gap {
    /// The gap that a pull ended with, if it did so.
    pub fn of(failure: &Failure) -> Option<Gap> {
        let Failure::Closed { code: CODE, reason } = failure else {
            return None;
        };
        let ids = reason.strip_prefix("gap ")?;
        let ids = ids.split_once(": ").map_or(ids, |(ids, _)| ids);
        let (after, before) = ids.split_once(' ')?;
        let gap = Gap {
            after: after.strip_prefix("after=")?.parse().ok()?,
            before: before.strip_prefix("before=")?.parse().ok()?,
        };
        // Otherwise going on would go back.
        (gap.after < gap.before).then_some(gap)
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
