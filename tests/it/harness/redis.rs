//! A private redis-server, a child of this process, on a port of its own.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use super::{PATIENCE, eventually, signal};

const SOCKET_NAME: &str = "redis.sock";

/// A handle; the server ends with the last one.
#[derive(Clone)]
pub struct Redis(Arc<Server>);

struct Server {
    child: Mutex<Child>,
    port: u16,
    directory: tempfile::TempDir,
    flags: Vec<String>,
}

impl Redis {
    /// Keeps nothing over a restart.
    pub fn start() -> Self {
        Self::launch(next_port, &[])
    }

    /// Keeps every write over a kill and a restart.
    pub fn start_durable() -> Self {
        Self::launch(next_port, &["--appendonly", "yes", "--appendfsync", "always"])
    }

    /// Also offers a Unix socket, see `socket_path`.
    pub fn start_with_unix_socket() -> Self {
        Self::launch(next_port, &["--unixsocket", SOCKET_NAME])
    }

    /// With more flags.
    pub fn start_with(flags: &[&str]) -> Self {
        Self::launch(next_port, flags)
    }

    /// The URL with which `lab` signs in, who may do what these rules say (<https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/>).
    pub fn url_of_lab(&self, rules: &[&str]) -> String {
        self.command::<()>(&[&["ACL", "SETUSER", "lab", "reset", "on", ">secret"], rules].concat());
        format!("redis://lab:secret@127.0.0.1:{}", self.0.port)
    }

    /// On this very port; fails when it is taken.
    pub fn start_on(port: u16) -> Self {
        Self::launch(|| port, &[])
    }

    pub fn port(&self) -> u16 {
        self.0.port
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.0.port)
    }

    pub fn socket_path(&self) -> String {
        let path = self.0.directory.path().join(SOCKET_NAME);
        path.to_str().expect("a path of text").to_owned()
    }

    /// The directory of its data.
    pub fn directory(&self) -> &Path {
        self.0.directory.path()
    }

    pub fn connection(&self) -> redis::Connection {
        connect(self.0.port).expect("a connection to the test's Redis")
    }

    /// Runs one command and returns what it says.
    #[track_caller]
    pub fn command<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        for word in &words[1..] {
            command.arg(*word);
        }
        command
            .query(&mut self.connection())
            .unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// Connections to it, the one that counts left out.
    pub fn clients(&self) -> usize {
        let list: String = self.command(&["CLIENT", "LIST"]);
        list.lines().count() - 1
    }

    /// Bytes that it has ever sent to clients.
    pub fn sent(&self) -> usize {
        let info: String = self.command(&["INFO", "stats"]);
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix("total_net_output_bytes:"));
        line.and_then(|bytes| bytes.parse().ok()).expect("a number of bytes")
    }

    /// SIGKILL, as a crash would be.
    pub fn kill(&self) {
        let mut child = self.0.child.lock().expect("the child");
        child.kill().expect("to kill redis-server");
        child.wait().expect("redis-server's end");
    }

    /// Starts it again after `kill`, on the same port and directory.
    pub fn restart(&self) {
        self.restart_with(&[]);
    }

    /// Kills and restarts one that keeps its writes, which then takes a second or more to read them: LOADING.
    pub fn restart_slowly(&self) {
        // It looks up from loading once every 1024 commands.
        let many = "for n = 1, 12000 do redis.call('SET', 'loaded slowly', n) end";
        self.command::<()>(&["EVAL", many, "0"]);
        self.kill();
        self.restart_with(&["--key-load-delay", "50"]);
    }

    fn restart_with(&self, more: &[&str]) {
        let mut flags = self.0.flags.clone();
        flags.extend(more.iter().map(|flag| (*flag).to_owned()));
        let mut child = self.0.child.lock().expect("the child");
        eventually(PATIENCE, || {
            let new = spawn(self.0.port, self.0.directory.path(), &flags);
            new.map(|new| *child = new).is_some()
        });
    }

    /// Lives on but answers nothing, as a stalled machine would.
    pub fn pause(&self) {
        signal("STOP", self.0.child.lock().expect("the child").id());
    }

    pub fn resume(&self) {
        signal("CONT", self.0.child.lock().expect("the child").id());
    }

    fn launch(mut port: impl FnMut() -> u16, flags: &[&str]) -> Self {
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        for _ in 0..20 {
            let port = port();
            let directory = tempfile::tempdir().expect("a directory for Redis");
            if let Some(child) = spawn(port, directory.path(), &flags) {
                return Self(Arc::new(Server {
                    child: Mutex::new(child),
                    port,
                    directory,
                    flags,
                }));
            }
        }
        panic!("redis-server ended 20 times before it answered: port taken?");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A panic elsewhere must not leave a server behind; a dead child cannot be killed, and that is fine.
        let child = self.child.get_mut().unwrap_or_else(|p| p.into_inner());
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// None when the server ended before it answered: most likely the port is taken.
fn spawn(port: u16, directory: &Path, flags: &[String]) -> Option<Child> {
    let mut child = Command::new(executable())
        .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
        .args(["--save", "", "--appendonly", "no"])
        .args(flags)
        .arg("--dir")
        .arg(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("to start redis-server");
    let mut up = false;
    eventually(PATIENCE, || {
        up = answers_as(port, child.id());
        up || child.try_wait().expect("redis-server's state").is_some()
    });
    up.then_some(child)
}

/// Whether the Redis on this port is the one with this process id, and has read its data.
fn answers_as(port: u16, pid: u32) -> bool {
    let Some(mut connection) = connect(port) else {
        return false;
    };
    let server: redis::RedisResult<String> = redis::cmd("INFO").query(&mut connection);
    server.is_ok_and(|text| {
        text.lines().any(|line| line == format!("process_id:{pid}")) && text.lines().any(|line| line == "loading:0")
    })
}

fn connect(port: u16) -> Option<redis::Connection> {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).expect("a Redis URL");
    let connection = client.get_connection_with_timeout(Duration::from_secs(2)).ok()?;
    connection.set_read_timeout(Some(PATIENCE)).ok()?;
    Some(connection)
}

/// Ports below those that the system hands out, so that nothing takes the port of a killed server before its restart.
pub fn next_port() -> u16 {
    const FIRST: u16 = 10_000;
    const COUNT: u16 = 20_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() % u32::from(COUNT)) as u16;
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + ((u32::from(start) * 37 + u32::from(step)) % u32::from(COUNT)) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// The server that the tests use.
pub fn executable() -> &'static str {
    static NAME: OnceLock<&str> = OnceLock::new();
    NAME.get_or_init(|| {
        let runs = |name: &&str| {
            let mut version = Command::new(name);
            version.arg("--version").stdout(Stdio::null());
            version.status().is_ok_and(|status| status.success())
        };
        ["redis-server", "valkey-server"]
            .into_iter()
            .find(runs)
            .expect("redis-server or valkey-server on the PATH: apt install redis-server")
    })
}
