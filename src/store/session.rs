//! One conversation with Redis: connects when needed, sends commands, reads replies in time, tells errors apart.
//!
//! Four ways to talk, from the simplest: `command` sends one and has its reply; `exchange` sends packed ones and has whole
//! replies; `converse` reads from the link itself, so that entries pass through a small buffer; `go_on` goes on with that.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::{Cmd, ServerError, Value};

use super::abilities::Abilities;
use super::beside::{Beside, Nobody};
use super::link::{LEFT, Link};
use super::{Store, refusal, value};
use crate::words::error::StoreError;
use crate::words::ids::StreamId;

/// How long it is believed that Redis does not let us do something before it is asked anew.
const LACK_AGE: Duration = Duration::from_secs(1);

/// A connection to Redis that is made anew when it was lost. It belongs to one thread.
pub struct Session {
    pub(super) store: Arc<Store>,
    link: Option<Link>,
    /// The turns of Redis before this connection was made, and when that was.
    turns: u64,
    made: Instant,
    reply_timeout: Duration,
    manner: Manner,
    was_lost: bool,
}

/// What a session does while the watch sees Redis down.
#[derive(PartialEq)]
enum Manner {
    /// Uses the connection that it has, but makes no new one: those would only pile up at a Redis that hangs.
    Waiting,
    /// Refuses at once, so that a hanging Redis does not hang those who wait for this thread.
    FailingFast,
    /// Tries all the same: the watch itself, and a client that asks for the first time.
    Probing,
}

impl Session {
    pub(super) fn new(store: Arc<Store>, reply_timeout: Duration) -> Session {
        Session {
            store,
            link: None,
            turns: 0,
            made: Instant::now(),
            reply_timeout,
            manner: Manner::Waiting,
            was_lost: false,
        }
    }

    /// Makes it refuse at once while the watch sees Redis down.
    pub fn failing_fast(self) -> Session {
        Session {
            manner: Manner::FailingFast,
            ..self
        }
    }

    /// Makes it try even while the watch sees Redis down.
    pub fn probing(self) -> Session {
        Session {
            manner: Manner::Probing,
            ..self
        }
    }

    /// Makes it wait for a Redis that is down, with another patience: it goes on with work that has begun.
    pub fn waiting(mut self, reply_timeout: Duration) -> Session {
        self.set_reply_timeout(reply_timeout);
        Session {
            manner: Manner::Waiting,
            ..self
        }
    }

    /// Redis's clock, in milliseconds since 1970. See <https://redis.io/docs/latest/commands/time/>.
    pub fn time(&mut self) -> Result<u64, StoreError> {
        let time = self.command(&redis::cmd("TIME"))?;
        let parts: Vec<u64> = value::list(time)
            .into_iter()
            .flatten()
            .filter_map(|part| value::text(&part)?.parse().ok())
            .collect();
        match parts.as_slice() {
            [seconds, micros] => Ok(seconds.saturating_mul(1000).saturating_add(micros / 1000)),
            _ => Err(super::unexpected("TIME")),
        }
    }

    /// Sends one command and reads its reply; an error reply is an error.
    pub(super) fn command(&mut self, command: &Cmd) -> Result<Value, StoreError> {
        let mut replies = self.exchange(&command.get_packed_command(), 1, &mut Nobody)?;
        match replies.pop() {
            Some(Value::ServerError(error)) => Err(self.refusal(&error)),
            Some(value) => Ok(value),
            None => Err(super::unexpected("a command")),
        }
    }

    /// Sends packed commands and reads `count` replies, error replies among them.
    pub(super) fn exchange(
        &mut self,
        packed: &[u8],
        count: usize,
        beside: &mut dyn Beside,
    ) -> Result<Vec<Value>, StoreError> {
        self.converse(|link| {
            link.send(&mut [IoSlice::new(packed)], beside)?;
            (0..count).map(|_| link.reply(beside)).collect()
        })
    }

    /// Talks to Redis. A connection that was closed while it rested is replaced before; what has been said is not said
    /// again, because Redis may have done it.
    pub(super) fn converse<T>(&mut self, talk: impl FnOnce(&mut Link) -> io::Result<T>) -> Result<T, StoreError> {
        self.ready()?;
        self.go_on(talk)
    }

    /// Makes sure that there is a connection, as far as that can be told; what its Redis lets us do.
    pub(super) fn ready(&mut self) -> Result<&Abilities, StoreError> {
        self.check_is_up()?;
        let turns = self.store.turns();
        if self.turns != turns || self.link.as_mut().is_some_and(Link::is_over) {
            self.lose();
        }
        let link = match self.link.take() {
            Some(link) => link,
            None => {
                self.made = Instant::now();
                self.connect()?
            }
        };
        self.turns = turns;
        Ok(self.link.insert(link).abilities())
    }

    /// Whether Redis lets us do something. What it did not when the connection was made it may by now, if an operator heeded
    /// what we said: then a new connection tells.
    pub(super) fn check_able(
        &mut self,
        check: impl Fn(&Abilities) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let told = check(self.ready()?);
        if told.is_ok() || self.made.elapsed() < LACK_AGE {
            return told;
        }
        self.lose();
        check(self.ready()?)
    }

    /// Goes on with what `converse` began; what was said is not said again.
    pub(super) fn go_on<T>(&mut self, talk: impl FnOnce(&mut Link) -> io::Result<T>) -> Result<T, StoreError> {
        let said = match &mut self.link {
            Some(link) => talk(link),
            None => Err(io::ErrorKind::NotConnected.into()),
        };
        said.map_err(|error| self.failed(&error))
    }

    /// A connection in the middle of something is of no further use.
    fn failed(&mut self, error: &io::Error) -> StoreError {
        self.lose();
        if error.kind() != LEFT {
            self.store.metrics.redis_errors.add(1);
        }
        if error.kind() == io::ErrorKind::OutOfMemory {
            return StoreError::NoRoom("There is no memory for what Redis sends.".into());
        }
        StoreError::Unreachable(match error.kind() {
            io::ErrorKind::TimedOut => {
                // What is left of a patience has odd fractions.
                let milliseconds = self.reply_timeout.as_micros().div_ceil(1000) as u64;
                format!("no answer within {:?}", Duration::from_millis(milliseconds))
            }
            _ => error.to_string(),
        })
    }

    /// What an error reply means for us. Some end the connection: the next try makes a new one.
    pub(super) fn refusal(&mut self, error: &ServerError) -> StoreError {
        self.store.metrics.redis_errors.add(1);
        if refusal::ends_connection(error) {
            self.lose();
        }
        match (refusal::meaning(error), &self.store.log) {
            (StoreError::Unusable(sentence), Some(log)) if refusal::is_of_saving(error) => {
                StoreError::Unusable(format!("{sentence}; its log is {}", log.display()))
            }
            (meaning, _) => meaning,
        }
    }

    /// Like `command`, for a command about one stream.
    pub(super) fn command_on(&mut self, stream: &StreamId, command: &Cmd) -> Result<Value, StoreError> {
        self.reply_about(stream, &command.get_packed_command(), &mut Nobody)
    }

    /// The reply to a packed command about one stream.
    pub(super) fn reply_about(
        &mut self,
        stream: &StreamId,
        packed: &[u8],
        beside: &mut dyn Beside,
    ) -> Result<Value, StoreError> {
        match self.exchange(packed, 1, beside)?.pop() {
            Some(Value::ServerError(error)) => Err(self.stream_refusal(stream, &error)),
            Some(value) => Ok(value),
            None => Err(super::unexpected("a command")),
        }
    }

    /// The first error among replies about a stream.
    pub(super) fn check(&mut self, stream: &StreamId, replies: &[Value]) -> Result<(), StoreError> {
        let error = replies.iter().find_map(|reply| match reply {
            Value::ServerError(error) => Some(error),
            _ => None,
        });
        error.map_or(Ok(()), |error| Err(self.stream_refusal(stream, error)))
    }

    /// Like `refusal`, but knows which key the command was about.
    pub(super) fn stream_refusal(&mut self, stream: &StreamId, error: &ServerError) -> StoreError {
        self.refusal_about(stream.as_str(), error)
    }

    /// The same of a key by its name.
    pub(super) fn refusal_about(&mut self, key: &str, error: &ServerError) -> StoreError {
        match self.refusal(error) {
            // Scripts of Redis 6 put their own code in front.
            StoreError::Refused(text) if text.contains("WRONGTYPE") => StoreError::NotAStream(key.to_string()),
            other => other,
        }
    }

    fn check_is_up(&mut self) -> Result<(), StoreError> {
        let waits = self.manner == Manner::Waiting && self.link.is_some();
        if waits || self.manner == Manner::Probing {
            return Ok(());
        }
        let Some(cause) = self.store.down() else { return Ok(()) };
        self.lose();
        Err(cause)
    }

    fn connect(&mut self) -> Result<Link, StoreError> {
        let connected = self.store.connect(self.reply_timeout);
        if connected.is_err() {
            self.store.metrics.redis_errors.add(1);
        } else if std::mem::take(&mut self.was_lost) {
            self.store.metrics.redis_reconnects.add(1);
        }
        connected
    }

    /// Sets how long Redis may take over one reply, and returns the old time.
    pub fn set_reply_timeout(&mut self, timeout: Duration) -> Duration {
        if let Some(link) = &mut self.link {
            link.set_patience(timeout);
        }
        std::mem::replace(&mut self.reply_timeout, timeout)
    }

    pub(super) fn lose(&mut self) {
        self.was_lost |= self.link.take().is_some();
    }
}
