//! An hour of damaged requests and frames (tests/fuzz), with honest clients among the hostile ones.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::fuzzing::{FLAGS, Plan, run};
use crate::harness::{Footprint, Program, Redis};
use crate::report::{figure, for_about};

/// Memory may be more by this than in the first fifth of the run: what the allocator keeps wanders, a leak climbs on.
const SLACK: usize = 96 << 20;

#[test]
#[ignore = "long: scripts/torture.sh"]
fn nothing_that_clients_send_ends_the_store_or_costs_an_honest_client_an_entry() {
    let redis = Redis::start();
    let url = redis.url();
    let flags = [&["--redis", url.as_str()][..], &FLAGS].concat();
    let store = Program::start_in(&std::env::temp_dir(), &flags, &[("RUST_LOG", "warn")]);
    store.assert_serves();
    let before = Footprint::of(&store);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
    let plan = Plan {
        seed: now.as_secs(),
        hostile: 16,
        honest: 2,
        length: for_about(Duration::from_secs(3600), Duration::from_secs(60)),
        cases: u64::MAX,
    };
    let tally = run(&store, &redis, &plan);
    let cases: u64 = tally.cases.values().sum();
    figure(
        "fuzz: cases a second",
        format!("{:.0}", cases as f64 / tally.took.as_secs_f64()),
    );
    figure("fuzz: cases", format!("{cases} {:?}", tally.cases));
    figure("fuzz: statuses", format!("{:?}", tally.statuses));
    figure("fuzz: close codes", format!("{:?}", tally.closes));
    figure("fuzz: entries of honest clients, all balanced", tally.balanced);
    let mib = tally.memory.map(|bytes| bytes >> 20);
    figure(
        "fuzz: memory in MiB, peak of each fifth",
        format!("{mib:?}, {} before", before.memory >> 20),
    );
    let after = before.is_back(&store, tally.memory[0] - before.memory + SLACK);
    figure("fuzz: before", format!("{before:?}"));
    figure("fuzz: after", format!("{after:?}"));
    let highest = *tally.memory.iter().max().expect("five fifths");
    assert!(highest <= tally.memory[0] + SLACK, "memory climbs: {mib:?} MiB");
    assert_eq!(tally.statuses.get(&500), None, "a handler failed");
    assert!(tally.balanced > 0, "the honest clients did nothing");
}
