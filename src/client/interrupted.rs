//! Ctrl-C: a flag that every wait looks at.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::{Exit, Failure, TICK};
use crate::process::signals;

/// Whether the user has had enough. Clones are one and the same.
#[derive(Debug, Clone, Default)]
pub struct Interrupted(Arc<AtomicBool>);

impl From<Arc<AtomicBool>> for Interrupted {
    /// What somebody else sets.
    fn from(flag: Arc<AtomicBool>) -> Interrupted {
        Interrupted(flag)
    }
}

impl Interrupted {
    /// Turns true with a signal that is to end the program. A second one ends the program at once, should anything hang.
    pub fn on_signals() -> Result<Interrupted, Failure> {
        let interrupted = Interrupted::default();
        for signal in signals::ending() {
            // In this order: the first signal finds the flag still down.
            signal_hook::flag::register_conditional_shutdown(signal, Exit::Interrupted as i32, interrupted.0.clone())
                .and_then(|_| signal_hook::flag::register(signal, interrupted.0.clone()))
                .map_err(|error| Failure::Here(format!("cannot wait for signals: {error}")))?;
        }
        Ok(interrupted)
    }

    /// It has happened.
    pub fn set(&self) {
        self.0.store(true, Relaxed);
    }

    /// Whether it has happened.
    pub fn is_set(&self) -> bool {
        self.0.load(Relaxed)
    }

    /// An error once it has happened.
    pub fn check(&self) -> Result<(), Failure> {
        match self.is_set() {
            true => Err(Failure::Interrupted),
            false => Ok(()),
        }
    }

    /// Sleeps for so long, or until it happens.
    pub fn sleep(&self, time: Duration) -> Result<(), Failure> {
        let until = Instant::now() + time;
        loop {
            self.check()?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(TICK));
        }
    }
}
