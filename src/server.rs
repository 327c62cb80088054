//! Starting and stopping everything, in order.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use log::{info, warn};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;

use crate::config::{Config, RedisChoice};
use crate::context::Context;
use crate::door;
use crate::metrics::Metrics;
use crate::redis_server::{self, RedisServer};
use crate::rest::Rest;
use crate::store::{Store, Watch};

/// How long connections may take to end by themselves before they are broken off, and after that.
/// With the time that Redis may take, a stop ends within ten seconds.
const STOP_PATIENCE: Duration = Duration::from_secs(4);
const BREAK_PATIENCE: Duration = Duration::from_secs(1);

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
    redis: Option<RedisServer>,
    _private: TempDir,
}

impl Server {
    /// Starts everything; the error is a sentence for the user.
    pub fn start(config: Config) -> Result<Server, String> {
        raise_descriptor_limit(&config);
        let listener =
            TcpListener::bind(config.listen).map_err(|error| format!("cannot listen on {}: {error}", config.listen))?;
        let address = listener
            .local_addr()
            .map_err(|error| format!("cannot tell the address: {error}"))?;
        let (url, redis) = find_redis(&config)?;
        let metrics = Arc::new(Metrics::default());
        let store = Arc::new(Store::new(&url, config.max_len, metrics.clone())?);
        // Whoever can reach the REST workers directly passes the door by, so only we can.
        let private = tempfile::Builder::new()
            .prefix("ptg-store-")
            .permissions(std::fs::Permissions::from_mode(0o700))
            .tempdir()
            .map_err(|error| format!("cannot make a private folder: {error}"))?;
        let context = Context::new(config, store.clone(), metrics, private.path().join("rest.sock"));
        let context = Arc::new(context);
        let watch = Watch::start(store).map_err(|error| format!("cannot watch Redis: {error}"))?;
        let rest = Rest::start(&context)?;
        let door = door::open(listener, context.clone()).map_err(|error| format!("cannot open the door: {error}"))?;
        Ok(Server {
            address,
            context,
            door: Some(door),
            rest: Some(rest),
            watch: Some(watch),
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
        let state = if store.is_up() { "" } else { " (does not answer yet)" };
        let redis = match &self.redis {
            Some(own) => format!(
                "{} (started by us, data in {})",
                store.address(),
                own.data_dir.display()
            ),
            None => format!("{} (not ours, data where it keeps it){state}", store.address()),
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
        self.context.stop();
        door::wake(self.address);
        if let Some(door) = self.door.take() {
            let _ = door.join();
        }
        let connections = &self.context.connections;
        if !connections.wait_for_none(STOP_PATIENCE) {
            warn!("breaking off {} connections that did not end", connections.count());
            connections.break_all();
            connections.wait_for_none(BREAK_PATIENCE);
        }
        self.rest = None;
        self.watch = None;
        self.redis = None;
        info!("stopped");
    }
}

/// Takes all the descriptors that the machine grants, and says so if the caps could need more.
fn raise_descriptor_limit(config: &Config) {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        warn!("cannot raise the limit of open files: {error}");
    }
    // A connection is one; a WebSocket has one to Redis, too; a REST request has three on its way to a worker.
    let limits = &config.limits;
    let most = limits.max_connections + limits.max_sockets + config.rest_workers * 16 + SPARE_DESCRIPTORS;
    let granted = getrlimit(Resource::Nofile).current;
    if granted.is_some_and(|granted| granted < most as u64) {
        warn!(
            "--max-connections and --max-sockets may need {most} open files, {} are granted: raise ulimit -n or lower them",
            granted.unwrap_or_default()
        );
    }
}

fn find_redis(config: &Config) -> Result<(String, Option<RedisServer>), String> {
    match &config.redis {
        RedisChoice::Named(url) => Ok((url.clone(), None)),
        RedisChoice::OwnIfNone if redis_server::is_running() => Ok((redis_server::default_url(), None)),
        RedisChoice::OwnIfNone => {
            let server = RedisServer::start(&config.data_dir)?;
            Ok((server.url.clone(), Some(server)))
        }
    }
}
