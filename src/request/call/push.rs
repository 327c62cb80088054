//! The parameters of `/data/{id}/push`.

use crate::request::params::Params;
use crate::words::batch_header::Target;
use crate::words::dialect::Dialect;

/// What a push asks for.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct Push {
    pub target: Target,
    pub batch: bool,
    pub ack: bool,
    /// Whether a refused batch is answered by an error, and the socket lives on.
    pub report: bool,
    pub dialect: Dialect,
}

impl Push {
    /// Reads them. Only headers of batches name streams, so only with them do `+` and `*` have a meaning in the path.
    pub fn read(segment: &str, dialect: Dialect, params: &mut Params) -> Push {
        let batch = params.boolean("batch", false);
        let ack = params.boolean("ack", false);
        let report = params.one_of("on_error", &[("close", false), ("report", true)], false);
        if report && !ack {
            params.refuse("on_error", "report needs ack=true", "value_error.on_error");
        }
        let target = match segment {
            "*" if batch => Target::Any,
            segment if batch && segment.contains('+') => Target::Several(params.streams(segment)),
            segment => Target::One(params.stream(segment)),
        };
        Push {
            target,
            batch,
            ack,
            report,
            dialect,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(segment: &str, query: &str) -> Option<Push> {
        let mut params = Params::new(query);
        let push = Push::read(segment, Dialect::Seed, &mut params);
        params.finish().is_ok().then_some(push)
    }

    fn target(segment: &str, query: &str) -> Option<(usize, String)> {
        let target = push(segment, query)?.target;
        Some((target.streams().len(), target.to_string()))
    }

    #[test]
    fn plus_and_star_have_a_meaning_only_in_batches() {
        assert_eq!(target("a+b", ""), Some((1, "\"a+b\"".into())));
        assert_eq!(target("a+b", "batch=true"), Some((2, "a+b".into())));
        assert_eq!(target("a%2Bb", "batch=true"), Some((1, "\"a+b\"".into())));
        assert_eq!(target("*", ""), Some((1, "\"*\"".into())));
        assert_eq!(target("*", "batch=true"), Some((0, "*".into())));
        assert_eq!(target("%2A", "batch=true"), Some((1, "\"*\"".into())));
        for bad in ["a+", "+", "a+a", "a+XMETA:b"] {
            assert_eq!(target(bad, "batch=true"), None, "{bad}");
        }
    }

    #[test]
    fn errors_are_reported_only_where_there_are_acks() {
        let reports = |query| push("a", query).map(|push| push.report);
        assert_eq!(reports("ack=true&on_error=report"), Some(true));
        assert_eq!(reports("ack=true&on_error=close"), Some(false));
        assert_eq!(reports("on_error=close"), Some(false));
        assert_eq!(reports(""), Some(false));
        for bad in ["on_error=report", "ack=true&on_error=", "ack=true&on_error=Report"] {
            assert_eq!(reports(bad), None, "{bad}");
        }
    }
}
