//! HTTP requests and their replies: signing in, heads and bodies, streams, entries in and out (docs/protocol.md, sections 2 to 4).

mod connections;
mod data_in;
mod data_limits;
mod data_out;
mod descriptions;
mod foreign_fields;
mod forms;
mod framing;
mod heads_and_checks;
mod json_replies;
mod liveness;
mod odd_heads;
mod operations;
mod parameters;
mod parameters_unknown;
mod paths;
mod retention;
mod sign_in;
mod stored_script;
mod streams;
mod streams_meta;
mod streams_unreadable;
mod tokens;
