//! The body of a reply that stays open: chunks (RFC 9112, section 7.1) on a stream that never waits by itself.

use std::io::{self, IoSlice, Read};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use rustix::event::{PollFd, PollFlags};
use rustix::net::sockopt;

use crate::net::wait::is_quiet;
use crate::net::wire::Wire;
use crate::state::context::Context;
use crate::words::ending::Ending;
use crate::words::http::{NOSNIFF, SERVER};

/// Bytes that are gathered for one write.
const ONE_WRITE: usize = 64 << 10;

/// Pieces of at least so many bytes are sent from where they are; shorter ones are gathered.
const SENT_IN_PLACE: usize = 16 << 10;

/// Bytes read at once from a client that has nothing more to say.
const SINK: usize = 4 << 10;

/// When the system asks a silent client's machine whether it is still there, how often again, and how many times: most
/// replies have nothing of their own that would find out.
const PROBE_AFTER: Duration = Duration::from_secs(20);
const PROBE_INTERVAL: Duration = Duration::from_secs(10);
const PROBES: u32 = 4;

/// The writing side. It belongs to one thread.
pub struct Body {
    wire: Wire,
    chunked: bool,
    outbox: Vec<u8>,
    written: Instant,
    context: Arc<Context>,
}

impl Body {
    /// Sends the head.
    pub fn begin(
        stream: &Arc<TcpStream>,
        chunked: bool,
        headers: &[(&str, String)],
        context: &Arc<Context>,
    ) -> Result<Body, Ending> {
        let mut wire = context.wire(stream.clone());
        let head = head(headers, chunked);
        let stall = wire.stall();
        let begun = wire
            .write_all(&mut [IoSlice::new(head.as_bytes())], stall)
            .and_then(|()| wire.stop_blocking());
        begun.map_err(|error| Ending::lost(&error))?;
        probe(stream);
        Ok(Body {
            wire,
            chunked,
            outbox: Vec::new(),
            written: Instant::now(),
            context: context.clone(),
        })
    }

    /// Puts pieces behind each other as one chunk, waiting for a slow client. Short ones are gathered until `flush`.
    pub fn put(&mut self, pieces: &[&[u8]]) -> Result<(), Ending> {
        let length: usize = pieces.iter().map(|piece| piece.len()).sum();
        if length == 0 {
            // A chunk of nothing would be the end.
            return Ok(());
        }
        if self.chunked {
            self.outbox.extend_from_slice(format!("{length:x}\r\n").as_bytes());
        }
        for piece in pieces {
            if piece.len() < SENT_IN_PLACE {
                self.outbox.extend_from_slice(piece);
            } else {
                self.write(piece)?;
            }
        }
        if self.chunked {
            self.outbox.extend_from_slice(b"\r\n");
        }
        if self.outbox.len() < ONE_WRITE {
            Ok(())
        } else {
            self.flush()
        }
    }

    /// Sends what was gathered.
    pub fn flush(&mut self) -> Result<(), Ending> {
        if self.outbox.is_empty() {
            Ok(())
        } else {
            self.write(&[])
        }
    }

    /// Ends the reply properly, or breaks it off so that the client can tell.
    pub fn finish(&mut self, whole: bool) -> Result<(), Ending> {
        if whole && self.chunked {
            self.outbox.extend_from_slice(b"0\r\n\r\n");
        }
        let flushed = self.flush();
        // Without chunks only a reset tells that something is missing; there is no telling, then.
        self.wire.end(Shutdown::Write);
        flushed
    }

    /// How long nothing was written.
    pub fn quiet_for(&self) -> Duration {
        self.written.elapsed()
    }

    /// Sees whether the client has left. What else it sends is ignored.
    pub fn tend(&mut self) -> Result<(), Ending> {
        if self.context.stopping() {
            return Err(Ending::stopping());
        }
        let mut sink = [0; SINK];
        match self.wire.stream().read(&mut sink) {
            Ok(0) => Err(Ending::Lost("the client ended the connection".into())),
            Ok(_) => Ok(()),
            Err(error) if is_quiet(&error) => Ok(()),
            Err(error) => Err(Ending::lost(&error)),
        }
    }

    /// What to wait for: the client's leaving.
    pub fn interest(&self) -> PollFd<'_> {
        PollFd::new(self.wire.stream(), PollFlags::IN)
    }

    /// Waits for that, for so long at most.
    pub fn wait(&self, time: Duration) {
        // Whatever is wrong shows when it is read.
        let _ = self.wire.wait(PollFlags::IN, time);
    }

    /// Writes the outbox and these bytes behind it.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Ending> {
        let mut pieces = [IoSlice::new(&self.outbox), IoSlice::new(bytes)];
        let written = self.wire.write_all(&mut pieces, self.wire.stall());
        self.outbox.clear();
        self.outbox.shrink_to(ONE_WRITE);
        self.written = Instant::now();
        written.map_err(|error| Ending::lost(&error))
    }
}

fn head(headers: &[(&str, String)], chunked: bool) -> String {
    let date = httpdate::fmt_http_date(SystemTime::now());
    let own = [("Server", SERVER), ("Date", &date), ("Connection", "close"), NOSNIFF];
    let mut head = "HTTP/1.1 200 OK\r\n".to_string();
    let given = headers.iter().map(|(name, value)| (*name, value.as_str()));
    for (name, value) in own.into_iter().chain(given) {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if chunked {
        head.push_str("Transfer-Encoding: chunked\r\n");
    }
    head.push_str("\r\n");
    head
}

/// Has the system find out when the client's machine is gone.
fn probe(stream: &TcpStream) {
    let set = || -> io::Result<()> {
        sockopt::set_socket_keepalive(stream, true)?;
        sockopt::set_tcp_keepidle(stream, PROBE_AFTER)?;
        sockopt::set_tcp_keepintvl(stream, PROBE_INTERVAL)?;
        Ok(sockopt::set_tcp_keepcnt(stream, PROBES)?)
    };
    if let Err(error) = set() {
        log::debug!("a client that vanishes will not be noticed: {error}");
    }
}
