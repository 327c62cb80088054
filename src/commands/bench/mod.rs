//! `ptg-store bench`: what a running store costs beside the Redis behind it, measured from outside, as a client of both.
//! Each operation is measured on both sides in turns, because machines are noisy, and what is read is checked.

mod catch_up;
mod clock;
pub mod direct;
mod flags;
mod http;
mod live;
mod operations;
mod process;
mod push;
mod report;
mod same;
mod small;
mod socket;
mod statistics;
mod streams;
mod wire;

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use ptg_store::words::visible;
use serde_json::{Value, json};

use direct::Direct;
use flags::Flags;
use http::Store;
use operations::{IDLE_FIGURES, IDLE_PULLS, Operation};
use report::{Round, Row};
use streams::{Prefix, Stream};
use wire::Interrupted;

use crate::arguments;
use crate::client::{self, Console, Exit, Failure};
use crate::commands;
use crate::process::signals;

/// Which way the work takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Side {
    /// Through the store.
    Store,
    /// Straight to Redis.
    Direct,
}

/// What every measurement needs.
pub struct Bench {
    url: String,
    store: Store,
    direct: Direct,
    prefix: Prefix,
    /// How long one measurement takes.
    seconds: Duration,
    /// The store's process.
    pid: Option<u32>,
    /// Entries moved, or requests made, so far.
    done: AtomicU64,
    interrupted: Interrupted,
}

/// Runs the benchmark with these arguments.
pub fn main(arguments: &[&str]) -> ExitCode {
    let flags: Flags = match arguments::of_command("bench", arguments) {
        Ok(flags) => flags,
        Err(stop) => return commands::stopped(stop, |sentence| console().complain_in_lines(sentence)).into(),
    };
    let interrupted = Interrupted::default();
    let Err(failure) = run(&flags, &interrupted) else {
        return ExitCode::SUCCESS;
    };
    console().complain(&failure.to_string());
    match interrupted.load(Relaxed) {
        true => Exit::Interrupted.into(),
        false => failure.exit().into(),
    }
}

/// Where it says what went wrong.
fn console() -> Console {
    Console::new("bench", false)
}

fn run(flags: &Flags, interrupted: &Interrupted) -> Result<(), Failure> {
    flags.check().map_err(Failure::Usage)?;
    let wanted = |name: &str| flags.only.is_empty() || flags.only.iter().any(|part| name.contains(part.as_str()));
    let operations: Vec<Operation> = operations::all().into_iter().filter(|one| wanted(one.name)).collect();
    let idle = wanted(IDLE_PULLS);
    if operations.is_empty() && !idle {
        let only = flags.only.join(", ");
        return Err(Failure::Usage(format!(
            "--only {only}: no operation's name contains it; --list shows them"
        )));
    }
    if flags.list {
        let idle = idle.then_some(IDLE_PULLS);
        return idle
            .into_iter()
            .chain(operations.iter().map(|one| one.name))
            .try_for_each(print)
            .map_err(Failure::Here);
    }
    let bench = Bench::new(flags, interrupted)?;
    let measured = bench.measure(flags, &operations, idle);
    // A signal also breaks off system calls, and what they say then is not the cause.
    bench.check().and(measured).map_err(Failure::Here)
}

/// Prints a line, right away also into a pipe.
fn print(line: impl Display) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(|error| format!("cannot print: {error}"))
}

/// What is measured, in one line.
fn headline(about: &Value) -> String {
    let word = |name: &str| visible::line(about[name].as_str().unwrap_or("?")).into_owned();
    let slow = if cfg!(debug_assertions) {
        "; this client is a DEBUG build"
    } else {
        ""
    };
    format!(
        "ptg-store {} at {}, Redis {} at {}: {} rounds of {} s a side, {} processors here{slow}",
        word("store_version"),
        word("url"),
        word("redis_version"),
        word("redis"),
        about["rounds"],
        about["seconds"],
        about["processors"],
    )
}

impl Bench {
    fn new(flags: &Flags, interrupted: &Interrupted) -> Result<Bench, Failure> {
        for signal in signals::ending() {
            signal_hook::flag::register(signal, Arc::clone(interrupted))
                .map_err(|error| Failure::Here(format!("cannot wait for signals: {error}")))?;
        }
        let direct = Direct::new(&flags.redis, wire::PATIENCE);
        let direct = direct.map_err(|error| Failure::Usage(format!("--redis: {error}")))?;
        let known = client::Store::look(
            flags.url.as_deref(),
            flags.token.as_deref(),
            &interrupted.clone().into(),
        );
        let known = known.map_err(|failure| match (&flags.url, failure) {
            (Some(url), Failure::Usage(sentence)) => Failure::Usage(format!("--url {url}: {sentence}")),
            (_, failure) => failure,
        })?;
        // Whatever keeps the store from being asked is told here, as in every other command.
        let token = match known.token() {
            Some(token) => known.get("/streams/").map(|_| token.to_owned())?,
            None => known.sign_in(&flags.user, flags.password.as_ref().unwrap_or(&flags.user))?,
        };
        let store = Store::new(&known, token, interrupted);
        Ok(Bench {
            url: known.url(),
            store,
            direct,
            prefix: Prefix::random(),
            seconds: flags.seconds.0,
            pid: flags.pid,
            done: AtomicU64::new(0),
            interrupted: interrupted.clone(),
        })
    }

    /// Measures and prints everything.
    fn measure(&self, flags: &Flags, operations: &[Operation], idle: bool) -> Result<(), String> {
        self.check_that_both_are_one()?;
        let about = self.about(flags)?;
        let mut results = Vec::new();
        let mut show = |rows: Vec<Row>| {
            results.extend(rows.iter().map(Row::json));
            rows.iter()
                .filter(|_| !flags.json)
                .try_for_each(|row| print(row.line()))
        };
        if !flags.json {
            print(format!("{}\n\n{}", headline(&about), Row::heading()))?;
        }
        // First, before the store has memory to spare from other work.
        match flags.pid.filter(|_| idle) {
            Some(pid) => {
                let values = small::idle_pulls(self, pid).map_err(|error| format!("{IDLE_PULLS}: {error}"))?;
                show(Row::of_store(IDLE_PULLS, &IDLE_FIGURES, &values))?;
            }
            None if idle && !flags.json => {
                print(format!("{IDLE_PULLS:34} skipped: --pid tells which process to look at"))?
            }
            None => {}
        }
        for operation in operations {
            let rounds = self.rounds(operation, flags.rounds);
            show(Row::of(
                operation,
                &rounds.map_err(|error| format!("{}: {error}", operation.name))?,
            ))?;
        }
        if flags.json {
            let all = format!("{:#}", json!({ "about": about, "results": results }));
            print(visible::json(&all))?;
        }
        Ok(())
    }

    /// An error once the user has had enough.
    fn check(&self) -> Result<(), String> {
        wire::check(&self.interrupted)
    }

    /// A stream for one measurement.
    fn stream(&self, what: &str, max_len: usize) -> Result<Stream<'_>, String> {
        self.prefix.make(what, max_len, &self.store, &self.direct)
    }

    /// What is measured, for the reader of the figures.
    fn about(&self, flags: &Flags) -> Result<Value, String> {
        let health = self.store.ask("GET", "/health", "", "")?;
        let info: String = self.direct.ask(&["INFO", "server"])?;
        Ok(json!({
            "url": self.url,
            "store_version": health["version"],
            "redis": self.direct.address(),
            "redis_version": info.lines().find_map(|line| line.strip_prefix("redis_version:")),
            "rounds": flags.rounds,
            "seconds": flags.seconds.0.as_secs_f64(),
            "processors": std::thread::available_parallelism().map_or(0, usize::from),
            "debug_build": cfg!(debug_assertions),
        }))
    }

    /// Every round on both sides, one right after the other. Who is first takes turns.
    fn rounds(&self, operation: &Operation, rounds: usize) -> Result<Vec<Round>, String> {
        let through_the_store = || {
            let (cpu, done) = (self.cpu()?, self.done.load(Relaxed));
            let values =
                (operation.measure)(self, Side::Store).map_err(|error| format!("through the store: {error}"))?;
            let done = self.done.load(Relaxed) - done;
            let cpu = cpu
                .zip(self.cpu()?)
                .map(|(before, after)| (after - before).as_secs_f64() * 1e6 / done as f64);
            Ok::<_, String>((values, cpu))
        };
        let straight =
            || (operation.measure)(self, Side::Direct).map_err(|error| format!("straight to Redis: {error}"));
        let round = |number| {
            let ((store, cpu), direct) = if number % 2 == 0 {
                let store = through_the_store()?;
                (store, straight()?)
            } else {
                let direct = straight()?;
                (through_the_store()?, direct)
            };
            Ok(Round { store, direct, cpu })
        };
        (0..rounds).map(round).collect()
    }

    /// Processor time that the store has used so far, if its process is known.
    fn cpu(&self) -> Result<Option<Duration>, String> {
        self.pid.map(process::cpu).transpose()
    }

    /// Counts entries that were moved, or requests.
    fn did(&self, count: usize) {
        self.done.fetch_add(count as u64, Relaxed);
    }
}
