//! Nobody gets a chance to tidy up: the store is killed (SIGKILL) in the middle of pushes. What was acknowledged is in Redis.

use std::collections::HashSet;

use tungstenite::Message;

use crate::harness::wire::{Entry, length, stored};
use crate::harness::{PATIENCE, Socket, send_binary, send_text};
use crate::harness::{Program, Redis, eventually};

#[test]
fn every_acked_entry_is_in_redis_and_batches_are_whole_after_the_store_was_killed_in_mid_push() {
    let redis = Redis::start();
    for round in 0..3 {
        let mut store = Program::start(&["--redis", &redis.url(), "--max-len", "10000000"]);
        let mut single = store.push("s", "ack=true");
        let mut batch = store.push("b", "batch=true&ack=true");
        let (singles, batches) = std::thread::scope(|scope| {
            let singles = scope.spawn(|| push_until_it_breaks(&mut single, round));
            let batches = scope.spawn(|| push_batches_until_it_breaks(&mut batch));
            let before = length(&redis, "s");
            eventually(PATIENCE, || length(&redis, "s") > before + 50);
            store.signal("KILL");
            store.wait(PATIENCE);
            (singles.join().expect("a client"), batches.join().expect("a client"))
        });
        let (found, whole) = (stored(&redis, "s"), stored(&redis, "b"));
        let known: HashSet<_> = found.iter().collect();
        assert!(
            singles.iter().all(|entry| known.contains(entry)),
            "an acked entry is lost"
        );
        let known: HashSet<_> = whole.iter().map(|entry| &entry.0).collect();
        assert!(batches.iter().all(|id| known.contains(id)), "an acked batch is lost");
        assert!(
            whole
                .chunks(10)
                .all(|batch| batch.iter().flat_map(|e| &e.1).eq(b"0123456789")),
            "a batch in pieces"
        );
    }
}

/// Sends ten entries ahead of their acks; what was acked.
fn push_until_it_breaks(push: &mut Socket, round: usize) -> Vec<Entry> {
    let mut acked: Vec<Entry> = Vec::new();
    let entry = |n: usize| format!("{round}-{n}").into_bytes();
    (0..10).for_each(|n| send_binary(push, &entry(n)));
    while let Ok(Message::Text(id)) = push.read() {
        acked.push((id.as_str().to_owned(), entry(acked.len())));
        if push.send(Message::binary(entry(acked.len() + 9))).is_err() {
            break;
        }
    }
    acked
}

fn push_batches_until_it_breaks(push: &mut Socket) -> Vec<String> {
    let mut acked = Vec::new();
    send_text(push, "0,1,2,3,4,5,6,7,8,9");
    send_binary(push, b"0123456789");
    while let Ok(Message::Text(ids)) = push.read() {
        acked.extend(ids.split(',').map(str::to_owned));
        let again = push.send(Message::text("0,1,2,3,4,5,6,7,8,9"));
        if again
            .and_then(|()| push.send(Message::binary(&b"0123456789"[..])))
            .is_err()
        {
            break;
        }
    }
    acked
}
