//! A request's body: how it is framed (RFC 9112, section 6), and reading it whole within limits.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::inbox::{Inbox, More};
use crate::call::Call;
use crate::config::Limits;
use crate::context::{Context, Reservation};
use crate::error::Error;
use crate::http::Head;
use crate::units::Span;

/// The slowest average pace at which a body may arrive, in bytes a second, once `--stall-timeout` has passed.
/// Slower than any network a lab has, and fast enough that nobody holds a body's memory for long.
const SLOWEST_PACE: u64 = 16 << 10;

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
    reservation: Reservation,
}

impl Framing {
    /// Whether no byte of a body will come.
    pub fn is_empty(self) -> bool {
        matches!(self, Framing::None | Framing::Length(0))
    }
}

impl Body {
    /// No body.
    pub fn empty(context: &Arc<Context>) -> Body {
        Body {
            bytes: Vec::new(),
            reservation: Reservation::none(context),
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
    context: &Arc<Context>,
    head: &Head,
) -> Result<Body, Error> {
    let takes_a_body = matches!(call, Call::PostData { .. } | Call::Token);
    if framing == Framing::None && takes_a_body {
        return Err(Error::refused(
            411,
            "The request has neither Content-Length nor Transfer-Encoding.",
        ));
    }
    if !framing.is_empty() && inbox.bytes().is_empty() && head.lists("Expect", "100-continue") {
        let mut stream = stream;
        // If this fails, reading will, too.
        let _ = stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n");
    }
    let reader = Reader {
        inbox,
        context,
        begun: Instant::now(),
        heard: Instant::now(),
        arrived: 0,
    };
    match framing {
        Framing::None => Ok(Body::empty(context)),
        Framing::Length(length) => reader.by_length(length),
        Framing::Chunked => reader.by_chunks(),
    }
}

struct Reader<'a> {
    inbox: &'a mut Inbox,
    context: &'a Arc<Context>,
    begun: Instant,
    heard: Instant,
    arrived: u64,
}

impl Reader<'_> {
    fn by_length(mut self, length: usize) -> Result<Body, Error> {
        let mut body = Body::empty(self.context);
        self.copy(&mut body, length)?;
        Ok(body)
    }

    fn by_chunks(mut self) -> Result<Body, Error> {
        let limits = &self.context.config.limits;
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
                    Ok(httparse::Status::Complete(found)) if found.0 <= MAX_CHUNK_LINE => break found,
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
            if size > (limits.max_body.0 - body.bytes.len()) as u64 {
                return Err(too_large(limits));
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
            if !body.reservation.grow(piece) {
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
                return Ok(self.inbox.take(end + 1));
            }
            if bytes.len() >= longest {
                return Err(Error::refused(400, "The chunked body is broken."));
            }
            self.wait(longest - bytes.len())?;
        }
    }

    /// Waits until bytes arrive; a body that stalls, or only trickles, is refused.
    fn wait(&mut self, most: usize) -> Result<(), Error> {
        let stall = self.context.config.limits.stall_timeout;
        loop {
            let before = self.inbox.bytes().len();
            match self.inbox.more(most) {
                More::Some => {
                    self.arrived += (self.inbox.bytes().len() - before) as u64;
                    self.heard = Instant::now();
                    let allowed = stall + Duration::from_secs(self.arrived / SLOWEST_PACE);
                    if self.begun.elapsed() <= allowed {
                        return Ok(());
                    }
                }
                More::Quiet if self.heard.elapsed() < stall => continue,
                More::Quiet => {}
                More::End => return Err(Error::refused(400, "The request ended before its body did.")),
            }
            let limit = Span(stall);
            return Err(Error::refused(
                408,
                format!(
                    "The body stalled for {limit} (--stall-timeout), or came slower than {SLOWEST_PACE} bytes a second."
                ),
            ));
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
