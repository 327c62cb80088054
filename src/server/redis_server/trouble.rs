//! What goes wrong with a data folder and with the Redis in it, in words that say what to see to. In go errors of the system
//! and lines of Redis's log, out come sentences.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use rustix::io::Errno;
use rustix::process::geteuid;

/// The most that is read of what Redis said since it was started.
const MOST_SAID: u64 = 64 << 10;

/// How many lines of it are told, and the longest.
const TOLD: usize = 2;
const LONGEST_LINE: usize = 200;

/// What a warning begins with that says nothing of why Redis ended.
const USUAL: [&str; 7] = [
    "oO0",
    "Redis version",
    "Valkey version",
    "Configuration loaded",
    "Server initialized",
    "WARNING",
    "Warning: no config",
];

/// Why the folder, or a file in it, cannot be used.
pub fn why(error: &io::Error) -> String {
    let account = geteuid().as_raw();
    match error.kind() {
        ErrorKind::PermissionDenied => format!("this account (uid {account}) may not ({error})"),
        ErrorKind::ReadOnlyFilesystem => format!("its file system is read-only ({error})"),
        ErrorKind::IsADirectory => format!("it is a folder ({error})"),
        // What open(2) says of a pipe that nobody reads, and of a socket.
        _ if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => {
            format!("it is a pipe or a socket, and no file ({error})")
        }
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => format!("it is no folder ({error})"),
        _ if is_full(error) => format!("there is no room on its disk ({error})"),
        _ => error.to_string(),
    }
}

/// Whether the error says that there is no room, for all or for us.
pub fn is_full(error: &io::Error) -> bool {
    // The last one is `ulimit -f`.
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
    )
}

/// What Redis said last of what matters, from this place of its log on: `: "…"`, or nothing.
pub fn last_words(log: &Path, from: u64) -> String {
    let mut said = Vec::new();
    let read = File::open(log).and_then(|mut file| {
        let end = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(from.max(end.saturating_sub(MOST_SAID))))?;
        file.take(MOST_SAID).read_to_end(&mut said)
    });
    match read {
        Ok(_) => told(&String::from_utf8_lossy(&said)),
        Err(_) => String::new(),
    }
}

fn told(said: &str) -> String {
    // `123:M 28 Nov 2026 12:30:17.907 # Can't handle RDB format version 80`
    let warnings = said
        .lines()
        .filter_map(|line| line.split_once(" # "))
        .map(|(_, warning)| warning);
    let warnings: Vec<&str> = warnings
        .filter(|warning| !USUAL.iter().any(|usual| warning.starts_with(usual)))
        .collect();
    let lines = match warnings.is_empty() {
        false => warnings,
        // What comes before the log begins, such as of settings that it does not know.
        true => said
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.contains(" * ") && !line.contains(" # "))
            .collect(),
    };
    let last: Vec<String> = lines
        .iter()
        .rev()
        .take(TOLD)
        .rev()
        .map(|line| line.chars().take(LONGEST_LINE).collect())
        .collect();
    match last.is_empty() {
        true => String::new(),
        false => format!(": \"{}\"", last.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_of_what_redis_said_is_told() {
        let log = "7:C 28 Nov 2026 12:30:17.900 # oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo\n\
                   7:C 28 Nov 2026 12:30:17.900 # Redis version=7.0.15, bits=64\n\
                   7:M 28 Nov 2026 12:30:17.907 # WARNING Memory overcommit must be enabled!\n\
                   7:M 28 Nov 2026 12:30:17.907 * Reading RDB base file on AOF loading...\n\
                   7:M 28 Nov 2026 12:30:17.907 # Can't handle RDB format version 80\n\
                   7:M 28 Nov 2026 12:30:17.907 # Error reading the RDB preamble of the AOF file\n";
        assert_eq!(
            told(log),
            ": \"Can't handle RDB format version 80; Error reading the RDB preamble of the AOF file\""
        );
        assert_eq!(
            told("*** FATAL CONFIG FILE ERROR ***\nBad directive\n\n"),
            ": \"*** FATAL CONFIG FILE ERROR ***; Bad directive\""
        );
        assert_eq!(
            told("7:M 28 Nov 2026 # Server initialized\n7:M 28 Nov 2026 * Ready\n"),
            ""
        );
        assert_eq!(told(""), "");
        assert!(told(&"x".repeat(100_000)).len() < 2 * LONGEST_LINE);
    }
}
