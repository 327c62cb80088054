//! Counters, and their text in the Prometheus exposition format
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::limits::lock;

/// A number that only rises, or a gauge that also falls.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

/// Everything that is counted. Nothing here ever holds a token, a password or a stream's name.
#[derive(Debug, Default)]
#[allow(missing_docs)]
pub struct Metrics {
    requests: Mutex<BTreeMap<(&'static str, &'static str, u16), u64>>,
    pub connections_open: Counter,
    pub connections_evicted: Counter,
    pub sockets_open: PerSocket,
    pub sockets_total: PerSocket,
    pub body_bytes: Counter,
    pub message_bytes: Counter,
    pub entries_in: PerWay,
    pub bytes_in: PerWay,
    pub entries_out: PerWay,
    pub bytes_out: PerWay,
    pub redis_up: Counter,
    pub redis_errors: Counter,
    pub redis_reconnects: Counter,
    pub push_entries_lost: Counter,
    pub pull_gaps: Counter,
    pub pull_entries_missed: Counter,
    pub pull_entries_skipped: Counter,
    pub handler_panics: Counter,
}

/// One counter for each kind of WebSocket, and one for HTTP replies that stay open.
#[derive(Debug, Default)]
#[allow(missing_docs)]
pub struct PerSocket {
    pub push: Counter,
    pub pull: Counter,
    pub follow: Counter,
}

/// One counter for each way that entries travel.
#[derive(Debug, Default)]
#[allow(missing_docs)]
pub struct PerWay {
    pub socket: Counter,
    pub rest: Counter,
}

impl Counter {
    /// Adds.
    pub fn add(&self, number: u64) {
        self.0.fetch_add(number, Relaxed);
    }

    /// Takes away; of gauges only.
    pub fn subtract(&self, number: u64) {
        self.0.fetch_sub(number, Relaxed);
    }

    /// Sets; of gauges only. Returns the old value.
    pub fn set(&self, number: u64) -> u64 {
        self.0.swap(number, Relaxed)
    }

    /// The value now.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Metrics {
    /// Counts a request that was answered. Unknown methods are counted as one, so that clients cannot make up labels.
    pub fn request(&self, route: &'static str, method: &str, status: u16) {
        const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"];
        let method = KNOWN.into_iter().find(|known| *known == method).unwrap_or("other");
        let mut requests = lock(&self.requests);
        *requests.entry((route, method, status)).or_default() += 1;
    }

    /// The text of `GET /metrics`.
    pub fn text(&self) -> String {
        let mut text = Text::default();
        let requests = lock(&self.requests).clone();
        let requests = requests.iter().map(|((route, method, status), count)| {
            (
                format!("{{route=\"{route}\",method=\"{method}\",status=\"{status}\"}}"),
                *count,
            )
        });
        text.family("ptg_requests_total", "counter", "HTTP requests answered.", requests);
        text.single(
            "ptg_connections_open",
            "gauge",
            "TCP connections open.",
            &self.connections_open,
        );
        text.single(
            "ptg_connections_evicted_total",
            "counter",
            "Idle connections closed to make room for newcomers.",
            &self.connections_evicted,
        );
        text.sockets(
            "ptg_sockets_open",
            "gauge",
            "WebSockets and replies that stay open.",
            &self.sockets_open,
        );
        text.sockets(
            "ptg_sockets_total",
            "counter",
            "WebSockets and replies that stay open, ever opened.",
            &self.sockets_total,
        );
        text.single(
            "ptg_body_bytes",
            "gauge",
            "Bytes of REST bodies and replies in memory.",
            &self.body_bytes,
        );
        text.single(
            "ptg_message_bytes",
            "gauge",
            "Bytes of WebSocket messages that arrive or wait to be stored, the first 64 KiB of each socket not counted.",
            &self.message_bytes,
        );
        text.ways("ptg_entries_in_total", "push", "Entries stored.", &self.entries_in);
        text.ways("ptg_bytes_in_total", "push", "Bytes of entries stored.", &self.bytes_in);
        text.ways("ptg_entries_out_total", "pull", "Entries delivered.", &self.entries_out);
        text.ways(
            "ptg_bytes_out_total",
            "pull",
            "Bytes of entries delivered.",
            &self.bytes_out,
        );
        text.single(
            "ptg_redis_up",
            "gauge",
            "1 while Redis answers and takes writes.",
            &self.redis_up,
        );
        text.single(
            "ptg_redis_errors_total",
            "counter",
            "Redis commands that failed.",
            &self.redis_errors,
        );
        text.single(
            "ptg_redis_reconnects_total",
            "counter",
            "Redis connections made anew after a loss.",
            &self.redis_reconnects,
        );
        text.single(
            "ptg_push_entries_lost_total",
            "counter",
            "Entries received by WebSocket whose storing was given up; their socket was told.",
            &self.push_entries_lost,
        );
        text.single(
            "ptg_pull_gaps_total",
            "counter",
            "Times a puller was slower than retention, or its stream began anew.",
            &self.pull_gaps,
        );
        text.single(
            "ptg_pull_entries_missed_total",
            "counter",
            "Entries that were gone before a puller got them.",
            &self.pull_entries_missed,
        );
        text.single(
            "ptg_pull_entries_skipped_total",
            "counter",
            "Entries that pulls with newest=true left out because their client was behind.",
            &self.pull_entries_skipped,
        );
        text.single(
            "ptg_handler_panics_total",
            "counter",
            "Requests answered with 500, and connections broken off, because their thread panicked.",
            &self.handler_panics,
        );
        text.0
    }
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn family<L: Display>(&mut self, name: &str, kind: &str, help: &str, samples: impl IntoIterator<Item = (L, u64)>) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in samples {
            let _ = writeln!(self.0, "{name}{labels} {value}");
        }
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, counter: &Counter) {
        self.family(name, kind, help, [("", counter.get())]);
    }

    fn sockets(&mut self, name: &str, kind: &str, help: &str, counters: &PerSocket) {
        let samples = [
            ("{kind=\"push\"}", counters.push.get()),
            ("{kind=\"pull\"}", counters.pull.get()),
            ("{kind=\"follow\"}", counters.follow.get()),
        ];
        self.family(name, kind, help, samples);
    }

    fn ways(&mut self, name: &str, socket: &str, help: &str, counters: &PerWay) {
        let socket = (format!("{{via=\"{socket}\"}}"), counters.socket.get());
        let rest = ("{via=\"rest\"}".to_string(), counters.rest.get());
        self.family(name, "counter", help, [socket, rest]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_a_type_for_every_family_and_a_line_for_every_sample() {
        let metrics = Metrics::default();
        metrics.request("/ping", "GET", 200);
        metrics.request("/ping", "GET", 200);
        metrics.request("none", "BREW\"}", 404);
        metrics.entries_in.rest.add(3);
        let text = metrics.text();
        assert!(text.contains("ptg_requests_total{route=\"/ping\",method=\"GET\",status=\"200\"} 2\n"));
        assert!(text.contains("ptg_requests_total{route=\"none\",method=\"other\",status=\"404\"} 1\n"));
        assert!(text.contains("ptg_entries_in_total{via=\"rest\"} 3\n"));
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split(['{', ' ']).next().unwrap();
            assert!(text.contains(&format!("# TYPE {name} ")), "{line}");
        }
    }
}
