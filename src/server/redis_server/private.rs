//! A data folder is for the account alone that runs the store. In goes a folder, and what others may do with it and with what is
//! in it is taken away, or the sentence comes out that says why it is not.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use log::{info, warn};

use super::folder::{DUMP, Folder, KNOWN, ONE_FILE, PARTS, RECORD, TEMPORARY};
use crate::words::shell::quote;

/// Rights of everybody but the owner.
const OTHERS: u32 = 0o077;

/// What Redis keeps data in, and what a store notes of its Redis. Where one of them is, the folder has been used before.
const USED: [&str; 4] = [PARTS, ONE_FILE, DUMP, RECORD];

/// What a folder for the data may be called.
const OWN: &str = "ptg-data";

/// The right of anybody to write.
const WRITE: u32 = 0o222;

impl Folder {
    /// Takes away what rights other accounts of this machine have: whoever gets in has all the data, and, through the socket,
    /// Redis. A folder that is somebody else's, or that holds other things as well, is refused instead; so is one that holds
    /// nothing but other things, whoever may enter it.
    pub fn make_private(&self) -> Result<(), String> {
        let cannot = |error| self.cannot("look at", &error);
        let about = self.handle.metadata().map_err(cannot)?;
        let names = self.names().map_err(cannot)?;
        let path = self.path();
        let other = names.iter().find(|name| !is_known(name));
        if let Some(other) = other.filter(|_| !names.iter().any(|name| USED.contains(&name.as_str()))) {
            return Err(format!(
                "the data folder {path} holds other things than a store's data ({other}), and Redis would put its own among \
                 them: give it a folder of its own, as with --data-dir {own}",
                path = path.display(),
                own = quote(&path.join(OWN).to_string_lossy()),
            ));
        }
        if about.mode() & OTHERS != 0 {
            let elsewhere = "name a folder of its own with --data-dir";
            let close = || format!("{elsewhere}, or run chmod 700 {}", quote(&path.to_string_lossy()));
            let refused = match other {
                // Closing it is up to its owner, and then it is closed to us.
                _ if !self.is_ours() => Some((
                    format!("belongs to another account (uid {})", about.uid()),
                    elsewhere.into(),
                )),
                _ if path.parent().is_none() => Some(("is the root folder".into(), elsewhere.into())),
                Some(name) => Some((format!("holds more than a store's data ({name})"), close())),
                None => None,
            };
            if let Some((cause, mend)) = refused {
                return Err(format!(
                    "other accounts can enter the data folder {path} (mode {mode:03o}), and it {cause}: {mend}",
                    path = path.display(),
                    mode = about.mode() & 0o777,
                ));
            }
            let private = self.handle.set_permissions(Permissions::from_mode(0o700));
            private.map_err(|error| self.cannot("close", &error))?;
            info!("the data folder {} is private now (mode 700)", self.path().display());
        }
        for name in names.iter().filter(|name| is_known(name)) {
            self.drop_strangers_record(name)?;
            hide(&self.path().join(name));
        }
        Ok(())
    }

    /// What names a program to run is not to be what others could have written.
    fn drop_strangers_record(&self, name: &str) -> Result<(), String> {
        let about = self.path().join(name).symlink_metadata();
        match about {
            Ok(about) if name == RECORD && about.mode() & OTHERS & WRITE != 0 => {
                self.remove(name).map_err(|error| self.cannot("close", &error))
            }
            _ => Ok(()),
        }
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(self.path())?;
        entries
            .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
            .collect()
    }
}

fn is_known(name: &str) -> bool {
    KNOWN.contains(&name) || name.starts_with(TEMPORARY)
}

/// Takes others' rights from a file, or from a folder and what is in it.
fn hide(path: &Path) {
    let Ok(about) = path.symlink_metadata() else { return };
    if about.is_symlink() {
        return;
    }
    let mode = about.mode() & 0o7777;
    if mode & OTHERS != 0
        && let Err(error) = fs::set_permissions(path, Permissions::from_mode(mode & !OTHERS))
    {
        // The folder around it is closed all the same.
        warn!("cannot make {} private: {error}", path.display());
    }
    if about.is_dir() {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries.for_each(|entry| hide(&entry.path()));
    }
}
