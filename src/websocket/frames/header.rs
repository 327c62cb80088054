//! The header of one frame (RFC 6455, section 5.2), and what it must not be.

use std::io::Cursor;

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::OpCode;

use super::super::coding::{LONGEST_CONTROL, broken};
use crate::words::ending::Ending;
use crate::words::error::close;

/// Bytes of a masked frame's header without the extended length: two, and the mask.
const SHORTEST: usize = 2 + 4;

/// A header of a client's frame.
pub struct Header {
    /// What the frame is.
    pub kind: OpCode,
    /// Whether it ends its message.
    pub is_final: bool,
    /// What its payload is masked with.
    pub mask: [u8; 4],
    /// How long its payload is, in bytes.
    pub length: u64,
    /// How long the header itself is, in bytes.
    pub size: usize,
}

/// Reads a header, if it is there as a whole.
pub fn parse(bytes: &[u8]) -> Result<Option<Header>, Ending> {
    let mut cursor = Cursor::new(bytes);
    let parsed = FrameHeader::parse(&mut cursor).map_err(|error| Ending::close(close::PROTOCOL, error.to_string()))?;
    let Some((header, length)) = parsed else {
        return Ok(None);
    };
    let size = cursor.position() as usize;
    let Some(mask) = header.mask else {
        return broken("a client's frames must be masked");
    };
    if header.rsv1 || header.rsv2 || header.rsv3 {
        return broken("a reserved bit is set, but no extension was agreed to");
    }
    if size != SHORTEST + bytes_of_length(length) {
        return broken("the length of a frame is not written in as few bytes as it needs");
    }
    if length > i64::MAX as u64 {
        return broken("the highest bit of a frame's length is set");
    }
    if matches!(header.opcode, OpCode::Control(_)) {
        if !header.is_final {
            return broken("a control frame is fragmented");
        }
        if length > LONGEST_CONTROL {
            return broken("a control frame is longer than 125 bytes");
        }
    }
    Ok(Some(Header {
        kind: header.opcode,
        is_final: header.is_final,
        mask,
        length,
        size,
    }))
}

/// How many bytes of extended length a length needs.
fn bytes_of_length(length: u64) -> usize {
    match length {
        0..=125 => 0,
        126..=0xffff => 2,
        _ => 8,
    }
}
