//! Flags and environment become one checked, immutable `Config`.

pub mod environment;
mod flags;

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use argh::FromArgs;

use crate::request::hosts::Hosts;
use crate::request::origin::Origins;
use crate::words::units::Size;
pub use environment::{Environment, variable};
pub use flags::Flags;

/// Where Redis is looked for, and started, when none is named.
pub const DEFAULT_REDIS_PORT: u16 = 6789;

/// Where the Redis that the program starts keeps its data unless `--data-dir` says otherwise.
pub const DEFAULT_DATA_DIR: &str = "ptg-data";

/// The environment variable that names a Redis when `--redis` does not.
pub const REDIS_VARIABLE: &str = "REDIS_URL";

/// More workers than this only wait for Redis, which does one thing at a time.
const MOST_REST_WORKERS: usize = 256;

/// Which Redis to use.
#[derive(Debug, Clone, PartialEq)]
pub enum RedisChoice {
    /// One that somebody named; it is never started or stopped by us.
    Named(String),
    /// Nobody named one: what listens on `DEFAULT_REDIS_PORT`, or one that we start.
    OwnIfNone,
}

/// Everything the program was told, checked. It never changes while the program runs.
#[derive(Debug, Clone)]
pub struct Config {
    /// The address to bind.
    pub listen: SocketAddr,
    /// The Redis to use.
    pub redis: RedisChoice,
    /// The folder for a Redis of our own.
    pub data_dir: PathBuf,
    /// The port for a Redis of our own alone, 0 for none; if it is not given, any Redis on the default port serves.
    pub own_redis_port: Option<u16>,
    /// Entries a stream keeps unless it sets its own `max_len`.
    pub max_len: u64,
    /// The pages of others that may use the store.
    pub origins: Origins,
    /// The names that it answers to.
    pub hosts: Hosts,
    /// How long a new token is good for.
    pub token_life: Duration,
    /// Threads that handle REST requests.
    pub rest_workers: usize,
    /// Limits and deadlines.
    pub limits: Limits,
}

/// The limits and deadlines; see the flags of the same names for units and reasons.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Limits {
    pub max_connections: usize,
    pub max_connections_per_address: Option<usize>,
    pub max_sockets: usize,
    pub max_message: Size,
    pub max_messages: Size,
    pub max_body: Size,
    pub max_bodies: Size,
    pub max_batch: usize,
    pub max_head: Size,
    pub head_timeout: Duration,
    pub keep_alive: Duration,
    pub ping_interval: Duration,
    pub idle_timeout: Duration,
    pub stall_timeout: Duration,
    pub redis_patience: Duration,
}

impl Config {
    /// Parses command-line arguments (without the program's name) and checks them. The error is a sentence for the user.
    pub fn from_args(args: &[&str]) -> Result<Config, String> {
        let flags = Flags::from_args(&["ptg-store"], args).map_err(|exit| exit.output)?;
        Config::from_flags(flags, variable(REDIS_VARIABLE)?)
    }

    /// Checks the flags; `redis_variable` is the environment's `REDIS_URL`, if any.
    pub fn from_flags(flags: Flags, redis_variable: Option<String>) -> Result<Config, String> {
        let listen = resolve(&flags.listen)?;
        if !listen.ip().is_loopback() && !flags.insecure_dev_auth {
            return Err(format!(
                "--listen {} can be reached from other machines, but sign-in is in development mode, where every \
                 password equals its user name. Listen on 127.0.0.1, or add --insecure-dev-auth if the network is yours.",
                flags.listen
            ));
        }
        if flags.redis.is_some() && flags.own_redis_port.is_some() {
            return Err("--redis names a Redis that is there, and --own-redis-port asks for one of the store's own: give one of them".into());
        }
        let named = match flags.own_redis_port {
            Some(_) => None,
            None => flags.redis.or(redis_variable),
        };
        let config = Config {
            listen,
            redis: named.map_or(RedisChoice::OwnIfNone, RedisChoice::Named),
            data_dir: flags.data_dir,
            own_redis_port: flags.own_redis_port,
            max_len: flags.max_len,
            origins: Origins::new(&flags.allow_origin)?,
            hosts: Hosts::new(&flags.listen, &flags.allow_host)?,
            token_life: flags.token_life.0,
            rest_workers: flags.rest_workers,
            limits: Limits {
                max_connections: flags.max_connections,
                max_connections_per_address: flags.max_connections_per_address,
                max_sockets: flags.max_sockets,
                max_message: flags.max_message,
                max_messages: flags.max_messages,
                max_body: flags.max_body,
                max_bodies: flags.max_bodies,
                max_batch: flags.max_batch,
                max_head: flags.max_head,
                head_timeout: flags.head_timeout.0,
                keep_alive: flags.keep_alive.0,
                ping_interval: flags.ping_interval.0,
                idle_timeout: flags.idle_timeout.0,
                stall_timeout: flags.stall_timeout.0,
                redis_patience: flags.redis_patience.0,
            },
        };
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        let limits = &self.limits;
        let counts = [
            ("--max-len", self.max_len as usize),
            ("--max-connections", limits.max_connections),
            ("--max-sockets", limits.max_sockets),
            ("--max-message", limits.max_message.0),
            ("--max-body", limits.max_body.0),
            ("--max-batch", limits.max_batch),
            ("--rest-workers", self.rest_workers),
        ];
        if let Some((flag, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return Err(format!("{flag} must be at least 1"));
        }
        if let Some(port) = self
            .own_redis_port
            .filter(|port| *port != 0 && *port == self.listen.port())
        {
            return Err(format!("--own-redis-port and --listen cannot both have port {port}"));
        }
        if self.max_len > i64::MAX as u64 {
            return Err(format!("--max-len must be at most {}", i64::MAX));
        }
        let spans = [
            ("--head-timeout", limits.head_timeout),
            ("--keep-alive", limits.keep_alive),
            ("--ping-interval", limits.ping_interval),
            ("--idle-timeout", limits.idle_timeout),
            ("--stall-timeout", limits.stall_timeout),
            ("--token-life", self.token_life),
        ];
        if let Some((flag, _)) = spans.iter().find(|(_, span)| span.is_zero()) {
            return Err(format!("{flag} must be more than 0"));
        }
        if self.rest_workers > MOST_REST_WORKERS {
            return Err(format!("--rest-workers must be at most {MOST_REST_WORKERS}"));
        }
        if limits.max_head.0 < 256 {
            return Err("--max-head must be at least 256 bytes".into());
        }
        if limits.max_bodies < limits.max_body {
            return Err("--max-bodies must be at least --max-body".into());
        }
        if limits.max_messages < limits.max_message {
            return Err("--max-messages must be at least --max-message".into());
        }
        if limits.idle_timeout <= limits.ping_interval {
            return Err("--idle-timeout must be longer than --ping-interval".into());
        }
        Ok(())
    }
}

fn resolve(listen: &str) -> Result<SocketAddr, String> {
    listen
        .to_socket_addrs()
        .ok()
        .and_then(|mut addresses| addresses.next())
        .ok_or_else(|| format!("--listen {listen} is not an address such as 127.0.0.1:7890"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_defaults_hold() {
        let flags = Flags::from_args(&["ptg-store"], &[]).unwrap();
        let config = Config::from_flags(flags, None).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:7890");
        assert_eq!(config.redis, RedisChoice::OwnIfNone);
        assert_eq!(config.max_len, 1000);
        assert_eq!(config.limits.max_message.0, 64 << 20);
        assert_eq!(config.limits.max_sockets, 1024);
    }

    #[test]
    fn the_flag_comes_before_the_environment() {
        let flags = |args: &[&str]| Flags::from_args(&["ptg-store"], args).unwrap();
        let variable = Some("redis://variable".to_string());
        let config = Config::from_flags(flags(&["--redis", "redis://flag"]), variable.clone()).unwrap();
        assert_eq!(config.redis, RedisChoice::Named("redis://flag".into()));
        let config = Config::from_flags(flags(&[]), variable.clone()).unwrap();
        assert_eq!(config.redis, RedisChoice::Named("redis://variable".into()));
        let config = Config::from_flags(flags(&["--own-redis-port", "0"]), variable).unwrap();
        assert_eq!(config.redis, RedisChoice::OwnIfNone);
        let both = flags(&["--own-redis-port", "0", "--redis", "redis://flag"]);
        assert!(Config::from_flags(both, None).unwrap_err().contains("give one of them"));
    }

    #[test]
    fn impossible_limits_are_refused_by_name() {
        for (args, named) in [
            (["--max-len", "0"], "--max-len"),
            (["--max-message", "0"], "--max-message"),
            (["--max-messages", "1MiB"], "--max-messages"),
            (["--idle-timeout", "5s"], "--idle-timeout"),
            (["--rest-workers", "99999999"], "--rest-workers"),
            (["--listen", "0.0.0.0:7890"], "--insecure-dev-auth"),
            (["--listen", "nowhere"], "--listen"),
            (["--own-redis-port", "7890"], "--own-redis-port"),
            (["--allow-origin", "lab"], "--allow-origin"),
            (["--allow-host", "lab:80"], "--allow-host"),
        ] {
            let error = Config::from_args(&args).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }
}
