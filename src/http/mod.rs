//! HTTP: the door that connections come in by, the handlers of requests, and replies that stay open.

pub mod door;
pub mod follow;
pub mod rest;
