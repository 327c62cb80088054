//! Connections come in: each that there is a place for gets a thread, and the others a word why not.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle, sleep};
use std::time::Duration;

use log::{debug, error, warn};

use super::{relay, reply, serve};
use crate::net::wait::STACK;
use crate::state::context::Context;
use crate::words::error::Error;

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
    let number = match context.connections.add(stream.clone(), peer) {
        Ok(number) => number,
        Err(error) => return turn_away(&stream, peer, &error, context),
    };
    let (shared, taken) = (context.clone(), stream.clone());
    let spawned = Builder::new()
        .name(format!("conn-{number}"))
        .stack_size(STACK)
        .spawn(move || {
            let _leave = Leave {
                number,
                context: &shared,
            };
            serve(taken, peer, number, &shared);
        });
    if let Err(error) = spawned {
        warn!("no thread for {peer}: {error}");
        context.connections.remove(number);
        let error = Error::Busy("The system grants no thread for this connection.".into());
        turn_away(&stream, peer, &error, context);
    }
}

fn turn_away(stream: &TcpStream, peer: SocketAddr, error: &Error, context: &Context) {
    debug!("{peer} turned away: {error}");
    context.metrics.request("none", "", error.status());
    reply::turn_away(stream, error);
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
    }
}
