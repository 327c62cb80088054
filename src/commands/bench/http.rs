//! The store as a client knows it: its address, a token, and plain requests.

use serde_json::Value;

use super::wire::{Interrupted, Wire};
use crate::client;

/// Where the store is and how to get in.
#[derive(Clone)]
pub struct Store {
    pub host: String,
    /// Before every path, if the store is behind a proxy that gives it one.
    prefix: String,
    pub token: String,
    pub interrupted: Interrupted,
}

impl Store {
    /// The store that other clients would use, with this token.
    pub fn new(store: &client::Store, token: String, interrupted: &Interrupted) -> Store {
        Store {
            host: store.host().to_string(),
            prefix: store.path(""),
            token,
            interrupted: interrupted.clone(),
        }
    }

    /// The beginning of a request.
    pub fn begin(&self, method: &str, path: &str) -> String {
        format!("{method} {}{path} HTTP/1.1\r\n{}", self.prefix, self.headers())
    }

    /// One request on a connection of its own; the JSON that comes back with 200.
    pub fn ask(&self, method: &str, path: &str, content_type: &str, body: &str) -> Result<Value, String> {
        let mut wire = Wire::connect(&self.host, &self.interrupted)?;
        wire.send(
            format!(
                "{}Connection: close\r\nContent-Type: {content_type}\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                self.begin(method, path),
                body.len()
            )
            .as_bytes(),
        )?;
        let head = wire.head()?;
        let body: Value = serde_json::from_slice(wire.take(head.length)?)
            .map_err(|error| format!("the store's reply to {method} {path} is not JSON: {error}"))?;
        match head.status {
            200 => Ok(body),
            status => Err(refusal(status, &body)),
        }
    }

    fn headers(&self) -> String {
        let token = match self.token.as_str() {
            "" => String::new(),
            token => format!("Authorization: Bearer {token}\r\n"),
        };
        format!("Host: {}\r\n{token}", self.host)
    }
}

/// What the store says no with.
pub fn refusal(status: u16, body: &Value) -> String {
    let detail = match &body["detail"] {
        Value::String(sentence) => sentence.clone(),
        other => other.to_string(),
    };
    match status {
        401 => format!("the store lets nobody in with this token or password: 401, {detail}"),
        status => format!("the store refuses: {status}, {detail}"),
    }
}
