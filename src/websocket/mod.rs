//! WebSockets (RFC 6455) on the door's own thread and stream: opening, and the two endpoints.
//! In come the door's stream and a typed call, out goes how it ended. On the server's side only this folder names tungstenite.

mod coding;
mod frames;
mod handshake;
mod incoming;
mod intake;
mod load;
mod pull;
mod push;
mod refusal;
mod socket;
mod storer;

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use log::info;

use crate::limits::Pass;
use crate::limits::metrics::{Counter, PerSocket};
use crate::net::wire::send_little_ahead;
use crate::pull::{Pull, Tally, detail};
use crate::request::call::{self, Call};
use crate::state::context::Context;
use crate::store::Session;
use crate::words::error::Error;
use crate::words::http::Head;
use crate::words::log_line;
use pull::Peer;
use socket::Socket;

/// How long Redis may take to answer what must be known before an upgrade is answered.
const OPENING_TIMEOUT: Duration = Duration::from_secs(2);

/// A request for a WebSocket.
pub struct Opening<'a> {
    /// Its connection.
    pub stream: &'a Arc<TcpStream>,
    /// Who asks.
    pub peer: SocketAddr,
    /// The request.
    pub head: &'a Head,
    /// Bytes that came right behind the head.
    pub early: Vec<u8>,
}

/// A WebSocket whose upgrade has been answered.
pub struct Opened<'a> {
    socket: Socket,
    work: Work,
    /// Its streams, for the log.
    stream: String,
    peer: SocketAddr,
    context: &'a Arc<Context>,
    _place: Pass<'a>,
}

enum Work {
    Push(call::Push, Session),
    Pull(Box<(call::Pull, Pull)>),
}

/// Entries and bytes that one socket moved.
#[derive(Debug, Default)]
pub struct Moved {
    entries: Counter,
    bytes: Counter,
}

impl Opening<'_> {
    /// Checks everything that can refuse a socket, then answers the upgrade.
    pub fn open<'a>(self, call: Call, context: &'a Arc<Context>) -> Result<Opened<'a>, Error> {
        let accept = handshake::check(self.head)?;
        let limit = context.config.limits.max_sockets;
        let place = context
            .sockets
            .enter(Duration::ZERO)
            .ok_or_else(|| Error::Busy(format!("{limit} WebSockets are open (--max-sockets).")))?;
        let mut session = context.store.session(OPENING_TIMEOUT).probing();
        let (stream, work) = match call {
            Call::Push(push) => {
                match push.target.streams() {
                    [] => session.check_answers(OPENING_TIMEOUT)?,
                    streams => streams.iter().try_for_each(|stream| session.check_is_stream(stream))?,
                }
                session.check_pushing(push.target.streams(), push.batch)?;
                (push.target.to_string(), Work::Push(push, session))
            }
            Call::Pull(call) => {
                if call.newest {
                    send_little_ahead(self.stream);
                }
                let pull = Pull::begin(session, &call)?;
                (log_line::streams(&call.streams), Work::Pull(Box::new((call, pull))))
            }
            _ => return Err(Error::NotFound),
        };
        let mut socket = Socket::new(self.stream.clone(), self.early, context);
        socket
            .upgrade(&accept)
            .map_err(|error| Error::refused(400, format!("The upgrade failed: {error}.")))?;
        Ok(Opened {
            socket,
            work,
            stream,
            peer: self.peer,
            context,
            _place: place,
        })
    }
}

impl Opened<'_> {
    /// Serves the socket until it ends.
    pub fn run(self) {
        let Opened {
            mut socket,
            work,
            stream,
            peer,
            context,
            _place,
        } = self;
        let begun = Instant::now();
        let (kind, detail) = match &work {
            Work::Push(push, _) => ("push", format!("batch={} ack={}", push.batch, push.ack)),
            Work::Pull(work) => ("pull", detail(&work.0, &work.1)),
        };
        info!("{kind} open stream={stream} {detail} {peer}");
        let counted = Counted::new(kind, context);
        let moved = Moved::default();
        let ending = match work {
            Work::Push(call, session) => push::run(&call, session, &mut socket, context, &moved),
            Work::Pull(work) => {
                let (call, pull) = *work;
                let tally = Tally {
                    context,
                    entries: [&moved.entries, &context.metrics.entries_out.socket],
                    bytes: [&moved.bytes, &context.metrics.bytes_out.socket],
                };
                pull.run(&mut Peer::new(&mut socket, &call), &tally)
            }
        };
        drop(counted);
        socket.finish(&ending);
        info!(
            "{kind} closed stream={stream} entries={} bytes={} seconds={:.1} code={} {peer}{}",
            moved.entries.get(),
            moved.bytes.get(),
            begun.elapsed().as_secs_f64(),
            ending.code(),
            ending.reason(),
        );
    }
}

/// Counts a socket as open until it is dropped.
struct Counted<'a> {
    kind: &'static str,
    context: &'a Context,
}

impl<'a> Counted<'a> {
    fn new(kind: &'static str, context: &'a Context) -> Counted<'a> {
        let counted = Counted { kind, context };
        counted.of(&context.metrics.sockets_open).add(1);
        counted.of(&context.metrics.sockets_total).add(1);
        counted
    }

    fn of<'b>(&self, counters: &'b PerSocket) -> &'b crate::limits::metrics::Counter {
        if self.kind == "push" {
            &counters.push
        } else {
            &counters.pull
        }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.of(&self.context.metrics.sockets_open).subtract(1);
    }
}
