//! How Redis is: away, there but taking no writes, full, or well. The watch asks this, and `GET /ping`.

use std::time::Duration;

use jiff::Timestamp;
use redis::Value;

use super::{DATA_FIELD, Nobody, Session, introduction, refusal};
use crate::words::error::StoreError;
use crate::words::ids::META_PREFIX;

/// The key of the description of a stream without a name, which there is none of.
const NOBODYS_KEY: &str = META_PREFIX;

/// How Redis is, and why it is not well.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// It answers, and takes writes as far as can be told without one.
    Well,
    /// It answers, and has no memory left: it refuses what would take more.
    Full(StoreError),
    /// It serves reads only.
    TakesNoWrites(StoreError),
    /// It cannot be reached, or is of no use to us.
    Away(StoreError),
}

/// The same without the words, to tell whether something has changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    Well,
    Full,
    TakesNoWrites,
    Unreachable,
    Unusable,
}

impl State {
    /// Which of them it is.
    pub fn kind(&self) -> Kind {
        match self {
            State::Well => Kind::Well,
            State::Full(_) => Kind::Full,
            State::TakesNoWrites(_) => Kind::TakesNoWrites,
            State::Away(StoreError::Unreachable(_)) => Kind::Unreachable,
            State::Away(_) => Kind::Unusable,
        }
    }

    /// Why it is not well, if it is not.
    pub fn trouble(&self) -> Option<&StoreError> {
        match self {
            State::Well => None,
            State::Full(cause) | State::TakesNoWrites(cause) | State::Away(cause) => Some(cause),
        }
    }
}

/// How Redis is, and since when.
#[derive(Debug, Clone)]
pub struct Standing {
    /// How it was when it was last asked.
    pub state: State,
    /// Since when it has been so; if it is away, since it last answered.
    pub since: Timestamp,
    /// When it last answered.
    pub answered: Timestamp,
}

impl Standing {
    /// Well, until it is asked.
    pub(super) fn new() -> Standing {
        let now = Timestamp::now();
        Standing {
            state: State::Well,
            since: now,
            answered: now,
        }
    }

    /// It was asked just now.
    pub(super) fn set(&mut self, state: State) {
        let now = Timestamp::now();
        if !matches!(state, State::Away(_)) {
            self.answered = now;
        }
        if state.kind() != self.state.kind() {
            self.since = self.answered;
        }
        self.state = state;
    }
}

impl Session {
    /// Asks Redis how it is; it has to answer `within` this time, whatever the session grants otherwise.
    ///
    /// Nothing is written for that: a replica says what it is (`HELLO`, which no access list forbids), a Redis that cannot save
    /// says so when it is pinged, and `NOMKSTREAM` adds nothing where there is no stream.
    pub fn state(&mut self, within: Duration) -> State {
        let usual = self.set_reply_timeout(within);
        let state = self.ask_for_state();
        self.set_reply_timeout(usual);
        state.unwrap_or_else(State::Away)
    }

    /// Fails if Redis cannot be reached, or is of no use to us.
    pub fn check_answers(&mut self, within: Duration) -> Result<(), StoreError> {
        match self.state(within) {
            State::Away(cause) => Err(cause),
            State::Well | State::Full(_) | State::TakesNoWrites(_) => Ok(()),
        }
    }

    fn ask_for_state(&mut self) -> Result<State, StoreError> {
        let mut packed = redis::cmd("PING").get_packed_command();
        redis::cmd("XADD")
            .arg(&[NOBODYS_KEY, "NOMKSTREAM", "*", DATA_FIELD, ""])
            .write_packed_command(&mut packed);
        redis::cmd("HELLO").write_packed_command(&mut packed);
        let replies = self.exchange(&packed, 3, &mut Nobody)?;
        let [ping, write, hello] = replies.as_slice() else {
            return Err(super::unexpected("PING"));
        };
        let mut full = None;
        for reply in [ping, write] {
            let Value::ServerError(error) = reply else { continue };
            if let met @ StoreError::Full(_) = refusal::meaning(error) {
                full = Some(met);
            }
            if refusal::is_of_writes(error) {
                return Ok(State::TakesNoWrites(self.refusal(error)));
            }
            // Who may not ping, or may not write there, is answered, too.
            if refusal::meaning(error).is_passing() {
                return Ok(State::Away(self.refusal(error)));
            }
        }
        if matches!(introduction::field(hello, "role"), Some("replica" | "slave")) {
            // Behind a proxy, the next connection may lead to the master. What is written to a replica that does take
            // writes is lost with its next synchronisation, so it is no better.
            self.lose();
            let sentence = "Redis takes no writes: it is a replica (READONLY); --redis is to name its master";
            return Ok(State::TakesNoWrites(StoreError::Unusable(sentence.into())));
        }
        Ok(full.map_or(State::Well, State::Full))
    }
}
