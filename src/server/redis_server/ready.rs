//! What has to be so before a Redis is started in a data folder: files can be written there, what is there can be read by the
//! server that is started, and no other one is at work. In goes the folder, out comes what the start needs, or the sentence that
//! says what is in its way.

use std::fs::File;

use super::claim::claim;
use super::data::{self, Data, Kind};
use super::folder::{DUMP, Folder};
use super::program::{self, Program};
use super::trouble::is_full;

/// What a start needs.
pub struct Ready {
    /// The server to start.
    pub program: Program,
    /// What it will read.
    pub data: Data,
    /// What it is to have as its standard input: see `claim`.
    pub mark: File,
    /// Whether there is no room on the disk, so that it may read at most.
    pub is_full: bool,
    /// What the user should know, a sentence each.
    pub notes: Vec<String>,
}

/// Looks whether a Redis can be started here. Who calls has the turn.
pub fn make_ready(folder: &Folder) -> Result<Ready, String> {
    let mut notes = Vec::new();
    let path = folder.path().display();
    let is_full = match folder.try_writing() {
        Ok(()) => false,
        // What is there can be read all the same, and others may make room.
        Err(error) if is_full(&error) => {
            notes.push(format!(
                "there is no room on the disk of the data folder {path} ({error}): nothing can be stored"
            ));
            true
        }
        Err(error) => return Err(folder.cannot("write to", &error)),
    };
    // While somebody else writes, what is there is not to be judged.
    let mark = claim(folder)?;
    let data = data::look(folder.path())?;
    let (program, note) = program::choose(folder, &data)?;
    notes.extend(note);
    match data.kind {
        Kind::Dump => notes.push(format!("the data in {path} is a {DUMP} alone: it is read, and kept in an append-only file from now on")),
        Kind::Parts | Kind::OneFile if data::has_newer_dump(folder.path()) => notes.push(format!(
            "{path}/{DUMP} is not read, though it is the newest file there: Redis reads the append-only file beside it. To have \
             it read, end all stores that use the folder and move appendonlydir elsewhere"
        )),
        _ => {}
    }
    Ok(Ready {
        program,
        data,
        mark,
        is_full,
        notes,
    })
}
