//! `ptg-store bench`: what a running store costs beside the Redis behind it, measured from outside, as a client of both.
//! Each operation is measured on both sides in turns, because machines are noisy, and what is read is checked.

mod catch_up;
mod direct;
mod flags;
mod http;
mod live;
mod operations;
mod push;
mod report;
mod small;
mod socket;
mod statistics;
mod streams;
mod wire;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use argh::FromArgs;
use ptg_store::ids::EntryId;
use signal_hook::consts::{SIGINT, SIGTERM};

use direct::{Direct, Reader, sentence, xadd};
use flags::Flags;
use http::Store;
use operations::{Figure, IDLE_PULL, Operation};
use report::{HEADING, Row};
use socket::{Pull, Push, binary_frame};
use streams::{Prefix, Stream};
use wire::Interrupted;

/// The environment variable that holds a token when `--token` does not.
const TOKEN_VARIABLE: &str = "PTG_STORE_TOKEN";

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
    store: Store,
    direct: Direct,
    prefix: Prefix,
    /// How long one measurement takes.
    seconds: Duration,
    interrupted: Interrupted,
}

/// Runs the benchmark with these arguments.
pub fn main(arguments: &[&str]) -> ExitCode {
    let flags = match Flags::from_args(&["ptg-store", "bench"], arguments) {
        Ok(flags) => flags,
        Err(exit) if exit.status.is_ok() => {
            println!("{}", exit.output);
            return ExitCode::SUCCESS;
        }
        Err(exit) => return fail(exit.output.trim_end()),
    };
    match run(&flags) {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => fail(&sentence),
    }
}

fn fail(sentence: &str) -> ExitCode {
    eprintln!("ptg-store bench: {sentence}");
    ExitCode::FAILURE
}

fn run(flags: &Flags) -> Result<(), String> {
    flags.check()?;
    let wanted = |name: &str| flags.only.is_empty() || flags.only.iter().any(|part| name.contains(part.as_str()));
    let operations: Vec<Operation> = operations::all().into_iter().filter(|one| wanted(one.name)).collect();
    let idle = wanted(IDLE_PULL);
    if operations.is_empty() && !idle {
        return Err(format!(
            "--only {}: no operation's name contains it; --list shows them",
            flags.only.join(", ")
        ));
    }
    if flags.list {
        operations.iter().for_each(|operation| println!("{}", operation.name));
        if idle {
            println!("{IDLE_PULL}");
        }
        return Ok(());
    }
    let bench = Bench::new(flags)?;
    bench.check_that_both_are_one()?;
    let about = bench.about(flags)?;
    if !flags.json {
        println!("{about}\n\n{HEADING}");
    }
    let mut rows = Vec::new();
    let mut show = |new: Vec<Row>| {
        if !flags.json {
            new.iter().for_each(|row| println!("{}", row.line()));
        }
        rows.extend(new);
    };
    // First, before the store has memory to spare from other work.
    if idle {
        match flags.pid {
            Some(pid) => {
                let figure = Figure {
                    name: "memory each",
                    unit: "KiB",
                };
                let value = small::idle_pull(&bench, pid).map_err(|error| format!("{IDLE_PULL}: {error}"))?;
                show(vec![Row::of_store(IDLE_PULL, figure, value)]);
            }
            None if !flags.json => println!("{IDLE_PULL:36}    skipped: --pid says which process to look at"),
            None => {}
        }
    }
    for operation in &operations {
        let rounds = bench.rounds(operation, flags.rounds);
        show(Row::of(
            operation,
            &rounds.map_err(|error| format!("{}: {error}", operation.name))?,
        ));
    }
    if flags.json {
        let results: Vec<_> = rows.iter().map(Row::json).collect();
        let all = serde_json::json!({ "about": about, "rounds": flags.rounds, "seconds": flags.seconds.0.as_secs_f64(), "results": results });
        println!("{all:#}");
    }
    Ok(())
}

impl Bench {
    fn new(flags: &Flags) -> Result<Bench, String> {
        let interrupted = Interrupted::default();
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&interrupted))
                .map_err(|error| format!("cannot wait for signals: {error}"))?;
        }
        let mut store = Store::new(&flags.url, &interrupted)?;
        let token = flags.token.clone().or_else(|| std::env::var(TOKEN_VARIABLE).ok());
        match token.filter(|token| !token.is_empty()) {
            Some(token) => store.token = token,
            None => store.sign_in(&flags.user, flags.password.as_ref().unwrap_or(&flags.user))?,
        }
        Ok(Bench {
            store,
            direct: Direct::new(&flags.redis)?,
            prefix: Prefix::random(),
            seconds: flags.seconds.0,
            interrupted,
        })
    }

    /// An error once the user has had enough.
    fn check(&self) -> Result<(), String> {
        wire::check(&self.interrupted)
    }

    /// A stream for one measurement.
    fn stream(&self, what: &str, max_len: usize) -> Result<Stream<'_>, String> {
        self.prefix.make(what, max_len, &self.store, &self.direct)
    }

    /// What goes in on one side must come out on the other.
    fn check_that_both_are_one(&self) -> Result<(), String> {
        let mut redis = self.direct.connect()?;
        let stream = self.stream("same", 10)?;
        let other = "the store and --redis are not the same: what is pushed through one is not in the other";
        let is = |expected: &'static [u8]| {
            move |entry: &[u8]| match entry == expected {
                true => Ok(()),
                false => Err(other.to_string()),
            }
        };
        let mut push = Push::open(&self.store, &stream.name, "ack=true")?;
        let mut frame = Vec::new();
        binary_frame(&mut frame, b"through the store");
        push.send(&frame)?;
        push.acknowledged(&mut EntryId::default())?;
        if Reader::new(self.direct.connect()?, &stream.name, 1).read(false, is(b"through the store"))? != 1 {
            return Err(other.into());
        }
        xadd(&stream.name, stream.max_len, b"straight")
            .exec(&mut redis)
            .map_err(sentence)?;
        let mut pull = Pull::open(&self.store, &stream.name, "last_entry_id=0")?;
        pull.receive(is(b"through the store"))?;
        pull.receive(is(b"straight"))?;
        Ok(())
    }

    /// What is measured, for the reader of the figures.
    fn about(&self, flags: &Flags) -> Result<String, String> {
        let version = self.store.ask("GET", "/health", "", "")?["version"]
            .as_str()
            .unwrap_or("?")
            .to_string();
        let info: String = self.direct.ask(&["INFO", "server"])?;
        let redis = info
            .lines()
            .find_map(|line| line.strip_prefix("redis_version:"))
            .unwrap_or("?");
        let processors = std::thread::available_parallelism().map_or(0, usize::from);
        let slow = if cfg!(debug_assertions) {
            "; this client is a DEBUG build"
        } else {
            ""
        };
        Ok(format!(
            "ptg-store {version} at {} and Redis {redis} at {}: {} rounds, {} each, {processors} processors here{slow}",
            flags.url,
            self.direct.address(),
            flags.rounds,
            flags.seconds,
        ))
    }

    /// Every round on both sides, one right after the other. Who is first takes turns.
    fn rounds(&self, operation: &Operation, rounds: usize) -> Result<Vec<(Vec<f64>, Vec<f64>)>, String> {
        let measure = |side| {
            self.check()?;
            (operation.measure)(self, side).map_err(|error| match side {
                Side::Store => format!("through the store: {error}"),
                Side::Direct => format!("straight to Redis: {error}"),
            })
        };
        (0..rounds)
            .map(|round| {
                if round % 2 == 0 {
                    let store = measure(Side::Store)?;
                    Ok((store, measure(Side::Direct)?))
                } else {
                    let direct = measure(Side::Direct)?;
                    Ok((measure(Side::Store)?, direct))
                }
            })
            .collect()
    }
}
