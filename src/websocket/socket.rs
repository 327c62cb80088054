//! One WebSocket: messages in and out, pings and pongs, the silent peer, and the closing handshake.

use std::io::{self, Read};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tungstenite::error::{CapacityError, ProtocolError};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tungstenite::{Error as Tungstenite, Message, Utf8Bytes, WebSocket};

use super::handshake;
use super::wire::Wire;
use crate::context::Context;
use crate::error::close;
use crate::units::Size;
use crate::wait::{TICK, is_quiet};

/// How long a closing handshake may take.
const CLOSING: Duration = Duration::from_secs(2);

/// How long a peer that is only to be seen to may be listened to at once.
const TENDING: Duration = Duration::from_millis(100);

/// The longest close reason: a control frame's 125 bytes less the code (RFC 6455, 5.5).
const LONGEST_REASON: usize = 123;

/// Bytes read from the network at once. More makes large messages faster and every idle socket dearer.
const READ_BUFFER: usize = 64 << 10;

/// A WebSocket of ours. It belongs to the thread that reads it.
pub struct Socket {
    inner: WebSocket<Wire>,
    context: Arc<Context>,
    pinged: Instant,
}

/// The writing side of a socket, for another thread.
pub struct Writer(WebSocket<Wire>);

/// A message from the peer.
#[derive(Debug)]
pub enum Incoming {
    /// Text, checked to be UTF-8.
    Text(Bytes),
    /// Bytes.
    Binary(Bytes),
}

/// Why a socket ends.
#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    /// The peer closed it, with this code.
    ByPeer(u16),
    /// The peer is gone without a word.
    Lost(String),
    /// We close it: code and reason.
    ByUs(u16, String),
}

impl Ending {
    /// We close it.
    pub fn close(code: u16, reason: impl Into<String>) -> Ending {
        Ending::ByUs(code, reason.into())
    }

    /// The close code for the log.
    pub fn code(&self) -> u16 {
        match self {
            Ending::ByPeer(code) | Ending::ByUs(code, _) => *code,
            Ending::Lost(_) => close::NO_CLOSE_FRAME,
        }
    }

    /// The reason for the log: a colon and a sentence, or nothing.
    pub fn reason(&self) -> String {
        match self {
            Ending::ByPeer(_) => String::new(),
            Ending::Lost(reason) | Ending::ByUs(_, reason) => format!(": {reason}"),
        }
    }
}

impl Socket {
    /// Takes a stream whose timeouts are one tick, and the bytes that arrived behind the request's head.
    pub fn new(stream: Arc<TcpStream>, early: Vec<u8>, context: &Arc<Context>) -> Socket {
        let most = context.config.limits.max_message.0;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .max_message_size(Some(most))
            .max_frame_size(Some(most));
        let wire = Wire::new(stream, context);
        let inner = WebSocket::from_partially_read(wire, early, Role::Server, Some(config));
        Socket {
            inner,
            context: context.clone(),
            pinged: Instant::now(),
        }
    }

    /// Answers the upgrade.
    pub fn upgrade(&mut self, accept: &str) -> io::Result<()> {
        io::Write::write_all(self.inner.get_mut(), handshake::response(accept).as_bytes())
    }

    /// A second handle, only for writing.
    pub fn writer(&self) -> Writer {
        let config = WebSocketConfig::default().read_buffer_size(0);
        Writer(WebSocket::from_raw_socket(
            self.inner.get_ref().share(),
            Role::Server,
            Some(config),
        ))
    }

    /// The next message; none if a tick passed without one. Pings are answered on the way.
    pub fn receive(&mut self) -> Result<Option<Incoming>, Ending> {
        // What has arrived is still taken when we stop, but nothing more is waited for.
        let stopping = self.context.stopping_for();
        match stopping {
            None => self.inner.get_mut().wait_for(TICK),
            Some(_) => self.inner.get_mut().take_for(TICK),
        }
        let received = self.read();
        match stopping {
            Some(since) if since > CLOSING || matches!(received, Ok(None)) => Err(super::stopping()),
            _ => received,
        }
    }

    /// Answers pings and sees whether the peer left, without waiting; what else it sent is ignored.
    pub fn tend(&mut self) -> Result<(), Ending> {
        if self.context.stopping() {
            return Err(super::stopping());
        }
        // A peer that never stops talking only takes its own time, and only so much of it.
        self.inner.get_mut().take_for(TENDING);
        while self.read()?.is_some() {}
        Ok(())
    }

    /// Like `tend`, but waits a tick for the peer to say something.
    pub fn tend_for_a_tick(&mut self) -> Result<(), Ending> {
        self.receive()?;
        self.tend()
    }

    /// Sends a text and a binary message together.
    pub fn send_pair(&mut self, text: String, bytes: Vec<u8>) -> Result<(), Ending> {
        self.inner
            .write(Message::text(text))
            .and_then(|()| self.inner.write(Message::binary(bytes)))
            .and_then(|()| self.inner.flush())
            .map_err(lost)
    }

    /// Ends the socket the way its ending asks for, within two seconds.
    pub fn finish(&mut self, ending: &Ending) {
        match ending {
            // tungstenite has the answer to the peer's close ready; flushing sends it.
            Ending::ByPeer(_) => drop(self.inner.flush()),
            // The peer closed first, and tungstenite would only echo its code; but it is to learn what went wrong.
            Ending::ByUs(code, reason) if !self.inner.can_write() => {
                let _ = self.writer().0.close(Some(frame(*code, reason)));
            }
            Ending::ByUs(code, reason) => {
                if self.inner.close(Some(frame(*code, reason))).is_ok() {
                    self.await_close();
                }
            }
            Ending::Lost(_) => {}
        }
        let _ = self.inner.get_ref().stream().shutdown(Shutdown::Both);
    }

    /// Waits for the peer's answer to our close, reading past whatever it had still sent.
    fn await_close(&mut self) {
        let until = Instant::now() + CLOSING;
        self.inner.get_mut().wait_for(CLOSING);
        let mut parsing = true;
        let mut sink = vec![0; READ_BUFFER];
        while Instant::now() < until {
            if parsing {
                match self.inner.read() {
                    Ok(_) => {}
                    Err(Tungstenite::Io(error)) if is_quiet(&error) => {}
                    // What was too large or broken cannot be parsed any further, only read away: closing
                    // on unread bytes would reset the connection, and the peer might never see our reason.
                    Err(Tungstenite::Capacity(_) | Tungstenite::Protocol(_) | Tungstenite::Utf8(_)) => {
                        parsing = false;
                        let _ = self.inner.get_ref().stream().shutdown(Shutdown::Write);
                    }
                    Err(_) => return,
                }
            } else {
                match self.inner.get_mut().read(&mut sink) {
                    Ok(0) => return,
                    Ok(_) => {}
                    Err(error) if is_quiet(&error) => {}
                    Err(_) => return,
                }
            }
        }
    }

    fn read(&mut self) -> Result<Option<Incoming>, Ending> {
        loop {
            match self.inner.read() {
                Ok(Message::Text(text)) => return Ok(Some(Incoming::Text(text.into()))),
                Ok(Message::Binary(bytes)) => return Ok(Some(Incoming::Binary(bytes))),
                Ok(Message::Close(frame)) => {
                    let code = frame.map_or(close::NORMAL, |frame| frame.code.into());
                    return Err(Ending::ByPeer(code));
                }
                // The pong is queued; reading on sends it.
                Ok(_) => {}
                Err(Tungstenite::Io(error)) if is_quiet(&error) => {
                    self.keep_alive()?;
                    return Ok(None);
                }
                Err(error) => return Err(self.broken(error)),
            }
        }
    }

    /// Pings a quiet peer, and gives up one that was silent for too long.
    fn keep_alive(&mut self) -> Result<(), Ending> {
        let limits = &self.context.config.limits;
        let silent = self.inner.get_ref().silent_for();
        if silent >= limits.idle_timeout {
            return Err(Ending::Lost(format!(
                "the peer was silent for {silent:.0?} (--idle-timeout)"
            )));
        }
        if silent >= limits.ping_interval && self.pinged.elapsed() >= limits.ping_interval {
            self.pinged = Instant::now();
            self.inner.send(Message::Ping(Bytes::new())).map_err(lost)?;
        }
        Ok(())
    }

    fn broken(&self, error: Tungstenite) -> Ending {
        match error {
            Tungstenite::Capacity(CapacityError::MessageTooLong { size, max_size }) => Ending::close(
                close::TOO_LARGE,
                format!(
                    "a message of {size} bytes is larger than {} (--max-message)",
                    Size(max_size)
                ),
            ),
            Tungstenite::Utf8(_) => Ending::close(close::BAD_DATA, "a text message is not UTF-8"),
            Tungstenite::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
                Ending::Lost("the peer ended the connection without closing".into())
            }
            Tungstenite::Protocol(error) => Ending::close(close::PROTOCOL, error.to_string()),
            error => lost(error),
        }
    }
}

impl Writer {
    /// Sends a text message.
    pub fn send_text(&mut self, text: String) -> Result<(), Ending> {
        self.0.send(Message::text(text)).map_err(lost)
    }
}

fn lost(error: Tungstenite) -> Ending {
    Ending::Lost(error.to_string())
}

/// A close frame; a reason that is too long is cut between characters.
fn frame(code: u16, reason: &str) -> CloseFrame {
    let mut end = reason.len().min(LONGEST_REASON);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    CloseFrame {
        code: CloseCode::from(code),
        reason: Utf8Bytes::from(&reason[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let cut = frame(close::BAD_DATA, &"ä".repeat(100));
        assert_eq!(cut.reason.len(), 122);
        assert_eq!(u16::from(cut.code), 1007);
    }
}
