//! How Redis is, as `GET /activity` tells it: what the watch knows goes in, with what Redis says of its memory and of its saving;
//! the object `redis` comes out.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::store::{Failure, NEARLY_FULL, Standing, State, Storage};
use crate::words::error::{Error, StoreError};
use crate::words::http::Reply;

/// Of a Redis that answers.
pub fn of(standing: &Standing, storage: &Storage) -> Value {
    let (state, detail) = judge(&standing.state, storage);
    // The watch does not see a Redis that is nearly full, or that takes writes and cannot save.
    let since = standing.state.trouble().map(|_| standing.since.to_string());
    let saved = storage
        .saved
        .and_then(|saved| Timestamp::from_second(i64::try_from(saved).ok()?).ok());
    json!({
        "state": state,
        "since": since,
        "detail": detail,
        "used_memory": storage.used_memory,
        "maxmemory": storage.maxmemory,
        "changes_since_save": storage.changes,
        "last_save": saved.map(|saved| saved.to_string()),
    })
}

/// The reply where it does not answer, or is of no use: 503, and since when.
pub fn refusal(cause: StoreError, standing: &Standing) -> Reply {
    let detail = cause.to_string();
    let error = Error::Store(cause);
    // Who looked may know before the watch does.
    let since = match standing.state {
        State::Away(_) => standing.since,
        _ => standing.answered,
    };
    let redis = json!({ "state": "away", "since": since.to_string(), "detail": detail });
    let body = json!({ "detail": detail, "redis": redis }).to_string();
    Reply {
        body: Reply::json_text(error.status(), body).body,
        ..error.to_reply()
    }
}

/// A word, and a sentence unless all is well.
fn judge(state: &State, storage: &Storage) -> (&'static str, Option<String>) {
    let memory = memory(storage);
    match (state, storage.failure) {
        (State::Away(cause), _) => ("away", Some(cause.to_string())),
        (State::TakesNoWrites(cause), failure) if failure.is_some() || is_of_saving(cause) => {
            let failed = failed(failure, storage);
            (
                "not_saving",
                Some(format!("{failed}. It refuses pushes until it can save.")),
            )
        }
        (State::TakesNoWrites(cause), _) => ("read_only", Some(cause.to_string())),
        (State::Full(_), _) => (
            "full",
            Some(format!(
                "Redis is full: {memory}. It refuses pushes until there is room."
            )),
        ),
        (State::Well, Some(failure)) => {
            let failed = failed(Some(failure), storage);
            ("not_saving", Some(format!("{failed}.")))
        }
        (State::Well, None) if storage.refuses && storage.percent() >= Some(NEARLY_FULL) => (
            "nearly_full",
            Some(format!("Redis is nearly full: {memory}. It will refuse pushes.")),
        ),
        (State::Well, None) => ("well", None),
    }
}

/// Redis says so of a disk that it cannot write to.
fn is_of_saving(cause: &StoreError) -> bool {
    cause.to_string().contains("MISCONF")
}

fn failed(failure: Option<Failure>, storage: &Storage) -> String {
    let what = match failure {
        Some(Failure::AppendOnlyFile) => "its last write to the append-only file failed",
        Some(Failure::Snapshot) => "its last snapshot failed",
        None => "its disk cannot be written to",
    };
    let at_stake = storage
        .changes
        .map(|changes| format!(", and {changes} changes are in its memory only"));
    format!("Redis cannot save: {what}{}", at_stake.unwrap_or_default())
}

/// As `480.0 of 512.0 MiB are used (93 %)`.
fn memory(storage: &Storage) -> String {
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    match (storage.used_memory, storage.maxmemory, storage.percent()) {
        (Some(used), Some(limit), Some(percent)) => {
            let (used, limit) = (mebibytes(used), mebibytes(limit));
            format!("{used:.1} of {limit:.1} MiB are used ({percent} %)")
        }
        (Some(used), ..) => format!("{:.1} MiB are used", mebibytes(used)),
        _ => "its memory is used up".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn storage(used: u64, failure: Option<Failure>) -> Storage {
        Storage {
            used_memory: Some(used << 20),
            maxmemory: Some(512 << 20),
            refuses: true,
            failure,
            changes: Some(53),
            saved: None,
        }
    }

    fn refusing(code: &str) -> State {
        State::TakesNoWrites(StoreError::Unusable(format!("Redis takes no writes: {code} …")))
    }

    #[test]
    fn what_matters_most_is_told_with_its_number() {
        let full = State::Full(StoreError::Full("OOM".into()));
        let broken = Some(Failure::Snapshot);
        for (state, used, failure, word, told) in [
            (State::Well, 100, None, "well", ""),
            (State::Well, 486, None, "well", ""),
            (
                State::Well,
                487,
                None,
                "nearly_full",
                "487.0 of 512.0 MiB are used (95 %)",
            ),
            (full.clone(), 513, None, "full", "513.0 of 512.0 MiB are used (100 %)"),
            (
                State::Well,
                100,
                broken,
                "not_saving",
                "its last snapshot failed, and 53 changes",
            ),
            (
                refusing("MISCONF"),
                100,
                None,
                "not_saving",
                "refuses pushes until it can save",
            ),
            (refusing("READONLY"), 100, None, "read_only", "READONLY"),
            (refusing("MISCONF"), 513, broken, "not_saving", "53 changes"),
        ] {
            let (state, detail) = judge(&state, &storage(used, failure));
            assert_eq!(state, word);
            assert_eq!(detail.is_none(), told.is_empty(), "{state}");
            assert!(detail.unwrap_or_default().contains(told), "{told}");
        }
    }

    #[test]
    fn a_redis_that_forgets_instead_is_never_nearly_full() {
        let forgets = Storage {
            refuses: false,
            ..storage(512, None)
        };
        assert_eq!(judge(&State::Well, &forgets), ("well", None));
    }

    #[test]
    fn without_numbers_there_are_none_to_tell() {
        let full = State::Full(StoreError::Full("OOM".into()));
        let (_, detail) = judge(&full, &Storage::default());
        assert_eq!(
            detail.unwrap(),
            "Redis is full: its memory is used up. It refuses pushes until there is room."
        );
    }
}
