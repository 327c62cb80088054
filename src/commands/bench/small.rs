//! What costs little each time: opening a pull, a ping, a pull that waits.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::direct::{Reader, sentence, xadd};
use super::socket::Pull;
use super::statistics::percentile;
use super::wire::{PATIENCE, Wire};
use super::{Bench, Side, process};

/// Pulls that wait at once: a little less than the store's default for `--max-sockets`.
const IDLE: usize = 1000;
const FEWEST_IDLE: usize = 100;

/// How long it takes until all of them wait, and how often it is looked whether they are gone.
const SETTLING: Duration = Duration::from_millis(300);
const POLL: Duration = Duration::from_millis(20);

/// The store notices within a moment that a pull is gone; without a pause there would be too many of them.
const BETWEEN_OPENINGS: Duration = Duration::from_millis(2);

/// From nothing to the first entry of a stream: connect, open, receive. The p50.
pub fn opening(bench: &Bench, side: Side, bytes: usize) -> Result<f64, String> {
    let stream = bench.stream("open", 10)?;
    let entry = vec![b'x'; bytes];
    xadd(&stream.name, stream.max_len, &entry)
        .exec(&mut bench.direct.connect()?)
        .map_err(sentence)?;
    let check = |got: &[u8]| match got == entry {
        true => Ok(()),
        false => Err("another entry came than was pushed".to_string()),
    };
    let mut samples = bench.sample(BETWEEN_OPENINGS, || {
        let got = match side {
            Side::Store => Pull::open(&bench.store, &stream.name, "last_entry_id=0")?.receive(check)?,
            Side::Direct => Reader::new(bench.direct.connect()?, &stream.name, 1).read(false, check)?,
        };
        match got {
            1 => Ok(()),
            got => Err(format!("{got} entries came instead of one")),
        }
    })?;
    Ok(percentile(&mut samples, 50.0))
}

/// `GET /ping` again and again on one connection, or `PING`: how many a second.
pub fn pings(bench: &Bench, side: Side) -> Result<f64, String> {
    let samples = match side {
        Side::Store => {
            let mut wire = Wire::connect(&bench.store.host, &bench.store.interrupted)?;
            let request = bench.store.begin("GET", "/ping") + "\r\n";
            bench.sample(Duration::ZERO, || {
                wire.send(request.as_bytes())?;
                let head = wire.head()?;
                match (head.status, wire.take(head.length)?.trim_ascii_end()) {
                    (200, b"true") => Ok(()),
                    (status, body) => Err(format!("GET /ping: {status} {}", String::from_utf8_lossy(body))),
                }
            })?
        }
        Side::Direct => {
            let mut redis = bench.direct.connect()?;
            let ping = redis::cmd("PING");
            bench.sample(Duration::ZERO, || ping.exec(&mut redis).map_err(sentence))?
        }
    };
    let time: Duration = samples.iter().sum();
    Ok(samples.len() as f64 / time.as_secs_f64())
}

/// Resident memory of the store for each of many pulls that wait, in KiB, and how many there were.
pub fn idle_pulls(bench: &Bench, pid: u32) -> Result<Vec<f64>, String> {
    // A socket needs a descriptor here, too.
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, most).map_err(|error| format!("cannot raise the limit of open files: {error}"))?;
    let stream = bench.stream("idle", 10)?;
    let (before, threads) = (process::resident(pid)?, process::threads(pid)?);
    let mut pulls = Vec::new();
    while pulls.len() < IDLE {
        bench.check()?;
        match Pull::open_idle(&bench.store, &stream.name) {
            Ok(pull) => pulls.push(pull),
            // The store may have less room (--max-sockets).
            Err(_) if pulls.len() >= FEWEST_IDLE => break,
            Err(error) => return Err(error),
        }
    }
    thread::sleep(SETTLING);
    let grown = process::resident(pid)?.saturating_sub(before);
    let count = pulls.len() as f64;
    drop(pulls);
    // Their end is not to disturb what is measured next.
    let end = Instant::now() + PATIENCE;
    while process::threads(pid)? > threads && Instant::now() < end {
        thread::sleep(POLL);
    }
    Ok(vec![grown as f64 / count, count])
}
