//! Redis's clock, which gives entries their ids. Asked once, it goes on by itself; `begin` and the rounds of a pull look at it.

use std::time::{Duration, Instant};

use crate::store::Session;
use crate::words::error::StoreError;

/// How long a clock that was asked once is as good as asked now: in so long no clock drifts by a millisecond.
const CLOCK_AGE: Duration = Duration::from_secs(5);

/// Redis's clock, which gives entries their ids.
pub struct Clock {
    /// Milliseconds since 1970 when it was asked.
    ms: u64,
    asked: Instant,
}

impl Clock {
    /// Asks Redis what time it is.
    pub fn ask(session: &mut Session) -> Result<Clock, StoreError> {
        let ms = session.time()?;
        let asked = Instant::now();
        Ok(Clock { ms, asked })
    }

    /// Whether it may have drifted apart from Redis's by now.
    pub fn is_old(&self) -> bool {
        self.asked.elapsed() > CLOCK_AGE
    }

    /// What time it is there now, in milliseconds since 1970.
    pub fn now(&self) -> u64 {
        self.ms
            .saturating_add(u64::try_from(self.asked.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}
