//! What a client that does not read its replies costs: about one reply, whatever `count` and the entries' sizes.

use std::time::Duration;

use crate::harness::{PATIENCE, Redis, eventually};
use crate::memory::at_rest;
use crate::process::{MIB, each, settled, show};
use crate::report::figure;

/// What a reply holds at most, unless a single entry is larger.
const REPLY: u64 = 8 * MIB;

/// As many replies may be in memory for each client: the one being written, one as it came, one read ahead.
const REPLIES: u64 = 3;

/// What a socket costs besides.
const SOCKET: u64 = 2 * MIB;

const CLIENTS: usize = 4;

/// Entries of a stream: so many, of so many bytes.
type Shape = &'static [(usize, u64)];

const SHAPES: [(&str, Shape); 4] = [
    ("1 MiB entries", &[(64, MIB)]),
    ("16 MiB entries", &[(8, 16 * MIB)]),
    ("60 MiB entries", &[(4, 60 * MIB)]),
    ("600 of 10 bytes, then 100 of 8 MiB", &[(600, 10), (100, 8 * MIB)]),
];

#[test]
#[ignore = "long: scripts/torture.sh"]
fn memory_of_a_pull_that_is_not_read_is_a_few_replies() {
    let mut failed = Vec::new();
    for (name, shape) in SHAPES {
        let redis = Redis::start();
        fill(&redis, shape);
        let reply = shape.iter().map(|(_, bytes)| *bytes).fold(REPLY, u64::max);
        for count in [1, 10, 1000] {
            let (store, before) = at_rest(&redis, &[]);
            let query = format!("last_entry_id=0&count={count}");
            // Where a read is fooled, Redis itself is busy for a moment, and says 503 to the next client.
            let mut sockets = Vec::new();
            eventually(4 * PATIENCE, || {
                sockets.extend(store.try_socket(&format!("/data/full/pull?{query}")));
                sockets.len() == CLIENTS
            });
            let after = settled(store.pid(), Duration::from_secs(3));
            let peak = each(before.resident, after.peak, CLIENTS);
            let now = each(before.resident, after.resident, CLIENTS);
            let figures = format!(
                "{} at the peak, {} while it waits; {:.1} replies",
                show(peak),
                show(now),
                peak as f64 / reply as f64
            );
            figure(&format!("unread pull of {name}, count={count}, each"), &figures);
            drop(sockets);
            if peak > REPLIES * reply + SOCKET {
                failed.push(format!("{name}, count={count}: {figures}"));
            }
        }
    }
    assert!(failed.is_empty(), "more than {REPLIES} replies: {failed:#?}");
}

fn fill(redis: &Redis, shape: Shape) {
    let mut connection = redis.connection();
    for (count, bytes) in shape {
        let data = vec![b'e'; *bytes as usize];
        for _ in 0..*count {
            let mut add = redis::cmd("XADD");
            add.arg("full").arg(&["*", "d"]).arg(&data[..]);
            add.exec(&mut connection).expect("to add an entry");
        }
    }
}
