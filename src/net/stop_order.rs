//! The order to stop, which is given once and seen by every thread that waits. `server` gives it; whoever waits looks.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The order to stop, and when it was given, if it was.
#[derive(Debug, Default)]
pub struct StopOrder(OnceLock<Instant>);

impl StopOrder {
    /// Gives it.
    pub fn give(&self) {
        let _ = self.0.set(Instant::now());
    }

    /// How long ago it was given, if it was.
    pub fn given_for(&self) -> Option<Duration> {
        self.0.get().map(Instant::elapsed)
    }
}
