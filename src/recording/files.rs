//! Opening files whose names others may have chosen, or have put there before us: in a folder that others write to, a name
//! may be a link to a file of ours, or a pipe at which opening waits for ever. In goes a path, out comes an open file that is
//! certainly a regular one, or an error that says what is there instead.
//!
//! What was looked at is the open file itself, so nothing can be put in its place in between. Only the last name of a path is
//! looked at: the folders before it are those that the user named, and may be links.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::geteuid;

/// The right of everybody to put files into a folder.
const EVERYBODY_WRITES: u32 = 0o002;

/// What a pipe, a socket or a device is told to be.
const NO_FILE: &str = "it is not a regular file";

/// Why a file was not taken.
#[derive(Debug)]
struct Refused(&'static str);

/// Opens a regular file to read it. A link is not followed.
pub fn open(path: &Path) -> io::Result<File> {
    regular(path, OpenOptions::new().read(true), OFlags::NOFOLLOW)
}

/// The same, but a link is followed: of a file that the user may well keep elsewhere.
pub fn open_through_links(path: &Path) -> io::Result<File> {
    regular(path, OpenOptions::new().read(true), OFlags::empty())
}

/// Opens a regular file to read it and to write at its end. A link is not followed.
pub fn append(path: &Path) -> io::Result<File> {
    ours(path, OpenOptions::new().read(true).append(true))
}

/// The same; one that is not there is made.
pub fn append_or_create(path: &Path) -> io::Result<File> {
    ours(path, OpenOptions::new().read(true).append(true).create(true))
}

/// Makes a file, to read it and to write at its end. Whatever is there already, also a link to nowhere, is an error (open(2),
/// `O_EXCL`).
pub fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create_new(true).open(path)
}

/// Whether the error says that something else is there than a regular file.
pub fn is_refusal(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Refused>())
}

fn regular(path: &Path, how: &mut OpenOptions, more: OFlags) -> io::Result<File> {
    // Opening a pipe does not wait for its other side then, and opening a terminal does not make it ours. Reading and
    // writing a regular file is the same as ever.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY | more;
    let file = how.custom_flags(flags.bits().cast_signed()).open(path);
    let file = file.map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::LOOP) if more.contains(OFlags::NOFOLLOW) => refused("it is a symbolic link"),
        // Nobody is at the other side of a pipe, or it is a socket.
        Some(Errno::NXIO) => refused(NO_FILE),
        Some(Errno::ISDIR) => refused("it is a folder"),
        _ => error,
    })?;
    match file.metadata()? {
        about if about.is_file() => Ok(file),
        about if about.is_dir() => Err(refused("it is a folder")),
        _ => Err(refused(NO_FILE)),
    }
}

/// A file that is to be written. Where everybody may put files, one that is somebody else's was put there for us to write to, and
/// one that has a second name may be another file of ours.
fn ours(path: &Path, how: &mut OpenOptions) -> io::Result<File> {
    let file = regular(path, how, OFlags::NOFOLLOW)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = fs::metadata(folder.unwrap_or(Path::new(".")))?;
    match is_planted(&file.metadata()?, &folder, geteuid().as_raw()) {
        true => Err(refused(
            "it is somebody else's or has a second name, in a folder that everybody may write to",
        )),
        false => Ok(file),
    }
}

fn is_planted(file: &Metadata, folder: &Metadata, user: u32) -> bool {
    folder.mode() & EVERYBODY_WRITES != 0 && (file.uid() != user || file.nlink() > 1)
}

fn refused(why: &'static str) -> io::Error {
    io::Error::other(Refused(why))
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use std::fs::Permissions;
    use std::io::{Read, Write};
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;

    type Opening = fn(&Path) -> io::Result<File>;

    const OPENINGS: [Opening; 4] = [open, append, append_or_create, create];

    #[track_caller]
    fn refuses(opening: Opening, path: &Path) -> String {
        let error = opening(path).map(drop).unwrap_err();
        assert!(
            is_refusal(&error) || error.kind() == io::ErrorKind::AlreadyExists,
            "{error:?}"
        );
        error.to_string()
    }

    #[test]
    fn only_a_regular_file_is_opened_and_nothing_waits() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("file"), "mine").unwrap();
        symlink(path("file"), path("link")).unwrap();
        symlink(path("nowhere"), path("dangling")).unwrap();
        mknodat(CWD, path("pipe"), FileType::Fifo, Mode::RWXU, 0).unwrap();
        fs::create_dir(path("folder")).unwrap();
        let _socket = UnixListener::bind(path("socket")).unwrap();
        for opening in OPENINGS {
            for name in ["link", "dangling", "pipe", "folder", "socket"] {
                refuses(opening, &path(name));
            }
        }
        assert_eq!(refuses(open, &path("link")), "it is a symbolic link");
        assert_eq!(refuses(append, &path("pipe")), "it is not a regular file");
        assert_eq!(refuses(open, &path("folder")), "it is a folder");
        assert!(!path("nowhere").exists());
        refuses(create, &path("file"));
        append(&path("file")).unwrap().write_all(b" too").unwrap();
        let mut text = String::new();
        open_through_links(&path("link"))
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "mine too");
        refuses(open_through_links, &path("pipe"));
        for opening in [open, append] {
            assert_eq!(opening(&path("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
        }
        append_or_create(&path("none")).unwrap();
        create(&path("new")).unwrap();
    }

    #[test]
    fn where_everybody_writes_a_file_of_somebody_else_is_not_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "").unwrap();
        let us = geteuid().as_raw();
        let of = |mode, user| {
            fs::set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
            is_planted(
                &fs::metadata(&path).unwrap(),
                &fs::metadata(folder.path()).unwrap(),
                user,
            )
        };
        assert!(of(0o1777, us + 1) && of(0o777, us + 1));
        assert!(!of(0o1777, us) && !of(0o775, us + 1) && !of(0o755, us + 1));
        append(&path).unwrap();
        fs::hard_link(&path, folder.path().join("second")).unwrap();
        assert!(of(0o1777, us) && !of(0o755, us));
    }
}
