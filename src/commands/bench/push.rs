//! Entries in: one by one with acknowledgement, as many as go without, and in batches.

use std::time::{Duration, Instant};

use ptg_store::words::ids::EntryId;

use super::direct::{sentence, xadd, xadds};
use super::socket::{Push, advance, binary_frame, text_frame};
use super::statistics::percentile;
use super::streams::{Stream, kept};
use super::{Bench, Side};

/// Entries of one pipeline, and of one write to the store's socket.
const TOGETHER: usize = 64;

/// The most bytes of a pipeline, and of a write: more would only measure how memory is got.
const PIPELINE_BYTES: usize = 8 << 20;
const WRITE_BYTES: usize = 1 << 20;

/// Entries of a batch.
const BATCH: usize = 100;

/// Round trips of an acknowledged push: p50 and p99.
pub fn acknowledged(bench: &Bench, side: Side, bytes: usize) -> Result<Vec<f64>, String> {
    let stream = bench.stream("ack", kept(bytes))?;
    let entry = vec![b'x'; bytes];
    let mut last = EntryId::default();
    let mut samples = match side {
        Side::Store => {
            let mut push = Push::open(&bench.store, &stream.name, "ack=true")?;
            let mut frame = Vec::new();
            binary_frame(&mut frame, &entry);
            bench.sample(Duration::ZERO, || {
                push.send(&frame)?;
                expect(push.acknowledged(&mut last)?, 1)
            })?
        }
        Side::Direct => {
            let mut redis = bench.direct.connect()?;
            let add = xadd(&stream.name, stream.max_len, &entry);
            bench.sample(Duration::ZERO, || {
                let id: String = add.query(&mut redis).map_err(sentence)?;
                advance(&mut last, &id)
            })?
        }
    };
    Ok(vec![percentile(&mut samples, 50.0), percentile(&mut samples, 99.0)])
}

/// Entries a second without acknowledgement, measured until the last one is stored.
pub fn unacknowledged(bench: &Bench, side: Side, bytes: usize) -> Result<f64, String> {
    let stream = bench.stream("push", kept(bytes))?;
    let entry = vec![b'x'; bytes];
    let (count, time) = match side {
        Side::Store => {
            let mut push = Push::open(&bench.store, &stream.name, "")?;
            let together = (WRITE_BYTES / bytes).clamp(1, TOGETHER);
            let mut frames = Vec::new();
            (0..together).for_each(|_| binary_frame(&mut frames, &entry));
            let begun = Instant::now();
            let count = bench.repeat(begun, || push.send(&frames))? * together;
            push.close()?;
            (count, begun.elapsed())
        }
        Side::Direct => {
            let mut redis = bench.direct.connect()?;
            let together = (PIPELINE_BYTES / bytes).clamp(1, TOGETHER);
            let pipeline = xadds(&stream.name, stream.max_len, &entry, together);
            let begun = Instant::now();
            let count = bench.repeat(begun, || pipeline.exec(&mut redis).map_err(sentence))? * together;
            (count, begun.elapsed())
        }
    };
    check_added(&stream, count)?;
    bench.did(count);
    Ok(count as f64 / time.as_secs_f64())
}

/// Megabytes a second without acknowledgement.
pub fn unacknowledged_bytes(bench: &Bench, side: Side, bytes: usize) -> Result<f64, String> {
    Ok(unacknowledged(bench, side, bytes)? * bytes as f64 / 1e6)
}

/// Entries a second in acknowledged batches, each stored whole or not at all.
pub fn batches(bench: &Bench, side: Side, bytes: usize) -> Result<f64, String> {
    let stream = bench.stream("batch", kept(bytes))?;
    let entry = vec![b'x'; bytes];
    let mut last = EntryId::default();
    let (batches, time) = match side {
        Side::Store => {
            let mut push = Push::open(&bench.store, &stream.name, "batch=true&ack=true")?;
            let offsets: Vec<String> = (0..BATCH).map(|index| (index * bytes).to_string()).collect();
            let mut frames = Vec::new();
            text_frame(&mut frames, &offsets.join(","));
            binary_frame(&mut frames, &entry.repeat(BATCH));
            let begun = Instant::now();
            let batches = bench.repeat(begun, || {
                push.send(&frames)?;
                expect(push.acknowledged(&mut last)?, BATCH)
            })?;
            (batches, begun.elapsed())
        }
        Side::Direct => {
            let mut redis = bench.direct.connect()?;
            let mut transaction = xadds(&stream.name, stream.max_len, &entry, BATCH);
            transaction.atomic();
            let begun = Instant::now();
            let batches = bench.repeat(begun, || {
                let ids: Vec<String> = transaction.query(&mut redis).map_err(sentence)?;
                ids.iter().try_for_each(|id| advance(&mut last, id))?;
                expect(ids.len(), BATCH)
            })?;
            (batches, begun.elapsed())
        }
    };
    let count = batches * BATCH;
    check_added(&stream, count)?;
    bench.did(count);
    Ok(count as f64 / time.as_secs_f64())
}

fn expect(got: usize, expected: usize) -> Result<(), String> {
    match got == expected {
        true => Ok(()),
        false => Err(format!("{got} entries were acknowledged instead of {expected}")),
    }
}

fn check_added(stream: &Stream, pushed: usize) -> Result<(), String> {
    match stream.added()? {
        Some(added) if added != pushed => Err(format!("{pushed} entries were pushed, but {added} are stored")),
        _ => Ok(()),
    }
}
