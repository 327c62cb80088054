//! When the next reply may go out: once the last one is acknowledged, and not faster than wanted.

use std::time::{Duration, Instant};

use super::Outlet;
use crate::ending::Ending;
use crate::wait::TICK;

/// Whose turn it is.
#[derive(Debug)]
pub struct Turn {
    ack: bool,
    max_rate: Option<f64>,
    /// Whether the last reply still waits for the client's message.
    unacknowledged: bool,
    /// When the next reply is due.
    due: Option<Instant>,
}

impl Turn {
    /// The first reply may go out at once. `max_rate` is in entries a second.
    pub fn new(ack: bool, max_rate: Option<f64>) -> Turn {
        Turn {
            ack,
            max_rate,
            unacknowledged: false,
            due: None,
        }
    }

    /// Whether anything is waited for at all.
    pub fn is_paced(&self) -> bool {
        self.ack || self.max_rate.is_some()
    }

    /// Waits until a reply may go out, and sees to the client meanwhile; whether that took any time.
    pub fn wait(&mut self, outlet: &mut dyn Outlet) -> Result<bool, Ending> {
        let mut waited = false;
        loop {
            if self.unacknowledged && outlet.take_message() {
                self.unacknowledged = false;
            }
            let left = self
                .due
                .map_or(Duration::ZERO, |due| due.saturating_duration_since(Instant::now()));
            let time = match self.unacknowledged {
                true => TICK,
                false if left.is_zero() => return Ok(waited),
                false => left.min(TICK),
            };
            if !std::mem::replace(&mut waited, true) {
                outlet.flush()?;
            }
            outlet.wait(time)?;
        }
    }

    /// A reply of so many entries has gone out.
    pub fn sent(&mut self, entries: usize) {
        self.unacknowledged = self.ack;
        let Some(rate) = self.max_rate else { return };
        let step = Duration::from_secs_f64(entries as f64 / rate);
        let now = Instant::now();
        // Counted from when the last one was due, unless that is long ago: waking up late must not add up.
        let since = self.due.filter(|due| now.saturating_duration_since(*due) < step);
        self.due = Some(since.unwrap_or(now) + step);
    }
}
