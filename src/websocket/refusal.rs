//! Why a batch is refused, and the two ways to tell its client: the socket closes, or an error comes in place of the ids.

use serde::Serialize;

use crate::words::batch_header::BatchError;
use crate::words::ending::Ending;
use crate::words::error::{StoreError, close};

/// A refusal that leaves the socket as it was: nothing of the batch is stored, and the next one may be fine.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Refusal {
    error: String,
    /// The code with which the socket would close.
    code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<String>,
    /// The id that was asked for, and the newest one that is in its way.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    newest: Option<String>,
}

impl Refusal {
    fn new(code: u16, error: String) -> Refusal {
        Refusal {
            error,
            code,
            stream: None,
            id: None,
            newest: None,
        }
    }

    /// Of a header, or of a blob that does not fit it. An error ends the socket in any case.
    pub fn of_header(error: BatchError) -> Result<Refusal, Ending> {
        match error {
            BatchError::Header(sentence) => Ok(Refusal::new(close::BAD_DATA, sentence)),
            BatchError::TooMany(limit) => Err(too_many(limit)),
        }
    }

    /// Of the store, because of what is in the batch; none if the store failed for another reason.
    pub fn of_store(error: &StoreError) -> Option<Refusal> {
        let refusal = Refusal::new(error.close_code(), error.to_string());
        match error.clone() {
            StoreError::NotAStream(stream) => Some(Refusal {
                stream: Some(stream),
                ..refusal
            }),
            StoreError::IdNotLarger { stream, id, newest, .. } => Some(Refusal {
                stream: Some(stream),
                id: Some(id),
                newest: Some(newest),
                ..refusal
            }),
            _ => None,
        }
    }

    /// The memory that it takes, in bytes, about.
    pub fn size(&self) -> usize {
        self.error.len()
    }

    /// As a line of JSON, in place of the ids.
    pub fn to_json(&self) -> String {
        // Texts and a number always become JSON.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// As the end of the socket.
    pub fn into_ending(self) -> Ending {
        Ending::close(self.code, self.error)
    }
}

/// The ending that a batch of too many entries brings about.
pub fn too_many(limit: usize) -> Ending {
    let reason = format!("a batch has more than {limit} entries (--max-batch)");
    Ending::close(close::TOO_LARGE, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_one_line_of_json_that_begins_with_the_sentence() {
        let refusal = Refusal::new(1007, "offset 1 is not a number: \"a\\n\"".into());
        assert_eq!(
            refusal.to_json(),
            r#"{"error":"offset 1 is not a number: \"a\\n\"","code":1007}"#
        );
        let refused = StoreError::IdNotLarger {
            stream: "s".into(),
            id: "5-1".into(),
            newest: "7-0".into(),
            unsure: false,
        };
        assert_eq!(
            Refusal::of_store(&refused).unwrap().to_json(),
            r#"{"error":"id 5-1 is not larger than 7-0, the newest of 's'","code":1007,"stream":"s","id":"5-1","newest":"7-0"}"#
        );
    }

    #[test]
    fn only_what_is_in_a_batch_leaves_the_socket_as_it_was() {
        assert!(Refusal::of_store(&StoreError::NotAStream("s".into())).is_some());
        for other in [
            StoreError::Unreachable("gone".into()),
            StoreError::Full("OOM".into()),
            StoreError::Refused("NOPERM".into()),
        ] {
            assert_eq!(Refusal::of_store(&other), None);
        }
        assert!(Refusal::of_header(BatchError::TooMany(9)).is_err());
    }
}
