//! A folder as it grows: every file of it is one entry, once it is completely written.
//!
//! The folder is looked at again and again. A file is known by its name, inode, size and time of change; one that is written
//! anew is another. What is known of a file that has gone is forgotten. Whoever may put files there must not have others read
//! with our rights: links are left out, and what is opened is a regular file.

use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::fs::{DirEntry, File, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ptg_store::recording::files;
use ptg_store::words::units::Size;

use super::Next;
use super::inputs::too_large;
use crate::client::{Batch, Console, Failure};

/// How often the folder is looked at. A look that takes long is followed by a rest so many times as long, so that a large
/// folder never takes more than a tenth of a processor.
const INTERVAL: Duration = Duration::from_millis(200);
const REST: u32 = 9;

/// The most files of a folder: what is known of each takes some 80 bytes of memory.
const MOST_FILES: usize = 1_000_000;

/// The most files that one look finds ready, the oldest ones. The others are ready at the next.
const MOST_READY: usize = 10_000;

/// A folder that is watched.
pub struct Folder {
    path: PathBuf,
    suffix: String,
    settle: Duration,
    limit: Size,
    /// What is known of each file, by its `fingerprint`.
    known: HashMap<u64, Known>,
    ready: VecDeque<Ready>,
    /// A link that was found, and whether that was told.
    link: Option<PathBuf>,
    told_of_links: bool,
    /// When to look again.
    due: Instant,
}

/// A time of the file system: seconds since 1970, and nanoseconds.
type Time = (i64, i64);

#[derive(Clone, Copy)]
enum Known {
    /// It has been as it is since then at least. Its inode was last changed at this time when it was last looked at.
    Since(Instant, Time),
    /// It is pushed, or was never to be.
    Done,
}

/// A file that is completely written. The order is that of their time of change.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Ready {
    changed: Time,
    path: PathBuf,
    fingerprint: u64,
}

impl Folder {
    /// Files whose name ends with this suffix, which may be empty, and that have not changed for `settle`.
    pub fn new(path: &Path, new_only: bool, suffix: String, settle: Duration, limit: Size) -> Result<Folder, Failure> {
        let mut folder = Folder {
            path: path.to_owned(),
            suffix,
            settle,
            limit,
            known: HashMap::new(),
            ready: VecDeque::new(),
            link: None,
            told_of_links: false,
            due: Instant::now(),
        };
        if new_only {
            folder.look()?;
            folder.ready.clear();
            folder.known.values_mut().for_each(|known| *known = Known::Done);
        }
        Ok(folder)
    }

    /// The next file that is ready. One that cannot be read is complained about and left out.
    pub fn next(&mut self, console: &mut Console) -> Result<Next, Failure> {
        loop {
            if self.ready.is_empty() {
                if !self.due_in().is_zero() {
                    return Ok(Next::NotYet);
                }
                self.look()?;
                self.tell_of_links(console);
            }
            let Some(file) = self.ready.pop_front() else {
                return Ok(Next::NotYet);
            };
            match self.read(&file) {
                Ok(None) => continue,
                Ok(Some(bytes)) => {
                    self.known.insert(file.fingerprint, Known::Done);
                    let name = file.path.display().to_string();
                    return Ok(Next::Batch(Batch::single(bytes.into(), name)));
                }
                Err(failure) => {
                    self.known.insert(file.fingerprint, Known::Done);
                    console.complain(&format!("{failure}; it is left out"));
                }
            }
        }
    }

    /// How long until the folder is looked at again.
    pub fn due_in(&self) -> Duration {
        self.due.saturating_duration_since(Instant::now())
    }

    /// Looks at every file.
    fn look(&mut self) -> Result<(), Failure> {
        let begun = Instant::now();
        let failed =
            |error: std::io::Error| Failure::Here(format!("cannot read the folder {}: {error}", self.path.display()));
        let mut known = HashMap::with_capacity(self.known.len());
        let mut ready = BinaryHeap::new();
        for entry in std::fs::read_dir(&self.path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Some(about) = self.about(&entry) else { continue };
            if about.is_symlink() {
                self.link.get_or_insert_with(|| entry.path());
                continue;
            }
            if known.len() >= MOST_FILES {
                return Err(Failure::Here(format!(
                    "the folder {} has more than {MOST_FILES} files",
                    self.path.display()
                )));
            }
            let path = entry.path();
            let fingerprint = fingerprint(&path, &about);
            let before = self.known.get(&fingerprint);
            let since = match before {
                Some(Known::Done) => {
                    known.insert(fingerprint, Known::Done);
                    continue;
                }
                Some(Known::Since(since, _)) => *since,
                None => begun,
            };
            known.insert(fingerprint, Known::Since(since, changed(&about)));
            // Twice the same, because a file may get another mode or name while it is still being written.
            let is_same = matches!(before, Some(Known::Since(_, before)) if *before == changed(&about));
            if begun - since >= self.settle || (is_same && was_moved_here(&about)) {
                ready.push(Ready {
                    changed: modified(&about),
                    path,
                    fingerprint,
                });
                if ready.len() > MOST_READY {
                    ready.pop();
                }
            }
        }
        self.known = known;
        self.ready = ready.into_sorted_vec().into();
        self.due = Instant::now() + INTERVAL.max(begun.elapsed() * REST);
        Ok(())
    }

    /// Says, once, that links are left out.
    fn tell_of_links(&mut self, console: &mut Console) {
        if let Some(link) = &self.link
            && !std::mem::replace(&mut self.told_of_links, true)
        {
            console.complain(&format!("{} is a link: links are left out", link.display()));
        }
    }

    /// What the system knows of a file, if it is one to push, or of a link in its place.
    fn about(&self, entry: &DirEntry) -> Option<Metadata> {
        let name = entry.file_name();
        if name.as_bytes().starts_with(b".") || !name.as_bytes().ends_with(self.suffix.as_bytes()) {
            return None;
        }
        // It may have gone in the meantime.
        let about = entry.metadata().ok()?;
        (about.is_file() || about.is_symlink()).then_some(about)
    }

    /// The bytes of a file; none if it is no longer what it was, and will be found again if it is there.
    fn read(&self, ready: &Ready) -> Result<Option<Vec<u8>>, Failure> {
        let name = ready.path.display();
        let failed = |error: std::io::Error| Failure::Here(format!("cannot read {name}: {error}"));
        let is_same = |file: &File| {
            file.metadata()
                .map(|about| fingerprint(&ready.path, &about) == ready.fingerprint)
        };
        let file = match files::open(&ready.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound || files::is_refusal(&error) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        if !is_same(&file).map_err(failed)? {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        (&file)
            .take(self.limit.0 as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        if bytes.len() > self.limit.0 {
            return Err(too_large(&name.to_string(), self.limit));
        }
        Ok(is_same(&file).map_err(failed)?.then_some(bytes))
    }
}

/// Tells files apart, and one file from itself once it has changed. That two of a million agree by chance is less likely than one
/// in a million.
fn fingerprint(path: &Path, about: &Metadata) -> u64 {
    let mut hasher = DefaultHasher::new();
    (path.file_name(), about.ino(), about.len(), modified(about)).hash(&mut hasher);
    hasher.finish()
}

/// Whether a file came here with its bytes in it. Writing sets both times; renaming and linking, only the second.
fn was_moved_here(about: &Metadata) -> bool {
    about.len() > 0 && changed(about) > modified(about)
}

/// When the bytes of a file last changed.
fn modified(about: &Metadata) -> Time {
    (about.mtime(), about.mtime_nsec())
}

/// When anything about it last changed: its bytes, mode, name or links.
fn changed(about: &Metadata) -> Time {
    (about.ctime(), about.ctime_nsec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::time::SystemTime;

    /// A folder that is watched, in which nothing settles, with a file in it.
    fn watched() -> (tempfile::TempDir, File, Folder) {
        let path = tempfile::tempdir().unwrap();
        let file = File::create(path.path().join("file")).unwrap();
        let hour = Duration::from_secs(3600);
        let folder = Folder::new(path.path(), false, String::new(), hour, Size(100)).unwrap();
        (path, file, folder)
    }

    /// Writes something, some minutes ago as far as the times tell.
    fn write(mut file: &File, minutes_ago: u64) {
        file.write_all(b"half").unwrap();
        let time = SystemTime::now() - Duration::from_secs(60 * minutes_ago);
        file.set_modified(time).unwrap();
    }

    fn finds(folder: &mut Folder) -> usize {
        folder.look().unwrap();
        folder.ready.len()
    }

    #[test]
    fn a_file_that_was_moved_here_is_ready_once_it_was_the_same_twice() {
        let (_path, file, mut folder) = watched();
        write(&file, 5);
        assert_eq!(finds(&mut folder), 0);
        assert_eq!(finds(&mut folder), 1);
    }

    #[test]
    fn a_file_that_is_still_written_is_not_ready_because_something_else_about_it_changed() {
        let (_path, file, mut folder) = watched();
        for minutes in (1..4).rev() {
            write(&file, minutes);
            assert_eq!(finds(&mut folder), 0);
        }
        // Nothing but its inode has changed, and that may be another mode.
        let Some(Known::Since(_, time)) = folder.known.values_mut().next() else {
            panic!("it is not known");
        };
        time.0 -= 1;
        assert_eq!(finds(&mut folder), 0);
        assert_eq!(finds(&mut folder), 1);
    }
}
