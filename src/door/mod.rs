//! The public port. One thread for each connection reads one sane request head at a time and decides:
//! a WebSocket stays on this thread, anything else is read whole and handed to the REST workers.
//!
//! tiny_http never faces the network, because one hostile request can end it; see DESIGN, "The door".

mod body;
mod head;
mod inbox;
mod relay;
mod reply;

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle, sleep};
use std::time::{Duration, Instant};

use log::{debug, error, info, warn};

use crate::call::{Call, Framing, Pull};
use crate::context::Context;
use crate::error::Error;
use crate::follow::Opened;
use crate::http::{Head, Reply};
use crate::log_line::field;
use crate::wait::{STACK, TICK};
use crate::{follow, router, websocket};
use body::Body;
use inbox::Inbox;

/// The largest body that is put behind its head for one write, in bytes.
const ONE_WRITE: usize = 64 << 10;

/// How long accepting pauses after an error, such as no descriptors left, which only passes with time.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);

/// Starts the thread that accepts connections until the context is told to stop. The REST workers must be there.
pub fn open(listener: TcpListener, context: Arc<Context>) -> io::Result<JoinHandle<()>> {
    relay::open_lines(&context)?;
    Builder::new()
        .name("door".into())
        .spawn(move || accept(&listener, &context))
}

/// Wakes the accepting thread, so that it sees the order to stop.
pub fn wake(address: SocketAddr) {
    let mut address = address;
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    let _ = TcpStream::connect_timeout(&address, Duration::from_secs(1));
}

fn accept(listener: &TcpListener, context: &Arc<Context>) {
    let mut failing = false;
    while !context.stopping() {
        match listener.accept() {
            Ok((stream, peer)) => {
                failing = false;
                if !context.stopping() {
                    admit(stream, peer, context);
                }
            }
            Err(error) => {
                // Once a change, not once a try: this may go on for long.
                if !std::mem::replace(&mut failing, true) {
                    warn!("cannot accept connections: {error}; trying on");
                }
                sleep(ACCEPT_BACKOFF);
            }
        }
    }
}

fn admit(stream: TcpStream, peer: SocketAddr, context: &Arc<Context>) {
    let stream = Arc::new(stream);
    let limit = context.config.limits.max_connections;
    let Some(number) = context.connections.add(stream.clone(), limit) else {
        debug!("{peer} turned away: {limit} connections are open");
        context.metrics.request("none", "", 503);
        reply::turn_away(&stream, limit);
        return;
    };
    context.metrics.connections_open.set(context.connections.count() as u64);
    let shared = context.clone();
    let spawned = Builder::new()
        .name(format!("conn-{number}"))
        .stack_size(STACK)
        .spawn(move || {
            let _leave = Leave {
                number,
                context: &shared,
            };
            serve(stream, peer, &shared);
        });
    if let Err(error) = spawned {
        warn!("no thread for {peer}: {error}");
        context.connections.remove(number);
        context.metrics.connections_open.set(context.connections.count() as u64);
    }
}

/// Signs a connection off, also when its thread panics.
struct Leave<'a> {
    number: u64,
    context: &'a Context,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.context.metrics.handler_panics.add(1);
            error!("the thread of connection {} panicked", self.number);
        }
        self.context.connections.remove(self.number);
        self.context
            .metrics
            .connections_open
            .set(self.context.connections.count() as u64);
    }
}

/// Serves one connection until it ends.
fn serve(stream: Arc<TcpStream>, peer: SocketAddr, context: &Arc<Context>) {
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
        context,
        head: Head::default(),
        begun: Instant::now(),
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
        if !exchange.answer(&mut inbox) {
            return;
        }
        wait = context.config.limits.keep_alive;
    }
}

/// One request and its reply.
struct Exchange<'a> {
    stream: Arc<TcpStream>,
    peer: SocketAddr,
    context: &'a Arc<Context>,
    head: Head,
    begun: Instant,
}

impl Exchange<'_> {
    /// Answers a request; whether the connection can take another.
    fn answer(&mut self, inbox: &mut Inbox) -> bool {
        let context = self.context;
        if let Err(error) = self.admit_page() {
            self.refuse(inbox, &error);
            return false;
        }
        let framing = match body::framing(&self.head, &context.config.limits) {
            Ok(framing) => framing,
            // What path, method, token and parameters say comes first, but such a connection is beyond use.
            Err(error) => {
                let error = self.call().err().unwrap_or(error);
                self.refuse(inbox, &error);
                return false;
            }
        };
        match self.call() {
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
                Ok(body) => self.hand_over(body),
                Err(error) => {
                    self.refuse(inbox, &error);
                    false
                }
            },
            // Nothing is left to be read, so a worker can say it, and the connection lives on.
            Err(_) if framing.is_empty() => self.hand_over(Body::empty(context)),
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
                self.reply(&reply);
                reply::linger(inbox, &self.stream);
            }
            Err(error) => self.refuse(inbox, &error),
        }
    }

    fn hand_over(&self, body: Body) -> bool {
        let keep = reply::keeps_alive(&self.head) && !self.context.stopping();
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
                self.say(&error);
                false
            }
        }
    }

    /// Tells the client why its request is refused, then closes so that it can read that.
    fn refuse(&self, inbox: &mut Inbox, error: &Error) {
        self.say(error);
        reply::linger(inbox, &self.stream);
    }

    fn say(&self, error: &Error) {
        self.reply(&error.to_reply());
    }

    fn reply(&self, reply: &Reply) {
        self.log(reply.status, reply.body.len());
        let wire = reply::serialize(reply, self.head.method == "HEAD", &self.common_headers());
        let _ = reply::write(&self.stream, &wire, self.context);
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
