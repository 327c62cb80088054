//! What a pull delivers, as the body of a reply that stays open.

use std::time::Duration;

use rustix::event::PollFd;

use super::body::Body;
use super::pictures::Boundary;
use super::{events, is_whole};
use crate::pull::Outlet;
use crate::request::call::{self, Framing};
use crate::store::Beside;
use crate::words::batch::{Item, Joined};
use crate::words::ending::Ending;
use crate::words::ids::StreamId;
use crate::words::shape::{self, Format, Gap};

/// How often a silent reply of events says that it is still there; proxies drop quiet connections after 30 to 60 seconds.
const SAY_STILL_HERE: Duration = Duration::from_secs(15);

/// How a JPEG begins.
const JPEG: &[u8] = &[0xff, 0xd8, 0xff];

/// The client of a reply that stays open.
pub struct Follower {
    body: Body,
    framing: Framing,
    boundary: Boundary,
    format: Format,
    streams: Vec<StreamId>,
    /// The last entry of each stream that was delivered, or where it began.
    places: Vec<String>,
    ended: Option<Ending>,
}

impl Follower {
    /// Nothing of the body has been sent yet.
    pub fn new(body: Body, call: &call::Pull, framing: Framing, boundary: Boundary) -> Follower {
        let mut follower = Follower {
            body,
            framing,
            boundary,
            format: call.format,
            streams: call.streams.clone(),
            places: Vec::new(),
            ended: None,
        };
        // A client that only waits should still see that it is being served.
        follower.ended = follower.begin().and_then(|()| follower.body.flush()).err();
        follower
    }

    /// Where each stream begins, as an event's id says it.
    pub fn start_at(&mut self, places: Vec<String>) {
        self.places = places;
    }

    /// Ends the reply; the ending for the log.
    pub fn finish(mut self, ending: &Ending) -> Ending {
        match self.body.finish(is_whole(ending)) {
            Ok(()) => ending.clone(),
            Err(lost) => lost,
        }
    }

    fn begin(&mut self) -> Result<(), Ending> {
        match self.framing {
            Framing::Plain => Ok(()),
            Framing::Events => self.body.put(&[events::PREAMBLE.as_bytes()]),
            Framing::Mjpeg => self.body.put(&[self.boundary.first().as_bytes()]),
        }
    }

    /// Gives one entry out; whether it was for the client.
    fn deliver_one(&mut self, item: &Item, entry: &[u8]) -> Result<bool, Ending> {
        let line = || shape::line(&self.streams[item.stream], item, entry);
        match (self.framing, self.format) {
            (Framing::Events, _) => {
                self.places[item.stream] = item.id.to_string();
                let (id, line) = (events::id(&self.places), line());
                self.body.put(&[id.as_bytes(), &line, b"\n\n"])?;
            }
            (Framing::Mjpeg, _) if !entry.starts_with(JPEG) => return Ok(false),
            (Framing::Mjpeg, _) => {
                let (before, behind) = (self.boundary.before(entry.len()), self.boundary.behind());
                self.body.put(&[before.as_bytes(), entry, behind.as_bytes()])?;
            }
            (Framing::Plain, Format::Json) => {
                let line = line();
                self.body.put(&[&line, b"\n"])?;
            }
            (Framing::Plain, _) => self.body.put(&[entry])?,
        }
        Ok(true)
    }

    fn tend(&mut self) -> Result<(), Ending> {
        self.body.tend()?;
        if self.framing == Framing::Events && self.body.quiet_for() > SAY_STILL_HERE {
            self.body.put(&[events::STILL_HERE.as_bytes()])?;
            self.body.flush()?;
        }
        Ok(())
    }
}

impl Outlet for Follower {
    fn deliver(&mut self, reply: &Joined) -> Result<bool, Ending> {
        let mut some = false;
        for (item, entry) in reply.entries() {
            some |= self.deliver_one(item, entry)?;
        }
        Ok(some)
    }

    fn tell_gap(&mut self, gap: &Gap) -> Result<(), Ending> {
        let line = gap.line();
        match (self.framing, self.format) {
            (Framing::Events, _) => {
                // A browser that comes back goes on behind the gap, and is not told of it for ever.
                if let Some(index) = self.streams.iter().position(|stream| *stream == gap.stream) {
                    self.places[index] = gap.before.before().to_string();
                }
                let id = events::id(&self.places);
                self.body
                    .put(&[events::GAP.as_bytes(), id.as_bytes(), line.as_bytes(), b"\n\n"])
            }
            (Framing::Plain, Format::Json) => self.body.put(&[line.as_bytes(), b"\n"]),
            _ => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<(), Ending> {
        self.body.flush()
    }

    fn wait(&mut self, time: Duration) -> Result<(), Ending> {
        self.body.wait(time);
        self.tend()
    }

    fn take_message(&mut self) -> bool {
        // There is no way to say anything, and so nothing to wait for.
        true
    }

    fn ended(&mut self) -> Option<Ending> {
        self.ended.take()
    }
}

impl Beside for Follower {
    fn interest(&self) -> Option<PollFd<'_>> {
        Some(self.body.interest())
    }

    fn see_to(&mut self) -> bool {
        if self.ended.is_none() {
            self.ended = self.tend().err();
        }
        self.ended.is_none()
    }
}
