//! How long an entry takes through the store, and how many go through: measured with a stream of the examination's own.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::examination::{Examination, PATIENCE};
use super::finding::{Finding, Verdict};
use super::probe::Probe;
use crate::client::figures::time;
use crate::client::{Failure, Interrupted, TICK, pull, push, websocket};

/// How many entries are followed from push to pull, and for how long at most.
const ROUND_TRIPS: usize = 30;
const ROUND_TRIPS_TIME: Duration = Duration::from_secs(4);

/// A round trip slower than this delays live displays visibly: it is a picture and a half of a camera.
const SLOW_ROUND_TRIP: Duration = Duration::from_millis(50);

/// How long entries are pushed to measure how many go through, and how many bytes at most.
const PUSH_TIME: Duration = Duration::from_secs(1);
const PUSH_BYTES: usize = 64 << 20;

/// Entries are gathered up to so many bytes before they are written.
const GATHERED: usize = 64 << 10;

/// Sizes of entries, in bytes, and what a store should take of them: sensors by the dozen, and two cameras with 30 pictures
/// of 500 kB a second.
const SMALL: Load = Load {
    entry: 1_000,
    slow: 2_000_000.0,
};
const LARGE: Load = Load {
    entry: 100_000,
    slow: 30_000_000.0,
};

/// What is pushed.
struct Load {
    /// Bytes of an entry.
    entry: usize,
    /// Bytes a second below which it is slow.
    slow: f64,
}

/// From push with acknowledgement to pull.
pub fn round_trip(examination: &Examination) -> Result<Finding, String> {
    examination.working()?;
    let probe = match examination.probe() {
        Ok(probe) => probe,
        Err(sentence) => return Ok(Finding::wrong(sentence)),
    };
    let mut times = match follow(probe, &examination.interrupted) {
        Ok(times) => times,
        Err(failure) => {
            return Ok(Finding::wrong(format!(
                "an entry that was pushed is not pulled: {failure}"
            )));
        }
    };
    times.sort_unstable();
    let median = times[times.len() / 2];
    let most = times[times.len() - 1];
    let found = format!(
        "{} from push to pull, {} at most, of {} entries",
        time(median),
        time(most),
        times.len()
    );
    Ok(match median > SLOW_ROUND_TRIP {
        true => Finding::warning(format!("{found}: live displays lag")).mend_for(top(examination), "top"),
        false => Finding::ok(found),
    })
}

/// Entries of 1 kB, without acknowledgement.
pub fn small_entries(examination: &Examination) -> Result<Finding, String> {
    throughput(examination, &SMALL)
}

/// The same of 100 kB.
pub fn large_entries(examination: &Examination) -> Result<Finding, String> {
    throughput(examination, &LARGE)
}

fn throughput(examination: &Examination, load: &Load) -> Result<Finding, String> {
    let probe = examination.probe()?;
    if let Some(why) = examination.known.reason_to_spare.get() {
        return Err((*why).to_string());
    }
    let begun = Instant::now();
    Ok(match pour(probe, load.entry, &examination.interrupted) {
        Ok(count) => {
            let finding = judge(load, count, begun.elapsed());
            match finding.verdict {
                Verdict::Warning => finding.mend_for(top(examination), "top"),
                _ => finding,
            }
        }
        Err(failure) => Finding::wrong(format!("entries cannot be pushed: {failure}")),
    })
}

/// What makes it slow is seen where it runs.
fn top(examination: &Examination) -> String {
    format!("on {}, what else keeps it busy?", examination.store.host())
}

fn judge(load: &Load, count: usize, took: Duration) -> Finding {
    let seconds = took.as_secs_f64().max(1e-6);
    let (entries, bytes) = (count as f64 / seconds, (count * load.entry) as f64 / seconds);
    let slow = if cfg!(debug_assertions) {
        " (this doctor is a debug build)"
    } else {
        ""
    };
    let found = format!("{entries:.0} entries/s, {:.1} MB/s{slow}", bytes / 1e6);
    match bytes < load.slow {
        true => Finding::warning(format!(
            "{found}: less than the {:.0} MB/s of a healthy one",
            load.slow / 1e6
        )),
        false => Finding::ok(found),
    }
}

/// How long each of some entries took.
fn follow(probe: &Probe, interrupted: &Interrupted) -> Result<Vec<Duration>, Failure> {
    let mut pull = pull::Socket::open(&probe.store, &probe.name, &[("last_entry_id", "$")])?;
    let mut push = push::Socket::open(&probe.store, &probe.name, &[])?;
    let end = Instant::now() + ROUND_TRIPS_TIME;
    let mut times = Vec::with_capacity(ROUND_TRIPS);
    while times.len() < ROUND_TRIPS && (times.is_empty() || Instant::now() < end) {
        interrupted.check()?;
        let entry = Bytes::from(random());
        let begun = Instant::now();
        push.send("0", &entry)?;
        let id = acknowledged(&mut push)?;
        let came = pull.next(PATIENCE)?;
        times.push(begun.elapsed());
        match came {
            Some(came) if came.id.to_string() == id && came.bytes == entry => {}
            Some(came) => return Err(Failure::Foreign(format!("entry {} came instead of {id}", came.id))),
            None => return Err(Failure::Lost(format!("entry {id} did not come for {PATIENCE:?}"))),
        }
    }
    push.close()?;
    Ok(times)
}

fn acknowledged(push: &mut push::Socket) -> Result<String, Failure> {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if let Some(id) = push.acknowledgement()? {
            return Ok(id);
        }
        push.wait(TICK, None)?;
    }
    Err(Failure::Lost(format!("a push was not acknowledged for {PATIENCE:?}")))
}

/// Pushes entries of one size for a while; how many. When it returns, they are stored, also if the user has had enough:
/// a stream that is removed while some are under way would come back with them.
fn pour(probe: &Probe, size: usize, interrupted: &Interrupted) -> Result<usize, Failure> {
    let mut socket = websocket::Socket::open(&probe.store, &format!("/data/{}/push", probe.name))?;
    let entry = Bytes::from(random().repeat(size.div_ceil(ENTRY))).slice(..size);
    let begun = Instant::now();
    let (mut count, mut gathered) = (0, 0);
    while begun.elapsed() < PUSH_TIME && count * size < PUSH_BYTES && !interrupted.is_set() {
        socket.send(websocket::Message::Binary(entry.clone()))?;
        count += 1;
        gathered += size;
        if gathered >= GATHERED {
            gathered = 0;
            drain(&mut socket, begun + PUSH_TIME + PATIENCE)?;
        }
    }
    socket.close()?;
    Ok(count)
}

/// Waits until the store has taken what was sent.
fn drain(socket: &mut websocket::Socket, deadline: Instant) -> Result<(), Failure> {
    socket.flush()?;
    while socket.has_unsent() {
        if Instant::now() >= deadline {
            return Err(Failure::Lost(format!("the store takes nothing more for {PATIENCE:?}")));
        }
        socket.wait(TICK, None)?;
    }
    Ok(())
}

/// The bytes of an entry whose round trip is measured.
const ENTRY: usize = 1_000;

/// As many bytes that nobody else pushes.
fn random() -> Vec<u8> {
    let number = RandomState::new().build_hasher().finish().to_be_bytes();
    number.iter().copied().cycle().take(ENTRY).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::finding::Verdict;

    #[test]
    fn a_rate_is_of_bytes_and_of_entries() {
        let second = Duration::from_secs(1);
        let good = judge(&SMALL, 50_000, second);
        assert_eq!(good.verdict, Verdict::Ok);
        assert!(good.found.starts_with("50000 entries/s, 50.0 MB/s"), "{good:?}");
        assert_eq!(judge(&SMALL, 1_000, second).verdict, Verdict::Warning);
        assert_eq!(judge(&LARGE, 1_000, second).verdict, Verdict::Ok);
        assert_eq!(judge(&LARGE, 100, second).verdict, Verdict::Warning);
        assert_eq!(judge(&LARGE, 0, Duration::ZERO).verdict, Verdict::Warning);
    }
}
