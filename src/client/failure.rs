//! Why a command could not do what it was asked, and the code that it exits with.

use std::fmt;
use std::process::ExitCode;

use ptg_store::words::error::close;
use serde_json::Value;

/// What a command exits with, for scripts to tell apart. The table is also in docs/command-line.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything was done; also when whoever read the output has had enough.
    Done = 0,
    /// It failed; a sentence on standard error says why.
    Failed = 1,
    /// The command line makes no sense, or the store does not take one of its values: 422.
    Usage = 2,
    /// Nobody is signed in, or the store does not allow it: 401, 403.
    NotAllowed = 3,
    /// The store cannot be reached, or cannot work for now, and `--retry` is over.
    Unreachable = 4,
    /// Nothing came within `--timeout`.
    Nothing = 5,
    /// An entry is larger than the store takes: 413, 1009.
    TooLarge = 6,
    /// Ctrl-C, or another signal that ends programs in order; 128 + SIGINT, as shells have it.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// What a store says to somebody who is just signing in, and needs no advice to do so.
const BAD_PASSWORD: &str = "Incorrect username or password";

/// Why it could not be done. Shown, it is a sentence without a full stop.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure {
    /// The command line makes no sense.
    Usage(String),
    /// There is no connection, or it broke.
    Lost(String),
    /// The store answered a request, or an opening of a WebSocket, with an error: its status and detail. Of one that does not
    /// let the user in, what to do about it (`Store::advise`).
    Refused {
        status: u16,
        detail: String,
        advice: Option<String>,
    },
    /// The store closed a WebSocket: its code (1005 if it gave none) and reason.
    Closed { code: u16, reason: String },
    /// What answers is no store, or none that this client knows.
    Foreign(String),
    /// There is no token to send to this store.
    NotSignedIn(String),
    /// Something on this side failed: a file, a pipe.
    Here(String),
    /// An entry is larger than this side takes.
    TooLarge(String),
    /// Nothing came in time.
    Nothing(String),
    /// Whoever read the output has had enough, which is no failure to speak of.
    Unread,
    /// The user has had enough.
    Interrupted,
}

impl Failure {
    /// Whether it may work later, with nothing changed: the connection, the store or its Redis is away for a while.
    pub fn is_passing(&self) -> bool {
        match self {
            Failure::Lost(_) => true,
            // 502 and 504 are what a reverse proxy says while the store behind it restarts.
            Failure::Refused { status, .. } => matches!(status, 502..=504),
            // An outage of Redis is 1013. With 1011 Redis answers, and would say the same again.
            Failure::Closed { code, .. } => matches!(*code, close::STOPPING | close::TRY_LATER),
            _ => false,
        }
    }

    /// Whether it is a WebSocket's normal end, brought about by the store: close code 1000.
    pub fn is_end(&self) -> bool {
        matches!(
            self,
            Failure::Closed {
                code: close::NORMAL,
                ..
            }
        )
    }

    /// What to exit with.
    pub fn exit(&self) -> Exit {
        match self {
            Failure::Usage(_) => Exit::Usage,
            Failure::Interrupted => Exit::Interrupted,
            Failure::TooLarge(_) => Exit::TooLarge,
            Failure::Nothing(_) => Exit::Nothing,
            Failure::Unread => Exit::Done,
            Failure::NotSignedIn(_) | Failure::Refused { status: 401 | 403, .. } => Exit::NotAllowed,
            Failure::Refused { status: 413, .. } => Exit::TooLarge,
            Failure::Refused { status: 422, .. } => Exit::Usage,
            Failure::Closed {
                code: close::TOO_LARGE, ..
            } => Exit::TooLarge,
            failure if failure.is_passing() => Exit::Unreachable,
            _ => Exit::Failed,
        }
    }

    /// What the body of an error reply says: its `detail`, as a sentence.
    pub fn refused(status: u16, body: &[u8]) -> Failure {
        let detail = match serde_json::from_slice::<Value>(body).map(|mut body| body["detail"].take()) {
            Ok(Value::String(sentence)) => sentence,
            Ok(Value::Array(issues)) => issues.iter().map(issue).collect::<Vec<_>>().join("; "),
            Ok(Value::Null) | Err(_) => "without a detail, as no store says it; is the address right?".into(),
            Ok(other) => other.to_string(),
        };
        Failure::Refused {
            status,
            detail,
            advice: None,
        }
    }
}

/// One complaint about a parameter: `query count: value is not a valid integer`.
fn issue(issue: &Value) -> String {
    let place: Vec<&str> = issue["loc"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(Value::as_str)
        .collect();
    match issue["msg"].as_str() {
        Some(message) => format!("{}: {message}", place.join(" ")),
        None => issue.to_string(),
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Failure::Usage(sentence)
            | Failure::Lost(sentence)
            | Failure::Foreign(sentence)
            | Failure::NotSignedIn(sentence)
            | Failure::Here(sentence)
            | Failure::TooLarge(sentence)
            | Failure::Nothing(sentence) => f.write_str(sentence),
            Failure::Refused {
                status: 401, detail, ..
            } if detail == BAD_PASSWORD => f.write_str(detail),
            Failure::Refused {
                status: 401,
                detail,
                advice,
            } => {
                write!(f, "the store does not let you in: 401, {detail}")?;
                advice.iter().try_for_each(|advice| write!(f, "; {advice}"))
            }
            Failure::Refused { status, detail, .. } => write!(f, "the store refuses: {status}, {detail}"),
            Failure::Closed { code, reason } if reason.is_empty() => {
                write!(f, "the store closed the connection with code {code}")
            }
            Failure::Closed { code, reason } => write!(f, "the store closed the connection: {code}, {reason}"),
            Failure::Interrupted => f.write_str("interrupted"),
            Failure::Unread => f.write_str("nobody reads the output any more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(code: u16, reason: &str) -> Failure {
        Failure::Closed {
            code,
            reason: reason.into(),
        }
    }

    #[test]
    fn only_what_passes_is_tried_again() {
        for failure in [
            Failure::Lost(String::new()),
            Failure::refused(503, b"{}"),
            closed(1001, "the server is stopping"),
            closed(1013, "Redis cannot be reached"),
            closed(1013, "Redis still reads its data: LOADING"),
        ] {
            assert!(failure.is_passing(), "{failure:?}");
            assert_eq!(failure.exit(), Exit::Unreachable);
        }
        for failure in [
            Failure::refused(401, b"{}"),
            Failure::refused(404, b"{}"),
            Failure::refused(422, b"{}"),
            closed(1000, ""),
            closed(1007, "bad offsets"),
            closed(1008, "too slow"),
            closed(1009, "too large"),
            closed(1011, "The key 'x' in Redis is not a stream."),
            closed(1011, "Redis refused: NOPERM this user has no permissions"),
            closed(1011, "Redis refused: it is in cluster mode"),
            closed(1011, "Redis refused: it has no EVAL"),
            closed(4001, "a gap"),
            Failure::Interrupted,
        ] {
            assert!(!failure.is_passing(), "{failure:?}");
        }
    }

    #[test]
    fn the_detail_of_a_reply_becomes_a_sentence() {
        let shown = |body: &str| Failure::refused(422, body.as_bytes()).to_string();
        assert_eq!(shown(r#"{"detail":"No."}"#), "the store refuses: 422, No.");
        let issues = r#"{"detail":[{"loc":["query","count"],"msg":"too small"},{"loc":["path","id"],"msg":"no"}]}"#;
        assert_eq!(
            shown(issues),
            "the store refuses: 422, query count: too small; path id: no"
        );
        assert!(shown("<html>").contains("is the address right"));
    }
}
