//! Why a conversation with a client ends, whichever way it is held.

use std::io;

use crate::words::error::{StoreError, close};
use crate::words::log_line;

/// Why a WebSocket, or a reply that stays open, ends.
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

    /// The peer is gone because reading from it or writing to it failed.
    pub fn lost(error: &io::Error) -> Ending {
        Ending::Lost(error.to_string())
    }

    /// The peer is gone without having closed.
    pub fn gone() -> Ending {
        Ending::Lost("the peer ended the connection without closing".into())
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
            Ending::Lost(reason) | Ending::ByUs(_, reason) => format!(": {}", log_line::sentence(reason)),
        }
    }

    /// The ending that a failure of the store brings about.
    pub fn store_failed(error: &StoreError) -> Ending {
        Ending::close(error.close_code(), error.to_string())
    }

    /// The ending that our own stop brings about.
    pub fn stopping() -> Ending {
        Ending::close(close::STOPPING, "the server is stopping")
    }
}
