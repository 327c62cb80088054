//! Counters, and their text in the Prometheus exposition format
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

use std::collections::BTreeMap;
use std::fmt::Write;
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
        use Kind::{Gauge, Total};
        use Samples::{One, PerSocket, PerWay};
        let mut text = Text::default();
        let requests = lock(&self.requests).clone();
        let requests = requests.iter().map(|((route, method, status), count)| {
            (
                format!("{{route=\"{route}\",method=\"{method}\",status=\"{status}\"}}"),
                *count,
            )
        });
        text.family("ptg_requests_total", Kind::Total, "HTTP requests answered.", requests);
        #[rustfmt::skip]
        let families = [
            ("ptg_connections_open",           Gauge, One(&self.connections_open),       "TCP connections open."),
            ("ptg_connections_evicted_total",  Total, One(&self.connections_evicted),    "Idle connections closed to make room for newcomers."),
            ("ptg_sockets_open",               Gauge, PerSocket(&self.sockets_open),     "WebSockets and replies that stay open."),
            ("ptg_sockets_total",              Total, PerSocket(&self.sockets_total),    "WebSockets and replies that stay open, ever opened."),
            ("ptg_body_bytes",                 Gauge, One(&self.body_bytes),             "Bytes of REST bodies and replies in memory."),
            ("ptg_message_bytes",              Gauge, One(&self.message_bytes),          "Bytes of WebSocket messages that arrive or wait to be stored, the first 64 KiB of each socket not counted."),
            ("ptg_entries_in_total",           Total, PerWay("push", &self.entries_in),  "Entries stored."),
            ("ptg_bytes_in_total",             Total, PerWay("push", &self.bytes_in),    "Bytes of entries stored."),
            ("ptg_entries_out_total",          Total, PerWay("pull", &self.entries_out), "Entries delivered."),
            ("ptg_bytes_out_total",            Total, PerWay("pull", &self.bytes_out),   "Bytes of entries delivered."),
            ("ptg_redis_up",                   Gauge, One(&self.redis_up),               "1 while Redis answers and takes writes."),
            ("ptg_redis_errors_total",         Total, One(&self.redis_errors),           "Redis commands that failed."),
            ("ptg_redis_reconnects_total",     Total, One(&self.redis_reconnects),       "Redis connections made anew after a loss."),
            ("ptg_push_entries_lost_total",    Total, One(&self.push_entries_lost),      "Entries received by WebSocket whose storing was given up; their socket was told."),
            ("ptg_pull_gaps_total",            Total, One(&self.pull_gaps),              "Times a puller was slower than retention, or its stream began anew."),
            ("ptg_pull_entries_missed_total",  Total, One(&self.pull_entries_missed),    "Entries that were gone before a puller got them."),
            ("ptg_pull_entries_skipped_total", Total, One(&self.pull_entries_skipped),   "Entries that pulls with newest=true left out because their client was behind."),
            ("ptg_handler_panics_total",       Total, One(&self.handler_panics),         "Requests answered with 500, and connections broken off, because their thread panicked."),
        ];
        for (name, kind, samples, help) in families {
            text.family(name, kind, help, samples.get());
        }
        text.0
    }
}

/// What Prometheus makes of a family of samples.
enum Kind {
    /// It only rises, until the store is started anew.
    Total,
    /// It rises and falls.
    Gauge,
}

/// The samples of a family.
enum Samples<'a> {
    One(&'a Counter),
    /// By the kind of what is open.
    PerSocket(&'a PerSocket),
    /// By the way that entries took: a WebSocket of this name, or REST.
    PerWay(&'static str, &'a PerWay),
}

impl Samples<'_> {
    /// The labels and the value of each.
    fn get(&self) -> Vec<(String, u64)> {
        let kind = |name: &str, counter: &Counter| (format!("{{kind=\"{name}\"}}"), counter.get());
        let via = |name: &str, counter: &Counter| (format!("{{via=\"{name}\"}}"), counter.get());
        match self {
            Samples::One(counter) => vec![(String::new(), counter.get())],
            Samples::PerSocket(counters) => vec![
                kind("push", &counters.push),
                kind("pull", &counters.pull),
                kind("follow", &counters.follow),
            ],
            Samples::PerWay(socket, counters) => vec![via(socket, &counters.socket), via("rest", &counters.rest)],
        }
    }
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: Kind, help: &str, samples: impl IntoIterator<Item = (String, u64)>) {
        let kind = match kind {
            Kind::Total => "counter",
            Kind::Gauge => "gauge",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in samples {
            let _ = writeln!(self.0, "{name}{labels} {value}");
        }
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
