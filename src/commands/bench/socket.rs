//! A WebSocket client (RFC 6455) that costs next to nothing: frames are made ahead, and read in place.
//! A mask of four zeros is as good as any other on the wire, and masking with it changes nothing.

use ptg_store::words::ids::EntryId;

use super::http::{Store, refusal};
use super::wire::Wire;

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// Read buffer of a socket that only waits.
const SMALL_BUFFER: usize = 1 << 10;

/// Appends a text frame.
pub fn text_frame(frames: &mut Vec<u8>, text: &str) {
    frame(frames, TEXT, text.as_bytes());
}

/// Appends a binary frame; its payload is the end of it, as it is.
pub fn binary_frame(frames: &mut Vec<u8>, payload: &[u8]) {
    frame(frames, BINARY, payload);
}

fn frame(frames: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    const FINAL: u8 = 0x80;
    const MASKED: u8 = 0x80;
    frames.push(FINAL | opcode);
    match payload.len() {
        length @ 0..126 => frames.push(MASKED | length as u8),
        length @ 126..0x1_0000 => {
            frames.push(MASKED | 126);
            frames.extend((length as u16).to_be_bytes());
        }
        length => {
            frames.push(MASKED | 127);
            frames.extend((length as u64).to_be_bytes());
        }
    }
    frames.extend([0; 4]);
    frames.extend(payload);
}

/// An open WebSocket.
struct Socket(Wire);

impl Socket {
    fn open(store: &Store, mut wire: Wire, path: &str) -> Result<Socket, String> {
        let request = format!(
            "{}Upgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            store.begin("GET", path)
        );
        wire.send(request.as_bytes())?;
        let head = wire.head()?;
        if head.status == 101 {
            return Ok(Socket(wire));
        }
        let body = serde_json::from_slice(wire.take(head.length)?).unwrap_or_default();
        Err(refusal(head.status, &body))
    }

    /// The payload of the next message, which must be of this kind. Pings are answered.
    fn receive(&mut self, expected: u8) -> Result<&[u8], String> {
        loop {
            let (opcode, length) = self.header()?;
            if opcode == expected {
                return self.0.take(length);
            }
            let payload = self.0.take(length)?.to_vec();
            match opcode {
                PING => {
                    let mut pong = Vec::new();
                    frame(&mut pong, PONG, &payload);
                    self.0.send(&pong)?;
                }
                CLOSE => return Err(format!("the store closed the socket: {}", reason(&payload))),
                opcode => return Err(format!("a frame of kind {opcode} came instead of kind {expected}")),
            }
        }
    }

    /// Kind and length of the next frame.
    fn header(&mut self) -> Result<(u8, usize), String> {
        let head = self.0.take(2)?;
        let (first, second) = (head[0], head[1]);
        let length = match second {
            126 => 2,
            127 => 8,
            length if first & 0x80 != 0 => return Ok((first & 0x0f, length.into())),
            _ => 0,
        };
        if first & 0x80 == 0 {
            return Err("a message came in fragments, which the store never sends".into());
        }
        let bytes = self.0.take(length)?.iter();
        Ok((
            first & 0x0f,
            bytes.fold(0, |length, byte| length << 8 | usize::from(*byte)),
        ))
    }
}

fn reason(close: &[u8]) -> String {
    match close {
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            format!("{code} {}", String::from_utf8_lossy(reason))
        }
        _ => "without a code".into(),
    }
}

/// A socket that pushes. When it is dropped, the store has stored what it was sent.
pub struct Push {
    socket: Socket,
    ended: bool,
}

impl Push {
    pub fn open(store: &Store, stream: &str, mode: &str) -> Result<Push, String> {
        let wire = Wire::connect(&store.host, &store.interrupted)?;
        let socket = Socket::open(store, wire, &format!("/data/{stream}/push?{mode}"))?;
        Ok(Push { socket, ended: false })
    }

    /// Sends frames that were made ahead.
    pub fn send(&mut self, frames: &[u8]) -> Result<(), String> {
        self.socket.0.send(frames)
    }

    /// The ids of the next acknowledgement; their number.
    pub fn acknowledged(&mut self, last: &mut EntryId) -> Result<usize, String> {
        let ids = self.socket.receive(TEXT)?;
        let ids = std::str::from_utf8(ids).map_err(|_| "an acknowledgement is not text")?;
        let mut count = 0;
        for id in ids.split(',') {
            advance(last, id)?;
            count += 1;
        }
        Ok(count)
    }

    /// Closes it, and waits for the answer, which comes when everything is stored.
    pub fn close(mut self) -> Result<(), String> {
        let mut close = Vec::new();
        frame(&mut close, CLOSE, &1000u16.to_be_bytes());
        self.send(&close)?;
        match self.socket.receive(CLOSE)? {
            [0x03, 0xe8, ..] => {
                self.ended = true;
                Ok(())
            }
            other => Err(format!("the store closed the socket: {}", reason(other))),
        }
    }
}

impl Drop for Push {
    fn drop(&mut self) {
        // An end of the connection is a close, too: what was sent is stored, then the store ends its side.
        if !self.ended {
            self.socket.0.end();
        }
    }
}

/// A socket that pulls.
pub struct Pull {
    socket: Socket,
    /// Where each entry of a reply begins.
    offsets: Vec<usize>,
    last: EntryId,
}

impl Pull {
    pub fn open(store: &Store, stream: &str, query: &str) -> Result<Pull, String> {
        Pull::on(Wire::connect(&store.host, &store.interrupted)?, store, stream, query)
    }

    /// One of many that only wait.
    pub fn open_idle(store: &Store, stream: &str) -> Result<Pull, String> {
        let wire = Wire::with_buffer(&store.host, &store.interrupted, SMALL_BUFFER)?;
        Pull::on(wire, store, stream, "last_entry_id=$")
    }

    fn on(wire: Wire, store: &Store, stream: &str, query: &str) -> Result<Pull, String> {
        let socket = Socket::open(store, wire, &format!("/data/{stream}/pull?{query}"))?;
        Ok(Pull {
            socket,
            offsets: Vec::new(),
            last: EntryId::default(),
        })
    }

    /// Takes the next reply, and shows each of its entries; how many there were. Their ids must rise.
    pub fn receive(&mut self, mut entry: impl FnMut(&[u8]) -> Result<(), String>) -> Result<usize, String> {
        let text = self.socket.receive(TEXT)?;
        let pairs: Vec<(&str, usize)> = serde_json::from_slice(text)
            .map_err(|error| format!("the offsets of a reply are not as agreed: {error}"))?;
        self.offsets.clear();
        for (id, offset) in pairs {
            advance(&mut self.last, id)?;
            self.offsets.push(offset);
        }
        let blob = self.socket.receive(BINARY)?;
        let ends = self.offsets.iter().skip(1).copied().chain([blob.len()]);
        for (start, end) in self.offsets.iter().zip(ends) {
            entry(
                blob.get(*start..end)
                    .ok_or("the offsets of a reply do not fit its bytes")?,
            )?;
        }
        Ok(self.offsets.len())
    }
}

/// Takes the next id, which must be larger than the last.
pub fn advance(last: &mut EntryId, id: &str) -> Result<(), String> {
    let id: EntryId = id.parse().map_err(|_| format!("'{id}' came instead of an entry id"))?;
    if id <= *last {
        return Err(format!("entry {id} came after {last}"));
    }
    *last = id;
    Ok(())
}
