//! Frames as a client sends them, made by hand where tungstenite would mask, copy or complete what is large.

use std::io::Write;

/// The head of a client's frame: opcode with its FIN bit, length, and a mask of zeros, which leaves the payload as it is.
pub fn head(first: u8, length: usize) -> Vec<u8> {
    let mut head = vec![first];
    match length {
        0..126 => head.push(0x80 | length as u8),
        126..65_536 => {
            head.push(0x80 | 126);
            head.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            head.push(0x80 | 127);
            head.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    head.extend_from_slice(&[0; 4]);
    head
}

/// A whole binary message.
pub const WHOLE_BINARY: u8 = 0x82;
/// A binary message of which more frames follow.
pub const FIRST_BINARY: u8 = 0x02;
/// The next frame of a message, and not its last.
pub const MIDDLE: u8 = 0x00;

/// One binary message, which costs this side neither masking nor a copy.
#[track_caller]
pub fn send_plain(stream: &mut impl Write, data: &[u8]) {
    stream
        .write_all(&head(WHOLE_BINARY, data.len()))
        .expect("to send a frame's head");
    stream.write_all(data).expect("to send a frame");
}
