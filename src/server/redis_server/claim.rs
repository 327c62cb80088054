//! The right to write to a data folder. Two servers that write to one append-only file destroy it, so a Redis is started only
//! where none is at work. In goes the folder, out comes what the Redis that is started holds for as long as it lives; or the
//! sentence that says who is there.
//!
//! A Redis that a store or `scripts/redis-start.sh` starts holds a lock (flock(2)) of `redis.ours`, which the system takes back when it
//! ends, however it does; on a network file system also another machine sees it. One that was started in another way has no
//! lock: it is known by its process, which works in the folder.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::POLL;
use super::folder::{Folder, PARTS};
use crate::server::processes::{self, Running};

/// How long a Redis that was killed, or its child that rewrites the append-only file, may take to be gone.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a server's process is called (proc_pid_comm(5), proc_pid_cmdline(5)).
const NAMES: [&str; 2] = ["redis-server", "valkey-server"];

/// How the name of the loader begins.
const LOADER: &[u8] = b"ld-linux";

/// The access mode in the flags of an open file (proc_pid_fdinfo(5)), which are octal: 0 is for reading only.
const ACCESS: u32 = 0o3;

/// Claims the folder for a Redis that is about to be started.
pub fn claim(folder: &Folder) -> Result<File, String> {
    let until = Instant::now() + PATIENCE;
    loop {
        let mark = folder.lock_mark().map_err(|error| folder.cannot("lock", &error))?;
        let writer = writer(folder);
        match (mark, writer) {
            (Some(mark), None) => return Ok(mark),
            _ if Instant::now() < until => std::thread::sleep(POLL),
            (_, writer) => return Err(refusal(folder, writer)),
        }
    }
}

fn refusal(folder: &Folder, writer: Option<Running>) -> String {
    let path = folder.path().display();
    let (who, end) = match writer {
        Some(Running { pid, name }) => (format!("the process {pid} ({name})"), format!("end it (kill {pid})")),
        None => (
            "a Redis of another machine, container or account, or one that does not answer any more,".into(),
            "end it".into(),
        ),
    };
    format!(
        "{who} writes to the data folder {path} already, and two must not: {end}, or name it with --redis, or name another \
         folder with --data-dir"
    )
}

/// A server that works in this folder, as far as we may see: processes of other accounts are hidden from us.
fn writer(folder: &Folder) -> Option<Running> {
    processes::find(|process| {
        folder.is_at(&process.join("cwd"))
            && (NAMES.contains(&processes::name_of(process).as_str()) || is_titled(process) || appends(process, folder))
    })
}

/// Whether it calls itself a server, as all of them do (`set-proc-title` of redis.conf); or it is a loader (ld.so(8)) that runs one.
fn is_titled(process: &Path) -> bool {
    let line = fs::read(process.join("cmdline")).unwrap_or_default();
    let mut words = line.split(|byte| b"\0 ".contains(byte)).map(|word| {
        let name = word.rsplit(|byte| *byte == b'/').next();
        name.unwrap_or_default()
    });
    let is_server = |word: &[u8]| NAMES.iter().any(|name| word == name.as_bytes());
    let first = words.next().unwrap_or_default();
    is_server(first) || (first.starts_with(LOADER) && words.any(is_server))
}

/// Whether it has a part of the append-only file open for writing.
fn appends(process: &Path, folder: &Folder) -> bool {
    let Ok(parts) = fs::read_dir(folder.path().join(PARTS)) else {
        return false;
    };
    let id = |path: &Path| fs::metadata(path).map(|about| (about.dev(), about.ino()));
    let parts: Vec<_> = parts.flatten().filter_map(|part| id(&part.path()).ok()).collect();
    let open = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    open.filter(|file| id(&file.path()).is_ok_and(|file| parts.contains(&file)))
        .any(|file| {
            let about = fs::read_to_string(process.join("fdinfo").join(file.file_name())).unwrap_or_default();
            let flags = about.lines().find_map(|line| line.strip_prefix("flags:"));
            flags
                .and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok())
                .is_some_and(|flags| flags & ACCESS != 0)
        })
}
