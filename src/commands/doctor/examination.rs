//! What the checks share: whom they ask, within which time, and what those before them found out.

use std::cell::OnceCell;
use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, unbounded};
use ptg_store::Config;
use ptg_store::server::redis_server;
use ptg_store::state::config::environment;
use ptg_store::words::info::Info;
use redis::{Connection, FromRedisValue};

use super::clocks::Skew;
use super::flags::Flags;
use super::machine::is_here;
use super::probe::Probe;
use super::shell::{self, RedisCli};
use super::streams::Activity;
use crate::client::{Failure, Interrupted, Store, TICK};
use crate::commands::bench::direct::{Direct, sentence};

/// How long the store, or Redis, may take for one answer. What is fine takes milliseconds; nobody waits long for a doctor.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// One examination.
pub struct Examination {
    pub flags: Flags,
    pub interrupted: Interrupted,
    /// The store, without a token.
    pub store: Store,
    pub redis: Redis,
    /// A store's limits as they are without flags.
    pub defaults: Config,
    pub known: Known,
}

/// What checks found out for those after them.
#[derive(Default)]
pub struct Known {
    /// Where the store's port is open.
    pub address: OnceCell<SocketAddr>,
    /// It is a store.
    pub is_store: OnceCell<()>,
    /// How far its clock is from ours.
    pub skew: OnceCell<Skew>,
    /// A token that development mode gave; none if it is not in that mode.
    pub development_token: OnceCell<Option<String>>,
    /// The store with a token that it takes.
    pub signed_in: OnceCell<Store>,
    /// The store's Redis answers it.
    pub ping: OnceCell<bool>,
    /// What the Redis that we ask says of itself.
    pub info: OnceCell<Info>,
    /// Whether that is the store's.
    pub same_redis: OnceCell<bool>,
    /// Why much should not be pushed into Redis.
    pub reason_to_spare: OnceCell<&'static str>,
    activity: OnceCell<Result<Activity, String>>,
    probe: OnceCell<Result<Probe, String>>,
}

/// The Redis to ask directly.
pub struct Redis {
    direct: Direct,
    pub cli: RedisCli,
    /// Somebody named it; else it is where a store would look.
    pub named: bool,
    interrupted: Interrupted,
}

impl Examination {
    /// The error is one of usage: nothing is asked yet.
    pub fn new(flags: Flags, interrupted: &Interrupted) -> Result<Examination, Failure> {
        let mut store = Store::at(flags.url.as_deref(), interrupted)?;
        store.patience = PATIENCE;
        // With an environment that no store would start with, its own defaults are of more use than none.
        let defaults = Config::from_environment()
            .or_else(|_| Config::from_args(&[]))
            .map_err(Failure::Usage)?;
        let data_dir = flags.data_dir.as_deref().unwrap_or(&defaults.data_dir);
        let redis = Redis::new(flags.redis.as_deref(), data_dir, interrupted)?;
        Ok(Examination {
            store,
            redis,
            interrupted: interrupted.clone(),
            defaults,
            known: Known::default(),
            flags,
        })
    }

    /// The store with this token, else with the one that its clients find, if there is any.
    pub fn open(&self, token: Option<&str>) -> Result<Store, Failure> {
        let mut store = Store::look(self.flags.url.as_deref(), token, &self.interrupted)?;
        store.patience = PATIENCE;
        Ok(store)
    }

    /// Who is examined.
    pub fn headline(&self) -> String {
        let version = env!("CARGO_PKG_VERSION");
        format!(
            "ptg-store doctor {version}: {} and Redis at {}",
            self.store.url(),
            self.redis.address()
        )
    }

    /// The store, once it is known that one answers.
    pub fn answering(&self) -> Result<&Store, String> {
        let known = self.known.is_store.get();
        known
            .map(|()| &self.store)
            .ok_or_else(|| format!("no store answers at {}", self.store.url()))
    }

    /// The store with a token that it takes.
    pub fn signed_in(&self) -> Result<&Store, String> {
        self.answering()?;
        let store = self.known.signed_in.get();
        store.ok_or_else(|| "there is no token that the store takes".into())
    }

    /// The same, once it is known that its Redis answers.
    pub fn working(&self) -> Result<&Store, String> {
        let store = self.signed_in()?;
        match self.known.ping.get() {
            Some(true) => Ok(store),
            _ => Err("the store cannot work with its Redis".into()),
        }
    }

    /// What the store's Redis says of itself.
    pub fn info(&self) -> Result<&Info, String> {
        if self.known.same_redis.get() == Some(&false) {
            return Err(format!("the Redis at {} is not the store's", self.redis.address()));
        }
        self.known
            .info
            .get()
            .ok_or_else(|| format!("the Redis at {} was not reached", self.redis.address()))
    }

    /// What all streams did lately, asked once.
    pub fn activity(&self) -> Result<&Activity, String> {
        let ask = || {
            let reply = self
                .working()?
                .get("/activity")
                .map_err(|failure| failure.to_string())?;
            let wrong = |error| format!("the reply to GET /activity is not as agreed: {error}");
            let activity: Activity = serde_json::from_value(reply).map_err(wrong)?;
            Ok(activity.without_probes())
        };
        self.known.activity.get_or_init(ask).as_ref().map_err(String::clone)
    }

    /// A stream of our own, made when it is first asked for.
    pub fn probe(&self) -> Result<&Probe, String> {
        let make = || Probe::make(self.working()?);
        self.known.probe.get_or_init(make).as_ref().map_err(String::clone)
    }

    /// From now on not much is pushed, for this reason.
    pub fn spare_redis(&self, reason: &'static str) {
        self.known.reason_to_spare.get_or_init(|| reason);
    }

    /// Whether the store runs on this machine, as far as its address tells.
    pub fn store_is_here(&self) -> bool {
        self.known.address.get().is_some_and(|address| is_here(address.ip()))
    }
}

impl Redis {
    fn new(flag: Option<&str>, data_dir: &Path, interrupted: &Interrupted) -> Result<Redis, Failure> {
        let named = match flag {
            Some(url) => Some((url.to_owned(), "--redis".to_owned())),
            None => environment::redis().map_err(Failure::Usage)?,
        };
        // The one that stores keep in their data folder may have another port, or none.
        let own = || redis_server::url_in(data_dir);
        let (url, by) = named
            .clone()
            .unwrap_or_else(|| (own().unwrap_or_else(redis_server::default_url), String::new()));
        let direct = Direct::new(&url, PATIENCE).map_err(|error| Failure::Usage(format!("{by}: {error}")))?;
        Ok(Redis {
            cli: RedisCli::new(direct.info()),
            direct,
            named: named.is_some(),
            interrupted: interrupted.clone(),
        })
    }

    /// Where it is, without a password.
    pub fn address(&self) -> String {
        self.direct.address()
    }

    /// A command line that asks for its password, and runs this one with it.
    pub fn with_password(&self, command: &str) -> String {
        shell::with_password(self.direct.info(), command)
    }

    /// Whether it runs on this machine, as far as its address tells.
    pub fn is_here(&self) -> bool {
        match self.direct.info().addr() {
            redis::ConnectionAddr::Unix(_) => true,
            redis::ConnectionAddr::Tcp(host, _) => host == "localhost" || host.parse().is_ok_and(is_here),
            _ => false,
        }
    }

    /// One command.
    pub fn ask<T: FromRedisValue + Send + 'static>(&self, words: &[&str]) -> Result<T, String> {
        let mut command = redis::Cmd::new();
        command.arg(words);
        self.converse(move |connection| command.query(connection).map_err(sentence))
    }

    /// A conversation over one connection. Looking up its name cannot be interrupted, nor can a server that says a byte now
    /// and then, so a thread does it, which is left behind if need be: it ends with the program at the latest.
    pub fn converse<T: Send + 'static>(
        &self,
        talk: impl FnOnce(&mut Connection) -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        let direct = self.direct.clone();
        within(PATIENCE, &self.interrupted, move || talk(&mut direct.connect()?))
            .unwrap_or_else(|| Err(format!("Redis at {} does not answer for {PATIENCE:?}", self.address())))
    }
}

/// What the work comes to, if that is in time and the user has not had enough.
pub fn within<T: Send + 'static>(
    patience: Duration,
    interrupted: &Interrupted,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (sender, receiver) = unbounded();
    let worker = thread::Builder::new().name("ask".into());
    // Nobody may be there any more to take the answer.
    worker.spawn(move || drop(sender.send(work()))).ok()?;
    let until = Instant::now() + patience;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match receiver.recv_timeout(left.min(TICK)) {
            Ok(done) => return Some(done),
            Err(RecvTimeoutError::Timeout) if !left.is_zero() && !interrupted.is_set() => {}
            Err(_) => return None,
        }
    }
}
