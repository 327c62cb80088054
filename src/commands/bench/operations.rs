//! What is measured, on one screen.

use super::live::{self, Load};
use super::{Bench, Side, catch_up, push, small};

/// One figure of an operation, and which way is better.
#[derive(Clone, Copy)]
pub struct Figure {
    pub name: &'static str,
    pub unit: &'static str,
}

type Measure = Box<dyn Fn(&Bench, Side) -> Result<Vec<f64>, String>>;

/// Something that users do, through the store or straight with Redis.
pub struct Operation {
    pub name: &'static str,
    /// Size of its entries.
    pub bytes: Option<usize>,
    pub figures: &'static [Figure],
    /// One round on one side: a value for each figure.
    pub measure: Measure,
}

const P50: Figure = figure("p50", "us");
const P99: Figure = figure("p99", "us");
const LATE: Figure = figure("late by > 33 ms", "per 1000");
const ENTRIES: Figure = figure("rate", "entries/s");
const MEGABYTES: Figure = figure("rate", "MB/s");
const REQUESTS: Figure = figure("rate", "requests/s");

/// Live: one stream of pictures.
const ONE: Load = Load {
    streams: 1,
    a_second: 100,
    bytes: 50_000,
    pullers: 1,
};

/// Live: a lab full of cameras.
const EIGHT: Load = Load {
    streams: 8,
    a_second: 30,
    bytes: 200_000,
    pullers: 2,
};

/// Entries in the stream that is caught up with: small ones, and large ones.
const SMALL: usize = 20_000;
const LARGE: usize = 500;

/// Everything that has two sides. What an idle pull costs has one.
pub fn all() -> Vec<Operation> {
    let one = |value: Result<f64, String>| value.map(|value| vec![value]);
    vec![
        operation("push, ack, 1 kB", Some(1_000), &[P50, P99], |bench, side| {
            push::acknowledged(bench, side, 1_000)
        }),
        operation("push, ack, 50 kB", Some(50_000), &[P50, P99], |bench, side| {
            push::acknowledged(bench, side, 50_000)
        }),
        operation("push, no ack, 100 B", Some(100), &[ENTRIES], move |bench, side| {
            one(push::unacknowledged(bench, side, 100))
        }),
        operation("push, no ack, 10 kB", Some(10_000), &[MEGABYTES], move |bench, side| {
            one(push::unacknowledged_bytes(bench, side, 10_000))
        }),
        operation(
            "push, no ack, 100 kB",
            Some(100_000),
            &[MEGABYTES],
            move |bench, side| one(push::unacknowledged_bytes(bench, side, 100_000)),
        ),
        operation(
            "push, no ack, 1 MB",
            Some(1_000_000),
            &[MEGABYTES],
            move |bench, side| one(push::unacknowledged_bytes(bench, side, 1_000_000)),
        ),
        operation(
            "push, batches of 100, ack",
            Some(1_000),
            &[ENTRIES],
            move |bench, side| one(push::batches(bench, side, 1_000)),
        ),
        operation(
            "push to pull, 100 a second",
            Some(50_000),
            &[P50, P99],
            |bench, side| live::latency(bench, side, &ONE),
        ),
        operation("catch up, one by one", Some(1_000), &[ENTRIES], move |bench, side| {
            one(catch_up::entries(bench, side, 1_000, SMALL, 1))
        }),
        operation("catch up, hundreds", Some(100_000), &[MEGABYTES], move |bench, side| {
            one(catch_up::megabytes(bench, side, 100_000, LARGE, 100))
        }),
        operation("catch up, thousands", Some(1_000), &[ENTRIES], move |bench, side| {
            one(catch_up::entries(bench, side, 1_000, SMALL, 1000))
        }),
        operation(
            "8 streams, 30 a second, 2 pullers",
            Some(200_000),
            &[P50, P99, LATE],
            |bench, side| live::lateness(bench, side, &EIGHT),
        ),
        operation("open a pull", Some(1_000), &[P50], move |bench, side| {
            one(small::opening(bench, side, 1_000))
        }),
        operation("ping", None, &[REQUESTS], move |bench, side| {
            one(small::pings(bench, side))
        }),
    ]
}

/// What the store itself has done for an entry, or for a request; the machine's noise hardly touches it.
pub const CPU: Figure = figure("store's CPU", "us each");

/// What has one side.
pub const IDLE_PULLS: &str = "idle pulls";
pub const IDLE_FIGURES: [Figure; 2] = [figure("memory each", "KiB"), figure("open at once", "pulls")];

const fn figure(name: &'static str, unit: &'static str) -> Figure {
    Figure { name, unit }
}

fn operation(
    name: &'static str,
    bytes: Option<usize>,
    figures: &'static [Figure],
    measure: impl Fn(&Bench, Side) -> Result<Vec<f64>, String> + 'static,
) -> Operation {
    Operation {
        name,
        bytes,
        figures,
        measure: Box::new(measure),
    }
}
