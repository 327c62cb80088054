//! The long tests: what `scripts/torture.sh` runs, one after the other, against a release build. Each ends by itself
//! and prints figures. A test's name is the promise that it holds. `cargo test` leaves them out: they are `#[ignore]`d.

// The harness is that of tests/it, of which this crate uses a part.
#[allow(dead_code, unused_imports)]
#[path = "../it/harness/mod.rs"]
mod harness;

#[path = "../fuzz/mod.rs"]
mod fuzzing;

mod books;
mod dice;
mod good_clients;
mod injection;
mod latency;
mod process;
mod report;
mod soak_books;
mod soak_clients;
mod websocket_frames;

mod crash;
mod faults;
mod fuzz;
mod hostile;
mod hostile_sockets;
mod isolation;
mod memory;
mod memory_bodies;
mod memory_mixed;
mod memory_pulls;
mod overload;
mod soak;
