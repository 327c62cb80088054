//! The store as its clients see it: plain requests, pushes and pulls that outlive their connections, and what they end with.
//! Everything that waits here has a deadline, and gives up within half a second once the user has had enough.
//!
//! A command begins with `Interrupted::on_signals` and `Store::open`. Then `Store::get` and its like ask for JSON, `Pull` gives
//! entries, `Push` takes batches and tells when they are stored; `pull::Socket` and `push::Socket` are one connection of each. What
//! goes wrong is a `Failure`, which knows whether trying again is worth while, and the code to exit with.

mod age;
mod claims;
mod console;
pub mod description;
mod failure;
pub mod figures;
mod gap;
mod http;
mod input;
mod interrupted;
pub mod login;
mod missing;
mod names;
mod output;
mod place;
pub mod pull;
pub mod push;
mod retry;
pub mod shell;
mod store;
mod stream;
pub mod token;
pub mod typed;
pub mod websocket;
mod wire;

pub use age::{Age, is_time};
pub use claims::Claims;
pub use console::Console;
pub use failure::{Exit, Failure};
pub use gap::Gap;
pub use http::Reply;
pub use input::{Arrival, Input};
pub use interrupted::Interrupted;
pub use missing::Missing;
pub use output::{Output, unwritable};
pub use pull::{Entry, Pull};
pub use push::{Batch, Push};
pub use retry::{Patience, Retry, persist};
pub use store::{Store, encode};
pub use stream::{Present, Stream, activity, names};

use std::time::Duration;

/// How often a wait looks up: for Ctrl-C, and for pings that are due.
pub const TICK: Duration = Duration::from_millis(250);
