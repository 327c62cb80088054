//! What a process holds of the machine: threads, descriptors, memory. A hostile client must leave nothing of it behind.

use std::time::Duration;

use super::{Program, holds_within};

/// How long what clients left behind may take to go: longer than every deadline of the stores that are measured.
const CLEANING_UP: Duration = Duration::from_secs(60);

/// Threads and connections to Redis that a store makes once and keeps, or that serve the test's own questions.
const KEPT: usize = 16;

#[derive(Debug, Clone, Copy)]
pub struct Footprint {
    pub threads: usize,
    pub descriptors: usize,
    /// Bytes.
    pub memory: usize,
}

impl Footprint {
    /// As it is now. Serve a few requests before, so that what is made once is there.
    pub fn of(store: &Program) -> Self {
        let pid = store.pid();
        Self {
            threads: threads(pid),
            descriptors: descriptors(pid),
            memory: resident(pid),
        }
    }

    /// Waits until the store is back to this; memory may be more by `slack` bytes. Then it must serve as ever.
    #[track_caller]
    pub fn is_back(&self, store: &Program, slack: usize) -> Self {
        let mut now = Self::of(store);
        let back = holds_within(CLEANING_UP, || {
            now = Self::of(store);
            now.threads <= self.threads + KEPT
                && now.descriptors <= self.descriptors + KEPT
                && now.memory <= self.memory + slack
        });
        assert!(back, "{self:?} became {now:?}");
        assert!(!store.log().contains("panicked"), "{}", store.log());
        store.assert_serves();
        now
    }
}

/// Threads of the process with this id.
pub fn threads(pid: u32) -> usize {
    count(&format!("/proc/{pid}/task"))
}

/// Open descriptors of the process with this id.
pub fn descriptors(pid: u32) -> usize {
    count(&format!("/proc/{pid}/fd"))
}

/// Bytes of memory that the process with this id has.
pub fn resident(pid: u32) -> usize {
    memory(pid, "VmRSS:").expect("VmRSS")
}

/// The most bytes of memory that the process with this id ever had; nothing once it has ended.
pub fn peak(pid: u32) -> usize {
    memory(pid, "VmHWM:").unwrap_or(0)
}

/// The most bytes of memory that a store has while something happens, and what comes of that.
pub fn peak_of<T>(store: &Program, happens: impl FnOnce() -> T) -> (T, usize) {
    // Has the system begin its count anew, see proc_pid_clear_refs(5).
    std::fs::write(format!("/proc/{}/clear_refs", store.pid()), "5").expect("to forget the peak");
    let come_of_it = happens();
    (come_of_it, peak(store.pid()))
}

fn memory(pid: u32, name: &str) -> Option<usize> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: usize = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib << 10)
}

fn count(directory: &str) -> usize {
    let entries = std::fs::read_dir(directory);
    entries.unwrap_or_else(|error| panic!("{directory}: {error}")).count()
}
