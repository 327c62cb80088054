//! Entries as files of a folder. Nobody ever sees a part of one, and nothing is written over.

use std::fs::Permissions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::de::IgnoredAny;

use crate::client::{Entry, Failure};

/// What a file's name begins with while it is written. `ptg-store push --watch` leaves such files out.
const UNFINISHED: &str = ".ptg-store-";

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
        let mut file = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .permissions(Permissions::from_mode(MODE))
            .tempfile_in(&self.path)
            .map_err(failed)?;
        file.write_all(&entry.bytes).map_err(failed)?;
        match file.persist_noclobber(&path) {
            Ok(_) => Ok(()),
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {
                match std::fs::read(&path).map_err(failed)? == entry.bytes {
                    true => Ok(()),
                    false => Err(Failure::Here(format!(
                        "{} is there already and has other bytes; it is left as it is",
                        path.display()
                    ))),
                }
            }
            Err(error) => Err(failed(error.error)),
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
