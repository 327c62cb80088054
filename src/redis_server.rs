//! The Redis that we start when there is none: found, started, kept running, and stopped at the end.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use log::{error, info, warn};

use crate::config::DEFAULT_REDIS_PORT;
use crate::log_line;

/// Programs that can serve, best known first.
const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];

/// How long it may take until a started Redis listens. Then it may read its append-only file for as long as it takes.
const START_PATIENCE: Duration = Duration::from_secs(10);

/// How long Redis may take to stop when its start is given up, before it is killed.
const STOP_PATIENCE: Duration = Duration::from_secs(3);

/// How long a try to reach Redis may take.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);

/// How often a start or a stop is looked at, and a running Redis.
const POLL: Duration = Duration::from_millis(20);
const CHECK: Duration = Duration::from_millis(500);

/// The most memory for Redis: 8 GiB or half of the machine's, whichever is less.
const MOST_MEMORY: u64 = 8 << 30;

/// The longest path of a Unix socket (`sun_path` of unix(7), less its terminating zero).
const LONGEST_SOCKET_PATH: usize = 107;

/// A Redis of ours. Dropping it stops it, too, but does not wait for that.
pub struct RedisServer {
    /// How to reach it.
    pub url: String,
    /// Where its data is.
    pub data_dir: PathBuf,
    /// Takes the time by which Redis is to have stopped.
    stop: Sender<Instant>,
    keeper: JoinHandle<()>,
}

/// The default address, where a Redis is used if it is there already.
pub fn default_url() -> String {
    format!("redis://127.0.0.1:{DEFAULT_REDIS_PORT}")
}

/// Whether something listens at the default address.
pub fn is_running() -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_REDIS_PORT));
    TcpStream::connect_timeout(&address, CONNECT_TIMEOUT).is_ok()
}

impl RedisServer {
    /// Starts a Redis on the default port with its data in `data_dir`, and waits until it answers.
    pub fn start(data_dir: &Path, interrupted: &AtomicBool) -> Result<RedisServer, String> {
        let program = find_program()?;
        fs::create_dir_all(data_dir)
            .map_err(|error| format!("cannot make the data folder {}: {error}", data_dir.display()))?;
        let data_dir = data_dir
            .canonicalize()
            .map_err(|error| format!("cannot use the data folder {}: {error}", data_dir.display()))?;
        let plan = Plan::new(program, data_dir.clone());
        let mut child = plan.spawn()?;
        plan.wait_until_ready(&mut child, interrupted)?;
        let url = match &plan.socket {
            Some(socket) => format!("redis+unix://{}", socket.display()),
            None => default_url(),
        };
        let (stop, stopped) = bounded(1);
        let keeper = std::thread::Builder::new()
            .name("redis-keeper".into())
            .spawn(move || plan.keep(child, &stopped))
            .map_err(|error| format!("cannot watch over Redis: {error}"))?;
        Ok(RedisServer {
            url,
            data_dir,
            stop,
            keeper,
        })
    }
}

impl RedisServer {
    /// Stops it; what it acknowledged is in its append-only file. If it has not stopped by `deadline` it is killed.
    pub fn stop_by(self, deadline: Instant) {
        let _ = self.stop.send(deadline);
        let _ = self.keeper.join();
    }
}

/// What a Redis that starts says to a ping.
#[derive(PartialEq)]
enum Answer {
    None,
    Loading,
    Ready,
}

/// How our Redis is run.
struct Plan {
    program: PathBuf,
    data_dir: PathBuf,
    /// Its Unix socket, if the path of the data folder is short enough for one.
    socket: Option<PathBuf>,
}

impl Plan {
    fn new(program: PathBuf, data_dir: PathBuf) -> Plan {
        let socket = data_dir.join("redis.sock");
        // A URL cannot hold every path; the plain ones will do.
        let plain = socket.to_str().is_some_and(|path| {
            path.len() <= LONGEST_SOCKET_PATH && path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b))
        });
        Plan {
            program,
            data_dir,
            socket: plain.then_some(socket),
        }
    }

    fn spawn(&self) -> Result<Child, String> {
        let failed = |error: io::Error| format!("cannot start {}: {error}", self.program.display());
        let log = self.log();
        let log = File::options().create(true).append(true).open(&log).map_err(failed)?;
        let mut command = Command::new(&self.program);
        command
            .args(["--port", &DEFAULT_REDIS_PORT.to_string(), "--bind", "127.0.0.1"])
            .args(["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""])
            .args([
                "--maxmemory",
                &most_memory().to_string(),
                "--maxmemory-policy",
                "noeviction",
            ])
            .args(["--daemonize", "no"])
            .arg("--dir")
            .arg(&self.data_dir);
        if let Some(socket) = &self.socket {
            command
                .arg("--unixsocket")
                .arg(socket)
                .args(["--unixsocketperm", "700"]);
        }
        command
            .stdin(Stdio::null())
            .stderr(log.try_clone().map_err(failed)?)
            .stdout(log)
            // A Ctrl-C in the terminal is for us: Redis is to live until what we received is stored.
            .process_group(0)
            .spawn()
            .map_err(failed)
    }

    fn wait_until_ready(&self, child: &mut Child, interrupted: &AtomicBool) -> Result<(), String> {
        let log = self.log();
        let begun = Instant::now();
        loop {
            let answer = self.answer();
            if answer == Answer::Ready {
                return Ok(());
            }
            if let Ok(Some(status)) = child.try_wait() {
                return Err(format!(
                    "{} ended at once ({status}); see {}",
                    self.program.display(),
                    log.display()
                ));
            }
            let cause = match answer {
                _ if interrupted.load(Relaxed) => "was told to stop while Redis started".to_string(),
                Answer::None if begun.elapsed() > START_PATIENCE => {
                    format!("Redis does not answer after {START_PATIENCE:?}; see {}", log.display())
                }
                _ => {
                    std::thread::sleep(POLL);
                    continue;
                }
            };
            stop(child, self, Instant::now() + STOP_PATIENCE);
            return Err(cause);
        }
    }

    fn answer(&self) -> Answer {
        let Ok(mut connection) = self.connection() else {
            return Answer::None;
        };
        match redis::cmd("PING").exec(&mut connection) {
            Ok(()) => Answer::Ready,
            Err(error) if error.code() == Some("LOADING") => Answer::Loading,
            Err(_) => Answer::None,
        }
    }

    fn connection(&self) -> redis::RedisResult<redis::Connection> {
        let connection = redis::Client::open(default_url())?.get_connection_with_timeout(CONNECT_TIMEOUT)?;
        connection.set_read_timeout(Some(CONNECT_TIMEOUT))?;
        Ok(connection)
    }

    /// Starts Redis again when it ends by itself, and stops it when we end.
    fn keep(&self, mut child: Child, stopped: &Receiver<Instant>) {
        let mut alive = true;
        let deadline = loop {
            match stopped.recv_timeout(CHECK) {
                Ok(deadline) => break deadline,
                Err(RecvTimeoutError::Disconnected) => break Instant::now() + STOP_PATIENCE,
                Err(RecvTimeoutError::Timeout) => {}
            }
            match child.try_wait() {
                Ok(None) => alive = true,
                Ok(Some(status)) => {
                    if std::mem::take(&mut alive) {
                        warn!("Redis ended by itself ({status}); starting it again");
                    }
                    match self.spawn() {
                        Ok(started) => child = started,
                        Err(error) => error!("{}", log_line::sentence(&error)),
                    }
                }
                Err(error) => error!("cannot tell whether Redis runs: {error}"),
            }
        };
        info!("stopping Redis");
        stop(&mut child, self, deadline);
    }

    fn log(&self) -> PathBuf {
        self.data_dir.join("redis.log")
    }
}

fn stop(child: &mut Child, plan: &Plan, deadline: Instant) {
    // It answers with its end, so there is no reply to wait for.
    if let Ok(mut connection) = plan.connection() {
        let _ = connection.send_packed_command(&redis::cmd("SHUTDOWN").get_packed_command());
    }
    while Instant::now() < deadline {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(POLL);
    }
    warn!("Redis did not stop in time; killing it");
    let _ = child.kill();
    let _ = child.wait();
}

fn find_program() -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    PROGRAMS
        .iter()
        .flat_map(|program| folders.iter().map(move |folder| folder.join(program)))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| {
            format!(
                "nothing listens on 127.0.0.1:{DEFAULT_REDIS_PORT}, and neither redis-server nor valkey-server is installed.\n\
                 Install one (apt-get install redis-server), name a Redis with --redis, or use scripts/run.sh, which sees to it."
            )
        })
}

fn most_memory() -> u64 {
    // Where the machine's memory is not told, the cap alone has to do.
    let total = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?.trim();
        Some(line.strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
    });
    total.map_or(MOST_MEMORY, |total| MOST_MEMORY.min(total / 2))
}
