//! One conversation with Redis: connects when needed, sends commands, reads replies in time, tells errors apart.

use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, RedisResult, ServerError, Value};

use super::Store;
use crate::error::StoreError;
use crate::ids::StreamId;

/// A connection to Redis that is made anew when it was lost. It belongs to one thread.
pub struct Session {
    pub(super) store: Arc<Store>,
    connection: Option<redis::Connection>,
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
            connection: None,
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

    /// Asks Redis whether it is there; it has to answer `within` this time, whatever the session grants otherwise.
    pub fn ping(&mut self, within: Duration) -> Result<(), StoreError> {
        let usual = self.set_reply_timeout(within);
        let answer = self.command(&redis::cmd("PING")).map(|_| ());
        self.set_reply_timeout(usual);
        answer
    }

    /// Sends one command and reads its reply; an error reply is an error.
    pub(super) fn command(&mut self, command: &Cmd) -> Result<Value, StoreError> {
        let mut replies = self.exchange(&command.get_packed_command(), 1)?;
        match replies.pop() {
            Some(Value::ServerError(error)) => Err(self.refusal(&error)),
            Some(value) => Ok(value),
            None => Err(super::unexpected("a command")),
        }
    }

    /// Sends packed commands and reads `count` replies, error replies among them.
    ///
    /// A connection that turns out to have been closed meanwhile is replaced once, and everything is sent again.
    pub(super) fn exchange(&mut self, packed: &[u8], count: usize) -> Result<Vec<Value>, StoreError> {
        self.check_is_up()?;
        let was_open = self.connection.is_some();
        match self.try_exchange(packed, count) {
            Err(error) if was_open && error.is_connection_dropped() => {
                self.lose();
                self.try_exchange(packed, count)
            }
            other => other,
        }
        .map_err(|error| {
            self.lose();
            self.store.metrics.redis_errors.add(1);
            StoreError::Unreachable(match error.is_timeout() {
                true => format!("no answer within {:?}", self.reply_timeout),
                false => error.to_string(),
            })
        })
    }

    /// What an error reply means for us.
    pub(super) fn refusal(&self, error: &ServerError) -> StoreError {
        self.store.metrics.redis_errors.add(1);
        let text = format!("{} {}", error.code(), error.details().unwrap_or_default());
        let text = text.trim().to_string();
        // A transaction that was given up tells why in its text.
        let cause = text
            .split_once("because of: ")
            .and_then(|(_, cause)| cause.split(' ').next());
        match cause.unwrap_or(error.code()) {
            "OOM" => StoreError::Full(text),
            // States that pass, or that only an operator can mend: not for the client to be blamed for.
            "LOADING" | "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN" | "BUSY" | "READONLY" | "MISCONF" | "NOREPLICAS"
            | "NOAUTH" => StoreError::Unreachable(text),
            _ if text.contains("max number of clients") => StoreError::Unreachable(text),
            _ => StoreError::Refused(text),
        }
    }

    /// Like `command`, for a command about one stream.
    pub(super) fn command_on(&mut self, stream: &StreamId, command: &redis::Cmd) -> Result<Value, StoreError> {
        match self.exchange(&command.get_packed_command(), 1)?.pop() {
            Some(Value::ServerError(error)) => Err(self.stream_refusal(stream, &error)),
            Some(value) => Ok(value),
            None => Err(super::unexpected("a command")),
        }
    }

    /// The first error among replies about a stream.
    pub(super) fn check(&self, stream: &StreamId, replies: &[Value]) -> Result<(), StoreError> {
        let error = replies.iter().find_map(|reply| match reply {
            Value::ServerError(error) => Some(error),
            _ => None,
        });
        error.map_or(Ok(()), |error| Err(self.stream_refusal(stream, error)))
    }

    /// Like `refusal`, but knows which key the command was about.
    pub(super) fn stream_refusal(&self, stream: &StreamId, error: &redis::ServerError) -> StoreError {
        match self.refusal(error) {
            // Scripts of Redis 6 put their own code in front.
            StoreError::Refused(text) if text.contains("WRONGTYPE") => StoreError::NotAStream(stream.to_string()),
            other => other,
        }
    }

    fn check_is_up(&mut self) -> Result<(), StoreError> {
        let waits = self.manner == Manner::Waiting && self.connection.is_some();
        if waits || self.manner == Manner::Probing {
            return Ok(());
        }
        let Some(cause) = self.store.down() else { return Ok(()) };
        self.lose();
        Err(StoreError::Unreachable(cause))
    }

    fn try_exchange(&mut self, packed: &[u8], count: usize) -> RedisResult<Vec<Value>> {
        let connection = self.connect()?;
        connection.send_packed_command(packed)?;
        // Replies are read one by one, because a lost connection must end the waiting at the first of them.
        (0..count).map(|_| connection.recv_response()).collect()
    }

    fn connect(&mut self) -> RedisResult<&mut redis::Connection> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let connection = self.store.connect()?;
                connection.set_read_timeout(Some(self.reply_timeout))?;
                connection.set_write_timeout(Some(self.reply_timeout))?;
                if std::mem::take(&mut self.was_lost) {
                    self.store.metrics.redis_reconnects.add(1);
                }
                connection
            }
        };
        Ok(self.connection.insert(connection))
    }

    /// Sets how long Redis may take over one reply, and returns the old time.
    /// A connection that does not take it is dropped.
    pub fn set_reply_timeout(&mut self, timeout: Duration) -> Duration {
        let connection = self.connection.take();
        self.connection = connection.filter(|connection| connection.set_read_timeout(Some(timeout)).is_ok());
        std::mem::replace(&mut self.reply_timeout, timeout)
    }

    fn lose(&mut self) {
        self.was_lost |= self.connection.take().is_some();
    }
}
