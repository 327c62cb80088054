//! Whom a thread sees to while it waits for Redis. `link` asks it; pushes and pulls are it.

use rustix::event::PollFd;

/// Somebody whom a thread also sees to while it waits for Redis: the client of a WebSocket, who may send entries, ping, or
/// leave meanwhile.
pub trait Beside {
    /// What to wait for beside Redis, if anything.
    fn interest(&self) -> Option<PollFd<'_>>;

    /// It is ready, or a tick has passed. False if Redis need not be waited for any longer.
    fn see_to(&mut self) -> bool;
}

/// Nobody.
pub struct Nobody;

impl Beside for Nobody {
    fn interest(&self) -> Option<PollFd<'_>> {
        None
    }

    fn see_to(&mut self) -> bool {
        true
    }
}
