//! The receiving side of a push: the client's messages come in, batches in the order sent go out, to the storer, which also
//! hands it what the client is to be told. It goes on receiving while the storer waits for Redis (`Beside`), so that what
//! arrives meanwhile is stored in one go.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rustix::event::PollFd;

use super::load::{Load, Loading};
use super::socket::Socket;
use crate::limits::UNCOUNTED;
use crate::net::wait::TICK;
use crate::request::call::Push;
use crate::state::context::Context;
use crate::store::Beside;
use crate::words::ending::Ending;

/// The most bytes that wait to be stored, unless one message alone is larger.
const MOST_QUEUED: usize = 2 << 20;

/// How long entries are still taken from a client that no longer hears its acknowledgements.
const DEAF_PATIENCE: Duration = Duration::from_secs(2);

/// How long what arrives is still read once the server is to stop, and how long Redis is still waited for: a queue that was
/// full is stored by then, and time is left to tell the client before its connection is broken off.
const LAST_READING: Duration = Duration::from_secs(1);
const LAST_WAITING: Duration = Duration::from_secs(3);

/// The receiving side: reads the socket as far as there is room, and queues batches.
pub struct Intake<'a> {
    context: &'a Context,
    socket: &'a mut Socket,
    loading: Loading<'a>,
    queue: VecDeque<Load>,
    queued: usize,
    /// Whether `--max-messages` had no room for the last batch, so that none is taken in before this queue gets shorter.
    squeezed: bool,
    /// Why nothing more will come.
    ending: Option<Ending>,
    /// Since when the client has not heard its acknowledgements, and why.
    deaf: Option<(Instant, Ending)>,
}

impl<'a> Intake<'a> {
    /// Nothing has been read yet.
    pub fn new(push: &'a Push, socket: &'a mut Socket, context: &'a Context) -> Intake<'a> {
        Intake {
            context,
            socket,
            loading: Loading::new(push, context.config.limits.max_batch),
            queue: VecDeque::new(),
            queued: 0,
            squeezed: false,
            ending: None,
            deaf: None,
        }
    }

    /// The next loads in order: the first one, and more of them within these limits that go together with it.
    pub fn take(&mut self, entries: usize, bytes: usize) -> Vec<Load> {
        let (mut taken, mut taken_entries, mut taken_bytes) = (Vec::<Load>::new(), 0, 0);
        while taken_entries < entries && taken_bytes < bytes {
            let Some(next) = self.queue.front() else { break };
            if taken.first().is_some_and(|first| !first.is_next() || !next.is_next()) {
                break;
            }
            taken_entries += next.entries().len();
            taken_bytes += next.cost();
            taken.extend(self.queue.pop_front());
        }
        self.queued -= taken_bytes;
        self.squeezed = false;
        taken
    }

    /// How many entries wait to be stored.
    pub fn waiting(&self) -> usize {
        self.queue.iter().map(|load| load.entries().len()).sum()
    }

    /// Sends an acknowledgement. A client that no longer hears them has sent its entries all the same: they are stored on.
    pub fn acknowledge(&mut self, ids: &[String]) {
        match ids {
            [id] => self.say(id),
            ids => self.say(&ids.join(",")),
        }
    }

    /// Sends a text in place of an acknowledgement.
    pub fn say(&mut self, text: &str) {
        if self.deaf.is_none() {
            let sent = self.socket.send_text(text);
            self.deaf = sent.err().map(|ending| (Instant::now(), ending));
        }
    }

    /// Whether nothing waits to be stored.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Why nothing more will come, once nothing waits to be stored.
    pub fn into_ending(self) -> Ending {
        self.ending.unwrap_or_else(Ending::stopping)
    }

    /// Waits for something to store, or for the end.
    pub fn wait(&mut self) {
        while self.queue.is_empty() && self.ending.is_none() {
            if self.socket.has_read_ahead() {
                self.read();
                if !self.queue.is_empty() || self.ending.is_some() {
                    return;
                }
            }
            if self.context.stopping() {
                // What has arrived is taken; nothing more is waited for.
                self.read();
                self.ending.get_or_insert_with(Ending::stopping);
                return;
            }
            self.socket.wait(true, TICK);
            self.read();
        }
    }

    /// Sees to the client for so long, and to nothing else.
    pub fn wait_for(&mut self, time: Duration) {
        let until = Instant::now() + time;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let wanted = self.has_room();
            if self.ending.is_some() {
                std::thread::sleep(left);
            } else {
                self.socket.wait(wanted, left);
                self.read();
            }
        }
    }

    fn has_room(&self) -> bool {
        self.ending.is_none() && self.queued < MOST_QUEUED && !self.squeezed
    }

    /// Reads what has arrived, as far as there is room.
    fn read(&mut self) {
        if let (None, Err(ending)) = (&self.deaf, self.socket.push_out()) {
            self.deaf = Some((Instant::now(), ending));
        }
        self.socket.look_again();
        while self.has_room() {
            match self.read_one() {
                Ok(true) => {}
                Ok(false) => return,
                Err(ending) => self.ending = Some(ending),
            }
        }
    }

    /// Reads one message; false if there is none.
    fn read_one(&mut self) -> Result<bool, Ending> {
        if self.context.stopping_for().is_some_and(|since| since > LAST_READING) {
            return Err(Ending::stopping());
        }
        let message = match &self.deaf {
            None => self.socket.next()?,
            Some((since, ending)) => match self.socket.read_on() {
                Ok(Some(message)) if since.elapsed() < DEAF_PATIENCE => Some(message),
                _ => return Err(ending.clone()),
            },
        };
        let Some(message) = message else { return Ok(false) };
        if let Some(load) = self.loading.take(message)? {
            self.queue(load);
        }
        Ok(true)
    }

    /// Puts a load behind the others, and counts it.
    fn queue(&mut self, mut load: Load) {
        let cost = load.cost();
        if self.queued + cost > UNCOUNTED {
            let share = load
                .share
                .get_or_insert_with(|| self.context.messages.reserve_nothing());
            let due = cost.saturating_sub(share.bytes());
            self.squeezed = due > 0 && !share.grow(due);
        }
        self.queued += cost;
        self.queue.push_back(load);
    }
}

impl Beside for Intake<'_> {
    fn interest(&self) -> Option<PollFd<'_>> {
        if self.ending.is_some() {
            return None;
        }
        self.socket.interest(self.has_room())
    }

    fn see_to(&mut self) -> bool {
        self.read();
        // Redis is not waited for so long that no time is left to tell the client.
        self.context.stopping_for().is_none_or(|since| since < LAST_WAITING)
    }
}
