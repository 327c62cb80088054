//! A thread that asks Redis once a second whether it is there, and logs when the answer changes.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use log::{error, info};

use super::Store;

/// How long Redis may take to answer before it counts as down: what `GET /ping` promises.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// How often it is asked while it answers, and while it does not.
const INTERVAL_UP: Duration = Duration::from_secs(1);
const INTERVAL_DOWN: Duration = Duration::from_millis(250);

/// The running watch; dropping it ends the thread.
pub struct Watch {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Asks once, so that the state is known, then keeps asking on a thread of its own.
    pub fn start(store: Arc<Store>) -> io::Result<Watch> {
        let mut session = store.session(ANSWER_WITHIN);
        let mut known = None;
        let mut ask = move || {
            let answer = session.ping(ANSWER_WITHIN);
            let up = answer.is_ok();
            store.metrics.redis_up.set(up.into());
            if known.replace(up) != Some(up) {
                match answer {
                    Ok(()) => info!("Redis at {} answers", store.address()),
                    Err(error) => error!("{error} ({}); trying again until it answers", store.address()),
                }
            }
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

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
