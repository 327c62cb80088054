//! The process of a Redis of ours: started with the rights and settings that it is to have, watched and stopped by a
//! descriptor of its own (pidfd_open(2)), so that no other process can ever be taken for it.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use log::warn;
use rustix::event::{PollFd, PollFlags};
use rustix::net::sockopt::socket_peercred;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::data::Kind;
use super::folder::{Folder, SOCKET};
use super::program::Program;
use super::ready::Ready;
use super::trouble::{last_words, why};
use crate::net::wait::poll;

/// Runs a program that makes files which only its owner can read. The shell becomes the program, so the process stays the same.
const PRIVATELY: &str = r#"umask 077 && exec "$0" "$@""#;

/// The most memory for Redis: 8 GiB or half of the machine's, whichever is less.
const MOST_MEMORY: u64 = 8 << 30;

/// How often Redis is told to stop: it does not heed that while it writes its first append-only file.
const TERM_AGAIN: Duration = Duration::from_millis(200);

/// How long the system may take to end a process that was killed.
const KILL_PATIENCE: Duration = Duration::from_secs(1);

/// A Redis that we started, or that another store did.
pub struct Process {
    handle: OwnedFd,
    started: Option<Started>,
}

/// What only the one that started it knows.
struct Started {
    child: Child,
    program: Program,
    /// Where the log began when it was started.
    said_from: u64,
    /// There was no room on the disk.
    is_full: bool,
}

impl Process {
    /// Starts one on this port, none if that is 0, with its data in this folder. Who calls has the turn there.
    pub fn start(folder: &Folder, ready: Ready, port: u16) -> Result<Process, String> {
        let Ready {
            program, data, mark, ..
        } = ready;
        let failed = |error: io::Error| format!("cannot start {}: {}", program.path.display(), why(&error));
        let log_failed = |error| format!("cannot write Redis's log {}: {}", folder.log().display(), why(&error));
        let log = folder.open_log().map_err(log_failed)?;
        let said_from = log.metadata().map_err(log_failed)?.len();
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", PRIVATELY])
            .arg(&program.path)
            .args(["--port", &port.to_string()])
            // Redis has no password here: only programs on this machine may connect.
            .args(["--bind", "127.0.0.1", "--protected-mode", "yes"])
            // It reads a dump only without one, and begins one then (`waiting`).
            .args(["--appendonly", if data.kind == Kind::Dump { "no" } else { "yes" }])
            .args(["--appendfsync", "everysec", "--save", ""])
            .args(["--maxmemory", &most_memory().to_string()])
            .args(["--maxmemory-policy", "noeviction"])
            .args(["--daemonize", "no"])
            .arg("--dir")
            .arg(folder.path())
            // In that folder, to which Redis goes first: so its path is never too long.
            .args(["--unixsocket", SOCKET, "--unixsocketperm", "700"]);
        let child = command
            .stdin(mark)
            .stderr(log.try_clone().map_err(failed)?)
            .stdout(log)
            // A Ctrl-C in the terminal is for us: Redis is to live until what we received is stored.
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        Ok(Process {
            handle: watch(Pid::from_child(&child)).map_err(failed)?,
            started: Some(Started {
                child,
                said_from,
                is_full: ready.is_full,
                program,
            }),
        })
    }

    /// The one that listens in this folder; none if no store started it. Where nothing listens it is an error.
    pub fn listening_in(folder: &Folder) -> io::Result<Option<Process>> {
        let pid = listener(folder)?;
        let handle = watch(pid)?;
        Ok(folder.marks(pid).then_some(Process { handle, started: None }))
    }

    /// Whether we started it.
    pub fn is_our_child(&self) -> bool {
        self.started.is_some()
    }

    /// What it is, if we started it.
    pub fn program(&self) -> Option<&Program> {
        self.started.as_ref().map(|started| &started.program)
    }

    /// Whether it is gone.
    pub fn has_ended(&mut self) -> bool {
        self.ends_within(Duration::ZERO)
    }

    /// How it ended, and why, as far as we know: what comes after "Redis ended".
    pub fn ending(&mut self, folder: &Folder) -> String {
        let Some(started) = &mut self.started else {
            return String::new();
        };
        let status = started.child.try_wait().ok().flatten();
        let status = status.map_or(String::new(), |status| format!(" ({status})"));
        let room = match started.is_full {
            true => format!(", there is no room on the disk of {}", folder.path().display()),
            false => String::new(),
        };
        format!("{status}{room}{}", last_words(&folder.log(), started.said_from))
    }

    /// Stops it in order; what it acknowledged is in its append-only file then. If it is not gone by `deadline` it is killed.
    /// See <https://redis.io/docs/latest/operate/oss_and_stack/reference/signals/>.
    pub fn stop(&mut self, deadline: Instant) {
        loop {
            self.signal(Signal::TERM);
            let left = deadline.saturating_duration_since(Instant::now());
            if self.ends_within(left.min(TERM_AGAIN)) {
                return;
            }
            if left.is_zero() {
                break;
            }
        }
        warn!("Redis did not stop in time; killing it");
        self.signal(Signal::KILL);
        self.ends_within(KILL_PATIENCE);
    }

    fn signal(&self, signal: Signal) {
        // That it is gone already is as good.
        let _ = pidfd_send_signal(&self.handle, signal);
    }

    fn ends_within(&mut self, time: Duration) -> bool {
        let until = Instant::now() + time;
        loop {
            let mut fds = [PollFd::new(&self.handle, PollFlags::IN)];
            let polled = poll(&mut fds, until.saturating_duration_since(Instant::now()));
            let ended = polled.is_ok() && !fds[0].revents().is_empty();
            if ended && let Some(started) = &mut self.started {
                // Now that it is told that it ended, the system forgets it.
                let _ = started.child.try_wait();
            }
            if ended || polled.is_err() || Instant::now() >= until {
                return ended;
            }
        }
    }
}

/// The process that listens in this folder: what the system says of it, not what that says of itself.
pub fn listener(folder: &Folder) -> io::Result<Pid> {
    let about = socket_peercred(folder.connect()?).map_err(|error| match error.raw_os_error() {
        // Of one in another namespace the process id is 0 (pid_namespaces(7)), which is no id, so no error has a number.
        0 => io::Error::other("it runs where its process cannot be seen, as in another container"),
        _ => error.into(),
    })?;
    Ok(about.pid)
}

fn watch(pid: Pid) -> io::Result<OwnedFd> {
    pidfd_open(pid, PidfdFlags::empty()).map_err(io::Error::from)
}

fn most_memory() -> u64 {
    // Where the machine's memory is not told, the cap alone has to do.
    let total = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?.trim();
        Some(line.strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
    });
    total.map_or(MOST_MEMORY, |total| MOST_MEMORY.min(total / 2))
}
