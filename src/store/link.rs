//! One connection to Redis: bytes out and replies in, in RESP
//! (<https://redis.io/docs/latest/develop/reference/protocol-spec/>), every wait bounded.
//!
//! The redis crate packs commands and names replies, but its connection hides its socket and reads each reply whole.
//! Here a thread can wait for Redis and for its client at once, and entries of any number pass through a small buffer.

use std::io::{self, IoSlice};
use std::time::{Duration, Instant};

use redis::{ConnectionInfo, ServerError, Value};
use rustix::event::{PollFd, PollFlags};

use super::abilities::Abilities;
use super::beside::Beside;
use super::redis_socket::RedisSocket;
use crate::net::growth;
use crate::net::read_buffer::{DIRECT, ReadBuffer};
use crate::net::wait::{TICK, is_quiet, poll};
use crate::words::error::StoreError;
use crate::words::ids::EntryId;

/// The longest line that frames a reply: an error's sentence; everything else is a number.
const LONGEST_LINE: usize = 16 << 10;

/// The longest string of a reply; Redis's own limit, `proto-max-bulk-len`, is 512 MiB unless it is raised.
const LONGEST_BULK: usize = 2 << 30;

/// How much memory such a string has at first, in bytes; more only as it arrives.
const FIRST_PIECE: usize = 1 << 20;

/// What ends every line and every string of a reply.
pub const END_OF_LINE: usize = "\r\n".len();

/// The error when whoever is beside says that Redis need not be waited for.
pub const LEFT: io::ErrorKind = io::ErrorKind::ConnectionAborted;

/// How long a connection must have rested to be worth a look at whether it is still there.
const RESTED: Duration = Duration::from_millis(10);

/// How deep arrays may nest. `XREAD` replies nest four deep.
const DEEPEST: usize = 8;

/// A connection to Redis. It belongs to one thread.
pub struct Link {
    socket: RedisSocket,
    /// How long Redis may send nothing while something is due from it, or take nothing.
    patience: Duration,
    buffer: ReadBuffer,
    /// When whoever is beside was last seen to.
    seen_to: Instant,
    /// When the last conversation began.
    used: Instant,
    /// What was learned of this Redis when the connection was made.
    abilities: Box<Abilities>,
}

impl Link {
    /// Connects within `patience`. Nothing has been said yet: `introduction` does that.
    pub fn open(info: &ConnectionInfo, patience: Duration) -> Result<Link, StoreError> {
        let socket = RedisSocket::connect(info.addr(), patience);
        Ok(Link {
            socket: socket.map_err(|error| StoreError::Unreachable(error.to_string()))?,
            patience,
            buffer: ReadBuffer::default(),
            seen_to: Instant::now(),
            used: Instant::now(),
            abilities: Box::default(),
        })
    }

    /// Keeps what was learned of this Redis.
    pub fn set_abilities(&mut self, abilities: Abilities) {
        *self.abilities = abilities;
    }

    /// What this Redis is, and what it lets us do.
    pub fn abilities(&self) -> &Abilities {
        &self.abilities
    }

    /// What has been read of it and not been taken.
    pub fn unread(&self) -> &[u8] {
        self.buffer.bytes()
    }

    /// Whether the connection has come to an end while nothing was said. Nothing is due then, so whatever there is to read
    /// is the end, or makes no sense.
    pub fn is_over(&mut self) -> bool {
        let mut fd = [PollFd::new(&self.socket, PollFlags::IN)];
        let rested = self.used.elapsed() >= RESTED;
        self.used = Instant::now();
        rested && (poll(&mut fd, Duration::ZERO).is_err() || !fd[0].revents().is_empty())
    }

    /// Sets how long Redis may send or take nothing.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Sends all of it.
    pub fn send(&mut self, mut pieces: &mut [IoSlice<'_>], beside: &mut dyn Beside) -> io::Result<()> {
        let mut moved = Instant::now();
        while !pieces.is_empty() {
            match self.socket.write_vectored(pieces) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    IoSlice::advance_slices(&mut pieces, count);
                    moved = Instant::now();
                }
                Err(error) if is_quiet(&error) => drop(self.wait(PollFlags::OUT, moved, beside)?),
                Err(error) => return Err(error),
            }
        }
        // Redis has hardly answered yet.
        self.buffer.set_drained(true);
        Ok(())
    }

    /// One whole reply; an error reply is a value.
    pub fn reply(&mut self, beside: &mut dyn Beside) -> io::Result<Value> {
        self.nested_reply(DEEPEST, beside)
    }

    fn nested_reply(&mut self, depth: usize, beside: &mut dyn Beside) -> io::Result<Value> {
        let (kind, number) = match self.head(beside)? {
            Head::Number(kind, number) => (kind, number),
            Head::Line(value) => return Ok(value),
        };
        match (kind, usize::try_from(number)) {
            (b':', _) => Ok(Value::Int(number)),
            (_, Err(_)) => Ok(Value::Nil),
            (b'$', Ok(length)) => {
                let mut bytes = Vec::new();
                self.bulk(length, &mut bytes, beside)?;
                Ok(Value::BulkString(bytes))
            }
            (b'*', Ok(length)) if depth > 0 => {
                let mut items = Vec::new();
                for _ in 0..length {
                    items.push(self.nested_reply(depth - 1, beside)?);
                }
                Ok(Value::Array(items))
            }
            _ => Err(broken("it nests too deep")),
        }
    }

    /// The first line of a reply, or of a part of one.
    fn head(&mut self, beside: &mut dyn Beside) -> io::Result<Head> {
        let length = loop {
            let seen = self.buffer.bytes();
            match seen.iter().position(|byte| *byte == b'\r') {
                Some(at) if at + 1 < seen.len() => break at,
                _ => {}
            }
            if seen.len() > LONGEST_LINE {
                return Err(broken("a line of it is too long"));
            }
            self.fill(beside)?;
        };
        let line = &self.buffer.bytes()[..length + END_OF_LINE];
        let head = match line[0] {
            kind @ (b':' | b'$' | b'*') => std::str::from_utf8(&line[1..length])
                .ok()
                .and_then(|digits| digits.parse().ok())
                .map(|number| Head::Number(kind, number))
                .ok_or_else(|| broken("a number of it is none")),
            b'+' => match &line[1..length] {
                b"OK" => Ok(Head::Line(Value::Okay)),
                status => Ok(Head::Line(Value::SimpleString(
                    String::from_utf8_lossy(status).into_owned(),
                ))),
            },
            b'-' => redis::parse_redis_value(line)
                .map(Head::Line)
                .map_err(|_| broken("a line of it does not parse")),
            // It stays, for those who want to know what it is.
            _ => return Err(broken("it is of no known kind")),
        };
        self.buffer.skip(length + END_OF_LINE);
        head
    }

    /// Appends a bulk string of this length, whose head was read already, to `bytes`.
    pub fn bulk(&mut self, length: usize, bytes: &mut Vec<u8>, beside: &mut dyn Beside) -> io::Result<()> {
        if length > LONGEST_BULK {
            return Err(broken("a string of it is too long"));
        }
        let whole = bytes.len() + length;
        // Many short ones may come into the same memory, which then grows by more than each needs.
        bytes.try_reserve(length.min(FIRST_PIECE))?;
        while bytes.len() < whole {
            let room = growth::room(bytes, whole - bytes.len(), FIRST_PIECE)?;
            let ahead = self.buffer.bytes().len().min(room);
            bytes.extend_from_slice(&self.buffer.bytes()[..ahead]);
            self.buffer.skip(ahead);
            let left = room - ahead;
            if left >= DIRECT {
                // Much is due: it goes where it belongs without passing through the buffer.
                self.read_into(bytes, left, beside)?;
            } else if left > 0 {
                self.fill(beside)?;
            }
        }
        self.skip(END_OF_LINE, beside)
    }

    /// Like `bulk`, and learns from it how much to read ahead.
    pub fn payload(&mut self, length: usize, bytes: &mut Vec<u8>, beside: &mut dyn Beside) -> io::Result<()> {
        self.buffer.expect(length);
        self.bulk(length, bytes, beside)
    }

    /// Reads past so many bytes.
    pub fn skip(&mut self, mut count: usize, beside: &mut dyn Beside) -> io::Result<()> {
        loop {
            let ahead = self.buffer.bytes().len().min(count);
            self.buffer.skip(ahead);
            count -= ahead;
            if count == 0 {
                return Ok(());
            }
            self.fill(beside)?;
        }
    }

    /// Reads up to so many bytes, at least one, straight into `bytes`.
    fn read_into(&mut self, bytes: &mut Vec<u8>, count: usize, beside: &mut dyn Beside) -> io::Result<()> {
        let before = bytes.len();
        let waiting = Instant::now();
        loop {
            match self.socket.read_up_to(count, bytes) {
                Ok(read) if read < count => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => return Ok(()),
                Err(error) if is_quiet(&error) && bytes.len() > before => return Ok(()),
                Err(error) if is_quiet(&error) => drop(self.wait(PollFlags::IN, waiting, beside)?),
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads more into the buffer, at least a byte.
    fn fill(&mut self, beside: &mut dyn Beside) -> io::Result<()> {
        let waiting = Instant::now();
        let mut in_vain = self.buffer.take_drained();
        loop {
            // Reading needs a buffer, which an idle connection does without.
            while in_vain && !self.wait(PollFlags::IN, waiting, beside)? {}
            match self.buffer.fill(&mut self.socket) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => return Ok(()),
                Err(error) if is_quiet(&error) => in_vain = true,
                Err(error) => return Err(error),
            }
        }
    }

    /// The number of items of an array whose head comes next, none for nil; or the error that comes instead.
    pub fn array_or_error(&mut self, beside: &mut dyn Beside) -> io::Result<Result<usize, ServerError>> {
        match self.head(beside)? {
            Head::Number(b'*', number) => Ok(Ok(usize::try_from(number).unwrap_or(0))),
            Head::Line(Value::ServerError(error)) => Ok(Err(error)),
            _ => Err(broken("it has an unexpected shape")),
        }
    }

    /// The number that comes next: of items of an array (`*`), of bytes of a string (`$`); none for nil.
    pub fn count_or_nil(&mut self, kind: u8, beside: &mut dyn Beside) -> io::Result<Option<usize>> {
        match self.head(beside)? {
            // Nil has the form of a string even where an array is due.
            Head::Number(_, ..0) => Ok(None),
            Head::Number(found, number) if found == kind => Ok(usize::try_from(number).ok()),
            _ => Err(broken("it has an unexpected shape")),
        }
    }

    /// The same, where nil has no place.
    pub fn count(&mut self, kind: u8, beside: &mut dyn Beside) -> io::Result<usize> {
        self.count_or_nil(kind, beside)?.ok_or_else(|| broken("it is nil"))
    }

    /// A short string, whole.
    pub fn string(&mut self, beside: &mut dyn Beside) -> io::Result<Vec<u8>> {
        let length = self.count(b'$', beside)?;
        let mut bytes = Vec::new();
        self.bulk(length, &mut bytes, beside)?;
        Ok(bytes)
    }

    /// An entry's id.
    pub fn id(&mut self, beside: &mut dyn Beside) -> io::Result<EntryId> {
        let id = self.string(beside)?;
        let id = std::str::from_utf8(&id).ok().and_then(|id| id.parse().ok());
        id.ok_or_else(|| broken("an id of it is none"))
    }

    /// Waits until Redis is ready, for a tick at most, and sees to whoever is beside; whether it is ready. Fails once `since`
    /// is too long ago.
    fn wait(&mut self, what: PollFlags, since: Instant, beside: &mut dyn Beside) -> io::Result<bool> {
        let left = self.patience.saturating_sub(since.elapsed());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let mut fds = vec![PollFd::new(&self.socket, what)];
        fds.extend(beside.interest());
        poll(&mut fds, left.min(TICK))?;
        let ready = |fd: Option<&PollFd>| fd.is_some_and(|fd| !fd.revents().is_empty());
        let (redis, other) = (ready(fds.first()), ready(fds.get(1)));
        drop(fds);
        if !redis && !other {
            // Idle for a tick, and perhaps for long.
            self.buffer.rest();
        }
        // A Redis that always has something must not keep whoever is beside waiting.
        let other = other || !redis || self.seen_to.elapsed() >= TICK;
        if other {
            self.seen_to = Instant::now();
        }
        if other && !beside.see_to() {
            return Err(LEFT.into());
        }
        Ok(redis)
    }
}

/// The first line of a reply.
enum Head {
    /// `:`, `$` or `*` and its number: the value, the bytes to come, the items to come; negative for nil.
    Number(u8, i64),
    /// A status or an error.
    Line(Value),
}

/// The error for a reply that is not what was asked for.
pub fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("its reply cannot be read: {what}"))
}

#[cfg(test)]
mod tests;
