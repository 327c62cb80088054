//! What malloc keeps when a time of clients of every kind and size is over.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::harness::{Redis, eventually};
use crate::memory::at_rest;
use crate::process::{MIB, memory, settled, show};
use crate::report::{figure, for_about};
use crate::soak_books::{Books, STREAMS, WRITERS, name};
use crate::soak_clients::{Scene, browse, diet, visit, write};

const CALM: Duration = Duration::from_secs(2);
const VISITORS: usize = 8;

/// What docs/operations.md says that malloc keeps (Memory): 4 MiB in each of 16 heaps.
const MOST_KEPT: u64 = 16 * 4 * MIB;

#[test]
#[ignore = "long: scripts/torture.sh"]
fn memory_that_is_kept_after_a_time_of_mixed_clients_is_what_the_readme_says() {
    let length = for_about(Duration::from_secs(20 * 60), Duration::from_secs(90));
    let redis = Redis::start();
    let (store, before) = at_rest(&redis, &[]);
    for stream in 0..STREAMS {
        let keeps = diet(stream).keeps;
        store
            .put(&format!("/streams/{}?max_len={keeps}", name(stream)))
            .expect(200);
    }
    let (books, over, written) = (Books::new(), AtomicBool::new(false), AtomicBool::new(false));
    let scene = Scene {
        client: &store,
        redis: &redis,
        books: &books,
        over: &over,
        written: &written,
    };
    let (begun, mut most) = (Instant::now(), 0);
    std::thread::scope(|scope| {
        let scene = &scene;
        let mut clients: Vec<_> = (0..WRITERS)
            .map(|writer| scope.spawn(move || write(scene, writer)))
            .collect();
        clients.extend((0..VISITORS).map(|reader| scope.spawn(move || drop(visit(scene, reader)))));
        clients.push(scope.spawn(move || browse(scene)));
        while begun.elapsed() < length {
            std::thread::sleep(Duration::from_millis(250));
            most = most.max(memory(store.pid()).resident);
        }
        over.store(true, Relaxed);
    });
    eventually(Duration::from_secs(90), || store.metric("ptg_connections_open") <= 1.0);
    let kept = settled(store.pid(), CALM).resident.saturating_sub(before.resident);
    figure("mixed clients, most resident", show(most));
    figure("mixed clients, kept when all have left", show(kept));
    assert!(kept <= MOST_KEPT, "{} are kept", show(kept));
}
