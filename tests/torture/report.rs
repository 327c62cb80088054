//! What the long tests have in common: how long they go on, and how they print figures.

use std::fmt::Display;
use std::time::Duration;

/// How long a test goes on: `full` as a rule, `short` with `scripts/torture.sh --short`, to see that all of it works.
pub fn for_about(full: Duration, short: Duration) -> Duration {
    match std::env::var_os("PTG_TORTURE_SHORT") {
        Some(_) => short,
        None => full,
    }
}

/// Prints one line of figures that a reader, or grep, finds: `figure  what: value`.
pub fn figure(what: &str, value: impl Display) {
    println!("figure  {what}: {value}");
}
