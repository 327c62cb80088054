//! The third way in which a pull reads: only the newest entry of each stream, whenever the client is ready for it.

use std::mem::take;
use std::time::{Duration, Instant};

use super::tell::tell;
use super::{Outlet, Pull, Stop, Tally};
use crate::store::Look;

impl Pull {
    /// Reads the newest entry of each stream that has a newer one, once the client is ready for it. Waits for more first,
    /// unless this is the beginning.
    pub(super) fn newest_round(&mut self, outlet: &mut dyn Outlet, tally: &Tally<'_>) -> Result<(), Stop> {
        self.delivery.await_turn(outlet)?;
        let patience = self.patience()?;
        if let Some(patience) = patience.filter(|_| take(&mut self.caught_up)) {
            return self.wait_for_more(patience, outlet);
        }
        self.caught_up = true;
        for index in self.streams_to_look_at(patience) {
            let place = &self.delivery.places[index];
            let (last, until) = (place.last, place.until);
            let begun = Instant::now();
            let (infos, mut entries) = self
                .session
                .newest_with_info((&place.stream, place.last), until, outlet)?;
            let info = infos.first().and_then(Option::as_ref);
            let place = &mut self.delivery.places[index];
            if let Some(gap) = place.meet(&Look::of(info), begun) {
                tell(&gap, false, outlet, tally)?;
            }
            if place.last != last {
                // Its newest is one that lies before what was asked for.
                self.caught_up = false;
                continue;
            }
            let came = self.delivery.take_newest(&mut entries, index, info, outlet, tally)?;
            entries.finish(outlet)?;
            let place = &mut self.delivery.places[index];
            place.done |= patience.is_none() && !came && place.is_past(self.clock.as_ref());
            // What is past the end would be waited for in vain, again and again.
            place.done |= place.is_passed_by(info);
        }
        Ok(())
    }

    /// The streams that are known to have something. Else, and where the end has come, all of which more is wanted.
    fn streams_to_look_at(&mut self, patience: Option<Duration>) -> Vec<usize> {
        let ready = take(&mut self.ready);
        if ready.is_empty() || patience.is_none() {
            self.delivery.waiting()
        } else {
            ready
        }
    }
}
