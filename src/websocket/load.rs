//! Messages of a push become loads: entries to be stored, or a refusal to be told, each in its turn.

use bytes::Bytes;

use super::incoming::Incoming;
use super::refusal::{Refusal, too_many};
use crate::limits::Reservation;
use crate::request::call::Push;
use crate::store::MOST_PLACED;
use crate::words::batch::Batch;
use crate::words::batch_header::{BatchError, Header, Rules};
use crate::words::destination::Destinations;
use crate::words::ending::Ending;
use crate::words::error::close;

/// What an entry costs in memory besides its bytes, about: without it, a queue of empty entries would have no limit.
const ENTRY_COST: usize = 256;

/// What waits for its turn.
pub struct Load {
    pub content: Content,
    /// What it holds of `--max-messages`.
    pub share: Option<Reservation>,
}

/// What a load is. Small, because many may wait.
pub enum Content {
    /// The next entries of the only stream.
    Next(Batch),
    /// A batch with destinations of its own.
    Placed(Box<Placed>),
    /// A batch of which nothing is stored.
    Refused(Box<Refusal>),
}

/// Entries and where they go.
pub struct Placed {
    pub entries: Batch,
    pub destinations: Destinations,
    /// Whether Redis has been told of them before.
    pub told: bool,
}

impl Load {
    /// Its entries.
    pub fn entries(&self) -> &[Bytes] {
        match &self.content {
            Content::Next(entries) => entries,
            Content::Placed(placed) => &placed.entries,
            Content::Refused(_) => &[],
        }
    }

    /// What it costs in memory, in bytes.
    pub fn cost(&self) -> usize {
        let entries = self.entries().iter().map(|entry| entry.len() + ENTRY_COST).sum();
        match &self.content {
            Content::Next(_) => entries,
            Content::Placed(_) => entries + ENTRY_COST,
            Content::Refused(refusal) => refusal.size() + ENTRY_COST,
        }
    }

    /// Whether it can be stored together with others.
    pub fn is_next(&self) -> bool {
        matches!(self.content, Content::Next(_))
    }
}

/// Puts loads together.
pub struct Loading<'a> {
    push: &'a Push,
    rules: Rules<'a>,
    /// The header of a batch whose blob is still to come, and its share of the memory of all.
    header: Option<(Result<Header, Refusal>, Option<Reservation>)>,
}

impl<'a> Loading<'a> {
    /// For a push whose batches have at most so many entries.
    pub fn new(push: &'a Push, most: usize) -> Loading<'a> {
        Loading {
            push,
            rules: Rules {
                target: &push.target,
                dialect: push.dialect,
                most,
            },
            header: None,
        }
    }

    /// Takes a message; a load, unless it is a header. An error ends the socket.
    pub fn take(&mut self, message: Incoming) -> Result<Option<Load>, Ending> {
        let Incoming { is_text, bytes, share } = message;
        let content = match (self.push.batch, is_text, self.header.take()) {
            (false, _, _) => Content::Next(vec![bytes]),
            (true, true, None) => {
                self.header = Some(self.read_header(&bytes, share)?);
                return Ok(None);
            }
            (true, false, Some((header, _))) => match header {
                Ok(header) => self.cut(header, &bytes)?,
                Err(refusal) => Content::Refused(Box::new(refusal)),
            },
            (true, true, Some(_)) => {
                return Err(wrong_kind("offsets came where a binary message was due"));
            }
            (true, false, None) => {
                return Err(wrong_kind("a binary message came before the text with its offsets"));
            }
        };
        // The bytes of what is refused are given back at once.
        let share = share.filter(|_| !matches!(content, Content::Refused(_)));
        Ok(Some(Load { content, share }))
    }

    fn read_header(
        &self,
        bytes: &Bytes,
        mut share: Option<Reservation>,
    ) -> Result<(Result<Header, Refusal>, Option<Reservation>), Ending> {
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        let header = match Header::parse(text, &self.rules) {
            Ok(header) => header,
            Err(error) => return Ok((Err(self.refused(error)?), None)),
        };
        if let Some(share) = &mut share {
            // It may be larger than its text was.
            share.take(header.size().saturating_sub(share.bytes()));
            share.shrink_to(header.size());
        }
        Ok((Ok(header), share))
    }

    fn cut(&self, header: Header, blob: &Bytes) -> Result<Content, Ending> {
        match header.cut(blob, &self.rules) {
            Ok((entries, None)) => Ok(Content::Next(entries)),
            Ok((entries, Some(_))) if entries.len() > MOST_PLACED => Err(too_many(MOST_PLACED)),
            Ok((entries, Some(destinations))) => Ok(Content::Placed(Box::new(Placed {
                entries,
                destinations,
                told: false,
            }))),
            Err(error) => Ok(Content::Refused(Box::new(self.refused(error)?))),
        }
    }

    /// A refusal that is to be told in its turn; an error if the socket closes because of it.
    fn refused(&self, error: BatchError) -> Result<Refusal, Ending> {
        let refusal = Refusal::of_header(error)?;
        if self.push.report {
            Ok(refusal)
        } else {
            Err(refusal.into_ending())
        }
    }
}

fn wrong_kind(reason: &str) -> Ending {
    Ending::close(close::WRONG_KIND, reason)
}
