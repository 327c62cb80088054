//! A request's body: how it is framed (RFC 9112, section 6), and reading it whole within limits.

use std::io::Write;
use std::net::TcpStream;

use super::inbox::{Inbox, More};
use crate::limits::{ROOM_PATIENCE, Reservation};
use crate::net::growth;
use crate::net::wait::Pace;
use crate::request::call::Call;
use crate::state::config::Limits;
use crate::state::context::Context;
use crate::words::error::Error;
use crate::words::http::Head;
use crate::words::units::Size;

/// The largest body of a request that brings no entries, in bytes: a sign-in form is far smaller.
/// Anybody may send one, so it is to cost little.
const SMALL_BODY: usize = 16 << 10;

/// How much of a body is read at once, and how much memory it has at first, in bytes.
pub const STEP: usize = 64 << 10;

/// Where a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is none, and nothing says so either.
    None,
    /// After so many bytes.
    Length(usize),
    /// After the last chunk.
    Chunked,
}

/// A body in memory, and its part of the budget.
pub struct Body {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Its part of the budget; held until the reply is there, because a worker holds the body as long.
    pub reservation: Reservation,
}

impl Framing {
    /// Whether no byte of a body will come.
    pub fn is_empty(self) -> bool {
        matches!(self, Framing::None | Framing::Length(0))
    }
}

impl Body {
    /// No body.
    pub fn empty(context: &Context) -> Body {
        Body {
            bytes: Vec::new(),
            reservation: context.bodies.reserve_nothing(),
        }
    }
}

/// Decides where the body ends. Whatever two readers could read in two ways is refused.
pub fn framing(head: &Head, limits: &Limits) -> Result<Framing, Error> {
    let refused = |sentence: &str| Err(Error::refused(400, sentence));
    let lengths: Vec<&str> = head.all("Content-Length").collect();
    let codings: Vec<&str> = head.all("Transfer-Encoding").collect();
    match (codings.as_slice(), lengths.as_slice()) {
        ([], []) => Ok(Framing::None),
        ([], [length]) => {
            if length.is_empty() || !length.bytes().all(|b| b.is_ascii_digit()) {
                return refused("Content-Length is not a number.");
            }
            match length.parse::<usize>() {
                Ok(length) if length <= limits.max_body.0 => Ok(Framing::Length(length)),
                _ => Err(too_large(limits)),
            }
        }
        ([], _) => refused("Content-Length is given more than once."),
        (_, [_, ..]) => refused("Transfer-Encoding and Content-Length exclude each other."),
        ([coding], []) if head.minor_version == 1 && coding.trim().eq_ignore_ascii_case("chunked") => {
            Ok(Framing::Chunked)
        }
        _ => refused("The only Transfer-Encoding understood here is chunked, in HTTP/1.1."),
    }
}

/// Whether the client waits to be told before it sends its body (RFC 9110, 10.1.1). No other expectation is met here, and
/// HTTP/1.0 has none.
pub fn waits_for_word(head: &Head) -> Result<bool, Error> {
    if head.minor_version == 0 {
        return Ok(false);
    }
    let mut expected = head.items("Expect").peekable();
    let waits = expected.peek().is_some();
    match expected.find(|item| !item.eq_ignore_ascii_case("100-continue")) {
        None => Ok(waits),
        Some(_) => Err(Error::refused(
            417,
            "The only expectation that is met here is 100-continue.",
        )),
    }
}

/// Reads the body whole, after telling a client that waits for it to go on.
pub fn read(
    inbox: &mut Inbox,
    stream: &TcpStream,
    framing: Framing,
    call: &Call,
    context: &Context,
    head: &Head,
) -> Result<Body, Error> {
    let takes_a_body = matches!(call, Call::PostData { .. } | Call::Token | Call::SignOut);
    if framing == Framing::None && takes_a_body {
        return Err(Error::refused(
            411,
            "The request has neither Content-Length nor Transfer-Encoding.",
        ));
    }
    let limit = match call {
        Call::PostData { .. } => Limit {
            bytes: context.config.limits.max_body.0,
            name: "--max-body",
        },
        _ => Limit {
            bytes: SMALL_BODY,
            name: "of requests that bring no entries",
        },
    };
    if matches!(framing, Framing::Length(length) if length > limit.bytes) {
        return Err(limit.error());
    }
    if !framing.is_empty() && inbox.bytes().is_empty() && waits_for_word(head)? {
        let mut stream = stream;
        // If this fails, reading will, too.
        let _ = stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n");
    }
    let pace = Pace::new(context.config.limits.stall_timeout);
    let reader = Reader {
        inbox,
        context,
        pace,
        limit,
    };
    match framing {
        Framing::None => Ok(Body::empty(context)),
        Framing::Length(length) => reader.by_length(length),
        Framing::Chunked => reader.by_chunks(),
    }
}

/// A body that is being read.
pub struct Reader<'a> {
    /// Where its bytes arrive.
    pub inbox: &'a mut Inbox,
    /// What every thread shares.
    pub context: &'a Context,
    pace: Pace,
    /// How large it may be.
    pub limit: Limit,
}

/// How large a body may be.
pub struct Limit {
    /// In bytes.
    pub bytes: usize,
    name: &'static str,
}

impl Limit {
    /// The refusal of a larger one.
    pub fn error(&self) -> Error {
        Error::refused(
            413,
            format!("The body is larger than {} ({}).", Size(self.bytes), self.name),
        )
    }
}

impl Reader<'_> {
    fn by_length(mut self, length: usize) -> Result<Body, Error> {
        let mut body = Body::empty(self.context);
        self.copy(&mut body, length, length)?;
        Ok(body)
    }

    /// Moves the next `count` bytes into the body, which may become `most` long; takes memory for it only as they arrive.
    pub fn copy(&mut self, body: &mut Body, count: usize, most: usize) -> Result<(), Error> {
        let mut left = count;
        while left > 0 {
            if self.inbox.bytes().is_empty() {
                self.wait(left.min(STEP))?;
            }
            let due = most - body.bytes.len();
            let room = growth::room(&mut body.bytes, due, STEP)
                .map_err(|_| Error::Busy("There is no memory for the body of this request.".into()))?;
            let piece = self.inbox.bytes().len().min(left).min(room);
            if !body.reservation.grow_within(piece, ROOM_PATIENCE) {
                let limit = self.context.config.limits.max_bodies;
                return Err(Error::Busy(format!(
                    "Request bodies use all of {limit} (--max-bodies)."
                )));
            }
            body.bytes.extend_from_slice(&self.inbox.bytes()[..piece]);
            self.inbox.skip(piece);
            left -= piece;
        }
        Ok(())
    }

    /// Waits until bytes arrive; a body that stalls, or only trickles, is refused.
    pub fn wait(&mut self, most: usize) -> Result<(), Error> {
        loop {
            let before = self.inbox.bytes().len();
            let more = self.inbox.more(most);
            self.pace.moved(self.inbox.bytes().len() - before);
            if self.pace.is_lost() {
                return Err(Error::refused(
                    408,
                    format!("The body is too slow: {}.", self.pace.limits()),
                ));
            }
            match more {
                More::Some => return Ok(()),
                More::Quiet => {}
                More::End => return Err(Error::refused(400, "The request ended before its body did.")),
            }
        }
    }
}

fn too_large(limits: &Limits) -> Error {
    Error::refused(
        413,
        format!("The body is larger than {} (--max-body).", limits.max_body),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::config::Config;

    fn framed(headers: &[(&str, &str)]) -> Result<Framing, u16> {
        let limits = Config::from_args(&[]).unwrap().limits;
        let headers = headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect();
        let head = Head {
            minor_version: 1,
            headers,
            ..Head::default()
        };
        framing(&head, &limits).map_err(|error| error.status())
    }

    #[test]
    fn one_length_or_one_coding_frames_a_body() {
        assert_eq!(framed(&[]), Ok(Framing::None));
        assert_eq!(framed(&[("content-length", "12")]), Ok(Framing::Length(12)));
        assert_eq!(framed(&[("Transfer-Encoding", "Chunked")]), Ok(Framing::Chunked));
    }

    #[test]
    fn whatever_can_be_read_in_two_ways_is_refused() {
        for (headers, status) in [
            (vec![("Content-Length", "-1")], 400),
            (vec![("Content-Length", "+1")], 400),
            (vec![("Content-Length", "")], 400),
            (vec![("Content-Length", "1, 1")], 400),
            (vec![("Content-Length", "1"), ("content-length", "1")], 400),
            (vec![("Content-Length", "1"), ("Transfer-Encoding", "chunked")], 400),
            (vec![("Transfer-Encoding", "gzip, chunked")], 400),
            (
                vec![("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "chunked")],
                400,
            ),
            (vec![("Content-Length", "1000000000000000")], 413),
            (vec![("Content-Length", "99999999999999999999999999")], 413),
        ] {
            assert_eq!(framed(&headers), Err(status), "{headers:?}");
        }
    }
}
