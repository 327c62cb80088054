//! What this machine grants a store: descriptors and room on its disks.

use std::fs;
use std::net::{IpAddr, UdpSocket};
use std::path::Path;

use ptg_store::{Config, server};
use rustix::process::{Resource, getrlimit};

use super::finding::{Finding, Mend};
use super::shell::as_root;
use crate::client::figures::{bytes, share};
use crate::client::shell::quote;

/// From which share of its descriptors on, in percent, a process is short of them, and when they are as good as used up.
const SHORT: u64 = 80;
const USED_UP: u64 = 95;

/// With less room than this a disk is called short: what logs, updates and an hour of a camera take.
const LITTLE_ROOM: u64 = 1 << 30;

/// With less room than this the next rewrite of the append-only file may fail, and so may measuring the throughput.
const NO_ROOM: u64 = 256 << 20;

/// A rewrite of the append-only file needs the room of what Redis holds once more, while as much comes in.
const COPIES: u64 = 2;

/// Whether an address is one of this machine's: only those can be bound to.
pub fn is_here(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

/// The descriptors that a program started from this shell may have. The store raises the soft limit itself.
pub fn shell_descriptors(config: &Config) -> Finding {
    let limit = getrlimit(Resource::Nofile);
    let of = match limit.current == limit.maximum {
        true => String::new(),
        false => format!(" (ulimit -Hn; {} without asking)", count(limit.current)),
    };
    granted(
        limit.maximum,
        &format!("{} granted to this shell{of}", count(limit.maximum)),
        config,
        |needed| {
            Mend::new(as_root(&format!("prlimit --pid $$ --nofile={needed}:{needed}"))).why(format!(
                "in the shell that starts the store; LimitNOFILE={needed} for systemd"
            ))
        },
    )
}

/// The descriptors of a process: what it is granted, and what it uses.
pub fn process_descriptors(pid: u32, config: &Config) -> Result<Finding, String> {
    let limits = read(pid, "limits")?;
    let limit = open_files(&limits).ok_or_else(|| format!("/proc/{pid}/limits has no line Max open files"))?;
    let used = fs::read_dir(format!("/proc/{pid}/fd"));
    let used = used.map_err(|error| format!("/proc/{pid}/fd: {error}; ask as the user who runs the store"))?;
    Ok(judge_process(pid, limit, used.count() as u64, config))
}

/// The room on the disk of a folder, beside what Redis holds.
pub fn room(folder: &Path, held: Option<u64>) -> Result<Finding, String> {
    let disk = rustix::fs::statvfs(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(judge_room(folder, disk.f_bavail.saturating_mul(disk.f_frsize), held))
}

fn granted(limit: Option<u64>, found: &str, config: &Config, raise: impl Fn(usize) -> Mend) -> Finding {
    let Some(limit) = limit else {
        return Finding::ok(found);
    };
    let needed = server::descriptors(config);
    let raise = [raise(needed)];
    match server::caps_within(usize::try_from(limit).unwrap_or(usize::MAX), config) {
        Ok(None) => Finding::ok(format!("{found}, {needed} needed")),
        Ok(Some((connections, sockets))) => Finding::warning(format!(
            "{found}, {needed} needed: a store would take {connections} connections and {sockets} WebSockets at most"
        ))
        .mend_all(raise),
        Err(sentence) => Finding::wrong(format!("a store would not start: {sentence}")).mend_all(raise),
    }
}

fn judge_process(pid: u32, limit: Option<u64>, used: u64, config: &Config) -> Finding {
    let Some(limit) = limit else {
        return Finding::ok(format!("{used} in use, without a limit"));
    };
    let found = format!("{used} of {limit} in use ({})", share(used, limit));
    let raise = |needed| {
        Mend::new(as_root(&format!("prlimit --pid {pid} --nofile={needed}:{needed}")))
            .why("until its next start, which needs as many")
    };
    let raised = [raise(server::descriptors(config))];
    match used.saturating_mul(100) / limit.max(1) {
        USED_UP.. => Finding::wrong(format!("{found}: connections are refused, or soon will be")).mend_all(raised),
        SHORT.. => Finding::warning(format!("{found}: few are left")).mend_all(raised),
        _ => granted(Some(limit), &found, config, raise),
    }
}

fn judge_room(folder: &Path, free: u64, held: Option<u64>) -> Finding {
    let held = held.unwrap_or(0);
    let found = match held {
        0 => format!("{} free at {}", bytes(free), folder.display()),
        held => format!(
            "{} free at {}; Redis holds {}",
            bytes(free),
            folder.display(),
            bytes(held)
        ),
    };
    let wanted = LITTLE_ROOM.max(held.saturating_mul(COPIES));
    let (why, look) = ("make room there", format!("df -h {}", quote(&folder.to_string_lossy())));
    match free {
        ..NO_ROOM => Finding::wrong(format!("{found}: Redis refuses pushes once it cannot write")).mend_for(why, look),
        _ if free < wanted => {
            Finding::warning(format!("{found}: less than the {} that are safe", bytes(wanted))).mend_for(why, look)
        }
        _ => Finding::ok(found),
    }
}

/// The soft limit in `/proc/<pid>/limits`: outside, how it is read; inside, none if there is no limit.
fn open_files(limits: &str) -> Option<Option<u64>> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(None),
        number => number.parse().ok().map(Some),
    }
}

fn read(pid: u32, file: &str) -> Result<String, String> {
    let path = format!("/proc/{pid}/{file}");
    fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))
}

fn count(limit: Option<u64>) -> String {
    limit.map_or("any number".into(), |limit| limit.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::finding::Verdict;

    fn config() -> Config {
        Config::from_args(&[]).unwrap()
    }

    #[test]
    fn descriptors_are_enough_or_cost_caps_or_the_start() {
        let verdict = |limit| granted(limit, "n", &config(), |needed| Mend::new(needed.to_string())).verdict;
        let needed = server::descriptors(&config()) as u64;
        assert_eq!(verdict(None), Verdict::Ok);
        assert_eq!(verdict(Some(needed)), Verdict::Ok);
        assert_eq!(verdict(Some(needed - 1)), Verdict::Warning);
        assert_eq!(verdict(Some(0)), Verdict::Wrong);
        let low = granted(Some(1024), "1024 granted", &config(), |needed| {
            Mend::new(needed.to_string())
        });
        assert!(low.found.contains("WebSockets at most"), "{low:?}");
        assert_eq!(low.mend[0].command, needed.to_string());
    }

    #[test]
    fn a_process_that_has_used_them_up_is_told() {
        let verdict = |used| judge_process(7, Some(100_000), used, &config()).verdict;
        assert_eq!(verdict(40), Verdict::Ok);
        assert_eq!(verdict(80_000), Verdict::Warning);
        assert_eq!(verdict(99_999), Verdict::Wrong);
        assert_eq!(judge_process(7, Some(1024), 40, &config()).verdict, Verdict::Warning);
        assert_eq!(judge_process(7, None, 40, &config()).verdict, Verdict::Ok);
    }

    #[test]
    fn the_limits_of_a_process_are_read() {
        let text = "Limit                     Soft Limit           Hard Limit           Units     \n\
                    Max file locks            unlimited            unlimited            locks     \n\
                    Max open files            1024                 1048576              files     \n";
        assert_eq!(open_files(text), Some(Some(1024)));
        assert_eq!(open_files("Max open files unlimited unlimited files"), Some(None));
        assert_eq!(open_files("Max open files"), None);
        assert_eq!(open_files(""), None);
    }

    #[test]
    fn room_is_measured_by_what_redis_holds() {
        let verdict = |free, held| judge_room(Path::new("/data"), free, held).verdict;
        assert_eq!(verdict(20 << 30, Some(8 << 30)), Verdict::Ok);
        assert_eq!(verdict(12 << 30, Some(8 << 30)), Verdict::Warning);
        assert_eq!(verdict(2 << 30, None), Verdict::Ok);
        assert_eq!(verdict(1 << 29, None), Verdict::Warning);
        assert_eq!(verdict(1 << 20, None), Verdict::Wrong);
        assert_eq!(verdict(0, Some(u64::MAX)), Verdict::Wrong);
    }
}
