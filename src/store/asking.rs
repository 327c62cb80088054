//! Whoever wants to know now whether Redis answers has the watch ask it: over its one connection, once for all who want to know
//! at the same time, and behind nobody who waits for Redis for another reason.

use std::sync::{Condvar, Mutex};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, select};

use crate::limits::lock;

/// Between the watch and those who ask.
pub struct Asking {
    wish: Sender<()>,
    wishes: Receiver<()>,
    /// How often Redis was asked.
    answers: Mutex<u64>,
    answered: Condvar,
}

impl Asking {
    /// Nobody asks yet.
    pub fn new() -> Asking {
        // One wish is as good as many.
        let (wish, wishes) = bounded(1);
        Asking {
            wish,
            wishes,
            answers: Mutex::default(),
            answered: Condvar::new(),
        }
    }

    /// The watch waits until it is time to ask Redis again, or somebody wants to know; false if it is to stop.
    pub fn wait(&self, stopped: &Receiver<()>, interval: Duration) -> bool {
        select! {
            recv(stopped) -> _ => false,
            recv(self.wishes) -> _ => true,
            default(interval) => true,
        }
    }

    /// The watch has asked, and the answer, or that there is none, is known.
    pub fn answered(&self) {
        *lock(&self.answers) += 1;
        self.answered.notify_all();
    }

    /// Has the watch ask; false if it had no answer `within` this time.
    pub fn ask(&self, within: Duration) -> bool {
        let answers = lock(&self.answers);
        let before = *answers;
        // If somebody else has wished for it already, that does.
        let _ = self.wish.try_send(());
        let waited = self
            .answered
            .wait_timeout_while(answers, within, |answers| *answers == before);
        waited.is_ok_and(|(_, waited)| !waited.timed_out())
    }
}
