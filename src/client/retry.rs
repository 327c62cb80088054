//! Trying again after what passes: soon at first, then ever more seldom, for as long as the user has patience.

use std::str::FromStr;
use std::time::{Duration, Instant};

use ptg_store::words::error::close;
use ptg_store::words::units::Span;

use super::store::{PATIENCE, SILENCE};
use super::{Failure, Store};

/// The pause before the first new attempt, and the longest one; it doubles from one to the other.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What an attempt has at least, also the last one: a store that is not hopelessly busy answers within two seconds.
const SHORTEST_ATTEMPT: Duration = Duration::from_secs(3);

/// How long an open connection may be silent at least, for the same reason: it is pinged meanwhile.
const SHORTEST_SILENCE: Duration = Duration::from_secs(5);

/// A connection that lived so long had worked, whatever the store says at its end: stores wait ten seconds for their Redis.
const LONG_LIFE: Duration = Duration::from_secs(60);

/// For how long to try again: the value of `--retry`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Patience {
    /// From when it did not answer any more, or said that it cannot, until something works again. Nothing at all: never.
    For(Duration),
    /// Without an end.
    Forever,
}

/// The attempts of one connection that is to be held.
#[derive(Debug)]
pub struct Retry {
    patience: Patience,
    /// How long an attempt may take at most.
    attempt: Duration,
    /// Since when nothing has worked, once something failed.
    failing_since: Option<Instant>,
    /// How it failed last.
    failure: Option<Failure>,
    pause: Duration,
    /// When the connection was last opened.
    opened: Option<Instant>,
    /// What to tell the user.
    notice: Option<String>,
    /// What the user was told last, since it worked.
    told: Option<String>,
}

/// Asks the store, and asks again while it is away and patience lasts. What the user should know goes to `say`.
pub fn persist<T>(
    store: &Store,
    patience: Patience,
    mut say: impl FnMut(&str),
    mut ask: impl FnMut(&Store) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut retry = Retry::new(patience);
    let mut limited = store.clone();
    loop {
        let begun = Instant::now();
        retry.limit(&mut limited);
        let asked = ask(&limited);
        let again = match asked {
            Err(failure) => retry.failed(failure, begun)?,
            Ok(answer) => {
                retry.opened();
                retry.take_notice().iter().for_each(|notice| say(notice));
                return Ok(answer);
            }
        };
        retry.take_notice().iter().for_each(|notice| say(notice));
        store
            .interrupted
            .sleep(again.saturating_duration_since(Instant::now()))?;
    }
}

impl FromStr for Patience {
    type Err = String;

    fn from_str(text: &str) -> Result<Patience, String> {
        match text {
            "forever" => Ok(Patience::Forever),
            time => time
                .parse()
                .map(|Span(time)| Patience::For(time))
                .map_err(|error: String| format!("{error}, or forever")),
        }
    }
}

impl Retry {
    /// Nothing has failed yet.
    pub fn new(patience: Patience) -> Retry {
        Retry {
            patience,
            attempt: PATIENCE,
            failing_since: None,
            failure: None,
            pause: FIRST_PAUSE,
            opened: None,
            notice: None,
            told: None,
        }
    }

    /// Attempts take no longer than this, unless it is too short for any.
    pub fn shorten(&mut self, attempt: Duration) {
        self.attempt = attempt.clamp(SHORTEST_ATTEMPT, PATIENCE);
    }

    /// Has the store give up a connection that hangs in time: an attempt, and one that is open.
    pub fn limit(&self, store: &mut Store) {
        (store.patience, store.silence) = match self.patience {
            Patience::Forever => (self.attempt, SILENCE),
            Patience::For(Duration::ZERO) => (self.attempt, PATIENCE),
            Patience::For(time) => {
                let attempt = self.left().unwrap_or(time);
                // Half of it is for new connections: what hangs may be this one alone.
                (
                    attempt.clamp(SHORTEST_ATTEMPT, self.attempt),
                    (time / 2).clamp(SHORTEST_SILENCE, SILENCE),
                )
            }
        };
    }

    /// A connection is there. Whether it works is still to be seen.
    pub fn opened(&mut self) {
        self.opened = Some(Instant::now());
        if self.told.take().is_some() {
            self.notice = Some("connected again".into());
        }
    }

    /// Something came through it.
    pub fn worked(&mut self) {
        (self.failing_since, self.failure) = (None, None);
        self.pause = FIRST_PAUSE;
    }

    /// A connection on which nothing need come has ended: it worked if it lived on for a while.
    pub fn ended(&mut self, failure: &Failure) {
        let long = match failure {
            Failure::Closed {
                code: close::TRY_LATER, ..
            } => LONG_LIFE,
            _ => LONGEST_PAUSE,
        };
        if self.opened.take().is_some_and(|opened| opened.elapsed() > long) {
            self.worked();
        }
    }

    /// It failed, after nothing had worked `since` then: when to try again, or the failure itself if that is of no use, or
    /// patience is at its end.
    pub fn failed(&mut self, failure: Failure, since: Instant) -> Result<Instant, Failure> {
        if !failure.is_passing() {
            return Err(failure);
        }
        self.failing_since.get_or_insert(since);
        self.opened = None;
        let mut next = Instant::now() + self.pause;
        if let Some(left) = self.left() {
            if left.is_zero() {
                return Err(failure);
            }
            // One last attempt at the very end.
            next = next.min(Instant::now() + left);
        }
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        let cause = failure.to_string();
        self.failure = Some(failure);
        if self.told.as_ref() != Some(&cause) {
            self.notice = Some(format!("{cause}; trying again{}", self.patience_left()));
            self.told = Some(cause);
        }
        Ok(next)
    }

    /// The last failure, if patience came to its end since, although the connection that is open seems to live: it had its time.
    pub fn check(&self) -> Result<(), Failure> {
        let had_its_time = self.opened.is_none_or(|opened| opened.elapsed() >= SHORTEST_ATTEMPT);
        match (&self.failure, self.left()) {
            (Some(failure), Some(Duration::ZERO)) if had_its_time => Err(failure.clone()),
            _ => Ok(()),
        }
    }

    /// How much patience is left, if something failed and it has an end.
    fn left(&self) -> Option<Duration> {
        match (self.patience, self.failing_since) {
            (Patience::For(time), Some(since)) => Some(time.saturating_sub(since.elapsed())),
            _ => None,
        }
    }

    /// What the user should know and was not told yet.
    pub fn take_notice(&mut self) -> Option<String> {
        self.notice.take()
    }

    /// Whether there is something that the user was not told yet.
    pub fn has_notice(&self) -> bool {
        self.notice.is_some()
    }

    fn patience_left(&self) -> String {
        match self.patience {
            Patience::Forever => String::new(),
            Patience::For(time) => format!(" for {}", Span(time)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost() -> Failure {
        Failure::Lost("gone".into())
    }

    fn failed(retry: &mut Retry) -> Result<Instant, Failure> {
        retry.failed(lost(), Instant::now())
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_anew_once_it_worked() {
        let mut retry = Retry::new(Patience::Forever);
        let mut pause = || failed(&mut retry).unwrap().saturating_duration_since(Instant::now());
        let pauses: Vec<Duration> = (0..9).map(|_| pause()).collect();
        for (nth, pause) in pauses.iter().enumerate() {
            let expected = (FIRST_PAUSE * 2u32.pow(nth as u32)).min(LONGEST_PAUSE);
            assert!(*pause <= expected && *pause > expected / 2, "{pauses:?}");
        }
        retry.worked();
        assert!(failed(&mut retry).unwrap() <= Instant::now() + FIRST_PAUSE);
    }

    #[test]
    fn no_patience_is_no_second_attempt_and_some_ends() {
        assert_eq!(failed(&mut Retry::new(Patience::For(Duration::ZERO))), Err(lost()));
        let mut retry = Retry::new(Patience::For(Duration::from_secs(1)));
        assert!(failed(&mut retry).is_ok());
        retry.failing_since = Instant::now().checked_sub(Duration::from_secs(1));
        assert_eq!(failed(&mut retry), Err(lost()));
    }

    #[test]
    fn what_does_not_pass_is_not_tried_again() {
        let refused = Failure::refused(404, b"{}");
        assert_eq!(
            Retry::new(Patience::Forever).failed(refused.clone(), Instant::now()),
            Err(refused)
        );
    }

    #[test]
    fn the_user_is_told_once_of_each_cause() {
        let mut retry = Retry::new("1m".parse().unwrap());
        failed(&mut retry).unwrap();
        assert_eq!(retry.take_notice().unwrap(), "gone; trying again for 60s");
        failed(&mut retry).unwrap();
        assert_eq!(retry.take_notice(), None);
        retry.opened();
        assert_eq!(retry.take_notice().unwrap(), "connected again");
    }

    #[test]
    fn what_hangs_is_given_up_before_patience_ends() {
        let limits = |retry: &Retry| {
            let mut store = Store::at(Some("http://127.0.0.1:1"), &Default::default()).unwrap();
            retry.limit(&mut store);
            (
                store.patience.as_secs_f64().round(),
                store.silence.as_secs_f64().round(),
            )
        };
        for (patience, expected) in [
            ("forever", (15.0, 60.0)),
            ("0", (15.0, 15.0)),
            ("1ms", (3.0, 5.0)),
            ("8s", (8.0, 5.0)),
            ("60s", (15.0, 30.0)),
            ("1h", (15.0, 60.0)),
        ] {
            assert_eq!(limits(&Retry::new(patience.parse().unwrap())), expected, "{patience}");
        }
        let mut retry = Retry::new("60s".parse().unwrap());
        let since = Instant::now().checked_sub(Duration::from_secs(50)).unwrap();
        retry.failed(lost(), since).unwrap();
        assert_eq!(limits(&retry).0, 10.0);
        assert_eq!(retry.check(), Ok(()));
        retry.failing_since = since.checked_sub(Duration::from_secs(10));
        assert_eq!(retry.check(), Err(lost()));
        // A connection that was just opened has its time.
        retry.opened();
        assert_eq!(retry.check(), Ok(()));
        retry.worked();
        assert_eq!(retry.check(), Ok(()));
    }
}
