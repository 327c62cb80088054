//! The hand-over to tiny_http: one complete, bounded, well-formed request over a private Unix socket, and its reply back.
//!
//! There are as many lines to it as workers, kept from one request to the next.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use percent_encoding::{AsciiSet, utf8_percent_encode};

use super::body::Body;
use super::reply::{connection, status_line};
use crate::limits::{Reservation, UNCOUNTED, lock};
use crate::state::context::Context;
use crate::words::error::Error;
use crate::words::http::Head;

/// The headers that handlers read, besides `Host`. No other header of a client gets past the door.
const PASSED_ON: [&str; 12] = [
    "Origin",
    "Sec-Fetch-Site",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Prefix",
    "Authorization",
    "Cookie",
    "Content-Type",
    "Content-Encoding",
    "Accept",
    "Accept-Encoding",
    "Last-Event-ID",
];

/// What is encoded in their values besides what is not ASCII: with the `%` itself, no two become the same.
const ENCODED: &AsciiSet = &AsciiSet::EMPTY.add(b'%');

/// Headers of tiny_http about its own connection, which are not the client's.
const NOT_PASSED_BACK: [&str; 2] = ["Connection", "Transfer-Encoding"];

/// How long a worker may take: longer than any command to Redis may, with some queueing before it.
const WORKER_TIMEOUT: Duration = Duration::from_secs(30);

/// What a new line is tried with.
const FIRST_REQUEST: &[u8] = b"HEAD /health HTTP/1.1\r\nContent-Length: 0\r\n\r\n";

/// The largest head that a reply of ours has: 32 KiB of entry offsets and some headers, or one entry of each of 256 streams
/// with long names.
const MAX_REPLY_HEAD: usize = 512 << 10;

/// A reply as tiny_http gave it.
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: Vec<u8>,
    headers: Vec<u8>,
    _reservation: Reservation,
}

impl Answer {
    /// Its head for the client.
    pub fn head(&self, keep_alive: bool, common: &[(&str, String)]) -> Vec<u8> {
        let connection = connection(keep_alive);
        let mut head = status_line(self.status).into_bytes();
        head.extend_from_slice(&self.headers);
        for (name, value) in common {
            head.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        head.extend_from_slice(format!("Connection: {connection}\r\n\r\n").as_bytes());
        head
    }
}

/// Hands a request over and waits for the reply.
pub fn ask(context: &Context, head: &Head, body: Body) -> Result<Answer, Error> {
    let busy = |error: io::Error| Error::Busy(format!("No REST worker answered: {error}."));
    let late = || io::Error::from(io::ErrorKind::TimedOut);
    let mut lease = context.lines.lease(WORKER_TIMEOUT).ok_or_else(late).map_err(busy)?;
    // Only a line that has come through the exchange whole is good for another.
    let mut line = match lease.line.take() {
        Some(line) => line,
        None => open(context).map_err(busy)?,
    };
    line.write_all(&request(head, body.bytes.len())).map_err(busy)?;
    let Body {
        bytes,
        reservation: _held,
    } = body;
    line.write_all(&bytes).map_err(busy)?;
    drop(bytes);
    let answer = read(context, head, &mut line).map_err(busy)?;
    lease.line = Some(line);
    Ok(answer)
}

/// Opens all lines, so that the first requests need not wait for that.
pub fn open_lines(context: &Context) -> io::Result<()> {
    let mut leases = Vec::new();
    while let Some(mut lease) = context.lines.lease(Duration::ZERO) {
        lease.line = Some(open(context)?);
        leases.push(lease);
    }
    Ok(())
}

/// Opens a line, one at a time and with a first answer: tiny_http 0.12 may put two connections that come together on one
/// thread, and the second would wait until the first is closed (`util/task_pool.rs`).
fn open(context: &Context) -> io::Result<UnixStream> {
    let _alone = lock(&context.lines.opening);
    let mut line = UnixStream::connect(&context.rest_socket)?;
    line.set_read_timeout(Some(WORKER_TIMEOUT))?;
    line.set_write_timeout(Some(WORKER_TIMEOUT))?;
    line.write_all(FIRST_REQUEST)?;
    let probe = Head {
        method: "HEAD".into(),
        ..Head::default()
    };
    read(context, &probe, &mut line)?;
    Ok(line)
}

fn request(head: &Head, body_length: usize) -> Vec<u8> {
    let Head {
        method, path, query, ..
    } = head;
    let mut wire = format!("{method} {path}?{query} HTTP/1.1\r\n");
    let passed_on = PASSED_ON
        .iter()
        .flat_map(|name| head.all(name).map(move |value| (*name, value)));
    for (name, value) in head.hosts().map(|host| ("Host", host)).chain(passed_on) {
        // tiny_http takes ASCII only. No header that handlers read has a meaning beyond it, but different ones stay different.
        let value = utf8_percent_encode(value, ENCODED);
        wire.push_str(&format!("{name}: {value}\r\n"));
    }
    wire.push_str(&format!("Content-Length: {body_length}\r\n\r\n"));
    wire.into_bytes()
}

fn read(context: &Context, head: &Head, stream: &mut UnixStream) -> io::Result<Answer> {
    let broken = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_string());
    let mut bytes = Vec::new();
    let (length, status, headers, body_length) = loop {
        let before = bytes.len();
        bytes.resize(before + 4096, 0);
        let count = stream.read(&mut bytes[before..])?;
        bytes.truncate(before + count);
        match parse(&bytes).ok_or_else(|| broken("its reply does not parse"))? {
            ReplyHead::Whole(length, status, headers, body_length) => break (length, status, headers, body_length),
            ReplyHead::Partial => {}
        }
        if count == 0 || bytes.len() > MAX_REPLY_HEAD {
            return Err(broken("its reply ends too early"));
        }
    };
    let mut reservation = context.bodies.reserve_nothing();
    // Only entries that are read can be large. Their handler found room for them, and now gives its own copy up.
    if head.method == "GET" && body_length > UNCOUNTED {
        reservation.take(body_length);
    }
    let mut body = bytes.split_off(length);
    // HEAD announces a body and sends none.
    if head.method != "HEAD" {
        let left = body_length.saturating_sub(body.len());
        body.try_reserve_exact(left)?;
        if stream.take(left as u64).read_to_end(&mut body)? < left {
            return Err(broken("its reply ends too early"));
        }
    }
    Ok(Answer {
        status,
        headers,
        body,
        _reservation: reservation,
    })
}

/// The head of a reply of tiny_http.
enum ReplyHead {
    /// Not whole yet.
    Partial,
    /// How long it is, the status, the headers for the client, and the announced length of the body.
    Whole(usize, u16, Vec<u8>, usize),
}

/// None if this is not HTTP.
fn parse(bytes: &[u8]) -> Option<ReplyHead> {
    let mut storage = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut storage);
    let length = match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Some(ReplyHead::Partial),
        Err(_) => return None,
    };
    let mut headers = Vec::new();
    let mut body_length = 0;
    for header in response.headers.iter() {
        if header.name.eq_ignore_ascii_case("Content-Length") {
            body_length = std::str::from_utf8(header.value).ok()?.parse().ok()?;
        }
        if !NOT_PASSED_BACK
            .iter()
            .any(|name| header.name.eq_ignore_ascii_case(name))
        {
            headers.extend_from_slice(header.name.as_bytes());
            headers.extend_from_slice(b": ");
            headers.extend_from_slice(header.value);
            headers.extend_from_slice(b"\r\n");
        }
    }
    Some(ReplyHead::Whole(length, response.code?, headers, body_length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_header_values_stay_different_in_ascii() {
        let values = ["plain; a=\"b\"\tc", "ä", "ö", "%C3%A4", "%25", "%", "?", "\u{fffd}"];
        let passed_on = |value: &&str| {
            let headers = vec![("Origin".to_string(), value.to_string())];
            let wire = request(
                &Head {
                    headers,
                    ..Head::default()
                },
                0,
            );
            String::from_utf8(wire).unwrap()
        };
        let wires: Vec<String> = values.iter().map(passed_on).collect();
        assert!(
            wires[0].contains(&format!("\r\nOrigin: {}\r\n", values[0])),
            "{}",
            wires[0]
        );
        assert!(wires.iter().all(|wire| wire.is_ascii()));
        let different: std::collections::BTreeSet<&String> = wires.iter().collect();
        assert_eq!(different.len(), values.len());
    }
}
