//! How the program is: up, in touch with Redis, and by the numbers. The door answers these itself.

use std::time::Duration;

use serde_json::json;

use crate::limits::metrics::Metrics;
use crate::store::Store;
use crate::words::error::Error;
use crate::words::http::Reply;

/// How long Redis may take to answer a ping.
const PING_TIMEOUT: Duration = Duration::from_secs(1);

/// `GET /ping`: whether Redis answers and takes writes, asked right now unless the watch knows that it does not answer.
pub fn ping(store: &Store) -> Result<Reply, Error> {
    store.ping(PING_TIMEOUT)?;
    Ok(Reply::json(&json!(true)))
}

/// `GET /health`: the process is up, whatever Redis does.
pub fn health() -> Reply {
    Reply::json(&json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}

/// `GET /metrics`.
pub fn metrics(metrics: &Metrics) -> Reply {
    Reply::typed(
        200,
        "text/plain; version=0.0.4; charset=utf-8",
        metrics.text().into_bytes(),
    )
}
