//! HTTP replies that stay open: entries as they come, for `curl -N`, `EventSource` and `<img>`.
//! Each is served on the thread of its connection, as a WebSocket is, so that none of them holds a REST worker.

mod body;
mod events;
mod follower;
mod pictures;

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use log::info;

use crate::limits::Pass;
use crate::limits::metrics::Counter;
use crate::net::wire::send_little_ahead;
use crate::pull::{Outlet, Pull, Tally, detail};
use crate::request::call::{self, Framing};
use crate::state::context::Context;
use crate::words::ending::Ending;
use crate::words::error::{Error, StoreError, close};
use crate::words::http::{Head, Reply};
use crate::words::log_line;
use crate::words::shape::{Format, LINES_TYPE};
use body::Body;
use follower::Follower;
use pictures::Boundary;

/// How long Redis may take to answer what must be known before a reply begins.
const OPENING_TIMEOUT: Duration = Duration::from_secs(2);

/// How long to wait before a Redis that was away when the reply was opened is asked again.
const RETRY: Duration = Duration::from_millis(100);

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
    headers: Vec<(&'static str, String)>,
    call: call::Pull,
    framing: Framing,
    boundary: Boundary,
    /// None while Redis is away: then it is not known yet where to begin.
    pull: Option<Pull>,
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
        let pull = match begin(&call, framing, context) {
            Ok(Some(pull)) => Some(pull),
            // With any other status a browser would ask again, for ever.
            Ok(None) => {
                return Ok(Opened::Whole(Reply {
                    status: 204,
                    ..Reply::default()
                }));
            }
            // After a 503 an `EventSource` would never ask again, nor would an `<img>`. So this waits as those do that are open.
            Err(error) if error.is_passing() => None,
            Err(error) => return Err(error.into()),
        };
        // Only pictures need one, and it is cheap.
        let boundary = Boundary::random()?;
        let content_type = match (framing, call.format) {
            (Framing::Events, _) => "text/event-stream",
            (Framing::Mjpeg, _) => &boundary.content_type(),
            (Framing::Plain, Format::Json) => LINES_TYPE,
            (Framing::Plain, _) => "application/octet-stream",
        };
        // nginx in front would otherwise gather entries until they fill its buffers.
        let reply = Reply::of_entries(content_type, Vec::new()).with("X-Accel-Buffering", "no");
        if self.head.method == "HEAD" {
            return Ok(Opened::Whole(reply));
        }
        let common = context.config.origins.headers(self.head);
        Ok(Opened::Open(Box::new(Open {
            stream: self.stream,
            peer: self.peer,
            chunked: self.head.minor_version > 0,
            headers: [reply.headers, common].concat(),
            call,
            framing,
            boundary,
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
            headers,
            call,
            framing,
            boundary,
            pull,
            context,
            _place,
        } = self;
        if call.newest {
            send_little_ahead(stream);
        }
        let begun = Instant::now();
        let names = log_line::streams(&call.streams);
        let told = |pull: &Pull| detail(&call, pull);
        let known = pull.as_ref().map_or("waits for Redis".to_string(), told);
        info!("follow open stream={names} {known} {peer}");
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
        let ending = match Body::begin(stream, chunked, &headers, context) {
            Ok(body) => {
                let mut follower = Follower::new(body, &call, framing, boundary);
                let begun = pull.map_or_else(|| begin_later(&mut follower, &call, context), Ok);
                let ending = match begun {
                    Ok(pull) => {
                        follower.start_at(pull.places());
                        pull.run(&mut follower, &tally)
                    }
                    Err(ending) => ending,
                };
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

/// Finds out where to begin; none if an `EventSource` has had everything before.
fn begin(call: &call::Pull, framing: Framing, context: &Context) -> Result<Option<Pull>, StoreError> {
    let session = context.store.session(OPENING_TIMEOUT).probing();
    let mut pull = Pull::begin(session, call)?;
    let is_over = framing == Framing::Events && pull.is_over()?;
    Ok((!is_over).then_some(pull))
}

/// Sees to the client until Redis is there, and then finds out where to begin. What can no longer be a status, such as a key that
/// is no stream, breaks the reply off: a browser that comes back is told.
fn begin_later(follower: &mut Follower, call: &call::Pull, context: &Context) -> Result<Pull, Ending> {
    loop {
        if let Some(ending) = follower.ended() {
            return Err(ending);
        }
        follower.wait(RETRY)?;
        match Pull::begin(context.store.session(OPENING_TIMEOUT), call) {
            Err(error) if error.is_passing() => {}
            begun => return begun.map_err(|error| Ending::store_failed(&error)),
        }
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
