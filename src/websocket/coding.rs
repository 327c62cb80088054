//! The small pieces of the wire format (RFC 6455, section 5): headers, masks, and what a close frame carries.

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::OpCode;

use crate::words::ending::Ending;
use crate::words::error::close;

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
            if !may_be_sent(code) {
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

/// Whether a peer may close with this code: one that RFC 6455, 7.4.1, or the registry that it opened gives a meaning, or one for
/// libraries and applications. 1004 has none, 1005, 1006 and 1015 only name what is not sent.
/// <https://www.iana.org/assignments/websocket/websocket.xhtml#close-code-number>
fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
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
    fn every_code_that_has_a_meaning_may_be_sent_and_no_other() {
        let allowed: Vec<u16> = (0..=u16::MAX)
            .filter(|code| close_code(&code.to_be_bytes()).is_ok())
            .collect();
        let meant = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
        assert_eq!(allowed[..meant.len()], meant);
        assert_eq!(allowed[meant.len()..], (3000..=4999).collect::<Vec<u16>>());
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let cut = close_payload(close::BAD_DATA, &"ä".repeat(100));
        assert_eq!(cut.len(), 2 + 122);
        assert_eq!(cut[..2], 1007_u16.to_be_bytes());
    }
}
