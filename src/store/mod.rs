//! Everything Redis: one `Store` for the program, and a `Session` for each thread that talks to it.
//! Only this folder and `redis_server.rs` name the redis crate.

mod activity;
mod append;
mod describe;
mod read;
mod session;
mod value;
mod watch;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis::{Client, ConnectionAddr, IntoConnectionInfo, RedisResult, io::tcp::TcpSettings};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use crate::error::StoreError;
use crate::ids::{META_PREFIX, StreamId};
use crate::limits::lock;
use crate::metrics::Metrics;

pub use activity::Activity;
pub use describe::StreamInfo;
pub use read::{ReadAhead, Room};
pub use session::Session;
pub use watch::Watch;

/// How long making a connection may take. On one machine or one network it takes milliseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The field of an entry that holds its bytes.
const DATA_FIELD: &str = "d";

/// The Redis that the program uses.
pub struct Store {
    client: Client,
    address: String,
    /// Retention of streams that set none.
    max_len: u64,
    metrics: Arc<Metrics>,
    down: Mutex<Option<String>>,
}

impl Store {
    /// Prepares to use the Redis at `url`; no connection is made yet.
    pub fn new(url: &str, max_len: u64, metrics: Arc<Metrics>) -> Result<Store, String> {
        // The URL may hold a password, so messages do not show it.
        let wrong = |error: redis::RedisError| {
            format!("the Redis address is not like redis://127.0.0.1:6789 or redis+unix:///path: {error}")
        };
        let info = url.into_connection_info().map_err(wrong)?;
        let address = info.addr().to_string();
        // One command waits for one reply here, which Nagle's algorithm would delay.
        let tcp = TcpSettings::default().set_nodelay(true);
        // Without its name told, a connection costs no round trip before its first command.
        let redis = info.redis_settings().clone().set_skip_set_lib_name();
        let info = info.set_tcp_settings(tcp).set_redis_settings(redis);
        let client = Client::open(info).map_err(wrong)?;
        Ok(Store {
            client,
            address,
            max_len,
            metrics,
            down: Mutex::new(None),
        })
    }

    /// Where Redis is, without a password.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A conversation with Redis in which every reply must come within `reply_timeout`.
    pub fn session(self: &Arc<Self>, reply_timeout: Duration) -> Session {
        Session::new(self.clone(), reply_timeout)
    }

    /// Why Redis did not answer when it was last asked; none if it did.
    pub fn down(&self) -> Option<String> {
        lock(&self.down).clone()
    }

    fn set_down(&self, cause: Option<String>) {
        self.metrics.redis_up.set(cause.is_none().into());
        *lock(&self.down) = cause;
    }

    fn connect(&self) -> RedisResult<redis::Connection> {
        // The redis crate connects to a Unix socket without a deadline, and a Redis that hangs, with its queue full,
        // would keep us for ever. So a connection that never waits goes ahead and sees whether there is room.
        if let ConnectionAddr::Unix(path) = self.client.get_connection_info().addr() {
            let address = SocketAddrUnix::new(path).map_err(io::Error::from)?;
            let probe = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::NONBLOCK, None);
            connect(&probe.map_err(io::Error::from)?, &address).map_err(io::Error::from)?;
        }
        self.client.get_connection_with_timeout(CONNECT_TIMEOUT)
    }
}

fn meta_key(stream: &StreamId) -> String {
    format!("{META_PREFIX}{stream}")
}

fn unexpected(what: &str) -> StoreError {
    StoreError::Refused(format!("its reply to {what} has an unexpected shape"))
}
