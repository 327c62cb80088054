//! `/data/{id}/pull`: what a pull delivers, as messages of a WebSocket.

use std::time::Duration;

use rustix::event::PollFd;
use tungstenite::protocol::frame::coding::Data;

use super::socket::Socket;
use crate::pull::Outlet;
use crate::request::call;
use crate::store::Beside;
use crate::words::batch::{Joined, Names};
use crate::words::ending::Ending;
use crate::words::ids::StreamId;
use crate::words::shape::{self, Format, Gap};

/// The peer of a pull.
pub struct Peer<'a> {
    socket: &'a mut Socket,
    streams: Vec<StreamId>,
    format: Format,
    /// The names of the streams, if offsets tell them.
    names: Option<Names>,
    ended: Option<Ending>,
}

impl<'a> Peer<'a> {
    /// Its messages are not looked at, only counted.
    pub fn new(socket: &'a mut Socket, call: &call::Pull) -> Peer<'a> {
        socket.ignore_messages();
        Peer {
            socket,
            streams: call.streams.clone(),
            format: call.format,
            names: call.named.then(|| Names::new(&call.streams)),
            ended: None,
        }
    }
}

impl Outlet for Peer<'_> {
    fn deliver(&mut self, reply: &Joined) -> Result<bool, Ending> {
        if self.format == Format::Pairs {
            let offsets = reply.offsets(self.names.as_ref());
            self.socket.send_pair(&offsets, &reply.bytes)?;
            return Ok(true);
        }
        for (item, entry) in reply.entries() {
            if self.format == Format::Raw {
                self.socket.send(Data::Binary, entry)?;
            } else {
                let line = shape::line(&self.streams[item.stream], item, entry);
                self.socket.send(Data::Text, &line)?;
            }
        }
        Ok(true)
    }

    fn tell_gap(&mut self, gap: &Gap) -> Result<(), Ending> {
        match self.format {
            Format::Json => self.socket.send(Data::Text, gap.line().as_bytes()),
            Format::Pairs | Format::Raw => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<(), Ending> {
        self.socket.flush()
    }

    fn wait(&mut self, time: Duration) -> Result<(), Ending> {
        self.socket.wait(true, time);
        self.socket.tend()
    }

    fn take_message(&mut self) -> bool {
        self.socket.take_message()
    }

    fn ended(&mut self) -> Option<Ending> {
        self.ended.take()
    }
}

impl Beside for Peer<'_> {
    fn interest(&self) -> Option<PollFd<'_>> {
        self.socket.interest(true)
    }

    fn see_to(&mut self) -> bool {
        if self.ended.is_none() {
            self.ended = self.socket.tend().err();
        }
        self.ended.is_none()
    }
}
