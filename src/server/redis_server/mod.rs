//! The Redis that is used when none is named: found, or started; kept running, and stopped by the last store that uses it.
//!
//! In: the data folder. Out: the address of a Redis, and the duty to leave it at the end; `server` calls it.
//! A Redis that a store started listens in its data folder (`folder`), and there it is looked for first: the stores that find it
//! share it, and one that an earlier, killed store left behind is used, looked after and stopped like one that was just started.
//! Whatever else listens on the default port is somebody else's, in whatever folder it is: it is used, and left alone.

mod claim;
mod data;
mod find;
mod folder;
mod keeper;
mod neighbour;
mod private;
mod process;
mod program;
mod rdb;
mod ready;
mod trouble;
mod version;
mod waiting;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};
use log::{info, warn};
use redis::{ConnectionAddr, IntoConnectionInfo};

pub use find::find;

use crate::state::config::DEFAULT_REDIS_PORT;
use crate::words::log_line::sentence;
use folder::Folder;
use keeper::Keeper;
use neighbour::is_taken;
use process::Process;
use program::remember;
use ready::make_ready;
use waiting::{answers, await_answer, await_append_only, await_turn};

/// How long it may take until a started Redis listens. Then it may read its append-only file for as long as it takes.
const START_PATIENCE: Duration = Duration::from_secs(10);

/// How long Redis may take to stop when its start is given up, before it is killed.
const STOP_PATIENCE: Duration = Duration::from_secs(3);

/// How long another store may be busy with Redis before the start is given up: longer than a start and a stop may take. While
/// Redis loads its data the time does not count.
const TURN_PATIENCE: Duration = Duration::from_secs(20);

/// How long a try to reach Redis may take.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);

/// How often a start is looked at, or whether it is our turn.
const POLL: Duration = Duration::from_millis(20);

/// The Redis to use when none is named.
pub enum Found {
    /// One that stores started, and that we help to look after.
    Ours(RedisServer),
    /// Somebody else's, at the default address.
    Theirs,
}

/// A Redis of ours. Dropping it leaves it, too.
pub struct RedisServer {
    /// How to reach it.
    pub url: String,
    /// Where its data is.
    pub data_dir: PathBuf,
    /// Where it says what it does.
    pub log: PathBuf,
    /// Whether we started it; else an earlier store did.
    pub started: bool,
    /// Takes the time by which Redis is to have stopped.
    stop: Sender<Instant>,
    keeper: Option<JoinHandle<()>>,
}

/// The default address, where a Redis is used if it is there already.
pub fn default_url() -> String {
    url_of(DEFAULT_REDIS_PORT)
}

fn url_of(port: u16) -> String {
    format!("redis://127.0.0.1:{port}")
}

/// Where the Redis that stores keep in this folder is reached by others, if it runs.
pub fn url_in(data_dir: &Path) -> Option<String> {
    let folder = Folder::open(data_dir).ok().filter(listens_in)?;
    match port_of(&folder).ok()? {
        0 => folder.url(),
        port => Some(url_of(port)),
    }
}

/// Why a start was given up.
const INTERRUPTED: &str = "was told to stop while Redis started";

/// How a store comes to the Redis of a folder.
#[derive(Clone, Copy, PartialEq)]
enum Entry {
    /// It uses one that is there.
    Join,
    /// It starts one on the default port if none is there.
    Any,
    /// The same, but on this port only, or on none if that is 0.
    On(u16),
}

/// Whether a Redis that a store started listens in this folder.
fn listens_in(folder: &Folder) -> bool {
    matches!(Process::listening_in(folder), Ok(Some(_)))
}

/// The port of the Redis that listens in this folder; 0 if it has none.
fn port_of(folder: &Folder) -> redis::RedisResult<u16> {
    let mut connection = connection(ConnectionAddr::Unix(folder.socket()))?;
    let (_, port) = redis::cmd("CONFIG")
        .arg(&["GET", "port"])
        .query::<(String, u16)>(&mut connection)?;
    Ok(port)
}

fn connection(address: ConnectionAddr) -> redis::RedisResult<redis::Connection> {
    let client = redis::Client::open(address.into_connection_info()?)?;
    let connection = client.get_connection_with_timeout(CONNECT_TIMEOUT)?;
    connection.set_read_timeout(Some(CONNECT_TIMEOUT))?;
    Ok(connection)
}

/// Starts one in this folder, and says what is to be said of it. Who calls has the turn.
fn start(folder: &Folder, port: u16) -> Result<Process, String> {
    if port != 0 && is_taken(port) {
        return Err(taken(port));
    }
    let ready = make_ready(folder)?;
    tell(&ready.notes);
    Process::start(folder, ready, port)
}

/// Says what the user should know of the data.
fn tell(notes: &[String]) {
    notes.iter().for_each(|note| warn!("{}", sentence(note)));
}

fn named(port: u16) -> String {
    match port {
        0 => "no port".into(),
        port => format!("port {port}"),
    }
}

/// Waits until the Redis can be used as this store wants it, and says on which port it listens. One on another port is stopped,
/// and another is started in its place, if we are the first that use it since an earlier store left it. Who calls has the turn.
fn settle(
    folder: &Folder,
    process: &mut Process,
    entry: Entry,
    first: bool,
    interrupted: &AtomicBool,
) -> Result<u16, String> {
    loop {
        await_answer(folder, process, interrupted)?;
        await_append_only(folder, process, interrupted)?;
        let port = port_of(folder).map_err(|error| format!("cannot ask Redis for its port: {error}"))?;
        let path = folder.path().display();
        match entry {
            Entry::On(wanted) if wanted == port => return Ok(port),
            Entry::Any | Entry::Join => return Ok(port),
            Entry::On(wanted) if first && !process.is_our_child() => {
                info!(
                    "the Redis that a store that was killed left in {path} has {}: it is stopped, and started again with {}",
                    named(port),
                    named(wanted)
                );
                process.stop(Instant::now() + STOP_PATIENCE);
                *process = start(folder, wanted)?;
            }
            Entry::On(wanted) => {
                return Err(format!(
                    "other stores use the data folder {path} with a Redis on {}, and --own-redis-port is {wanted}: start this \
                     store like them (--own-redis-port {port}), or name another folder with --data-dir",
                    named(port)
                ));
            }
        }
    }
}

fn taken(port: u16) -> String {
    format!(
        "port {port} is taken by another program, so no Redis can be started there: take another --own-redis-port (0 is none)"
    )
}

impl RedisServer {
    /// Becomes a user of the Redis in this folder. If none runs there, starts one, or there is none; nor is there if the one
    /// that runs there is somebody else's.
    fn enter(folder: Folder, entry: Entry, interrupted: &AtomicBool) -> Result<Option<RedisServer>, String> {
        let cannot = |what: &str, error| format!("cannot {what} in {}: {error}", folder.path().display());
        let turn = await_turn(&folder, TURN_PATIENCE, interrupted)?;
        let there = || Process::listening_in(&folder).map_err(|error| cannot("watch the Redis", error));
        let start_or = |port| match start(&folder, port) {
            // One that a killed store had just started.
            Err(_) if listens_in(&folder) => there(),
            started => started.map(Some),
        };
        let process = match (folder.connect(), entry) {
            (Ok(_), _) => there()?,
            (Err(_), Entry::Join) => None,
            (Err(_), Entry::Any) => start_or(DEFAULT_REDIS_PORT)?,
            (Err(_), Entry::On(port)) => start_or(port)?,
        };
        let Some(mut process) = process else { return Ok(None) };
        let (share, first) = match folder.share(&turn) {
            Ok(shared) => shared,
            Err(error) => {
                if process.is_our_child() {
                    process.stop(Instant::now() + STOP_PATIENCE);
                }
                return Err(cannot("lock the Redis", error));
            }
        };
        let port = match settle(&folder, &mut process, entry, first, interrupted) {
            Ok(port) => port,
            Err(sentence) => {
                // One that an earlier store left, and that answers, may have what is nowhere else.
                if (process.is_our_child() || !answers(&folder)) && share.is_last() {
                    process.stop(Instant::now() + STOP_PATIENCE);
                }
                return Err(sentence);
            }
        };
        if let Some(program) = process.program() {
            remember(&folder, program);
        }
        drop(turn);
        let (path, log, url) = (
            folder.path().to_owned(),
            folder.log(),
            folder.url().unwrap_or_else(|| url_of(port)),
        );
        let started = process.is_our_child();
        match (started, first) {
            (true, _) => {}
            (false, true) => info!("takes over the Redis that an earlier store left in {}", path.display()),
            (false, false) => info!("shares the Redis in {} with other stores", path.display()),
        }
        let (stop, stopped) = bounded(1);
        let keeper = Keeper::new(folder, process, share, port, stopped);
        let keeper = std::thread::Builder::new()
            .name("redis-keeper".into())
            .spawn(move || keeper.keep())
            .map_err(|error| format!("cannot watch over Redis: {error}"))?;
        Ok(Some(RedisServer {
            url,
            data_dir: path,
            log,
            started,
            stop,
            keeper: Some(keeper),
        }))
    }

    /// Leaves it by `deadline`; the last store that does stops it.
    pub fn leave_by(mut self, deadline: Instant) {
        self.leave(deadline);
    }

    fn leave(&mut self, deadline: Instant) {
        if let Some(keeper) = self.keeper.take() {
            let _ = self.stop.send(deadline);
            let _ = keeper.join();
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // Where the start of a store failed, the program is about to end.
        self.leave(Instant::now() + STOP_PATIENCE);
    }
}
