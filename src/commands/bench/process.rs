//! What the system says of the store's process, see proc(5).

use std::fs;
use std::time::Duration;

/// How long a tick is in `/proc`: Linux promises programs a hundredth of a second.
const TICK: Duration = Duration::from_millis(10);

/// Processor time that it has used so far.
pub fn cpu(pid: u32) -> Result<Duration, String> {
    let text = read(pid, "stat")?;
    // The name, in parentheses, may hold anything; of what follows, the 12th and 13th are user and system time.
    let fields = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: Vec<u32> = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .flat_map(str::parse)
        .collect();
    match ticks.as_slice() {
        [user, system] => Ok(TICK * (user + system)),
        _ => Err(format!("--pid {pid}: no processor times in its stat")),
    }
}

/// Resident memory in KiB.
pub fn resident(pid: u32) -> Result<u64, String> {
    status(pid, "VmRSS:")
}

/// How many threads it has.
pub fn threads(pid: u32) -> Result<u64, String> {
    status(pid, "Threads:")
}

fn status(pid: u32, name: &str) -> Result<u64, String> {
    let text = read(pid, "status")?;
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    let number = value.and_then(|value| value.trim().trim_end_matches(" kB").parse().ok());
    number.ok_or_else(|| format!("--pid {pid}: no {name} in its status"))
}

fn read(pid: u32, file: &str) -> Result<String, String> {
    let path = format!("/proc/{pid}/{file}");
    fs::read_to_string(&path).map_err(|error| format!("--pid {pid}: {path}: {error}"))
}
