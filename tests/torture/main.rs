//! The long tests: what `scripts/torture.sh` runs, one after the other, against a release build. Each ends by itself
//! and prints figures. A test's name is the promise that it holds. `cargo test` leaves them out: they are `#[ignore]`d.

// The harness is that of tests/it, of which this crate uses a part.
#[allow(dead_code, unused_imports)]
#[path = "../it/harness/mod.rs"]
mod harness;

mod latency;
mod process;
mod report;
mod websocket_frames;

mod isolation;
mod memory;
mod memory_bodies;
mod memory_pulls;

mod soak;
mod soak_books;
mod soak_clients;
