//! The flags of the store. Every limit and deadline that a user may want to change is one, with its unit and its reason.
//! Each is a variable of the environment, too (`environment`).

use std::path::PathBuf;
use std::time::Duration;

use argh::{ArgsInfo, FromArgs};

use super::DEFAULT_DATA_DIR;
use crate::words::units::{Size, Span};

/// REST and WebSocket in front of Redis Streams. Without a flag it serves on 127.0.0.1:7890, with a Redis of its own.
/// Sizes are bytes, or take KiB, MiB, GiB; times are seconds, or take ms, s, m, h, d.
/// What no flag says, the variable of the environment in brackets may; where a flag may be given more than once, with commas.
#[derive(FromArgs, ArgsInfo, Debug, Clone)]
pub struct Flags {
    /// address to serve on (default 127.0.0.1:7890; port 0 takes a free one)
    #[argh(option, arg_name = "address", default = "String::from(\"127.0.0.1:7890\")")]
    pub listen: String,

    /// redis to use: redis://[user:password@]host:port[/db] or redis+unix:///path. Default: the environment's REDIS_URL;
    /// else redis://127.0.0.1:6789, where the program starts a redis-server (or valkey-server) if nothing listens there
    #[argh(option, arg_name = "url")]
    pub redis: Option<String>,

    /// folder for the data of a Redis that the program starts itself; only your account can enter it (default ptg-data)
    #[argh(option, arg_name = "folder", default = "PathBuf::from(DEFAULT_DATA_DIR)")]
    pub data_dir: PathBuf,

    /// port of 127.0.0.1 for a Redis of this data folder's own, which no Redis that is there already replaces; 0 is none: then it
    /// has a socket in the folder only (default: the Redis on port 6789 is used, and started if need be)
    #[argh(option, arg_name = "port")]
    pub own_redis_port: Option<u16>,

    /// about how many entries a stream keeps unless it sets its own max_len (default 1000)
    #[argh(option, arg_name = "entries", default = "1000")]
    pub max_len: u64,

    /// let development sign-in (password = user name) face other machines too; without it only loopback is served
    #[argh(switch)]
    pub insecure_dev_auth: bool,

    /// origin whose web pages may use the store, such as https://lab.example; null are pages of files, * is all. May be given
    /// more than once (default: only the store's own pages)
    #[argh(option, arg_name = "origin")]
    pub allow_origin: Vec<String>,

    /// host name or address that requests may be sent to, besides those of loopback, of this machine and of --listen; * is all.
    /// May be given more than once
    #[argh(option, arg_name = "host")]
    pub allow_host: Vec<String>,

    /// how long a new token is good for (default 30d)
    #[argh(option, arg_name = "time", default = "span(30 * 86_400)")]
    pub token_life: Span,

    /// most TCP connections at once; for one more the one that has been idle the longest is closed, and if none is, it is told 503
    /// (default 4096; each costs a thread and a descriptor)
    #[argh(option, arg_name = "count", default = "4096")]
    pub max_connections: usize,

    /// most TCP connections of one client address, or one IPv6 /64, at once; one more is told 503 (default 512, but as many as come from this
    /// machine, where a proxy speaks for many; a number given here is for all addresses; 0 is no limit)
    #[argh(option, arg_name = "count")]
    pub max_connections_per_address: Option<usize>,

    /// most WebSockets at once; one more is told 503 (default 1024; each has a Redis connection of its own)
    #[argh(option, arg_name = "count", default = "1024")]
    pub max_sockets: usize,

    /// largest WebSocket message, so the largest entry or batch pushed (default 64MiB)
    #[argh(option, arg_name = "size", default = "Size(64 << 20)")]
    pub max_message: Size,

    /// memory for all WebSocket messages that arrive or wait to be stored, the first 64KiB of each socket not counted; beyond
    /// it a socket waits for its turn, and after --redis-patience is closed with 1013 (default 1GiB)
    #[argh(option, arg_name = "size", default = "Size(1 << 30)")]
    pub max_messages: Size,

    /// largest body of a REST request, and of a REST reply (default 64MiB)
    #[argh(option, arg_name = "size", default = "Size(64 << 20)")]
    pub max_body: Size,

    /// memory for all REST bodies and replies together; beyond it the answer is 503 (default 256MiB)
    #[argh(option, arg_name = "size", default = "Size(256 << 20)")]
    pub max_bodies: Size,

    /// most entries in one batch or one POST, because Redis stores them in one go (default 65536)
    #[argh(option, arg_name = "entries", default = "65_536")]
    pub max_batch: usize,

    /// largest request head: request line and headers (default 16KiB)
    #[argh(option, arg_name = "size", default = "Size(16 << 10)")]
    pub max_head: Size,

    /// how long a request head may take to arrive (default 10s)
    #[argh(option, arg_name = "time", default = "span(10)")]
    pub head_timeout: Span,

    /// how long an idle HTTP connection is kept for its next request (default 60s)
    #[argh(option, arg_name = "time", default = "span(60)")]
    pub keep_alive: Span,

    /// how often a quiet WebSocket peer is pinged (default 20s; proxies drop quiet connections after 30 to 60)
    #[argh(option, arg_name = "time", default = "span(20)")]
    pub ping_interval: Span,

    /// a WebSocket peer that was silent for so long, pongs included, is dropped (default 60s; three pings)
    #[argh(option, arg_name = "time", default = "span(60)")]
    pub idle_timeout: Span,

    /// a client that takes no byte of what it is sent for so long is dropped, and a REST body that stalls is 408 (default 30s)
    #[argh(option, arg_name = "time", default = "span(30)")]
    pub stall_timeout: Span,

    /// how long a push is held back while Redis is lost, before it is closed with 1013 (default 10s)
    #[argh(option, arg_name = "time", default = "span(10)")]
    pub redis_patience: Span,

    /// threads that handle REST requests, each with a Redis connection (default 8)
    #[argh(option, arg_name = "count", default = "8")]
    pub rest_workers: usize,
}

const fn span(seconds: u64) -> Span {
    Span(Duration::from_secs(seconds))
}
