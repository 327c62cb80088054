//! Waiting for sockets, and bytes on their way through them. Every thread that reads or writes one calls this; what the bytes
//! mean is decided elsewhere.

pub mod growth;
pub mod read_buffer;
pub mod stop_order;
pub mod wait;
pub mod wire;
