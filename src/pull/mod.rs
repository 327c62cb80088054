//! Reading streams for one client, entry by entry, for as long as it stays: where each stream has got to, what comes next,
//! and when. How entries reach the client is the business of its `Outlet`.

mod begin;
mod begun_anew;
mod clock;
mod delivery;
mod gaps;
mod generation;
mod ledger;
mod newest;
mod position;
mod tell;
mod turn;
mod ways;

use std::time::Duration;

use crate::limits::metrics::Counter;
use crate::request::call;
use crate::state::context::Context;
use crate::store::{Beside, ReadAhead, Session};
use crate::words::batch::Joined;
use crate::words::cursor;
use crate::words::ending::Ending;
use crate::words::error::{StoreError, close};
use crate::words::ids::EntryId;
use crate::words::shape::{Format, Gap};
use clock::Clock;
use delivery::Delivery;
use position::Position;

pub use delivery::MAX_REPLY;

/// The most entries of one reply, whatever `count` says: their list of offsets stays below half a megabyte.
pub const MOST_ENTRIES: u64 = 16_384;

/// How long Redis may send nothing: longer than it blocks.
const REPLY_TIMEOUT: Duration = Duration::from_secs(7);

/// How long to wait before trying a lost Redis again.
const RETRY: Duration = Duration::from_millis(100);

/// Where the entries of a pull go. Its client is also seen to while Redis is waited for.
pub trait Outlet: Beside {
    /// Gives a reply out, waiting for a slow client; whether anything of it was for the client. What is short may be gathered
    /// until `flush`.
    fn deliver(&mut self, reply: &Joined) -> Result<bool, Ending>;

    /// Tells of a gap, if the format has a place for that.
    fn tell_gap(&mut self, gap: &Gap) -> Result<(), Ending>;

    /// Gives out what was gathered.
    fn flush(&mut self) -> Result<(), Ending>;

    /// Waits for the client for so long at most, and sees to it.
    fn wait(&mut self, time: Duration) -> Result<(), Ending>;

    /// Takes one message of the client's, if there is one.
    fn take_message(&mut self) -> bool;

    /// Why the client left while Redis was waited for, if it did.
    fn ended(&mut self) -> Option<Ending>;
}

/// Where deliveries are counted.
#[allow(missing_docs)]
pub struct Tally<'a> {
    pub context: &'a Context,
    pub entries: [&'a Counter; 2],
    pub bytes: [&'a Counter; 2],
}

impl Tally<'_> {
    fn add(&self, entries: usize, bytes: usize) {
        self.entries.iter().for_each(|counter| counter.add(entries as u64));
        self.bytes.iter().for_each(|counter| counter.add(bytes as u64));
    }
}

/// The parameters of a pull, for the log.
pub fn detail(call: &call::Pull, pull: &Pull) -> String {
    let mut detail = format!("count={} after={}", call.count, cursor::joined(&pull.positions()));
    for (word, given) in [
        ("newest", call.newest),
        ("ack", call.ack),
        ("max_rate", call.max_rate.is_some()),
        ("resume", call.resume),
        ("until", call.until.is_some()),
        ("timeout", call.timeout.is_some()),
    ] {
        if given {
            detail.push(' ');
            detail.push_str(word);
        }
    }
    detail
}

/// A pull and how far it has come.
pub struct Pull {
    session: Session,
    delivery: Delivery,
    ahead: ReadAhead,
    way: Way,
    /// Whether the last round read all that there was, so that the next one begins by waiting.
    caught_up: bool,
    /// The streams that may have something and have not had their turn, by their numbers.
    ready: Vec<usize>,
    /// Those that have had it and may have more.
    more: Vec<usize>,
    timeout: Option<Duration>,
    close_on_gap: bool,
    clock: Option<Clock>,
    /// Whether Redis was away, so that it may have come back with less.
    was_away: bool,
}

/// How it reads.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    /// As much as there is, and looks for gaps now and then.
    Plain,
    /// Knows of each gap before what follows it.
    Careful,
    /// The newest entry of each stream whenever the client is ready.
    Newest,
}

/// Why a pull cannot go on as it was.
enum Stop {
    /// The client has left, or is to go.
    Client(Ending),
    /// Redis did not do what was asked.
    Store(StoreError),
}

impl From<Ending> for Stop {
    fn from(ending: Ending) -> Stop {
        Stop::Client(ending)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Stop {
        Stop::Store(error)
    }
}

impl Pull {
    /// Finds out where to begin. Whatever is added after this is delivered.
    pub fn begin(mut session: Session, call: &call::Pull) -> Result<Pull, StoreError> {
        session.check_together(&call.streams)?;
        let (places, clock) = begin::places(&mut session, call)?;
        let way = match call {
            call::Pull { newest: true, .. } => Way::Newest,
            call::Pull {
                format: Format::Json, ..
            }
            | call::Pull { close_on_gap: true, .. } => Way::Careful,
            _ => Way::Plain,
        };
        Ok(Pull {
            session: session.waiting(REPLY_TIMEOUT),
            delivery: Delivery::new(places, call),
            ahead: ReadAhead::default(),
            way,
            caught_up: false,
            ready: Vec::new(),
            more: Vec::new(),
            timeout: call.timeout,
            close_on_gap: call.close_on_gap,
            clock,
            was_away: false,
        })
    }

    /// The last entry of each stream that was passed.
    pub fn positions(&self) -> Vec<EntryId> {
        self.delivery.places.iter().map(|place| place.last).collect()
    }

    /// The same, as a client that comes back may say what it has read.
    pub fn places(&self) -> Vec<String> {
        let place = |place: &Position| match place.is_read {
            true => place.last.to_string(),
            false => format!("{}{}", cursor::UNREAD, place.last),
        };
        self.delivery.places.iter().map(place).collect()
    }

    /// Whether nothing that is wanted is there, or can still come.
    pub fn is_over(&mut self) -> Result<bool, StoreError> {
        for place in self.delivery.places.iter().filter(|place| !place.done) {
            if place.found.is_some() {
                return Ok(false);
            }
            let Some(until) = place.until.filter(|_| place.is_past(self.clock.as_ref())) else {
                return Ok(false);
            };
            if self.session.has_some((&place.stream, place.last), until)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether everything wanted has been read.
    fn is_done(&self) -> bool {
        self.delivery.places.iter().all(|place| place.done)
    }

    /// Delivers until the client leaves or everything wanted has been delivered.
    pub fn run(mut self, outlet: &mut dyn Outlet, tally: &Tally<'_>) -> Ending {
        loop {
            let stopped = match self.round(outlet, tally) {
                Ok(()) => continue,
                Err(stopped) => stopped,
            };
            let stopped = match (outlet.ended(), stopped) {
                (Some(ending), _) => Stop::Client(ending),
                // The entries wait in Redis, so the pull waits for Redis, however long it takes.
                (None, Stop::Store(error)) if error.is_passing() => match self.wait_for_redis(outlet, tally) {
                    Ok(()) => continue,
                    Err(ending) => Stop::Client(ending),
                },
                (None, stopped) => stopped,
            };
            return match stopped {
                Stop::Client(ending) => ending,
                Stop::Store(error) => Ending::store_failed(&error),
            };
        }
    }

    /// Waits for entries and delivers what comes.
    fn round(&mut self, outlet: &mut dyn Outlet, tally: &Tally<'_>) -> Result<(), Stop> {
        if self.is_done() {
            return Err(Ending::close(close::NORMAL, "everything up to 'until' has been delivered").into());
        }
        self.check_generations(outlet, tally)?;
        match self.way {
            Way::Plain => self.plain_round(outlet, tally)?,
            Way::Careful => self.careful_round(outlet, tally)?,
            Way::Newest => self.newest_round(outlet, tally)?,
        }
        self.delivery.send(outlet, tally)?;
        outlet.flush()?;
        Ok(())
    }

    /// Delivers what there is, then sees to the client until Redis may be tried again.
    fn wait_for_redis(&mut self, outlet: &mut dyn Outlet, tally: &Tally<'_>) -> Result<(), Ending> {
        self.was_away = true;
        self.delivery.send(outlet, tally)?;
        outlet.flush()?;
        outlet.wait(RETRY)
    }
}
