//! Which redis-server is started: the one that wrote the data folder, as long as it is there, else one that can read it.
//! In: the folder, and what data is in it. Out: a program, or the sentence that says what there is and what would be needed.
//!
//! Who wrote a folder last is kept there, in `redis.server`: its product and version, and its path. Where that is not to be
//! had, the data itself tells (`data`).

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use log::warn;
use rustix::process::geteuid;

use super::POLL;
use super::data::{Data, Kind};
use super::folder::{Folder, RECORD};
use super::trouble::why;
use super::version::Version;
use crate::recording::files;

/// Programs that can serve, best known first.
const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];

/// What to say where there is none.
const NONE_INSTALLED: &str = "no Redis listens where one is looked for, and neither redis-server nor valkey-server is installed.\n\
     Install one (apt-get install redis-server), name a Redis with --redis, or use scripts/run.sh, which sees to it.";

/// How long a program may take to tell its version. It takes milliseconds, unless the disk is busy.
const VERSION_PATIENCE: Duration = Duration::from_secs(5);

/// The largest record that is read: a version and a path.
const LARGEST_RECORD: u64 = 8 << 10;

/// The right of everybody to write into a file, and to run it.
const EVERYBODY_WRITES: u32 = 0o002;
const RUNS: u32 = 0o111;

/// A server's program.
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    /// Where it is.
    pub path: PathBuf,
    /// What it says that it is; none if that is unknown to us.
    pub version: Option<Version>,
}

/// The program to start in this folder; and what to say if it is another one than wrote the data.
pub fn choose(folder: &Folder, data: &Data) -> Result<(Program, Option<String>), String> {
    let (kept, last) = read_record(folder).unzip();
    let writer = kept.or(data.header.and_then(|header| header.writer));
    let mut paths: Vec<PathBuf> = last.iter().filter(|path| is_trusted(path, folder)).cloned().collect();
    for path in on_path() {
        // Folders of the search path may be links to others.
        if !paths
            .iter()
            .any(|known| known.canonicalize().ok() == path.canonicalize().ok())
        {
            paths.push(path);
        }
    }
    let mut found: Vec<Program> = paths.into_iter().map(ask).collect();
    // The sort is stable: the last one comes first, unless another version is in its place now, and within each group the order
    // of the search path holds.
    found.sort_by_key(|program| {
        let is_last = last.as_ref() == Some(&program.path);
        let is_same = kept.is_some() && program.version == kept;
        let is_kin = matches!((program.version, writer), (Some(here), Some(writer)) if here.product == writer.product);
        (!is_same, !is_last, !is_kin)
    });
    let Some(first) = found.first().cloned() else {
        return Err(NONE_INSTALLED.into());
    };
    let fitting = found.into_iter().find(|program| obstacle(program, data).is_none());
    let Some(program) = fitting else {
        return Err(refusal(folder, data, writer, last.as_deref(), &first));
    };
    let note = change(&program, writer, data).map(|writer| {
        format!(
            "the data in {} was written by {writer}; {} is used now",
            folder.path().display(),
            shown(&program)
        )
    });
    Ok((program, note))
}

/// Keeps who writes this folder now. Without it the folder is as good, only the choice is harder.
pub fn remember(folder: &Folder, program: &Program) {
    let kept = match (program.version, program.path.to_str()) {
        (Some(version), Some(path)) if !path.contains('\n') => folder.replace(RECORD, &format!("{version}\n{path}\n")),
        // What is there is of another one.
        _ => folder.remove(RECORD),
    };
    if let Err(error) = kept {
        warn!(
            "cannot keep in {} which server wrote it: {}",
            folder.path().display(),
            why(&error)
        );
    }
}

/// What was kept: who, and where it was.
fn read_record(folder: &Folder) -> Option<(Version, PathBuf)> {
    let file = files::open(&folder.path().join(RECORD)).ok()?;
    // It names a program that is to be run, so it must be ours.
    if file.metadata().ok()?.uid() != geteuid().as_raw() {
        return None;
    }
    let mut text = String::new();
    file.take(LARGEST_RECORD).read_to_string(&mut text).ok()?;
    let mut lines = text.lines();
    Some((Version::parse(lines.next()?)?, PathBuf::from(lines.next()?)))
}

/// Whether a program that a file named may be run: one of those that we know, which nobody but root and we could have put there.
fn is_trusted(path: &Path, folder: &Folder) -> bool {
    let is_known = path
        .file_name()
        .is_some_and(|name| PROGRAMS.iter().any(|known| name == *known));
    let Ok(real) = path.canonicalize() else { return false };
    let is_safe =
        |about: fs::Metadata| [0, geteuid().as_raw()].contains(&about.uid()) && about.mode() & EVERYBODY_WRITES == 0;
    is_known
        && path.is_absolute()
        && is_program(&real)
        && !real.starts_with(folder.path())
        && real.metadata().is_ok_and(is_safe)
}

/// Those that the shell would find.
fn on_path() -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    PROGRAMS
        .iter()
        .flat_map(move |program| folders.clone().into_iter().map(move |folder| folder.join(program)))
        .filter(|candidate| is_program(candidate))
}

fn is_program(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|about| about.is_file() && about.permissions().mode() & RUNS != 0)
}

/// A program, with what it says that it is.
fn ask(path: PathBuf) -> Program {
    let version = ask_version(&path).ok().flatten();
    Program { path, version }
}

fn ask_version(path: &Path) -> io::Result<Option<Version>> {
    let mut command = Command::new(path);
    command
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn()?;
    let until = Instant::now() + VERSION_PATIENCE;
    // What it prints fits into the pipe.
    while child.try_wait()?.is_none() {
        if Instant::now() > until {
            child.kill()?;
            child.wait()?;
        }
        std::thread::sleep(POLL / 10);
    }
    let mut said = String::new();
    child
        .stdout
        .take()
        .map(|output| output.take(LARGEST_RECORD).read_to_string(&mut said))
        .transpose()?;
    Ok(Version::parse(&said))
}

/// Why a program certainly cannot read the data.
fn obstacle(program: &Program, data: &Data) -> Option<String> {
    let version = program.version?;
    if data.kind == Kind::Parts && !version.reads_parts() {
        return Some("an append-only file in parts, which servers before 7.0 do not see".into());
    }
    let format = data.header?.format;
    (version.reads(format) == Some(false)).then(|| format.to_string())
}

/// Who wrote the data, if that was another one.
fn change(program: &Program, writer: Option<Version>, data: &Data) -> Option<Version> {
    writer.filter(|writer| data.kind != Kind::None && program.version.is_some_and(|here| here != *writer))
}

fn refusal(folder: &Folder, data: &Data, writer: Option<Version>, last: Option<&Path>, first: &Program) -> String {
    let elsewhere = last.filter(|path| *path != first.path);
    let was_at = elsewhere.map_or(String::new(), |path| {
        format!(" ({}, which cannot be used)", path.display())
    });
    let needed = writer.map_or("a server that reads it".into(), |writer| format!("{writer} or later"));
    format!(
        "the data in {} was written by {}{was_at}; {} cannot read it ({}). Install {needed}, or have it found first \
         (PATH=ITS_FOLDER:$PATH), or name another folder with --data-dir",
        folder.path().display(),
        writer.map_or("another server".into(), |version| version.to_string()),
        shown(first),
        obstacle(first, data).unwrap_or_default(),
    )
}

/// A program as a sentence begins with it: `/usr/bin/redis-server, Redis 7.0.15,`.
fn shown(program: &Program) -> String {
    match program.version {
        Some(version) => format!("{}, which is {version},", program.path.display()),
        None => program.path.display().to_string(),
    }
}
