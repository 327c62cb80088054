//! Trying again after what passes: soon at first, then ever more seldom, for as long as the user has patience.

use std::str::FromStr;
use std::time::{Duration, Instant};

use ptg_store::units::Span;

use super::Failure;

/// The pause before the first new attempt, and the longest one; it doubles from one to the other.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// For how long to try again: the value of `--retry`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Patience {
    /// From the first failure on, until something works again. Nothing at all: never.
    For(Duration),
    /// Without an end.
    Forever,
}

/// The attempts of one connection that is to be held.
#[derive(Debug)]
pub struct Retry {
    patience: Patience,
    /// When something last failed while nothing had worked since.
    failing_since: Option<Instant>,
    pause: Duration,
    /// When the connection was last opened.
    opened: Option<Instant>,
    /// What to tell the user.
    notice: Option<String>,
    /// What the user was told last, since it worked.
    told: Option<String>,
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
            failing_since: None,
            pause: FIRST_PAUSE,
            opened: None,
            notice: None,
            told: None,
        }
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
        self.failing_since = None;
        self.pause = FIRST_PAUSE;
    }

    /// It failed: when to try again, or the failure itself if that is of no use, or patience is at its end.
    pub fn failed(&mut self, failure: Failure) -> Result<Instant, Failure> {
        // A connection that lived on without a word worked, too.
        if self
            .opened
            .take()
            .is_some_and(|opened| opened.elapsed() > LONGEST_PAUSE)
        {
            self.worked();
        }
        if !failure.is_passing() {
            return Err(failure);
        }
        let since = *self.failing_since.get_or_insert_with(Instant::now);
        let mut next = Instant::now() + self.pause;
        if let Patience::For(patience) = self.patience {
            let end = since + patience;
            if Instant::now() >= end {
                return Err(failure);
            }
            // One last attempt at the very end.
            next = next.min(end);
        }
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        let cause = failure.to_string();
        if self.told.as_ref() != Some(&cause) {
            self.notice = Some(format!("{cause}; trying again{}", self.patience_left()));
            self.told = Some(cause);
        }
        Ok(next)
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

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_anew_once_it_worked() {
        let mut retry = Retry::new(Patience::Forever);
        let mut pause = || retry.failed(lost()).unwrap().saturating_duration_since(Instant::now());
        let pauses: Vec<Duration> = (0..9).map(|_| pause()).collect();
        for (nth, pause) in pauses.iter().enumerate() {
            let expected = (FIRST_PAUSE * 2u32.pow(nth as u32)).min(LONGEST_PAUSE);
            assert!(*pause <= expected && *pause > expected / 2, "{pauses:?}");
        }
        retry.worked();
        assert!(retry.failed(lost()).unwrap() <= Instant::now() + FIRST_PAUSE);
    }

    #[test]
    fn no_patience_is_no_second_attempt_and_some_ends() {
        assert_eq!(Retry::new(Patience::For(Duration::ZERO)).failed(lost()), Err(lost()));
        let mut retry = Retry::new(Patience::For(Duration::from_secs(1)));
        assert!(retry.failed(lost()).is_ok());
        retry.failing_since = Instant::now().checked_sub(Duration::from_secs(1));
        assert_eq!(retry.failed(lost()), Err(lost()));
    }

    #[test]
    fn what_does_not_pass_is_not_tried_again() {
        let refused = Failure::refused(404, b"{}");
        assert_eq!(Retry::new(Patience::Forever).failed(refused.clone()), Err(refused));
    }

    #[test]
    fn the_user_is_told_once_of_each_cause() {
        let mut retry = Retry::new("1m".parse().unwrap());
        retry.failed(lost()).unwrap();
        assert_eq!(retry.take_notice().unwrap(), "gone; trying again for 60s");
        retry.failed(lost()).unwrap();
        assert_eq!(retry.take_notice(), None);
        retry.opened();
        assert_eq!(retry.take_notice().unwrap(), "connected again");
    }
}
