//! Frames of a WebSocket (RFC 6455, section 5) become messages, piece by piece as they arrive.
//!
//! tungstenite reads the headers of frames. Its own sockets copy each message once more on the way out, keep the memory
//! of the largest message they ever saw, and cannot read past a message without holding it.

mod header;

use std::io::{self, Read};
use std::time::Instant;

use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::coding::{broken, close_code, unmask};
use super::incoming::{Event, Incoming, Limits};
use crate::limits::{Reservation, UNCOUNTED};
use crate::net::growth;
use crate::net::read_buffer::{DIRECT, ReadBuffer};
use crate::net::wait::{Pace, is_quiet};
use crate::words::ending::Ending;
use crate::words::error::close;
use crate::words::units::Size;

/// How much of `--max-messages` a message takes at a time, in bytes.
const STEP: usize = 1 << 20;

/// The receiving side of a WebSocket.
pub struct Frames {
    limits: Limits,
    buffer: ReadBuffer,
    frame: Option<Frame>,
    message: Option<Message>,
    control: Vec<u8>,
    /// Since when a message has been waiting for its share of the memory.
    starved: Option<Instant>,
}

/// A frame whose payload is arriving.
struct Frame {
    kind: OpCode,
    is_final: bool,
    mask: [u8; 4],
    left: usize,
}

/// A message that is arriving.
struct Message {
    is_text: bool,
    bytes: Vec<u8>,
    /// Its length so far, kept or not.
    length: usize,
    share: Option<Reservation>,
    /// Once it did not come whole at once.
    pace: Option<Pace>,
}

impl Frames {
    /// Begins with bytes that have already arrived.
    pub fn new(early: Vec<u8>, limits: Limits) -> Frames {
        Frames {
            limits,
            buffer: ReadBuffer::new(early),
            frame: None,
            message: None,
            control: Vec::new(),
            starved: None,
        }
    }

    /// From now on messages are read past.
    pub fn keep_nothing(&mut self) {
        self.limits.budget = None;
    }

    /// Forgets that there was nothing more to be read, because that was a while ago.
    pub fn look_again(&mut self) {
        self.buffer.set_drained(false);
    }

    /// Gives back the memory for reading ahead, because nothing has come for a while.
    pub fn rest(&mut self) {
        self.buffer.rest();
    }

    /// Whether there are bytes that have been read and not used.
    pub fn has_read_ahead(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// Whether a message waits for memory, so that reading on is of no use now.
    pub fn is_starved(&self) -> bool {
        self.starved.is_some()
    }

    /// What comes next, if it is there already; adds the bytes that arrived to `received`.
    pub fn next(&mut self, source: &mut impl Read, received: &mut usize) -> Result<Option<Event>, Ending> {
        loop {
            if self.frame.is_none() && !self.begin_frame()? {
                match self.fill(source, received)? {
                    0 => return self.nothing(),
                    _ => continue,
                }
            }
            let Some(mut frame) = self.frame.take() else { continue };
            while frame.left > 0 {
                let room = self.room_for(&frame)?;
                if room == 0 {
                    self.frame = Some(frame);
                    return Ok(None);
                }
                let room = room.min(self.memory_for(&frame)?);
                if self.take_payload(&mut frame, room, source, received)? == 0 {
                    self.frame = Some(frame);
                    return self.nothing();
                }
            }
            match frame.kind {
                // Said of each, so that a flood of empty ones comes to an end, too.
                OpCode::Data(_) if !frame.is_final => return self.nothing().map(|_| Some(Event::Passed)),
                OpCode::Data(_) => return self.whole_message().map(Some),
                OpCode::Control(kind) => return self.whole_control(kind).map(Some),
            }
        }
    }

    /// Nothing more is there. A message that only trickles is given up.
    fn nothing(&mut self) -> Result<Option<Event>, Ending> {
        let Some(message) = &mut self.message else {
            return Ok(None);
        };
        let pace = message.pace.get_or_insert_with(|| Pace::new(self.limits.stall));
        if pace.is_lost() {
            let reason = format!("a message came too slowly: {}", pace.limits());
            return Err(Ending::close(close::POLICY, reason));
        }
        Ok(None)
    }

    /// Reads the header of the next frame, if it is there.
    fn begin_frame(&mut self) -> Result<bool, Ending> {
        let Some(header) = header::parse(self.buffer.bytes())? else {
            return Ok(false);
        };
        self.buffer.skip(header.size);
        let left = match header.kind {
            OpCode::Control(_) => header.length as usize,
            OpCode::Data(data) => self.begin_data(data, header.length)?,
        };
        self.frame = Some(Frame {
            kind: header.kind,
            is_final: header.is_final,
            mask: header.mask,
            left,
        });
        Ok(true)
    }

    /// Checks a frame of a message; its length.
    fn begin_data(&mut self, data: Data, length: u64) -> Result<usize, Ending> {
        match (data, &self.message) {
            (Data::Continue, None) => return broken("a message begins with a continuation"),
            (Data::Continue, Some(_)) => {}
            (_, Some(_)) => return broken("a message begins within another"),
            (_, None) => {
                self.message = Some(Message {
                    is_text: data == Data::Text,
                    bytes: Vec::new(),
                    length: 0,
                    share: None,
                    pace: None,
                });
            }
        }
        let before = self.message.as_ref().map_or(0, |message| message.length);
        let most = self.limits.message;
        match usize::try_from(length) {
            Ok(length) if length <= most - before => {
                self.buffer.expect(length);
                Ok(length)
            }
            _ => Err(Ending::close(
                close::TOO_LARGE,
                format!(
                    "a message of {} bytes is larger than {} (--max-message)",
                    length.saturating_add(before as u64),
                    Size(most)
                ),
            )),
        }
    }

    /// How much of a frame's payload may be taken now. A message takes its share of the memory of all step by step, as it
    /// arrives, because announcing much costs a client nothing. If there is no more, it waits, and then is given up.
    fn room_for(&mut self, frame: &Frame) -> Result<usize, Ending> {
        let (OpCode::Data(_), Some(budget), Some(message)) = (&frame.kind, &self.limits.budget, &mut self.message)
        else {
            return Ok(frame.left);
        };
        let held = message
            .share
            .as_ref()
            .map_or(UNCOUNTED, |share| share.bytes().max(UNCOUNTED));
        let room = held.saturating_sub(message.bytes.len()).min(frame.left);
        if room > 0 {
            return Ok(room);
        }
        let step = frame.left.min(STEP);
        // The first step also counts what was not counted so far.
        let uncounted = if message.share.is_none() {
            message.bytes.len()
        } else {
            0
        };
        let share = message.share.get_or_insert_with(|| budget.reserve_nothing());
        if share.grow(step + uncounted) {
            if let (Some(since), Some(pace)) = (self.starved.take(), &mut message.pace) {
                pace.excuse(since.elapsed());
            }
            return Ok(step);
        }
        if share.bytes() == 0 {
            message.share = None;
        }
        let since = *self.starved.get_or_insert_with(Instant::now);
        if since.elapsed() < self.limits.patience {
            return Ok(0);
        }
        let limit = Size(budget.limit());
        let reason = format!("messages under way use all of {limit} (--max-messages)");
        Err(Ending::close(close::TRY_LATER, reason))
    }

    /// For how much of a frame's payload there is memory now. It grows with what arrives and not with what was announced.
    fn memory_for(&mut self, frame: &Frame) -> Result<usize, Ending> {
        let (OpCode::Data(_), Some(_), Some(message)) = (&frame.kind, &self.limits.budget, &mut self.message) else {
            return Ok(frame.left);
        };
        // What comes behind a fragment is not known yet.
        let due = match frame.is_final {
            true => frame.left,
            false => self.limits.message - message.length,
        };
        growth::room(&mut message.bytes, due, UNCOUNTED).map_err(|_| {
            let reason = format!(
                "there is no memory for a message of {} bytes",
                message.length + frame.left
            );
            Ending::close(close::TRY_LATER, reason)
        })
    }

    /// Takes what is there of a frame's payload, as far as there is room; how much that was.
    fn take_payload(
        &mut self,
        frame: &mut Frame,
        room: usize,
        source: &mut impl Read,
        received: &mut usize,
    ) -> Result<usize, Ending> {
        let keeps = self.limits.budget.is_some();
        if self.buffer.is_empty() && !(keeps && room >= DIRECT) && self.fill(source, received)? == 0 {
            return Ok(0);
        }
        let ahead = self.buffer.bytes_mut();
        let ahead_length = ahead.len().min(room);
        let ahead = &mut ahead[..ahead_length];
        let count = match (&frame.kind, &mut self.message) {
            (OpCode::Data(_), Some(message)) if keeps => {
                let before = message.bytes.len();
                if ahead.is_empty() {
                    // Much is due: it goes where it belongs without passing through the buffer.
                    read_into(source, room, &mut message.bytes)?;
                    *received += message.bytes.len() - before;
                } else {
                    message.bytes.extend_from_slice(ahead);
                }
                unmask(&mut message.bytes[before..], &mut frame.mask);
                message.bytes.len() - before
            }
            (OpCode::Data(_), _) => ahead.len(),
            (OpCode::Control(_), _) => {
                unmask(ahead, &mut frame.mask);
                self.control.extend_from_slice(ahead);
                ahead.len()
            }
        };
        self.buffer.skip(ahead_length);
        if let (OpCode::Data(_), Some(message)) = (&frame.kind, &mut self.message) {
            message.length += count;
            if let Some(pace) = &mut message.pace {
                pace.moved(count);
            }
        }
        frame.left -= count;
        Ok(count)
    }

    fn whole_message(&mut self) -> Result<Event, Ending> {
        let Some(message) = self.message.take().filter(|_| self.limits.budget.is_some()) else {
            return Ok(Event::ReadPast);
        };
        if message.is_text && std::str::from_utf8(&message.bytes).is_err() {
            return Err(Ending::close(close::BAD_DATA, "a text message is not UTF-8"));
        }
        Ok(Event::Message(Incoming {
            is_text: message.is_text,
            bytes: message.bytes.into(),
            share: message.share,
        }))
    }

    fn whole_control(&mut self, kind: Control) -> Result<Event, Ending> {
        let payload = std::mem::take(&mut self.control);
        match kind {
            Control::Ping => Ok(Event::Ping(payload)),
            Control::Close => close_code(&payload).map(Event::Close),
            Control::Pong | Control::Reserved(_) => Ok(Event::Passed),
        }
    }

    /// Reads more into the buffer; how much that was.
    fn fill(&mut self, source: &mut impl Read, received: &mut usize) -> Result<usize, Ending> {
        if self.buffer.take_drained() {
            return Ok(0);
        }
        let count = quiet_is_none(self.buffer.fill(source))?;
        *received += count;
        Ok(count)
    }
}

fn read_into(source: &mut impl Read, count: usize, bytes: &mut Vec<u8>) -> Result<(), Ending> {
    let before = bytes.len();
    match source.take(count as u64).read_to_end(bytes) {
        Ok(_) if bytes.len() - before == count => Ok(()),
        Ok(_) => Err(Ending::gone()),
        Err(error) if is_quiet(&error) => Ok(()),
        Err(error) => Err(Ending::lost(&error)),
    }
}

fn quiet_is_none(read: io::Result<usize>) -> Result<usize, Ending> {
    match read {
        Ok(0) => Err(Ending::gone()),
        Ok(count) => Ok(count),
        Err(error) if is_quiet(&error) => Ok(0),
        Err(error) => Err(Ending::lost(&error)),
    }
}

#[cfg(test)]
mod tests;
