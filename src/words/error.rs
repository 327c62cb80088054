//! One error type for everything a client can be told, and how it is told:
//! a status with a JSON detail over HTTP, a close code with a reason over WebSocket.

use std::borrow::Cow;
use std::fmt;

use serde_json::{Value, json};

use crate::words::http::Reply;

/// Seconds after which a client may try again when the store is out of reach.
const RETRY_AFTER: &str = "1";

/// What went wrong, in terms of the contract.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// 404: no such path.
    NotFound,
    /// 405: the path is there, but not for this method; the methods it has.
    MethodNotAllowed(String),
    /// 401: no token where one is needed.
    NotAuthenticated,
    /// 401: a token that is not ours, or was.
    BadToken,
    /// 403: a page of another origin uses the cookie of its visitor.
    CrossSite,
    /// 401: sign-in failed.
    BadPassword,
    /// 415: the body is in a content coding, and none is decoded here.
    ContentCoding,
    /// 422: parameters that do not parse, all of them.
    Invalid(Vec<Issue>),
    /// Any other refusal of a request: status, and the detail, a sentence or an object.
    Refused(u16, Value),
    /// 503: something of ours is used up for now; the sentence names the limit.
    Busy(String),
    /// Redis did not do what was asked.
    Store(StoreError),
}

/// One parameter that does not parse, in the form FastAPI clients know.
#[derive(Debug, Clone, PartialEq)]
pub struct Issue {
    /// Where it is: `query`, `path` or `body`.
    pub place: &'static str,
    /// Its name.
    pub name: Cow<'static, str>,
    /// What is wrong, as a sentence.
    pub message: String,
    /// What is wrong, as a word of the field.
    pub kind: &'static str,
    /// What to send instead, as a sentence.
    pub hint: Option<&'static str>,
}

/// Why Redis did not do what was asked.
#[derive(Debug, Clone, PartialEq)]
pub enum StoreError {
    /// It cannot be reached; the cause.
    Unreachable(String),
    /// It answers, but it cannot do what was asked for now, or until an operator mends it; a whole sentence.
    Unusable(String),
    /// It is out of memory.
    Full(String),
    /// There is no memory of ours for what was asked; the sentence names the limit.
    NoRoom(String),
    /// The key is there, but is no stream.
    NotAStream(String),
    /// A stream takes no entry with this id, because its newest one is as large or larger.
    IdNotLarger {
        /// The stream.
        stream: String,
        /// The id that was asked for.
        id: String,
        /// The stream's newest one.
        newest: String,
        /// Whether an earlier attempt may have stored the entry all the same.
        unsure: bool,
    },
    /// It refused; its own words.
    Refused(String),
}

/// Close codes of RFC 6455, section 7.4, and the registry it opened.
pub mod close {
    #![allow(missing_docs)]
    pub const NORMAL: u16 = 1000;
    pub const STOPPING: u16 = 1001;
    pub const PROTOCOL: u16 = 1002;
    pub const WRONG_KIND: u16 = 1003;
    pub const NO_CLOSE_FRAME: u16 = 1006;
    pub const BAD_DATA: u16 = 1007;
    pub const POLICY: u16 = 1008;
    pub const TOO_LARGE: u16 = 1009;
    pub const STORE_FAILED: u16 = 1011;
    pub const TRY_LATER: u16 = 1013;
    /// One of ours (4000 to 4999 are for applications): retention trimmed what was not read yet.
    pub const GAP: u16 = 4001;
}

impl Error {
    /// A refusal with a sentence.
    pub fn refused(status: u16, sentence: impl Into<String>) -> Error {
        Error::Refused(status, Value::String(sentence.into()))
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        match self {
            Error::NotFound => 404,
            Error::MethodNotAllowed(_) => 405,
            Error::NotAuthenticated | Error::BadToken | Error::BadPassword => 401,
            Error::CrossSite => 403,
            Error::ContentCoding => 415,
            Error::Invalid(_) => 422,
            Error::Refused(status, _) => *status,
            Error::Busy(_) => 503,
            Error::Store(error) if error.is_passing() => 503,
            Error::Store(StoreError::Full(_) | StoreError::NoRoom(_)) => 503,
            Error::Store(StoreError::NotAStream(_) | StoreError::IdNotLarger { .. }) => 400,
            Error::Store(_) => 500,
        }
    }

    /// The value of `detail`.
    pub fn detail(&self) -> Value {
        match self {
            Error::NotFound => json!("Not Found"),
            Error::MethodNotAllowed(_) => json!("Method Not Allowed"),
            Error::NotAuthenticated => json!("Not authenticated"),
            Error::BadToken => json!("Could not validate credentials"),
            Error::CrossSite => json!("The cookie is not taken from pages of another origin; send the token itself"),
            Error::BadPassword => json!("Incorrect username or password"),
            Error::ContentCoding => json!("No Content-Encoding is decoded here; send the body as it is"),
            Error::Invalid(issues) => issues.iter().map(Issue::to_json).collect(),
            Error::Refused(_, detail) => detail.clone(),
            Error::Busy(sentence) => json!(sentence),
            Error::Store(error) => json!(error.to_string()),
        }
    }

    /// What to send instead, where that can be said. It stands beside `detail`, in which clients know each word.
    fn hint(&self) -> Option<&'static str> {
        match self {
            Error::Invalid(issues) => issues.iter().find_map(|issue| issue.hint),
            _ => None,
        }
    }

    /// The whole HTTP reply.
    pub fn to_reply(&self) -> Reply {
        let mut body = json!({ "detail": self.detail() });
        if let Some(hint) = self.hint() {
            body["hint"] = json!(hint);
        }
        let reply = Reply::json_text(self.status(), body.to_string());
        match self {
            Error::MethodNotAllowed(methods) => reply.with("Allow", methods.as_str()),
            // RFC 9110, section 15.5.16.
            Error::ContentCoding => reply.with("Accept-Encoding", "identity"),
            _ if self.status() == 401 => reply.with("WWW-Authenticate", "Bearer"),
            _ if self.status() == 503 => reply.with("Retry-After", RETRY_AFTER),
            _ if self.status() == 426 => reply.with("Upgrade", "websocket").with("Sec-WebSocket-Version", "13"),
            _ => reply,
        }
    }
}

impl Issue {
    /// A complaint without a hint.
    pub fn new(
        place: &'static str,
        name: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
        kind: &'static str,
    ) -> Issue {
        Issue {
            place,
            name: name.into(),
            message: message.into(),
            kind,
            hint: None,
        }
    }

    /// "field required", and perhaps how to send it.
    pub fn missing(place: &'static str, name: &'static str, hint: Option<&'static str>) -> Issue {
        Issue {
            hint,
            ..Issue::new(place, name, "field required", "value_error.missing")
        }
    }

    fn to_json(&self) -> Value {
        json!({ "loc": [self.place, self.name], "msg": self.message, "type": self.kind })
    }
}

impl StoreError {
    /// Whether it is worth trying again: Redis is away, or in a state that passes.
    pub fn is_passing(&self) -> bool {
        matches!(self, StoreError::Unreachable(_) | StoreError::Unusable(_))
    }

    /// The close code that tells a WebSocket peer.
    pub fn close_code(&self) -> u16 {
        match self {
            StoreError::Unreachable(_) | StoreError::Unusable(_) | StoreError::Full(_) | StoreError::NoRoom(_) => {
                close::TRY_LATER
            }
            StoreError::IdNotLarger { .. } => close::BAD_DATA,
            StoreError::NotAStream(_) | StoreError::Refused(_) => close::STORE_FAILED,
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            StoreError::Unreachable(cause) => write!(f, "Redis cannot be reached: {cause}"),
            StoreError::Full(cause) => write!(f, "Redis is out of memory: {cause}"),
            StoreError::Unusable(sentence) | StoreError::NoRoom(sentence) => f.write_str(sentence),
            StoreError::NotAStream(key) => write!(f, "The key '{key}' in Redis is not a stream."),
            StoreError::IdNotLarger {
                stream,
                id,
                newest,
                unsure,
            } => {
                write!(f, "id {id} is not larger than {newest}, the newest of '{stream}'")?;
                match unsure {
                    true => f.write_str("; it may be stored, the connection to Redis broke"),
                    false => Ok(()),
                }
            }
            StoreError::Refused(cause) => write!(f, "Redis refused: {cause}"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.detail() {
            Value::String(sentence) => f.write_str(&sentence),
            detail => write!(f, "{detail}"),
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Error {
        Error::Store(error)
    }
}

impl std::error::Error for Error {}
