//! A push over one connection.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tungstenite::Message;

use super::super::{Failure, Store, encode, websocket};

/// A push over one connection, with `batch=true&ack=true`.
pub struct Socket {
    socket: websocket::Socket,
}

impl Socket {
    /// Opens a push; the parameters are further ones of the wire.
    pub fn open(store: &Store, stream: &str, parameters: &[(&str, &str)]) -> Result<Socket, Failure> {
        Socket::at(store, &path(stream, parameters))
    }

    /// Opens the push at this `path`.
    pub fn at(store: &Store, path: &str) -> Result<Socket, Failure> {
        Ok(Socket {
            socket: websocket::Socket::open(store, path)?,
        })
    }

    /// Sends a batch, as far as the store takes it at once; `wait` sends the rest.
    pub fn send(&mut self, header: &str, bytes: &Bytes) -> Result<(), Failure> {
        self.socket.send(Message::text(header))?;
        self.socket.send(Message::Binary(bytes.clone()))?;
        self.socket.flush()
    }

    /// Whether the store has not yet taken everything that was sent. Whoever sends on meanwhile, fills memory.
    pub fn has_unsent(&self) -> bool {
        self.socket.has_unsent()
    }

    /// The text of the next acknowledgement, if it is there already: `id1,id2,…`.
    pub fn acknowledgement(&mut self) -> Result<Option<String>, Failure> {
        match self.socket.next()? {
            None => Ok(None),
            Some(Message::Text(ids)) => Ok(Some(ids.as_str().to_owned())),
            Some(_) => Err(foreign("an acknowledgement is not text")),
        }
    }

    /// Waits until an acknowledgement comes, room is made for what is unsent, or there is something in the file `beside` it; for
    /// so long at most, and never longer than a tick.
    pub fn wait(&mut self, time: Duration, beside: Option<BorrowedFd<'_>>) -> Result<(), Failure> {
        self.socket.wait(time, beside)
    }

    /// Since when nothing has come or gone, if that is why it was given up.
    pub fn silent_since(&self) -> Option<Instant> {
        self.socket.silent_since()
    }

    /// Closes it, and waits for the answer, which comes when everything is stored. Acknowledgements that come meanwhile are
    /// read past.
    pub fn close(self) -> Result<(), Failure> {
        self.socket.close()
    }
}

/// The path and query of a push to this stream; the parameters are further ones of the wire.
pub fn path(stream: &str, parameters: &[(&str, &str)]) -> String {
    let more: String = parameters
        .iter()
        .map(|(name, value)| format!("&{name}={}", encode(value)))
        .collect();
    format!("/data/{}/push?batch=true&ack=true{more}", encode(stream))
}

/// What answers does not keep to the protocol.
pub fn foreign(why: &str) -> Failure {
    Failure::Foreign(format!("the store does not speak as agreed: {why}"))
}
