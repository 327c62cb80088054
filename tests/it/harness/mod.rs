//! What every test stands on: a private Redis, a store in this process or as the binary, a REST client and WebSockets.
//! Everything listens on loopback, has a deadline, and is stopped when it goes out of scope.

mod answer;
mod client;
mod followed;
mod footprint;
pub mod liar;
mod own_redis;
mod program;
mod proxy;
mod recordings;
mod redis;
mod replies;
mod servers;
mod shell;
mod socket;
mod store;
mod terminal;
pub mod wire;

pub use answer::{Answer, expect_end, read_answer, read_answer_to_head, send};
pub use client::{Client, encode, multipart, token_for};
pub use followed::{End, Followed};
pub use footprint::{Footprint, descriptors, peak, peak_of, resident, threads};
pub use own_redis::{OWN_REDIS_PORT, own_redis, own_redis_is, own_redis_listens, take_turn};
pub use program::{Program, signal};
pub use proxy::{Manner, Proxy};
pub use recordings::{count_recorded, recorded};
pub use redis::{Redis, next_port};
pub use replies::Replies;
pub use servers::{Servers, ask_redis_in, real_server, redis_in};
pub use shell::{Running, Shell, text};
pub use socket::{
    Socket, expect_close, receive_binary, receive_json, receive_reply, receive_text, receive_triples, send_binary,
    send_text, wait_for_pong,
};
pub use store::Store;
pub use terminal::{CTRL_C, CTRL_D, Terminal};

use std::time::{Duration, Instant};

/// How long a test waits for anything that should come soon; far longer than it ever takes.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The key with which the development mode signs, from docs/protocol.md, section 3.
pub const DEVELOPMENT_KEY: &str = "56b0bde8ca81e3b8f1b2b9c0f76d73a8a1ee7083b003f5e5811d35f5f266d4b5";

/// The host of requests that tests write by hand. Every store of theirs answers to it, besides its own names.
pub const TEST_HOST: [&str; 2] = ["--allow-host", "x"];

/// Polls until the condition holds, and fails when it does not in time.
#[track_caller]
pub fn eventually(deadline: Duration, condition: impl FnMut() -> bool) {
    assert!(holds_within(deadline, condition), "still not so after {deadline:?}");
}

/// Whether the condition comes to hold in time. The one place in the tests that sleeps.
pub fn holds_within(deadline: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        if condition() {
            return true;
        }
        if start.elapsed() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Cuts a blob at its offsets: an entry reaches from its own to the next one's, the last to the end.
#[track_caller]
pub fn slice(offsets: &[(String, usize)], blob: &[u8]) -> Vec<(String, Vec<u8>)> {
    let ends = offsets.iter().skip(1).map(|(_, offset)| *offset);
    let ends = ends.chain([blob.len()]);
    let entries = offsets.iter().zip(ends);
    entries
        .map(|((id, start), end)| {
            let data = blob.get(*start..end);
            let data = data.unwrap_or_else(|| panic!("{start}..{end} of {} bytes", blob.len()));
            (id.clone(), data.to_vec())
        })
        .collect()
}
