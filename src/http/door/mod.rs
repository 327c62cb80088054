//! The public port. One thread for each connection reads one sane request head at a time and decides:
//! a WebSocket stays on this thread, anything else is read whole and handed to the REST workers.
//!
//! tiny_http never faces the network, because one hostile request can end it (docs/architecture.md, "What is deliberately absent").

mod accept;
mod body;
mod chunks;
mod head;
mod inbox;
mod relay;
mod reply;
mod target;

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use log::{debug, info};

use crate::http::follow;
use crate::http::follow::Opened;
use crate::http::rest;
use crate::net::wait::TICK;
use crate::request::call::{Call, Framing, Pull};
use crate::request::router;
use crate::state::connections::Begun;
use crate::state::context::Context;
use crate::websocket;
use crate::words::error::Error;
use crate::words::http::{Head, Reply};
use crate::words::log_line::field;
pub use accept::{open, wake};
use body::Body;
use inbox::Inbox;

/// The largest body that is put behind its head for one write, in bytes.
const ONE_WRITE: usize = 64 << 10;

/// Serves one connection until it ends.
fn serve(stream: Arc<TcpStream>, peer: SocketAddr, number: u64, context: &Arc<Context>) {
    let prepared = stream
        .set_nodelay(true)
        .and_then(|()| stream.set_read_timeout(Some(TICK)))
        .and_then(|()| stream.set_write_timeout(Some(TICK)));
    if let Err(error) = prepared {
        debug!("{peer}: {error}");
        return;
    }
    let mut inbox = Inbox::new(stream.clone());
    let mut exchange = Exchange {
        stream,
        peer,
        number,
        context,
        head: Head::default(),
        begun: Instant::now(),
        is_last: false,
    };
    let mut wait = context.config.limits.head_timeout;
    loop {
        match head::read(&mut inbox, wait, context) {
            Ok(Some(head)) => exchange.head = head,
            Ok(None) => return,
            Err(error) => {
                exchange.head = Head::default();
                exchange.begun = Instant::now();
                exchange.refuse(&mut inbox, &error);
                return;
            }
        }
        exchange.begun = Instant::now();
        match context.connections.begin(number) {
            Begun::One => {}
            Begun::Last => exchange.is_last = true,
            Begun::None => return exchange.refuse(&mut inbox, &context.connections.full()),
        }
        if !exchange.answer(&mut inbox) {
            return;
        }
        context.connections.rest(number);
        wait = context.config.limits.keep_alive;
    }
}

/// One request and its reply.
struct Exchange<'a> {
    stream: Arc<TcpStream>,
    peer: SocketAddr,
    number: u64,
    context: &'a Arc<Context>,
    head: Head,
    begun: Instant,
    /// Whether the connection takes no other.
    is_last: bool,
}

impl Exchange<'_> {
    /// Answers a request; whether the connection can take another.
    fn answer(&mut self, inbox: &mut Inbox) -> bool {
        let context = self.context;
        if let Err(error) = self.admit_page() {
            self.refuse(inbox, &error);
            return false;
        }
        let framing = body::framing(&self.head, &context.config.limits);
        let framing = match framing.and_then(|framing| body::waits_for_word(&self.head).map(|_| framing)) {
            Ok(framing) => framing,
            // What path, method, token and parameters say comes first, but such a connection is beyond use.
            Err(error) => {
                let error = self.call().err().unwrap_or(error);
                self.refuse(inbox, &error);
                return false;
            }
        };
        match self.call() {
            // Nothing more can be read from a connection that was closed for a newcomer.
            Ok(Call::Push(_) | Call::Pull(_) | Call::Follow(..)) if self.is_last => {
                self.refuse(inbox, &context.connections.full());
                false
            }
            Ok(Call::Push(_) | Call::Pull(_) | Call::Follow(..)) if !framing.is_empty() => {
                let sentence = "A request for a WebSocket, or for a reply that stays open, has no body.";
                self.refuse(inbox, &Error::refused(400, sentence));
                false
            }
            Ok(call @ (Call::Push(_) | Call::Pull(_))) => {
                self.open_socket(inbox, call);
                false
            }
            Ok(Call::Follow(call, framing)) => {
                self.follow(inbox, call, framing);
                false
            }
            Ok(call) => match body::read(inbox, &self.stream, framing, &call, context, &self.head) {
                Ok(body) => match rest::at_once(&call, &self.head, context) {
                    Some(answer) => self.answer_at_once(answer),
                    None => self.hand_over(body),
                },
                Err(error) => {
                    let error = if self.is_last {
                        context.connections.full()
                    } else {
                        error
                    };
                    self.refuse(inbox, &error);
                    false
                }
            },
            // Nothing is left to be read, so the connection lives on.
            Err(error) if framing.is_empty() => self.answer_at_once(Err(error)),
            Err(error) => {
                self.refuse(inbox, &error);
                false
            }
        }
    }

    /// Refuses what browsers ask for pages of strangers, before anything else is looked at.
    fn admit_page(&self) -> Result<(), Error> {
        let config = &self.context.config;
        config.hosts.check(&self.head, &self.stream)?;
        match self.context.auth.is_own_page(&self.head) {
            true => Ok(()),
            false => config.origins.check(&self.head),
        }
    }

    fn call(&self) -> Result<Call, Error> {
        Call::from_head(&self.head, &self.context.auth, self.context.config.max_len)
    }

    fn open_socket(&mut self, inbox: &mut Inbox, call: Call) {
        let early = inbox.take_all();
        let opening = websocket::Opening {
            stream: &self.stream,
            peer: self.peer,
            head: &self.head,
            early,
        };
        match opening.open(call, self.context) {
            Ok(socket) => {
                self.log(101, 0);
                socket.run();
            }
            Err(error) => self.refuse(inbox, &error),
        }
    }

    fn follow(&mut self, inbox: &mut Inbox, call: Pull, framing: Framing) {
        let opening = follow::Opening {
            stream: &self.stream,
            peer: self.peer,
            head: &self.head,
        };
        match opening.open(call, framing, self.context) {
            Ok(Opened::Open(open)) => {
                self.log(200, 0);
                open.run();
            }
            Ok(Opened::Whole(reply)) => {
                self.reply(&reply, false);
                self.linger(inbox);
            }
            Err(error) => self.refuse(inbox, &error),
        }
    }

    /// Whether the connection lives on behind this request.
    fn keeps_alive(&self) -> bool {
        reply::keeps_alive(&self.head) && !self.is_last && !self.context.stopping()
    }

    /// Answers without a worker: all of them may be waiting for Redis.
    fn answer_at_once(&self, answer: Result<Reply, Error>) -> bool {
        let keep = self.keeps_alive();
        let reply = answer.unwrap_or_else(|error| error.to_reply());
        self.reply(&reply, keep) && keep
    }

    fn hand_over(&self, body: Body) -> bool {
        let keep = self.keeps_alive();
        match relay::ask(self.context, &self.head, body) {
            Ok(answer) => {
                self.log(answer.status, answer.body.len());
                let mut wire = answer.head(keep, &self.common_headers());
                // Small replies leave in one write; large ones are not copied once more.
                let rest = if answer.body.len() <= ONE_WRITE {
                    wire.extend(&answer.body);
                    &[]
                } else {
                    &answer.body[..]
                };
                let written = reply::write(&self.stream, &wire, self.context)
                    .and_then(|()| reply::write(&self.stream, rest, self.context));
                written.is_ok() && keep
            }
            Err(error) => {
                self.reply(&error.to_reply(), false);
                false
            }
        }
    }

    /// Tells the client why its request is refused, then closes so that it can read that.
    fn refuse(&self, inbox: &mut Inbox, error: &Error) {
        self.reply(&error.to_reply(), false);
        self.linger(inbox);
    }

    /// No request is under way any more, so the place may be given to others.
    fn linger(&self, inbox: &mut Inbox) {
        self.context.connections.rest(self.number);
        reply::linger(inbox, &self.stream);
    }

    /// Writes a reply of the door itself; whether the client took it.
    fn reply(&self, reply: &Reply, keep: bool) -> bool {
        self.log(reply.status, reply.body.len());
        let wire = reply::serialize(reply, self.head.method == "HEAD", keep, &self.common_headers());
        reply::write(&self.stream, &wire, self.context).is_ok()
    }

    /// What every reply has besides its own headers.
    fn common_headers(&self) -> Vec<(&'static str, String)> {
        self.context.config.origins.headers(&self.head)
    }

    /// The one place where requests are logged and counted. The query is left out: it may hold a token.
    fn log(&self, status: u16, bytes: usize) {
        let Head { method, path, .. } = &self.head;
        let route = router::pattern(path);
        debug_assert!(
            router::foretells(method, path, status),
            "{method} {path} {status} is not in ROUTES"
        );
        self.context.metrics.request(route, method, status);
        let (method, path) = if method.is_empty() {
            ("-", "-")
        } else {
            (method.as_str(), path.as_str())
        };
        let ms = self.begun.elapsed().as_secs_f64() * 1000.0;
        let (method, path) = (field(method), field(path));
        info!("{method} {path} {status} {bytes} bytes {ms:.1} ms {}", self.peer);
    }
}
