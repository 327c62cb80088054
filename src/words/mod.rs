//! What everybody talks about, as plain values: names of streams, ids of entries, cursors, batches, lines of JSON, heads and
//! replies of HTTP, errors. Text or bytes come in, values go out, and the other way round; nothing here reads a socket, asks
//! Redis or keeps a state.

pub mod batch;
pub mod batch_header;
pub mod cursor;
pub mod destination;
pub mod dialect;
pub mod ending;
pub mod error;
pub mod http;
pub mod ids;
pub mod info;
pub mod log_line;
pub mod nearest;
pub mod object;
pub mod shape;
pub mod shell;
pub mod units;
pub mod visible;
