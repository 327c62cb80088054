//! One WebSocket: messages in and out, pings and pongs, the silent peer, and the closing handshake.
//! Nothing here waits unless its name says so.

use std::io::{self, IoSlice, Read};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::coding::{close_payload, put_frame, put_header};
use super::frames::Frames;
use super::handshake;
use super::incoming::{Event, Incoming, Limits};
use crate::net::wait::is_quiet;
use crate::net::wire::{Wire, takes_nothing};
use crate::state::context::Context;
use crate::words::ending::Ending;
use crate::words::error::close;

/// How long a closing handshake may take.
const CLOSING: Duration = Duration::from_secs(2);

/// How long a peer that is only to be seen to may be listened to at once.
const TENDING: Duration = Duration::from_millis(100);

/// Bytes of frames that are gathered for one write.
const ONE_WRITE: usize = 64 << 10;

/// Messages of at least so many bytes are sent from where they are; shorter ones are gathered.
const SENT_IN_PLACE: usize = 16 << 10;

/// Bytes that a peer may leave unread before nothing more is read from it.
const MOST_UNREAD: usize = 256 << 10;

/// Bytes read at once from a peer whose words no longer count.
const SINK: usize = 64 << 10;

/// A WebSocket of ours. It belongs to one thread.
pub struct Socket {
    wire: Wire,
    frames: Frames,
    /// Frames that the peer has not taken yet.
    outbox: Vec<u8>,
    /// Since when it has taken nothing of them.
    stuck: Option<Instant>,
    context: Arc<Context>,
    /// Messages that were read past and not asked for yet.
    passed: u64,
    /// When it was first pinged of the times that it has not answered, and when last.
    pinged: Option<Instant>,
    asked_again: Instant,
}

impl Socket {
    /// Takes a stream, and the bytes that arrived behind the request's head.
    pub fn new(stream: Arc<TcpStream>, early: Vec<u8>, context: &Arc<Context>) -> Socket {
        let limits = &context.config.limits;
        let limits = Limits {
            message: limits.max_message.0,
            stall: limits.stall_timeout,
            patience: limits.redis_patience,
            budget: Some(context.messages.clone()),
        };
        Socket {
            wire: context.wire(stream),
            frames: Frames::new(early, limits),
            outbox: Vec::new(),
            stuck: None,
            context: context.clone(),
            passed: 0,
            pinged: None,
            asked_again: Instant::now(),
        }
    }

    /// Answers the upgrade.
    pub fn upgrade(&mut self, accept: &str) -> io::Result<()> {
        let response = handshake::response(accept);
        let answered = self
            .wire
            .write_all(&mut [IoSlice::new(response.as_bytes())], self.wire.stall());
        // Behind half an answer nothing else may be said.
        answered
            .and_then(|()| self.wire.stop_blocking())
            .inspect_err(|_| self.wire.end(Shutdown::Both))
    }

    /// From now on messages are read past.
    pub fn ignore_messages(&mut self) {
        self.frames.keep_nothing();
    }

    /// Takes one of the messages that were read past, if there is one.
    pub fn take_message(&mut self) -> bool {
        let some = self.passed > 0;
        self.passed -= u64::from(some);
        some
    }

    /// From now on what arrives is looked for anew.
    pub fn look_again(&mut self) {
        self.frames.look_again();
    }

    /// The next message, if it is there already. Pings are answered on the way.
    pub fn next(&mut self) -> Result<Option<Incoming>, Ending> {
        self.push_out()?;
        self.read_on()
    }

    /// The same, but a peer that can no longer be written to is still heard.
    pub fn read_on(&mut self) -> Result<Option<Incoming>, Ending> {
        let mut begun = None;
        while !self.is_clogged() {
            let mut received = 0;
            let event = self.frames.next(&mut self.wire.stream(), &mut received);
            if received > 0 {
                self.wire.hear();
            }
            match event? {
                Some(Event::Message(message)) => return Ok(Some(message)),
                Some(Event::ReadPast) => self.passed += 1,
                Some(Event::Passed) => {}
                Some(Event::Ping(payload)) => {
                    put_frame(OpCode::Control(Control::Pong), &payload, &mut self.outbox);
                    self.push_out()?;
                }
                Some(Event::Close(code)) => return Err(Ending::ByPeer(code.unwrap_or(close::NORMAL))),
                None => break,
            }
            // A peer that never stops talking only takes its own time, and only so much of it.
            if begun.get_or_insert_with(Instant::now).elapsed() > TENDING {
                break;
            }
        }
        self.keep_alive()?;
        Ok(None)
    }

    /// Answers pings and sees whether the peer left; what else it sent is ignored.
    pub fn tend(&mut self) -> Result<(), Ending> {
        if self.context.stopping() {
            return Err(Ending::stopping());
        }
        self.look_again();
        let tended = self.next().map(|_| ());
        // Nobody expects more soon.
        self.frames.rest();
        tended
    }

    /// Whether `next` may have something although nothing arrives.
    pub fn has_read_ahead(&self) -> bool {
        self.frames.has_read_ahead()
    }

    /// What this socket waits for: something from the peer, if more is `wanted`, and room for what is due to it.
    pub fn interest(&self, wanted: bool) -> Option<PollFd<'_>> {
        let mut what = PollFlags::empty();
        if wanted && !self.is_clogged() && !self.frames.is_starved() {
            what |= PollFlags::IN;
        }
        if !self.outbox.is_empty() {
            what |= PollFlags::OUT;
        }
        (!what.is_empty()).then(|| PollFd::new(self.wire.stream(), what))
    }

    /// Waits for that, for so long at most.
    pub fn wait(&mut self, wanted: bool, time: Duration) {
        let mut interest: Vec<_> = self.interest(wanted).into_iter().collect();
        let waited = crate::net::wait::poll(&mut interest, time);
        let quiet = waited.is_ok() && interest.iter().all(|fd| fd.revents().is_empty());
        drop(interest);
        if quiet {
            self.frames.rest();
        }
    }

    /// Sends a text message as soon as the peer takes it.
    pub fn send_text(&mut self, text: &str) -> Result<(), Ending> {
        put_frame(OpCode::Data(Data::Text), text.as_bytes(), &mut self.outbox);
        self.push_out()
    }

    /// Sends a text and a binary message together, waiting for a slow peer. Short ones are gathered until `flush`.
    pub fn send_pair(&mut self, text: &str, bytes: &[u8]) -> Result<(), Ending> {
        put_frame(OpCode::Data(Data::Text), text.as_bytes(), &mut self.outbox);
        self.send(Data::Binary, bytes)
    }

    /// Sends a message, waiting for a slow peer. Short ones are gathered until `flush`.
    pub fn send(&mut self, kind: Data, bytes: &[u8]) -> Result<(), Ending> {
        put_header(OpCode::Data(kind), bytes.len(), &mut self.outbox);
        if bytes.len() < SENT_IN_PLACE {
            self.outbox.extend_from_slice(bytes);
            return if self.outbox.len() < ONE_WRITE {
                Ok(())
            } else {
                self.flush()
            };
        }
        self.write(bytes, self.wire.stall())
    }

    /// Sends what was gathered, waiting for a slow peer.
    pub fn flush(&mut self) -> Result<(), Ending> {
        if self.outbox.is_empty() {
            Ok(())
        } else {
            self.write(&[], self.wire.stall())
        }
    }

    /// Ends the socket the way its ending asks for, within two seconds.
    pub fn finish(&mut self, ending: &Ending) {
        let (code, reason) = match ending {
            Ending::ByPeer(code) => (*code, ""),
            Ending::ByUs(code, reason) => (*code, reason.as_str()),
            Ending::Lost(_) => return self.wire.end(Shutdown::Both),
        };
        put_frame(
            OpCode::Control(Control::Close),
            &close_payload(code, reason),
            &mut self.outbox,
        );
        if self.write(&[], CLOSING).is_ok() && matches!(ending, Ending::ByUs(..)) {
            self.await_close();
        }
        self.wire.end(Shutdown::Both);
    }

    /// Waits for the peer's answer to our close, reading past whatever it had still sent: closing on unread bytes would
    /// reset the connection, and the peer might never see our reason.
    fn await_close(&mut self) {
        let until = Instant::now() + CLOSING;
        let mut parsing = true;
        let mut sink = Vec::new();
        self.frames.keep_nothing();
        while Instant::now() < until {
            let mut received = 0;
            let quiet = if parsing {
                match self.frames.next(&mut self.wire.stream(), &mut received) {
                    Ok(Some(Event::Close(_))) | Err(Ending::Lost(_)) => return,
                    Ok(Some(_)) => false,
                    Ok(None) => true,
                    Err(_) => {
                        // What is broken can only be read away.
                        parsing = false;
                        sink.resize(SINK, 0);
                        self.wire.end(Shutdown::Write);
                        false
                    }
                }
            } else {
                match self.wire.stream().read(&mut sink) {
                    Ok(0) => return,
                    Ok(_) => false,
                    Err(error) if is_quiet(&error) => true,
                    Err(_) => return,
                }
            };
            let left = until.saturating_duration_since(Instant::now());
            if quiet && self.wire.wait(PollFlags::IN, left).is_err() {
                return;
            }
        }
    }

    fn is_clogged(&self) -> bool {
        self.outbox.len() > MOST_UNREAD
    }

    /// Writes what the peer takes at once. A peer that can no longer be written to is owed nothing more.
    pub fn push_out(&mut self) -> Result<(), Ending> {
        self.try_push_out().map_err(|error| {
            self.outbox.clear();
            Ending::lost(&error)
        })
    }

    fn try_push_out(&mut self) -> io::Result<()> {
        if self.outbox.is_empty() {
            return Ok(());
        }
        let taken = self.wire.write_now(&self.outbox)?;
        self.outbox.drain(..taken);
        if self.outbox.is_empty() {
            self.outbox.shrink_to(ONE_WRITE);
            self.stuck = None;
            return Ok(());
        }
        if taken > 0 && self.stuck.take().is_some() {
            // What the system takes at once says nothing of the peer, but room that it makes later does.
            self.wire.hear();
        }
        let stuck = *self.stuck.get_or_insert_with(Instant::now);
        if stuck.elapsed() >= self.wire.stall() || self.wire.is_stopping_for_long() {
            return Err(takes_nothing());
        }
        Ok(())
    }

    /// Writes the outbox and these bytes behind it, waiting for a slow peer.
    fn write(&mut self, bytes: &[u8], patience: Duration) -> Result<(), Ending> {
        let mut pieces = [IoSlice::new(&self.outbox), IoSlice::new(bytes)];
        let written = self.wire.write_all(&mut pieces, patience);
        self.outbox.clear();
        self.outbox.shrink_to(ONE_WRITE);
        self.stuck = None;
        written.map_err(|error| Ending::lost(&error))
    }

    /// Pings a quiet peer, and gives up one that was silent for too long, also to a ping: only then is it silent, and not we
    /// busy elsewhere.
    fn keep_alive(&mut self) -> Result<(), Ending> {
        let limits = &self.context.config.limits;
        let silent = self.wire.silent_for();
        if silent < limits.ping_interval {
            return Ok(());
        }
        let unanswered = self.pinged.map(|at| at.elapsed()).filter(|since| *since <= silent);
        match unanswered {
            // Nothing is read while a message waits for memory, so an answer would not be seen.
            _ if self.frames.is_starved() => Ok(()),
            Some(since) if silent >= limits.idle_timeout && since >= limits.idle_timeout - limits.ping_interval => Err(
                Ending::Lost(format!("the peer was silent for {silent:.0?} (--idle-timeout)")),
            ),
            // One that has been asked is asked again, but not more often.
            Some(since) if self.asked_again.elapsed().min(since) < limits.ping_interval => Ok(()),
            _ => {
                if unanswered.is_none() {
                    self.pinged = Some(Instant::now());
                }
                self.asked_again = Instant::now();
                put_frame(OpCode::Control(Control::Ping), &[], &mut self.outbox);
                self.push_out()
            }
        }
    }
}
