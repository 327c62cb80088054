//! The promises of `docs/protocol.md`, each tested over real sockets against a real redis-server.
//! A test's name is the promise that it holds.

#[path = "../fuzz/mod.rs"]
mod fuzzing;
mod harness;

mod commands;
mod follow;
mod hostile;
mod pages;
mod program;
mod pull;
mod push;
mod redis;
mod rest;
mod sockets;
