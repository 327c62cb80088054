//! Starting and stopping everything, in order.

pub mod listeners;
mod processes;
pub mod redis_server;

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use log::{info, warn};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;

use crate::http::door;
use crate::http::rest::Rest;
use crate::limits::metrics::Metrics;
use crate::net::wait::join_by;
use crate::server::redis_server::{Found, RedisServer};
use crate::state::config::{Config, DEFAULT_DATA_DIR, REDIS_VARIABLE, RedisChoice, environment};
use crate::state::context::Context;
use crate::store::{Lookout, Store, Watch};
use crate::words::log_line;
use crate::words::visible;

/// How long a stop may take in all: the contract grants ten seconds.
const STOP_PATIENCE: Duration = Duration::from_millis(9_500);

/// How much of it connections may take to end by themselves, and to end once they are broken off.
const CONNECTIONS_PATIENCE: Duration = Duration::from_secs(4);
const BREAK_PATIENCE: Duration = Duration::from_secs(1);

/// How much of it is kept for a Redis of ours.
const REDIS_SHARE: Duration = Duration::from_secs(3);

/// Descriptors for everything that is there once: log, listener, Redis of the watch, and what libraries open.
const SPARE_DESCRIPTORS: usize = 64;

/// The running store. Stop it with `stop`, or by dropping it.
pub struct Server {
    address: SocketAddr,
    context: Arc<Context>,
    // Stopped from top to bottom: nobody comes in, then nobody is inside, then the ground may go.
    door: Option<JoinHandle<()>>,
    rest: Option<Rest>,
    watch: Option<Watch>,
    lookout: Option<Lookout>,
    redis: Option<RedisServer>,
    _private: TempDir,
}

impl Server {
    /// Starts everything; the error is a sentence for the user.
    pub fn start(config: Config) -> Result<Server, String> {
        Server::start_unless(config, &AtomicBool::new(false))
    }

    /// Like `start`, but gives up when `interrupted` turns true. Only a Redis of ours can make a start long.
    pub fn start_unless(mut config: Config, interrupted: &AtomicBool) -> Result<Server, String> {
        fit_descriptors(&mut config)?;
        let listener = TcpListener::bind(config.listen).map_err(|error| cannot_listen(config.listen, &error))?;
        let address = listener
            .local_addr()
            .map_err(|error| format!("cannot tell the address: {error}"))?;
        let (url, redis) = find_redis(&config, interrupted)?;
        let metrics = Arc::new(Metrics::default());
        let store = Store::new(&url, config.max_len, metrics.clone())?;
        let store = Arc::new(store.with_log(redis.as_ref().map(|own| own.log.clone())));
        // Whoever can reach the REST workers directly passes the door by, so only we can.
        let private = tempfile::Builder::new()
            .prefix("ptg-store-")
            .permissions(std::fs::Permissions::from_mode(0o700))
            .tempdir()
            .map_err(|error| format!("cannot make a private folder: {error}"))?;
        let context = Context::new(config, store.clone(), metrics, private.path().join("rest.sock"));
        let context = Arc::new(context);
        let watch = Watch::start(store.clone()).map_err(|error| format!("cannot watch Redis: {error}"))?;
        let lookout = Lookout::start(store).map_err(|error| format!("cannot look at streams: {error}"))?;
        let rest = Rest::start(&context)?;
        let door = door::open(listener, context.clone()).map_err(|error| format!("cannot open the door: {error}"))?;
        Ok(Server {
            address,
            context,
            door: Some(door),
            rest: Some(rest),
            watch: Some(watch),
            lookout: Some(lookout),
            redis,
            _private: private,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a user wants to know at start.
    pub fn summary(&self) -> String {
        let store = &self.context.store;
        let state = store.state();
        let state = state.trouble().map_or(String::new(), |cause| {
            format!("\n                 {}", log_line::sentence(&cause.to_string()))
        });
        let address = visible::line(store.address());
        let redis = match &self.redis {
            Some(own) => format!(
                "{address} ({}, data in {})",
                if own.started {
                    "started by us"
                } else {
                    "started by an earlier store"
                },
                visible::line(&own.data_dir.to_string_lossy())
            ),
            None => format!("{address} (not ours, data where it keeps it){state}"),
        };
        format!(
            "ptg-store {} listens on http://{}\n  redis          {redis}\n  sign-in        {}\n  documentation  http://{}/docs",
            env!("CARGO_PKG_VERSION"),
            self.address,
            self.context.auth.mode(),
            self.address,
        )
    }

    /// Lets nobody in any more, stores what was received, closes every socket with 1001, ends every thread.
    pub fn stop(self) {}
}

impl Drop for Server {
    fn drop(&mut self) {
        info!("stopping");
        let end = Instant::now() + STOP_PATIENCE;
        let end_of_threads = if self.redis.is_some() { end - REDIS_SHARE } else { end };
        self.context.stop();
        door::wake(self.address);
        if let Some(door) = self.door.take() {
            join_by(door, end_of_threads);
        }
        let connections = &self.context.connections;
        if !connections.wait_for_none(CONNECTIONS_PATIENCE) {
            warn!("breaking off {} connections that did not end", connections.count());
            connections.break_all();
            connections.wait_for_none(BREAK_PATIENCE);
        }
        self.context.lines.clear();
        if let Some(rest) = self.rest.take() {
            rest.stop_by(end_of_threads);
        }
        if let Some(watch) = self.watch.take() {
            watch.stop_by(end_of_threads);
        }
        if let Some(lookout) = self.lookout.take() {
            lookout.stop_by(end_of_threads);
        }
        if let Some(redis) = self.redis.take() {
            redis.leave_by(end);
        }
        info!("stopped");
    }
}

/// Why it cannot be listened there, and what to do about it.
fn cannot_listen(address: SocketAddr, error: &io::Error) -> String {
    let cause = match error.kind() {
        ErrorKind::AddrInUse => match listeners::holder(address.port()) {
            Some(holder) => format!("{holder} does already"),
            None => "another program does already".into(),
        },
        ErrorKind::AddrNotAvailable => "no network of this machine has that address".into(),
        ErrorKind::PermissionDenied => format!("{error}; ports below 1024 are root's"),
        _ => error.to_string(),
    };
    let variable = environment::variable_of("--listen").unwrap_or_default();
    format!(
        "cannot listen on {address}: {cause}. --listen (in the environment: {variable}) names another address; \
         127.0.0.1:0 takes any free port"
    )
}

/// Takes all the descriptors that the machine grants, and lowers the caps to what they are enough for:
/// at the limit accepting fails, and tiny_http does not survive that.
fn fit_descriptors(config: &mut Config) -> Result<(), String> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        warn!("cannot raise the limit of open files: {error}");
    }
    let Some(granted) = getrlimit(Resource::Nofile).current else {
        return Ok(());
    };
    let granted = usize::try_from(granted).unwrap_or(usize::MAX);
    let Some((connections, sockets)) = caps_within(granted, config)? else {
        return Ok(());
    };
    let limits = &mut config.limits;
    limits.max_connections = connections;
    limits.max_sockets = sockets;
    warn!(
        "only {granted} open files are granted (ulimit -n): --max-connections is now {}, --max-sockets {}",
        limits.max_connections, limits.max_sockets
    );
    Ok(())
}

/// How many descriptors a store with these flags takes when every cap is used up.
pub fn descriptors(config: &Config) -> usize {
    // A WebSocket is a connection, and has another one to Redis.
    let caps = config.limits.max_connections.saturating_add(config.limits.max_sockets);
    caps.saturating_add(fixed_descriptors(config))
}

/// Connections and sockets that so many descriptors are enough for, none if they are for all; the error says that they are
/// not even enough to serve.
pub fn caps_within(granted: usize, config: &Config) -> Result<Option<(usize, usize)>, String> {
    if descriptors(config) <= granted {
        return Ok(None);
    }
    let fixed = fixed_descriptors(config);
    let left = granted.saturating_sub(fixed);
    let (connections, sockets) = (left / 4 * 3, left / 4);
    if sockets == 0 {
        return Err(format!(
            "{granted} open files are granted, and at least {} are needed: raise ulimit -n",
            fixed + 4
        ));
    }
    let limits = &config.limits;
    Ok(Some((
        limits.max_connections.min(connections),
        limits.max_sockets.min(sockets),
    )))
}

fn fixed_descriptors(config: &Config) -> usize {
    // A worker has a connection to Redis, and a line to it takes one descriptor of the door and two of tiny_http.
    SPARE_DESCRIPTORS + config.rest_workers * (1 + 3)
}

fn find_redis(config: &Config, interrupted: &AtomicBool) -> Result<(String, Option<RedisServer>), String> {
    match &config.redis {
        RedisChoice::Named(url) => {
            if config.data_dir.is_dir() || config.data_dir != Path::new(DEFAULT_DATA_DIR) {
                let unused = visible::line(&config.data_dir.to_string_lossy()).into_owned();
                info!("--redis or {REDIS_VARIABLE} names a Redis: --data-dir {unused} is not used");
            }
            Ok((url.clone(), None))
        }
        RedisChoice::OwnIfNone => match redis_server::find(&config.data_dir, config.own_redis_port, interrupted)? {
            Found::Ours(server) => Ok((server.url.clone(), Some(server))),
            Found::Theirs => Ok((redis_server::default_url(), None)),
        },
    }
}
