//! `/data/{id}/push`: what arrives is stored in the order sent, and acknowledged. `websocket/mod.rs` calls it when the handshake
//! is over; `intake` receives, and `storer` stores.
//!
//! One thread does both: while it waits for Redis it reads on, so that what arrives meanwhile is stored in one go.

use super::Moved;
use super::intake::Intake;
use super::socket::Socket;
use super::storer::Storer;
use crate::request::call::Push;
use crate::state::context::Context;
use crate::store::Session;
use crate::words::ending::Ending;

/// Stores what comes until the socket ends; everything received before is stored by then.
pub fn run(push: &Push, session: Session, socket: &mut Socket, context: &Context, moved: &Moved) -> Ending {
    let mut intake = Intake::new(push, socket, context);
    let mut storer = Storer::new(push, session, context, moved);
    loop {
        intake.wait();
        if intake.is_empty() {
            return intake.into_ending();
        }
        // What storing runs into comes first: it says what became of the entries.
        if let Err(failed) = storer.store_next(&mut intake) {
            return failed;
        }
    }
}
