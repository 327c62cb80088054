//! Commands for the user's shell. Names that come from elsewhere are quoted, and passwords are never part of one.

use redis::{ConnectionAddr, ConnectionInfo};

use crate::client::shell::quote;

/// How `redis-cli` reaches a Redis.
#[derive(Debug, Clone, PartialEq)]
pub struct RedisCli(String);

impl RedisCli {
    pub fn new(info: &ConnectionInfo) -> RedisCli {
        let mut command = match info.addr() {
            ConnectionAddr::Tcp(host, port) if host == "127.0.0.1" || host == "localhost" => {
                format!("redis-cli -p {port}")
            }
            ConnectionAddr::Tcp(host, port) => format!("redis-cli -h {} -p {port}", quote(host)),
            ConnectionAddr::Unix(path) => format!("redis-cli -s {}", quote(&path.to_string_lossy())),
            _ => "redis-cli".to_string(),
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
