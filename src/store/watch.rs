//! A thread that asks Redis once a second whether it is there, and logs when the answer changes.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use log::{error, info};

use super::Store;
use crate::error::StoreError;
use crate::log_line::{field, sentence};
use crate::wait::join_by;

/// How long Redis may take to answer before it counts as down: what `GET /ping` promises.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// How often it is asked while it answers, and while it does not.
const INTERVAL_UP: Duration = Duration::from_secs(1);
const INTERVAL_DOWN: Duration = Duration::from_millis(250);

/// The running watch.
pub struct Watch {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Asks once, so that the state is known, then keeps asking on a thread of its own.
    pub fn start(store: Arc<Store>) -> io::Result<Watch> {
        let mut session = store.session(ANSWER_WITHIN).probing();
        let mut known = None;
        let mut ask = move || {
            let cause = match session.ping(ANSWER_WITHIN) {
                Ok(()) => None,
                Err(StoreError::Unreachable(cause)) => Some(cause),
                Err(error) => Some(error.to_string()),
            };
            let up = cause.is_none();
            if known.replace(up) != Some(up) {
                let address = field(store.address());
                match &cause {
                    None => info!("Redis at {address} answers"),
                    Some(cause) => {
                        let cause = sentence(cause);
                        error!("Redis at {address} cannot be reached: {cause}; trying until it answers");
                    }
                }
            }
            store.set_down(cause);
            up
        };
        let mut up = ask();
        let (stop, stopped) = bounded::<()>(0);
        let thread = std::thread::Builder::new().name("redis-watch".into()).spawn(move || {
            while let Err(RecvTimeoutError::Timeout) =
                stopped.recv_timeout(if up { INTERVAL_UP } else { INTERVAL_DOWN })
            {
                up = ask();
            }
        })?;
        Ok(Watch {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Watch {
    /// Ends it, within the time that a ping may take.
    pub fn stop_by(mut self, deadline: Instant) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            join_by(thread, deadline);
        }
    }
}
