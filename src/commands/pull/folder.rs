//! Entries as files of a folder. Nobody ever sees a part of one, and nothing is written over.

use std::fs::Permissions;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use ptg_store::recording::files;
use rustix::fs::{FlockOperation, flock};
use serde::de::IgnoredAny;
use tempfile::NamedTempFile;

use crate::client::{Entry, Failure};

/// What a file's name begins with while it is written. `ptg-store push --watch` leaves such files out.
const UNFINISHED: &str = ".ptg-store-";

/// How many random letters and digits follow.
const RANDOM: usize = 6;

/// Rights of the files, less what the umask takes away.
const MODE: u32 = 0o666;

/// Where entries are written to.
pub struct Folder {
    path: PathBuf,
    suffix: Option<String>,
}

impl Folder {
    /// This folder, which is made if it is not there. Names end with the suffix, or with what the content suggests.
    pub fn new(path: &Path, suffix: Option<String>) -> Result<Folder, Failure> {
        if suffix.as_ref().is_some_and(|suffix| suffix.contains(['/', '\0'])) {
            return Err(Failure::Usage(
                "--suffix is a part of a file's name, so it has no /".into(),
            ));
        }
        std::fs::create_dir_all(path)
            .map_err(|error| Failure::Here(format!("cannot make the folder {}: {error}", path.display())))?;
        remove_unfinished(path);
        Ok(Folder {
            path: path.to_owned(),
            suffix,
        })
    }

    /// Writes an entry into `<ms>-<seq><suffix>`. A file that is there already is left, and must be the same.
    pub fn write(&self, entry: &Entry) -> Result<(), Failure> {
        let suffix = self.suffix.as_deref().unwrap_or_else(|| suffix_of(&entry.bytes));
        let path = self.path.join(format!("{}{suffix}", entry.id));
        let failed = |error: std::io::Error| Failure::Here(format!("cannot write {}: {error}", path.display()));
        let mut file = new_file(&self.path).map_err(failed)?;
        file.write_all(&entry.bytes).map_err(failed)?;
        match file.persist_noclobber(&path) {
            Ok(_) => Ok(()),
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {
                let left = |what: &str| {
                    let path = path.display();
                    Failure::Here(format!("{path} is there already, and {what}; it is left as it is"))
                };
                match has_bytes(&path, &entry.bytes) {
                    Ok(true) => Ok(()),
                    Ok(false) => Err(left("has other bytes")),
                    Err(error) => Err(left(&error.to_string())),
                }
            }
            Err(error) => Err(failed(error.error)),
        }
    }
}

/// Whether a regular file has these bytes, and no more. Anything else that has its name is an error.
fn has_bytes(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let mut there = Vec::new();
    files::open(path)?
        .take(bytes.len() as u64 + 1)
        .read_to_end(&mut there)?;
    Ok(there == bytes)
}

/// A file to write an entry into, locked as long as it is written.
fn new_file(folder: &Path) -> io::Result<NamedTempFile> {
    loop {
        let file = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .rand_bytes(RANDOM)
            .permissions(Permissions::from_mode(MODE))
            .tempfile_in(folder)?;
        // Where a file system has no locks, nobody can have one, and nothing is removed.
        let _ = flock(&file, FlockOperation::LockExclusive);
        // Before it was locked, it looked like one that a killed pull left, and another may have removed it.
        if file.as_file().metadata()?.nlink() > 0 {
            return Ok(file);
        }
    }
}

/// Removes the files that a killed pull left half written: those with our names that nobody has locked. What cannot be removed
/// is left, and harms nobody.
fn remove_unfinished(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_ours = |name: &str| name.len() == RANDOM && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let name = entry.file_name();
        let random = name.to_str().and_then(|name| name.strip_prefix(UNFINISHED));
        if !random.is_some_and(is_ours) || !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        let Ok(file) = files::append(&entry.path()) else {
            continue;
        };
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// What a name should end with, judged by the first bytes.
fn suffix_of(bytes: &[u8]) -> &'static str {
    match bytes {
        [0xff, 0xd8, 0xff, ..] => ".jpg",
        [0x89, b'P', b'N', b'G', ..] => ".png",
        [b'G', b'I', b'F', b'8', ..] => ".gif",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => ".wav",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => ".webp",
        _ if serde_json::from_slice::<IgnoredAny>(bytes).is_ok() => ".json",
        _ if std::str::from_utf8(bytes).is_ok() => ".txt",
        _ => ".bin",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ptg_store::words::ids::EntryId;
    use std::fs::{read_dir, write};

    #[test]
    fn what_a_killed_pull_left_is_removed_and_nothing_else() {
        let path = tempfile::tempdir().unwrap();
        let others = [
            ".ptg-store-12345",
            ".ptg-store-1234567",
            ".ptg-store-a.jpeg",
            "ptg-store-abcdef",
            "1-0.txt",
        ];
        for name in others.iter().chain(&[".ptg-store-abcdef", ".ptg-store-123456"]) {
            write(path.path().join(name), "half").unwrap();
        }
        std::fs::create_dir(path.path().join(".ptg-store-folder")).unwrap();
        // Another pull into this folder is writing just now.
        let written = new_file(path.path()).unwrap();
        let folder = Folder::new(path.path(), None).unwrap();
        assert!(written.path().exists());
        drop(written);
        let id = EntryId { ms: 2, seq: 0 };
        folder
            .write(&Entry {
                id,
                bytes: "entry".into(),
            })
            .unwrap();
        let names = read_dir(path.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        let mut left = [&others[..], &[".ptg-store-folder", "2-0.txt"]].concat();
        left.sort();
        assert_eq!(names, left);
    }

    #[test]
    fn names_tell_what_is_inside() {
        for (bytes, suffix) in [
            (&b"\xff\xd8\xff\xe0"[..], ".jpg"),
            (b"\x89PNG\r\n", ".png"),
            (b"GIF89a", ".gif"),
            (b"RIFF\x24\0\0\0WAVEfmt ", ".wav"),
            (b"RIFF\x24\0\0\0WEBPVP8 ", ".webp"),
            (b"{\"t\":1}", ".json"),
            (b"21.5", ".json"),
            (b"hello", ".txt"),
            (b"", ".txt"),
            (b"\0\xff", ".bin"),
        ] {
            assert_eq!(suffix_of(bytes), suffix, "{bytes:?}");
        }
    }
}
