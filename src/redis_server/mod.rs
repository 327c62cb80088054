//! The Redis that is used when none is named: found, or started; kept running, and stopped by the last store that uses it.
//!
//! In: the data folder. Out: the address of a Redis, and the duty to leave it at the end; `server` calls it.
//! A Redis that a store started listens in its data folder (`folder`), and there it is looked for first: the stores that find it
//! share it, and one that an earlier, killed store left behind is used, looked after and stopped like one that was just started.
//! Whatever else listens on the default port is somebody else's, in whatever folder it is: it is used, and left alone.

mod folder;
mod keeper;
mod process;
mod waiting;

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};
use log::{info, warn};
use redis::{ConnectionAddr, IntoConnectionInfo};

use crate::config::DEFAULT_REDIS_PORT;
use folder::Folder;
use keeper::Keeper;
use process::Process;
use waiting::{await_answer, await_turn};

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
    /// Whether we started it; else an earlier store did.
    pub started: bool,
    /// Takes the time by which Redis is to have stopped.
    stop: Sender<Instant>,
    keeper: Option<JoinHandle<()>>,
}

/// The default address, where a Redis is used if it is there already.
pub fn default_url() -> String {
    format!("redis://127.0.0.1:{DEFAULT_REDIS_PORT}")
}

/// Finds the Redis of this folder, else the one at the default port, else starts one there with its data in this folder, and
/// waits until it answers.
pub fn find(data_dir: &Path, interrupted: &AtomicBool) -> Result<Found, String> {
    let until = Instant::now() + START_PATIENCE;
    loop {
        let left = Folder::open(data_dir).is_ok_and(|folder| listens_in(&folder));
        if !left && is_running() {
            match neighbour() {
                Neighbour::Ours(folder) => {
                    warn!(
                        "the Redis on port {DEFAULT_REDIS_PORT} was started by a store with another data folder: --data-dir {} \
                         is not used, the data is in {}",
                        data_dir.display(),
                        folder.path().display()
                    );
                    if let Some(server) = RedisServer::enter(folder, false, interrupted)? {
                        return Ok(Found::Ours(server));
                    }
                }
                Neighbour::Theirs => {
                    info!(
                        "a Redis that is not ours listens on port {DEFAULT_REDIS_PORT}: --data-dir {} is not used \
                         (scripts/redis-stop.sh ends it)",
                        data_dir.display()
                    );
                    return Ok(Found::Theirs);
                }
                Neighbour::Leaving => {}
            }
        } else {
            let folder = Folder::make(data_dir)?;
            folder.make_private()?;
            match RedisServer::enter(folder, true, interrupted) {
                Ok(Some(server)) => return Ok(Found::Ours(server)),
                // Another store may just have started one with another data folder: then the port is taken.
                Err(_) if !left && !interrupted.load(Relaxed) && Instant::now() < until && is_running() => {}
                Err(sentence) => return Err(sentence),
                Ok(None) if is_running() => {}
                Ok(None) => {
                    return Err(format!(
                        "a Redis that is not ours listens in the data folder {}, and not on port {DEFAULT_REDIS_PORT}: end it, \
                         name it with --redis, or name another folder with --data-dir",
                        data_dir.display()
                    ));
                }
            }
        }
        if interrupted.load(Relaxed) {
            return Err(INTERRUPTED.into());
        }
        if Instant::now() > until {
            return Err(format!(
                "the Redis on port {DEFAULT_REDIS_PORT} comes and goes, and none could be used for {START_PATIENCE:?}"
            ));
        }
        std::thread::sleep(POLL);
    }
}

/// Why a start was given up.
const INTERRUPTED: &str = "was told to stop while Redis started";

/// Who listens on the default port.
enum Neighbour {
    /// A Redis that a store of our account started in another folder.
    Ours(Folder),
    Theirs,
    /// One that is just going.
    Leaving,
}

fn neighbour() -> Neighbour {
    let told = connection(ConnectionAddr::Tcp("127.0.0.1".into(), DEFAULT_REDIS_PORT)).and_then(|mut there| {
        let dir: Vec<String> = redis::cmd("CONFIG").arg(&["GET", "dir"]).query(&mut there)?;
        Ok((dir, run_id(&mut there)?))
    });
    let (dir, run) = match told {
        Ok(told) => told,
        Err(error) if error.is_io_error() && !is_running() => return Neighbour::Leaving,
        Err(_) => return Neighbour::Theirs,
    };
    let folder = dir.get(1).and_then(|dir| Folder::open(Path::new(dir)).ok());
    // Anybody can say anything on the port; that it is the one that listens in a folder of ours is what counts.
    let is_that_of = |folder: &Folder| {
        let id = connection(ConnectionAddr::Unix(folder.socket())).and_then(|mut here| run_id(&mut here));
        id.is_ok_and(|id| id.is_some() && id == run)
    };
    match folder.filter(|folder| folder.is_ours() && listens_in(folder) && is_that_of(folder)) {
        Some(folder) => Neighbour::Ours(folder),
        None => Neighbour::Theirs,
    }
}

/// Whether a Redis that a store started listens in this folder.
fn listens_in(folder: &Folder) -> bool {
    matches!(Process::listening_in(folder), Ok(Some(_)))
}

/// What tells one run of a Redis from all others. See <https://redis.io/docs/latest/commands/info/>.
fn run_id(connection: &mut redis::Connection) -> redis::RedisResult<Option<String>> {
    let about: String = redis::cmd("INFO").arg("server").query(connection)?;
    let id = about.lines().find_map(|line| line.strip_prefix("run_id:"));
    Ok(id.map(str::to_owned))
}

/// Whether something listens at the default address.
fn is_running() -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_REDIS_PORT));
    TcpStream::connect_timeout(&address, CONNECT_TIMEOUT).is_ok()
}

fn connection(address: ConnectionAddr) -> redis::RedisResult<redis::Connection> {
    let client = redis::Client::open(address.into_connection_info()?)?;
    let connection = client.get_connection_with_timeout(CONNECT_TIMEOUT)?;
    connection.set_read_timeout(Some(CONNECT_TIMEOUT))?;
    Ok(connection)
}

impl RedisServer {
    /// Becomes a user of the Redis in this folder. If none runs there, starts one, or there is none; nor is there if the one
    /// that runs there is somebody else's.
    fn enter(folder: Folder, may_start: bool, interrupted: &AtomicBool) -> Result<Option<RedisServer>, String> {
        let cannot = |what: &str, error| format!("cannot {what} in {}: {error}", folder.path().display());
        let turn = await_turn(&folder, TURN_PATIENCE, interrupted)?;
        let process = match folder.connect() {
            Ok(_) => Process::listening_in(&folder).map_err(|error| cannot("watch the Redis", error))?,
            Err(_) if may_start => Some(Process::start(&folder)?),
            Err(_) => None,
        };
        let Some(mut process) = process else { return Ok(None) };
        let started = process.is_our_child();
        let (share, first) = folder.share(&turn).map_err(|error| cannot("lock the Redis", error))?;
        if let Err(sentence) = await_answer(&folder, &mut process, interrupted) {
            if share.is_last() {
                process.stop(Instant::now() + STOP_PATIENCE);
            }
            return Err(sentence);
        }
        drop(turn);
        let (path, url) = (folder.path().to_owned(), folder.url().unwrap_or_else(default_url));
        match (started, first) {
            (true, _) => {}
            (false, true) => info!("takes over the Redis that an earlier store left in {}", path.display()),
            (false, false) => info!("shares the Redis in {} with other stores", path.display()),
        }
        let (stop, stopped) = bounded(1);
        let keeper = Keeper::new(folder, process, share, stopped);
        let keeper = std::thread::Builder::new()
            .name("redis-keeper".into())
            .spawn(move || keeper.keep())
            .map_err(|error| format!("cannot watch over Redis: {error}"))?;
        Ok(Some(RedisServer {
            url,
            data_dir: path,
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
