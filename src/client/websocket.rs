//! A WebSocket to a store: its opening, messages in and out, pings both ways, and how it ends.
//! Nothing here waits unless its name says so; pushes and pulls stand on it.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use ptg_store::net::wait::{is_quiet, poll};
use rustix::event::{PollFd, PollFlags};
use tungstenite::error::ProtocolError;
use tungstenite::handshake::client::generate_key;
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tungstenite::{Error, WebSocket};

use super::wire::{Wire, broke};
use super::{Failure, Interrupted, Store, TICK, http};

pub use tungstenite::Message;

/// The largest message that is taken. Redis keeps no value over 512 MiB, and a store replies with one such entry at most.
const MAX_MESSAGE: usize = 1 << 30;

/// After which part of the silence that it is allowed a store is pinged: 25 of 60 seconds.
const PING_AFTER: (u32, u32) = (5, 12);

/// The close code for "none was given", which no frame carries (RFC 6455, section 7.4.1).
const NO_CODE: u16 = 1005;

/// An open WebSocket.
pub struct Socket {
    socket: WebSocket<Line>,
    interrupted: Interrupted,
    /// Whether something is still to be written.
    unsent: bool,
    pinged: bool,
    patience: Duration,
    silence: Duration,
}

/// The TCP stream below, and when something last moved on it.
struct Line {
    stream: TcpStream,
    moved: Instant,
}

impl Socket {
    /// Opens it, or says why the store refuses.
    pub fn open(store: &Store, path: &str) -> Result<Socket, Failure> {
        let mut wire = Wire::connect(store)?;
        let key = generate_key();
        let headers = [
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", &key),
        ];
        wire.send(store.head("GET", path, &headers).as_bytes())?;
        let reply = http::receive(&mut wire, "GET")?;
        match reply.status {
            101 => {}
            200..=299 => {
                return Err(Failure::Foreign(
                    "this is no store: it does not open a WebSocket".into(),
                ));
            }
            status => return Err(store.advise(Failure::refused(status, &reply.body))),
        }
        if reply.header("Sec-WebSocket-Accept") != Some(&derive_accept_key(key.as_bytes())) {
            return Err(Failure::Foreign(
                "this is no store: it opens a WebSocket wrongly".into(),
            ));
        }
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        let (stream, early) = wire.into_parts();
        let line = Line {
            stream,
            moved: Instant::now(),
        };
        Ok(Socket {
            socket: WebSocket::from_partially_read(line, early, Role::Client, Some(config)),
            interrupted: store.interrupted.clone(),
            unsent: false,
            pinged: false,
            patience: store.patience,
            silence: store.silence,
        })
    }

    /// The next message, if it is there already. A close is a failure, also a normal one.
    pub fn next(&mut self) -> Result<Option<Message>, Failure> {
        self.interrupted.check()?;
        loop {
            match self.socket.read() {
                // tungstenite answers pings by itself, at the next read.
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                Ok(Message::Close(frame)) => {
                    // The answer, if there is room for it.
                    let _ = self.socket.flush();
                    return Err(closed(frame));
                }
                Ok(message) => return Ok(Some(message)),
                Err(Error::Io(error)) if is_quiet(&error) => return Ok(None),
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// Sends a message, as far as the store takes it at once. Short ones are gathered until `flush`.
    pub fn send(&mut self, message: Message) -> Result<(), Failure> {
        self.unsent = true;
        quietly(self.socket.write(message))?;
        Ok(())
    }

    /// Sends what was gathered, as far as the store takes it at once.
    pub fn flush(&mut self) -> Result<(), Failure> {
        if self.unsent {
            self.unsent = !quietly(self.socket.flush())?;
        }
        Ok(())
    }

    /// Whether the store has not yet taken everything that was sent.
    pub fn has_unsent(&self) -> bool {
        self.unsent
    }

    /// Waits until a message comes, room is made for what is unsent, or there is something in the file `beside` it; for
    /// so long at most, and never longer than a tick.
    pub fn wait(&mut self, time: Duration, beside: Option<BorrowedFd<'_>>) -> Result<(), Failure> {
        self.interrupted.check()?;
        self.keep_alive()?;
        let stream = &self.socket.get_ref().stream;
        let what = match self.unsent {
            true => PollFlags::IN | PollFlags::OUT,
            false => PollFlags::IN,
        };
        let mut fds = vec![PollFd::new(stream, what)];
        fds.extend(beside.map(|beside| PollFd::from_borrowed_fd(beside, PollFlags::IN)));
        poll(&mut fds, time.min(TICK)).map_err(|error| broke(&error))?;
        self.flush()
    }

    /// Says that nothing more is sent, and waits for the answer, which comes when the store has dealt with everything.
    pub fn close(mut self) -> Result<(), Failure> {
        let normal = CloseFrame {
            code: CloseCode::Normal,
            reason: "".into(),
        };
        self.unsent = true;
        quietly(self.socket.close(Some(normal)))?;
        let until = Instant::now() + self.patience;
        loop {
            match self.next() {
                Ok(Some(_)) => continue,
                Ok(None) => {}
                Err(failure) if failure.is_end() => return Ok(()),
                Err(failure) => return Err(failure),
            }
            if Instant::now() >= until {
                return Err(Failure::Lost(format!(
                    "the store did not answer a close for {:?}",
                    self.patience
                )));
            }
            self.wait(TICK, None)?;
        }
    }

    /// Since when nothing has come or gone, if that is why it was given up.
    pub fn silent_since(&self) -> Option<Instant> {
        let moved = self.socket.get_ref().moved;
        (moved.elapsed() > self.silence).then_some(moved)
    }

    /// Pings a store that has long been silent, and gives one up that stays so.
    fn keep_alive(&mut self) -> Result<(), Failure> {
        let silent = self.socket.get_ref().moved.elapsed();
        let (part, of) = PING_AFTER;
        if silent < self.silence * part / of {
            self.pinged = false;
        } else if silent > self.silence {
            return Err(Failure::Lost(format!("the store was silent for {silent:.0?}")));
        } else if !self.pinged {
            self.pinged = true;
            // Sending it must not look like a sign of life.
            let moved = self.socket.get_ref().moved;
            self.send(Message::Ping(Default::default()))?;
            self.flush()?;
            self.socket.get_mut().moved = moved;
        }
        Ok(())
    }
}

impl Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        self.moved = Instant::now();
        Ok(count)
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.stream.write(bytes)?;
        self.moved = Instant::now();
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether it was done; what the store does not take yet waits in tungstenite's buffer.
fn quietly(written: tungstenite::Result<()>) -> Result<bool, Failure> {
    match written {
        Ok(()) => Ok(true),
        Err(Error::Io(error)) if is_quiet(&error) => Ok(false),
        Err(error) => Err(failed(error)),
    }
}

fn closed(frame: Option<CloseFrame>) -> Failure {
    match frame {
        Some(frame) => Failure::Closed {
            code: frame.code.into(),
            reason: frame.reason.as_str().to_owned(),
        },
        None => Failure::Closed {
            code: NO_CODE,
            reason: String::new(),
        },
    }
}

fn failed(error: Error) -> Failure {
    match error {
        Error::Io(error) => broke(&error),
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            Failure::Lost("the store ended the connection without closing it".into())
        }
        error => Failure::Foreign(format!("the store breaks the WebSocket protocol: {error}")),
    }
}
