//! A thread that looks at the streams that somebody reads, a few at a time, whether they have begun anew. All readers of a
//! stream share what it learns, so that a thousand of them cost no more than one.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};

use super::generation::Watched;
use super::{Nobody, Session, Store};
use crate::net::wait::join_by;

/// How often each stream is looked at. Readers are to know within six seconds.
const INTERVAL: Duration = Duration::from_secs(2);

/// How long Redis may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// The most streams of one round trip, and the most bytes of entries that Redis copies for one: it does nothing else meanwhile.
const MOST_STREAMS: usize = 64;
const MOST_BYTES: u64 = 1 << 20;

/// What looking may take of Redis, about a twentieth of its time: a look at small entries takes it 25 microseconds, and to
/// copy and send a MiB about two milliseconds.
const PER_LOOK: Duration = Duration::from_micros(500);
const BYTES_A_SECOND: u64 = 24 << 20;

/// What one that could not be looked at counts for: no entry is larger.
const MOST_WEIGHT: u64 = 64 << 20;

/// The running thread.
pub struct Lookout {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The streams that still have to be looked at this time, and when it began.
struct Round {
    left: Vec<Arc<Watched>>,
    begun: Instant,
}

impl Lookout {
    /// Starts it.
    pub fn start(store: Arc<Store>) -> io::Result<Lookout> {
        let mut session = store.session(ANSWER_WITHIN);
        let (stop, stopped) = bounded::<()>(0);
        let run = move || {
            let mut round = Round {
                left: Vec::new(),
                begun: Instant::now(),
            };
            let mut pause = INTERVAL;
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(pause) {
                if round.left.is_empty() {
                    round.left = store.generations.watched();
                    round.begun = Instant::now();
                }
                pause = round.step(&mut session);
            }
        };
        let thread = std::thread::Builder::new().name("redis-lookout".into()).spawn(run)?;
        Ok(Lookout {
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Ends it, within the time that an answer may take.
    pub fn stop_by(mut self, deadline: Instant) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            join_by(thread, deadline);
        }
    }
}

impl Round {
    /// Looks at the next few; how long to wait then.
    fn step(&mut self, session: &mut Session) -> Duration {
        let streams = self.next_few();
        if streams.is_empty() {
            // Nobody reads, so that Redis need not be asked, nor connected to.
            return INTERVAL;
        }
        let names: Vec<&Watched> = streams.iter().map(Arc::as_ref).collect();
        let asked = Instant::now();
        // Whoever reads looks by itself once Redis is there again.
        let looks = session.look(&names, &mut Nobody).unwrap_or_default();
        for (watched, look) in streams.iter().zip(&looks) {
            watched.looked(asked, *look);
        }
        let bytes: u64 = streams.iter().map(|watched| watched.weight().min(MOST_WEIGHT)).sum();
        let cost = PER_LOOK * names.len() as u32 + Duration::from_secs_f64(bytes as f64 / BYTES_A_SECOND as f64);
        match self.left.is_empty() {
            true => cost.max(INTERVAL.saturating_sub(self.begun.elapsed())),
            false => cost,
        }
    }

    /// As many as go together. One that was never looked at may be of any weight, and goes alone.
    fn next_few(&mut self) -> Vec<Arc<Watched>> {
        let (mut few, mut bytes) = (Vec::new(), 0u64);
        while few.len() < MOST_STREAMS && bytes < MOST_BYTES {
            let Some(watched) = self.left.pop() else { break };
            bytes = bytes.saturating_add(watched.weight());
            few.push(watched);
        }
        few
    }
}
