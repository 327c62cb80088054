//! What holds for every WebSocket: the handshake, frames, pings, closes (docs/protocol.md, section 7).

mod busy;
mod frames;
mod handshake;
mod open;
mod refused;
