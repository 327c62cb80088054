//! Standard error of a store: its log and its sentences.
//!
//! A thread of its own writes them, so that nobody else ever waits for whoever reads them: a terminal that is stopped with
//! Ctrl-S, a pipe that nobody empties, a disk that is full. What could not be written is counted, and told when writing works again.

use std::io::{self, Write};
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use log::{LevelFilter, error, warn};
use ptg_store::words::{log_line, visible};

/// Lines that may wait to be written; the next ones are lost. About a mebibyte of them.
const QUEUE: usize = 4096;

/// How long the end waits for what was still to be written.
const END_PATIENCE: Duration = Duration::from_secs(1);

/// The way to standard error. Clones are one and the same.
#[derive(Clone)]
pub struct Lines {
    queue: Sender<Item>,
    lost: Arc<AtomicU64>,
}

enum Item {
    Line(Vec<u8>),
    /// Everything before it was written, or could not be.
    Mark(Sender<()>),
}

/// The variable that says what is logged, what it may say, and what it says where it is not there.
const VARIABLE: &str = "RUST_LOG";
const FORM: &str =
    "off, error, warn, info, debug or trace, or such a level for a module, as in info,ptg_store::store=debug";
const DEFAULT: &str = "info";

/// What the names of the store's modules begin with.
const MODULES: &str = "ptg_store";

/// Begins to log as `RUST_LOG` says, `info` without it; panics are logged, too.
pub fn start() -> io::Result<Lines> {
    let (queue, items) = bounded(QUEUE);
    let lines = Lines {
        queue,
        lost: Arc::default(),
    };
    let lost = lines.lost.clone();
    let writer = std::thread::Builder::new().name("log".into());
    writer.spawn(move || write(&items, &lost, io::stderr()))?;
    let given = std::env::var_os(VARIABLE).unwrap_or_default();
    let given = given.to_string_lossy();
    let is_meant = given.is_empty() || is_filter(&given);
    let filter = if is_meant && !given.is_empty() { &given } else { DEFAULT };
    env_logger::Builder::new()
        .parse_filters(filter)
        .format(log_line::write)
        .target(env_logger::Target::Pipe(Box::new(lines.clone())))
        .init();
    if !is_meant {
        let given = visible::line(&given);
        warn!("the environment's {VARIABLE} is '{given}', and must be {FORM}; it is taken as {DEFAULT}");
    }
    let last = lines.clone();
    panic::set_hook(Box::new(move |info| {
        let name = std::thread::current().name().unwrap_or("-").to_owned();
        error!("thread {name} {info}\n{}", std::backtrace::Backtrace::capture());
        // It may be the thread with which the program ends.
        last.finish();
    }));
    Ok(lines)
}

/// Whether this says something of the store's log: a level, or one for its modules. Any other word would be taken for a module of
/// that name, and for the wish to see nothing else. See <https://docs.rs/env_logger/latest/env_logger/#enabling-logging>.
fn is_filter(text: &str) -> bool {
    let (levels, pattern) = text.split_once('/').unwrap_or((text, ""));
    let is_level = |word: &str| word.parse::<LevelFilter>().is_ok();
    let is_ours = |word: &str| {
        let rest = word.strip_prefix(MODULES);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    let words = || levels.split(',').map(str::trim).filter(|word| !word.is_empty());
    let is_sound = |word: &str| match word.split_once('=') {
        Some((_, level)) => level.trim().is_empty() || is_level(level.trim()),
        None => is_level(word) || is_ours(word),
    };
    let is_about_us = |word: &str| is_level(word) || is_ours(word.split('=').next().unwrap_or_default());
    !pattern.contains('/') && words().all(is_sound) && words().any(is_about_us)
}

impl Lines {
    /// Says a sentence to the user.
    pub fn say(&self, sentence: &str) {
        self.put(format!("{sentence}\n").into_bytes());
    }

    /// Waits until what was said is written, but not for ever.
    pub fn finish(&self) {
        let (written, done) = bounded(1);
        let marked = self.queue.send_timeout(Item::Mark(written), END_PATIENCE);
        let _ = marked.map(|()| done.recv_timeout(END_PATIENCE));
    }

    fn put(&self, line: Vec<u8>) {
        if self.queue.try_send(Item::Line(line)).is_err() {
            self.lost.fetch_add(1, Relaxed);
        }
    }
}

/// `env_logger` writes a line at a time.
impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.put(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write(items: &Receiver<Item>, lost: &AtomicU64, mut out: impl Write) {
    for item in items {
        let line = match item {
            Item::Line(line) => line,
            Item::Mark(written) => {
                let _ = written.send(());
                continue;
            }
        };
        let missing = lost.load(Relaxed);
        if missing > 0 && writeln!(out, "ptg-store: {missing} lines are missing here").is_ok() {
            lost.fetch_sub(missing, Relaxed);
        }
        if out.write_all(&line).is_err() {
            lost.fetch_add(1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::thread;

    /// Refuses what it is given until it is mended.
    #[derive(Clone, Default)]
    struct Disk(Arc<Mutex<(bool, Vec<u8>)>>);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut disk = self.0.lock().unwrap();
            if !disk.0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            disk.1.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines_to(disk: &Disk) -> (Lines, thread::JoinHandle<()>) {
        let (queue, items) = bounded(QUEUE);
        let lines = Lines {
            queue,
            lost: Arc::default(),
        };
        let (lost, disk) = (lines.lost.clone(), disk.clone());
        let writer = thread::spawn(move || write(&items, &lost, disk));
        (lines, writer)
    }

    #[test]
    fn a_word_that_is_no_level_is_not_what_the_log_is_filtered_by() {
        for filter in [
            "off",
            "WARN",
            " info , redis=debug",
            "ptg_store=trace",
            "ptg_store::http",
            "ptg_store::store=",
            "error,ptg_store::http=info",
            "info/a word",
        ] {
            assert!(is_filter(filter), "{filter}");
        }
        for nonsense in [
            "xyz",
            "xyz=debug",
            "nonsense=x=y",
            "info,xyz",
            "info,xyz=loud",
            "ptg_store=loud",
            "ptg_storehouse=info",
            "ptg-store",
            ",",
            "/",
            "info/a/b",
            "3",
        ] {
            assert!(!is_filter(nonsense), "{nonsense}");
        }
    }

    #[test]
    fn lines_that_a_full_disk_refused_are_counted_and_told_when_there_is_room() {
        let disk = Disk::default();
        let (lines, writer) = lines_to(&disk);
        lines.say("one");
        lines.say("two");
        lines.finish();
        disk.0.lock().unwrap().0 = true;
        lines.say("three");
        lines.say("four");
        drop(lines);
        writer.join().unwrap();
        let written = String::from_utf8(disk.0.lock().unwrap().1.clone()).unwrap();
        assert_eq!(written, "ptg-store: 2 lines are missing here\nthree\nfour\n");
    }

    #[test]
    fn a_reader_who_stops_reading_holds_nobody_up_and_learns_how_many_lines_he_missed() {
        let disk = Disk::default();
        disk.0.lock().unwrap().0 = true;
        let held = disk.0.lock().unwrap();
        let (lines, writer) = lines_to(&disk);
        (0..2 * QUEUE).for_each(|number| lines.say(&number.to_string()));
        lines.finish();
        drop(held);
        // Only a line that comes later can tell.
        lines.finish();
        lines.say("last");
        drop(lines);
        writer.join().unwrap();
        let written = String::from_utf8(disk.0.lock().unwrap().1.clone()).unwrap();
        // It is told twice if the first time had begun before all were lost.
        let missing = |line: &str| {
            line.strip_prefix("ptg-store: ")?
                .split(' ')
                .next()?
                .parse::<usize>()
                .ok()
        };
        let told: Vec<usize> = written.lines().filter_map(missing).collect();
        assert!(!told.is_empty());
        let lines = written.lines().count() - told.len();
        assert_eq!(lines + told.iter().sum::<usize>(), 2 * QUEUE + 1);
        assert!(written.ends_with("last\n"));
    }
}
