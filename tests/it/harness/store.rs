//! A store in this process, on a port of its own.

use std::ops::Deref;

use ptg_store::{Config, Server};

use super::{Client, Proxy, Redis, TEST_HOST};

/// Talks like a `Client`; stopped when it goes out of scope.
pub struct Store {
    // Declared before the Redis, and so dropped before it: a store that is stopped needs its Redis.
    server: Option<Server>,
    client: Client,
    pub redis: Redis,
}

impl Store {
    /// With a private Redis.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// With a private Redis and more flags.
    pub fn with(flags: &[&str]) -> Self {
        Self::on(&Redis::start(), flags)
    }

    /// On a Redis that the test has a hand on, or that several stores share.
    pub fn on(redis: &Redis, flags: &[&str]) -> Self {
        Self::at(&redis.url(), redis, flags)
    }

    /// On a Redis that it reaches through a proxy.
    pub fn through(proxy: &Proxy, redis: &Redis, flags: &[&str]) -> Self {
        Self::at(&proxy.url(), redis, flags)
    }

    /// On a Redis that it reaches by this URL.
    pub fn at(url: &str, redis: &Redis, flags: &[&str]) -> Self {
        let mut all = vec!["--redis", url];
        all.extend_from_slice(flags);
        all.extend(TEST_HOST);
        if !flags.contains(&"--listen") {
            all.extend(["--listen", "127.0.0.1:0"]);
        }
        let config = Config::from_args(&all).unwrap_or_else(|error| panic!("{all:?}: {error}"));
        let server = Server::start(config).unwrap_or_else(|error| panic!("{all:?}: {error}"));
        Self {
            client: Client::new(server.address()),
            server: Some(server),
            redis: redis.clone(),
        }
    }

    /// A graceful stop; returns when every thread has ended.
    pub fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop();
        }
    }
}

impl Deref for Store {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}
