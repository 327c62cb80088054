//! How bytes reach the store: in pieces, with any kind of end; and what must come back within a deadline.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::dice::Dice;
use crate::harness::{Replies, holds_within};

/// Within this time a request is answered, or its connection ended: far longer than the stores' own deadlines.
const DEADLINE: Duration = Duration::from_secs(40);

/// How a client ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Ending {
    /// Ends its side, and takes all that still comes.
    Finish,
    /// Says nothing more, and takes what comes until the store gives up.
    Silent,
    /// Closes at once, whatever is under way.
    Leave,
    /// Closes with a reset.
    Reset,
}

impl Ending {
    pub fn of(dice: &mut Dice) -> Self {
        match dice.below(4000) {
            0 => Self::Silent,
            1..400 => Self::Leave,
            400..800 => Self::Reset,
            _ => Self::Finish,
        }
    }
}

/// Cuts bytes at random places, so that they arrive so.
pub fn pieces(dice: &mut Dice, bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut cuts: Vec<usize> = match dice.below(3) {
        0 => (0..dice.below(8)).map(|_| dice.below(bytes.len() + 1)).collect(),
        _ => Vec::new(),
    };
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|cut| bytes[cut[0]..cut[1]].to_vec()).collect()
}

/// Sends the pieces, and returns what came back, if anybody waited for it; `None` for an orderly end cut short by a
/// reset, after which nothing that came can be relied on.
pub fn deliver(address: SocketAddr, pieces: &[Vec<u8>], ending: Ending) -> Result<Option<Replies>, String> {
    let mut stream = connect(address)?;
    for piece in pieces {
        // Refused before all of it was sent, or not taken: what came back tells.
        if stream.write_all(piece).is_err() {
            break;
        }
    }
    match ending {
        Ending::Leave => return Ok(None),
        Ending::Reset => {
            let _ = rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO));
            return Ok(None);
        }
        Ending::Finish => drop(stream.shutdown(Shutdown::Write)),
        Ending::Silent => {}
    }
    match read_to_end(&mut stream)? {
        Some(bytes) => Replies::parse(&bytes).map(Some),
        None => Ok(None),
    }
}

fn connect(address: SocketAddr) -> Result<TcpStream, String> {
    let mut result = Err("no try".to_owned());
    // The ports of a machine may all be in use for a moment.
    holds_within(DEADLINE, || {
        result = TcpStream::connect(address).map_err(|error| format!("no connection: {error}"));
        !matches!(&result, Err(error) if error.contains("Cannot assign"))
    });
    let stream = result?;
    let prepared = stream
        .set_nodelay(true)
        .and_then(|()| stream.set_read_timeout(Some(Duration::from_secs(1))))
        .and_then(|()| stream.set_write_timeout(Some(DEADLINE)));
    prepared.map_err(|error| format!("no deadlines: {error}"))?;
    Ok(stream)
}

/// None after a reset; an error when the end does not come.
fn read_to_end(stream: &mut TcpStream) -> Result<Option<Vec<u8>>, String> {
    let begun = Instant::now();
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 << 10];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(Some(bytes)),
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return Ok(None),
        }
        if begun.elapsed() > DEADLINE {
            let end = String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(300)..]).into_owned();
            return Err(format!(
                "a hang: no end after {DEADLINE:?}, {} bytes came: {end:?}",
                bytes.len()
            ));
        }
    }
}
