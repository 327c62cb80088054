//! One request head off a connection: bounded in size and time, and sane (RFC 9112).

use std::time::{Duration, Instant};

use super::inbox::{Inbox, More};
use super::target;
use crate::request::authority::Authority;
use crate::state::context::Context;
use crate::words::error::Error;
use crate::words::http::{HOST, Head};
use crate::words::units::{Size, Span};

/// The most headers of a request. Browsers behind two proxies send about thirty.
const MAX_HEADERS: usize = 64;

/// Reads the next head. None if the connection ended, or stayed idle for `wait`, or the program stops.
pub fn read(inbox: &mut Inbox, wait: Duration, context: &Context) -> Result<Option<Head>, Error> {
    let limits = &context.config.limits;
    let mut begun = (!inbox.bytes().is_empty()).then(Instant::now);
    let asked = Instant::now();
    loop {
        if let Some(head) = parse(inbox, limits.max_head)? {
            return Ok(Some(head));
        }
        let late = match begun {
            Some(begun) => begun.elapsed() >= limits.head_timeout,
            None => asked.elapsed() >= wait || context.stopping(),
        };
        match (late, begun) {
            (true, None) => return Ok(None),
            (true, Some(_)) => {
                let limit = Span(limits.head_timeout);
                return Err(Error::refused(
                    408,
                    format!("The request head took longer than {limit} (--head-timeout)."),
                ));
            }
            _ => {}
        }
        let room = (limits.max_head.0 + 1).saturating_sub(inbox.bytes().len());
        match inbox.more(room) {
            More::Some => begun = begun.or_else(|| Some(Instant::now())),
            More::Quiet => {}
            More::End => return Ok(None),
        }
    }
}

fn parse(inbox: &mut Inbox, max_head: Size) -> Result<Option<Head>, Error> {
    let too_large = || Error::refused(431, format!("The request head is larger than {max_head} (--max-head)."));
    let bytes = inbox.bytes();
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let length = match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length > max_head.0 => return Err(too_large()),
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if bytes.len() > max_head.0 => return Err(too_large()),
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(Error::refused(
                431,
                format!("The request has more than {MAX_HEADERS} headers."),
            ));
        }
        Err(httparse::Error::Version) if names_a_version(bytes) => {
            return Err(Error::refused(505, "Only HTTP/1.0 and HTTP/1.1 are spoken here."));
        }
        Err(error) => return Err(Error::refused(400, format!("This is not an HTTP request: {error}."))),
    };
    // A reader may take LF alone for the end of a line (RFC 9112, 2.2). Whoever stands before us may not, and then a header that
    // we see is none to him.
    if has_bare_line_end(&bytes[..length]) {
        return Err(Error::refused(
            400,
            "This is not an HTTP request: its lines do not all end with CR LF.",
        ));
    }
    let mut head = Head {
        method: request.method.unwrap_or_default().to_string(),
        minor_version: request.version.unwrap_or(1),
        ..Head::default()
    };
    let target = target::parse(&head.method, request.path.unwrap_or_default())?;
    head.set_resource(&target.resource);
    head.headers = request
        .headers
        .iter()
        // A character for each byte (ISO-8859-1): different values stay different, whatever they were meant to be.
        .map(|header| {
            let value = header.value.iter().map(|byte| char::from(*byte)).collect();
            (header.name.to_string(), value)
        })
        .collect();
    settle_host(&mut head, target.authority)?;
    inbox.skip(length);
    Ok(Some(head))
}

/// Sees that there is one valid `Host` where there has to be (RFC 9112, 3.2), and gives it the authority of the target if that
/// has one (3.2.2).
fn settle_host(head: &mut Head, authority: Option<String>) -> Result<(), Error> {
    let mut hosts = head.all(HOST);
    let problem = match (hosts.next(), hosts.next()) {
        (None, _) if head.minor_version == 0 => None,
        (None, _) => Some("A request of HTTP/1.1 needs a Host header."),
        // Empty is the host of a URL that has none.
        (Some(host), None) if host.is_empty() || host.parse::<Authority>().is_ok() => None,
        (Some(_), None) => Some("The Host header is not a host with or without a port."),
        (Some(_), Some(_)) => Some("Host is given more than once."),
    };
    drop(hosts);
    if let Some(sentence) = problem {
        return Err(Error::refused(400, sentence));
    }
    if let Some(authority) = authority {
        head.headers.retain(|(name, _)| !name.eq_ignore_ascii_case(HOST));
        head.headers.push((HOST.to_string(), authority));
    }
    Ok(())
}

/// Whether lines of these bytes end with something else than CR LF, or hold one of the two within.
pub fn has_bare_line_end(bytes: &[u8]) -> bool {
    let pairs = bytes.windows(2).filter(|pair| *pair == b"\r\n").count();
    let ends = bytes.iter().filter(|byte| matches!(byte, b'\r' | b'\n')).count();
    ends != 2 * pairs
}

/// Whether the first line ends with a version of HTTP as RFC 9112 writes it, so that only the version is not ours.
fn names_a_version(bytes: &[u8]) -> bool {
    let line = bytes
        .trim_ascii_start()
        .split(|b| *b == b'\n')
        .next()
        .unwrap_or_default();
    let mut words = line.trim_ascii_end().split(|b| *b == b' ').skip(2);
    let version = words.next().and_then(|word| word.strip_prefix(b"HTTP/"));
    matches!(version, Some([major, b'.', minor]) if major.is_ascii_digit() && minor.is_ascii_digit())
        && words.next().is_none()
}
