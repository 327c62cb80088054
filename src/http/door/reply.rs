//! Replies onto a connection: those that the door gives itself, and writing any of them in time.

use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant, SystemTime};

use super::inbox::{Inbox, More};
use crate::net::wait::{Pace, is_quiet};
use crate::state::context::Context;
use crate::words::error::Error;
use crate::words::http::{Head, NOSNIFF, Reply, SERVER};

/// How long a refused client's bytes are read and dropped, so that it can read why it was refused:
/// in all, and after the last of them.
const LINGER: Duration = Duration::from_secs(10);
const LINGER_QUIET: Duration = Duration::from_secs(2);

/// Whether the client wants to use its connection again (RFC 9112, 9.3).
pub fn keeps_alive(head: &Head) -> bool {
    match head.minor_version {
        _ if head.lists("Connection", "close") => false,
        0 => head.lists("Connection", "keep-alive"),
        _ => true,
    }
}

/// A reply of the door itself as bytes, with the headers that every reply has.
pub fn serialize(reply: &Reply, head_only: bool, keep_alive: bool, common: &[(&str, String)]) -> Vec<u8> {
    let mut wire = status_line(reply.status).into_bytes();
    let date = httpdate::fmt_http_date(SystemTime::now());
    let length = reply.body.len().to_string();
    // A reply that has no body by its nature, or whose length would only show in the end, tells none (RFC 9110, 8.6).
    let told = reply.status != 204 && !(head_only && reply.body.is_empty());
    let own = [
        Some(("Server", SERVER)),
        Some(("Date", &date)),
        told.then_some(("Content-Length", &length)),
        Some(("Connection", connection(keep_alive))),
        Some(NOSNIFF),
    ];
    let given = common.iter().chain(&reply.headers);
    let given = given.map(|(name, value)| (*name, value.as_str()));
    for (name, value) in own.into_iter().flatten().chain(given) {
        wire.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    wire.extend_from_slice(b"\r\n");
    if !head_only {
        wire.extend_from_slice(&reply.body);
    }
    wire
}

/// The word that says whether the connection lives on.
pub fn connection(keep_alive: bool) -> &'static str {
    if keep_alive { "keep-alive" } else { "close" }
}

/// `HTTP/1.1 404 Not Found` and its line end (RFC 9110, section 15).
pub fn status_line(status: u16) -> String {
    let reason = match status {
        101 => "Switching Protocols",
        200 => "OK",
        204 => "No Content",
        307 => "Temporary Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        411 => "Length Required",
        413 => "Content Too Large",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        426 => "Upgrade Required",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Error",
    };
    format!("HTTP/1.1 {status} {reason}\r\n")
}

/// Writes everything; a client that takes nothing for `--stall-timeout`, or only trickles, is given up.
pub fn write(stream: &TcpStream, wire: &[u8], context: &Context) -> io::Result<()> {
    let mut pace = Pace::new(context.config.limits.stall_timeout);
    let mut written = 0;
    let mut stream = stream;
    while written < wire.len() {
        let count = match stream.write(&wire[written..]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => count,
            Err(error) if is_quiet(&error) => 0,
            Err(error) => return Err(error),
        };
        written += count;
        pace.moved(count);
        if written < wire.len() && pace.is_lost() {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
    Ok(())
}

/// Closes our side and drops what still comes, because closing on unread bytes would reset the connection,
/// and the client might never see the reply (RFC 9112, 9.6).
pub fn linger(inbox: &mut Inbox, stream: &TcpStream) {
    let _ = stream.shutdown(Shutdown::Write);
    let until = Instant::now() + LINGER;
    let mut heard = Instant::now();
    while Instant::now() < until && heard.elapsed() < LINGER_QUIET {
        inbox.take_all();
        match inbox.more(usize::MAX) {
            More::Some => heard = Instant::now(),
            More::Quiet => {}
            More::End => return,
        }
    }
}

/// Tells a client that there is no place for it. One write that never waits, because it happens on the accepting thread.
pub fn turn_away(stream: &TcpStream, error: &Error) {
    let wire = serialize(&error.to_reply(), false, false, &[]);
    let mut stream = stream;
    if stream.set_nonblocking(true).is_ok() {
        let _ = stream.write(&wire);
        let _ = stream.shutdown(Shutdown::Write);
    }
}
