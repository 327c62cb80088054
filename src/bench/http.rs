//! The store as a client knows it: its address, a token, and plain requests.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::wire::{Interrupted, Wire};

/// Where the store is and how to get in.
#[derive(Clone)]
pub struct Store {
    pub host: String,
    pub token: String,
    pub interrupted: Interrupted,
}

impl Store {
    /// The store at this URL. Nobody has signed in yet.
    pub fn new(url: &str, interrupted: &Interrupted) -> Result<Store, String> {
        let host = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        let host = host.filter(|host| !host.is_empty() && !host.contains('/'));
        let host = host.ok_or_else(|| format!("--url {url} is not like http://127.0.0.1:7890"))?;
        let port = if host.contains(':') { "" } else { ":80" };
        Ok(Store {
            host: format!("{host}{port}"),
            token: String::new(),
            interrupted: interrupted.clone(),
        })
    }

    /// Gets a token with a user's name and password.
    pub fn sign_in(&mut self, user: &str, password: &str) -> Result<(), String> {
        let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let form = format!("username={}&password={}", encoded(user), encoded(password));
        let reply = self.ask("POST", "/token", "application/x-www-form-urlencoded", &form);
        let reply = reply.map_err(|error| format!("cannot sign in as {user}: {error}"))?;
        let token = reply["access_token"].as_str();
        self.token = token
            .ok_or("the store's reply to POST /token has no token")?
            .to_string();
        Ok(())
    }

    /// One request on a connection of its own; the JSON that comes back with 200.
    pub fn ask(&self, method: &str, path: &str, content_type: &str, body: &str) -> Result<Value, String> {
        let mut wire = Wire::connect(&self.host, &self.interrupted)?;
        wire.send(
            format!(
                "{method} {path} HTTP/1.1\r\n{}Connection: close\r\nContent-Type: {content_type}\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                self.headers(),
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

    /// The headers of every request.
    pub fn headers(&self) -> String {
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
