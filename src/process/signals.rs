//! The signals that end the program in order.

use std::fs;
use std::os::raw::c_int;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

/// Ctrl-C, Ctrl-\, a closed terminal, and the polite end: everybody who can send one of these wants the program to end.
/// A hang-up is none of them for a program that was started with it ignored, as nohup(1) does: it is to outlive its terminal.
pub fn ending() -> Vec<c_int> {
    let mut signals = vec![SIGINT, SIGTERM, SIGQUIT];
    if !is_ignored(SIGHUP) {
        signals.push(SIGHUP);
    }
    signals
}

/// Whether the program was started with this signal ignored; its handler would make it heed the signal again.
fn is_ignored(signal: c_int) -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores(&status, signal))
}

/// `SigIgn` of proc_pid_status(5): a set of signals in hexadecimal, of which the first has the lowest bit.
fn ignores(status: &str, signal: c_int) -> bool {
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let set = line.and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
    set.is_some_and(|set| set & (1 << (signal - 1)) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_the_status() {
        let status = "SigBlk:\t0000000000000003\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000002\n";
        assert!(ignores(status, SIGHUP));
        assert!(!ignores(status, SIGINT) && !ignores(status, SIGQUIT));
        assert!(!ignores("", SIGHUP) && !ignores("SigIgn:\t", SIGHUP));
    }
}
