//! The data folder of a Redis of ours: private, and the place where the stores that share it agree on who does what.
//!
//! In: a path. Out: where Redis listens in it, and two locks (flock(2)), which the system takes back from whoever is killed:
//! `redis.lock` is held for as long as somebody starts, joins or stops Redis, so that one does so at a time; `redis.users` is
//! held, shared, by every store that uses Redis, so that the last one knows that it is. And a mark: the Redis that a store
//! starts has `redis.ours` as its standard input, which no other Redis has, and a lock on it for as long as it lives (`claim`).

use std::fs::{self, DirBuilder, File, Metadata};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use rustix::process::{Pid, geteuid};

use super::trouble::why;
use crate::recording::files;

/// The socket on which Redis listens, its log, the two locks, the mark, and which server wrote the data (`program`).
pub const SOCKET: &str = "redis.sock";
pub const LOG: &str = "redis.log";
pub const RECORD: &str = "redis.server";
const LOCK: &str = "redis.lock";
const USERS: &str = "redis.users";
const MARK: &str = "redis.ours";

/// What Redis keeps in the folder (its temporary files aside): see `appenddirname`, `appendfilename` and `dbfilename` in redis.conf.
pub const PARTS: &str = "appendonlydir";
pub const ONE_FILE: &str = "appendonly.aof";
pub const DUMP: &str = "dump.rdb";
pub const TEMPORARY: &str = "temp-";

/// Every name that Redis and the stores give to something in the folder.
pub const KNOWN: [&str; 9] = [PARTS, ONE_FILE, DUMP, SOCKET, LOG, LOCK, USERS, MARK, RECORD];

/// The most digits of a process id.
const LONGEST_PID: u64 = 10;

/// The longest path of a Unix socket (`sun_path` of unix(7), less its terminating zero).
const LONGEST_SOCKET_PATH: usize = 107;

/// How many bytes are written to find out whether there is room: less than any disk calls full.
const TRIAL: usize = 64 << 10;

/// A folder that is there.
pub struct Folder {
    path: PathBuf,
    pub(super) handle: File,
}

/// The right to start, join or stop the Redis of a folder, until it is dropped.
pub struct Turn {
    _lock: File,
}

/// A store's part in the Redis of a folder, until it is dropped.
pub struct Share(File);

impl Folder {
    /// Opens one, and makes it before if need be.
    pub fn make(path: &Path) -> Result<Folder, String> {
        let cannot =
            |what, error: &io::Error| format!("cannot {what} the data folder {}: {}", path.display(), why(error));
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|error| cannot("make", &error))?;
        Folder::open(path).map_err(|error| cannot("use", &error))
    }

    /// Opens one that is there.
    pub fn open(path: &Path) -> io::Result<Folder> {
        let path = path.canonicalize()?;
        let handle = File::open(&path)?;
        match handle.metadata()?.is_dir() {
            true => Ok(Folder { path, handle }),
            false => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    /// Its path, without symbolic links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it belongs to the account that we run as.
    pub fn is_ours(&self) -> bool {
        self.handle
            .metadata()
            .is_ok_and(|about| about.uid() == geteuid().as_raw())
    }

    /// Where Redis says what it does.
    pub fn log(&self) -> PathBuf {
        self.path.join(LOG)
    }

    /// Tries whether files can be made and written here, as Redis will.
    pub fn try_writing(&self) -> io::Result<()> {
        let name = format!("{TEMPORARY}ptg-store-{}", std::process::id());
        let written = self.own_file(&name).and_then(|mut file| file.write_all(&[0; TRIAL]));
        let removed = self.remove(&name);
        written.and(removed)
    }

    /// Replaces what a file holds, whole or not at all.
    pub fn replace(&self, name: &str, text: &str) -> io::Result<()> {
        let new = format!("{TEMPORARY}{name}");
        // One that is left from a store that was killed meanwhile.
        self.remove(&new)?;
        self.own_file(&new)?.write_all(text.as_bytes())?;
        fs::rename(self.path.join(new), self.path.join(name))
    }

    /// Removes a file, if it is there.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// What to say when something cannot be done with it.
    pub fn cannot(&self, what: &str, error: &io::Error) -> String {
        format!("cannot {what} the data folder {}: {}", self.path.display(), why(error))
    }

    /// Whether this path leads to it.
    pub fn is_at(&self, path: &Path) -> bool {
        let id = |about: &Metadata| (about.dev(), about.ino());
        matches!((fs::metadata(path), self.handle.metadata()), (Ok(there), Ok(here)) if id(&there) == id(&here))
    }

    /// Has a connection to the Redis that listens in this folder. No other Redis does, whatever listens on the port.
    pub fn connect(&self) -> io::Result<UnixStream> {
        UnixStream::connect(self.socket())
    }

    /// Its socket's path. Through the folder's descriptor it is short enough for a socket, however long the folder's path is.
    pub fn socket(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", self.handle.as_raw_fd()))
    }

    /// Whether it is there, also if nobody listens.
    pub fn has_socket(&self) -> bool {
        self.path.join(SOCKET).symlink_metadata().is_ok()
    }

    /// The socket as a URL, if the folder's path is short enough for one, and is text.
    pub fn url(&self) -> Option<String> {
        let socket = self.path.join(SOCKET);
        let path = socket.to_str().filter(|path| path.len() <= LONGEST_SOCKET_PATH)?;
        let mut url = String::from("redis+unix://");
        for byte in path.bytes() {
            // RFC 3986, section 2.1.
            match byte.is_ascii_alphanumeric() || b"/._-".contains(&byte) {
                true => url.push(char::from(byte)),
                false => url += &format!("%{byte:02X}"),
            }
        }
        Some(url)
    }

    /// The right to start, join or stop Redis; none if another store has it at the moment.
    pub fn take_turn(&self) -> io::Result<Option<Turn>> {
        let lock = self.lock_file(LOCK)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                // For whoever waits too long; without it the lock is as good.
                let _ = lock.set_len(0);
                let _ = write!(&lock, "{}", std::process::id());
                Ok(Some(Turn { _lock: lock }))
            }
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The process that has the turn, if it says so.
    pub fn turn_holder(&self) -> Option<u32> {
        let mut text = String::new();
        let lock = files::open(&self.path.join(LOCK)).ok()?;
        lock.take(LONGEST_PID).read_to_string(&mut text).ok()?;
        text.parse().ok()
    }

    /// Becomes a user of Redis; and whether there was none before. Only who has the turn asks, so nobody leaves meanwhile.
    pub fn share(&self, _turn: &Turn) -> io::Result<(Share, bool)> {
        let share = Share(self.lock_file(USERS)?);
        let first = share.is_last();
        flock(&share.0, FlockOperation::NonBlockingLockShared)?;
        Ok((share, first))
    }

    /// What the Redis that is started here is to have as its standard input, with a lock on it; none if another one has it.
    /// It holds both from its first moment to its last, whoever is killed meanwhile.
    pub fn lock_mark(&self) -> io::Result<Option<File>> {
        let mark = self.lock_file(MARK)?;
        match flock(&mark, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(mark)),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether this process has it.
    pub fn marks(&self, process: Pid) -> bool {
        let of = |path: &Path| fs::metadata(path).map(|about| (about.dev(), about.ino()));
        let input = format!("/proc/{}/fd/0", process.as_raw_nonzero());
        matches!((of(Path::new(&input)), of(&self.path.join(MARK))), (Ok(input), Ok(mark)) if input == mark)
    }

    /// Opens the log, to write at its end. It may be a link to another place.
    pub fn open_log(&self) -> io::Result<File> {
        let mut options = File::options();
        options
            .create(true)
            .append(true)
            .mode(0o600)
            .custom_flags(OFlags::NONBLOCK.bits().cast_signed());
        options.open(self.log())
    }

    /// A file that is locked, which an error names: what stands there may be no file.
    fn lock_file(&self, name: &str) -> io::Result<File> {
        let named = |error: io::Error| io::Error::other(format!("{name}: {}", why(&error)));
        self.own_file(name).map_err(named)
    }

    fn own_file(&self, name: &str) -> io::Result<File> {
        let mut options = File::options();
        // A pipe that has the name would have us wait for its other side.
        let flags = (OFlags::NONBLOCK | OFlags::NOFOLLOW).bits().cast_signed();
        options
            .create(true)
            .write(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(flags);
        options.open(self.path.join(name))
    }
}

impl Share {
    /// Whether nobody else is a user. It is the last question: who is not the last one is no user any more afterwards.
    pub fn is_last(&self) -> bool {
        flock(&self.0, FlockOperation::NonBlockingLockExclusive).is_ok()
    }
}
