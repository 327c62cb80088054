//! What all threads of a server share: what it was told at its start, and which connections are open.

pub mod config;
pub mod connections;
pub mod context;
