//! `ptg-store doctor`: examines a store and its Redis from outside, as a client of both, and says what mends what is wrong.
//! Asking and judging are apart: the judges are plain functions over what was said, and are tested with what real servers say.

mod clocks;
mod examination;
mod finding;
mod flags;
mod machine;
mod machine_checks;
mod pace;
mod probe;
mod redis_checks;
mod redis_verdicts;
mod report;
mod shell;
mod store_checks;
mod streams;
mod token;

use std::process::ExitCode;

use crate::client::{Exit, Failure, Interrupted};
use crate::commands;
use examination::Examination;
use finding::Finding;
use flags::Flags;
pub use probe::is_probe;
use report::Report;

/// One thing to look at. The checks run in order: those below stand on what those above found out.
struct Check {
    name: &'static str,
    /// The error says why it could not be looked at.
    look: fn(&Examination) -> Result<Finding, String>,
    /// Whether the flags want it.
    wanted: fn(&Flags) -> bool,
}

#[rustfmt::skip]
const CHECKS: &[Check] = &[
    Check { name: "address",            look: store_checks::address,        wanted: always },
    Check { name: "store",              look: store_checks::store,          wanted: always },
    Check { name: "sign-in",            look: store_checks::sign_in,        wanted: always },
    Check { name: "token",              look: store_checks::token,          wanted: always },
    Check { name: "store's Redis",      look: store_checks::ping,           wanted: always },
    Check { name: "redis",              look: redis_checks::version,        wanted: always },
    Check { name: "redis identity",     look: redis_checks::identity,       wanted: always },
    Check { name: "redis memory",       look: redis_checks::memory,         wanted: always },
    Check { name: "redis policy",       look: redis_checks::policy,         wanted: always },
    Check { name: "redis persistence",  look: redis_checks::persistence,    wanted: always },
    Check { name: "redis clients",      look: redis_checks::clients,        wanted: always },
    Check { name: "redis latency",      look: redis_checks::latency,        wanted: always },
    Check { name: "clocks",             look: redis_checks::clocks,         wanted: always },
    Check { name: "open files",         look: machine_checks::shell,        wanted: always },
    Check { name: "store's open files", look: machine_checks::process,      wanted: |flags| flags.pid.is_some() },
    Check { name: "disk of Redis",      look: machine_checks::redis_disk,   wanted: always },
    Check { name: "disk of data",       look: machine_checks::data_disk,    wanted: always },
    Check { name: "streams' memory",    look: store_checks::streams_memory, wanted: always },
    Check { name: "entries",            look: store_checks::entries,        wanted: always },
    Check { name: "round trip",         look: pace::round_trip,             wanted: always },
    Check { name: "throughput 1 kB",    look: pace::small_entries,          wanted: |flags| !flags.quick },
    Check { name: "throughput 100 kB",  look: pace::large_entries,          wanted: |flags| !flags.quick },
];

/// Runs the examination with these arguments.
pub fn main(arguments: &[&str]) -> ExitCode {
    commands::run("doctor", arguments, examine)
}

fn examine(flags: Flags, interrupted: &Interrupted) -> Result<Exit, Failure> {
    // Whatever was begun for it is removed when it is dropped, also after Ctrl-C.
    let examination = Examination::new(flags, interrupted)?;
    let mut report = Report::new(examination.flags.json);
    let cannot_print = |error| Failure::Here(format!("cannot print: {error}"));
    report.begin(&examination.headline()).map_err(cannot_print)?;
    for check in CHECKS.iter().filter(|check| (check.wanted)(&examination.flags)) {
        let finding = (check.look)(&examination).unwrap_or_else(Finding::not_checked);
        // What was broken off by a signal says nothing about the store.
        interrupted.check()?;
        report.add(check.name, &finding).map_err(cannot_print)?;
    }
    drop(examination);
    report.end().map_err(cannot_print)?;
    Ok(if report.is_wrong() { Exit::Failed } else { Exit::Done })
}

fn always(_: &Flags) -> bool {
    true
}
