//! A TCP connection with a large read buffer: the client's side of HTTP and WebSocket, as cheap as it can be.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use ptg_store::net::wait::is_quiet;

/// How long the store may take to say anything, and to take anything.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// How often a wait looks for Ctrl-C.
const TICK: Duration = Duration::from_millis(250);

/// The read buffer at first. It grows to the largest message.
const BUFFER: usize = 256 << 10;

/// The most headers of a reply.
const MOST_HEADERS: usize = 32;

/// Turns true when the user has had enough.
pub type Interrupted = Arc<AtomicBool>;

/// An error once the user has had enough.
pub fn check(interrupted: &Interrupted) -> Result<(), String> {
    match interrupted.load(Relaxed) {
        true => Err("interrupted".into()),
        false => Ok(()),
    }
}

/// One connection to the store.
pub struct Wire {
    stream: TcpStream,
    interrupted: Interrupted,
    buffer: Vec<u8>,
    /// Where what was read and not taken yet begins and ends.
    start: usize,
    end: usize,
}

/// The head of an HTTP reply.
pub struct Head {
    pub status: u16,
    pub length: usize,
}

impl Wire {
    pub fn connect(host: &str, interrupted: &Interrupted) -> Result<Wire, String> {
        Wire::with_buffer(host, interrupted, BUFFER)
    }

    pub fn with_buffer(host: &str, interrupted: &Interrupted, buffer: usize) -> Result<Wire, String> {
        let unreachable = |error| format!("the store at {host} cannot be reached: {error}");
        let address = host.to_socket_addrs().map_err(unreachable)?.next();
        let address = address.ok_or_else(|| format!("{host} has no address"))?;
        let stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(unreachable)?;
        stream
            .set_nodelay(true)
            .and_then(|()| stream.set_read_timeout(Some(TICK)))
            .and_then(|()| stream.set_write_timeout(Some(PATIENCE)))
            .map_err(unreachable)?;
        Ok(Wire {
            stream,
            interrupted: interrupted.clone(),
            buffer: vec![0; buffer],
            start: 0,
            end: 0,
        })
    }

    pub fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.stream
            .write_all(bytes)
            .map_err(|error| format!("the store takes nothing more: {error}"))
    }

    /// Says that nothing more is sent, and waits until the store ends its side, also if the user has had enough.
    pub fn end(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            match self.stream.read(&mut self.buffer) {
                Err(error) if is_quiet(&error) => {}
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }

    /// The next bytes, so many. They stay.
    pub fn peek(&mut self, count: usize) -> Result<&[u8], String> {
        while self.end - self.start < count {
            self.fill(count)?;
        }
        Ok(&self.buffer[self.start..self.start + count])
    }

    /// The next bytes, so many.
    pub fn take(&mut self, count: usize) -> Result<&[u8], String> {
        self.peek(count)?;
        let start = self.start;
        self.start += count;
        Ok(&self.buffer[start..start + count])
    }

    /// The head of a reply.
    pub fn head(&mut self) -> Result<Head, String> {
        loop {
            let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
            let mut reply = httparse::Response::new(&mut headers);
            let parsed = reply.parse(&self.buffer[self.start..self.end]);
            match parsed.map_err(|error| format!("the store's reply is not HTTP: {error}"))? {
                httparse::Status::Partial => self.fill(self.end - self.start + 1)?,
                httparse::Status::Complete(bytes) => {
                    let length = reply
                        .headers
                        .iter()
                        .find(|header| header.name.eq_ignore_ascii_case("Content-Length"));
                    let length = length.and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok());
                    let head = Head {
                        status: reply.code.unwrap_or_default(),
                        length: length.unwrap_or(0),
                    };
                    self.start += bytes;
                    return Ok(head);
                }
            }
        }
    }

    /// Reads at least one byte more, with room for `count` from the start.
    fn fill(&mut self, count: usize) -> Result<(), String> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        if self.start + count > self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            if count > self.buffer.len() {
                self.buffer.resize(count.next_power_of_two(), 0);
            }
        }
        let mut waiting_since = None;
        loop {
            match self.stream.read(&mut self.buffer[self.end..]) {
                Ok(0) => return Err("the store closed the connection".into()),
                Ok(read) => {
                    self.end += read;
                    return Ok(());
                }
                Err(error) if is_quiet(&error) => {
                    check(&self.interrupted)?;
                    if waiting_since.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
                        return Err(format!("the store says nothing for {PATIENCE:?}"));
                    }
                }
                Err(error) => return Err(format!("the connection to the store broke: {error}")),
            }
        }
    }
}
