//! `/data/{id}/push`: this thread reads the socket, a second one stores what arrived and acknowledges it.
//!
//! The queue between them is bounded in entries and bytes, so a slow Redis holds the client back.

use std::thread::Builder;

use crossbeam_channel::{Sender, bounded};

use super::Moved;
use super::socket::{Ending, Incoming, Socket};
use super::storer::{Queued, Storer, cost};
use crate::batch::{self, Batch, BatchError};
use crate::context::Context;
use crate::error::close;
use crate::ids::StreamId;
use crate::wait::STACK;

/// The most batches under way between the two threads.
const MOST_QUEUED: usize = 256;

/// The parameters of a push.
pub struct Push {
    /// The stream pushed to.
    pub stream: StreamId,
    /// Whether entries come in batches.
    pub batch: bool,
    /// Whether each message is acknowledged.
    pub ack: bool,
}

impl Push {
    /// Reads the socket until it ends; everything received before is stored by then.
    pub fn run(self, socket: &mut Socket, context: &Context, moved: &Moved) -> Ending {
        let (sender, receiver) = bounded(MOST_QUEUED);
        let queued = Queued::default();
        let storer = Storer::new(&self.stream, self.ack.then_some(&*socket), context, moved, &queued);
        std::thread::scope(|scope| {
            let builder = Builder::new().name("push-store".into()).stack_size(STACK);
            let storing = match builder.spawn_scoped(scope, move || storer.run(receiver)) {
                Ok(storing) => storing,
                Err(error) => return Ending::close(close::TRY_LATER, format!("no thread to store with: {error}")),
            };
            let ended = self.read(socket, context, &sender, &queued);
            drop(sender);
            // What the storing thread ran into comes first: it says what became of the entries.
            match storing.join() {
                Ok(Ok(())) => ended,
                Ok(Err(failed)) => failed,
                Err(_) => Ending::close(close::STORE_FAILED, "the server failed; its log says more"),
            }
        })
    }

    fn read(&self, socket: &mut Socket, context: &Context, sender: &Sender<Batch>, queued: &Queued) -> Ending {
        let mut offsets = None;
        loop {
            let message = match socket.receive() {
                Ok(Some(message)) => message,
                Ok(None) if queued.is_over(true) => return gone(),
                Ok(None) => continue,
                Err(ending) => return ending,
            };
            let batch = match self.batch_of(message, &mut offsets, context.config.limits.max_batch) {
                Ok(Some(batch)) => batch,
                Ok(None) => continue,
                Err(ending) => return ending,
            };
            if !queued.add(cost(&batch)) || queued.is_over(false) || sender.send(batch).is_err() {
                return gone();
            }
        }
    }

    /// A whole batch, or none when its bytes are still to come.
    fn batch_of(
        &self,
        message: Incoming,
        offsets: &mut Option<Vec<usize>>,
        limit: usize,
    ) -> Result<Option<Batch>, Ending> {
        let refused = |error| match error {
            BatchError::Offsets(sentence) => Ending::close(close::BAD_DATA, sentence),
            BatchError::TooMany(limit) => Ending::close(
                close::TOO_LARGE,
                format!("a batch has more than {limit} entries (--max-batch)"),
            ),
        };
        match (self.batch, message, offsets.take()) {
            (false, Incoming::Text(bytes) | Incoming::Binary(bytes), _) => Ok(Some(vec![bytes])),
            (true, Incoming::Text(text), None) => {
                let text = std::str::from_utf8(&text).unwrap_or_default();
                *offsets = Some(batch::parse_offsets(text, limit).map_err(refused)?);
                Ok(None)
            }
            (true, Incoming::Binary(blob), Some(offsets)) => batch::split(&offsets, &blob).map(Some).map_err(refused),
            (true, Incoming::Text(_), Some(_)) => Err(Ending::close(
                close::WRONG_KIND,
                "offsets came where a binary message was due",
            )),
            (true, Incoming::Binary(_), None) => Err(Ending::close(
                close::WRONG_KIND,
                "a binary message came before the text with its offsets",
            )),
        }
    }
}

/// The reader stops because the storer did; the storer's own ending is the one that counts.
fn gone() -> Ending {
    Ending::close(close::STORE_FAILED, "the entries could not be stored")
}
