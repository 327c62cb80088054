//! HTTP replies that stay open: followed entries, Server-Sent Events, pictures (docs/protocol.md, section 8).

pub mod events;
mod followers;
pub mod mjpeg;
mod open_replies;
mod outages;
