//! A recording: streams in a plain folder that anything can read. Pure reading and writing of files.
//!
//! For each stream there is a data file with its entries' bytes, joined, and an index file with one record of 40 bytes
//! an entry ([`Record`]): its id, where its bytes start, how many they are, and checksums. `recording.json` says what the
//! folder is and which stream is in which files ([`About`]), `gaps.jsonl` which entries the store had trimmed before they
//! could be recorded ([`Gap`]).
//!
//! Data is written before the index, and both only grow. So whatever instant a recorder is killed at, the index speaks of
//! nothing that is not there, and what is torn is at the end, where [`Tail`] finds it.
//!
//! All these are regular files of the folder. One that is a link, a pipe or anything else is refused, by readers and writers:
//! the folder may come from somebody else, or lie where others may write.

mod about;
mod check;
pub mod files;
mod gaps;
mod index;
mod merge;
mod names;
mod reader;
mod tail;
mod writer;

#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::words::ids::StreamId;

pub use about::{ABOUT, About};
pub use check::{Report, check};
pub use gaps::{GAPS, Gap, read_gaps};
pub use index::{MAX_ENTRY, RECORD_SIZE, Record};
pub use merge::Merge;
pub use names::{DATA, INDEX, stem};
pub use reader::Reader;
pub use tail::{Tail, Torn};
pub use writer::Writer;

/// This file is locked while somebody records into the folder. It is empty.
pub const LOCK: &str = "lock";

/// How long a lock may be held by somebody who only looks whether there is one; far longer than it takes.
const LOOK: Duration = Duration::from_millis(200);

/// A folder with a recording, to be read.
#[derive(Debug)]
pub struct Recording {
    folder: PathBuf,
    about: About,
}

/// A recording that this process alone may write to, as long as this lives.
#[derive(Debug)]
pub struct Writable {
    recording: Recording,
    _lock: File,
}

impl Recording {
    /// Opens a folder; the error says why it is not a recording.
    pub fn open(folder: &Path) -> Result<Recording, String> {
        let about = About::read(folder)?.ok_or_else(|| format!("{} has no {ABOUT}: not a recording", show(folder)))?;
        Ok(Recording {
            folder: folder.to_owned(),
            about,
        })
    }

    /// What the folder says about itself.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its streams, sorted.
    pub fn streams(&self) -> Vec<StreamId> {
        self.about.streams()
    }

    /// Reads one of its streams from the start.
    pub fn reader(&self, stream: &StreamId) -> Result<Reader, String> {
        Reader::open(&self.folder, stream)
    }

    /// Whether somebody records into it just now. Then its end may look torn.
    pub fn is_being_written(&self) -> bool {
        let lock = files::open(&self.folder.join(LOCK));
        lock.is_ok_and(|lock| flock(&lock, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK))
    }
}

impl Writable {
    /// Opens a folder to go on with its recording, or begins one in a folder that is new or empty. `store` is the URL of
    /// the store, without a token.
    pub fn open(folder: &Path, store: &str) -> Result<Writable, String> {
        fs::create_dir_all(folder).map_err(|error| format!("cannot make the folder {}: {error}", show(folder)))?;
        let about = About::read(folder)?;
        if about.is_none() {
            refuse_strangers(folder)?;
        }
        let lock = lock(folder)?;
        // Read again: another recorder may have begun it before we had the lock.
        let about = match About::read(folder)? {
            Some(about) => about,
            None => About::begin(folder, store)?,
        };
        let recording = Recording {
            folder: folder.to_owned(),
            about,
        };
        Ok(Writable { recording, _lock: lock })
    }

    /// Goes on with a stream where it ended, or begins it. What is torn at its end is cut, and told.
    pub fn writer(&mut self, stream: &StreamId) -> Result<(Writer, Torn), String> {
        let Recording { folder, about } = &mut self.recording;
        if about.has(stream) {
            return Writer::go_on(folder, stream);
        }
        // The name first: files that nobody knows of are refused, a name without files is a stream without entries.
        refuse_files_of(folder, stream)?;
        about.add(folder, stream)?;
        Writer::go_on(folder, stream)
    }
}

impl std::ops::Deref for Writable {
    type Target = Recording;

    fn deref(&self) -> &Recording {
        &self.recording
    }
}

/// A recording has its folder for itself, so that nothing is mixed up or overwritten.
fn refuse_strangers(folder: &Path) -> Result<(), String> {
    let entries = fs::read_dir(folder).map_err(|error| at(folder, error))?;
    for entry in entries {
        let name = entry.map_err(|error| at(folder, error))?.file_name();
        // What a recorder leaves that was killed right at its start.
        if name != LOCK && name != about::UNFINISHED {
            return Err(format!(
                "{} is no recording, and is not empty: {} is in it",
                show(folder),
                show(Path::new(&name))
            ));
        }
    }
    Ok(())
}

/// On a file system that does not tell `Cam` from `cam`, two streams would share files.
fn refuse_files_of(folder: &Path, stream: &StreamId) -> Result<(), String> {
    for path in [names::index_path(folder, stream), names::data_path(folder, stream)] {
        // Also a link to nowhere is there.
        if path.symlink_metadata().is_ok() {
            return Err(format!("{} is there, but {ABOUT} does not know of it", show(&path)));
        }
    }
    Ok(())
}

fn lock(folder: &Path) -> Result<File, String> {
    let path = folder.join(LOCK);
    let lock = files::append_or_create(&path).map_err(|error| at(&path, error))?;
    let begun = Instant::now();
    loop {
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(lock),
            Err(Errno::WOULDBLOCK) if begun.elapsed() < LOOK => thread::sleep(LOOK / 10),
            Err(Errno::WOULDBLOCK) => return Err(format!("another recorder is writing to {}", show(folder))),
            Err(error) => return Err(at(&path, error.into())),
        }
    }
}

/// A path in a sentence.
fn show(path: &Path) -> std::path::Display<'_> {
    path.display()
}

/// What went wrong with a file.
fn at(path: &Path, error: io::Error) -> String {
    format!("{}: {error}", show(path))
}
