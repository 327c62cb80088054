//! What the system says of a process: its memory, and when that has come to rest.

use std::cell::RefCell;
use std::fs;
use std::time::{Duration, Instant};

use crate::harness::{Redis, holds_within};

pub const KIB: u64 = 1 << 10;
pub const MIB: u64 = 1 << 20;

/// Bytes of a process that are in memory now: all of them, those that no file backs, and the most there ever were.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    pub resident: u64,
    pub anonymous: u64,
    pub peak: u64,
}

pub fn memory(pid: u32) -> Memory {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let field = |name: &str| {
        let rest = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = rest.and_then(|rest| {
            rest.trim_start_matches(':')
                .split_whitespace()
                .next()?
                .parse::<u64>()
                .ok()
        });
        kib.unwrap_or_else(|| panic!("no {name} in {path}")) * KIB
    };
    Memory {
        resident: field("VmRSS"),
        anonymous: field("RssAnon"),
        peak: field("VmHWM"),
    }
}

/// The memory once neither it nor its peak has moved by a hundredth for so long, or after a minute.
pub fn settled(pid: u32, calm: Duration) -> Memory {
    let seen = RefCell::new((memory(pid), Instant::now()));
    holds_within(Duration::from_secs(60), || {
        let now = memory(pid);
        let mut seen = seen.borrow_mut();
        let moved = |a: u64, b: u64| a.abs_diff(b) > (b / 100).max(64 * KIB);
        if moved(now.resident, seen.0.resident) || moved(now.peak, seen.0.peak) {
            *seen = (now, Instant::now());
        }
        seen.1.elapsed() > calm
    });
    memory(pid)
}

/// From now on the peak counts from here (proc(5), clear_refs).
pub fn forget_peak(pid: u32) {
    fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("to forget the peak");
}

/// A number out of Redis's INFO.
pub fn redis_info(redis: &Redis, name: &str) -> u64 {
    let info: String = redis.command(&["INFO"]);
    let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|value| value.trim().parse().ok())
        .unwrap_or_else(|| panic!("no {name} in INFO"))
}

/// Bytes as a reader likes them.
pub fn show(bytes: u64) -> String {
    match bytes {
        0..MIB => format!("{:.1} KiB", bytes as f64 / KIB as f64),
        _ => format!("{:.1} MiB", bytes as f64 / MIB as f64),
    }
}

/// By how much each of `count` made it grow.
pub fn each(before: u64, after: u64, count: usize) -> u64 {
    after.saturating_sub(before) / count as u64
}
