//! A few seconds of what tests/torture/fuzz.rs does for an hour: damaged requests and frames, always the same ones.

use std::time::Duration;

use crate::fuzzing::{FLAGS, Plan, run};
use crate::harness::{Footprint, Program, Redis};

#[test]
fn damaged_requests_and_frames_are_answered_or_ended_while_an_honest_clients_books_balance() {
    let redis = Redis::start();
    let url = redis.url();
    let flags = [&["--redis", url.as_str()][..], &FLAGS].concat();
    let store = Program::start_in(&std::env::temp_dir(), &flags, &[("RUST_LOG", "warn")]);
    store.assert_serves();
    let before = Footprint::of(&store);
    let plan = Plan {
        seed: 1,
        hostile: 24,
        honest: 1,
        length: Duration::from_secs(30),
        cases: 80,
    };
    let tally = run(&store, &redis, &plan);
    println!(
        "{:?} {:?} {:?} {:?}",
        tally.took, tally.cases, tally.statuses, tally.closes
    );
    assert!(tally.balanced > 0, "the honest client did nothing");
    before.is_back(&store, 256 << 20);
}
