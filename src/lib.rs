//! The PTG Data Store: REST and WebSocket in front of Redis Streams, with bearer tokens.
//!
//! `docs/architecture.md` walks through the code: the four ways of the data, the threads, the invariants with the test that
//! holds each, and what is deliberately absent. In reading order, from top to bottom; arrows of use only point down:
//!
//! | folder | what it is |
//! | --- | --- |
//! | [`server`] | start and stop in one order, and the Redis that we start |
//! | [`http`] | the door, the handlers of REST requests, replies that stay open |
//! | [`websocket`] | handshake, frames, push; the outlet of a pull |
//! | [`pages`] | the live page, OpenAPI, AsyncAPI, Swagger UI, what pages may do |
//! | [`pull`] | reading streams for one client: where each has got to, what comes next, and when |
//! | [`state`] | what all threads share: configuration, the context, open connections |
//! | [`request`] | what a request asks for, and whether it may, from head and form alone |
//! | [`store`] | everything Redis: connections, commands, streams that begin anew, retention |
//! | [`limits`] | gates, budgets and metrics |
//! | [`net`] | waiting for sockets, and bytes on their way through them |
//! | [`recording`] | a folder with recorded streams: files, nothing else |
//! | [`words`] | plain values: stream and entry ids, cursors, batches, lines of JSON, errors, units |
//!
//! The program itself is `main.rs`, with `commands/`, `arguments/`, `client/` and `process/` beside it.

#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod http;
pub mod limits;
pub mod net;
pub mod pages;
pub mod pull;
pub mod recording;
pub mod request;
pub mod server;
pub mod state;
pub mod store;
pub mod websocket;
pub mod words;

pub use server::Server;
pub use state::config::Config;
