//! Servers that a store finds on a search path of their own, and what the Redis in a data folder says.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::redis::executable;

/// A folder with servers that say that they are others. All of them are the server of this machine.
pub struct Servers(tempfile::TempDir);

impl Servers {
    /// Servers of these names, with what each says of its version, such as `Valkey server v=9.1.2`.
    pub fn new(servers: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder for servers");
        for (name, version) in servers {
            let (path, real) = (folder.path().join(name), real_server());
            let script = format!(
                "#!/bin/sh\nif [ \"$1\" = --version ]; then echo \"{version} sha=0\"; exit; fi\necho >>\"$0.starts\"\n\
                 exec \"{}\" \"$@\"\n",
                real.display()
            );
            fs::write(&path, script).expect("a script");
            fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("to make it a program");
        }
        Self(folder)
    }

    /// As a search path.
    pub fn path(&self) -> &str {
        self.0.path().to_str().expect("text")
    }

    /// Where one of them is.
    pub fn program(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// How often one was started.
    pub fn starts(&self, name: &str) -> usize {
        fs::read(self.0.path().join(format!("{name}.starts"))).map_or(0, |lines| lines.len())
    }
}

/// The path of this machine's server.
pub fn real_server() -> PathBuf {
    let path = std::env::var_os("PATH").expect("a search path");
    let mut candidates = std::env::split_paths(&path).map(|folder| folder.join(executable()));
    candidates.find(|candidate| candidate.is_file()).expect("a server")
}

/// What the Redis that listens in this data folder says to a command.
#[track_caller]
pub fn redis_in<T: redis::FromRedisValue>(folder: &Path, words: &[&str]) -> T {
    ask_redis_in(folder, words).expect("a reply of the Redis in the folder")
}

/// The same of one that may be just going.
pub fn ask_redis_in<T: redis::FromRedisValue>(folder: &Path, words: &[&str]) -> redis::RedisResult<T> {
    let client = redis::Client::open(format!("unix:{}", folder.join("redis.sock").display()))?;
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]).query(&mut client.get_connection()?)
}
