//! Pushes a plan's entries when they are due. It holds no more than the batches under way and one entry of each stream.

use std::time::{Duration, Instant};

use super::super::counted;
use super::pace::Pace;
use super::plan::Plan;
use super::target::Target;
use crate::client::{Console, Failure, Interrupted, TICK, figures};

/// What may be under way to all streams together, in bytes; more only if one batch alone is larger.
const MOST_UNDER_WAY: usize = 32 << 20;

/// A replay that is going on.
pub struct Play<'a> {
    pub plan: &'a Plan,
    /// In the order of the plan's parts.
    pub targets: &'a mut [Target],
    pub pace: &'a mut Pace,
    /// Whether it begins again at its end.
    pub repeat: bool,
    pub interrupted: &'a Interrupted,
    pub console: &'a mut Console,
}

impl Play<'_> {
    /// Replays the plan once, or for ever, until everything is stored.
    pub fn run(&mut self) -> Result<(), Failure> {
        let played = loop {
            let played = self.once();
            if !self.repeat || played.is_err() {
                break played;
            }
            self.pace.next_round(self.plan.reach().1, self.plan.entries());
        };
        // What was read before the recording turned out to be damaged is replayed.
        if matches!(played, Ok(()) | Err(Failure::Here(_))) {
            self.targets.iter_mut().for_each(Target::flush);
            while self.under_way() > 0 {
                self.rest(TICK)?;
            }
        }
        played
    }

    fn once(&mut self) -> Result<(), Failure> {
        let mut merge = self.plan.merge()?;
        let mut looked = Instant::now();
        while let Some(next) = merge.peek() {
            let wait = self.pace.wait(next);
            if !wait.is_zero() {
                self.targets.iter_mut().for_each(Target::flush);
                self.rest(wait)?;
                continue;
            }
            let taken = merge.take(|which| self.targets[which].bytes());
            let Some((which, record)) = taken.map_err(Failure::Here)? else {
                break;
            };
            self.targets[which].add(record);
            if self.targets[which].is_full() {
                self.send(which)?;
            }
            // A stream whose entries are rare must not fall silent while another is busy.
            if looked.elapsed() > TICK {
                self.rest(Duration::ZERO)?;
                looked = Instant::now();
            }
        }
        Ok(())
    }

    /// Sends a batch, and waits until another is welcome.
    fn send(&mut self, which: usize) -> Result<(), Failure> {
        self.targets[which].flush();
        self.targets[which].step(Duration::ZERO)?;
        while !self.targets[which].has_room() || self.under_way() > MOST_UNDER_WAY {
            self.rest(TICK)?;
        }
        Ok(())
    }

    /// Sees to all connections and to the user, then waits for what is most under way, or for the time.
    fn rest(&mut self, wait: Duration) -> Result<(), Failure> {
        for target in self.targets.iter_mut() {
            target.step(Duration::ZERO)?;
            if let Some(notice) = target.take_notice() {
                self.console.say(&notice);
            }
        }
        self.console.progress(|| progress(self.targets, self.plan, self.repeat));
        let wait = wait.min(TICK);
        match self.targets.iter_mut().max_by_key(|target| target.under_way()) {
            Some(target) if target.under_way() > 0 => target.step(wait),
            _ => self.interrupted.sleep(wait),
        }
    }

    fn under_way(&self) -> usize {
        self.targets.iter().map(Target::under_way).sum()
    }
}

fn progress(targets: &[Target], plan: &Plan, repeat: bool) -> String {
    let entries: u64 = targets.iter().map(|target| target.stored).sum();
    let bytes: u64 = targets.iter().map(|target| target.stored_bytes).sum();
    let bytes = figures::bytes(bytes);
    match repeat {
        true => format!("{}, {bytes}", counted(entries, "entry", "entries")),
        false => format!("{entries} of {}, {bytes}", counted(plan.entries(), "entry", "entries")),
    }
}
