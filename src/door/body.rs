//! A request's body: how it is framed (RFC 9112, section 6), and reading it whole within limits.

use std::io::Write;
use std::net::TcpStream;

use super::inbox::{Inbox, More};
use crate::call::Call;
use crate::config::Limits;
use crate::context::Context;
use crate::error::Error;
use crate::http::Head;
use crate::limits::{ROOM_PATIENCE, Reservation};
use crate::units::Size;
use crate::wait::Pace;

/// The largest body of a request that brings no entries, in bytes: a sign-in form is far smaller.
/// Anybody may send one, so it is to cost little.
const SMALL_BODY: usize = 16 << 10;

/// The longest line that frames a chunk, and the longest trailer section, in bytes.
const MAX_CHUNK_LINE: usize = 256;
const MAX_TRAILERS: usize = 4 << 10;

/// How much of a body is reserved and read at once, in bytes.
const STEP: usize = 64 << 10;

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
    if !framing.is_empty() && inbox.bytes().is_empty() && head.lists("Expect", "100-continue") {
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

struct Reader<'a> {
    inbox: &'a mut Inbox,
    context: &'a Context,
    pace: Pace,
    limit: Limit,
}

/// How large this body may be.
struct Limit {
    bytes: usize,
    name: &'static str,
}

impl Limit {
    fn error(&self) -> Error {
        Error::refused(
            413,
            format!("The body is larger than {} ({}).", Size(self.bytes), self.name),
        )
    }
}

impl Reader<'_> {
    fn by_length(mut self, length: usize) -> Result<Body, Error> {
        let mut body = Body::empty(self.context);
        // Only what arrives becomes memory. Growing by doubling would need half as much again.
        body.bytes.reserve_exact(length);
        self.copy(&mut body, length)?;
        Ok(body)
    }

    fn by_chunks(mut self) -> Result<Body, Error> {
        let broken = || Error::refused(400, "The chunked body is broken.");
        let mut body = Body::empty(self.context);
        loop {
            let (line, size) = loop {
                // httparse takes a line without a digit for a size of 0.
                if self
                    .inbox
                    .bytes()
                    .first()
                    .is_some_and(|first| !first.is_ascii_hexdigit())
                {
                    return Err(broken());
                }
                match httparse::parse_chunk_size(self.inbox.bytes()) {
                    Ok(httparse::Status::Complete(found)) if found.0 <= MAX_CHUNK_LINE => {
                        // httparse also takes a lone line feed for a part of an extension, where others see an end.
                        let line = &self.inbox.bytes()[..found.0 - "\r\n".len()];
                        if line.contains(&b'\n') || line.contains(&b'\r') {
                            return Err(broken());
                        }
                        break found;
                    }
                    Ok(httparse::Status::Partial) if self.inbox.bytes().len() <= MAX_CHUNK_LINE => {
                        self.wait(STEP)?;
                    }
                    _ => return Err(broken()),
                }
            };
            self.inbox.skip(line);
            if size == 0 {
                break;
            }
            if size > (self.limit.bytes - body.bytes.len()) as u64 {
                return Err(self.limit.error());
            }
            self.copy(&mut body, size as usize)?;
            if self.line(2)? != b"\r\n" {
                return Err(broken());
            }
        }
        // Trailers are read and dropped; the empty line ends them.
        let mut left = MAX_TRAILERS;
        loop {
            let line = self.line(left)?;
            if line == b"\r\n" || line == b"\n" {
                return Ok(body);
            }
            left = left
                .checked_sub(line.len())
                .filter(|left| *left > 0)
                .ok_or_else(broken)?;
        }
    }

    /// Moves the next `count` bytes into the body, reserving memory only as they arrive.
    fn copy(&mut self, body: &mut Body, count: usize) -> Result<(), Error> {
        let mut left = count;
        while left > 0 {
            if self.inbox.bytes().is_empty() {
                self.wait(left.min(STEP))?;
            }
            let piece = self.inbox.bytes().len().min(left);
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

    /// The next line, its end included, if it is at most `longest` bytes.
    fn line(&mut self, longest: usize) -> Result<Vec<u8>, Error> {
        loop {
            let bytes = self.inbox.bytes();
            if let Some(end) = bytes.iter().take(longest).position(|b| *b == b'\n') {
                let line = bytes[..=end].to_vec();
                self.inbox.skip(end + 1);
                return Ok(line);
            }
            if bytes.len() >= longest {
                return Err(Error::refused(400, "The chunked body is broken."));
            }
            self.wait(longest - bytes.len())?;
        }
    }

    /// Waits until bytes arrive; a body that stalls, or only trickles, is refused.
    fn wait(&mut self, most: usize) -> Result<(), Error> {
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
    use crate::config::Config;

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
