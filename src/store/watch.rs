//! A thread that asks Redis once a second how it is, and at once when somebody wants to know, and logs when the answer changes.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};
use log::{error, info, warn};

use super::abilities::Abilities;
use super::state::Kind;
use super::{Session, State, Store};
use crate::net::wait::join_by;
use crate::words::log_line::{field, sentence};

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
        let asked = store.clone();
        let mut known = None;
        let mut ask = move || {
            let state = session.state(ANSWER_WITHIN);
            let interval = match state {
                State::Well | State::Full(_) => INTERVAL_UP,
                _ => INTERVAL_DOWN,
            };
            let before = known.replace(state.kind());
            if before != known {
                tell(&store, &state, &mut session);
            }
            // What one connection led to the others may not: all of them go the same way anew.
            let refuses = |kind: Kind| kind == Kind::TakesNoWrites;
            if before.is_some_and(|before| refuses(before) != refuses(state.kind())) {
                store.turn();
            }
            store.set_state(state);
            store.asking.answered();
            interval
        };
        let mut interval = ask();
        let (stop, stopped) = bounded::<()>(0);
        let thread = std::thread::Builder::new().name("redis-watch".into()).spawn(move || {
            while asked.asking.wait(&stopped, interval) {
                interval = ask();
            }
        })?;
        Ok(Watch {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

/// Logs how Redis is now.
fn tell(store: &Store, state: &State, session: &mut Session) {
    let address = field(store.address());
    match state {
        State::Well => {
            info!("Redis at {address} answers");
            let abilities = session.ready();
            for shortcoming in abilities.map(Abilities::shortcomings).unwrap_or_default() {
                warn!("Redis at {address}: {}", sentence(&shortcoming));
            }
        }
        State::Full(cause) => error!("Redis at {address} takes no entries: {}", sentence(&cause.to_string())),
        State::TakesNoWrites(cause) => error!(
            "Redis at {address} is read only for now: {}",
            sentence(&cause.to_string())
        ),
        State::Away(cause) => {
            let cause = cause.to_string();
            error!(
                "Redis at {address} is of no use for now: {}; trying until it answers",
                sentence(&cause)
            );
        }
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
