//! Commands for the user's shell. Names that come from elsewhere are quoted, and passwords are never part of one.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use redis::{ConnectionAddr, ConnectionInfo};

use crate::client::encode;
use crate::client::shell::quote;

/// The programs that ask a Redis, and a Valkey.
const REDIS_CLI: &str = "redis-cli";
const VALKEY_CLI: &str = "valkey-cli";

/// What an address keeps between double quotes of a shell.
const UNQUOTED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b':')
    .remove(b'/')
    .remove(b'[')
    .remove(b']');

/// How `redis-cli` reaches a Redis.
#[derive(Debug, Clone, PartialEq)]
pub struct RedisCli(String);

/// A command that only root may give. As root it needs no sudo, and bare systems have none.
pub fn as_root(command: &str) -> String {
    match rustix::process::geteuid().is_root() {
        true => command.to_string(),
        false => format!("sudo {command}"),
    }
}

/// A command line that asks for the password of a Redis, and runs a command with it. Passwords are not shown, and stand in no
/// list of processes. It is of the words that every shell has (POSIX).
pub fn with_password(info: &ConnectionInfo, command: &str) -> String {
    let login = info.redis_settings();
    let user = encode(login.username().unwrap_or_default());
    let url = match info.addr() {
        ConnectionAddr::Unix(path) => {
            let path = utf8_percent_encode(&path.to_string_lossy(), UNQUOTED).to_string();
            format!("redis+unix://{path}?user={user}&pass=$PASSWORD")
        }
        address => {
            let address = utf8_percent_encode(&address.to_string(), UNQUOTED).to_string();
            format!("redis://{user}:$PASSWORD@{address}/{}", login.db())
        }
    };
    format!(
        "printf 'Password of Redis, percent-encoded: '; stty -echo; read -r PASSWORD; stty echo; \
         REDIS_URL=\"{url}\" {command}"
    )
}

impl RedisCli {
    pub fn new(info: &ConnectionInfo) -> RedisCli {
        let program = redis_cli();
        let mut command = match info.addr() {
            ConnectionAddr::Tcp(host, port) if host == "127.0.0.1" || host == "localhost" => {
                format!("{program} -p {port}")
            }
            ConnectionAddr::Tcp(host, port) => format!("{program} -h {} -p {port}", quote(host)),
            ConnectionAddr::Unix(path) => format!("{program} -s {}", quote(&path.to_string_lossy())),
            _ => program.to_string(),
        };
        let login = info.redis_settings();
        if let Some(user) = login.username() {
            command += &format!(" --user {}", quote(user));
        }
        if login.password().is_some() {
            command += " --askpass";
        }
        RedisCli(command)
    }

    /// The command line for these words.
    pub fn command(&self, words: &str) -> String {
        format!("{} {words}", self.0)
    }
}

/// What asks a Redis: where only Valkey is installed, its own.
fn redis_cli() -> &'static str {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let has = |name: &str| std::env::split_paths(&folders).any(|folder| folder.join(name).is_file());
    match !has(REDIS_CLI) && has(VALKEY_CLI) {
        true => VALKEY_CLI,
        false => REDIS_CLI,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use redis::IntoConnectionInfo;

    fn cli(url: &str) -> String {
        RedisCli::new(&url.into_connection_info().unwrap()).command("ping")
    }

    #[test]
    fn redis_cli_is_told_the_way_and_never_a_password() {
        assert_eq!(cli("redis://127.0.0.1:6789"), "redis-cli -p 6789 ping");
        assert_eq!(cli("redis://lab:6379/3"), "redis-cli -h lab -p 6379 ping");
        assert_eq!(
            cli("redis+unix:///var/run/my%20redis.sock"),
            "redis-cli -s '/var/run/my redis.sock' ping"
        );
        let secret = cli("redis://ada:s3cret@lab:6379");
        assert_eq!(secret, "redis-cli -h lab -p 6379 --user ada --askpass ping");
        assert_eq!(cli("redis://:s3cret@127.0.0.1:1"), "redis-cli -p 1 --askpass ping");
    }
}
