//! Entries that are pulled while they are pushed: how long each takes from the one client to the other.

use std::thread;
use std::time::{Duration, Instant};

use super::direct::{Reader, sentence, xadd};
use super::socket::{Pull, Push, binary_frame};
use super::statistics::percentile;
use super::streams::{Stream, kept};
use super::wire::PATIENCE;
use super::{Bench, Side};

/// A frame of a camera with 30 a second: what is older when it comes is late.
const LATE: Duration = Duration::from_millis(33);

/// Every entry begins with the time of its push, in nanoseconds since the measurement began, and its number.
const TIME: usize = 8;
const NUMBER: usize = 8;

/// How long after everything is open the first entry is pushed.
const LEAD: Duration = Duration::from_millis(20);

/// Who pushes and pulls what.
pub struct Load {
    pub streams: usize,
    pub a_second: usize,
    pub bytes: usize,
    pub pullers: usize,
}

/// p50 and p99 from push to pull.
pub fn latency(bench: &Bench, side: Side, load: &Load) -> Result<Vec<f64>, String> {
    let mut samples = run(bench, side, load)?;
    Ok(vec![percentile(&mut samples, 50.0), percentile(&mut samples, 99.0)])
}

/// p50, p99 and how many of a thousand were late by more than a frame.
pub fn lateness(bench: &Bench, side: Side, load: &Load) -> Result<Vec<f64>, String> {
    let mut samples = run(bench, side, load)?;
    let late = samples.iter().filter(|sample| **sample > LATE).count();
    Ok(vec![
        percentile(&mut samples, 50.0),
        percentile(&mut samples, 99.0),
        late as f64 * 1000.0 / samples.len() as f64,
    ])
}

/// When each entry of a stream is due.
#[derive(Clone, Copy)]
struct Schedule {
    /// What the times in entries count from.
    epoch: Instant,
    first: Instant,
    period: Duration,
    entries: usize,
}

enum Puller<'a> {
    Store(Pull),
    Direct(Reader<'a>),
}

fn run(bench: &Bench, side: Side, load: &Load) -> Result<Vec<Duration>, String> {
    let streams: Result<Vec<Stream>, String> = (0..load.streams)
        .map(|number| bench.stream(&format!("live-{number}"), kept(load.bytes)))
        .collect();
    let streams = streams?;
    let mut pullers = Vec::new();
    for stream in &streams {
        for _ in 0..load.pullers {
            pullers.push(match side {
                Side::Store => Puller::Store(Pull::open(&bench.store, &stream.name, "")?),
                Side::Direct => Puller::Direct(Reader::new(bench.direct.connect()?, &stream.name, 1)),
            });
        }
    }
    let period = Duration::from_secs(1) / load.a_second as u32;
    let epoch = Instant::now();
    let schedule = |number: usize| Schedule {
        epoch,
        // Cameras are not in step.
        first: epoch + LEAD + period * number as u32 / load.streams as u32,
        period,
        entries: (2.0 * bench.seconds.as_secs_f64() * load.a_second as f64)
            .ceil()
            .max(3.0) as usize,
    };
    thread::scope(|scope| {
        let pulling: Vec<_> = pullers
            .into_iter()
            .enumerate()
            .map(|(number, puller)| scope.spawn(move || pull(bench, puller, schedule(number / load.pullers), load)))
            .collect();
        let pushing: Vec<_> = streams
            .iter()
            .enumerate()
            .map(|(number, stream)| scope.spawn(move || push(bench, side, stream, schedule(number), load)))
            .collect();
        for thread in pushing {
            thread.join().map_err(|_| "a pusher panicked")??;
        }
        let mut samples = Vec::new();
        for thread in pulling {
            samples.extend(thread.join().map_err(|_| "a puller panicked")??);
        }
        Ok(samples)
    })
}

fn push(bench: &Bench, side: Side, stream: &Stream, schedule: Schedule, load: &Load) -> Result<(), String> {
    let mut entry = vec![b'x'; load.bytes];
    match side {
        Side::Store => {
            let mut push = Push::open(&bench.store, &stream.name, "")?;
            let mut frame = Vec::new();
            binary_frame(&mut frame, &entry);
            let payload = frame.len() - entry.len();
            on_time(bench, schedule, |label| {
                frame[payload..payload + TIME + NUMBER].copy_from_slice(&label);
                push.send(&frame)
            })?;
            push.close()
        }
        Side::Direct => {
            let mut redis = bench.direct.connect()?;
            on_time(bench, schedule, |label| {
                entry[..TIME + NUMBER].copy_from_slice(&label);
                xadd(&stream.name, stream.max_len, &entry)
                    .exec(&mut redis)
                    .map_err(sentence)
            })
        }
    }
}

/// Sends each entry when it is due. One that the push before it held up counts from when it was due.
fn on_time(
    bench: &Bench,
    schedule: Schedule,
    mut send: impl FnMut([u8; TIME + NUMBER]) -> Result<(), String>,
) -> Result<(), String> {
    for number in 0..schedule.entries {
        bench.check()?;
        let due = schedule.first + schedule.period * number as u32;
        let early = due.saturating_duration_since(Instant::now());
        thread::sleep(early);
        let pushed = if early.is_zero() { due } else { Instant::now() };
        let mut label = [0; TIME + NUMBER];
        label[..TIME].copy_from_slice(&((pushed - schedule.epoch).as_nanos() as u64).to_le_bytes());
        label[TIME..].copy_from_slice(&(number as u64).to_le_bytes());
        send(label)?;
    }
    Ok(())
}

/// Takes every entry, one after the other; how long each took, those aside that warm up.
fn pull(bench: &Bench, mut puller: Puller, schedule: Schedule, load: &Load) -> Result<Vec<Duration>, String> {
    let mut samples = Vec::new();
    let mut next = 0;
    let mut take = |entry: &[u8]| {
        let now = schedule.epoch.elapsed();
        let number = |range: std::ops::Range<usize>| Some(u64::from_le_bytes(entry.get(range)?.try_into().ok()?));
        let (Some(pushed), Some(number)) = (number(0..TIME), number(TIME..TIME + NUMBER)) else {
            return Err("an entry is too short".to_string());
        };
        if number != next || entry.len() != load.bytes {
            return Err(format!(
                "entry {number} of {} bytes came instead of entry {next}",
                entry.len()
            ));
        }
        if number >= schedule.entries as u64 / 10 {
            samples.push(now.saturating_sub(Duration::from_nanos(pushed)));
        }
        next += 1;
        Ok(())
    };
    let mut left = schedule.entries;
    let mut heard = Instant::now();
    while left > 0 {
        bench.check()?;
        let got = match &mut puller {
            Puller::Store(pull) => pull.receive(&mut take)?,
            Puller::Direct(reader) => reader.read(true, &mut take)?,
        };
        match got {
            0 if heard.elapsed() > PATIENCE => return Err(format!("nothing came for {PATIENCE:?}")),
            0 => {}
            _ => heard = Instant::now(),
        }
        left -= got;
    }
    bench.did(schedule.entries);
    Ok(samples)
}
