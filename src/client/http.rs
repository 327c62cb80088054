//! Plain requests to a store, each on a connection of its own, and the replies to them.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::wire::Wire;
use super::{Failure, Store};

/// The largest head of a reply, in bytes, and the most headers in it: more than any store sends.
const MAX_HEAD: usize = 64 << 10;
const MOST_HEADERS: usize = 64;

/// The largest body of a reply. Stores send 64 MiB unless they were told otherwise.
const MAX_BODY: usize = 1 << 30;

/// A reply, whatever its status.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// The value of a header, by its name in any letter case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The JSON of a reply with a good status; a refusal otherwise.
    pub fn json(&self) -> Result<Value, Failure> {
        match self.status {
            200..=299 => serde_json::from_slice(&self.body)
                .map_err(|error| Failure::Foreign(format!("this is no store: its reply is not JSON: {error}"))),
            status => Err(Failure::refused(status, &self.body)),
        }
    }
}

impl Store {
    /// The JSON behind a path, such as `/streams/`.
    pub fn get(&self, path: &str) -> Result<Value, Failure> {
        self.checked(self.ask("GET", path, &[], b"")?)
    }

    /// Puts something at a path, all of it in the query.
    pub fn put(&self, path: &str) -> Result<Value, Failure> {
        self.checked(self.ask("PUT", path, &[], b"")?)
    }

    /// Deletes what is at a path.
    pub fn delete(&self, path: &str) -> Result<Value, Failure> {
        self.checked(self.ask("DELETE", path, &[], b"")?)
    }

    /// Posts a body.
    pub fn post(&self, path: &str, content_type: &str, body: &[u8]) -> Result<Value, Failure> {
        self.checked(self.ask("POST", path, &[("Content-Type", content_type)], body)?)
    }

    fn checked(&self, reply: Reply) -> Result<Value, Failure> {
        reply.json().map_err(|failure| self.advise(failure))
    }

    /// A token for this user.
    pub fn sign_in(&self, user: &str, password: &str) -> Result<String, Failure> {
        let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
        let form = format!("username={}&password={}", encoded(user), encoded(password));
        let reply = self.post("/token", "application/x-www-form-urlencoded", form.as_bytes())?;
        match reply["access_token"].as_str() {
            Some(token) => Ok(token.to_owned()),
            None => Err(Failure::Foreign(
                "this is no store: its reply to POST /token has no token".into(),
            )),
        }
    }

    /// Any request, with these headers besides the token; the reply, whatever its status.
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Reply, Failure> {
        let mut wire = Wire::connect(self)?;
        let length = body.len().to_string();
        let mut all = vec![("Connection", "close")];
        if !matches!(method, "GET" | "HEAD") {
            all.push(("Content-Length", &length));
        }
        all.extend_from_slice(headers);
        wire.send(self.head(method, path, &all).as_bytes())?;
        // A store that refuses does not wait for the body; what it says counts, not that it stopped listening.
        let sent = wire.send(body);
        match receive(&mut wire, method) {
            Ok(reply) => Ok(reply),
            Err(failure) => Err(sent.err().unwrap_or(failure)),
        }
    }

    /// The head of a request.
    pub(super) fn head(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> String {
        let mut head = format!("{method} {} HTTP/1.1\r\nHost: {}\r\n", self.path(path), self.host());
        if let Some(token) = self.token() {
            head.push_str(&format!("Authorization: Bearer {token}\r\n"));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head + "\r\n"
    }
}

/// Reads a reply whole.
pub fn receive(wire: &mut Wire, method: &str) -> Result<Reply, Failure> {
    let mut reply = receive_head(wire)?;
    if method != "HEAD" && !matches!(reply.status, 101 | 204 | 304) {
        reply.body = receive_body(wire, &reply)?;
    }
    Ok(reply)
}

/// Reads the head of a reply; its body is still to come.
fn receive_head(wire: &mut Wire) -> Result<Reply, Failure> {
    loop {
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut head = httparse::Response::new(&mut headers);
        let parsed = head.parse(&wire.buffer);
        match parsed.map_err(|error| no_store(&error.to_string()))? {
            httparse::Status::Complete(length) => {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let headers = head.headers.iter();
                let reply = Reply {
                    status: head.code.unwrap_or_default(),
                    headers: headers
                        .map(|header| (header.name.to_owned(), text(header.value)))
                        .collect(),
                    body: Vec::new(),
                };
                wire.buffer.drain(..length);
                match reply.status {
                    // Something of its own is still to follow.
                    100 | 102..=199 => continue,
                    _ => return Ok(reply),
                }
            }
            httparse::Status::Partial if wire.buffer.len() > MAX_HEAD => {
                return Err(no_store(&format!(
                    "the head of its reply is larger than {MAX_HEAD} bytes"
                )));
            }
            httparse::Status::Partial => {}
        }
        if !wire.read()? {
            return Err(match wire.buffer.is_empty() {
                true => Failure::Lost("the store ended the connection without a reply".into()),
                false => ended_early(),
            });
        }
    }
}

fn receive_body(wire: &mut Wire, head: &Reply) -> Result<Vec<u8>, Failure> {
    let is_chunked = |coding: &str| coding.trim().eq_ignore_ascii_case("chunked");
    if head.header("Transfer-Encoding").is_some_and(is_chunked) {
        return receive_chunks(wire);
    }
    match head.header("Content-Length") {
        Some(length) => {
            let length: usize = length
                .trim()
                .parse()
                .map_err(|_| no_store(&format!("its Content-Length is '{length}'")))?;
            take(wire, length)
        }
        None => {
            while wire.read()? {
                check_size(wire.buffer.len())?;
            }
            Ok(std::mem::take(&mut wire.buffer))
        }
    }
}

/// Reads a body in chunks, which proxies make of any reply (RFC 9112, section 7.1). What trails it is left unread.
fn receive_chunks(wire: &mut Wire) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    loop {
        match httparse::parse_chunk_size(&wire.buffer) {
            Ok(httparse::Status::Complete((_, 0))) => return Ok(body),
            Ok(httparse::Status::Complete((line, size))) => {
                let size = usize::try_from(size).unwrap_or(usize::MAX);
                check_size(body.len().saturating_add(size))?;
                take(wire, line)?;
                body.extend(take(wire, size)?);
                take(wire, "\r\n".len())?;
            }
            Ok(httparse::Status::Partial) if wire.buffer.len() < MAX_HEAD => {
                if !wire.read()? {
                    return Err(ended_early());
                }
            }
            _ => return Err(no_store("its reply has broken chunks")),
        }
    }
}

/// The next bytes, so many.
fn take(wire: &mut Wire, count: usize) -> Result<Vec<u8>, Failure> {
    check_size(count)?;
    while wire.buffer.len() < count {
        if !wire.read()? {
            return Err(ended_early());
        }
    }
    let rest = wire.buffer.split_off(count);
    Ok(std::mem::replace(&mut wire.buffer, rest))
}

fn check_size(size: usize) -> Result<(), Failure> {
    match size {
        0..=MAX_BODY => Ok(()),
        _ => Err(no_store(&format!("its reply is larger than {MAX_BODY} bytes"))),
    }
}

fn ended_early() -> Failure {
    Failure::Lost("the store ended the connection within its reply".into())
}

fn no_store(why: &str) -> Failure {
    Failure::Foreign(format!("this is no store: {why}"))
}
