//! What data there is in a data folder, and who wrote it. In goes the folder's path, out comes what a Redis that is started in
//! it would read; or the sentence that says why it would read none, and might write over what is there.
//!
//! Since 7.0 Redis keeps its append-only file in parts, which a manifest names:
//! <https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/>.

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::time::SystemTime;

use super::folder::{DUMP, ONE_FILE, PARTS, TEMPORARY};
use super::rdb::{self, Header};
use super::trouble::why;
use crate::recording::files;

/// Which parts of the append-only file there are.
const MANIFEST: &str = "appendonly.aof.manifest";
const ANY_MANIFEST: &str = ".manifest";

/// The largest manifest that is read. It has a line of 60 bytes for each part, of which there are three at most.
const LARGEST_MANIFEST: u64 = 64 << 10;

/// What a Redis would read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing is there yet.
    None,
    /// An append-only file in parts.
    Parts,
    /// An append-only file as Redis before 7.0 writes it.
    OneFile,
    /// `dump.rdb` alone, which Redis does not look at when it is told to keep an append-only file.
    Dump,
}

/// The data in a folder.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Data {
    /// Of what kind it is.
    pub kind: Kind,
    /// What its first bytes tell, if they tell anything.
    pub header: Option<Header>,
}

/// Looks for the data in this folder.
pub fn look(folder: &Path) -> Result<Data, String> {
    let (parts, one, dump) = (folder.join(PARTS), folder.join(ONE_FILE), folder.join(DUMP));
    let manifest = manifest(&parts).map_err(|error| cannot_read(&parts, &error))?;
    let (kind, first) = match manifest {
        Some(manifest) => (Kind::Parts, base(&manifest).map(|name| parts.join(name))),
        None => {
            check_parts(&parts)?;
            match (one.exists(), dump.exists()) {
                (true, _) => (Kind::OneFile, Some(one)),
                (false, true) => (Kind::Dump, Some(dump)),
                (false, false) => (Kind::None, None),
            }
        }
    };
    let header = first.map(|first| first_bytes(&first).map_err(|error| cannot_read(&first, &error)));
    Ok(Data {
        kind,
        header: header.transpose()?.and_then(|bytes| rdb::header(&bytes)),
    })
}

/// Whether `dump.rdb` is newer than the append-only file beside it, which is what Redis reads: somebody may have put it there
/// to have it read.
pub fn has_newer_dump(folder: &Path) -> bool {
    let age = |path: &Path| fs::metadata(path).and_then(|about| about.modified()).ok();
    let parts = fs::read_dir(folder.join(PARTS)).into_iter().flatten().flatten();
    let parts = parts.filter_map(|part| age(&part.path()));
    let append_only: Option<SystemTime> = parts.chain(age(&folder.join(ONE_FILE))).max();
    matches!((age(&folder.join(DUMP)), append_only), (Some(dump), Some(append_only)) if dump > append_only)
}

/// Whether an append-only file is there, with something in it.
pub fn has_append_only(folder: &Path) -> bool {
    let one_holds = || fs::metadata(folder.join(ONE_FILE)).is_ok_and(|about| about.len() > 0);
    folder.join(PARTS).join(MANIFEST).exists() || one_holds()
}

/// Refuses parts without the manifest that Redis looks for: it would begin anew, and write over them. A Redis that is killed in
/// its very first start leaves some that hold nothing.
fn check_parts(parts: &Path) -> Result<(), String> {
    let entries = match fs::read_dir(parts) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(cannot_read(parts, &error)),
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(TEMPORARY) {
            continue;
        }
        let holds_nothing = first_bytes(&entry.path()).is_ok_and(|bytes| bytes.is_empty() || rdb::is_empty(&bytes));
        if name.ends_with(ANY_MANIFEST) || !holds_nothing {
            return Err(format!(
                "{parts} holds {name} and no {MANIFEST}: Redis would begin anew beside it. Rename the parts of the append-only \
                 file, or move {parts} elsewhere, or name another folder with --data-dir",
                parts = parts.display()
            ));
        }
    }
    Ok(())
}

/// The manifest's text; none if there is none.
fn manifest(parts: &Path) -> io::Result<Option<String>> {
    let file = match files::open_through_links(&parts.join(MANIFEST)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    file.take(LARGEST_MANIFEST).read_to_string(&mut text)?;
    Ok(Some(text))
}

/// The name of the part of all that was there when the others began, from a line such as
/// `file appendonly.aof.1.base.rdb seq 1 type b`.
fn base(manifest: &str) -> Option<&str> {
    manifest
        .lines()
        .find_map(|line| match line.split(' ').collect::<Vec<_>>()[..] {
            ["file", name, "seq", _, "type", "b"] if !name.contains('/') => Some(name),
            _ => None,
        })
}

/// The beginning of a file; nothing of one that is not there, of which Redis knows what to say.
fn first_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let file = match files::open_through_links(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(rdb::ENOUGH).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn cannot_read(path: &Path, error: &io::Error) -> String {
    format!("cannot read {} in the data folder: {}", path.display(), why(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BASE: &[u8] = b"VALKEY080\xfa\x0avalkey-ver\x059.1.2\xff";

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(PARTS)).unwrap();
        for (name, bytes) in files {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        folder
    }

    #[test]
    fn what_redis_would_read_is_found_and_who_wrote_it() {
        let manifest = b"file appendonly.aof.7.base.rdb seq 7 type b\nfile appendonly.aof.9.incr.aof seq 9 type i\n";
        let parts = [
            ("appendonlydir/appendonly.aof.manifest", &manifest[..]),
            ("appendonlydir/appendonly.aof.7.base.rdb", BASE),
            ("dump.rdb", b"REDIS0009"),
        ];
        let one = [("appendonly.aof", &b"*2\r\n"[..]), ("dump.rdb", b"REDIS0009")];
        for (files, kind, format) in [
            (&parts[..], Kind::Parts, Some(80)),
            (&parts[..1], Kind::Parts, None),
            (&one[..], Kind::OneFile, None),
            (&one[1..], Kind::Dump, Some(9)),
            (&[("appendonlydir/appendonly.aof.1.base.rdb", BASE)], Kind::None, None),
            (&[], Kind::None, None),
        ] {
            let folder = folder(files);
            let data = look(folder.path()).unwrap();
            assert_eq!(
                (data.kind, data.header.map(|header| header.format.number)),
                (kind, format)
            );
        }
    }

    #[test]
    fn parts_that_redis_would_not_see_are_named_however_small_they_are() {
        for (name, bytes) in [
            ("other.aof.manifest", &b"file other.aof.1.base.rdb seq 1 type b\n"[..]),
            ("appendonly.aof.1.incr.aof", b"*2\r\n"),
            ("appendonly.aof.1.base.rdb", &[b'x'; 1000]),
            (
                "appendonly.aof.1.base.rdb",
                b"REDIS0010\xfa\x08aof-base\xc0\x01\xfe\x00\xfb\x01\x00\x00\x01a\x01b\xff",
            ),
        ] {
            let folder = folder(&[(&format!("appendonlydir/{name}"), bytes)]);
            let sentence = look(folder.path()).unwrap_err();
            assert!(sentence.contains(name) && sentence.contains("--data-dir"), "{sentence}");
        }
    }

    proptest! {
        #[test]
        fn any_manifest_names_a_file_of_its_own_folder_or_none(text in "(file |seq |type |b|\n|\\.\\./|a| ){0,20}") {
            prop_assert!(base(&text).is_none_or(|name| !name.contains('/')));
        }
    }
}
