//! The small pieces of the wire format (RFC 6455, section 5): headers, masks, and what a close frame carries.

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{CloseCode, OpCode};

use crate::ending::Ending;
use crate::error::close;

/// The most bytes of a control frame (RFC 6455, 5.5).
pub const LONGEST_CONTROL: u64 = 125;

/// The longest close reason: a control frame less the code.
const LONGEST_REASON: usize = LONGEST_CONTROL as usize - 2;

/// Puts a frame's header, as a server sends it, behind what is in `out`.
pub fn put_header(kind: OpCode, length: usize, out: &mut Vec<u8>) {
    let header = FrameHeader {
        opcode: kind,
        ..FrameHeader::default()
    };
    // Writing to memory does not fail.
    let _ = header.format(length as u64, out);
}

/// Puts a whole frame behind what is in `out`.
pub fn put_frame(kind: OpCode, payload: &[u8], out: &mut Vec<u8>) {
    put_header(kind, payload.len(), out);
    out.extend_from_slice(payload);
}

/// Undoes the masking of bytes (RFC 6455, 5.3), and turns the mask to where the next ones begin.
pub fn unmask(bytes: &mut [u8], mask: &mut [u8; 4]) {
    let wide = u64::from_ne_bytes([mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3]]);
    let (chunks, rest) = bytes.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
    mask.rotate_left(rest.len() % 4);
}

/// The code of a close frame, none if it is empty (RFC 6455, 5.5.1 and 7.4).
pub fn close_code(payload: &[u8]) -> Result<Option<u16>, Ending> {
    match payload {
        [] => Ok(None),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            if !CloseCode::from(code).is_allowed() {
                return broken("a close has a code that no peer may send");
            }
            if std::str::from_utf8(reason).is_err() {
                return Err(Ending::close(close::BAD_DATA, "the reason of a close is not UTF-8"));
            }
            Ok(Some(code))
        }
        _ => broken("a close has half a code"),
    }
}

/// The ending of a peer that breaks the protocol.
pub fn broken<T>(what: &str) -> Result<T, Ending> {
    Err(Ending::close(close::PROTOCOL, what))
}

/// What a close frame carries; a reason that is too long is cut between characters.
pub fn close_payload(code: u16, reason: &str) -> Vec<u8> {
    let mut end = reason.len().min(LONGEST_REASON);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    [&code.to_be_bytes()[..], &reason.as_bytes()[..end]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let cut = close_payload(close::BAD_DATA, &"ä".repeat(100));
        assert_eq!(cut.len(), 2 + 122);
        assert_eq!(cut[..2], 1007_u16.to_be_bytes());
    }
}
