//! Which Redis a store uses when none is named: the one of its data folder, the one that listens on the default port, or a new
//! one. In go the flags, out comes a Redis, or the sentence that says why there is none; and the log says which folder is not used.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

use log::{info, warn};

use super::folder::{Folder, SOCKET};
use super::neighbour::{Neighbour, is_taken, neighbour, stranger};
use super::process::listener;
use super::{Entry, Found, INTERRUPTED, POLL, RedisServer, START_PATIENCE, listens_in, taken};
use crate::state::config::DEFAULT_REDIS_PORT;
use crate::words::log_line::sentence;

/// Finds the Redis to use: one of the folder's own if a port is given (0 is none), else whichever there is.
pub fn find(data_dir: &Path, port: Option<u16>, interrupted: &AtomicBool) -> Result<Found, String> {
    match port {
        Some(port) => find_own(data_dir, port, interrupted).map(Found::Ours),
        None => find_any(data_dir, interrupted),
    }
}

/// Finds the Redis of this folder that listens on this port and nowhere else, or starts it.
fn find_own(data_dir: &Path, port: u16, interrupted: &AtomicBool) -> Result<RedisServer, String> {
    let was_there = data_dir.exists();
    // Who has it cannot have the Redis of a folder that is not there.
    if !was_there && port != 0 && is_taken(port) {
        return Err(taken(port));
    }
    let folder = Folder::make(data_dir)?;
    folder.make_private()?;
    if port == 0 && folder.url().is_none() {
        if !was_there {
            // It is empty, and nothing is said of one that stays.
            let _ = fs::remove_dir(folder.path());
        }
        return Err(format!(
            "a Redis without a port is reached at {}/{SOCKET}, which is too long for a socket (107 bytes) or no UTF-8: give it a \
             port with --own-redis-port, or name another folder with --data-dir",
            folder.path().display()
        ));
    }
    RedisServer::enter(folder, Entry::On(port), interrupted)?.ok_or_else(|| not_ours(data_dir))
}

/// Finds the Redis of this folder, else the one at the default port, else starts one there with its data in this folder, and
/// waits until it answers.
fn find_any(data_dir: &Path, interrupted: &AtomicBool) -> Result<Found, String> {
    let until = Instant::now() + START_PATIENCE;
    let unused = |why: &str| {
        warn!(
            "{}",
            sentence(&format!(
                "{why}: --data-dir {} is not used. --own-redis-port 0 gives this store a Redis of its own, with its data there",
                data_dir.display()
            ))
        );
    };
    loop {
        let left = Folder::open(data_dir).is_ok_and(|folder| listens_in(&folder));
        if !left && is_taken(DEFAULT_REDIS_PORT) {
            match neighbour(DEFAULT_REDIS_PORT) {
                Neighbour::Ours(folder) => {
                    unused(&format!(
                        "the Redis on port {DEFAULT_REDIS_PORT} was started by a store with another data folder, {}, and is shared",
                        folder.path().display()
                    ));
                    if let Some(server) = RedisServer::enter(folder, Entry::Join, interrupted)? {
                        return Ok(Found::Ours(server));
                    }
                }
                Neighbour::Theirs(folder) if folder.as_ref().is_some_and(|folder| folder.is_at(data_dir)) => {
                    info!(
                        "a Redis that is not ours listens on port {DEFAULT_REDIS_PORT} and is used, with its data in --data-dir \
                         (scripts/redis-stop.sh ends it)"
                    );
                    return Ok(Found::Theirs);
                }
                Neighbour::Theirs(_) => {
                    unused(&match stranger(DEFAULT_REDIS_PORT) {
                        Some(account) => format!(
                            "a Redis that is not ours, but of another account (uid {account}), listens on port \
                             {DEFAULT_REDIS_PORT} and is used"
                        ),
                        None => format!(
                            "a Redis that is not ours listens on port {DEFAULT_REDIS_PORT} and is used \
                             (scripts/redis-stop.sh ends it)"
                        ),
                    });
                    return Ok(Found::Theirs);
                }
                Neighbour::Useless(why) => {
                    return Err(format!(
                        "what listens on 127.0.0.1:{DEFAULT_REDIS_PORT} cannot be used: {why}. Give this store a Redis of its own \
                         with --own-redis-port 0 (or another port), or name one with --redis"
                    ));
                }
                Neighbour::Leaving => {}
            }
        } else {
            let folder = Folder::make(data_dir)?;
            folder.make_private()?;
            match RedisServer::enter(folder, Entry::Any, interrupted) {
                Ok(Some(server)) => return Ok(Found::Ours(server)),
                // Another store may just have started one with another data folder: then the port is taken.
                Err(_)
                    if !left
                        && !interrupted.load(Relaxed)
                        && Instant::now() < until
                        && is_taken(DEFAULT_REDIS_PORT) => {}
                Err(sentence) => return Err(sentence),
                Ok(None) if is_taken(DEFAULT_REDIS_PORT) => {}
                Ok(None) => return Err(not_ours(data_dir)),
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

/// What to say of a Redis in this folder that no store started.
fn not_ours(data_dir: &Path) -> String {
    let pid = Folder::open(data_dir).and_then(|folder| listener(&folder));
    let (who, end) = match pid {
        Ok(pid) => {
            let pid = pid.as_raw_nonzero();
            (format!(" (process {pid})"), format!("end it (kill {pid})"))
        }
        // It is of another container, or gone.
        Err(_) => (String::new(), "end it".into()),
    };
    format!(
        "a Redis that is not ours{who} listens in the data folder {}: {end}, name it with --redis, or name another folder with \
         --data-dir",
        data_dir.display()
    )
}
