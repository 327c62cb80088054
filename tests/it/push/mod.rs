//! Entries in over a WebSocket (docs/protocol.md, sections 5 and 9).

mod batches;
mod fate;
mod ids;
mod limits;
mod messages;
mod on_error;
mod several;
mod v2;
mod whole;
