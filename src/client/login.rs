//! The login file: tokens by the URL of their store, in `$XDG_CONFIG_HOME/ptg-store/login.json`, else below `~/.config`.
//! Only its owner may read it, from its first byte on. A token is found by every name of its store (`names`).

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use ptg_store::recording::files;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::shell::quote;
use super::{Failure, names};

/// The largest login file that is read, in bytes: thousands of logins.
const MAX_FILE: u64 = 1 << 20;

/// The rights of the folder, and those that the file must not grant: anything to anybody else.
const FOLDER_MODE: u32 = 0o700;
const OTHERS: u32 = 0o077;

/// How long another login may hold the lock, and how often it is looked at; reading and writing the file is far quicker.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// One login.
#[derive(Serialize, Deserialize)]
struct Login {
    user: String,
    token: String,
}

type Logins = BTreeMap<String, Login>;

/// The token for the store at this URL, if somebody has signed in there, or by another name of it.
pub fn token(url: &str) -> Result<Option<String>, Failure> {
    let Ok(path) = path() else { return Ok(None) };
    let mut logins = read(&path)?;
    let name = match logins.contains_key(url) {
        true => Some(url.to_owned()),
        false => logins.keys().find(|known| names::are_one(url, known)).cloned(),
    };
    Ok(name.and_then(|name| logins.remove(&name)).map(|login| login.token))
}

/// Keeps a token; where.
pub fn remember(url: &str, user: &str, token: &str) -> Result<PathBuf, Failure> {
    let path = path()?;
    let _lock = lock(&path)?;
    let mut logins = read(&path)?;
    let login = Login {
        user: user.into(),
        token: token.into(),
    };
    // Who signed in before by another name of this store is signed in anew, too.
    logins.retain(|known, _| !names::are_one(url, known));
    logins.insert(url.into(), login);
    write(&path, &logins)?;
    Ok(path)
}

/// Forgets the tokens for a store, by whatever name somebody signed in; false if there was none.
pub fn forget(url: &str) -> Result<bool, Failure> {
    let path = path()?;
    let _lock = lock(&path)?;
    let mut logins = read(&path)?;
    let count = logins.len();
    logins.retain(|known, _| known != url && !names::were_one(url, known));
    let known = logins.len() < count;
    if known {
        write(&path, &logins)?;
    }
    Ok(known)
}

/// The commands that make the login file one that is read again, if it is there and is not: each can be given to a shell as
/// it is. `log_in` is the one that signs in, which is needed where nothing is left of it.
pub fn mend(log_in: &str) -> Vec<String> {
    let Ok(path) = path() else { return Vec::new() };
    match look(&path) {
        Err(Fault::Open(_)) => vec![close_to_others(&path)],
        Err(Fault::Foreign(_)) => vec![move_away(&path), log_in.to_owned()],
        Err(Fault::Unreadable(_)) | Ok(_) => Vec::new(),
    }
}

/// What is wrong with the login file.
enum Fault {
    /// It is open to others: its mode.
    Open(u32),
    /// Something else is there: what it is.
    Foreign(String),
    /// It cannot be read, for a reason that lies elsewhere.
    Unreadable(std::io::Error),
}

fn close_to_others(path: &Path) -> String {
    format!("chmod 600 {}", quote(&path.to_string_lossy()))
}

/// To a name beside it that nothing has yet.
fn move_away(path: &Path) -> String {
    let path = path.to_string_lossy();
    let mut name = format!("{path}.bad");
    while fs::symlink_metadata(&name).is_ok() {
        name.push_str(".bad");
    }
    format!("mv -- {} {}", quote(&path), quote(&name))
}

fn path() -> Result<PathBuf, Failure> {
    let folder = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let base = folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")));
    let base = base.ok_or_else(|| {
        Failure::Here("there is no place for a login file: neither XDG_CONFIG_HOME nor HOME is set".into())
    })?;
    Ok(base.join("ptg-store").join("login.json"))
}

/// Makes the folder of the login file, and locks it until this is dropped: of two logins at a time, one would be lost.
fn lock(path: &Path) -> Result<File, Failure> {
    let folder = path.parent().unwrap_or(path);
    let failed = |error: std::io::Error| {
        Failure::Here(format!(
            "the folder {} of the login file cannot be locked: {error}",
            folder.display()
        ))
    };
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(FOLDER_MODE);
    builder.create(folder).map_err(failed)?;
    let lock = File::open(folder).map_err(failed)?;
    let until = Instant::now() + LOCK_PATIENCE;
    loop {
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(lock),
            Err(Errno::WOULDBLOCK) if Instant::now() < until => thread::sleep(LOCK_PAUSE),
            Err(error) => return Err(failed(error.into())),
        }
    }
}

fn read(path: &Path) -> Result<Logins, Failure> {
    look(path).map_err(|fault| {
        let what = match fault {
            Fault::Open(mode) => format!(
                "is open to others (mode {mode:03o}), so its tokens are not used; make it yours alone: {}",
                close_to_others(path)
            ),
            Fault::Foreign(what) => format!("{what}; move it away, and sign in again: {}", move_away(path)),
            Fault::Unreadable(error) => format!("cannot be read: {error}"),
        };
        Failure::Here(format!("the login file {} {what}", path.display()))
    })
}

fn look(path: &Path) -> Result<Logins, Fault> {
    let file = match files::open_through_links(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Logins::new()),
        Err(error) if files::is_refusal(&error) => return Err(Fault::Foreign(format!("is none: {error}"))),
        Err(error) => return Err(Fault::Unreadable(error)),
    };
    // Of the open file, so that nobody can put another in its place.
    let mode = file.metadata().map_err(Fault::Unreadable)?.mode();
    let mut text = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut text).map_err(Fault::Unreadable)?;
    // The error itself would quote what is there.
    let logins = serde_json::from_slice(&text);
    let logins = logins.map_err(|_| Fault::Foreign("is not what ptg-store login writes".into()))?;
    match mode & OTHERS {
        0 => Ok(logins),
        _ => Err(Fault::Open(mode & 0o777)),
    }
}

fn write(path: &Path, logins: &Logins) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::Here(format!("the login file {} cannot be written: {error}", path.display()))
    };
    // A link stays one: what it points to is written.
    let place = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = place.parent().unwrap_or(&place);
    let text = serde_json::to_string_pretty(logins).map_err(|error| failed(&error))?;
    // A temporary file is its owner's alone (0600) from the moment it is there, and its new name changes nothing about that.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|error| failed(&error))?;
    file.write_all(text.as_bytes()).map_err(|error| failed(&error))?;
    file.as_file().sync_all().map_err(|error| failed(&error))?;
    file.persist(&place).map_err(|error| failed(&error.error))?;
    Ok(())
}
