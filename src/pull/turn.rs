//! When the next reply may go out: once the last one is acknowledged, and not faster than wanted.

use std::time::{Duration, Instant};

use super::Outlet;
use crate::net::wait::TICK;
use crate::words::ending::Ending;

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
        self.due = Some(next(self.due, Instant::now(), step));
    }
}

/// When a reply is due after one that was due and went out `now`. It is counted from when that was due, unless that is long
/// ago: waking up late must not add up.
fn next(due: Option<Instant>, now: Instant, step: Duration) -> Instant {
    let since = due.filter(|due| now.saturating_duration_since(*due) < step);
    since.unwrap_or(now) + step
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_millis(10);

    #[test]
    fn waking_up_late_does_not_add_up() {
        let begun = Instant::now();
        let mut due = next(None, begun, STEP);
        for n in 1..=1000 {
            assert_eq!(due, begun + STEP * n);
            let late = Duration::from_millis(u64::from(n) % 10);
            due = next(Some(due), due + late, STEP);
        }
    }

    #[test]
    fn after_a_long_silence_nothing_is_made_up_for() {
        let begun = Instant::now();
        let due = next(None, begun, STEP);
        assert_eq!(next(Some(due), due + STEP, STEP), due + STEP + STEP);
        assert_eq!(next(Some(due), due + 100 * STEP, STEP), due + 101 * STEP);
    }

    #[test]
    fn a_reply_has_its_time_by_the_number_of_its_entries() {
        let mut turn = Turn::new(false, Some(50.0));
        let before = Instant::now();
        turn.sent(5);
        let due = turn.due.expect("a time");
        assert!(due >= before + 10 * STEP && due <= Instant::now() + 10 * STEP);
        // Sent before it could be late: from there on.
        turn.sent(1);
        assert_eq!(turn.due, Some(due + 2 * STEP));
    }
}
