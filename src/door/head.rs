//! One request head off a connection: bounded in size and time, and sane (RFC 9112).

use std::time::{Duration, Instant};

use percent_encoding::{CONTROLS, percent_encode};

use super::inbox::{Inbox, More};
use crate::context::Context;
use crate::error::Error;
use crate::http::Head;
use crate::units::{Size, Span};

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
        Err(httparse::Error::Version) => {
            return Err(Error::refused(505, "Only HTTP/1.0 and HTTP/1.1 are spoken here."));
        }
        Err(error) => return Err(Error::refused(400, format!("This is not an HTTP request: {error}."))),
    };
    let mut head = Head {
        method: request.method.unwrap_or_default().to_string(),
        minor_version: request.version.unwrap_or(1),
        ..Head::default()
    };
    // Bytes beyond ASCII are encoded here, as strict clients would have done.
    let target = percent_encode(request.path.unwrap_or_default().as_bytes(), CONTROLS).to_string();
    head.set_target(&target);
    head.headers = request
        .headers
        .iter()
        // A character for each byte (ISO-8859-1): different values stay different, whatever they were meant to be.
        .map(|header| {
            let value = header.value.iter().map(|byte| char::from(*byte)).collect();
            (header.name.to_string(), value)
        })
        .collect();
    inbox.skip(length);
    Ok(Some(head))
}
