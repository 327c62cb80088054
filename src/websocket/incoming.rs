//! What a peer sends, as `frames` makes it of bytes, and within which limits.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::limits::{Budget, Reservation};

/// What may be read of a peer, and where its messages are counted.
pub struct Limits {
    /// The largest message, in bytes.
    pub message: usize,
    /// How long a message may stall.
    pub stall: Duration,
    /// How long a message waits for its share of the memory of all.
    pub patience: Duration,
    /// That memory. Without it messages are read past and not kept.
    pub budget: Option<Arc<Budget>>,
}

/// Something whole that a peer sent.
#[derive(Debug)]
pub enum Event {
    /// A message.
    Message(Incoming),
    /// A message that was read past.
    ReadPast,
    /// Something that nobody needs to know of, such as a pong.
    Passed,
    /// A ping, and what it carries.
    Ping(Vec<u8>),
    /// A close with its code, if it has one.
    Close(Option<u16>),
}

/// A message from the peer, and its share of the memory of all.
#[derive(Debug)]
pub struct Incoming {
    /// Whether it is text, then checked to be UTF-8.
    pub is_text: bool,
    /// Its bytes.
    pub bytes: Bytes,
    /// What it holds of `--max-messages`.
    pub share: Option<Reservation>,
}
