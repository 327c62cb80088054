//! Streams that have begun anew are looked for before each round of a pull, and while it waits, and are told as gaps.

use std::time::Instant;

use rustix::event::PollFd;

use super::position::Position;
use super::tell::tell;
use super::{Outlet, Pull, Stop, Tally};
use crate::store::{Beside, Watched};
use crate::words::shape::Gap;

impl Pull {
    /// Tells of streams that have begun anew, as far as the process knows of any, and looks again where it may be so: after
    /// Redis was away, at all of them.
    pub(super) fn check_generations(&mut self, outlet: &mut dyn Outlet, tally: &Tally<'_>) -> Result<(), Stop> {
        let waiting = self.delivery.waiting();
        let mut gaps: Vec<Gap> = waiting
            .iter()
            .filter_map(|index| self.delivery.places[*index].found.take())
            .collect();
        let mut doubtful = waiting;
        if !self.was_away {
            doubtful.retain(|index| self.delivery.places[*index].keep_up());
        }
        if !doubtful.is_empty() {
            let places = &self.delivery.places;
            let streams: Vec<&Watched> = doubtful
                .iter()
                .map(|index| places[*index].generation.watched())
                .collect();
            let asked = Instant::now();
            let looks = self.session.look(&streams, outlet)?;
            self.was_away = false;
            for (index, look) in doubtful.iter().zip(looks) {
                gaps.extend(self.delivery.places[*index].meet(&look, asked));
            }
        }
        for gap in gaps {
            // What it has lies elsewhere now.
            self.caught_up = false;
            tell(&gap, self.close_on_gap, outlet, tally)?;
            // It may be long until something follows.
            outlet.flush()?;
        }
        Ok(())
    }
}

/// A client, seen to while Redis is waited for: until a stream that is waited for may have begun anew.
pub struct Watching<'a> {
    /// The client.
    pub outlet: &'a mut dyn Outlet,
    /// The streams.
    pub places: &'a [Position],
}

impl Beside for Watching<'_> {
    fn interest(&self) -> Option<PollFd<'_>> {
        self.outlet.interest()
    }

    fn see_to(&mut self) -> bool {
        let is_doubtful = |place: &Position| !place.done && place.is_doubtful();
        self.outlet.see_to() && !self.places.iter().any(is_doubtful)
    }
}
