//! HTTP replies that stay open: entries as they come, for `curl -N`, `EventSource` and `<img>`.
//! Each is served on the thread of its connection, as a WebSocket is, so that none of them holds a REST worker.

mod body;
mod events;
mod follower;

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use log::info;

use crate::call::{self, Framing};
use crate::context::Context;
use crate::ending::Ending;
use crate::error::{Error, close};
use crate::http::{Head, Reply};
use crate::limits::Pass;
use crate::log_line;
use crate::metrics::Counter;
use crate::pull::{Pull, Tally, detail};
use crate::wire::send_little_ahead;
use body::Body;
use follower::Follower;

/// How long Redis may take to answer what must be known before a reply begins.
const OPENING_TIMEOUT: Duration = Duration::from_secs(2);

/// A request for such a reply.
pub struct Opening<'a> {
    /// Its connection.
    pub stream: &'a Arc<TcpStream>,
    /// Who asks.
    pub peer: SocketAddr,
    /// The request.
    pub head: &'a Head,
}

/// What becomes of the request.
pub enum Opened<'a> {
    /// A reply that stays open.
    Open(Box<Open<'a>>),
    /// One that does not: `HEAD`, or an `EventSource` that comes back for more than there will be.
    Whole(Reply),
}

/// A reply that stays open and has not begun yet.
pub struct Open<'a> {
    stream: &'a Arc<TcpStream>,
    peer: SocketAddr,
    /// HTTP/1.0 knows no chunks: the end of the connection is the end of the reply.
    chunked: bool,
    call: call::Pull,
    framing: Framing,
    pull: Pull,
    context: &'a Arc<Context>,
    _place: Pass<'a>,
}

impl<'a> Opening<'a> {
    /// Checks everything that can refuse the request.
    pub fn open(self, call: call::Pull, framing: Framing, context: &'a Arc<Context>) -> Result<Opened<'a>, Error> {
        let limit = context.config.limits.max_sockets;
        let place = context.sockets.enter(Duration::ZERO).ok_or_else(|| {
            Error::Busy(format!(
                "{limit} WebSockets and replies that stay open are open (--max-sockets)."
            ))
        })?;
        let session = context.store.session(OPENING_TIMEOUT).probing();
        let mut pull = Pull::begin(session, &call)?;
        if framing == Framing::Events && pull.is_over()? {
            // With any other status a browser would ask again, for ever.
            return Ok(Opened::Whole(Reply {
                status: 204,
                ..Reply::default()
            }));
        }
        if self.head.method == "HEAD" {
            let kind = body::content_type(call.format, framing);
            let mut reply = Reply::typed(200, kind, Vec::new());
            for (name, value) in body::OWN_HEADERS {
                reply = reply.with(name, value);
            }
            return Ok(Opened::Whole(reply));
        }
        Ok(Opened::Open(Box::new(Open {
            stream: self.stream,
            peer: self.peer,
            chunked: self.head.minor_version > 0,
            call,
            framing,
            pull,
            context,
            _place: place,
        })))
    }
}

impl Open<'_> {
    /// Serves it until it ends.
    pub fn run(self) {
        let Open {
            stream,
            peer,
            chunked,
            call,
            framing,
            pull,
            context,
            _place,
        } = self;
        if call.newest {
            send_little_ahead(stream);
        }
        let begun = Instant::now();
        let names = log_line::streams(&call.streams);
        info!("follow open stream={names} {} {peer}", detail(&call, &pull));
        let metrics = &context.metrics;
        metrics.sockets_open.follow.add(1);
        metrics.sockets_total.follow.add(1);
        let _open = Counted(&metrics.sockets_open.follow);
        let (entries, bytes) = (Counter::default(), Counter::default());
        let tally = Tally {
            context,
            entries: [&entries, &metrics.entries_out.rest],
            bytes: [&bytes, &metrics.bytes_out.rest],
        };
        let ending = match Body::begin(stream, chunked, call.format, framing, context) {
            Ok(body) => {
                let mut follower = Follower::new(body, &call, framing, pull.positions());
                let ending = pull.run(&mut follower, &tally);
                follower.finish(&ending)
            }
            Err(ending) => ending,
        };
        info!(
            "follow closed stream={names} entries={} bytes={} seconds={:.1} code={} {peer}{}",
            entries.get(),
            bytes.get(),
            begun.elapsed().as_secs_f64(),
            ending.code(),
            ending.reason(),
        );
    }
}

/// Whether everything that was asked for has been said. A client can tell: any other reply breaks off without its end.
fn is_whole(ending: &Ending) -> bool {
    matches!(ending, Ending::ByUs(close::NORMAL | close::GAP, _))
}

/// Counts a reply as open until it is dropped, also by a panic.
struct Counted<'a>(&'a Counter);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.subtract(1);
    }
}
