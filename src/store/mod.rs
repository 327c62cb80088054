//! Everything Redis: one `Store` for the program, and a `Session` for each thread that talks to it.
//! In the server only this folder and `server/redis_server/` name the redis crate.

mod abilities;
mod activity;
mod append;
mod ask;
mod asking;
mod beside;
mod describe;
mod entries;
mod generation;
mod introduction;
mod kept;
mod link;
mod look;
mod lookout;
mod mark;
mod packed;
mod place;
mod read;
mod read_ahead;
mod redis_socket;
mod refusal;
mod retention;
mod rhythm;
mod session;
mod state;
mod storage;
mod together;
mod value;
mod watch;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis::{ConnectionInfo, IntoConnectionInfo};

use crate::limits::lock;
use crate::limits::metrics::Metrics;
use crate::words::error::StoreError;
use crate::words::ids::{META_PREFIX, StreamId};
use asking::Asking;
use generation::Generations;
use link::Link;
use retention::Retentions;

pub use activity::{Activity, Looks};
pub use ask::{Infos, Place};
pub use beside::{Beside, Nobody};
pub use describe::{LARGEST_MAX_LEN, StreamInfo, own_max_len};
pub use entries::{Arrival, Entries};
pub use generation::{Change, Lately, Watched};
pub use kept::Room;
pub use lookout::Lookout;
pub use mark::{Look, Mark, Print};
pub use place::MOST_PLACED;
pub use read::Start;
pub use read_ahead::ReadAhead;
pub use retention::{RETENTION_AGE, Writing};
pub use session::Session;
pub use state::{Standing, State};
pub use storage::{Failure, NEARLY_FULL, Storage};
pub use watch::Watch;

/// How long making a connection may take. On one machine or one network it takes milliseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The field of an entry that holds its bytes.
const DATA_FIELD: &str = "d";

/// The Redis that the program uses.
pub struct Store {
    info: ConnectionInfo,
    address: String,
    /// Where Redis says what is wrong with it, if that is known.
    log: Option<PathBuf>,
    /// Retention of streams that set none.
    max_len: u64,
    metrics: Arc<Metrics>,
    retentions: Retentions,
    state: Mutex<Standing>,
    /// How often Redis turned from one that takes writes into one that takes none, or back.
    turns: AtomicU64,
    asking: Asking,
    generations: Generations,
}

/// Whether this is the URL of a Redis. The error is a sentence for the user.
pub fn check_url(url: &str) -> Result<(), String> {
    parse(url).map(|_| ())
}

fn parse(url: &str) -> Result<ConnectionInfo, String> {
    url.into_connection_info().map_err(|error| {
        // It may hold a password, so messages do not show it.
        let cause = match url.split_once("://") {
            _ if url.is_empty() => "it is empty".to_owned(),
            Some((scheme, _)) if SCHEMES.contains(&scheme) => {
                let said = error.to_string();
                // The kind of the error, as programmers call it.
                said.split(" - ").next().unwrap_or(&said).trim_end().to_owned()
            }
            _ => "it does not begin with redis://".to_owned(),
        };
        format!("{cause}; wanted is {FORM}")
    })
}

/// What the address of a Redis looks like, and how it may begin.
const FORM: &str = "redis://HOST:PORT (redis://USER:PASSWORD@HOST:PORT/DATABASE), such as redis://127.0.0.1:6789, or \
                    redis+unix:///PATH";
const SCHEMES: [&str; 7] = [
    "redis",
    "rediss",
    "valkey",
    "valkeys",
    "redis+unix",
    "valkey+unix",
    "unix",
];

impl Store {
    /// Prepares to use the Redis at `url`; no connection is made yet.
    pub fn new(url: &str, max_len: u64, metrics: Arc<Metrics>) -> Result<Store, String> {
        let info = parse(url)?;
        let address = info.addr().to_string();
        Ok(Store {
            info,
            address,
            log: None,
            max_len,
            metrics,
            retentions: Retentions::default(),
            state: Mutex::new(Standing::new()),
            turns: AtomicU64::new(0),
            asking: Asking::new(),
            generations: Generations::default(),
        })
    }

    /// The same, of a Redis whose log is known.
    pub fn with_log(self, log: Option<PathBuf>) -> Store {
        Store { log, ..self }
    }

    /// Where Redis is, without a password.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A conversation with Redis in which every reply must come within `reply_timeout`.
    pub fn session(self: &Arc<Self>, reply_timeout: Duration) -> Session {
        Session::new(self.clone(), reply_timeout)
    }

    /// Why Redis could not be used when it was last asked; none if it could.
    pub fn down(&self) -> Option<StoreError> {
        match &lock(&self.state).state {
            State::Away(cause) => Some(cause.clone()),
            State::Well | State::Full(_) | State::TakesNoWrites(_) => None,
        }
    }

    /// Whether Redis answers `within` this time and takes writes, as far as it has memory: the watch asks it now, unless it knows
    /// already that it is away.
    pub fn ping(&self, within: Duration) -> Result<(), StoreError> {
        if self.down().is_none() && !self.asking.ask(within) {
            return Err(StoreError::Unreachable(format!("no answer within {within:?}")));
        }
        match self.state() {
            State::Well | State::Full(_) => Ok(()),
            State::TakesNoWrites(cause) | State::Away(cause) => Err(cause),
        }
    }

    /// How Redis was when it was last asked.
    pub fn state(&self) -> State {
        self.standing().state
    }

    /// The same, and since when.
    pub fn standing(&self) -> Standing {
        lock(&self.state).clone()
    }

    fn set_state(&self, state: State) {
        self.metrics.redis_up.set((state == State::Well).into());
        lock(&self.state).set(state);
    }

    /// Has every session make a new connection before it speaks again: behind a proxy it may lead to another Redis.
    fn turn(&self) {
        self.turns.fetch_add(1, Ordering::Relaxed);
    }

    fn turns(&self) -> u64 {
        self.turns.load(Ordering::Relaxed)
    }

    fn connect(&self, patience: Duration) -> Result<Link, StoreError> {
        let mut link = introduction::connect(&self.info, CONNECT_TIMEOUT)?;
        link.set_patience(patience);
        Ok(link)
    }
}

fn meta_key(stream: &StreamId) -> String {
    format!("{META_PREFIX}{stream}")
}

fn unexpected(what: &str) -> StoreError {
    StoreError::Refused(format!("its reply to {what} has an unexpected shape"))
}
